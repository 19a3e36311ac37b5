"""What the sub-commands share: the parser, blocks of options, and output."""

from __future__ import annotations

import json
import re
import shutil
import sys
from argparse import Action
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from gaugenet import _zoo
from gaugenet.commands import _yaml
from gaugenet.tasks.table import TASKS, task_of_run
from gaugenet.tasks.training.task import Option, Task, Usage

_UNKNOWN = re.compile(
    r"unrecognized arguments: (?P<arguments>.*)"
    r"|Option '(?P<key>\S+)' is not accepted"
    r"|Group '(?P<group>\S+)' does not accept option '(?P<option>\S+)'"
)
"""Messages of jsonargparse about names that it does not know, on the command line and in YAML files."""
_MISSING = re.compile(r"(the following arguments are required: )(.*)")
_NEAR = 0.6
"""Names at least that similar are suggested for an unknown one, 0 to 1."""


class _Help(DefaultHelpFormatter):
    """A help formatter with wider columns, which shows types only where the name of the value is not sufficient."""

    def __init__(self, prog: str) -> None:
        width = min(120, max(80, shutil.get_terminal_size().columns))
        super().__init__(prog, max_help_position=34, width=width)  # type: ignore[no-untyped-call]

    def _get_type_str(self, action: Action) -> None:
        return None


class Parser(ArgumentParser):
    """A parser with short errors: what is wrong, and which options have similar names."""

    extra_options: Iterable[str] = ()
    """Options that exist but were not added to this parser."""
    note: str = ""
    """What to say about unknown options if no option has a similar name."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Write the error to stderr and exit with status 2."""
        missing = _MISSING.fullmatch(message)
        if missing:
            message = missing[1] + ", ".join(map(self._as_typed, missing[2].split(", ")))
        unknown = _unknown_names(message)
        similar = dict.fromkeys(near for name in unknown for near in nearest(name, self.option_names()))
        hint = f"Did you mean {' or '.join(similar)}?\n" if similar else self.note if unknown else ""
        self.exit(2, f"{self.prog}: error: {message}\n{hint}`{self.prog} --help` lists the options.\n")

    def _as_typed(self, dest: str) -> str:
        """Return an argument as it is typed: `--from`, or the placeholder of a positional one."""
        found = next((action for action in self._actions if action.dest == dest), None)
        if found is None:
            return dest
        return next(iter(found.option_strings), None) or str(found.metavar or dest)

    def option_names(self) -> list[str]:
        """Return the names of all options, with their dashes, each once."""
        own = [name for name in self._option_string_actions if name.startswith("--")]
        return list(dict.fromkeys([*own, *self.extra_options]))


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """Return the most similar known option names, the best first.

    The last parts of the names are compared too: `--witdh` is near `--model.width`.
    """

    def similarity(other: str) -> tuple[float, float]:
        whole, last = _similar(name.lstrip("-"), other.lstrip("-")), _similar(_last(name), _last(other))
        return max(whole, last), whole

    ranked = sorted(((similarity(other), other) for other in known), key=lambda pair: pair[0], reverse=True)
    return [other for (score, _), other in ranked[:count] if score >= max(_NEAR, ranked[0][0][0] - 0.1)]


def _similar(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()


def _last(name: str) -> str:
    return name.lstrip("-").rpartition(".")[2]


def _unknown_names(message: str) -> list[str]:
    found = _UNKNOWN.search(message)
    if not found:
        return []
    if found["arguments"] is None:
        return [f"--{found['key']}" if found["key"] else f"--{found['group']}.{found['option']}"]
    return [argument.partition("=")[0] for argument in found["arguments"].split() if argument.startswith("--")]


def make_parser(command: str, description: str, **settings: Any) -> Parser:
    """Return a parser of one sub-command."""
    settings = {"formatter_class": _Help, "parser_mode": _yaml.register(), **settings}
    return Parser(prog=f"gaugenet {command}", description=description, **settings)


def task_among(arguments: list[str]) -> Task | None:
    """Return the task of the first argument that names a run. Arguments behind an option may be its value: last."""
    places = [i for i, argument in enumerate(arguments) if not argument.startswith("-")]
    places.sort(key=lambda i: arguments[max(i - 1, 0)].startswith("-"))
    tasks = (task_of_run(run_folder(arguments[i])) for i in places)
    return next((task for task in tasks if task is not None), None)


def run_folder(run: str | Path) -> Path:
    """Return the folder of a run, or of a network of the zoo if no folder has that name.

    Raises:
        ZooError: If a file of the network does not match the manifest.
    """
    name = str(run)
    is_in_zoo = not Path(run).exists() and _zoo.is_name(name) and name in _zoo.entries()
    return _zoo.folder_of(name) if is_in_zoo else Path(run)


def parse_for_run(
    command: str, usage_of: Callable[[Task], Usage], arguments: list[str], *more: Option
) -> tuple[Task, Path, dict[str, Any]]:
    """Parse `RUN` and the options of its task; return the task, the run and the options by keyword.

    Without a run the options are those of the first task, and the command reports what is wrong with the run.

    Args:
        command: name of the command.
        usage_of: what the command does with the runs of a task.
        arguments: the arguments of the command.
        more: options of the command itself.

    Raises:
        ValueError: If results would be written into the folder of a network of the zoo.
    """
    found = task_among(arguments)
    task = found or next(iter(TASKS.values()))
    usage = usage_of(task)
    parser = make_parser(command, usage.description)
    if found is None:
        parser.note = "No argument is the folder of a run with a run.json, which says which options there are.\n"
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="folder that `gaugenet train` wrote, or a name of `gaugenet models list`"
    )
    for one in (*usage.options, *more):
        parser.add_argument(one.name, **one.settings)
    options: Namespace = parser.parse_args(arguments)
    folder = run_folder(options.run)
    if folder != options.run and options["out"] is None:
        raise ValueError(f"Expected --out DIR for the results: the folder of the network {options.run} stays as it is.")
    return task, folder, {one.keyword: options[one.keyword] for one in (*usage.options, *more)}


def write_line(text: str) -> None:
    """Write a line to standard output, which is the result of a command; everything else goes to standard error."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_json_line(value: Any) -> None:
    """Write the result of a command as JSON."""
    write_line(json.dumps(value, indent=2, allow_nan=False))
