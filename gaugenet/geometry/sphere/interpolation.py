"""Sparse matrices of interpolation between points of the sphere."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array, diags_array
from torch import Tensor


def triangle_interpolation(
    points: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], targets: Float[ndarray, "n 3"]
) -> tuple[Int[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Return the corners of the triangle that contains each target, and weights of linear interpolation.

    The weights are the barycentric coordinates of the point where the ray to the target meets the triangle's plane.
    """
    from scipy.spatial import cKDTree

    corners = points[faces]
    centers = corners.sum(axis=1)
    tree = cKDTree(centers / np.linalg.norm(centers, axis=1, keepdims=True))
    inverse = np.linalg.inv(np.swapaxes(corners, 1, 2))
    candidates = tree.query(targets, k=min(6, len(faces)))[1]
    bary = np.einsum("nfij,nj->nfi", inverse[candidates], targets)
    best = bary.min(axis=2).argmax(axis=1)
    rows = np.arange(len(targets))
    weight = np.maximum(bary[rows, best], 0.0)
    return faces[candidates[rows, best]], weight / weight.sum(axis=1, keepdims=True)


def interpolation_matrix(index: Int[ndarray, "n k"], weight: Float[ndarray, "n k"], count: int) -> csr_array:
    """Return the matrix `(n, count)` with `weight` at the columns `index`."""
    rows = np.repeat(np.arange(len(index)), index.shape[1])
    return csr_array(coo_array((weight.reshape(-1), (rows, index.reshape(-1))), shape=(len(index), count)))


def selection(index: Int[ndarray, "n"], count: int) -> csr_array:
    """Return the matrix `(n, count)` that selects the values at `index`."""
    return interpolation_matrix(index[:, None], np.ones((len(index), 1)), count)


def row_means(areas: csr_array) -> csr_array:
    """Return areas of overlap divided by the sums of their rows."""
    return csr_array(diags_array(1.0 / np.asarray(areas.sum(axis=1)).reshape(-1)) @ areas)


def to_torch(matrix: csr_array, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the same matrix as a sparse torch tensor: `to_torch(m) @ x.T` on any device."""
    starts, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    return torch.sparse_csr_tensor(starts, columns, torch.from_numpy(matrix.data).to(dtype), matrix.shape)


__all__ = ["interpolation_matrix", "row_means", "selection", "to_torch", "triangle_interpolation"]
