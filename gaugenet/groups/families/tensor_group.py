"""TensorGroup: non-compact matrix groups, whose irreps are symmetric tensors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.group import StructureGroup
from gaugenet.groups.intertwiners.intertwiner import null_space
from gaugenet.groups.representations.base import Representation


class TensorGroup(StructureGroup):
    """A non-compact matrix group, such as `GeneralLinear`. Irreps: `0`, signs, and `k`, the symmetric k-tensors.

    `1` is the matrix itself; higher ranks are traceless where the group preserves an inner product. Other tensors are
    products, e.g. `(1⊗1)`. There is no finite Haar measure: `random_element` draws from a bounded set that generates
    the group, nothing is averaged over the group, and representations are not orthogonal.
    """

    compact = False

    @property
    @abstractmethod
    def metric(self) -> Float[Tensor, "d d"] | None:
        """The inner product that the group preserves, if there is one."""

    @property
    @abstractmethod
    def characters(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """One-dimensional representations by their labels: `(..., d, d)` to `(...)`."""

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        if text in self.characters:
            character = self.characters[text]
            return Representation(self, text, 1, lambda g: character(g)[..., None, None], order=0)
        if not text.isdigit():
            signs = "".join(f"`{name}`, " for name in self.characters)
            raise ValueError(
                f"Unknown representation {label!r} of {self.name}: expected `0`, {signs}a rank 1, 2, ..., `standard` "
                "or `trivial`."
            )
        return symmetric_tensors(self, int(text)) if int(text) else self.trivial()

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        if max_order is None:
            raise ValueError(f"{self.name} has infinitely many irreps: pass `max_order`.")
        return [self.irrep(label) for label in ("0", *self.characters, *range(1, max_order + 1))]

    def standard(self) -> Representation:
        return self.irrep(1)

    def harmonic(self, order: int) -> Representation:
        """Return how the polynomials of one degree transform; for groups with an inner product, the harmonic ones."""
        return self.irrep(order)


class SymmetricTensors(Representation):
    """The symmetric (and traceless) tensors of rank k, in an orthonormal basis of their space in R^d x ... x R^d.

    Args:
        group: G.
        rank: k, at least 1.
    """

    def __init__(self, group: TensorGroup, rank: int) -> None:
        self.rank = rank
        self.basis = _symmetric_basis(group, rank)
        """`(n, d^k)`, orthonormal rows."""
        reducible = group.d == 2 and group.metric is not None and group.orientation_preserving  # the two light rays
        super().__init__(group, str(rank), len(self.basis), self._act, order=None if reducible else rank)

    def _act(self, g: Tensor) -> Tensor:
        basis, power = self.basis.to(g), g
        for _ in range(self.rank - 1):
            power = torch.einsum("...ab,...cd->...acbd", power, g).flatten(-2).flatten(-3, -2)
        return basis @ power @ basis.T

    def polynomials(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points n"]:
        """Return h(v) with `h(g v) = rho(g) h(v)`: the components of v x ... x v."""
        power = v
        for _ in range(self.rank - 1):
            power = (power.unsqueeze(-1) * v.unsqueeze(-2)).flatten(-2)
        return power @ self.basis.to(v).T


@lru_cache(maxsize=1024)
def symmetric_tensors(group: TensorGroup, rank: int) -> SymmetricTensors:
    """Return the object for these arguments, made once."""
    return SymmetricTensors(group, rank)


def _symmetric_basis(group: TensorGroup, rank: int) -> Float[Tensor, "n tensors"]:
    d = group.d
    index = torch.arange(d**rank).view([d] * rank)
    eye = torch.eye(d**rank, dtype=torch.float64)
    rows = [eye - eye[index.transpose(i, i + 1).flatten()] for i in range(rank - 1)]
    if group.metric is not None and rank > 1:
        rows.append(torch.einsum("ij,ijkn->kn", group.metric, eye.view(d, d, -1, d**rank)))
    basis = null_space(torch.cat(rows)) if rows else eye
    for _ in range(2):  # Gram-Schmidt, twice for full precision
        basis = torch.linalg.solve_triangular(torch.linalg.cholesky(basis @ basis.T), basis, upper=False)
    return basis


__all__ = ["SymmetricTensors", "TensorGroup", "symmetric_tensors"]
