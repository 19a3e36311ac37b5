"""`gaugenet evaluate RUN --data DIR`: scores of a trained network on a labelled split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from gaugenet.commands import climate
from gaugenet.commands._common import make_parser, write_json_line, write_line

DESCRIPTION = """Score a run on a labelled split and write evaluation_SPLIT.json, predictions_SPLIT.npz and
confusion.png into its folder. Accuracy is the plain mean over all faces of the split ("hard face" in the MeshCNN
benchmarks), vertices or meshes, whichever have the labels; the mean over meshes of each one's accuracy stands beside
it. Runs of `gaugenet train climate` are scored on files, by area: see `gaugenet evaluate RUN --help`."""


def run(arguments: list[str]) -> int:
    """Parse, score, print; the exit status."""
    if climate.is_climate_run(arguments):
        return climate.evaluate(arguments)
    parser = make_parser("evaluate", DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that `gaugenet train` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--split", type=Literal["train", "val", "test"], default="test", help="part of the data set")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--weights", type=Literal["best", "last"], default="best", help="which weights of the run")
    parser.add_argument("--tta", type=int, default=0, metavar="N", help="average over N random rotations of each mesh")
    parser.add_argument(
        "--gauge-check", action="store_true", help="draw a random frame at every vertex and tell what moves"
    )
    parser.add_argument(
        "--one-to-one", action="store_true", help="correspondences: give each label to at most one vertex of a mesh"
    )
    parser.add_argument(
        "--repair",
        type=Literal["never", "lossless", "always"] | None,
        default=None,
        help="how meshes may be repaired; as in training by default",
    )
    parser.add_argument(
        "--format",
        type=Literal["auto", "meshcnn", "folder", "faust", "shrec"] | None,
        default=None,
        help="layout of the data; as in training by default",
    )
    parser.add_argument(
        "--cache", type=Path | None, default=None, help="folder of prepared meshes; RUN/cache by default"
    )
    parser.add_argument("--n_jobs", type=int, default=-1, help="threads that prepare meshes; -1 uses all cores")
    parser.add_argument(
        "--device", type=str | None, default=None, help="cpu, cuda, ...; a GPU if there is one by default"
    )
    options = parser.parse_args(arguments)

    from gaugenet.tasks.mesh.evaluation import evaluate

    result = evaluate(
        options.run,
        options.data,
        split=options.split,
        weights=options.weights,
        tta=options.tta,
        gauge_check=options.gauge_check,
        one_to_one=options.one_to_one,
        repair=options.repair,
        layout=options.format,
        cache=options.cache,
        n_jobs=options.n_jobs,
        device=options.device,
    )
    if options.json:
        write_json_line(result)
    else:
        write_line(describe(result))
    return 0


def describe(result: dict[str, Any]) -> str:
    """The result as a table."""
    from gaugenet.tasks.mesh.outputs import PLURAL

    worst = sorted(result["meshes"], key=lambda m: m["accuracy"] if m["accuracy"] is not None else 2.0)[:5]
    lines = [
        f"{result['run']} on {result['meshes_scored']} meshes of {result['split']!r} ({result['weights']} weights)",
        f"  accuracy, mean over all {PLURAL[result['items']]:<8} {_percent(result['accuracy'])}",
        f"  accuracy, mean over meshes       {_percent(result['mesh_accuracy'])}",
    ]
    if "independent_accuracy" in result:
        lines.append(f"  accuracy without one-to-one      {_percent(result['independent_accuracy'])}")
    if result["area_accuracy"] is not None:
        lines.append(f"  accuracy, by area                {_percent(result['area_accuracy'])}")
    if result["classes"]:
        lines.append(f"  intersection over union, mean    {_percent(result['mean_iou'])}")
    if 0 < len(result["classes"]) <= 60:
        width = max(map(len, result["classes"]))
        lines += [f"\n  {'class':<{width}}  accuracy      IoU"]
        lines += [
            f"  {name:<{width}}  {_percent(c['accuracy'])}  {_percent(c['iou'])}"
            for name, c in result["classes"].items()
        ]
    if result["items"] != "mesh":
        lines += ["\n  least accurate meshes"] + [f"  {_percent(m['accuracy'])}  {m['name']}" for m in worst]
    if "gauge_check" in result:
        check = result["gauge_check"]
        lines.append(
            f"\n  random frames at every vertex: scores move by {check['relative_change']:.2e} (relative), "
            f"{check['flipped']} of {check['items']} predictions flip"
        )
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "      -" if value is None else f"{100 * value:6.2f} %"
