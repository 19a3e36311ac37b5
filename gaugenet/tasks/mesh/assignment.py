"""Different labels for all vertices: correspondences of meshes whose vertices match one to one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.tasks.training.options import TaskError

_LEAST_PROBABILITY = 1e-30
"""Smaller probabilities count as this one, so that an impossible label costs much but not infinitely much."""


def one_to_one(probability: Float[ndarray, "vertices classes"]) -> Int[ndarray, "vertices"]:
    """Return the most likely labels that give each class to at most one vertex.

    They maximize the product of the probabilities: a linear assignment problem, solved exactly
    (:cite:`kuhn1955hungarian`; for shape matching :cite:`vestner2017product`). It takes seconds for 7,000 vertices,
    and memory for a few more matrices of this size.

    Args:
        probability: a row for each vertex; rows that are not finite get -1.

    Raises:
        TaskError: If there are more vertices than classes.

    Example:
        >>> import numpy as np
        >>> from gaugenet.tasks.mesh.assignment import one_to_one
        >>> one_to_one(np.array([[0.6, 0.4], [0.9, 0.1]])).tolist()  # each alone would take class 0
        [1, 0]
    """
    from scipy.optimize import linear_sum_assignment

    known = np.isfinite(probability).all(axis=1).nonzero()[0]
    vertices, classes = len(known), probability.shape[1]
    if vertices > classes:
        raise TaskError(f"{vertices} vertices cannot all have different labels of {classes}: leave out --one-to-one.")
    row, label = linear_sum_assignment(np.log(np.maximum(probability[known], _LEAST_PROBABILITY)), maximize=True)
    labels = np.full(len(probability), -1)
    labels[known[row]] = label
    return labels
