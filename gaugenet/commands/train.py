"""`gaugenet train TASK`: from data to a run."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from gaugenet.commands._common import Parser, make_parser, run_folder, write_line
from gaugenet.commands._declared import argument_names, declared
from gaugenet.commands._yaml import check_file, load_bounded
from gaugenet.files import check_outputs
from gaugenet.tasks.table import TASKS, task_of_run
from gaugenet.tasks.training.class_report import class_table, lowest_class
from gaugenet.tasks.training.expressions import own_classes
from gaugenet.tasks.training.options import OWN_TRAINER_ARGUMENTS
from gaugenet.tasks.training.task import THREADS, Task

if TYPE_CHECKING:
    from gaugenet.tasks.training.run import RunDescription

logger = logging.getLogger(__name__)

_TRAINER = "lightning.pytorch.trainer.trainer:Trainer"
_SHORTCUTS = {
    "--batch_size": "--data.batch_size",
    "--lr": "--optim.lr",
    "--max_epochs": "--trainer.max_epochs",
    "--devices": "--trainer.devices",
    "--num_nodes": "--trainer.num_nodes",
    "--accelerator": "--trainer.accelerator",
    "--precision": "--trainer.precision",
}
_HELP = {"-h", "--help"}
_TRAINER_HELP = {"--help-trainer", "--trainer.help"}
_CONFIG = "config.yaml"


def run(arguments: list[str]) -> int:
    """Parse the arguments, train, report where the run is; return the exit status."""
    if not arguments or arguments[0] in _HELP:
        write_line(_overview())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in TASKS:
        wrong = "the task comes first" if name.startswith("-") else f"no task {name!r}"
        sys.stderr.write(f"gaugenet train: {wrong}: choose one of {', '.join(TASKS)}.\n")
        return 2
    task = TASKS[name]
    if _HELP & set(rest):
        write_line(_outline(task).format_help())
        return 0
    if _TRAINER_HELP & set(rest):
        write_line(_trainer_parser(task).format_help())
        return 0
    rest = _with_saved_config(_join_lists(_expand(rest, task), task), task)
    for file in _config_files(rest):
        check_file(file)
    _check_names(task, rest)
    parser = _full_parser(task)
    return _train(task, parser, parser.parse_args(rest))


# --- parsers --------------------------------------------------------------------------------------------------------


def _outline(task: Task) -> Parser:
    """Return the parser of a task, made without torch: it lists only the names of the trainer's options."""
    parser = _general(task, epilog=_about_trainer())
    for group in task.groups:
        parser.add_class_arguments(declared(group.source), group.name, skip=set(group.skip))
    parser.set_defaults({k: v for k, v in task.defaults.items() if not k.startswith("trainer.")})
    parser.extra_options = [f"--trainer.{name}" for name in _trainer_names()] + list(_shortcuts(task))
    return parser


def _full_parser(task: Task) -> Parser:
    """Return the parser of a task with all options."""
    from gaugenet.commands._trainer import plain_trainer

    parser = _general(task)
    for group in task.groups:
        parser.add_class_arguments(group.load(), group.name, skip=set(group.skip))
    parser.add_class_arguments(plain_trainer(), "trainer", skip=set(OWN_TRAINER_ARGUMENTS))
    parser.set_defaults(dict(task.defaults))
    parser.extra_options = list(_shortcuts(task))
    return parser


def _trainer_parser(task: Task) -> Parser:
    """Return a parser of the options of Lightning's trainer alone, for their help."""
    from gaugenet.commands._trainer import plain_trainer

    parser = make_parser(f"train {task.name}", "Options of Lightning's trainer.", usage=_usage(task))
    parser.add_class_arguments(plain_trainer(), "trainer", skip=set(OWN_TRAINER_ARGUMENTS))
    parser.set_defaults({k: v for k, v in task.defaults.items() if k.startswith("trainer.")})
    return parser


