"""Shifts: kernels on a lattice, one intertwiner for each displacement or for each orbit of displacements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.groups import DirectProduct, FieldType, Representation, StructureGroup, Trivial, intertwiners
from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.factorized import FactorizedSpace
from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.internal_irreps import InternalForm
from gaugenet.kernels.orbits import Offset, Orbit, orbits, permutation
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.radial import RadialBasis
from gaugenet.kernels.space import Neighborhood, PixelStencil
from gaugenet.kernels.tensor_operators import _orthonormal, tensor_operators


@dataclass(frozen=True)
class Shifts(KernelFamily):
    r"""Kernels on a lattice: intertwiners K(v) for finitely many displacements v in steps along the axes.

    The group of the field types decides how these are related:

    - U(1), SU(N): elements do not move v. Every K(v) is an intertwiner, independent of the others. On a
      `LatticeGaugeField` a `GaugeConv` of this family is the convolution of lattice networks, W'_i(x) = sum
      omega_{i j v} U_v(x) W_j(x + v) U_v(x)^+ (:cite:`favoni2022lattice`, Eq. 9), with every intertwiner in place of
      the number omega.
    - H x SU(N), a `DirectProduct` with H = `Hypercubic(d)` or a subgroup: H permutes displacements and acts on the
      directions of fields such as `vector*matrix`. Then K(h v) = rho_out(h) K(v) rho_in(h)^-1
      (:cite:`weiler2021coordinate`, Eq. 4.30). For each orbit of displacements the solutions are the intertwiners from
      the permutation representation of the orbit times rho_in to rho_out. Layers commute with lattice rotations and
      reflections, exactly.

    Args:
        d: dimension of the lattice.
        steps: displacements of 1, ..., `steps` along each axis, forwards and backwards.
        offsets: displacements to use instead of these.
        symmetric: one weight for all displacements that rotations and reflections of the lattice map to each other. A
            short form of fields of `DirectProduct(Hypercubic(d), ...)` without indices of directions, for types of
            U(1) or SU(N).

    Raises:
        ValueError: If a displacement is zero, occurs twice, or does not have d components. In `space`, if H maps a
            displacement to one that is missing, or acts on another dimension.

    Example:
        >>> from gaugenet.groups import SU, FieldType
        >>> from gaugenet.kernels import Shifts
        >>> Shifts(2).displacements
        ((1, 0), (-1, 0), (0, 1), (0, -1))
        >>> matrices = FieldType(SU(2), "1xmatrix")
        >>> Shifts(2).space(matrices, matrices)
        ShiftSpace(1xmatrix -> 1xmatrix, SU(2), displacements=4)
        >>> from gaugenet.groups import DirectProduct, Hypercubic
        >>> fields = FieldType(DirectProduct(Hypercubic(2), SU(2)), "1xmatrix + 1xvector*matrix")
        >>> space = Shifts(2).space(fields, fields)
        >>> [p.basis.dim for p in space.pairs]  # matrix and vector to matrix, matrix and vector to vector
        [8, 8, 8, 16]
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
    """The displacements of a kernel, and the classes of displacements that have their own weights.

    Attributes:
        offsets: all displacements.
        classes: the orbits under the group, or with `symmetric` the displacements of one shape; they take the place of
            rings.
    """

    def __init__(self, offsets: Sequence[Offset], group: StructureGroup, *, symmetric: bool) -> None:
        self.offsets, self.group, self.symmetric = tuple(offsets), group, symmetric
        self.orbits: list[Orbit] = orbits(group, self.offsets)
        shapes = [tuple(sorted(map(abs, orbit.offsets[0]))) if symmetric else i for i, orbit in enumerate(self.orbits)]
        kinds = list(dict.fromkeys(shapes))
        self.class_of: tuple[int, ...] = tuple(kinds.index(shape) for shape in shapes)
        """The class of each orbit."""
        self.count = len(kinds)

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        raise ValueError("Displacements are not functions of the distance.")

    def index(self, steps: Float[Tensor, "rows d"]) -> Int[Tensor, "rows"]:
        """Return the position of each row in `offsets`.

        Raises:
            ValueError: If a row is not one of the displacements.
        """
        if steps.shape[-1] != len(self.offsets[0]):
            raise self.mismatch(steps.shape[-1], [])
        table = torch.tensor(self.offsets, device=steps.device)
        rounded = steps.round().to(table.dtype)
        kinds, which = torch.unique(rounded, dim=0, return_inverse=True)
        same = (kinds[:, None] == table).all(-1)
        if not bool(same.any(1).all()) or bool(((steps - rounded).abs() > 1e-3).any()):
            missing = [tuple(k) for k in kinds[~same.any(1)].tolist()]
            raise self.mismatch(steps.shape[-1], missing)
        return typed_tensor(same.to(torch.uint8).argmax(1)[which])

    def mismatch(self, d: int, missing: list[Offset]) -> ValueError:
        """Return the error of a domain with other neighbours."""
        if d != len(self.offsets[0]):
            return ValueError(f"Expected a lattice in {len(self.offsets[0])} dimensions, got {d}.")
        return ValueError(
            f"Expected neighbours at the displacements {self.offsets} alone, got {missing or 'fractions'}: give "
            "the domain and the kernel the same `steps` or offsets."
        )

    def __repr__(self) -> str:
        return f"Displacements({list(self.offsets)}, {self.group.name}, symmetric={self.symmetric})"


