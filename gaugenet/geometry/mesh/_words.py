"""Words of text files of meshes, and the numbers that they stand for."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import MeshError


def text_of(content: bytes) -> str:
    """Return the text of a file, with lines that end in a line feed, and without a byte order mark.

    Raises:
        MeshError: If the text is UTF-16.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise MeshError("it is text in UTF-16: save it as UTF-8.")
    return content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def numbers(words: list[str], kind: type, what: str) -> ndarray:
    """Return words as an array of numbers.

    Python reads `1_0` as ten, which no mesh format does.

    Args:
        words: one number each.
        kind: `np.float64` or `np.int64`.
        what: a word that does not fit, for the error: "coordinate that is not a number".

    Raises:
        MeshError: If a word is not a number, or out of the range of `kind`.
    """
    try:
        if any("_" in word for word in words):
            raise ValueError(next(word for word in words if "_" in word))
        return np.array(words, dtype=kind)
    except (ValueError, OverflowError) as error:
        raise MeshError(f"it has a {what} ({error}).") from error
