"""Terms and class weights of the loss against torch's own cross entropy, loops, and the published formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gaugenet.models import MeshUNet
from gaugenet.tasks import MeshLabelModule, OptimOptions, TaskError
from gaugenet.tasks.mesh.losses import IGNORE, label_counts, label_loss, one_hot
from gaugenet.tasks.training.label_loss import class_weights
from gaugenet.tasks.training.loss_options import LossOptions

WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)


@pytest.fixture
def batch():
    """Log-probabilities of three meshes of different size, labels, and the mesh of each item."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(40, 4, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 4, (40,), generator=generator)
    target[[0, 7, 30]] = IGNORE
    return torch.log_softmax(logits, 1), target, torch.tensor([0] * 5 + [1] * 25 + [2] * 10)


def per_mesh(values, target, graph):
    """Mean over meshes of the mean over labelled items, by loops."""
    means = []
    for mesh in graph.unique():
        chosen = (graph == mesh) & (target != IGNORE)
        means.append(values[chosen].mean())
    return torch.stack(means).mean()


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_cross_entropy_is_that_of_torch(batch, weight):
    log_prob, target, graph = batch
    theirs = F.cross_entropy(log_prob, target, weight=weight, ignore_index=IGNORE, reduction="none")
    ours = label_loss(log_prob, target, graph, 3, options=LossOptions(), class_weight=weight)
    torch.testing.assert_close(ours, per_mesh(theirs, target, graph), rtol=1e-12, atol=0)
    assert not torch.isclose(ours, theirs[target != IGNORE].mean()), "control: the mean over all items is another"


def test_focal_loss_by_its_formula(batch):
    log_prob, target, graph = batch
    p = log_prob.exp().gather(1, target.clamp(min=0)[:, None])[:, 0]
    expected = per_mesh(-WEIGHT[target.clamp(min=0)] * (1 - p) ** 1.5 * p.log(), target, graph)
    options = LossOptions("focal", focus=1.5)
    ours = label_loss(log_prob, target, graph, 3, options=options, class_weight=WEIGHT, smoothing=0.3)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)
    plain = label_loss(log_prob, target, graph, 3, options=LossOptions("focal", focus=0.0), class_weight=WEIGHT)
    torch.testing.assert_close(
        plain, label_loss(log_prob, target, graph, 3, options=LossOptions(), class_weight=WEIGHT)
    )


@pytest.mark.parametrize("term", ["dice", "jaccard"])
def test_overlaps_by_loops_over_meshes_and_classes(batch, term):
    log_prob, target, graph = batch
    p, means = log_prob.exp(), []
    for mesh in range(3):
        items, found = (graph == mesh) & (target != IGNORE), []
        for k in range(4):
            truth = (target[items] == k).double()
            if truth.sum() > 0:
                both, total = (p[items, k] * truth).sum(), (p[items, k] + truth).sum()
                found.append(1 - (2 * both / total if term == "dice" else both / (total - both)))
        means.append(torch.stack(found).mean())
    ours = label_loss(log_prob, target, graph, 3, options=LossOptions(term))
    torch.testing.assert_close(ours, torch.stack(means).mean(), rtol=1e-12, atol=0)


def test_a_mixture_is_the_sum_of_its_terms(batch):
    log_prob, target, graph = batch
    parts = [label_loss(log_prob, target, graph, 3, options=LossOptions(t)) for t in ("cross_entropy", "dice", "focal")]
    mixed = label_loss(log_prob, target, graph, 3, options=LossOptions("cross_entropy + 0.25*dice + 2 * focal"))
    torch.testing.assert_close(mixed, parts[0] + 0.25 * parts[1] + 2 * parts[2])


@pytest.mark.parametrize("terms", ["cross_entropy", "focal", "dice", "jaccard"])
def test_shares_of_one_class_are_labels(batch, terms):
    log_prob, target, graph = batch
    arguments = {"options": LossOptions(terms), "class_weight": WEIGHT, "smoothing": 0.1}
    hard = label_loss(log_prob, target, graph, 3, **arguments)
    soft = label_loss(log_prob, one_hot(target, 4).double(), graph, 3, **arguments)
    torch.testing.assert_close(hard, soft, rtol=1e-12, atol=0)


@pytest.mark.parametrize("terms", ["cross_entropy", "focal", "dice", "jaccard"])
def test_items_without_a_label_have_no_gradient_and_batches_may_be_split(batch, terms):
    log_prob, target, graph = batch
    log_prob = log_prob.clone().requires_grad_()
    whole = label_loss(log_prob, target, graph, 3, options=LossOptions(terms), class_weight=WEIGHT)
    whole.backward()
    assert (log_prob.grad[target == IGNORE] == 0).all()
    assert (log_prob.grad[target != IGNORE].abs().sum(1) > 0).all()
    apart = [
        label_loss(log_prob[graph == k], target[graph == k], graph[graph == k] * 0, 1,
                   options=LossOptions(terms), class_weight=WEIGHT)
        for k in range(3)
    ]  # fmt: skip
    torch.testing.assert_close(whole, sum(apart) / 3)


