"""`gaugenet models list|info|fetch`: trained networks that come with the library, and others by name."""

from __future__ import annotations

import sys
from pathlib import Path

from gaugenet import _zoo
from gaugenet.commands._common import make_parser, write_json_line, write_line

_HELP = {"-h", "--help"}
_OVERVIEW = """usage: gaugenet models list | info NAME | fetch NAME --from FOLDER_OR_URL

Trained networks by name: `gaugenet predict NAME MESH --out DIR` applies one.

  list    the networks that are here
  info    the card of a network: data, training, scores, limits
  fetch   copy a network from a folder or an address that you name

`gaugenet models list --help` and the others tell more."""


def run(arguments: list[str]) -> int:
    """List, describe or fetch networks; return the exit status."""
    actions = {"list": _list, "info": _info, "fetch": _fetch}
    if not arguments or arguments[0] in _HELP:
        write_line(_OVERVIEW)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in actions:
        sys.stderr.write(f"gaugenet models: no action {name!r}: choose one of {', '.join(actions)}.\n")
        return 2
    return actions[name](rest)


def _list(arguments: list[str]) -> int:
    parser = make_parser("models list", "List the trained networks that are here.")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON")
    options = parser.parse_args(arguments)
    found = list(_zoo.entries().values())
    if options.json:
        write_json_line(_zoo.as_manifest(*found))
        return 0
    rows = [("name", "task", "size", "finds"), *((e.name, e.task, _size(e), e.summary) for e in found)]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    for row in rows:
        write_line("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]))
    return 0


def _info(arguments: list[str]) -> int:
    parser = make_parser("models info", "Print what is known of a network, and its card.")
    parser.add_argument("name", metavar="NAME", help="a name of `gaugenet models list`")
    parser.add_argument("--json", action="store_true", help="print its entry in the manifest as JSON")
    options = parser.parse_args(arguments)
    entry = _zoo.find(options.name)
    if options.json:
        write_json_line(entry.as_dict() | {"folder": str(entry.folder)})
        return 0
    folder = _zoo.folder_of(options.name)
    facts = {"task": entry.task, "data": entry.data, "licence": entry.licence, "size": _size(entry)}
    facts |= {f"figure {k}": f"{one['metric']} {one['value']} on {one['on']}" for k, one in enumerate(entry.figures, 1)}
    facts |= {f"SHA-256 of {file}": value for file, value in entry.checksum.items()} | {"folder": str(folder)}
    lines = [f"{entry.name}: {entry.summary}", *(f"  {key}: {value}" for key, value in facts.items())]
    write_line("\n".join([*lines, "", (folder / _zoo.CARD).read_text(encoding="utf-8").rstrip()]))
    return 0


def _fetch(arguments: list[str]) -> int:
    from gaugenet._fetch import fetch

    parser = make_parser(
        "models fetch",
        "Copy a network from a folder or an address, checked by SHA-256. What is there is never replaced, and nothing "
        "but the named address is asked.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the network")
    parser.add_argument("--from", dest="source", required=True, metavar="FOLDER_OR_URL", help="where its files are")
    parser.add_argument(
        "--out", type=Path | None, default=None, metavar="DIR", help=f"folder for the network; by default {_zoo.home()}"
    )
    options = parser.parse_args(arguments)
    write_line(str(fetch(options.name, options.source, out=options.out)))
    return 0


def _size(entry: _zoo.ZooEntry) -> str:
    return f"{entry.size / 1e6:.1f} MB"
