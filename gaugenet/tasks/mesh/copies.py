"""Copies of training meshes among the validation meshes, whose scores would be too good."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.tasks.mesh.preparation import Prepared

logger = logging.getLogger(__name__)

_SAME = 1e-3
"""Share of the area by which the vertices of a copy may differ: rounding moves 1e-5, another pose some percent."""
_SHOWN = 3


def find_copies(training: Sequence[GaugeGraph], others: Sequence[GaugeGraph]) -> list[tuple[int, int]]:
    """Return the rows of other meshes and of the first training mesh that each is a copy of.

    Copies have equal numbers of vertices and faces, and equal areas of vertices, in any order and in any unit: they may
    be moved, scaled, mirrored and renumbered.
    """
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for k, graph in enumerate(training):
        by_size[_sizes(graph)].append(k)
    wanted = {_sizes(graph) for graph in others} & by_size.keys()
    areas = {size: np.stack([_areas(training[k]) for k in by_size[size]]) for size in wanted}
    found = []
    for row, graph in enumerate(others):
        if (size := _sizes(graph)) in wanted:
            same = np.abs(areas[size] - _areas(graph)).sum(axis=1) < _SAME
            if same.any():
                found.append((row, by_size[size][int(same.argmax())]))
    return found


def warn_of_copies(training: Sequence[Prepared], held_out: Sequence[Prepared]) -> None:
    """Log a warning that names validation meshes that are copies of training meshes."""
    found = find_copies([one.graph for one in training], [one.graph for one in held_out])
    if found:
        named = [f"{held_out[a].sample.name} of {training[b].sample.name}" for a, b in found[:_SHOWN]]
        logger.warning(
            "%d of %d validation meshes are copies of training meshes (%s): their scores are too good. Remove one of "
            "each, or keep them in one part (--data.group).",
            len(found),
            len(held_out),
            ", ".join(named) + (", ..." if len(found) > _SHOWN else ""),
        )


def _sizes(graph: GaugeGraph) -> tuple[int, int]:
    return int(graph.num_nodes), graph.face.shape[1]


def _areas(graph: GaugeGraph) -> np.ndarray:
    """Return the share of the area of each vertex, ascending."""
    mass = np.sort(graph.mass.double().numpy())
    return mass / max(float(mass.sum()), np.finfo(float).tiny)


__all__ = ["find_copies", "warn_of_copies"]
