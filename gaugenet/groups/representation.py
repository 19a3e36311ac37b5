"""Representations rho: G -> GL(n) as functions of the group element's matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class Representation:
    """A real representation of a structure group: `rho(g)` of shape `(..., n, n)` for `g` of shape `(..., d, d)`.

    Two representations compare equal if group and name agree.

    Args:
        group: the group G.
        name: unique among the representations of G, e.g. `"1"`, `"regular"`.
        dim: n.
        matrix: maps `(..., d, d)` to `(..., n, n)`, differentiable, a homomorphism on G.
        order: angular order of an irrep (its frequency), `None` for what is not irreducible.
        permutation: whether `rho(g)` permutes the standard basis, so that pointwise nonlinearities are equivariant.
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
        """d/dt rho(1 + t X) at t = 0, for X in the Lie algebra."""
        eye = torch.eye(self.group.d, dtype=algebra.dtype)
        return torch.func.jvp(self._matrix, (eye,), (algebra,))[1]

    @cached_property
    def invariants(self) -> Float[Tensor, "count n"]:
        """A canonical basis of the vectors fixed by every rho(g): where a bias may live."""
        return intertwiners(self.group.trivial(), self)[..., 0]

    def restrict(self, subgroup: StructureGroup) -> Representation:
        """The same matrices, seen as a representation of a subgroup."""
        self.group.check_subgroup(subgroup)
        name = f"restricted({self.group.name},{self.name})"
        return Representation(subgroup, name, self.dim, self._matrix, permutation=self.permutation)

    def __add__(self, other: Representation) -> Representation:
        return DirectSum([self, other])

    def tensor(self, other: Representation) -> Representation:
        """The tensor product; index of this factor is the outer one."""
        _same_group(self, other)

        def matrix(g: Tensor) -> Tensor:
            product = torch.einsum("...ab,...cd->...acbd", self(g), other(g))
            n = self.dim * other.dim
            return product.reshape(*g.shape[:-2], n, n)

        return Representation(
            self.group,
            f"({self.name}⊗{other.name})",
            self.dim * other.dim,
            matrix,
            permutation=self.permutation and other.permutation,
        )

    def decompose(self, max_order: int | None = None) -> Decomposition:
        """Orthogonal change of basis into irreps: `rho(g) = Q (+)_i rho_i(g) Q^T` for orthogonal rho.

        Args:
            max_order: the highest irrep order to look for; default: the dimension of rho.
        """
        labels: list[str] = []
        columns: list[Tensor] = []
        for irrep in self.group.irreps(self.dim if max_order is None else max_order):
            for embedding in _independent_embeddings(irrep, self):
                labels.append(irrep.name)
                columns.append(embedding)
        basis = torch.cat(columns, dim=1) if columns else torch.zeros(self.dim, 0, dtype=torch.float64)
        if basis.shape[1] != self.dim:
            raise ValueError(
                f"Found irreps of total dimension {basis.shape[1]} in {self!r} of dimension {self.dim}: "
                "raise `max_order`."
            )
        return Decomposition(labels, basis)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representation) and (self.group, self.name) == (other.group, other.name)

    def __hash__(self) -> int:
        return hash((self.group, self.name))

    def __repr__(self) -> str:
        return f"{self.group.name}:{self.name}"

    def __reduce__(self):
        # closures do not pickle: representations are rebuilt from their group and name
        return _rebuild, (self.group, self.name)


@dataclass(frozen=True)
class Decomposition:
    """Irreps of a representation, in order, and the orthogonal matrix whose columns embed them."""

    labels: list[str]
    basis: Float[Tensor, "n n"]


class DirectSum(Representation):
    """rho_1 + rho_2 + ...: block-diagonal matrices."""

    def __init__(self, parts: list[Representation]) -> None:
        for part in parts[1:]:
            _same_group(parts[0], part)
        self.parts = parts

        def matrix(g: Tensor) -> Tensor:
            dim = sum(p.dim for p in parts)
            out = g.new_zeros(*g.shape[:-2], dim, dim)
            start = 0
            for part in parts:
                out[..., start : start + part.dim, start : start + part.dim] = part(g)
                start += part.dim
            return out

        super().__init__(
            parts[0].group,
            "+".join(p.name for p in parts),
            sum(p.dim for p in parts),
            matrix,
            permutation=all(p.permutation for p in parts),
        )

    def __reduce__(self):
        return DirectSum, (self.parts,)


