"""Decomposition: the irreps of a representation and the orthogonal change of basis into them."""

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

    `Q^T rho(g) Q` is block-diagonal: features `x` become `Q^T x`, fields of the irreps.

    Example:
        >>> from gaugenet.groups import Cyclic
        >>> found = Cyclic(8).regular().decompose()  # the discrete Fourier transform
        >>> found.labels
        ['0', '1', '2', '3', '4']
        >>> found.basis.shape
        torch.Size([8, 8])
    """

    irreps: list[Representation]
    basis: Float[Tensor, "n n"]

    @property
    def labels(self) -> list[str]:
        return [rho.name for rho in self.irreps]

    def __call__(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        """Return the matrix of the representation, composed from the irreps: `Q (+)_i rho_i(g) Q^T`."""
        blocks = block_diagonal(self.irreps, g)
        basis = self.basis.to(blocks)
        return basis @ blocks @ basis.T


@lru_cache(maxsize=1024)
def decompose(rho: Representation, max_order: int | None = None) -> Decomposition:
    """Return `rho(g) = Q (+)_i rho_i(g) Q^T` for orthogonal rho, see `Representation.decompose`."""
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
    """Return the irreps of rho (x) sigma and the orthogonal matrix of Clebsch-Gordan coefficients that embeds them.

    For SO(3) and O(3) the coefficients are known in closed form :cite:`varshalovich1988quantum`.

    Example:
        >>> from gaugenet.groups import O3, clebsch_gordan
        >>> found = clebsch_gordan(O3().irrep("1o"), O3().irrep("1o"))
        >>> found.labels, found.basis.shape
        (['0', '1e', '2e'], torch.Size([9, 9]))
    """
    return rho.tensor(sigma).decompose()


def independent_embeddings(irrep: Representation, rho: Representation) -> list[Tensor]:
    """Return isometric embeddings (n, dim) of `irrep` into `rho` with orthogonal images, one for each copy."""
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
