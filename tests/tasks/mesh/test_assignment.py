"""One-to-one labels against all permutations, and what they do to a score that repeats labels."""

from itertools import permutations

import numpy as np
import pytest

from gaugenet.tasks.mesh.assignment import one_to_one
from gaugenet.tasks.training.options import TaskError


def test_it_is_the_likeliest_of_all_permutations():
    rng = np.random.default_rng(0)
    for _ in range(20):
        probability = rng.dirichlet(np.full(5, 0.3), size=5)
        best = max(permutations(range(5)), key=lambda p: np.log(probability[range(5), p]).sum())
        assert one_to_one(probability).tolist() == list(best)


def test_a_doubtful_vertex_takes_what_the_sure_ones_leave():
    probability = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.0, 0.2, 0.8]])
    assert probability.argmax(1).tolist() == [0, 0, 2]
    assert one_to_one(probability).tolist() == [0, 1, 2]


def test_unknown_rows_stay_unknown_and_labels_may_be_left_over():
    probability = np.array([[0.1, 0.1, 0.8], [np.nan] * 3])
    assert one_to_one(probability).tolist() == [2, -1]


def test_more_vertices_than_labels_are_refused():
    with pytest.raises(TaskError, match="3 vertices cannot all have different labels of 2"):
        one_to_one(np.full((3, 2), 0.5))
