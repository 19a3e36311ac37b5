"""The first few members of each group, in compiled code: a sort of all members would cost several times as much."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit


@njit(cache=True, nogil=True)
def first_of_each(group: ndarray, value: ndarray, mark: ndarray, num_groups: int, count: int) -> ndarray:
    """Return a mask of the `count` members of each group with the lowest values.

    Among equal values the lower mark is first, then the earlier member.

    Args:
        group: `(n,)`, group of each member, below `num_groups`.
        value: `(n,)`, integers.
        mark: `(n,)`.
        num_groups: number of groups.
        count: number of members to keep of each group; meant to be small.
    """
    best = np.full((num_groups, count), -1, dtype=np.int64)  # sorted; -1 where there is none yet
    for e in range(len(group)):
        row = best[group[e]]
        k = count
        while k > 0:
            other = row[k - 1]
            if other >= 0 and (value[other] < value[e] or (value[other] == value[e] and mark[other] <= mark[e])):
                break
            if k < count:
                row[k] = other
            row[k - 1] = e
            k -= 1
    keep = np.zeros(len(group), dtype=np.bool_)
    for g in range(num_groups):
        for k in range(count):
            if best[g, k] >= 0:
                keep[best[g, k]] = True
    return keep


__all__ = ["first_of_each"]
