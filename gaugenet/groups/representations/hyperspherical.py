"""Harmonics of R^d in any dimension d > 2, and the matrices by which they transform; for d = 3 see `spherical`.

Harmonic polynomials of degree j lie in (polynomials of degree j - 1) x R^d, which gives a recursion over degrees:

    Y_j(v) = s_j Q_j^T (Y_{j-1}(v) x v),    D^j(g) = Q_j^T (D^{j-1}(g) x g) Q_j,    s_j^2 = (2 j + d - 4) / (j + d - 3),

with isometries Q_j, whose image is an eigenspace of the coupled angular momenta. Normalization: |Y_j(v)| = |v|^j.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet._typing import typed_tensor
from gaugenet.groups.intertwiners.peter_weyl import canonical_basis
from gaugenet.groups.representations.base import Representation

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class HarmonicRepresentation(Representation):
    """The representation on harmonics of frequency j on the sphere in R^d: the irrep of O(d), restricted to a group.

    Args:
        group: a subgroup of O(d), d > 3.
        frequency: j.
    """

    def __init__(self, group: StructureGroup, frequency: int) -> None:
        dim = hyperspherical_dim(group.d, frequency)
        super().__init__(group, f"harmonic({frequency})", dim, lambda g: hyperspherical_matrix(g, frequency))


def hyperspherical_dim(d: int, j: int) -> int:
    """Return number of independent harmonic polynomials of degree j in d > 2 variables."""
    return math.comb(j + d - 1, j) - (math.comb(j + d - 3, j - 2) if j > 1 else 0)


def hyperspherical_harmonics(v: Float[Tensor, "*points d"], max_order: int) -> list[Float[Tensor, "*points dim"]]:
    """Return [Y_0(v), Y_1(v) = v, ..., Y_L(v)], each of length one at unit vectors."""
    d, found = v.shape[-1], [torch.ones_like(v[..., :1])]
    for j in range(1, max_order + 1):
        scale = math.sqrt((2 * j + d - 4) / (j + d - 3))
        outer = (found[-1][..., :, None] * v[..., None, :]).flatten(-2)
        found.append(outer @ (scale * ascent(d, j)).to(v))
    return found


def hyperspherical_matrix(g: Float[Tensor, "*batch d d"], order: int) -> Float[Tensor, "*batch dim dim"]:
    """Return D^j(g), with `Y_j(g v) = D^j(g) Y_j(v)` for g in O(d)."""
    matrix = torch.ones_like(g[..., :1, :1])
    for j in range(1, order + 1):
        q = ascent(g.shape[-1], j).to(g)
        product = torch.einsum("...ab,...cd->...acbd", matrix, g).flatten(-2).flatten(-3, -2)
        matrix = q.T @ product @ q
    return matrix


@cached
def ascent(d: int, j: int) -> Float[Tensor, "lower_times_d dim"]:
    """Return Q_j; rows (harmonic of degree j - 1, axis), float64.

    The sum of L_ab x L_ab over all planes is 1 - j on degree j, j + d - 3 on degree j - 2, and 1 on the rest.
    """
    if j == 1:
        return torch.eye(d, dtype=torch.float64)
    coupled = torch.einsum("lab,lcd->acbd", momenta(d, j - 1), momenta(d, 1)).flatten(2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(coupled)
    space = vectors[:, values < 0]
    basis = space @ (space.T @ canonical_basis(space))  # restores the digits lost by row operations
    return typed_tensor(torch.linalg.solve_triangular(torch.linalg.cholesky(basis.T @ basis), basis.T, upper=False).T)


@cached
def momenta(d: int, j: int) -> Float[Tensor, "planes dim dim"]:
    """Return L_ab on the harmonics of degree j: the derivatives of D^j along the rotations of all coordinate planes."""
    a, b = torch.triu_indices(d, d, 1)
    planes = torch.arange(len(a))
    rotations = torch.zeros(len(a), d, d, dtype=torch.float64)
    rotations[planes, a, b], rotations[planes, b, a] = -1, 1
    if j == 1:
        return rotations
    q = ascent(d, j).unflatten(0, (-1, d))
    lower = torch.einsum("aix,lab,biy->lxy", q, momenta(d, j - 1), q)
    return lower + torch.einsum("aix,lij,ajy->lxy", q, rotations, q)


__all__ = ["HarmonicRepresentation", "hyperspherical_dim", "hyperspherical_harmonics", "hyperspherical_matrix"]
