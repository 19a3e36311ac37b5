"""Intertwiners without equations: from orbits, cosets, summands, factors and Schur's lemma.

Every rule gives the same canonical basis as the equations (reduced row echelon form), but takes milliseconds where the
equations have thousands of unknowns.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.intertwiners.intertwiner import intertwiners, row_echelon
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import DirectSum, TensorProduct
from gaugenet.groups.representations.induced import Induced
from gaugenet.groups.representations.outer_product import OuterProduct

_FEW_UNKNOWNS = 64
"""Largest number of unknowns for which the equations are solved directly, without decomposing representations first."""


def by_structure(source: Representation, target: Representation) -> Tensor | None:
    """Return the canonical basis of Hom_G, if it follows from the structure of the representations; else `None`."""
    if source.permutation and target.permutation:
        return _orbits(source, target)
    if source.is_irreducible and target.is_irreducible and source != target:
        return torch.zeros(0, target.dim, source.dim, dtype=torch.float64)  # Schur's lemma
    if isinstance(source, OuterProduct) and isinstance(target, OuterProduct):
        return _of_factors(source, target)
    if isinstance(source, DirectSum) or isinstance(target, DirectSum):
        return _between_summands(source, target)
    if isinstance(target, Induced):
        return _into_induced(source, target)
    if isinstance(source, Induced):
        return _from_induced(source, target)
    if not source.group.compact:
        return None  # representations of other groups need not split into irreps
    if isinstance(source, TensorProduct):
        return _from_product(source, target)
    if isinstance(target, TensorProduct) and source.is_orthogonal and target.is_orthogonal:
        return _echelon(intertwiners(target, source).mT)
    return _by_irreps(source, target)


def _orbits(source: Representation, target: Representation) -> Tensor:
    """Return 0-1 patterns: the orbits of G on pairs (row, column)."""
    label = torch.arange(target.dim * source.dim).view(target.dim, source.dim)
    moves = [(target(g).argmax(0), source(g).argmax(0)) for g in source.group.generators()]
    changed = True
    while changed:
        before = label
        for rows, columns in moves:
            moved = label[rows[:, None], columns]
            label = torch.minimum(label, moved)
            back = torch.full_like(label, label.numel())
            back[rows[:, None], columns] = label
            label = torch.minimum(label, back)
        label = label.flatten()[label]  # follow the labels: logarithmically many rounds
        changed = not torch.equal(label, before)
    return typed_tensor((label == label.unique()[:, None, None]).double())


def _of_factors(source: OuterProduct, target: OuterProduct) -> Tensor:
    """Return all products of intertwiners of the two factors: the mean over H x K is the product of two means."""
    first, second = intertwiners(source.first, target.first), intertwiners(source.second, target.second)
    products = torch.einsum("aij,bkl->abikjl", first, second)
    return _echelon(products.reshape(-1, target.dim, source.dim))


def _between_summands(source: Representation, target: Representation) -> Tensor:
    """Solve block by block. The blocks do not overlap, so their echelon forms only have to be sorted by pivots."""
    columns = source.parts if isinstance(source, DirectSum) else [source]
    rows = target.parts if isinstance(target, DirectSum) else [target]
    blocks = []
    for (i, b), (j, a) in itertools.product(_offsets(rows), _offsets(columns)):
        maps = intertwiners(a, b)
        full = torch.zeros(len(maps), target.dim, source.dim, dtype=torch.float64)
        full[:, i : i + b.dim, j : j + a.dim] = maps
        blocks.append(full)
    return _sorted_by_pivots(torch.cat(blocks))


def _into_induced(source: Representation, target: Induced) -> Tensor:
    """Return the basis by Frobenius reciprocity: A_0 any intertwiner of the subgroup, A_i = A_0 source(r_i)^-1.

    The rows A_0 come first and determine the others, so that the echelon form of A_0 is that of A.
    """
    first = intertwiners(source.restrict(target.subgroup), target.rho)
    back = source(target.cosets.mT)
    return torch.einsum("cpn,inm->cipm", first, back).flatten(1, 2)


def _from_induced(source: Induced, target: Representation) -> Tensor:
    """Return the basis by Frobenius reciprocity: the columns of coset i are target(r_i) times those of the first."""
    first = intertwiners(source.rho, target.restrict(source.subgroup))
    full = torch.einsum("imn,cnp->cmip", target(source.cosets), first)
    return _echelon(full.flatten(2))


def _from_product(source: TensorProduct, target: Representation) -> Tensor | None:
    """Decompose factors until they are irreps; those of SO(3) couple in closed form."""
    a, b = source.factors
    for position, factor in enumerate(source.factors):
        if not factor.is_irreducible and factor.is_orthogonal and target.dim * source.dim > _FEW_UNKNOWNS:
            return _through_factor(source, target, position)
    if not target.is_irreducible and target.is_orthogonal:
        return _by_irreps(source, target)
    if a.is_irreducible and b.is_irreducible:
        return source.group.couple(a, b, target)
    return None


def _through_factor(source: TensorProduct, target: Representation, position: int) -> Tensor:
    """Return Hom(a x b, c) from the irreps of one factor."""
    factors = list(source.factors)
    found = factors[position].decompose()
    dims = [f.dim for f in source.factors]
    parts, start = [], 0
    for irrep in found.irreps:
        factors[position] = irrep
        maps = intertwiners(factors[0].tensor(factors[1]), target)
        maps = maps.unflatten(-1, (factors[0].dim, factors[1].dim))
        embed = found.basis[:, start : start + irrep.dim]
        equation = ("coib,ai->coab", "coai,bi->coab")[position]
        parts.append(torch.einsum(equation, maps, embed))
        start += irrep.dim
    return _echelon(torch.cat(parts).reshape(-1, target.dim, dims[0] * dims[1]))


def _by_irreps(source: Representation, target: Representation) -> Tensor | None:
    """Apply Schur's lemma in the irreps of both sides, if there are many unknowns."""
    if source.dim * target.dim <= _FEW_UNKNOWNS or source.is_irreducible or target.is_irreducible:
        return None
    if not (source.is_orthogonal and target.is_orthogonal):
        return None
    sides = source.decompose(), target.decompose()
    parts = [torch.zeros(0, target.dim, source.dim, dtype=torch.float64)]
    for (i, b), (j, a) in itertools.product(_offsets(sides[1].irreps), _offsets(sides[0].irreps)):
        if a == b:
            out, into = sides[1].basis[:, i : i + b.dim], sides[0].basis[:, j : j + a.dim]
            parts.append(out @ intertwiners(a, b) @ into.T)
    return _echelon(torch.cat(parts))


def _echelon(maps: Tensor) -> Tensor:
    return row_echelon(maps.flatten(1)).view(maps.shape)


def _sorted_by_pivots(maps: Tensor) -> Tensor:
    return maps[(maps.flatten(1) != 0).to(torch.uint8).argmax(1).argsort(stable=True)]


def _offsets(parts: list[Representation]) -> list[tuple[int, Representation]]:
    """Return the summands with their first indices."""
    starts = itertools.accumulate((p.dim for p in parts), initial=0)
    return list(zip(starts, parts, strict=False))
