"""A Griffe extension: `Example:` is read as the section `Examples:`, and `::` before code as a colon."""

from __future__ import annotations

import re
from typing import Any

import griffe


class ReadableDocstrings(griffe.Extension):
    """Turns the forms of our docstrings that Griffe's Google parser does not know into those that it knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called once for each object, with its docstring as it stands in the source."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            text = re.sub(r"^Example::$", "**Example**", text, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.MULTILINE)
