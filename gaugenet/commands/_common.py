"""What the sub-commands share: parsers and output."""

from __future__ import annotations

import json
import sys
from typing import Any

from jsonargparse import ArgumentParser


def make_parser(command: str, description: str) -> ArgumentParser:
    """A parser of one sub-command."""
    return ArgumentParser(prog=f"gaugenet {command}", description=description)


def write_line(text: str) -> None:
    """A line to standard output, which is the result of a command; everything else is logged to standard error."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_json_line(value: Any) -> None:
    """The result of a command as JSON."""
    write_line(json.dumps(value, indent=2, allow_nan=False))
