"""Scaling, alone or together with a compact group of rotations and reflections."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.groups.families.trivial import Trivial
from gaugenet.groups.group import StructureGroup
from gaugenet.groups.representations.base import Representation

SPREAD = 1.0
"""Largest |log s| of random elements."""


class Scaling(StructureGroup):
    """The group S x H of matrices s h with a scale s > 0 and h in a compact group H <= O(d).

    Irreps: the irreps of H under their labels, which do not depend on s; and `s1`, `s2`, ..., which do not depend on h:
    `sm` is the rotation by the angle 2 pi m log(s) / log(period). Products such as `(1⊗s2)` depend on both. A field of
    `0 + s1 + ... + sL` holds the frequencies up to L of a function of log s that repeats after scaling by `period`.
    Such a field transforms exactly under every scaling; a list of samples at a few scales, as in
    :cite:`sosnovik2020scale`, has to be truncated. `standard`, for tangent vectors, is s h. `regular` is the regular
    representation of a finite H, since the regular representation of S is infinite-dimensional.

    There is no Haar measure of finite volume; random elements have 1 / e < s < e.

    Args:
        d: dimension of the space that it acts on.
        period: ratio of scales after which fields repeat, above 1.
        rotations: H, acting on R^d; `{e}` by default.

    Raises:
        ValueError: If the period is at most 1, or H is not compact or acts on another space.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Scaling
        >>> group = Scaling(2, period=4.0)
        >>> [rho.name for rho in group.irreps(max_order=1)]
        ['0', 's1']
        >>> one = torch.eye(2, dtype=torch.float64)
        >>> torch.allclose(group.irrep("s1")(2 * one), -one)  # half a period
        True
    """

    compact = False

    def __init__(self, d: int = 2, *, period: float = 4.0, rotations: StructureGroup | None = None) -> None:
        self.d, self.period = positive("d", d), float(period)
        if not (math.isfinite(self.period) and self.period > 1):
            raise ValueError(f"Expected `period` above 1, a ratio of two scales, got {period}.")
        self.rotations = Trivial(d) if rotations is None else rotations
        if self.rotations.d != d or not self.rotations.compact:
            raise ValueError(f"Expected `rotations` to be a compact group acting on R^{d}, got {self.rotations}.")
        scaling = f"S[{self.period!r}]"
        self.name = scaling if self.rotations.order == 1 else f"{self.rotations.name}×{scaling}"
        self.orientation_preserving = self.rotations.orientation_preserving

    # --- the group ----------------------------------------------------------------------------------------------------

    def scale_of(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        """Return the scale s of g = s h, the d-th root of the volume."""
        return typed_tensor(torch.linalg.det(g).abs() ** (1 / self.d))

    def rotation_of(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d d"]:
        """Return the orthogonal factor h of g = s h."""
        return g / self.scale_of(g)[..., None, None]

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Return whether each matrix lies in the group, up to `atol` relative to its scale s."""
        scale = self.scale_of(g)
        usable = (scale > 0) & scale.isfinite()
        h = g / torch.where(usable, scale, torch.ones_like(scale))[..., None, None]
        return self.rotations.contains(h, atol) & usable

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Draw from a bounded set: the Haar measure is infinite."""
        h = self.rotations.random_element(size, generator=generator)
        exponent = 2 * torch.rand(h.shape[:-2], generator=generator, dtype=torch.float64) - 1
        return (SPREAD * exponent).exp()[..., None, None] * h

    def generators(self) -> Tensor:
        return self.rotations.generators()

    def lie_algebra(self) -> Tensor:
        return torch.cat([self.identity()[None], self.rotations.lie_algebra()])

    # --- representations ----------------------------------------------------------------------------------------------

    def phase(self, scale: Float[Tensor, "*batch"], frequency: int) -> Float[Tensor, "*batch"]:
        """Return the angle by which the irrep `s{frequency}` rotates, in radians."""
        return 2 * math.pi * frequency / math.log(self.period) * scale.log()

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        if text == "0":
            return self.trivial()
        return _frequency(self, int(text[1:])) if text[:1] == "s" and text[1:].isdigit() else _pulled_back(self, text)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return the irreps of H and of S, without their products."""
        if max_order is None:
            raise ValueError(f"{self.name} has infinitely many irreps: pass `max_order`.")
        found = [self.irrep(rho.name) for rho in self.rotations.irreps(max_order)]
        return found + [self.irrep(f"s{m}") for m in range(1, max_order + 1)]

    def regular(self) -> Representation:
        return _pulled_back(self, "regular")

    def harmonic(self, order: int) -> Representation:
        """Return how the harmonics on the sphere of directions transform, which does not depend on s."""
        return self.pulled_back(self.rotations.harmonic(order), f"harmonic{order}")

    def pulled_back(self, rho: Representation, name: str) -> Representation:
        """Return a representation of H as one of the whole group that does not depend on s."""
        return Representation(
            self, name, rho.dim, lambda g: rho(self.rotation_of(g)), order=rho.order, permutation=rho.permutation
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self.d, self.period, self.rotations)


def _remake(d: int, period: float, rotations: StructureGroup) -> Scaling:
    return Scaling(d, period=period, rotations=rotations)


@lru_cache(maxsize=1024)
def _frequency(group: Scaling, m: int) -> Representation:
    if not m:
        return group.trivial()

    def matrix(g: Tensor) -> Tensor:
        angle = group.phase(group.scale_of(g), m)
        c, s = angle.cos(), angle.sin()
        return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)

    return Representation(group, f"s{m}", 2, matrix, order=m)


@lru_cache(maxsize=1024)
def _pulled_back(group: Scaling, label: str) -> Representation:
    try:
        rho = group.rotations.representation(label)
    except ValueError as wrong:
        raise ValueError(
            f"Unknown representation {label!r} of {group.name}: expected `s1`, `s2`, ... (frequencies of log s), or "
            f"one of {group.rotations.name}."
        ) from wrong
    return group.pulled_back(rho, rho.name)


__all__ = ["Scaling"]
