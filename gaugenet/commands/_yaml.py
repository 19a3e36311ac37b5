"""Reading option files with bounds: only plain values of moderate size are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

_MODE = "bounded_yaml"
"""Name of the parser mode that `register` defines."""
_CHARACTERS = 2_000_000
_NODES = 200_000
_DEPTH = 32


def register() -> str:
    """Define the parser mode and return its name."""
    set_loader(_MODE, load_bounded, exceptions=(yaml.YAMLError,))
    return _MODE


def load_bounded(text: str) -> Any:
    """Return the plain values that a YAML text describes.

    Aliases are refused: a few lines of them can describe more values than fit into memory.

    Raises:
        yaml.YAMLError: If the text is not YAML, too large or too deep, has aliases, or names that are not texts.
    """
    _check_size(text)
    try:
        return get_loader("yaml")(text)
    except TypeError as error:  # the loader takes every name of an option for a text
        raise yaml.YAMLError(f"Expected options by their names: {error}.") from error


def check_file(path: Path) -> None:
    """Raise `ValueError` if an option file is too large."""
    if path.is_file() and path.stat().st_size > 4 * _CHARACTERS:
        raise ValueError(f"{path} is not a file of options: it has {path.stat().st_size:,} bytes.")


def _check_size(text: str) -> None:
    if len(text) > _CHARACTERS:
        raise yaml.YAMLError(f"Expected at most {_CHARACTERS:,} characters of options, got {len(text):,}.")
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"Options may not have aliases, got *{event.anchor}: write the value out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if count > _NODES or depth > _DEPTH:
            raise yaml.YAMLError(f"Expected at most {_NODES:,} values in at most {_DEPTH} levels of options.")
