"""`gaugenet inspect MESH|DIR|FILE.nc...`: defects of meshes, repaired copies, surveys of folders, climate files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gaugenet.commands._common import make_parser, write_json_line, write_line

_DESCRIPTION = """Check meshes for everything that makes them unfit: the kind, number and first places of each problem.

Of folders, and the folders in them, it prints a line for each mesh. Every mesh is read in a child process with limits
of time and memory, so that no file keeps the others from it.

Of NetCDF files and Zarr stores it prints the grid, the times, the fields with their levels, and values that are not
finite.

Exit status 0 if all meshes and files are usable (after the repair, with --repair), 1 if one is not."""


def run(arguments: list[str]) -> int:
    """Parse the arguments, inspect the meshes, print the result; return the exit status."""
    parser = make_parser("inspect", _DESCRIPTION)
    parser.add_argument(
        "meshes", nargs="+", type=Path, metavar="FILE|DIR", help="meshes, folders of them, climate files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repair", type=Path, metavar="OUT", help="write repaired meshes into this folder")
    parser.add_argument("--overwrite", action="store_true", help="replace repaired meshes that exist")
    group = parser.add_argument_group("surveys of folders")
    group.add_argument("--jobs", type=int, default=-1, help="meshes side by side; -1 for the number of CPUs")
    group.add_argument("--time_limit", type=float, default=60.0, metavar="SECONDS", help="for one mesh")
    group.add_argument("--memory_limit", type=float, default=4.0, metavar="GIB", help="for one mesh")
    options = parser.parse_args(arguments)
    from gaugenet.tasks.climate.inspection import is_climate_file

    climate = [path for path in options.meshes if is_climate_file(path)]
    if climate:
        return _climate(options, climate)
    if any(path.is_dir() for path in options.meshes):
        return _survey(options)

    from gaugenet.geometry.mesh.quality import inspect_files
    from gaugenet.geometry.mesh.report import describe

    entries = inspect_files(options.meshes, repair_to=options.repair, overwrite=options.overwrite)
    if options.json:
        write_json_line(entries)
    else:
        write_line("\n\n".join(describe(entry) for entry in entries))
    usable = [entry["repaired"]["report"]["ok"] if "repaired" in entry else entry["ok"] for entry in entries]
    return 0 if all(usable) else 1


def _climate(options: Any, files: list[Path]) -> int:
    from gaugenet.tasks.climate.inspection import describe_climate, inspect_climate

    if len(files) < len(options.meshes) or options.repair is not None:
        raise ValueError("Climate files are inspected apart from meshes, and without --repair.")
    entries = [inspect_climate(path) for path in files]
    if options.json:
        write_json_line(entries)
    else:
        write_line("\n\n".join(map(describe_climate, entries)))
    return 0 if all(entry["ok"] for entry in entries) else 1


def _survey(options: Any) -> int:
    from gaugenet.tasks.mesh.isolated import Limits
    from gaugenet.tasks.mesh.survey import describe_survey, is_usable, survey

    if options.repair is not None:
        raise ValueError("--repair takes mesh files: name them, for example as DIR/*.obj.")
    limits = Limits(seconds=options.time_limit, memory=options.memory_limit * 2**30)
    entries = survey(options.meshes, limits=limits, processes=options.jobs)
    if options.json:
        write_json_line(entries)
    else:
        write_line(describe_survey(entries))
    return 0 if all(map(is_usable, entries)) else 1
