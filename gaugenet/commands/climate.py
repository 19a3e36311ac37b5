"""`gaugenet train climate`, and `evaluate` and `predict` of the runs that it wrote."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace

from gaugenet.commands._common import make_parser, write_json_line, write_line

TASK = "climate"
LISTS = ("--data.files", "--data.val")
"""Options that take several files."""

EVALUATE = """Score a climate run on labelled files: average precision, IoU, recall and precision of every class by
area, and objects found within 300 km. Writes evaluation_NAME.json, map.png and globe.html into the run."""
PREDICT = """Label climate files: probabilities and labels of every time step, as CF NetCDF on the grid of the input
(OUT.nc) and on the icosahedron (OUT.icosphere.nc)."""


def is_climate_run(arguments: list[str]) -> bool:
    """Whether the first argument names a run of this task."""
    from gaugenet.tasks.training.run import DESCRIPTION

    path = Path(next((a for a in arguments if not a.startswith("-")), "")) / DESCRIPTION
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("task") == TASK
    except (OSError, ValueError, AttributeError):
        return False  # the command itself says what is wrong with the run


# --- train --------------------------------------------------------------------------------------------------------


def add_arguments(parser: ArgumentParser) -> None:
    """The groups data, model, loss, optim and trainer of `gaugenet train climate`."""
    from lightning.pytorch import Trainer

    from gaugenet.models import IcosahedralUNet
    from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
    from gaugenet.tasks.training.fit import OWN_TRAINER_ARGUMENTS
    from gaugenet.tasks.training.options import OptimOptions

    parser.add_class_arguments(ClimateData, "data")
    parser.add_class_arguments(IcosahedralUNet, "model", skip={"in_type", "out_type"})
    parser.add_class_arguments(ClimateLoss, "loss")
    parser.add_class_arguments(OptimOptions, "optim", skip={"smoothing", "loss_on", "corners"})
    parser.add_class_arguments(Trainer, "trainer", skip=set(OWN_TRAINER_ARGUMENTS))


def train(options: Namespace, config: str) -> int:
    """Train, and say where the run is."""
    from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
    from gaugenet.tasks.climate.train import train_climate
    from gaugenet.tasks.training.options import OptimOptions

    description = train_climate(
        options.out,
        data=ClimateData(**options.data.as_dict()),
        model=options.model.as_dict(),
        loss=ClimateLoss(**options.loss.as_dict()),
        optim=OptimOptions(**options.optim.as_dict()),
        trainer=options.trainer.as_dict(),
        seed=options.seed,
        resume=options.resume,
        overwrite=options.overwrite,
        init=options.init,
        threads=options.threads,
        config=config,
    )
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        best = description.metrics.get("best", {})
        figures = "  ".join(f"{name} {best[name]:.4f}" for name in ("val_ap", "val_iou", "train_loss") if name in best)
        write_line(f"{options.out}: best epoch {best.get('epoch', 0):.0f}  {figures}")
    return 0


def join_lists(arguments: list[str]) -> list[str]:
    """`--data.files a.nc b.nc` as one argument, which is how the parser takes lists."""
    out: list[str] = []
    k = 0
    while k < len(arguments):
        name, equals, value = arguments[k].partition("=")
        k += 1
        if name not in LISTS or value.startswith("["):
            out.append(arguments[k - 1])
            continue
        files = [value] if equals else []
        while k < len(arguments) and not arguments[k].startswith("-"):
            files.append(arguments[k])
            k += 1
        out.append(f"{name}={json.dumps(files)}")
    return out


# --- evaluate and predict -----------------------------------------------------------------------------------------


def evaluate(arguments: list[str]) -> int:
    """Parse, score, print; the exit status."""
    parser = _parser("evaluate", EVALUATE)
    parser.add_argument("--data", nargs="+", required=True, metavar="FILE", help="labelled files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--rotations", type=int, default=0, metavar="N", help="also score N rotations of the globe")
    parser.add_argument("--icosahedral", action="store_true", help="also score the 60 rotations of the icosahedron")
    parser.add_argument("--within_km", type=float, default=300.0, help="distance within which an object is found")
    options = parser.parse_args(arguments)

    from gaugenet.tasks.climate.evaluation import evaluate_climate

    result = evaluate_climate(
        options.run,
        options.data,
        rotations=options.rotations,
        icosahedral=options.icosahedral,
        within_km=options.within_km,
        **_common(options),
    )
    if options.json:
        write_json_line(result)
    else:
        write_line(describe(result))
    return 0


def predict(arguments: list[str]) -> int:
    """Parse, label, tell; the exit status."""
    parser = _parser("predict", PREDICT)
    parser.add_argument("files", nargs="+", metavar="FILE", help="climate files, or folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.nc", help="NetCDF file on the input's grid")
    parser.add_argument(
        "--icosphere", type=Path | None, default=None, metavar="FILE", help="and on the icosahedron; by OUT's name"
    )
    options = parser.parse_args(arguments)

    from gaugenet.tasks.climate.prediction import predict_climate

    result = predict_climate(options.run, options.files, options.out, sphere=options.icosphere, **_common(options))
    parts = ", ".join(f"{name} {100 * share:.2f} %" for name, share in result["area"].items())
    write_line(f"{result['grid']} and {result['icosphere']}: {result['steps']} time steps  {parts}")
    return 0


def view(run: Path, files: list[Path]) -> int:
    """Copy the page (`.html`) and the map (`.png`) that the last evaluation of a run made."""
    from gaugenet.files import atomic_path
    from gaugenet.tasks.climate.pictures import GLOBE, MAP
    from gaugenet.tasks.training.options import TaskError

    for target in files:
        name = GLOBE if target.suffix.lower() == ".html" else MAP
        if not (run / name).is_file():
            raise TaskError(f"{run} was not evaluated yet: `gaugenet evaluate {run} --data FILE.nc`.")
        with atomic_path(target) as temporary:
            shutil.copyfile(run / name, temporary)
        write_line(f"{target}: from the last evaluation of {run}")
    return 0


def describe(result: dict[str, Any]) -> str:
    """The result as a table."""
    lines = [f"{result['run']} on {result['frames']} time steps ({result['weights']} weights), by area:", ""]
    width = max(map(len, result["classes"]))
    lines.append(f"  {'class':<{width}}      AP     IoU  recall  precision   found  false alarms")
    for name, c in result["classes"].items():
        ap, iou, recall, precision = (_number(c[m]) for m in ("ap", "iou", "recall", "precision"))
        text = f"  {name:<{width}}  {ap}  {iou}  {recall}     {precision}"
        if "objects" in c:
            found = c["objects"]
            text += f"  {found['hits']:>3} / {found['hits'] + found['misses']:<3} {found['false_alarms']:>6}"
        lines.append(text)
    origin = "from the training's validation part" if result["validated"] else "(the training validated nothing)"
    for name, c in result["classes"].items():
        if "threshold" in c:
            lines.append(
                f"\n  {name}: threshold {c['threshold']:.3f} {origin}; the best one here, "
                f"{c['best_threshold']:.3f}, has IoU {_number(c['best_iou']).strip()}"
            )
    lines.append(f"\n  found: centres within {result['within_km']:.0f} km, one to one")
    for name, text in (("rotations", "random rotations of the globe"), ("icosahedral", "rotations of the icosahedron")):
        if name in result:
            ap, iou = (_span(result[name][m]) for m in ("ap", "iou"))
            lines.append(f"  {result[name]['ap']['count']} {text}: AP {ap}, IoU {iou}")
    return "\n".join(lines)


def _span(spread: dict[str, float]) -> str:
    return f"{spread['mean']:.3f} ({spread['min']:.3f} .. {spread['max']:.3f})"


def _parser(command: str, description: str) -> ArgumentParser:
    parser = make_parser(command, description)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that `gaugenet train climate` wrote")
    parser.add_argument("--weights", type=Literal["best", "last"], default="best", help="which weights of the run")
    parser.add_argument("--tta", type=int, default=0, metavar="N", help="average over N poses of the globe")
    parser.add_argument(
        "--missing", type=Literal["refuse", "mean"] | None, default=None, help="values that are not finite; as trained"
    )
    parser.add_argument("--threads", type=int | None, default=None, help="CPU threads; torch decides by default")
    parser.add_argument(
        "--device", type=str | None, default=None, help="cpu, cuda, ...; a GPU if there is one by default"
    )
    parser.add_argument(
        "--precision", type=Literal["float32", "bfloat16"], default="float32", help="bfloat16 is faster with AMX"
    )
    return parser


def _common(options: Namespace) -> dict[str, Any]:
    from gaugenet.tasks.mesh.train import use_threads

    use_threads(options.threads)
    return {name: options[name] for name in ("weights", "tta", "missing", "device", "precision")}


def _number(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"
