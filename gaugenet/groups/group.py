"""StructureGroup: a group G <= GL(d) of matrices, with its elements, subgroups and representations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cache, cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gaugenet.groups.names import split_name
from gaugenet.groups.representations.base import Representation, standard, trivial
from gaugenet.groups.representations.composite import DirectSum
from gaugenet.groups.representations.induced import induced

_CONTAINS_TOL = {torch.float64: 1e-8, torch.float32: 1e-4, torch.complex128: 1e-8, torch.complex64: 1e-4}


class StructureGroup(ABC):
    """A closed subgroup G of GL(d): the frames of a G-structure differ by its elements :cite:`weiler2021coordinate`.

    Elements are `(..., d, d)` matrices. Representations are functions of the matrix, not of an angle that would wrap.
    Groups compare equal by name and are hashable.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Dihedral
        >>> group = Dihedral(4)  # the symmetries of a square
        >>> group.order, group.d
        (8, 2)
        >>> bool(group.contains(torch.tensor([[0.0, 1.0], [1.0, 0.0]])))
        True
        >>> [rho.name for rho in group.irreps()]
        ['0', '0-', '1', '2', '2-']
        >>> group.representation("regular").dim
        8
    """

    d: int
    name: str
    orientation_preserving: bool
    """Whether every element has positive determinant."""
    compact: bool = True
    """Whether the group has a Haar measure of finite volume: then representations are orthogonal in some basis."""
    known_orders: float = math.inf
    """Irreps up to this order are known in closed form."""

    # --- the contract of a group --------------------------------------------------------------------------------

    @abstractmethod
    def contains(self, g: Float[Tensor, "*batch d d"], atol: float | None = None) -> Bool[Tensor, "*batch"]:
        """Return whether each matrix lies in G up to `atol` (default: from the precision of `g`)."""

    def random_element(
        self,
        size: tuple[int, ...] | int = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> Float[Tensor, "*size d d"]:
        """Return Haar-distributed elements; of non-compact groups, elements of a bounded set (see the class)."""
        return self._draw((size,) if isinstance(size, int) else tuple(size), generator).to(dtype)

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Float[Tensor, "*size d d"]:
        """Return random elements, float64. A group implements this, or `random_element` itself."""
        raise NotImplementedError(f"{type(self).__name__} implements neither `_draw` nor `random_element`.")

    @abstractmethod
    def generators(self) -> Float[Tensor, "count d d"]:
        """Return finitely many elements that generate G together with `lie_algebra`, float64."""

    @abstractmethod
    def irrep(self, label: int | str) -> Representation:
        """Return the irreducible real representation with this label.

        Raises:
            ValueError: If the group has no such irrep; the message lists the labels.
        """

    @abstractmethod
    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return all irreps up to angular order `max_order`, lowest first.

        Raises:
            ValueError: If there are infinitely many and `max_order` is `None`.
        """

    def candidates(self, rho: Representation) -> Iterable[Representation]:
        """Return the irreps that may occur in rho: up to its highest frequency, read off the Lie algebra."""
        speeds = [torch.linalg.matrix_norm(rho.derivative(x), 2).item() for x in self.lie_algebra()]
        return self.irreps(math.ceil(max(speeds) - 1e-6) if speeds else None)

    def lie_algebra(self) -> Float[Tensor, "dim d d"]:
        """Return a basis of the Lie algebra of G, float64; empty for finite groups."""
        return torch.zeros(0, self.d, self.d, dtype=torch.float64)

    @property
    def order(self) -> int | None:
        """Number of elements, `None` if infinite."""
        return None

    def elements(self) -> Float[Tensor, "order d d"]:
        """Return all elements of a finite group, the identity first, float64."""
        raise ValueError(f"{self.name} is not finite: it has no list of elements.")

    # --- representations ----------------------------------------------------------------------------------------

    def identity(self, dtype: torch.dtype = torch.float64) -> Float[Tensor, "d d"]:
        """Return the identity matrix."""
        return torch.eye(self.d, dtype=dtype)

    def trivial(self) -> Representation:
        """Return rho(g) = 1."""
        return trivial(self)

    def standard(self) -> Representation:
        """Return rho(g) = g, for coefficients of tangent vectors: the irrep `1` itself where it is irreducible."""
        return standard(self)

    def regular(self) -> Representation:
        """Return the regular representation: functions on a finite group, permuted by left multiplication."""
        if self.order is None:
            raise ValueError(
                f"The regular representation of {self.name} is infinite-dimensional: use irreps up to an order, "
                "or a finite subgroup."
            )
        return induced(self, _trivial_group(self.d), None, "regular")

    def exterior(self, grade: int) -> Representation:
        """Return Lambda^k: how the blades of grade k of R^d transform, in lexicographic order; see `ExteriorPower`.

        Raises:
            ValueError: If the grade is not between 0 and d.
        """
        from gaugenet.groups.representations.exterior import exterior_power

        if isinstance(grade, bool) or not isinstance(grade, int) or not 0 <= grade <= self.d:
            raise ValueError(f"Expected a grade between 0 and {self.d} for {self.name}, got {grade!r}.")
        return exterior_power(self, grade)

    def harmonic(self, order: int) -> Representation:
        """Return how the harmonics of one frequency on the sphere of R^d transform: the irrep of O(d), restricted.

        Raises:
            ValueError: If the group is not compact.
        """
        from gaugenet import groups
        from gaugenet.groups.representations.hyperspherical import HarmonicRepresentation

        self._need_compact("functions on the sphere of directions")
        if self.d == 1 or (self.d > 3 and order < 2):
            return self.standard() if order else self.trivial()
        if self.d > 3:
            return HarmonicRepresentation(self, order)
        return (groups.O2().irrep(order) if self.d == 2 else groups.O3().harmonic(order)).restrict(self)

    def sphere(self, max_order: int) -> Representation:
        """Return the representation on band-limited functions on the unit sphere, see `SphereFunctions`."""
        self._need_compact("functions on the sphere of directions")
        from gaugenet.groups.representations.functions import SphereFunctions

        return SphereFunctions(self, max_order)

    def fourier(self, max_order: int) -> Representation:
        """Return the representation on band-limited functions on the group, see `GroupFunctions`."""
        self._need_compact("band-limited functions on it")
        from gaugenet.groups.representations.functions import GroupFunctions

        return GroupFunctions(self, max_order)

    def _need_compact(self, what: str) -> None:
        if not self.compact:
            raise ValueError(f"{self.name} is not compact: it has no representation on {what}.")

    def quotient(self, subgroup: StructureGroup) -> Representation:
        """Return the representation on functions on G / H, permuted by left multiplication; H of finite index."""
        return induced(self, subgroup, None, f"quotient({subgroup.name})")

    def induced(self, subgroup: StructureGroup, rho: Representation) -> Representation:
        """Return Ind_H^G rho, induced from a representation of a subgroup H of finite index."""
        if rho.group != subgroup:
            raise ValueError(f"Expected a representation of {subgroup.name}, got one of {rho.group.name}.")
        return induced(self, subgroup, rho, f"induced({subgroup.name},{rho.name})")

    def representation(self, label: int | str | Representation) -> Representation:
        """Return a representation by its short name, which is also its `name`.

        Short names are the labels of irreps, `trivial`, `regular`, `standard`, `quotient(C_2)`, `induced(C_2,1)`,
        `restricted(O(2),1)`, `sphere(2)`, `harmonic(2)`, `fourier(2)`, `exterior(2)`, `(1⊗2)` and `(0⊕1)`.

        Raises:
            ValueError: If the name is unknown, or a `Representation` belongs to another group.
        """
        if isinstance(label, Representation):
            if label.group != self:
                raise ValueError(
                    f"Expected a representation of {self.name}, got {label.name} of {label.group.name}: `restrict` it, "
                    "or use one group throughout."
                )
            return label
        head, arguments = split_name(str(label))
        if head in ("trivial", "regular", "standard"):
            named: Representation = getattr(self, head)()
            return named
        return self._composed(head, arguments) if arguments else self.irrep(head)

    def _composed(self, head: str, arguments: list[str]) -> Representation:
        if head == "fibre":
            from gaugenet.groups.representations.field_type import FieldType

            return FieldType(self, arguments[0]).representation()
        if head in ("sphere", "harmonic", "fourier", "exterior"):
            if not arguments[0].isdigit():
                raise ValueError(f"Expected `{head}(L)` with an order L, got {head}({arguments[0]}).")
            of_order: Representation = getattr(self, head)(int(arguments[0]))
            return of_order
        if head == "⊕":
            return DirectSum([self.representation(a) for a in arguments])
        if head == "⊗":
            product = self.representation(arguments[0])
            for factor in arguments[1:]:
                product = product.tensor(self.representation(factor))
            return product
        from gaugenet.groups.lookup import group_from_name

        other = group_from_name(arguments[0], self.d)
        if len(arguments) != (1 if head == "quotient" else 2):
            raise ValueError(f"Expected `quotient(H)`, `induced(H,rho)` or `restricted(G,rho)`, got {head}{arguments}.")
        if head == "quotient":
            return self.quotient(other)
        rho = other.representation(arguments[1])
        return self.induced(other, rho) if head == "induced" else rho.restrict(self)

    def coset_representatives(self, subgroup: StructureGroup) -> Float[Tensor, "index d d"]:
        """Return one element of each left coset r H, the identity first.

        Raises:
            ValueError: If H is not a subgroup, or has infinite index.
        """
        if subgroup == self:
            return self.identity()[None]
        self.check_subgroup(subgroup)
        if not subgroup.contains(torch.linalg.matrix_exp(self.lie_algebra())).all():
            raise ValueError(f"{subgroup.name} has infinite index in {self.name}: induce from a larger subgroup.")
        return self._finite_cosets(subgroup) if self.order else self._component_cosets(subgroup)

    def _finite_cosets(self, subgroup: StructureGroup) -> Float[Tensor, "index d d"]:
        if subgroup.order == 1:
            return self.elements()
        left, chosen = self.elements(), []
        while len(left):
            chosen.append(left[0])
            left = left[~subgroup.contains(left[0].T @ left)]
        return torch.stack(chosen)

    def _component_cosets(self, subgroup: StructureGroup) -> Float[Tensor, "index d d"]:
        """Return the orbit of the identity's coset under the generators; the identity component moves no coset."""
        chosen = [self.identity()]
        for r in chosen:
            for s in self.generators():
                if not subgroup.contains(torch.stack(chosen).mT @ s @ r).any():
                    chosen.append(s @ r)
        return torch.stack(chosen)

    def check_subgroup(self, subgroup: StructureGroup) -> None:
        """Raise `ValueError` unless `subgroup` is contained in this group."""
        if not _is_subgroup(subgroup, self):
            raise ValueError(f"{subgroup.name} is not a subgroup of {self.name}.")

    def element_index(self, g: Float[Tensor, "*batch d d"]) -> Tensor:
        """Return the index in `elements()` of the element nearest to each matrix."""
        table = self.elements().to(g).flatten(1)
        return (g.flatten(-2) @ table.T).argmax(-1)

    def couple(
        self, first: Representation, second: Representation, target: Representation
    ) -> Float[Tensor, "count target first_second"] | None:
        """Return intertwiners of irreps, first x second -> target, if known in closed form; else `None`."""
        return None

    # --- identity -----------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StructureGroup) and self.name == other.name and self.d == other.d

    def __hash__(self) -> int:
        return hash((self.name, self.d))

    def __repr__(self) -> str:
        return self.name