def _general(task: Task, **settings: Any) -> Parser:
    shortcuts = ", ".join(f"{short} for {full}" for short, full in _shortcuts(task).items())
    description = f"Train {task.name}: {task.summary}.\n\nShort forms: {shortcuts}."
    parser = make_parser(f"train {task.name}", description, usage=_usage(task), **settings)
    parser.add_argument("--config", action="config", help="YAML file with options; flags after it win")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run, made when missing")
    parser.add_argument("--seed", type=int, default=0, help="everything random follows from it")
    parser.add_argument("--resume", action="store_true", help="go on where the run was left, with its saved options")
    parser.add_argument("--overwrite", action="store_true", help="delete a run that is already there")
    parser.add_argument("--init", type=str | None, default=None, help="a run, or network of the zoo, to start from")
    parser.add_argument(THREADS.name, **THREADS.settings)
    return parser


def _usage(task: Task) -> str:
    return f"gaugenet train {task.name} --data DATA --out RUN [options]"


def _trainer_names() -> list[str]:
    return [name for name in argument_names(_TRAINER) if name not in OWN_TRAINER_ARGUMENTS]


def _about_trainer() -> str:
    return f"Lightning's trainer takes, as --trainer.NAME (see --help-trainer): {', '.join(_trainer_names())}."


def _check_names(task: Task, arguments: list[str]) -> None:
    """Refuse unknown options before torch is imported."""
    parser = _outline(task)
    known = [name for name in parser.option_names() if name not in {f"--{group.name}" for group in task.groups}]
    for argument in arguments:
        name = argument.partition("=")[0].removesuffix("+")
        if name.startswith("--") and not any(k.startswith(name) or name.startswith(f"{k}.") for k in known):
            parser.error(f"unrecognized arguments: {argument}")


# --- arguments ------------------------------------------------------------------------------------------------------


def _shortcuts(task: Task) -> dict[str, str]:
    """Return the short forms of the options, the task's own first."""
    return {**task.shortcuts, **_SHORTCUTS}


def _expand(arguments: list[str], task: Task) -> list[str]:
    """Expand short forms, for example `--lr 0.1` to `--optim.lr 0.1`."""
    out, shortcuts = [], _shortcuts(task)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        out.append(shortcuts.get(name, name) + equals + value)
    return out


def _join_lists(arguments: list[str], task: Task) -> list[str]:
    """Join the values of a list, such as `--data.files a.nc b.nc`, into one argument, as the parser expects."""
    out: list[str] = []
    k = 0
    while k < len(arguments):
        name, equals, value = arguments[k].partition("=")
        k += 1
        if name not in task.lists or value.startswith("["):
            out.append(arguments[k - 1])
            continue
        files = [value] if equals else []
        while k < len(arguments) and not arguments[k].startswith("-"):
            files.append(arguments[k])
            k += 1
        out.append(f"{name}={json.dumps(files)}")
    return out


def _with_saved_config(arguments: list[str], task: Task) -> list[str]:
    """Prepend the saved options when resuming, so that only `--out` must be repeated.

    Raises:
        ValueError: If there is nothing to resume, or the run is of another task.
    """
    if "--resume" not in arguments:
        return arguments
    for k, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--out":
            out = Path(value or "".join(arguments[k + 1 : k + 2]))
            if (own := task_of_run(out)) is not None and own.name != task.name:
                raise ValueError(
                    f"{out} is a training of {own.name}: go on with `gaugenet train {own.name} --out {out} --resume`."
                )
            saved = out / _CONFIG
            if saved.is_file():
                _refuse_code_of_run(saved, arguments)
                return ["--config", str(saved), *arguments]
            if not any(other.startswith(("--data", "--config")) for other in arguments):
                raise ValueError(f"{out} holds no training to resume: check --out, or start one with --data.")
    return arguments


