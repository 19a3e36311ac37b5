"""The angular frequencies of the kernels of a group."""

from __future__ import annotations

from functools import lru_cache

import torch

from gaugenet.groups import O2, O3, SO2, SO3, FieldType, Representation, StructureGroup
from gaugenet.kernels.harmonics import harmonic_dim

_MOST_3D = 4
"""Highest default frequency in R^3, where there are (j + 1)^2 harmonics of frequencies up to j."""


def is_transitive(group: StructureGroup) -> bool:
    """Return whether the group reaches every direction, so that kernels of irreps have finitely many frequencies."""
    return group in (SO2(), O2(), SO3(), O3())


def complete_frequency(rho_in: Representation, rho_out: Representation) -> int | None:
    """Return the highest frequency of the kernels between two representations, `None` if there is none."""
    if rho_in.group.d == 1:
        return 1
    return highest_order(rho_in) + highest_order(rho_out) if is_transitive(rho_in.group) else None


@lru_cache(maxsize=4096)
def highest_order(rho: Representation) -> int:
    """Return the highest angular order of its irreps."""
    irreps = [rho] if rho.is_irreducible else rho.decompose().irreps
    return max((irrep.order or 0 for irrep in irreps), default=0)


@lru_cache(maxsize=4096)
def pair_frequencies(rho_in: Representation, rho_out: Representation, limit: int) -> list[int]:
    """Return the frequencies up to a limit at which orders and parities allow kernels."""
    group = rho_in.group
    found = [j for j in range(limit + 1) if harmonic_dim(group.d, j)]
    if is_transitive(group) and rho_in.is_irreducible and rho_out.is_irreducible:
        low, high = sorted((rho_in.order or 0, rho_out.order or 0))
        sums = (high - low, high + low)
        found = [j for j in found if (j in sums if group.d == 2 else sums[0] <= j <= sums[1])]
    return [j for j in found if _parities_agree(rho_in, rho_out, group.harmonic(j))]


def _parities_agree(rho_in: Representation, rho_out: Representation, y: Representation) -> bool:
    """Return `False` if -1 acts by a sign on all three and the signs do not agree: then there are no kernels."""
    if not _has_inversion(rho_in.group):
        return True
    inversion, product = -rho_in.group.identity(), 1.0
    for rho in (rho_in, rho_out, y):
        matrix = rho(inversion)
        if not torch.equal(matrix, matrix[0, 0] * torch.eye(rho.dim, dtype=torch.float64)):
            return True
        product *= matrix[0, 0].item()
    return product > 0


@lru_cache(maxsize=256)
def _has_inversion(group: StructureGroup) -> bool:
    return bool(group.contains(-group.identity()))


def default_frequency(in_type: FieldType, out_type: FieldType) -> int:
    """Return the band limit of kernels that have infinitely many frequencies.

    For finite groups it is the lowest frequency up to which the harmonics contain every irrep of the rotations in the
    group, as its regular representation does: half the number of rotations for planar groups, 2 for the tetrahedral, 3
    for the octahedral and icosahedral rotations; at least 2, and in R^3 at most 4. For infinite groups that do not
    reach every direction (rotations about one axis) it is the sum of the highest orders, within the same bounds.
    """
    group = in_type.group
    if group.order is None:
        highest = [max((highest_order(b.representation) for b in t.blocks), default=0) for t in (in_type, out_type)]
        return min(max(2, sum(highest)), _MOST_3D)
    return 1 if group.d == 1 else _resolving_frequency(group)


@lru_cache(maxsize=256)
def _resolving_frequency(group: StructureGroup) -> int:
    elements = group.elements()
    rotations = elements[torch.linalg.det(elements) > 0]
    if group.d == 2:
        return max(2, len(rotations) // 2)
    functions = torch.zeros(len(rotations), 0, dtype=torch.float64)
    for j in range(_MOST_3D + 1):
        functions = torch.cat([functions, group.harmonic(j)(rotations).flatten(1)], 1)
        if torch.linalg.matrix_rank(functions, rtol=1e-9) == len(rotations):
            return max(2, j)
    return _MOST_3D