class FiniteGroup(StructureGroup):
    """A finite matrix group given by its list of elements, orthogonal, the identity first."""

    @cached_property
    def _elements(self) -> Tensor:
        return self._make_elements()

    @abstractmethod
    def _make_elements(self) -> Tensor: ...

    @property
    def order(self) -> int:
        return len(self._elements)

    def elements(self) -> Tensor:
        return self._elements

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        atol = tolerance(g) if atol is None else atol
        nearest = self.elements().to(g)[self.element_index(g)]
        return (g - nearest).abs().amax((-2, -1)) <= atol

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        return self.elements()[torch.randint(self.order, size, generator=generator)]


def tolerance(g: Tensor) -> float:
    """Return the largest distance from the group at which a matrix of this precision counts as an element."""
    return _CONTAINS_TOL.get(g.dtype, 1e-2)


def cast_elements(g: Tensor, x: Tensor) -> Tensor:
    """Return g on the device and in the precision of the real tensor x; complex matrices remain complex."""
    if not g.is_complex():
        return g.to(x)
    return g.to(x.device, torch.complex128 if x.dtype == torch.float64 else torch.complex64)


def is_orthogonal(g: Float[Tensor, "*batch d d"], atol: float | None = None) -> Bool[Tensor, "*batch"]:
    """Return whether g^T g = 1."""
    eye = torch.eye(g.shape[-1], dtype=g.dtype, device=g.device)
    return (g.mT @ g - eye).abs().amax((-2, -1)) <= (tolerance(g) if atol is None else atol)


def check_group(group: object) -> None:
    """Raise `ValueError` unless an argument is a structure group."""
    if not isinstance(group, StructureGroup):
        how = 'of a name, `group_from_name("SO(2)")`'
        if isinstance(group, type) and issubclass(group, StructureGroup):
            how = f"write `{group.__name__}(...)`, an object"
        raise ValueError(f"Expected `group` to be a StructureGroup such as SO2(), got {group!r}: {how}.")


@cache
def _trivial_group(d: int) -> StructureGroup:
    """Return {e} <= GL(d)."""
    from gaugenet.groups.families.trivial import Trivial

    return Trivial(d)


@cache
def _is_subgroup(small: StructureGroup, large: StructureGroup) -> bool:
    if small.d != large.d:
        return False
    seeded = torch.Generator().manual_seed(0)
    samples = torch.cat([small.generators(), small.random_element(8, generator=seeded)])
    return bool(large.contains(samples).all())


__all__ = ["FiniteGroup", "StructureGroup", "cast_elements", "check_group", "is_orthogonal", "tolerance"]
