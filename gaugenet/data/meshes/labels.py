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
"""Larger integers are not exact in text files and float arrays."""


def read_labels(path: Path) -> Int[ndarray, "n"]:
    """Return the integer labels of a `.npy` file, or of a text file with one number per line.

    Raises:
        DataError: If the file is empty, truncated, not one-dimensional, or contains other values than integers.
    """
    try:
        if path.suffix == ".npy":
            array = read_npy(path)
        else:
            array = np.array(path.read_text(encoding="utf-8-sig").split(), dtype=np.float64)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as labels ({error}): expected one integer per line.") from error
    return _whole_numbers(array, path)


def _whole_numbers(array: ndarray, path: Path | str) -> Int[ndarray, "n"]:
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"{path}: expected labels of shape (n,), got {array.shape}.")
    if array.dtype.kind not in "iuf":
        raise DataError(f"{path}: expected integer labels, got values of type {array.dtype}.")
    with np.errstate(invalid="ignore"):
        whole = (array == np.round(array)) & (np.abs(array.astype(np.float64)) < _LARGEST)  # not NaN, not infinite
    if not whole.all():
        first = int(np.flatnonzero(~whole)[0])
        raise DataError(f"{path}: label {array[first]} at position {first} is not an integer.")
    return array.astype(np.int64)


def read_ply_labels(path: Path, attribute: str = "label") -> dict[str, Int[ndarray, "n"]]:
    """Return the property `label` of the `"vertices"` and `"faces"` of a PLY file, as far as present.

    Raises:
        DataError: If the file cannot be read as a mesh.
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
    """Return the indices of the three edges of each face, in the order of edges of MeshCNN :cite:`hanocka2019meshcnn`.

    Edges are numbered in the order of their first occurrence in the sequence of faces, in each face in the order of
    corners (0, 1), (1, 2), (2, 0), as in `mesh_prepare.build_gemm` of the published code.

    Example:
        >>> from gaugenet.data import meshcnn_edges
        >>> from gaugenet.geometry import TriangleMesh
        >>> square = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
        >>> meshcnn_edges(square).tolist()  # the edge 2 is the diagonal
        [[0, 1, 2], [2, 3, 4]]
    """
    _, first, inverse = np.unique(mesh.halfedge_to_edge, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse].reshape(-1, 3)


def majority_of_edges(edge_labels: Int[ndarray, "edges"], face_edges: Int[ndarray, "faces 3"]) -> ndarray:
    """Return the most frequent label `(F,)` of the three edges of each face, the "hard" labels of MeshCNN.

    If all three differ, the result is the smallest label, as on 2 of 571,500 faces of the human-body training set.
    Edges with `IGNORE_LABEL` are ignored unless all have it.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import majority_of_edges
        >>> edge_labels, face_edges = np.array([3, 3, 5, 5, 5]), np.array([[0, 1, 2], [2, 3, 4]])
        >>> majority_of_edges(edge_labels, face_edges).tolist()
        [3, 5]
    """
    a, b, c = np.sort(edge_labels[face_edges], axis=1).T
    smallest = np.where(a != IGNORE_LABEL, a, np.where(b != IGNORE_LABEL, b, c))
    return typed_array(np.where(b == c, b, smallest))


def face_to_vertex_distribution(
    mesh: TriangleMesh, face_labels: Int[ndarray, "faces"], num_classes: int
) -> Float[ndarray, "vertices classes"]:
    """Return the fraction of each class in the labelled area around each vertex.

    Rows sum to one; the row of a vertex without labelled faces is zero. Faces without area have a small weight, so a
    vertex with only such faces has labels.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import face_to_vertex_distribution
        >>> from gaugenet.geometry import TriangleMesh
        >>> square = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
        >>> face_to_vertex_distribution(square, np.array([0, 1]), 2)[:2].round(6).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
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
    """Return rows with a one at the label; zero rows for `IGNORE_LABEL`.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import one_hot
        >>> one_hot(np.array([1, -1]), 2).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    rows = np.zeros((len(labels), num_classes))
    known = np.flatnonzero(labels != IGNORE_LABEL)
    rows[known, labels[known]] = 1.0
    return rows


def hard_labels(distribution: Float[ndarray, "n classes"]) -> Int[ndarray, "n"]:
    """Return the most probable class of each row; `IGNORE_LABEL` for a zero row.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import hard_labels
        >>> hard_labels(np.array([[0.3, 0.7], [0.0, 0.0]])).tolist()
        [1, -1]
    """
    return np.where(distribution.sum(axis=1) > 0, distribution.argmax(axis=1), IGNORE_LABEL).astype(np.int64)


def vertex_to_face(
    values: Float[Tensor, "vertices channels"], face: Int[Tensor, "3 faces"]
) -> Float[Tensor, "faces channels"]:
    """Return the mean of the values at the three corners of each face, such as probabilities.

    Args:
        values: probabilities or another quantity of the vertices.
        face: vertex indices of the corners, as in `GaugeGraph.face`, also of a batch.

    Example:
        >>> import torch
        >>> from gaugenet.data import vertex_to_face
        >>> vertex_to_face(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[0], [1], [2]]))
        tensor([[2.]])
    """
    if face.shape[0] != 3:
        raise ValueError(f"Expected `face` of shape (3, F), got {tuple(face.shape)}: pass `face.T`.")
    return torch.stack([values[corner] for corner in face]).mean(dim=0)
