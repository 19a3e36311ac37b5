"""Where the errors of a labelling are: which classes are confused most, and how near errors are to true boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.mesh.losses import IGNORE

_SHOWN = 3


@dataclass
class BoundaryErrors:
    """Numbers of items and of errors, all of them and near the true boundaries between classes.

    Attributes:
        items: labelled items; those at a boundary; those within one ring of it.
        errors: wrong ones among these three.
    """

    items: Int[ndarray, "3"]
    errors: Int[ndarray, "3"]

    @classmethod
    def none(cls) -> BoundaryErrors:
        """Return zeros."""
        return cls(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64))

    def add(
        self, mesh: TriangleMesh, items: str, truth: Int[ndarray, "items"], prediction: Int[ndarray, "items"]
    ) -> None:
        """Count one mesh, with labels of its faces (`items` is `"face"`) or of its vertices."""
        known = truth != IGNORE
        wrong = known & (truth != prediction)
        at, near = boundary_items(mesh, items, truth)
        self.items += np.array([np.count_nonzero(known & part) for part in (known, at, near)])
        self.errors += np.array([np.count_nonzero(wrong & part) for part in (known, at, near)])

    def as_dict(self) -> dict[str, float | None]:
        """Return shares of all items and of all errors, `None` without errors."""
        shares: dict[str, float | None] = {}
        for k, where in ((1, "at_boundary"), (2, "within_one_ring")):
            shares[f"items_{where}"] = float(self.items[k] / max(self.items[0], 1))
            shares[f"errors_{where}"] = float(self.errors[k] / self.errors[0]) if self.errors[0] else None
        return shares


def boundary_items(
    mesh: TriangleMesh, items: str, labels: Int[ndarray, "items"]
) -> tuple[Bool[ndarray, "items"], Bool[ndarray, "items"]]:
    """Return which faces (or vertices) are at a boundary between classes, and which are within one ring of it.

    A face is at a boundary if a face on the other side of an edge has another class, a vertex if a vertex at the other
    end of an edge has. One ring further are the faces that share a vertex with these, or the vertices at their edges.
    Unknown labels make no boundary.

    Raises:
        ValueError: If there is not one label for each item.
    """
    count = mesh.num_faces if items == "face" else mesh.num_vertices
    if len(labels) != count:
        raise ValueError(f"Expected one label for each {items}, {count} in all, got {len(labels)}.")
    faces, corners = mesh.faces, mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    if items == "vertex":
        at = np.zeros(len(labels), dtype=bool)
        at[corners[_differ(labels, corners)]] = True
        near = at.copy()
        near[corners[at[corners].any(axis=1)]] = True
        return at, near
    pairs = _faces_across_edges(faces)
    at = np.zeros(len(labels), dtype=bool)
    at[pairs[_differ(labels, pairs)]] = True
    touched = np.zeros(mesh.num_vertices, dtype=bool)
    touched[faces[at]] = True
    return at, touched[faces].any(axis=1)


def costliest_confusions(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the most frequent pairs of a true and a predicted class, each with its share of all errors."""
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    total = int(counts.sum())
    largest = np.argsort(-counts, axis=None, kind="stable")[:_SHOWN]
    pairs = [divmod(int(k), len(counts)) for k in largest if counts.flat[k]]
    return [
        {"truth": classes[i], "predicted": classes[j], "items": int(counts[i, j]), "share": counts[i, j] / total}
        for i, j in pairs
    ]


def _faces_across_edges(faces: Int[ndarray, "faces 3"]) -> Int[ndarray, "pairs 2"]:
    """Return the pairs of faces that follow each other around a common edge; at most edges there is one pair."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    same = (edges[order[1:]] == edges[order[:-1]]).all(axis=1)
    return np.stack([order[:-1][same] // 3, order[1:][same] // 3], axis=1)


def _differ(labels: Int[ndarray, "items"], pairs: Int[ndarray, "pairs 2"]) -> Bool[ndarray, "pairs"]:
    both = labels[pairs]
    different: Bool[ndarray, "pairs"] = (both[:, 0] != both[:, 1]) & (both != IGNORE).all(axis=1)
    return different
