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
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        return _with_names_as_written(get_loader("yaml")(text), yaml.compose(text, Loader=_LOADER))
    except TypeError as error:  # the loader takes every name of an option for a text
        raise yaml.YAMLError(f"Expected options by their names: {error}.") from error


def _with_names_as_written(value: Any, node: yaml.Node | None) -> Any:
    """Return the values with names as texts: `on: face` names the entry `on`, which YAML 1.1 takes for true."""
    if isinstance(value, list) and isinstance(node, yaml.SequenceNode):
        return [_with_names_as_written(*pair) for pair in zip(value, node.value, strict=True)]
    if not isinstance(value, dict) or not isinstance(node, yaml.MappingNode) or len(value) != len(node.value):
        return value
    return {
        name_node.value if isinstance(name, bool) else name: _with_names_as_written(child, child_node)
        for (name, child), (name_node, child_node) in zip(value.items(), node.value, strict=True)
    }


def check_file(path: Path) -> None:
    """Raise `ValueError` if an option file is too large."""
    if path.is_file() and path.stat().st_size > 4 * _CHARACTERS:
        raise ValueError(f"{path} is not a file of options: it has {path.stat().st_size:,} bytes.")


def _check_size(text: str) -> None:
    if len(text) > _CHARACTERS:
        raise yaml.YAMLError(f"Expected at most {_CHARACTERS:,} characters of options, got {len(text):,}.")
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"Options may not have aliases, got *{event.anchor}: write the value out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if count > _NODES or depth > _DEPTH:
            raise yaml.YAMLError(f"Expected at most {_NODES:,} values in at most {_DEPTH} levels of options.")