class ShiftBasis(CoupledBasis):
    """An orthonormal basis of the intertwiners from functions on an orbit of displacements x rho_in to rho_out.

    Without action on directions an orbit is one displacement: the basis has all intertwiners from rho_in to rho_out.
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, orbit: Orbit) -> None:
        self.rho_in, self.rho_out, self.orbit = rho_in, rho_out, orbit
        group = rho_in.group
        self.functions = group.trivial()
        if isinstance(group, DirectProduct):
            self.functions = group.product(permutation(group.spatial, orbit), group.internal.trivial())
        self.coefficients = CachedTensor(self._solve)

    def _solve(self) -> Float[Tensor, "dim out functions in"]:
        if self.functions.is_trivial:
            return _orthonormal(intertwiners(self.rho_in, self.rho_out)).unsqueeze(2)
        return tensor_operators(self.rho_in, self.rho_out, self.functions) * math.sqrt(len(self.orbit.offsets))

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Return K(v) at the displacements of the orbit; zero elsewhere."""
        table = torch.tensor(self.orbit.offsets).to(direction)
        here = (direction[..., None, :] - table).abs().amax(-1).lt(0.5).to(direction)
        if len(table) == 1:
            here = torch.ones_like(here)
        return torch.einsum("...h,bohi->...boi", here, self.coefficients(direction))

    def __reduce__(self) -> tuple[object, ...]:
        return _basis, (self.rho_in, self.rho_out, self.orbit)


class ShiftSpace(FactorizedSpace):
    """The kernels of `Shifts` between two field types.

    Args:
        in_type, out_type: field types of one group.
        offsets: the displacements, in steps along the axes.
        symmetric: see `Shifts`.

    Raises:
        ValueError: If the types have different groups, there is no intertwiner between them, or the group maps a
            displacement to one that is missing.

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
        self.radial = Displacements(offsets, _spatial(in_type.group, len(offsets[0]), symmetric), symmetric=symmetric)
        self._patterns = list(dict.fromkeys(orbit.pattern for orbit in self.radial.orbits))
        self._set_pairs(self._pairs())
        self.column_of = self._columns()
        self._forms: dict[bool, InternalForm] = {}

    def _pairs(self) -> Iterable[Pair]:
        start = 0
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                for key, pattern in enumerate(self._patterns):
                    found = [i for i, orbit in enumerate(self.radial.orbits) if orbit.pattern == pattern]
                    rings = tuple(dict.fromkeys(self.radial.class_of[i] for i in found))
                    basis = _basis(source.representation, target.representation, self.radial.orbits[found[0]])
                    if basis.dim:
                        yield Pair(source, target, basis, key, rings, start)
                        start += len(rings) * basis.dim * source.multiplicity * target.multiplicity

    def _columns(self) -> tuple[int, ...]:
        """Return the column of each displacement, -1 where all kernels are zero."""
        columns = dict.fromkeys(self.radial.offsets, -1)
        for orbit, ring in zip(self.radial.orbits, self.radial.class_of, strict=True):
            key = self.key_of(orbit)
            if key in self.rings_of:
                start = self.columns_of(key).start + self.rings_of[key].index(ring) * len(orbit.offsets)
                columns |= {offset: start + i for i, offset in enumerate(orbit.offsets)}
        return tuple(columns[offset] for offset in self.radial.offsets)

    def key_of(self, orbit: Orbit) -> int:
        """Return the key of the pairs with the displacements of an orbit."""
        return self._patterns.index(orbit.pattern)

    def internal_form(self, *, center: bool) -> InternalForm:
        """Return the same kernels in the irreps of the internal group; `center` adds the site itself."""
        if center not in self._forms:
            self._forms[center] = InternalForm(self, center=center)
        return self._forms[center]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_forms": {}}

    def num_functions(self, key: Hashable) -> int:
        return max(self._patterns[cast(int, key)]) + 1

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        super().initialize(weight, generator=generator)
        with torch.no_grad():  # all displacements have equal variance, while rings share one neighbourhood
            weight /= (self.radial.count * len(self.radial.offsets)) ** 0.5

    def column_index(self, steps: Float[Tensor, "rows d"]) -> Int[Tensor, "rows"]:
        """Return the column of each row, -1 where all kernels are zero.

        Raises:
            ValueError: If a row is not one of the displacements.
        """
        return torch.tensor(self.column_of, device=steps.device)[self.radial.index(steps)]

    def columns_at(self, offsets: Sequence[Offset]) -> list[int]:
        """Return the same for displacements as integers; compilers follow it, since it makes no tensors."""
        known = dict(zip(self.radial.offsets, self.column_of, strict=True))
        if missing := sorted(set(offsets) - set(known)):
            raise self.radial.mismatch(len(offsets[0]), missing)
        return [known[offset] for offset in offsets]

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        steps = neighborhood.log_map * neighborhood.radius[:, None]
        one_hot = self.column_index(steps)[:, None] == torch.arange(self.num_columns, device=steps.device)
        return one_hot.to(steps) * neighborhood.weight[:, None]

    def stencil_coefficients(self, stencil: PixelStencil) -> Float[Tensor, "cells columns"]:
        raise ValueError("Kernels of `Shifts` live on a `LatticeGaugeField`: on a `Grid` use `Harmonic`.")

    def extra_repr(self) -> str:
        return f"displacements={len(self.radial.offsets)}" + (", symmetric" if self.radial.symmetric else "")


def _spatial(group: StructureGroup, d: int, symmetric: bool) -> StructureGroup:
    """Return the group that acts on displacements."""
    if not isinstance(group, DirectProduct):
        return Trivial(d)
    if symmetric:
        raise ValueError(f"Expected `symmetric=False` for fields of {group.name}: the group itself acts on directions.")
    return group.spatial


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation, orbit: Orbit) -> ShiftBasis:
    return ShiftBasis(rho_in, rho_out, orbit)


__all__ = ["Displacements", "ShiftBasis", "ShiftSpace", "Shifts"]
