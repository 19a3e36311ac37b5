"""Compiled loops wait for their first call, and marks for the compiler are those that torch sets."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
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
