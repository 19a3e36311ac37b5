"""DirectProduct: a group that acts on directions times a group that acts on an internal fibre."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from gaugenet.groups.families.unitary import UnitaryGroup
from gaugenet.groups.group import StructureGroup, tolerance
from gaugenet.groups.names import split_at
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.outer_product import OuterProduct


class DirectProduct(StructureGroup):
    r"""H x K: H acts on directions, K = U(1), U(N) or SU(N) on an internal fibre.

    The structure group of lattice gauge theory, with H = `Hypercubic(d)`, the rotations and reflections of the lattice,
    or a subgroup such as `Cyclic(4)` or `Trivial(d)`. An element is the complex block-diagonal matrix diag(h, k). A
    matrix k alone stands for diag(1, k): gauge transformations and links are of this form.

    Representations are products: `vector*matrix` is `vector` of H times `matrix` of K; the index of `vector` is the
    outer one. `matrix` alone means `0*matrix`, a field without an index of direction. `vector*0` is an ordinary vector
    field. All intertwiners are products of intertwiners of the factors.

    Args:
        spatial: H, finite.
        internal: K.

    Raises:
        ValueError: If `spatial` is not finite, or `internal` is not a unitary group.

    Example:
        >>> from gaugenet.groups import SU, DirectProduct, FieldType, Hypercubic
        >>> group = DirectProduct(Hypercubic(4), SU(3))
        >>> fields = FieldType(group, "2xmatrix + 1xvector*matrix + 1xbivector*adjoint")
        >>> [block.size for block in fields.blocks]  # 2 x 18, 4 x 18, 6 x 8
        [36, 72, 48]
    """

    def __init__(self, spatial: StructureGroup, internal: StructureGroup) -> None:
        if spatial.order is None or isinstance(spatial, DirectProduct):
            raise ValueError(
                f"Expected `spatial` as a finite group of rotations and reflections, got {spatial!r}: use "
                "`Hypercubic(d)` or a subgroup."
            )
        if not isinstance(internal, UnitaryGroup):
            raise ValueError(f"Expected `internal` as `U1()`, `SU(N)` or `U(N)`, got {internal!r}.")
        self.spatial, self.internal = spatial, internal
        self.d = spatial.d + internal.d
        self.name = f"{spatial.name}×{internal.name}"
        self.orientation_preserving = spatial.orientation_preserving
        self.known_orders = 0

    # --- elements -----------------------------------------------------------------------------------------------

    def element(
        self, h: Float[Tensor, "*batch d d"], k: Complex[Tensor, "*batch n n"]
    ) -> Complex[Tensor, "*batch d_n d_n"]:
        """Return diag(h, k)."""
        batch = torch.broadcast_shapes(h.shape[:-2], k.shape[:-2])
        g = k.new_zeros(*batch, self.d, self.d)
        g[..., : self.spatial.d, : self.spatial.d] = h.to(k)
        g[..., self.spatial.d :, self.spatial.d :] = k
        return g

    def split(self, g: Complex[Tensor, "*batch d_n d_n"]) -> tuple[Tensor | None, Tensor]:
        """Return h and k; h is `None` if g is an element of the internal group alone.

        Raises:
            ValueError: If g has another size.
        """
        if g.shape[-1] == self.internal.d:
            return None, g
        if g.shape[-1] != self.d:
            raise ValueError(
                f"Expected elements of {self.name} as matrices of size {self.d}, or of size {self.internal.d} for "
                f"{self.internal.name} alone, got shape {tuple(g.shape)}: see `element(h, k)`."
            )
        m = self.spatial.d
        return g[..., :m, :m].real, g[..., m:, m:]

    def contains(self, g: Complex[Tensor, "*batch d_n d_n"], atol: float | None = None) -> Bool[Tensor, "*batch"]:
        atol = tolerance(g) if atol is None else atol
        h, k = self.split(g)
        inside = self.internal.contains(k, atol)
        if h is None:
            return inside
        rest = (g - self.element(h, k)).abs().amax((-2, -1))
        return inside & self.spatial.contains(h, atol) & (rest <= atol)

    def random_element(
        self,
        size: tuple[int, ...] | int = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Complex[Tensor, "*size d_n d_n"]:
        h = self.spatial.random_element(size, generator=generator)
        return self.element(h, self.internal.random_element(size, generator=generator, dtype=dtype))

    def generators(self) -> Complex[Tensor, "count d_n d_n"]:
        one = self.internal.identity()
        return torch.cat(
            [
                self.element(self.spatial.generators(), one),
                self.element(self.spatial.identity(), self.internal.generators()),
            ]
        )

    def lie_algebra(self) -> Complex[Tensor, "dim d_n d_n"]:
        x = self.internal.lie_algebra()
        return self.element(torch.zeros(self.spatial.d, self.spatial.d, dtype=torch.float64), x)

    def identity(self, dtype: torch.dtype = torch.float64) -> Complex[Tensor, "d_n d_n"]:
        return self.element(self.spatial.identity(), self.internal.identity(dtype))

    def check_subgroup(self, subgroup: StructureGroup) -> None:
        if subgroup != self.internal:
            super().check_subgroup(subgroup)

    # --- representations ----------------------------------------------------------------------------------------

    def trivial(self) -> Representation:
        return self.product(self.spatial.trivial(), self.internal.trivial())

    def standard(self) -> Representation:
        return self.product(self.spatial.standard(), self.internal.trivial())

    def product(self, first: Representation, second: Representation) -> OuterProduct:
        """Return first(h) x second(k), for representations of the two factors."""
        return OuterProduct(self, first, second)

    def representation(self, label: int | str | Representation) -> Representation:
        if isinstance(label, Representation):
            return super().representation(label)
        parts = split_at(str(label), "*")
        if len(parts) == 1 and "*" in parts[0]:
            return super().representation(label)  # a sum or product of several
        if len(parts) > 2:
            raise ValueError(f"Expected `a*b` with one representation of each factor of {self.name}, got {label!r}.")
        first, second = parts if len(parts) == 2 else ("0", parts[0])
        try:
            return self.product(self.spatial.representation(first), self.internal.representation(second))
        except ValueError as error:
            raise ValueError(
                f"Unknown representation {label!r} of {self.name}: expected `a*b`, a of {self.spatial.name} and b of "
                f"{self.internal.name}, or b alone. {error}"
            ) from error

    def irrep(self, label: int | str) -> Representation:
        return self.representation(label)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return the products of irreps; irreducible if one factor is of real type, as all of `Hypercubic` are."""
        first, second = self.spatial.irreps(), self.internal.irreps(max_order)
        return [self._irreducible(a, b) for b, a in itertools.product(second, first)]

    def candidates(self, rho: Representation) -> Iterator[Representation]:
        inner = rho.second if isinstance(rho, OuterProduct) else self.internal.standard()
        for b in self.internal.candidates(inner):
            for a in self.spatial.irreps():
                yield self._irreducible(a, b)

    def _irreducible(self, a: Representation, b: Representation) -> OuterProduct:
        if a.type != "real" and b.type != "real":
            raise ValueError(
                f"The product of {a!r} ({a.type}) and {b!r} ({b.type}) is reducible over the real numbers: its irreps "
                "are not implemented."
            )
        return OuterProduct(self, a, b, order=max(a.order or 0, b.order or 0))

    def harmonic(self, order: int) -> Representation:
        raise ValueError(self._only_shifts())

    def sphere(self, max_order: int) -> Representation:
        raise ValueError(self._only_shifts())

    def _only_shifts(self) -> str:
        return (
            f"{self.name} acts on an internal fibre: kernels of its fields are those of a `LatticeGaugeField` "
            "(`kernel=Shifts(...)`)."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spatial, self.internal)


def internal_factor(group: StructureGroup) -> StructureGroup:
    """Return K of H x K, and any other group itself: the group to which links belong."""
    return group.internal if isinstance(group, DirectProduct) else group


__all__ = ["DirectProduct", "internal_factor"]
