"""Checks of links, group elements, axes and paths: each error says what is wrong, where, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry.lattice.paths import Path, displacement
from gaugenet.groups import StructureGroup, UnitaryGroup
from gaugenet.groups.group import tolerance

LEAST_EXTENT = 3
"""Smallest extent. On shorter axes x + mu and x - mu are the same site, and plaquettes contain a link twice."""


def unitary_group(group: StructureGroup) -> UnitaryGroup:
    """Return `group`, or raise `ValueError` if it is not the group of links."""
    if not isinstance(group, UnitaryGroup):
        raise ValueError(
            f"Expected `group` as `U1()`, `SU(N)` or `U(N)`, which acts on an internal fibre, got {group!r}: for "
            "frames of space use `Grid`, and give a `DirectProduct` to layers, not to links."
        )
    return group


def lattice_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the extents of a lattice in 2, 3 or 4 dimensions, or raise `ValueError`."""
    if isinstance(shape, Integral | str) or not all(isinstance(n, Integral) for n in shape):
        raise ValueError(f"Expected `shape` as the extents of 2, 3 or 4 axes, e.g. (8, 8), got {shape!r}.")
    extents = tuple(int(n) for n in shape)
    if len(extents) not in (2, 3, 4):
        raise ValueError(f"Expected `shape` with the extents of 2, 3 or 4 axes, got {extents}.")
    _check_extents(extents)
    return extents


def check_links(links: Tensor, group: UnitaryGroup) -> None:
    """Raise `ValueError` unless links are `(B, d, *shape, N, N)`, complex, with extents of at least 3."""
    n = group.d
    if not isinstance(links, Tensor) or links.dim() < 4 or tuple(links.shape[-2:]) != (n, n):
        got = tuple(links.shape) if isinstance(links, Tensor) else type(links).__name__
        raise ValueError(f"Expected `links` of shape (B, d, *shape, {n}, {n}) for {group.name}, got {got}.")
    d, shape = links.shape[1], tuple(links.shape[2:-2])
    if d not in (2, 3, 4) or len(shape) != d:
        raise ValueError(
            f"Expected `links` of shape (B, d, *shape, {n}, {n}) with d = 2, 3 or 4 extents, got d = {d} and extents "
            f"{shape}."
        )
    if links.dtype not in (torch.complex64, torch.complex128):
        raise ValueError(
            f"Expected complex `links` of {group.name}, got {links.dtype}: pass `torch.polar(one, angle)` or "
            "`links.to(torch.complex128)`."
        )
    _check_extents(shape)


def check_in_group(name: str, elements: Tensor, group: UnitaryGroup, *, directions: bool) -> None:
    """Raise `ValueError` with the largest distance, and where it is, unless all elements lie in the group.

    Args:
        name: of the argument.
        elements: `(B, d, *shape, N, N)` with `directions`, `(B, *shape, N, N)` without.
        group: in which they must be.
        directions: whether the second dimension counts directions.
    """
    distance = group.distance(elements.detach())
    allowed = tolerance(elements)
    if not distance.numel() or distance.max().item() <= allowed:
        return
    b, *site = (int(i) for i in torch.unravel_index(distance.argmax(), distance.shape))
    where = f"direction {site.pop(0)}, at site" if directions else "at site"
    count = int((distance > allowed).sum())
    worst = distance.max().item()
    remedy = f"use `group.project({name})`, the nearest elements of the group"
    if not math.isfinite(worst):
        remedy = "some entries are NaN or infinite, which no projection repairs: find where they come from"
    raise ValueError(
        f"Expected `{name}` in {group.name}, got {count} of {distance.numel()} outside of it, the worst by "
        f"{worst:.2g} (allowed: {allowed:.0e}) in configuration {b}, {where} {tuple(site)}: {remedy}."
    )


def axis(mu: int, d: int) -> int:
    """Return `mu` as an axis 0, ..., d - 1, or raise `ValueError`."""
    if not isinstance(mu, Integral) or isinstance(mu, bool) or not 0 <= mu < d:
        raise ValueError(f"Expected an axis 0, ..., {d - 1}, got {mu!r}.")
    return int(mu)


