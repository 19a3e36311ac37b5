"""The command `gaugenet`: finds the sub-command, and converts errors into one message and an exit status.

Nothing heavy is imported before a sub-command is known, so that `gaugenet --help` answers at once.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence

import gaugenet

PROGRAM = "gaugenet"
COMMANDS = {
    "inspect": "check meshes for everything that makes them unfit, and repair them",
    "train": "train a network for a task, such as segmentation or climate",
    "evaluate": "score a trained network on labelled data",
    "predict": "label meshes or climate files with a trained network",
    "models": "list, explain and fetch trained networks",
    "view": "write an HTML page (and a picture) of meshes and their labels",
}
BAD_INPUT = 1
BAD_USAGE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 (bad input), 2 (bad usage), 128 + signal (130 for Ctrl-C)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else BAD_USAGE
    if arguments[0] == "--version":
        print(f"{PROGRAM} {gaugenet.__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        return _complain(f"no command {arguments[0]!r}: choose one of {', '.join(COMMANDS)}.", BAD_USAGE)
    _log_to_stderr(debug)
    # Waiting threads sleep instead of spinning: with other programs on the same cores a training step on two threads
    # took thirty times as long while they spun. Read by OpenMP when torch is imported; the user's own setting stays.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from gaugenet.commands._stop import stop_signals

    with stop_signals() as signals:
        try:
            return _run(arguments[0], arguments[1:])
        except KeyboardInterrupt as error:
            return _complain(str(error) or "interrupted.", signals.status or INTERRUPTED)
        except Exception as error:
            return _failed(error, debug)
        except SystemExit as exit_:
            return exit_.code if isinstance(exit_.code, int) else BAD_USAGE if exit_.code else 0


def _failed(error: Exception, debug: bool) -> int:
    """Report an error in one message and return the exit status; with `--debug`, raise it again."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # the reader of the pipe has ended: a message would reach nobody
        return BAD_INPUT
    if debug:
        raise error
    return _complain(_message(error), BAD_INPUT)


def overview() -> str:
    """Return the text of `gaugenet --help`."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        f"usage: {PROGRAM} COMMAND ...\n\nGauge-equivariant CNNs on meshes.\n\ncommands:\n{commands}\n\n"
        f"options:\n  -h, --help  this text; `{PROGRAM} COMMAND --help` tells more\n"
        "  --version   the version\n  --debug     show the traceback of an error\n"
    )


def _run(command: str, arguments: list[str]) -> int:
    try:
        module = importlib.import_module(f"gaugenet.commands.{command}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("gaugenet", ""):
            raise
        return _complain(
            f"`{PROGRAM} {command}` needs the package {error.name}: pip install 'gaugenet[train]'.", BAD_INPUT
        )
    status: int = module.run(arguments)
    return status


def _message(error: Exception) -> str:
    """Return the message of an error for the user: its text if it is ours, with its type if it is unexpected."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        name = error.filename if error.filename is not None else ""
        return f"{error.strerror}: {name}" if error.strerror and name else text
    if isinstance(error, ValueError | OSError):
        return text
    return f"{type(error).__name__}: {text}\n(run again with --debug to see where)"


def _complain(message: str, status: int) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return status


def _log_to_stderr(debug: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s" if not debug else "%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("gaugenet")
    logger.handlers = [handler]
    logger.propagate = False
    first = (
        os.environ.get("LOCAL_RANK", "0") == "0"
    )  # the processes that Lightning starts repeat what the first one says
    logger.setLevel(logging.DEBUG if debug else logging.INFO if first else logging.WARNING)
