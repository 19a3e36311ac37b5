"""Blades (products e_I of generators) as bit masks, and the exact signs of products of blades."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

from gaugenet._typing import constant_result

MAX_DIM = 5
"""Largest p + q: an algebra of 32 blades."""


@cache
def blade_masks(n: int) -> tuple[int, ...]:
    """Return the bit masks of the blades of n generators, by grade, then lexicographic: 1, e1, e2, ..., e12, ..."""
    subsets = (s for k in range(n + 1) for s in itertools.combinations(range(n), k))
    return tuple(sum(1 << e for e in s) for s in subsets)


@constant_result
@cache
def partner_positions(n: int) -> tuple[tuple[int, ...], ...]:
    """Return the position of the blade i xor k for every pair of blades (i, k) of n generators."""
    masks = blade_masks(n)
    return tuple(tuple(masks.index(i ^ k) for k in masks) for i in masks)


def _mask_grade(mask: int) -> int:
    """Return the number of generators in a blade."""
    return mask.bit_count()


def _reordering_sign(first: int, second: int) -> int:
    """Return (-1)^(number of exchanges that sort the generators of e_I e_J), equal generators next to each other."""
    exchanges, rest = 0, first >> 1
    while rest:
        exchanges += (rest & second).bit_count()
        rest >>= 1
    return -1 if exchanges & 1 else 1


def _square_sign(mask: int, p: int) -> int:
    """Return the product of the squares of the generators of a blade: +1 for the first p, -1 for the others."""
    return -1 if (mask >> p).bit_count() & 1 else 1


def product_sign(first: int, second: int, p: int) -> int:
    """Return s with e_I e_J = s e_(I xor J)."""
    return _reordering_sign(first, second) * _square_sign(first & second, p)


Selection = Callable[[int, int, int], bool]
"""Whether a term of the geometric product belongs to a product, by the grades of both factors and of the result."""

_PRODUCTS: dict[str, Selection] = {
    "geometric": lambda r, s, t: True,
    "wedge": lambda r, s, t: t == r + s,
    "left": lambda r, s, t: t == s - r,
    "right": lambda r, s, t: t == r - s,
    "scalar": lambda r, s, t: t == 0,
}


@constant_result
@cache
def product_table(p: int, q: int, product: str) -> tuple[tuple[int, ...], ...]:
    """Return signs c with (a b)_k = sum_i c[k][i] a_i b_(i xor k), in the order of `blade_masks`; 0, 1 or -1."""
    masks, selected = blade_masks(p + q), _PRODUCTS[product]
    return tuple(
        tuple(
            product_sign(i, i ^ k, p) if selected(_mask_grade(i), _mask_grade(i ^ k), _mask_grade(k)) else 0
            for i in masks
        )
        for k in masks
    )


@constant_result
@cache
def blade_signs(p: int, q: int, which: str) -> tuple[int, ...]:
    """Return a sign for each blade: `reversion`, `involution`, `conjugation`, `metric` (<e_I, e_I>) or `hodge`."""
    return tuple(_blade_sign(mask, p, q, which) for mask in blade_masks(p + q))


def _blade_sign(mask: int, p: int, q: int, which: str) -> int:
    k, full = _mask_grade(mask), (1 << (p + q)) - 1
    reverse = -1 if k * (k - 1) // 2 % 2 else 1
    involution = -1 if k % 2 else 1
    return {
        "reversion": reverse,
        "involution": involution,
        "conjugation": reverse * involution,
        "metric": _square_sign(mask, p),
        # e_I ^ *e_I = <e_I, e_I> I; the dual of blade number i is blade number -1 - i, up to this sign
        "hodge": _square_sign(mask, p) * _reordering_sign(mask, full ^ mask),
    }[which]


__all__ = [
    "MAX_DIM",
    "blade_masks",
    "blade_signs",
    "partner_positions",
    "product_sign",
    "product_table",
]