def axes(values: Sequence[int], d: int) -> list[int]:
    """Return antiperiodic axes, or raise `ValueError`."""
    if isinstance(values, Integral):
        raise ValueError(f"Expected `antiperiodic` as a list of axes, got {values}: pass `[{values}]`.")
    return [axis(mu, d) for mu in values]


def plane(mu: int, nu: int, d: int) -> tuple[int, int]:
    """Return two different axes, or raise `ValueError`."""
    if mu == nu:
        raise ValueError(f"Expected two different axes `mu` and `nu`, got {mu} twice.")
    return axis(mu, d), axis(nu, d)


def side(name: str, value: int) -> int:
    """Return the side of a rectangle in links, or raise `ValueError`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"Expected `{name}` to be a positive number of links, got {value!r}.")
    return int(value)


def path(steps: Path, d: int) -> Path:
    """Return pairs (mu, k) of integers, or raise `ValueError`."""
    found: list[tuple[int, int]] = []
    for pair in steps:
        if not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[1], Integral):
            raise ValueError(
                f"Expected a path as pairs (mu, k), k steps along the axis mu, e.g. [(0, 1), (1, -2)], got {steps!r}."
            )
        found.append((axis(pair[0], d), int(pair[1])))
    return tuple(found)


def neighbor_paths(paths: Sequence[Path], d: int) -> tuple[Path, ...]:
    """Return the paths to the neighbors of a site, or raise `ValueError`."""
    found = tuple(path(steps, d) for steps in paths)
    if not found or not all(any(displacement(steps, d)) for steps in found):
        raise ValueError(f"Expected `paths` that lead from a site to others, got {paths}.")
    return found


def finite(name: str, value: float, *, least: float = -math.inf) -> float:
    """Return a finite number that is at least `least`, or raise `ValueError`."""
    if isinstance(value, Tensor):
        return value  # one number for each configuration, or one that is learned
    if not isinstance(value, Real) or not math.isfinite(value) or value < least:
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise ValueError(f"Expected `{name}` as a finite number{bound}, got {value!r}.")
    return float(value)


def flow_options(time: float, steps: int, d: int) -> tuple[float, int]:
    """Return the time and the number of steps of a gradient flow, or raise `ValueError`.

    On weak fields the flow is diffusion with rates up to 4 d, and the scheme of third order is stable up to the product
    2.51 of rate and step.
    """
    time, steps = finite("time", time, least=0.0), positive("steps", steps)
    largest = 2.51 / (4 * d)
    if time / steps > largest:
        raise ValueError(
            f"Expected steps of at most {largest:.2f} in units of the squared lattice spacing, above which the flow is "
            f"unstable in {d} dimensions, got {time:g} / {steps}: pass `steps={math.ceil(2 * time / largest)}`."
        )
    return time, steps


def check_gauge(omega: Tensor, expected: tuple[int, ...], group: UnitaryGroup, links: Tensor) -> None:
    """Raise `ValueError` unless `omega` is a tensor of this shape, in the precision of the links."""
    if not isinstance(omega, Tensor) or tuple(omega.shape) != expected:
        got = tuple(omega.shape) if isinstance(omega, Tensor) else type(omega).__name__
        raise ValueError(f"Expected `omega` of shape {expected}, one element of {group.name} per site, got {got}.")
    double = (torch.complex128, torch.float64)
    if omega.dtype not in (*double, torch.complex64, torch.float32) or (links.dtype in double) > (
        omega.dtype in double
    ):
        raise ValueError(
            f"Expected `omega` of dtype {links.dtype} like the links, got {omega.dtype}: draw it in "
            "this precision, e.g. by `field.random_gauge()`."
        )


def _check_extents(shape: tuple[int, ...]) -> None:
    if min(shape) < LEAST_EXTENT:
        raise ValueError(
            f"Expected extents of at least {LEAST_EXTENT}, got {shape}: on shorter axes both neighbours of a site are "
            "the same site."
        )


__all__ = [
    "LEAST_EXTENT",
    "axes",
    "axis",
    "check_gauge",
    "check_in_group",
    "check_links",
    "finite",
    "flow_options",
    "lattice_shape",
    "neighbor_paths",
    "path",
    "plane",
    "side",
    "unitary_group",
]
