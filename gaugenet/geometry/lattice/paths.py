"""Products of links along paths of a periodic lattice.

Links are `(B, d, *shape, N, N)`: U_mu(x) is the transporter from x + mu to x, and mu counts the axes of `shape`. A path
is a sequence of pairs (mu, k): k steps along the axis mu, backwards if k < 0. Its product transports from its end to x.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

Path = Sequence[tuple[int, int]]


def shifted(x: Tensor, mu: int, k: int, *, first: int = 1) -> Tensor:
    """Return y(x) = x(x + k mu), where `first` is the dimension of the axis 0."""
    return x if k == 0 else torch.roll(x, -k, first + mu)


def line(links: Complex[Tensor, "batch d *shape n n"], mu: int, k: int) -> Complex[Tensor, "batch *shape n n"]:
    """Return U_mu(x) U_mu(x + mu) ..., the transporter from x + k mu to x along |k| links; k may be negative."""
    if k < 0:
        return shifted(line(links, mu, -k), mu, k).mH
    step = links[:, mu]
    product = step
    for i in range(1, k):
        product = product @ shifted(step, mu, i)
    return product if k else torch.eye(step.shape[-1], dtype=step.dtype, device=step.device).expand_as(step)


def along(links: Complex[Tensor, "batch d *shape n n"], path: Path) -> Complex[Tensor, "batch *shape n n"]:
    """Return the product of links along a path from x: the transporter from its end to x."""
    d = links.shape[1]
    here, product = [0] * d, line(links, 0, 0)
    for mu, k in path:
        part = line(links, mu, k)
        for axis, offset in enumerate(here):
            part = shifted(part, axis, offset)
        product = product @ part
        here[mu] += k
    return product


def displacement(path: Path, d: int) -> tuple[int, ...]:
    """Return the number of steps along each axis, from the start to the end of a path."""
    total = [0] * d
    for mu, k in path:
        total[mu] += k
    return tuple(total)


def straight_paths(d: int, steps: int) -> list[Path]:
    """Return the paths of 1, ..., `steps` links forwards and backwards along each axis."""
    return [((mu, sign * k),) for k in range(1, steps + 1) for mu in range(d) for sign in (1, -1)]


def boundary_sign(
    shape: Sequence[int], antiperiodic: Sequence[bool], offset: Sequence[int], like: Tensor
) -> Float[Tensor, "*shape"] | None:
    """Return -1 where a path from x to x + offset crosses antiperiodic boundaries an odd number of times, else 1.

    `None` if no axis is antiperiodic.
    """
    sign = None
    for axis, (extent, flips, steps) in enumerate(zip(shape, antiperiodic, offset, strict=True)):
        if flips and steps:
            crossings = (torch.arange(extent, device=like.device) + steps).div(extent, rounding_mode="floor")
            factor = (1 - 2 * (crossings % 2)).to(like.real.dtype)
            factor = factor.reshape([-1 if i == axis else 1 for i in range(len(shape))])
            sign = factor if sign is None else sign * factor
    return None if sign is None else sign.expand(*shape)


__all__ = ["Path", "along", "boundary_sign", "displacement", "line", "shifted", "straight_paths"]
