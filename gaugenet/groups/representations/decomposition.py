"""Disentangling: the irreps of a representation and the orthogonal change of basis that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.intertwiners.intertwiner import intertwiners
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import block_diagonal


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Irreps of a representation, in order, and the orthogonal matrix Q whose columns embed them.

    `Q^T rho(g) Q` is block diagonal: features `x` become `Q^T x`, fields of the irreps.
    """

    irreps: list[Representation]
    basis: Float[Tensor, "n n"]

    @property
    def labels(self) -> list[str]:
        return [rho.name for rho in self.irreps]

    def __call__(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        """The representation put together again: `Q (+)_i rho_i(g) Q^T`."""
        blocks = block_diagonal(self.irreps, g)
        basis = self.basis.to(blocks)
        return basis @ blocks @ basis.T


@lru_cache(maxsize=1024)
def decompose(rho: Representation, max_order: int | None = None) -> Decomposition:
    """`rho(g) = Q (+)_i rho_i(g) Q^T` for orthogonal rho, see `Representation.decompose`."""
    if not rho.group.compact:
        raise ValueError(
            f"{rho.group.name} is not compact: there is no orthogonal basis in which {rho!r} splits into irreps. Name "
            "the representations that you need, e.g. tensor products `(1⊗1)`."
        )
    if rho.order is not None and (max_order is None or rho.order <= max_order):
        return Decomposition([rho], torch.eye(rho.dim, dtype=torch.float64))
    irreps: list[Representation] = []
    columns = [torch.zeros(rho.dim, 0, dtype=torch.float64)]
    missing = rho.dim
    for irrep in rho.group.candidates(rho) if max_order is None else rho.group.irreps(max_order):
        if not missing:
            break
        embeddings = independent_embeddings(irrep, rho) if irrep.dim <= missing else []
        irreps += [irrep] * len(embeddings)
        columns += embeddings
        missing -= irrep.dim * len(embeddings)
    if missing:
        raise ValueError(
            f"Found irreps of total dimension {rho.dim - missing} in {rho!r} of dimension {rho.dim}: raise `max_order`."
        )
    return Decomposition(irreps, torch.cat(columns, dim=1))


def clebsch_gordan(rho: Representation, sigma: Representation) -> Decomposition:
    """The irreps of rho (x) sigma and the orthogonal matrix of Clebsch-Gordan coefficients that embeds them."""
    return rho.tensor(sigma).decompose()


def independent_embeddings(irrep: Representation, rho: Representation) -> list[Tensor]:
    """Isometric embeddings (n, dim) of `irrep` into `rho` with orthogonal images, as many as its multiplicity."""
    found = torch.zeros(rho.dim, 0, dtype=torch.float64)
    embeddings: list[Tensor] = []
    for a in intertwiners(irrep, rho):
        for _ in range(2):  # Gram-Schmidt, twice for full precision
            a = a - found @ (found.T @ a)
        scale = a.square().sum() / irrep.dim
        if scale > 1e-12:
            embeddings.append(a / scale.sqrt())
            found = torch.cat([found, embeddings[-1]], 1)
    return embeddings
