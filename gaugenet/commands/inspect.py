"""`gaugenet inspect MESH...`: what is wrong with meshes, and repaired copies of them."""

from __future__ import annotations

from pathlib import Path

from gaugenet.commands._common import make_parser, write_json_line, write_line

_DESCRIPTION = """Check meshes for everything that makes them unfit: the kind, number and first places of each problem.

Exit status 0 if all meshes are usable (after the repair, with --repair), 1 if one is not."""


def run(arguments: list[str]) -> int:
    """Parse, inspect, print; the exit status."""
    parser = make_parser("inspect", _DESCRIPTION)
    parser.add_argument("meshes", nargs="+", type=Path, metavar="MESH", help="mesh files")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repair", type=Path, metavar="OUT", help="write repaired meshes into this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace repaired meshes that exist")
    options = parser.parse_args(arguments)

    from gaugenet.geometry.mesh.quality import inspect_files
    from gaugenet.geometry.mesh.report import describe

    entries = inspect_files(options.meshes, repair_to=options.repair, overwrite=options.overwrite)
    if options.json:
        write_json_line(entries)
    else:
        write_line("\n\n".join(describe(entry) for entry in entries))
    usable = [entry["repaired"]["report"]["ok"] if "repaired" in entry else entry["ok"] for entry in entries]
    return 0 if all(usable) else 1
