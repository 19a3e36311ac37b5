"""Orbits of displacements on a lattice under rotations and reflections, and the representations on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Representation, StructureGroup

Offset = tuple[int, ...]


@dataclass(frozen=True)
class Orbit:
    """The images h v of one displacement v under a finite group H.

    Attributes:
        offsets: the images, in the order in which they first occur among the elements of H applied to v, the largest.
        pattern: for each element h of H the position of h v in `offsets`. Orbits with equal patterns have equal
            permutation representations.
    """

    offsets: tuple[Offset, ...]
    pattern: tuple[int, ...]


def orbits(group: StructureGroup, offsets: Sequence[Offset]) -> list[Orbit]:
    """Return the orbits of the displacements, in the order of their first members.

    Raises:
        ValueError: If the group acts on another dimension, or maps a displacement to one that is not in the list.
    """
    if group.d != len(offsets[0]):
        raise ValueError(
            f"Expected displacements in {group.d} dimensions for {group.name}, got {offsets[0]}: give `Shifts` and the "
            "group the dimension of the lattice."
        )
    found: list[Orbit] = []
    seen: set[Offset] = set()
    for offset in offsets:
        if offset in seen:
            continue
        orbit = _orbit(group, max(_images(group, offset)))
        if missing := sorted(set(orbit.offsets) - set(offsets)):
            raise ValueError(
                f"Expected displacements that {group.name} maps to each other, got {offset} without {missing}: add "
                "them, or use a smaller group."
            )
        found.append(orbit)
        seen |= set(orbit.offsets)
    return found


@cache
def permutation(group: StructureGroup, orbit: Orbit) -> Representation:
    """Return how H permutes the displacements of an orbit."""
    if len(orbit.offsets) == 1:
        return group.trivial()
    table = torch.tensor(orbit.offsets, dtype=torch.float64)

    def matrix(h: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        v = table.to(h)
        moved = v @ h.mT  # row i is h v_i
        return (moved[..., None, :, :] - v[:, None, :]).abs().amax(-1).lt(0.5).to(h)

    name = f"orbit{orbit.offsets[0]}".replace(" ", "")
    return Representation(group, name, len(orbit.offsets), matrix, permutation=True)


@cache
def _orbit(group: StructureGroup, first: Offset) -> Orbit:
    images = _images(group, first)
    places = {offset: i for i, offset in enumerate(dict.fromkeys(images))}
    return Orbit(tuple(places), tuple(places[image] for image in images))


def _images(group: StructureGroup, offset: Offset) -> list[Offset]:
    moved = group.elements() @ torch.tensor(offset, dtype=torch.float64)
    rounded = moved.round()
    if bool((moved - rounded).abs().max() > 1e-6):
        raise ValueError(f"Expected a group that maps the lattice to itself, {group.name} does not: use Hypercubic(d).")
    return [tuple(int(k) for k in row) for row in rounded.tolist()]


__all__ = ["Offset", "Orbit", "orbits", "permutation"]
