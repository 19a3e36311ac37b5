"""Files with a few things wrong, and what a reader may do with them."""

from __future__ import annotations

import os
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

WORDS = [
    *(b"", b"0", b"-1", b"1", b"3", b"2147483648", b"99999999999999999999", b"1000000000000", b"1e38", b"1e400"),
    *(
        b"nan",
        b"-inf",
        b"0.5",
        b"1_0",
        b"x",
        b"\xff\xfe",
        b"\0",
        b"\n",
        b"\r",
        b"#",
        b"/",
        b"//",
        b"\\",
        b"{",
        b"[",
        b"]",
    ),
    *(b"null", b"true", b"\xef\xbb\xbf", b"-", b'"', b"'", b":", b"&a", b"*a", b"!!python/name:os.system"),
]
"""What stands in for a piece of a file."""
_SECONDS = 10.0
_MEMORY = 100 * 2**20
_SETTINGS = {
    "deadline": None,
    "derandomize": "GAUGENET_FUZZ" not in os.environ,  # a change must not fail by the luck of the draw
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}


def fuzz(test: Callable[..., None]) -> Callable[..., None]:
    """A quick profile of a test with few examples; `longer` is the one for `-m long`."""
    return settings(max_examples=60, **_SETTINGS)(test)


def longer(test: Callable[..., None]) -> Callable[..., None]:
    """A long profile of a test, in runs with `-m long`."""
    return pytest.mark.long(settings(max_examples=2000, **_SETTINGS)(test))


@st.composite
def damaged(draw: Any, contents: list[bytes]) -> bytes:
    """One of the files, with one to four pieces cut, doubled, moved, or replaced by a word or by random bytes."""
    content = draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 4, 8, 50, 10**9])))
        piece = content[start:end]
        kind = draw(st.sampled_from(["cut", "double", "move", "word", "word", "word in place", "bytes"]))
        if kind == "word in place":  # a whole word, so that counts and indices are hit
            start, end = _word_at(content, start)
        new = {
            "cut": lambda: b"",
            "double": lambda piece=piece: piece[:1000] * 2,
            "move": lambda piece=piece: piece[::-1],
            "word": lambda: draw(st.sampled_from(WORDS)),
            "word in place": lambda: draw(st.sampled_from(WORDS)),
            "bytes": lambda: draw(st.binary(max_size=8)),
        }[kind]()
        content = content[:start] + new + content[end:]
    return content


def _word_at(content: bytes, start: int) -> tuple[int, int]:
    end = start
    while start > 0 and not content[start - 1 : start].isspace():
        start -= 1
    while end < len(content) and not content[end : end + 1].isspace():
        end += 1
    return start, end


def reads_or_refuses(read: Callable[[Path], Any], path: Path, content: bytes) -> Any:
    """Read a file; its value, or the error in the library's own words that names it. Anything else fails the test."""
    path.write_bytes(content)
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = read(path)
    except ValueError as error:
        found = error
    finally:
        seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert seconds < _SECONDS, f"{seconds:.1f} s"
    assert peak < _MEMORY, f"{peak:,} bytes"
    if isinstance(found, ValueError):
        words = str(found)
        assert type(found).__module__.startswith("gaugenet"), f"foreign words: {found!r}"
        assert path.name in words, f"no name of a file: {words}"
        assert "Traceback" not in words
        assert len(words) < 2000
    return found
