"""The benchmarks that stay: one JSON, and the table of docs/performance.md.

    python benchmarks/run.py                       all rows, half an hour on an idle machine
    python benchmarks/run.py --only levels grid    some rows; the others stay as they are
    python benchmarks/run.py --quick --only grid   tiny problems, prints only: does everything still run?

Each row is a process of its own on one thread, so that its peak memory is its own. Times are CPU seconds. The rows are
in `rows.py`. Peers (escnn, torch-harmonics, potpourri3d) are measured where they are installed. `results.json` holds
for each row the machine, the date and the versions with which it was measured.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
JSON = HERE / "results.json"
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks/run.py: begin -->", "<!-- benchmarks/run.py: end -->"
PACKAGES = ("torch", "numpy", "numba", "torch_geometric", "escnn", "torch_harmonics", "potpourri3d")


def measured(name: str, quick: bool) -> dict[str, Any]:
    """Return a row, measured in this process."""
    import torch
    from mesh_conv import cpu_name
    from rows import ROWS

    torch.set_num_threads(1)
    row = ROWS[name]
    cases = [{"case": c.name, "seconds": c.seconds, "note": c.note} for c in row.cases(quick)]
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**10
    return {
        "what": row.what, "goal": row.goal, "peak_mib": round(peak), "cases": cases, "machine": cpu_name(),
        "date": datetime.date.today().isoformat(), "load": round(os.getloadavg()[0], 1), "versions": versions(),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def in_own_process(name: str, quick: bool) -> dict[str, Any]:
    """Return a row, measured in a new process."""
    command = [sys.executable, __file__, "--measure", name, *(["--quick"] if quick else [])]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"The row {name!r} failed: see above. Earlier rows are kept.")
    row: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return row


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown, and the machines below."""
    lines = ["| Row | Case | CPU time | | Peak memory | Goal |", "|---|---|---|---|---|---|"]
    for row in rows.values():
        for k, case in enumerate(row["cases"]):
            first = (row["what"], f"{row['peak_mib']:,} MiB", row["goal"]) if k == 0 else ("", "", "")
            lines.append(
                f"| {first[0]} | {case['case']} | {_time(case['seconds'])} | {case['note']} | {first[1]} | {first[2]} |"
            )
    conditions: dict[str, list[str]] = {}
    for name, row in rows.items():
        text = f"{row['machine']}, {row['date']}, load {row['load']}, torch {row['versions']['torch']}"
        conditions.setdefault(text, []).append(f"`{name}`")
    return "\n".join([*lines, "", *(f"- {', '.join(names)}: {text}" for text, names in conditions.items())])


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


def written(page: str, content: str) -> str:
    """Return a page with other content between the two markers.

    Raises:
        ValueError: If the page does not contain both markers, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Expected the lines {BEGIN!r} and {END!r} in the page: add them where the table should be.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the JSON and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="ROW", help="measure these rows only")
    parser.add_argument("--quick", action="store_true", help="tiny problems; writes no page")
    parser.add_argument("--json", type=Path, default=JSON, help="where results are kept (not with --quick)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the table (not with --quick)")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measured(options.measure, options.quick)))
        return
    from rows import ROWS

    if unknown := [name for name in options.only or () if name not in ROWS]:
        parser.error(f"unknown rows {unknown}; there are {list(ROWS)}")
    kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() and not options.quick else {}
    for name in options.only or ROWS:
        kept[name] = in_own_process(name, options.quick)
        print(table({name: kept[name]}), end="\n\n", flush=True)
        if not options.quick:
            kept = {known: kept[known] for known in ROWS if known in kept}
            options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            page = options.page.read_text(encoding="utf-8")
            options.page.write_text(written(page, table(kept)), encoding="utf-8")


if __name__ == "__main__":
    main()