def test_class_weights_by_their_formulas():
    share, count = torch.tensor([0.9, 0.09, 0.01]), torch.tensor([900.0, 90.0, 10.0])
    mean_one = {"inverse": 1 / share.double(), "effective": (1 - 0.99) / (1 - 0.99 ** count.double())}
    for method, expected in mean_one.items():
        found = class_weights(LossOptions(class_weights=method, beta=0.99), share, count)
        assert (found * share).sum().item() == pytest.approx(1)
        torch.testing.assert_close(found / found[0], expected / expected[0])
    numbers = class_weights(LossOptions(class_weights="1, 2,4"), share, count)
    torch.testing.assert_close(numbers / numbers[0], torch.tensor([1.0, 2, 4], dtype=torch.float64))
    torch.testing.assert_close(class_weights(LossOptions(), share, count), torch.ones(3).double())


def test_effective_numbers_go_from_items_to_inverse_frequencies():
    """Cui et al. 2019: beta 0 does not weight, beta towards 1 weights by the inverse of the frequency."""
    count = torch.tensor([900.0, 90.0, 10.0])
    share = count / 1000
    none, inverse = (class_weights(LossOptions(class_weights=m), share, count) for m in ("none", "inverse"))
    first, last = (class_weights(LossOptions(class_weights="effective", beta=b), share, count) for b in (0, 1 - 1e-9))
    torch.testing.assert_close(first, none)
    torch.testing.assert_close(last, inverse, rtol=1e-5, atol=0)


def test_a_class_that_training_lacks_has_the_weight_of_one():
    weight = class_weights(LossOptions(class_weights="inverse"), torch.tensor([0.9, 0.1, 0]), torch.tensor([9.0, 1, 0]))
    assert weight[2] == 1
    assert torch.isfinite(weight).all()


def test_labels_are_counted_without_those_that_are_unknown():
    assert label_counts(torch.tensor([0, 2, IGNORE, 2]), 4).tolist() == [1, 0, 2, 0]
    assert label_counts(torch.tensor([[0.5, 0.5], [0, 0], [0, 1]]), 2).tolist() == [0.5, 1.5]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_fused_loss_of_vertices_is_the_same_with_class_weights(graphs, smoothing):
    torch.manual_seed(0)
    graph = graphs[0]
    graph.y = torch.arange(graph.num_nodes) % 3
    graph.y[::5] = IGNORE
    network = _Classifier()
    module = MeshLabelModule(network, items="vertex", options=OptimOptions(smoothing=smoothing))
    module.class_weight = torch.tensor([1.0, 5.0, 0.2])
    fused = module._loss_of_classifier(graph, smoothing).loss
    grads = torch.autograd.grad(fused, network.parameters())
    _, log_prob = module._scored(graph)
    stored = module._loss_of(log_prob, graph.y, torch.zeros_like(graph.y), graph, smoothing)
    torch.testing.assert_close(fused, stored)
    for a, b in zip(grads, torch.autograd.grad(stored, network.parameters())):
        torch.testing.assert_close(a, b)
    module.class_weight = None
    assert not torch.isclose(fused, module._loss_of_classifier(graph, smoothing).loss), "control"


class _Classifier(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.classifier = torch.nn.Linear(3, 8), torch.nn.Linear(8, 3)

    def hidden(self, x, graph):
        return torch.relu(self.first(x))

    def forward(self, x, graph):
        return self.classifier(self.hidden(x, graph))


def test_focal_and_dice_train_the_scores_themselves(graphs):
    for terms, fused in (("cross_entropy", True), ("cross_entropy + dice", False), ("focal", False)):
        module = MeshLabelModule(_Classifier(), items="vertex", loss=LossOptions(terms))
        assert module._is_fused() is fused
    assert hasattr(MeshUNet("1x0", 2, width=2, levels=1), "classifier"), "what `_is_fused` looks for"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"terms": "hinge"}, "loss.terms"), ({"terms": ""}, "loss.terms"), ({"terms": "0 * dice"}, "factor of dice"),
        ({"terms": "nan*dice"}, "factor of dice"), ({"class_weights": "fair"}, "inverse, effective, none"),
        ({"class_weights": [1.0, 0.0]}, "positive finite numbers, got 0.0"), ({"class_weights": "1,-2"}, "got -2.0"),
        ({"class_weights": "1,nan"}, "got nan"), ({"class_weights": "1,inf"}, "got inf"),
        ({"class_weights": ""}, "class_weights"), ({"class_weights": []}, "class_weights"),
        ({"balance": 2}, "loss.balance"), ({"beta": 1.0}, "loss.beta"), ({"focus": -1}, "loss.focus"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_are_named(wrong, words):
    with pytest.raises(TaskError, match=words):
        LossOptions(**wrong)


def test_a_wrong_count_of_weights_names_the_classes():
    with pytest.raises(TaskError, match=r"of 3 numbers, one for each of the classes arm, leg, tail; got 2"):
        LossOptions(class_weights=[1, 2]).check_classes(["arm", "leg", "tail"])
    LossOptions(class_weights=[1, 2, 3]).check_classes(["arm", "leg", "tail"])
