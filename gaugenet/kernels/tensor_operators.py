"""Tensor operators: the intertwiners Hom_G(Y x rho_in, rho_out) of the Wigner-Eckart theorem."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups import Representation, intertwiners
from gaugenet.groups.representations.induced import Induced


def tensor_operators(
    rho_in: Representation, rho_out: Representation, y: Representation
) -> Float[Tensor, "count out harmonics in"]:
    """Return an orthonormal basis of Hom_G(Y x rho_in, rho_out) for orthogonal representations, float64.

    The basis is deterministic. Induced representations are solved in closed form by Frobenius reciprocity: a map to
    Ind_H rho is determined by its component at the coset of the identity, a map from Ind_H rho by its values there, and
    these may be any H-intertwiner. So the null space that has to be computed is smaller by the index of H; for regular
    representations there is none.
    """
    if isinstance(rho_out, Induced):
        seed = _restricted(rho_in, rho_out.rho, y)
        r = rho_out.cosets
        maps = (
            torch.einsum("bshi,rHh,rIi->brsHI", seed, y(r), rho_in(r)) / len(r) ** 0.5
        )  # A_r = A_e (Y x rho_in)(r)^-1
        return typed_tensor(maps.flatten(1, 2))
    if isinstance(rho_in, Induced):
        seed = _restricted(rho_in.rho, rho_out, y)
        r = rho_in.cosets
        maps = torch.einsum("bohs,rOo,rHh->bOHrs", seed, rho_out(r), y(r)) / len(r) ** 0.5
        return typed_tensor(maps.flatten(3))
    maps = intertwiners(y.tensor(rho_in), rho_out)
    return typed_tensor(_orthonormal(maps).unflatten(-1, (y.dim, rho_in.dim)))


def _restricted(rho_in: Representation, rho_out: Representation, y: Representation) -> Tensor:
    """Return the basis for the subgroup from which a representation is induced."""
    small = rho_in.group if rho_in.group != y.group else rho_out.group
    return tensor_operators(rho_in.restrict(small), rho_out.restrict(small), y.restrict(small))


def _orthonormal(maps: Float[Tensor, "count *shape"]) -> Float[Tensor, "count *shape"]:
    """Orthonormalize in the order given, so that the basis is the same on every machine."""
    rows = maps.flatten(1)
    for _ in range(2 if len(maps) else 0):  # twice for full precision
        rows = torch.linalg.solve_triangular(torch.linalg.cholesky(rows @ rows.T), rows, upper=False)
    return rows.view_as(maps)
