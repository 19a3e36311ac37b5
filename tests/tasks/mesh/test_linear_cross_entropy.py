"""The fused loss is the plain one: values, gradients and hits, however the scores are cut into chunks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import gaugenet.tasks.mesh.linear_cross_entropy as module
from gaugenet.tasks import MeshLabelModule, OptimOptions, TaskError
from gaugenet.tasks.mesh.linear_cross_entropy import linear_cross_entropy
from gaugenet.tasks.mesh.losses import IGNORE, smoothed_nll
from tests.tasks.conftest import TinyNet
from tests.tolerances import TOL, relative

ITEMS, CLASSES, CHANNELS = 23, 17, 5


@pytest.fixture(params=[1, 400, 1 << 22], ids=["row by row", "chunks", "whole"])
def chunk_bytes(request, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", request.param)


def problem(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in ((ITEMS, CHANNELS), (CLASSES, CHANNELS), (CLASSES,))
    )
    target = torch.randint(0, CLASSES, (ITEMS,), generator=generator)
    target[::2] = (hidden @ weight.T + bias).argmax(1)[::2]
    target[4] = IGNORE
    return hidden, weight, bias, target, torch.rand(ITEMS, generator=generator, dtype=torch.float64).to(dtype)


def plain(hidden, weight, bias, target, share, smoothing):
    scores = nn.functional.linear(hidden, weight, bias).to(share.dtype)
    loss = (smoothed_nll(torch.log_softmax(scores, 1), target, smoothing=smoothing) * share).sum()
    return loss, scores.argmax(1) == target


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_gradients_and_hits_are_those_of_the_plain_formula(chunk_bytes, dtype, smoothing):
    *parameters, target, share = problem(dtype)
    expected, hits = plain(*parameters, target, share, smoothing)
    result = linear_cross_entropy(*parameters, target, share, smoothing=smoothing)
    assert relative(result.loss, expected) < TOL[dtype]
    assert torch.equal(result.correct, hits)
    assert 0 < hits.sum() < ITEMS - 1
    wanted = torch.autograd.grad(3 * expected, parameters)
    for ours, theirs in zip(torch.autograd.grad(3 * result.loss, parameters), wanted, strict=True):
        assert relative(ours, theirs) < TOL[dtype]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradcheck(chunk_bytes, smoothing):
    hidden, weight, bias, target, share = (t[:6] for t in problem())
    target = target.clamp(max=5)
    parameters = [t.detach().requires_grad_() for t in (hidden, weight, bias)]

    def loss(*values):
        return linear_cross_entropy(*values, target, share, smoothing=smoothing).loss

    torch.autograd.gradcheck(loss, parameters)


def test_of_equal_scores_the_first_counts():
    weight, bias, share = torch.zeros(CLASSES, CHANNELS), torch.zeros(CLASSES), torch.ones(CLASSES)
    hidden = torch.ones(CLASSES, CHANNELS)
    result = linear_cross_entropy(hidden, weight, bias, torch.arange(CLASSES), share)
    assert result.correct.nonzero().flatten().tolist() == [0]


def test_scores_that_are_not_finite_are_no_hits_and_no_finite_loss():
    hidden, weight, bias, target, share = problem()
    broken = hidden.detach().clone()
    broken[0] = torch.nan
    result = linear_cross_entropy(broken, weight, bias, target, share)
    assert not torch.isfinite(result.loss)
    assert not result.correct[0]
    assert result.correct[2]


def test_autocast_multiplies_in_its_precision_and_sums_in_float32():
    *parameters, target, share = problem(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        result = linear_cross_entropy(*parameters, target, share)
        expected, hits = plain(*parameters, target, share, 0.0)
    assert result.loss.dtype == torch.float32
    assert relative(result.loss, expected) < TOL[torch.float32]
    assert torch.equal(result.correct, hits)
    wanted = torch.autograd.grad(expected, parameters)
    for ours, theirs in zip(torch.autograd.grad(result.loss, parameters), wanted, strict=True):
        assert ours.dtype == torch.float32
        assert relative(ours, theirs) < TOL[torch.bfloat16]


class _Largest(TorchDispatchMode):
    """The size of the largest tensor that any operation returns."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


def test_scores_are_never_stored(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 400)
    *parameters, target, share = problem()
    with _Largest() as fused:
        linear_cross_entropy(*parameters, target, share).loss.backward()
    with _Largest() as stored:
        plain(*parameters, target, share, 0.0)[0].backward()
    assert fused.numel <= ITEMS * CHANNELS < ITEMS * CLASSES <= stored.numel


class Split(TinyNet):
    """The same network, which says what its last layer reads."""

    def hidden(self, x, graph):
        last, self.last = self.last, nn.Identity()
        try:
            return TinyNet.forward(self, x, graph)
        finally:
            self.last = last

    @property
    def classifier(self):
        return self.last


def steps(network, graphs, options):
    """Loss and accuracy of a training step and of a validation step, and the gradients."""
    from torch_geometric.data import Batch

    batch = Batch.from_data_list(graphs)
    batch.y = batch.x.argmax(1)
    batch.y[3] = IGNORE
    torch.manual_seed(0)
    net = network()
    task, logged = MeshLabelModule(net, items="vertex", options=options), {}
    task.log = lambda name, value, **_: logged.__setitem__(name, value.detach())
    torch.manual_seed(1)
    task.training_step(batch, 0).backward()
    task.eval()
    with torch.no_grad():
        task.validation_step(batch, 0)
    return [logged[k] for k in sorted(logged)] + [p.grad for p in net.parameters()]


def test_a_task_trains_the_same_with_and_without(graphs):
    options = OptimOptions(smoothing=0.1)
    for ours, theirs in zip(steps(Split, graphs, options), steps(TinyNet, graphs, options), strict=True):
        assert relative(ours, theirs) < TOL[torch.float32]


@pytest.mark.parametrize("network", [Split, TinyNet])
def test_labels_of_other_items_are_refused(network, graphs):
    graph = graphs[0]
    graph.y = graph.y[:-2]
    with pytest.raises(TaskError, match=r"one label for each of 20 items \(vertex\), got 18"):
        MeshLabelModule(network(), items="vertex").training_step(graph, 0)
