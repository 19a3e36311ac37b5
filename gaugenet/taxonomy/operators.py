"""Rows of the taxonomy with differential operators in place of kernels."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from gaugenet.kernels import Differential, DifferentialSpace
from gaugenet.nn import GaugeConv
from gaugenet.taxonomy.entry import Configuration, Row

_MAX_ORDER = 2


def with_operators(entry: Row, max_order: int = _MAX_ORDER) -> Row:
    """Return the row whose layer consists of equivariant differential operators, between the same field types."""

    def configure(points: Tensor) -> Configuration:
        domain, layer = entry.configure(points)
        return domain, GaugeConv(layer.in_type, layer.out_type, kernel=Differential(max_order=max_order))

    return dataclasses.replace(entry, configure=configure)


def operators_of(entry: Row, max_order: int = _MAX_ORDER) -> tuple[int, ...]:
    """Return the number of operators of each order between the field types of a row."""
    _, layer = entry.configure(entry.points())
    return DifferentialSpace(layer.in_type, layer.out_type, max_order=max_order).dim_by_order


def operators_text(entry: Row) -> str:
    """Return the sentence about operators in a row's section of the page."""
    counts = operators_of(entry)
    if not any(counts[1:]):
        return "Between these fields the only differential operators are pointwise maps: derivatives scale."
    listed = " and ".join(f"{count} of order {n}" for n, count in enumerate(counts) if n and count)
    return (
        f"Works with [differential operators](operators.md) (`kernel=Differential(max_order={_MAX_ORDER})`): {listed}."
    )


__all__ = ["operators_of", "operators_text", "with_operators"]
