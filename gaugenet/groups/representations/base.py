"""Representations rho: G -> GL(n) as functions of the group element's matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.intertwiners.intertwiner import intertwiners

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup
    from gaugenet.groups.representations.decomposition import Decomposition


class Representation:
    """A real representation of a structure group: `rho(g)` of shape `(..., n, n)` for `g` of shape `(..., d, d)`.

    The matrix of an element may be complex (`U1`, `SU`), that of the representation is real.

    Representations are immutable and compare equal if group and name agree. They are copied by reference and pickled
    by name, which `StructureGroup.representation` reads.

    Args:
        group: the group G.
        name: unique among the representations of G, e.g. `"1"`, `"regular"`.
        dim: n.
        matrix: maps `(..., d, d)` to `(..., n, n)`, differentiable, a homomorphism on G.
        order: angular order of an irrep (its frequency), `None` for reducible representations.
        permutation: whether `rho(g)` permutes the standard basis, so that pointwise nonlinearities are equivariant.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2
        >>> rho = SO2().irrep(2)  # rotates twice as fast
        >>> quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> torch.equal(rho(quarter_turn), -torch.eye(2))
        True
        >>> rho.tensor(rho).decompose().labels
        ['0', '0', '4']
    """

    def __init__(
        self,
        group: StructureGroup,
        name: str,
        dim: int,
        matrix: Callable[[Tensor], Tensor],
        *,
        order: int | None = None,
        permutation: bool = False,
    ) -> None:
        self.group = group
        self.name = name
        self.dim = dim
        self.order = order
        self.permutation = permutation
        self._matrix = matrix

    def __call__(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        return self._matrix(g)

    @property
    def is_irreducible(self) -> bool:
        return self.order is not None

    @property
    def is_trivial(self) -> bool:
        return self.order == 0 and self.permutation

    def derivative(self, algebra: Float[Tensor, "d d"]) -> Float[Tensor, "n n"]:
        """Return d/dt rho(1 + t X) at t = 0, for X in the Lie algebra."""
        # By two reverse passes of numbers: torch's forward mode loads its compiler, gradients along tensors load sympy.
        with torch.enable_grad():
            t = torch.zeros((), dtype=algebra.real.dtype, requires_grad=True)
            rho = self(torch.eye(self.group.d, dtype=algebra.dtype) + t * algebra)
            if not rho.requires_grad:
                return torch.zeros_like(rho)
            dual = torch.zeros_like(rho, requires_grad=True)
            (slope,) = torch.autograd.grad((rho * dual.conj()).real.sum(), t, create_graph=True)
            return torch.autograd.grad(slope, dual)[0]

    @property
    def endomorphisms(self) -> Float[Tensor, "count n n"]:
        """A canonical basis of the matrices that commute with every rho(g), see `intertwiners`."""
        return intertwiners(self, self)

    @property
    def type(self) -> str:
        """`real`, `complex` or `quaternionic`: the algebra of endomorphisms of an irrep has dimension 1, 2 or 4."""
        if not self.is_irreducible:
            raise ValueError(f"Expected an irrep, got {self!r}: `decompose` it first.")
        return {1: "real", 2: "complex", 4: "quaternionic"}[len(self.endomorphisms)]

    @cached_property
    def is_orthogonal(self) -> bool:
        """Whether rho(g)^T rho(g) = 1, checked at a few elements."""
        rho = self(self.group.random_element(4, generator=torch.Generator().manual_seed(0)))
        return bool((rho.mT @ rho - torch.eye(self.dim, dtype=rho.dtype)).abs().max() < 1e-9)

    @cached_property
    def invariants(self) -> Float[Tensor, "count n"]:
        """A canonical basis of the vectors fixed by every rho(g): the space of biases."""
        return intertwiners(self.group.trivial(), self)[..., 0]

    def restrict(self, subgroup: StructureGroup) -> Representation:
        """Return the same matrices as a representation of a subgroup.

        The result is an irrep of the subgroup if one has the same matrices: `1` of O(2) becomes `1` of SO(2).

        Raises:
            ValueError: If `subgroup` is not a subgroup.
        """
        if subgroup == self.group:
            return self
        self.group.check_subgroup(subgroup)
        from gaugenet.groups.representations.composite import restricted

        return trivial(subgroup) if self.is_trivial else restricted(self, subgroup)

    def __add__(self, other: Representation) -> Representation:
        from gaugenet.groups.representations.composite import DirectSum

        return DirectSum([self, other])

    def tensor(self, other: Representation) -> Representation:
        """Return the tensor product; the index of this factor is the outer one."""
        from gaugenet.groups.representations.composite import TensorProduct

        return TensorProduct(self, other)

    def decompose(self, max_order: int | None = None) -> Decomposition:
        """Return the orthogonal change of basis into irreps: `rho(g) = Q (+)_i rho_i(g) Q^T` for orthogonal rho.

        Args:
            max_order: the highest order of irreps to look for; by default all that can occur.

        Raises:
            ValueError: If `max_order` is too low, or the group is not compact.
        """
        from gaugenet.groups.representations.decomposition import decompose

        return decompose(self, max_order)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representation) and (self.group, self.name) == (other.group, other.name)

    def __hash__(self) -> int:
        return hash((self.group, self.name))

    def __repr__(self) -> str:
        return f"{self.group.name}:{self.name}"

    def __copy__(self) -> Representation:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Representation:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from gaugenet.groups.families.matrix_group import MADE

        _rebuild(self.group, self.name)  # a name that cannot be read back must fail now, not when it is loaded
        others = tuple(group for name, group in MADE.items() if name in self.name)  # unpickled before the name is read
        return _rebuild, (self.group, self.name, *others)


def trivial(group: StructureGroup) -> Representation:
    """Return the trivial representation of a group, named `0` as the irrep of order 0."""

    def matrix(g: Tensor) -> Tensor:
        return torch.ones(*g.shape[:-2], 1, 1, dtype=g.real.dtype, device=g.device)

    return Representation(group, "0", 1, matrix, order=0, permutation=True)


def standard(group: StructureGroup) -> Representation:
    """Return rho(g) = g."""
    return Representation(group, "standard", group.d, lambda g: g)


@cache
def _rebuild(group: StructureGroup, name: str, *others: StructureGroup) -> Representation:
    return group.representation(name)
