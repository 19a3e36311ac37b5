"""KernelSum: sums of kernels of several families."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType
from gaugenet.kernels.family import Harmonic, KernelFamily
from gaugenet.kernels.frequencies import highest_order
from gaugenet.kernels.space import KernelSpace, Neighborhood, PixelStencil


@dataclass(frozen=True, init=False)
class KernelSum(KernelFamily):
    """Sums of one kernel of each family, e.g. of integrals and of derivatives.

    Both are convolutions with distributions, so their sum is one convolution. Short form: `a + b`.

    Args:
        families: at least two kernel families.

    Raises:
        ValueError: If there are fewer than two, or an argument is not a kernel family.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import Differential, Harmonic, KernelSum
        >>> scalars = FieldType(SO2(), "1x0")
        >>> KernelSum(Harmonic(rings=2), Differential(max_order=2)).space(scalars, scalars).num_weights
        4
        >>> Harmonic(rings=2) + Differential(max_order=2) == KernelSum(Harmonic(rings=2), Differential(max_order=2))
        True
    """

    families: tuple[KernelFamily, ...]

    def __init__(self, *families: KernelFamily) -> None:
        if len(families) < 2 or not all(isinstance(f, KernelFamily) for f in families):
            raise ValueError(f"Expected at least two kernel families such as Harmonic(rings=2), got {families}.")
        object.__setattr__(self, "families", families)

    @property
    def terms(self) -> tuple[KernelFamily, ...]:
        return self.families

    def space(self, in_type: FieldType, out_type: FieldType) -> SumSpace:
        return SumSpace([_in_frames_of_points(f, in_type, out_type) for f in self.families])

    def __repr__(self) -> str:
        return f"KernelSum({', '.join(map(repr, self.families))})"


def _in_frames_of_points(family: KernelFamily, in_type: FieldType, out_type: FieldType) -> KernelSpace:
    """Return the space of a family, in the form that does not transport features into the frames of edges."""
    space = family.space(in_type, out_type)
    if not (isinstance(family, Harmonic) and getattr(space, "aligned", False)):
        return space
    highest = sum(max((highest_order(b.representation) for b in t.blocks), default=0) for t in (in_type, out_type))
    return dataclasses.replace(family, max_frequency=highest).space(in_type, out_type)


class SumSpace(KernelSpace):
    """The direct sum of spaces between the same types: the columns and weights of the parts are concatenated."""

    def __init__(self, parts: list[KernelSpace]) -> None:
        self.parts = parts
        self.in_type, self.out_type = parts[0].in_type, parts[0].out_type
        self.includes_center = any(p.includes_center for p in parts)
        self.factor_keys = ("sum of " + " and ".join(p.factor_keys[0] for p in parts), parts[0].factor_keys[1])

    @property
    def num_weights(self) -> int:
        return sum(p.num_weights for p in self.parts)

    def split(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "weights_of_part"]]:
        """Return the weights of each part."""
        return list(torch.split(weight, [p.num_weights for p in self.parts]))

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place: the parts share the variance of the output."""
        for part, w in zip(self.parts, self.split(weight), strict=True):
            part.initialize(w, generator=generator)
            w.div_(len(self.parts) ** 0.5)

    @property
    def num_columns(self) -> int:
        return sum(p.num_columns for p in self.parts)

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        """Return the coefficients of the parts; kernels without a row for the point itself have weight zero there."""
        return torch.cat([p.coefficients(neighborhood) for p in self.parts], 1)

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        matrices = [p.mixing(w) for p, w in zip(self.parts, self.split(weight), strict=True)]
        return [torch.cat(blocks) for blocks in zip(*matrices, strict=True)]

    def sample(self, weight: Float[Tensor, "weights"], stencil: PixelStencil) -> Float[Tensor, "out in cells"]:
        samples = [p.sample(w, stencil) for p, w in zip(self.parts, self.split(weight), strict=True)]
        return torch.stack(samples).sum(0)

    def extra_repr(self) -> str:
        return " + ".join(f"{type(p).__name__}({p.extra_repr()})" for p in self.parts)


__all__ = ["KernelSum", "SumSpace"]
