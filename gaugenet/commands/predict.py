"""`gaugenet predict RUN MESH... --out DIR`: labels of meshes that nobody labelled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from gaugenet.commands import climate
from gaugenet.commands._common import make_parser, write_line

DESCRIPTION = """Label meshes with a trained network. For NAME.obj the folder OUT receives NAME.faces.npy and
NAME.vertices.npy (class indices in the order of the file), NAME.ply (coloured) and a line in predictions.json.

A run of `gaugenet train climate` takes NetCDF files instead: `gaugenet predict RUN IN.nc --out OUT.nc` (see
`gaugenet predict RUN --help`).

Meshes that cannot be used are named, the others are labelled all the same; exit status 1 if there was one."""


def run(arguments: list[str]) -> int:
    """Parse, label, tell; the exit status."""
    if climate.is_climate_run(arguments):
        return climate.predict(arguments)
    parser = make_parser("predict", DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that `gaugenet train` wrote")
    parser.add_argument("meshes", nargs="+", type=Path, metavar="MESH", help="mesh files, or folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--probabilities", action="store_true", help="also write the probabilities of all classes")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="repair meshes even where faces are lost; labels are transferred back to the mesh as given",
    )
    parser.add_argument("--weights", type=Literal["best", "last"], default="best", help="which weights of the run")
    parser.add_argument("--tta", type=int, default=0, metavar="N", help="average over N random rotations of each mesh")
    parser.add_argument("--n_jobs", type=int, default=-1, help="threads that prepare meshes; -1 uses all cores")
    parser.add_argument(
        "--device", type=str | None, default=None, help="cpu, cuda, ...; a GPU if there is one by default"
    )
    options = parser.parse_args(arguments)

    from gaugenet.tasks.mesh.prediction import predict

    entries = predict(
        options.run,
        options.meshes,
        options.out,
        weights=options.weights,
        tta=options.tta,
        probabilities=options.probabilities,
        repair="always" if options.repair else None,
        n_jobs=options.n_jobs,
        device=options.device,
    )
    for entry in entries:
        if "error" in entry:
            sys.stderr.write(f"gaugenet: {entry['error']}\n")
        else:
            write_line(_line(entry))
    return 1 if any("error" in entry for entry in entries) else 0


def _line(entry: dict[str, Any]) -> str:
    if "label" in entry:
        return f"{entry['name']}: {entry['label']} ({100 * entry['probability']:.1f} %)"
    largest = sorted(entry.get("area", {}).items(), key=lambda item: -item[1])[:4]
    parts = ", ".join(f"{name} {100 * share:.0f} %" for name, share in largest)
    repaired = f"  (repaired: {entry['repairs']})" if "repairs" in entry else ""
    return f"{entry['name']}: {entry['faces']} faces  {parts}{repaired}"
