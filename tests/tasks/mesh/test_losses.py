"""Losses against torch's own, and the properties that training on several processes rests on."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gaugenet.tasks.mesh.losses import IGNORE, face_log_probabilities, mean_over_graphs, smoothed_nll, soft_nll
from gaugenet.tasks.mesh.outputs import item_graph, log_probabilities


@pytest.fixture
def logits():
    return 3 * torch.randn(11, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def face():
    return torch.randint(0, 11, (3, 9), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_smoothed_nll_is_cross_entropy(logits, smoothing):
    target = torch.arange(11) % 5
    target[3] = IGNORE
    ours = smoothed_nll(torch.log_softmax(logits, 1), target, smoothing=smoothing)
    theirs = F.cross_entropy(logits, target, label_smoothing=smoothing, ignore_index=IGNORE, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_soft_nll_of_a_hard_target_is_nll(logits):
    log_prob, target = torch.log_softmax(logits, 1), torch.arange(11) % 5
    torch.testing.assert_close(soft_nll(log_prob, F.one_hot(target, 5).double()), smoothed_nll(log_prob, target))


def test_face_probability_is_the_mean_of_its_corners(logits, face):
    expected = torch.softmax(logits, 1)[face].mean(0).log()
    torch.testing.assert_close(face_log_probabilities(logits, face), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("corners", ["probabilities", "logits"])
def test_face_probabilities_sum_to_one_and_do_not_know_the_order_of_corners(logits, face, corners):
    log_prob = face_log_probabilities(logits, face, corners=corners)
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(9, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(face_log_probabilities(logits, face.roll(1, 0), corners=corners), log_prob)


def test_the_two_averages_over_corners_differ(logits, face):
    a, b = (face_log_probabilities(logits, face, corners=c) for c in ("probabilities", "logits"))
    assert (a - b).abs().max() > 0.1


def test_faces_of_the_wrong_shape_are_refused(logits, face):
    with pytest.raises(ValueError, match=r"pass `face.T`"):
        face_log_probabilities(logits, face.T)
    with pytest.raises(ValueError, match="'probabilities' or 'logits'"):
        face_log_probabilities(logits, face, corners="mean")


def test_every_mesh_counts_the_same_and_batches_may_be_split(logits):
    values, batch = logits[:, 0], torch.tensor([0] * 2 + [1] * 9)
    whole = mean_over_graphs(values, batch, 2)
    apart = [mean_over_graphs(v, torch.zeros(len(v), dtype=torch.long), 1) for v in (values[:2], values[2:])]
    torch.testing.assert_close(whole, sum(apart) / 2)
    assert not torch.isclose(whole, values.mean())


def test_a_mesh_without_labels_adds_nothing(logits):
    weight = torch.ones(11, dtype=torch.float64)
    weight[:2] = 0
    value = mean_over_graphs(logits[:, 0], torch.tensor([0] * 2 + [1] * 9), 2, weight=weight)
    torch.testing.assert_close(value, logits[2:, 0].mean() / 2)


def test_scores_of_a_mesh_are_the_area_mean_and_do_not_depend_on_the_triangulation(graphs):
    graph = graphs[0]
    scores = torch.randn(graph.num_nodes, 4, dtype=torch.float64)
    expected = (scores * graph.mass[:, None]).sum(0) / graph.mass.double().sum()
    torch.testing.assert_close(
        log_probabilities(scores, graph, "mesh")[0], torch.log_softmax(expected, 0), rtol=1e-5, atol=1e-6
    )
    split = graph.clone()
    split.pos, split.mass = torch.cat([graph.pos, graph.pos[:1]]), torch.cat([graph.mass, graph.mass[:1] / 2])
    split.mass[0] /= 2
    doubled = torch.cat([scores, scores[:1]])
    torch.testing.assert_close(log_probabilities(doubled, split, "mesh"), log_probabilities(scores, graph, "mesh"))


def test_items_know_their_mesh(graphs):
    from torch_geometric.data import Batch

    batch = Batch.from_data_list(graphs[:3])
    for items, sizes in {
        "vertex": [g.num_nodes for g in graphs[:3]],
        "face": [g.face.shape[1] for g in graphs[:3]],
        "mesh": [1, 1, 1],
    }.items():
        assert torch.bincount(item_graph(batch, items)).tolist() == sizes