class Induced(Representation):
    """Ind_H^G rho on coset representatives r_i: block (j, i) of the matrix of g is rho(r_j^-1 g r_i) if that is in H.

    `rho=None` is the trivial representation of H: functions on G/H, the regular representation for H = {e}.
    """

    def __init__(
        self, group: StructureGroup, subgroup: StructureGroup, rho: Representation | None, *, name: str
    ) -> None:
        self.subgroup = subgroup
        self.rho = trivial(subgroup) if rho is None else rho
        self._cosets = group.coset_representatives(subgroup)
        super().__init__(
            group,
            name,
            len(self._cosets) * self.rho.dim,
            self._table_matrix if group.order else self._block_matrix,
            permutation=self.rho.permutation,
        )

    def _block_matrix(self, g: Tensor) -> Tensor:
        cosets = self._cosets.to(g)
        h = cosets.mT[:, None] @ g[..., None, None, :, :] @ cosets
        inside = self.subgroup.contains(h)[..., None, None]
        blocks = torch.where(inside, self.rho(h), torch.zeros((), dtype=g.dtype, device=g.device))
        return blocks.movedim(-2, -3).reshape(*g.shape[:-2], self.dim, self.dim)

    @cached_property
    def _table(self) -> Tensor:
        return self._block_matrix(self.group.elements())

    def _table_matrix(self, g: Tensor) -> Tensor:
        return self._table.to(g)[self.group.element_index(g)]

    def __reduce__(self):
        rho = None if self.rho.is_trivial else self.rho
        return _induced, (self.group, self.subgroup, rho, self.name)


def trivial(group: StructureGroup) -> Representation:
    """The trivial representation of any group; named `0` as the irrep of order 0."""

    def matrix(g: Tensor) -> Tensor:
        return torch.ones(*g.shape[:-2], 1, 1, dtype=g.dtype, device=g.device)

    return Representation(group, "0", 1, matrix, order=0, permutation=True)


def standard(group: StructureGroup) -> Representation:
    """rho(g) = g."""
    return Representation(group, "standard", group.d, lambda g: g)


def intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    """A canonical basis of Hom_G: all matrices A with target(g) A = A source(g) for every g in G.

    The basis is the reduced row echelon form of the solution space, so it is the same on every run and machine
    and, for permutation representations, consists of 0-1 patterns (weight sharing). float64.
    """
    _same_group(source, target)
    key = (source, target)
    if key not in _INTERTWINERS:
        _INTERTWINERS[key] = _solve_intertwiners(source, target)
    return _INTERTWINERS[key]


_INTERTWINERS: dict[tuple[Representation, Representation], Tensor] = {}


def _solve_intertwiners(source: Representation, target: Representation) -> Tensor:
    group = source.group
    eye_in = torch.eye(source.dim, dtype=torch.float64)
    eye_out = torch.eye(target.dim, dtype=torch.float64)
    rows = [torch.kron(target(g), eye_in) - torch.kron(eye_out, source(g).T.contiguous()) for g in group.generators()]
    rows += [
        torch.kron(target.derivative(x), eye_in) - torch.kron(eye_out, source.derivative(x).T.contiguous())
        for x in group.lie_algebra()
    ]
    n = source.dim * target.dim
    basis = null_space(torch.cat(rows)) if rows else torch.eye(n, dtype=torch.float64)
    return basis.reshape(-1, target.dim, source.dim)


def null_space(constraints: Float[Tensor, "rows n"], *, tol: float = 1e-9) -> Float[Tensor, "count n"]:
    """Reduced row echelon basis of the null space: unique, hence deterministic."""
    values, vectors = torch.linalg.eigh(constraints.T @ constraints)
    return row_echelon(vectors[:, values < tol * max(1.0, float(values[-1]))].T)


def row_echelon(rows: Float[Tensor, "count n"], *, tol: float = 1e-7) -> Float[Tensor, "count n"]:
    """Reduced row echelon form of a matrix of full row rank, cleaned of rounding."""
    rows = rows.clone()
    pivot = 0
    for column in range(rows.shape[1]):
        if pivot == len(rows):
            break
        best = pivot + int(rows[pivot:, column].abs().argmax())
        if rows[best, column].abs() < tol:
            continue
        rows[[pivot, best]] = rows[[best, pivot]]
        rows[pivot] /= rows[pivot, column].clone()
        others = rows[:, column].clone()
        others[pivot] = 0
        rows -= others[:, None] * rows[pivot]
        pivot += 1
    rounded = rows.round()
    return torch.where((rows - rounded).abs() < 1e-12, rounded, rows)


def _independent_embeddings(irrep: Representation, rho: Representation) -> list[Tensor]:
    """Isometric embeddings (n, dim) of `irrep` into `rho` with orthogonal images, as many as its multiplicity."""
    found: list[Tensor] = []
    for a in intertwiners(irrep, rho):
        for b in found:
            a = a - b @ (b.T @ a)
        scale = (a.T @ a).diagonal().mean()
        if scale > 1e-12:
            found.append(a / scale.sqrt())
    return found


def _same_group(a: Representation, b: Representation) -> None:
    if a.group != b.group:
        raise ValueError(f"Expected two representations of one group, got {a.group.name} and {b.group.name}.")


@cache
def _rebuild(group: StructureGroup, name: str) -> Representation:
    return group.representation(name)


def _induced(group: StructureGroup, subgroup: StructureGroup, rho: Representation | None, name: str) -> Induced:
    return Induced(group, subgroup, rho, name=name)
