"""`gaugenet train TASK`: from a folder of meshes, or from climate files, to a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from jsonargparse import ArgumentParser, Namespace

from gaugenet.commands import climate
from gaugenet.commands._common import make_parser, write_line

if TYPE_CHECKING:
    from gaugenet.tasks.mesh.data_options import TaskName

TASKS = {
    "segmentation": "a class for every face (or vertex): MeshCNN layout, or a folder of labelled meshes",
    "correspondence": "every vertex finds its place on a template: FAUST registrations",
    "classification": "a class for every mesh: one folder a class (SHREC-11)",
    "climate": "weather patterns on the globe: NetCDF files with winds and labels",
}
SHORTCUTS = {
    "--data": "--data.root",
    "--holdout": "--data.holdout",
    "--cache": "--data.cache",
    "--n_jobs": "--data.n_jobs",
    "--batch_size": "--data.batch_size",
    "--lr": "--optim.lr",
    "--max_epochs": "--trainer.max_epochs",
    "--devices": "--trainer.devices",
    "--num_nodes": "--trainer.num_nodes",
    "--accelerator": "--trainer.accelerator",
    "--precision": "--trainer.precision",
}
CONFIG = "config.yaml"


def run(arguments: list[str]) -> int:
    """Parse, train, tell where the run is; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        write_line(_overview())
        return 0 if arguments else 2
    task = arguments[0]
    if task not in TASKS:
        sys.stderr.write(f"gaugenet train: no task {task!r}: choose one of {', '.join(TASKS)}.\n")
        return 2
    parser = build_parser(task)
    expanded = _with_saved_config(_expand(arguments[1:], task))
    options = parser.parse_args(climate.join_lists(expanded) if task == climate.TASK else expanded)
    if task == climate.TASK:
        return climate.train(options, _as_yaml(parser, options))
    return _train(task, parser, options)


def build_parser(task: str) -> ArgumentParser:
    """The parser of one task: general options and the groups model, data, geometry, optim and trainer."""
    from lightning.pytorch import Trainer

    from gaugenet.models import MeshUNet
    from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions
    from gaugenet.tasks.mesh.defaults import DEFAULTS
    from gaugenet.tasks.training.fit import OWN_TRAINER_ARGUMENTS
    from gaugenet.tasks.training.options import OptimOptions

    shortcuts = ", ".join(f"{short} for {full}" for short, full in _shortcuts(task).items())
    parser = make_parser(f"train {task}", f"Train {task}: {TASKS[task]}.\n\nShort forms: {shortcuts}.")
    parser.add_argument("--config", action="config", help="YAML file with options; flags after it win")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run, made when missing")
    parser.add_argument("--seed", type=int, default=0, help="everything random follows from it")
    parser.add_argument("--resume", action="store_true", help="go on where the run was left, with its saved options")
    parser.add_argument("--overwrite", action="store_true", help="delete a run that is already there")
    parser.add_argument("--init", type=str | None, default=None, help="a run whose weights this training starts from")
    parser.add_argument("--threads", type=int | None, default=None, help="CPU threads; torch decides by default")
    if task == climate.TASK:
        climate.add_arguments(parser)
        parser.set_defaults(DEFAULTS[task])
        return parser
    parser.add_class_arguments(DataOptions, "data")
    parser.add_class_arguments(GeometryOptions, "geometry")
    parser.add_class_arguments(MeshUNet, "model", skip={"in_type", "out_channels", "group", "levels", "readout"})
    parser.add_class_arguments(OptimOptions, "optim")
    parser.add_class_arguments(Trainer, "trainer", skip=set(OWN_TRAINER_ARGUMENTS))
    parser.set_defaults(DEFAULTS[task])
    return parser


def _train(task: str, parser: ArgumentParser, options: Namespace) -> int:
    from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions
    from gaugenet.tasks.mesh.train import train
    from gaugenet.tasks.training.options import OptimOptions

    first = int(os.environ.get("LOCAL_RANK", "0")) == 0 and int(os.environ.get("NODE_RANK", "0")) == 0
    description = train(
        cast("TaskName", task),
        options.out,
        data=DataOptions(**options.data.as_dict()),
        geometry=GeometryOptions(**options.geometry.as_dict()),
        model=options.model.as_dict(),
        optim=OptimOptions(**options.optim.as_dict()),
        trainer=options.trainer.as_dict(),
        seed=options.seed,
        resume=options.resume,
        overwrite=options.overwrite,
        init=options.init,
        threads=options.threads,
        config=_as_yaml(parser, options),
    )
    if first:
        best = description.metrics.get("best", {})
        figures = "  ".join(f"{name} {best[name]:.4f}" for name in ("val_accuracy", "train_accuracy") if name in best)
        write_line(f"{options.out}: best epoch {best.get('epoch', 0):.0f}  {figures}")
    return 0


def _as_yaml(parser: ArgumentParser, options: Namespace) -> str:
    selected = options.clone()
    for name in ("config", "resume", "overwrite", "out"):
        selected.pop(name, None)
    return parser.dump(selected, skip_validation=True)


def _shortcuts(task: str) -> dict[str, str]:
    """Short forms of the options; those of climate files differ from those of folders of meshes."""
    if task != climate.TASK:
        return SHORTCUTS
    selected = {k: v for k, v in SHORTCUTS.items() if k not in ("--holdout", "--cache", "--n_jobs")}
    return selected | {"--data": "--data.files", "--val": "--data.val", "--level": "--data.level"}


def _expand(arguments: list[str], task: str) -> list[str]:
    """Short forms written out, `--data DIR` as `--data.root DIR`."""
    out, shortcuts = [], _shortcuts(task)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        out.append(shortcuts.get(name, name) + equals + value)
    return out


def _with_saved_config(arguments: list[str]) -> list[str]:
    """With `--resume`, the options that the run was started with come first, so that only `--out` need be repeated."""
    if "--resume" not in arguments:
        return arguments
    for k, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--out":
            saved = Path(value or "".join(arguments[k + 1 : k + 2])) / CONFIG
            if saved.is_file():
                return ["--config", str(saved), *arguments]
    return arguments


def _overview() -> str:
    width = max(map(len, TASKS))
    tasks = "\n".join(f"  {name:<{width}}  {text}" for name, text in TASKS.items())
    return (
        "usage: gaugenet train TASK --data DATA --out RUN [options]\n\ntasks:\n"
        f"{tasks}\n\n`gaugenet train TASK --help` lists all options."
    )
