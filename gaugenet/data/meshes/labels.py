"""Label files, and labels transferred between faces, edges and vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError
from gaugenet.files import read_npy
from gaugenet.geometry.mesh._ply import ply_columns
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

_LARGEST = 2.0**53
"""Numbers from here on are not told apart in text files and float arrays."""


def read_labels(path: Path) -> Int[ndarray, "n"]:
    """Integer labels of a `.npy` file, or of a text file with one number a line.

    Raises:
        DataError: the file is empty, truncated, not one-dimensional or holds anything but whole numbers.
    """
    try:
        if path.suffix == ".npy":
            array = read_npy(path)
        else:
            array = np.array(path.read_text(encoding="utf-8-sig").split(), dtype=np.float64)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as labels ({error}): expected one whole number a line.") from error
    return _whole_numbers(array, path)


def _whole_numbers(array: ndarray, path: Path | str) -> Int[ndarray, "n"]:
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"{path}: expected labels of shape (n,), got {array.shape}.")
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path}: expected labels that are whole numbers, got values of type {array.dtype}.")
    with np.errstate(invalid="ignore"):
        whole = (array == np.round(array)) & (np.abs(array.astype(np.float64)) < _LARGEST)  # not NaN, not infinite
    if not whole.all():
        first = int(np.flatnonzero(~whole)[0])
        raise DataError(f"{path}: label {array[first]} at position {first} is not a whole number.")
    return array.astype(np.int64)


def read_ply_labels(path: Path, attribute: str = "label") -> dict[str, Int[ndarray, "n"]]:
    """The property `label` of a PLY file, under `"vertices"` and `"faces"` where it has one.

    Raises:
        DataError: the file cannot be read as a mesh.
    """
    try:
        elements = ply_columns(path.read_bytes())
    except (MeshError, OSError) as error:
        raise DataError(f"Could not read {path} as a mesh: {error}") from error
    kinds = {"vertices": "vertex", "faces": "face"}
    return {
        kind: _whole_numbers(elements[element][attribute], path)
        for kind, element in kinds.items()
        if attribute in elements.get(element, {})
    }


def meshcnn_edges(mesh: TriangleMesh) -> Int[ndarray, "faces 3"]:
    """Index of the three edges of each face, edges numbered in the order in which MeshCNN meets them.

    An edge gets its number when it is first seen while walking the faces in order, in each face over the
    corners (0, 1), (1, 2), (2, 0) (Hanocka et al. 2019, *MeshCNN*; `mesh_prepare.build_gemm` of its published
    code).
    """
    _, first, inverse = np.unique(mesh.halfedge_to_edge, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse].reshape(-1, 3)


def majority_of_edges(edge_labels: Int[ndarray, "edges"], face_edges: Int[ndarray, "faces 3"]) -> ndarray:
    """`(F,)` the label that most of a face's three edges have: the "hard" face labels of the MeshCNN benchmarks.

    Where all three differ the smallest label is taken, as a mode or an argmax over counts does: on the
    human-body training set that happens on 2 of 571,500 faces. Edges marked `IGNORE_LABEL` have no vote
    unless all are.
    """
    a, b, c = np.sort(edge_labels[face_edges], axis=1).T
    smallest = np.where(a != IGNORE_LABEL, a, np.where(b != IGNORE_LABEL, b, c))
    return typed_array(np.where(b == c, b, smallest))


def face_to_vertex_distribution(
    mesh: TriangleMesh, face_labels: Int[ndarray, "faces"], num_classes: int
) -> Float[ndarray, "vertices classes"]:
    """Share of each class in the labelled area around each vertex; a row of zeros where no labelled face is near.

    The rows sum to one elsewhere. Faces without area count a little, so that a vertex of such faces alone has
    labels.
    """
    known = face_labels != IGNORE_LABEL
    tiny = 1e-9 * max(mesh.area / max(mesh.num_faces, 1), np.finfo(np.float64).tiny)
    weight = np.repeat(np.where(known, mesh.face_areas + tiny, 0.0), 3)
    column = np.repeat(np.where(known, face_labels, 0), 3)
    flat = np.bincount(
        mesh.faces.reshape(-1) * num_classes + column,
        weights=weight,
        minlength=mesh.num_vertices * num_classes,
    )
    total = flat.reshape(-1, num_classes)
    mass = total.sum(axis=1, keepdims=True)
    return typed_array(np.divide(total, mass, out=np.zeros_like(total), where=mass > 0))


def one_hot(labels: Int[ndarray, "n"], num_classes: int) -> Float[ndarray, "n classes"]:
    """Rows with a one at the label; zeros where the label is `IGNORE_LABEL`."""
    rows = np.zeros((len(labels), num_classes))
    known = np.flatnonzero(labels != IGNORE_LABEL)
    rows[known, labels[known]] = 1.0
    return rows


def hard_labels(distribution: Float[ndarray, "n classes"]) -> Int[ndarray, "n"]:
    """The likeliest class of each row, `IGNORE_LABEL` where the row is zero."""
    return np.where(distribution.sum(axis=1) > 0, distribution.argmax(axis=1), IGNORE_LABEL).astype(np.int64)


def vertex_to_face(
    values: Float[Tensor, "vertices channels"], face: Int[Tensor, "3 faces"]
) -> Float[Tensor, "faces channels"]:
    """Mean of the values at the three corners of each face: vertex probabilities -> face probabilities.

    Args:
        values: probabilities (or any other vertex quantity).
        face: vertex indices of the corners, as in `GaugeGraph.face`; in a batch the shifted ones.
    """
    if face.shape[0] != 3:
        raise ValueError(f"Expected `face` of shape (3, F), got {tuple(face.shape)}: pass `face.T`.")
    return torch.stack([values[corner] for corner in face]).mean(dim=0)