def _refuse_code_of_run(saved: Path, arguments: list[str]) -> None:
    """Raise `ValueError` if saved options name a class of the user, and the user does not name it again."""
    options = load_bounded(saved.read_text(encoding="utf-8"))
    data = options.get("data") if isinstance(options, dict) else None
    features = str(data.get("features")) if isinstance(data, dict) else ""
    named = own_classes(features)
    if named and not any(argument.partition("=")[0] == "--data.features" for argument in arguments):
        raise ValueError(
            f"The run uses {', '.join(named)}, code of your own, and code is never taken from a run: name it again, "
            f"--data.features {features!r}."
        )


def _config_files(arguments: list[str]) -> list[Path]:
    """Return the option files that the arguments name."""
    pairs = [(*argument.partition("=")[::2], after) for argument, after in zip(arguments, [*arguments[1:], ""])]
    return [Path(value or after) for name, value, after in pairs if name == "--config" and (value or after)]


# --- training -------------------------------------------------------------------------------------------------------


def _train(task: Task, parser: Parser, options: Namespace) -> int:
    from gaugenet.tasks.training.train import train_task

    values: dict[str, Any] = {}
    for group in task.groups:
        arguments = options[group.name].as_dict()
        values[group.name] = group.load()(**arguments) if group.built else arguments
    if not options.resume:
        given = [Path(os.fspath(path)) for path in options.config or () if path is not None]
        check_outputs([options.out / _CONFIG], inputs=given, overwrite=True)
    common = {
        "trainer": options.trainer.as_dict(),
        "config": _as_yaml(parser, options),
        **{name: options[name] for name in ("seed", "resume", "overwrite", "threads")},
        "init": run_folder(options.init) if options.init is not None else None,
    }
    if task.is_cross_validation(values):
        return _cross_validate(task, parser, options, values, common)
    description = train_task(task, options.out, values, **common)
    if int(os.environ.get("LOCAL_RANK", "0")) == 0 and int(os.environ.get("NODE_RANK", "0")) == 0:
        write_line(f"{options.out}: {_figures(task, description)}")
    return 0


def _cross_validate(
    task: Task, parser: Parser, options: Namespace, values: Mapping[str, Any], common: dict[str, Any]
) -> int:
    """Train the folds one after another, and print the table of their scores."""
    from gaugenet.tasks.training.cross_validation import cross_validate

    def config_of_fold(k: int) -> str:
        one = options.clone()
        one["data.fold"] = k
        return _as_yaml(parser, one)

    result = cross_validate(task, options.out, values, config_of_fold=config_of_fold, **common)
    write_line(result.table())
    return 0


def _figures(task: Task, description: RunDescription) -> str:
    """Return a text about the best epoch and the worst class in it; log the table of all classes."""
    best = description.metrics.get("best", {})
    last = description.metrics.get("last", best)
    figures = [f"best epoch {best.get('epoch', 0):.0f} of {last.get('epoch', 0):.0f}"]
    figures += [f"{name} {best[name]:.4f}" for name in task.headline if name in best]
    classes = description.class_scores.get("best", {})
    if (lowest := lowest_class(classes)) is not None:
        figures.append(lowest)
    if table := class_table(classes):
        logger.info("classes on the validation part, best epoch:\n%s", "\n".join(table))
    return "  ".join(figures)


def _as_yaml(parser: Parser, options: Namespace) -> str:
    selected = options.clone()
    for name in ("config", "resume", "overwrite", "out"):
        selected.pop(name, None)
    text: str = parser.dump(selected, skip_validation=True)
    return text


def _overview() -> str:
    width = max(map(len, TASKS))
    tasks = "\n".join(f"  {name:<{width}}  {task.summary}" for name, task in TASKS.items())
    return (
        "usage: gaugenet train TASK --data DATA --out RUN [options]\n\ntasks:\n"
        f"{tasks}\n\n`gaugenet train TASK --help` lists all options."
    )
