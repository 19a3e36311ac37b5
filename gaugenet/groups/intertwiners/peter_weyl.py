"""Irreps found numerically: new constituents of products of known representations (Peter-Weyl).

The result is deterministic. The constituents of a representation are eigenspaces of an averaged matrix. If an irrep
occurs once, its space does not depend on that matrix. The basis of a space is the Gram-Schmidt basis of its reduced row
echelon form. So the same group gives the same irreps, in the same order and basis, on every run and machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.intertwiners.averaging import average
from gaugenet.groups.intertwiners.intertwiner import row_echelon
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.decomposition import independent_embeddings

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup

_GAP = 1e-6
"""Eigenvalues that differ by less than this, relative to the largest, belong to one space."""


def constituents(rho: Representation, known: list[Representation] | tuple[()] = ()) -> list[Float[Tensor, "n dim"]]:
    """Return orthonormal bases of one irreducible subspace for every class of irreps in rho that is not in `known`.

    Sorted by dimension, then by character (the more positive first).
    """
    inside = torch.eye(rho.dim, dtype=torch.float64)
    for irrep in known:
        for e in independent_embeddings(irrep, rho):
            inside = inside - e @ e.T
    found: dict[tuple[float, ...], Tensor] = {}
    for space in _irreducible_spaces(rho, inside):
        found.setdefault(_character_key(rho, space), space)
    return [canonical_basis(found[key]) for key in sorted(found)]


def subrepresentation(rho: Representation, basis: Float[Tensor, "n dim"], name: str, order: int) -> Representation:
    """Return the irrep g -> B^T rho(g) B on the space spanned by the orthonormal columns of B."""

    def matrix(g: Tensor) -> Tensor:
        inner = rho(g)
        b = basis.to(inner)
        return b.T @ inner @ b

    return Representation(rho.group, name, basis.shape[1], matrix, order=order)


def renamed(rho: Representation, name: str) -> Representation:
    """Return the same irrep under another name."""
    return Representation(rho.group, name, rho.dim, rho, order=rho.order)


def canonical_basis(space: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    """Return the orthonormal basis that depends on the space alone: Gram-Schmidt of its reduced row echelon form."""
    echelon = row_echelon(space.T)
    q, r = torch.linalg.qr(echelon.T)
    q = q * r.diagonal().sign()
    rounded = q.round()
    return torch.where((q - rounded).abs() < 1e-14, rounded, q)


def _irreducible_spaces(rho: Representation, inside: Tensor) -> Iterator[Tensor]:
    """Split the range of the projection `inside`, invariant under rho, until an average has one eigenvalue on it."""
    values, vectors = torch.linalg.eigh(inside)
    pending = [vectors[:, values > 0.5]]
    while pending:
        space = pending.pop(0)
        if space.shape[1] < 2:
            yield from [space] * space.shape[1]
            continue
        parts = _split(rho, space)
        if len(parts) == 1:
            yield space
        else:
            pending = parts + pending


def _split(rho: Representation, space: Tensor) -> list[Tensor]:
    """Return the eigenspaces of an averaged symmetric matrix: irreducible, unless two eigenvalues happen to agree."""
    projection = space @ space.T
    i = torch.arange(rho.dim, dtype=torch.float64)
    probe = torch.cos(1 + i[:, None] * i + i[:, None] + i) + torch.diag(i / rho.dim)
    mean = average(rho, rho, projection @ probe @ projection)
    values, vectors = torch.linalg.eigh(space.T @ mean @ space)
    cuts = ((values.diff() > _GAP * values.abs().max()).nonzero().flatten() + 1).tolist()
    return list((space @ vectors).tensor_split(cuts, dim=1))


def _character_key(rho: Representation, space: Tensor) -> tuple[float, ...]:
    g = probes(rho.group)
    character = torch.einsum("na,gnm,ma->g", space, rho(g), space)
    return (space.shape[1], *(-character).round(decimals=6).add(0.0).tolist())


def probes(group: StructureGroup) -> Float[Tensor, "count d d"]:
    """Return a fixed set of elements on which the characters of different irreps differ."""
    if group.order is not None:
        return group.elements()
    draws = group.random_element(8, generator=torch.Generator().manual_seed(1))
    return torch.cat([group.generators(), draws, draws @ draws])


__all__ = ["canonical_basis", "constituents", "renamed", "subrepresentation"]
