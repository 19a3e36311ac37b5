"""Shifts: one intertwiner for each displacement on a lattice, for groups that act on an internal fibre."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups import FieldType, Representation, intertwiners
from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.factorized import FactorizedSpace
from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.radial import RadialBasis
from gaugenet.kernels.space import Neighborhood, PixelStencil
from gaugenet.kernels.tensor_operators import _orthonormal

Offset = tuple[int, ...]


@dataclass(frozen=True)
class Shifts(KernelFamily):
    r"""Kernels on a lattice for groups that act on an internal fibre: any intertwiner for each displacement.

    `K(v) = K_v` for each of finitely many displacements v in steps along the axes. Group elements do not move v, so
    steerability requires only that every K_v commutes with the group. On a `LatticeGaugeField` a `GaugeConv` of this
    family is the convolution of lattice networks, W'_i(x) = sum omega_{i j v} U_v(x) W_j(x + v) U_v(x)^+
    (:cite:`favoni2022lattice`, Eq. 9), with every intertwiner in place of the number omega.

    Args:
        d: dimension of the lattice.
        steps: displacements of 1, ..., `steps` along each axis, forwards and backwards.
        offsets: displacements to use instead of these.
        symmetric: one weight for all displacements that rotations and reflections of the lattice map to each other: an
            exact symmetry of layers between fields without indices of directions.

    Raises:
        ValueError: If a displacement is zero, occurs twice, or does not have d components.

    Example:
        >>> from gaugenet.groups import SU, FieldType
        >>> from gaugenet.kernels import Shifts
        >>> Shifts(2).displacements
        ((1, 0), (-1, 0), (0, 1), (0, -1))
        >>> matrices = FieldType(SU(2), "1xmatrix")
        >>> Shifts(2).space(matrices, matrices)
        ShiftSpace(1xmatrix -> 1xmatrix, SU(2), displacements=4)
    """

    d: int
    steps: int = 1
    offsets: tuple[Offset, ...] | None = None
    symmetric: bool = False

    def __post_init__(self) -> None:
        positive("d", self.d)
        positive("steps", self.steps)
        if self.offsets is None:
            return
        found = tuple(tuple(int(k) for k in offset) for offset in self.offsets)
        if not found or len(set(found)) < len(found) or not all(any(o) and len(o) == self.d for o in found):
            raise ValueError(
                f"Expected `offsets` of {self.d} steps each, different and not zero, got {self.offsets}: the site "
                "itself has its own weights."
            )
        object.__setattr__(self, "offsets", found)

    @property
    def displacements(self) -> tuple[Offset, ...]:
        """All displacements."""
        if self.offsets is not None:
            return self.offsets
        unit = [tuple(int(i == mu) for i in range(self.d)) for mu in range(self.d)]
        steps = range(1, self.steps + 1)
        return tuple(tuple(sign * k * i for i in e) for k, e, sign in itertools.product(steps, unit, (1, -1)))

    def space(self, in_type: FieldType, out_type: FieldType) -> ShiftSpace:
        return ShiftSpace(in_type, out_type, self.displacements, symmetric=self.symmetric)


class Displacements(RadialBasis):
    """The functions that are one on one class of displacements and zero on all others."""

    def __init__(self, offsets: Sequence[Offset], *, symmetric: bool) -> None:
        self.offsets, self.symmetric = tuple(offsets), symmetric
        names = [tuple(sorted(map(abs, o))) if symmetric else o for o in self.offsets]
        classes = list(dict.fromkeys(names))
        self.class_of: tuple[int, ...] = tuple(classes.index(name) for name in names)
        self.count = len(classes)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        raise ValueError("Displacements are not functions of the distance.")

    def index(self, steps: Float[Tensor, "rows d"]) -> Int[Tensor, "rows"]:
        """Return the class of each row.

        Raises:
            ValueError: If a row is not one of the displacements.
        """
        if steps.shape[-1] != len(self.offsets[0]):
            raise ValueError(f"Expected a lattice in {len(self.offsets[0])} dimensions, got {steps.shape[-1]}.")
        table = torch.tensor(self.offsets, device=steps.device)
        rounded = steps.round().to(table.dtype)
        kinds, which = torch.unique(rounded, dim=0, return_inverse=True)
        same = (kinds[:, None] == table).all(-1)
        if not bool(same.any(1).all()) or bool(((steps - rounded).abs() > 1e-3).any()):
            missing = [tuple(k) for k in kinds[~same.any(1)].tolist()]
            raise ValueError(
                f"Expected neighbours at the displacements {self.offsets} alone, got {missing or 'fractions'}: give "
                "the domain and the kernel the same `steps` or offsets."
            )
        return torch.tensor(self.class_of, device=steps.device)[same.to(torch.uint8).argmax(1)][which]

    def __repr__(self) -> str:
        return f"Displacements({list(self.offsets)}, symmetric={self.symmetric})"


class ShiftBasis(CoupledBasis):
    """An orthonormal basis of all intertwiners; the function of the tangent vector is constant."""

    def __init__(self, rho_in: Representation, rho_out: Representation) -> None:
        self.rho_in, self.rho_out = rho_in, rho_out
        self.functions = rho_in.group.trivial()
        self.coefficients = CachedTensor(self._solve)

    def _solve(self) -> Float[Tensor, "dim out 1 in"]:
        maps = intertwiners(self.rho_in, self.rho_out)
        return _orthonormal(maps).unsqueeze(2)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        maps = self.coefficients(direction).squeeze(2)
        return maps.expand(*direction.shape[:-1], *maps.shape)

    def __reduce__(self) -> tuple[object, ...]:
        return _basis, (self.rho_in, self.rho_out)


class ShiftSpace(FactorizedSpace):
    """The kernels of `Shifts` between two field types: for each class of displacements every intertwiner.

    Args:
        in_type, out_type: field types of one group.
        offsets: the displacements, in steps along the axes.
        symmetric: see `Shifts`.

    Raises:
        ValueError: If the types have different groups, or there is no intertwiner between them.

    Example:
        >>> from gaugenet.groups import U1, FieldType
        >>> from gaugenet.kernels import ShiftSpace
        >>> charged = FieldType(U1(), "1x1")
        >>> ShiftSpace(charged, charged, [(1, 0), (0, 1)]).num_weights  # a complex number for each displacement
        4
    """

    radial: Displacements

    def __init__(
        self, in_type: FieldType, out_type: FieldType, offsets: Sequence[Offset], *, symmetric: bool = False
    ) -> None:
        super().__init__(in_type, out_type)
        self.radial = Displacements(offsets, symmetric=symmetric)
        self._set_pairs(self._pairs())

    def _pairs(self) -> Iterable[Pair]:
        start, rings = 0, tuple(range(self.radial.count))
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                basis = _basis(source.representation, target.representation)
                if basis.dim:
                    yield Pair(source, target, basis, 0, rings, start)
                    start += len(rings) * basis.dim * source.multiplicity * target.multiplicity

    def num_functions(self, key: object) -> int:
        return 1

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        super().initialize(weight, generator=generator)
        with torch.no_grad():  # all displacements have equal variance, while rings share one neighbourhood
            weight /= (self.radial.count * len(self.radial.offsets)) ** 0.5

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        steps = neighborhood.log_map * neighborhood.radius[:, None]
        one_hot = torch.nn.functional.one_hot(self.radial.index(steps), self.radial.count)
        return one_hot.to(steps) * neighborhood.weight[:, None]

    def stencil_coefficients(self, stencil: PixelStencil) -> Float[Tensor, "cells columns"]:
        raise ValueError("Kernels of `Shifts` live on a `LatticeGaugeField`: on a `Grid` use `Harmonic`.")

    def extra_repr(self) -> str:
        return f"displacements={len(self.radial.offsets)}" + (", symmetric" if self.radial.symmetric else "")


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation) -> ShiftBasis:
    return ShiftBasis(rho_in, rho_out)


__all__ = ["Displacements", "ShiftBasis", "ShiftSpace", "Shifts"]
