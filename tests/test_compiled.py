"""Compiled loops wait for their first call, and marks for the compiler are those that torch sets."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gaugenet import _compiled
from gaugenet._compiled import njit
from gaugenet._typing import constant_result


@njit()
def _square(x: float) -> float:
    """The square."""
    return x * x


@njit(nogil=True)
def _sum_of_squares(x: np.ndarray) -> float:
    total = 0.0
    for value in x:
        total += _square(value)
    return total


WRITTEN = [_square]


def test_the_first_call_hands_all_loops_to_numba():
    """From many threads at once; a loop that calls another finds it compiled, and names keep what they stood for."""
    x = np.arange(5.0)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(_sum_of_squares, [x] * 8)) == [30.0] * 8
    assert not _compiled._WAITING
    namespace = vars(sys.modules[__name__])
    assert namespace["_square"] is WRITTEN[0].compiled
    assert namespace["_square"].py_func.__doc__ == WRITTEN[0].__doc__ == "The square."
    assert WRITTEN[0](3.0) == 9.0


def test_a_loop_that_is_written_later_calls_earlier_ones():
    _square(1.0)

    @njit()
    def fourth_power(x: float) -> float:
        return _square(_square(x))

    assert fourth_power(2.0) == 16.0


def test_the_mark_of_constant_results_is_that_of_torch():
    def ours() -> int:
        return 1

    def theirs() -> int:
        return 1

    torch.compiler.assume_constant_result(theirs)
    assert vars(ours) == {}
    assert vars(constant_result(ours)) == vars(theirs) != {}


_LOOPS = """
from gaugenet._compiled import njit

@njit(cache=True)
def total(x):
    result = 0 * x[0]
    for k in range(x.shape[0]):
        result += x[k]
    return result
"""
_CALL = """
import sys, time
import numba.core.caching, numpy as np

def late(name, seconds):
    act = getattr(numba.core.caching.IndexDataCacheFile, name)
    def acts_late(*args):
        time.sleep(seconds)
        return act(*args)
    setattr(numba.core.caching.IndexDataCacheFile, name, acts_late)

kind, slowly, locked = sys.argv[1:]
if slowly == "slowly":  # both read the index before either writes it; who is last in the index is first in the data
    late("_save_index", 6 if kind == "strided" else 3)
    late("_save_data", 0 if kind == "strided" else 5)
if locked == "unlocked":
    import gaugenet._compile_lock
    gaugenet._compile_lock.lock_compilation = lambda: None
import loops
x = np.arange(6.0)
print(loops.total(x[::2] if kind == "strided" else x))
"""


@pytest.mark.long
@pytest.mark.parametrize(("locked", "strided"), [("locked", "6.0"), ("unlocked", "3.0")])
def test_processes_that_compile_at_once_keep_their_variants_apart(tmp_path, locked, strided):
    """The control shows what numba does without the lock: a third process gets the code for contiguous arrays."""
    (tmp_path / "loops.py").write_text(_LOOPS)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}

    def call(*args: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _CALL, *args, locked]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)

    both = [call("strided", "slowly"), call("contiguous", "slowly")]
    assert [process.communicate()[0].strip() for process in both] == ["6.0", "15.0"]
    assert call("contiguous", "at once").communicate()[0].strip() == "15.0"
    assert call("strided", "at once").communicate()[0].strip() == strided
