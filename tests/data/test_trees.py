"""Trees in the hyperbolic plane keep the distances of the tree; flat drawings do not."""

from __future__ import annotations

import pytest
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import shortest_path

from gaugenet.data.trees import dyadic_intervals, regular_tree
from gaugenet.geometry import Hyperbolic
from tests.tolerances import relative

PLANE = Hyperbolic(2)


def tree_distances(parent: torch.Tensor) -> torch.Tensor:
    node = torch.arange(1, len(parent))
    edges = coo_matrix((torch.ones(len(node)), (node, parent[1:])), shape=(len(parent), len(parent)))
    return torch.from_numpy(shortest_path(edges.tocsr(), directed=False))


def test_distances_are_those_of_the_tree_up_to_a_constant_and_in_the_drawing_they_are_not():
    tree, edge = regular_tree(5, edge=3.0), 3.0
    count = len(tree.parent)
    assert count == 1 + 3 * (2**5 - 1)
    i, j = torch.triu_indices(count, count, 1)
    found, exact = PLANE.distance(tree.points[i], tree.points[j]), edge * tree_distances(tree.parent)[i, j]
    assert relative(found[exact == edge], exact[exact == edge]) < 1e-10  # points far out are rounded
    assert (found / exact).min() > 0.85
    assert (found <= exact + 1e-9).all()
    flat = (tree.drawing[i] - tree.drawing[j]).norm(dim=1)
    assert (flat / exact).max() / (flat / exact).min() > 10


def test_ancestors():
    tree = regular_tree(3)
    above = tree.ancestors()
    assert torch.equal(above.sum(1), 1 + tree_distances(tree.parent)[0])
    assert torch.equal(above.diagonal(), torch.ones(len(above)).double())
    child, parent = 17, int(tree.parent[17])
    assert above[child, parent] == 1
    assert above[parent, child] == 0


def test_dyadic_intervals_halve_each_other():
    points = dyadic_intervals(3)
    assert len(points) == 15
    for i in range(7):
        left, right = points[2 * i + 1], points[2 * i + 2]
        assert left[0] < points[i, 0] < right[0]
        assert left[1] == right[1] == points[i, 1] / 2
        assert (left[0] + right[0]) / 2 == points[i, 0]


def test_arguments():
    for make in (regular_tree, dyadic_intervals):
        with pytest.raises(ValueError, match="positive integer"):
            make(0)
