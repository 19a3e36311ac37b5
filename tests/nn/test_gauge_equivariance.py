"""Every layer commutes with independent random gauge transformations at all points; broken layers do not."""

from __future__ import annotations

import pytest
import torch
import trimesh
from torch import nn
from torch_geometric.data import Batch

from gaugenet.geometry import TriangleMesh
from gaugenet.groups import O2, SO2, Cyclic, FieldType
from gaugenet.nn import FieldLayerNorm, GaugeConv, PointwiseNonlinearity, ResidualBlock
from gaugenet.testing import assert_gauge_equivariant
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import MIXED, TYPES, layers, types, with_random_weights
from tests.tolerances import TOL

CASES = [(group, name) for group in TYPES for name in layers(group)]
SMOOTH = {torch.float64: 1e-9, torch.float32: 1e-5}
"""Of a GELU at 61 samples: not exact, but far below what a network sees."""


@pytest.fixture(scope="module")
def torus() -> TriangleMesh:
    part = trimesh.creation.torus(1.0, 0.4, major_sections=16, minor_sections=10)
    return TriangleMesh(part.vertices, part.faces)


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_layers_on_synthetic_graphs(group, name, dtype):
    torch.manual_seed(0)
    layer = with_random_weights(layers(group)[name]()).to(dtype)
    graph = synthetic_graph(group, dtype=dtype)
    atol = SMOOTH[dtype] if name == "fourier" else None
    x = features(layer.in_type.size, graph, dtype=dtype)
    assert_gauge_equivariant(layer, graph, x=x, control=name.startswith(("conv", "block")), atol=atol)


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), MIXED, ids=str)
def test_convolutions_between_all_kinds_of_types(group, in_spec, out_spec):
    torch.manual_seed(0)
    layer = GaugeConv(FieldType(group, in_spec), FieldType(group, out_spec), dtype=torch.float64)
    control = not layer.out_type.is_invariant or group.order is not None
    report = assert_gauge_equivariant(with_random_weights(layer), synthetic_graph(group), control=control)
    assert report.error <= TOL[torch.float64]


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
@pytest.mark.parametrize("options", [{"neighborhood": "one_ring"}, {"mean_neighbors": 20}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_on_a_mesh(torus, group, options, dtype):
    graph = torus.gauge_graph(group, **options, dtype=dtype)
    torch.manual_seed(0)
    for layer in (GaugeConv(*types(group)), ResidualBlock(types(group)[0])):
        assert_gauge_equivariant(with_random_weights(layer).to(dtype), graph)


def test_random_frames_of_a_mesh_are_a_gauge_transformation(torus):
    """Building the graph twice with other frames, and not transforming one graph: the same invariant outputs."""
    torch.manual_seed(0)
    layer = GaugeConv(FieldType(SO2(), "3x0"), FieldType(SO2(), "4x0"), dtype=torch.float64)
    graphs = [
        torus.gauge_graph(SO2(), mean_neighbors=12, frames=frames, seed=1, dtype=torch.float64)
        for frames in ("first_edge", "random")
    ]
    x = features(3, graphs[0])
    assert (graphs[0].log_map - graphs[1].log_map).abs().max() > 1e-3
    assert torch.allclose(layer(x, graphs[0]), layer(x, graphs[1]), rtol=0, atol=1e-12)


def test_isometry(torus):
    """A rotated mesh, its frames drawn at random again, vector features given in those frames: the same outputs, seen
    there."""
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    rotation = rotation * torch.linalg.det(rotation).sign()
    moved = TriangleMesh(torus.vertices @ rotation.numpy().T + 5.0, torus.faces)
    torch.manual_seed(0)
    vectors = FieldType(SO2(), "2x1")
    layer = GaugeConv(vectors, FieldType(SO2(), "3x0 + 2x1"), dtype=torch.float64)
    here = torus.gauge_graph(SO2(), mean_neighbors=12, frames="random", seed=0, dtype=torch.float64)
    there = moved.gauge_graph(SO2(), mean_neighbors=12, frames="random", seed=5, dtype=torch.float64)
    g = there.frame.mT @ rotation @ here.frame  # the new coefficients of a vector transported along
    x = features(4, here)
    expected = layer.out_type.transform(g, layer(x, here))
    got = layer(vectors.transform(g, x), there)
    assert (got - expected).abs().max() < 1e-9  # of the log maps, computed again
    assert (layer(x, there) - expected).abs().max() > 0.1


class _BiasEverywhere(nn.Module):
    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type

    def forward(self, x):
        return x + 1


class _SelfLoopsStay(GaugeConv):
    """The published bug: an anisotropic kernel at v = 0, where a direction does not exist."""

    def forward(self, x, domain):
        axis = torch.zeros(1, 2, dtype=x.dtype)
        axis[0, 0] = 0.5
        return super().forward(x, domain) + x @ self.kernels.evaluate(self.weight, axis)[0].T


@pytest.mark.parametrize("broken", ["bias", "relu", "self-loop", "sum over fields"])
def test_controls_the_test_finds_known_bugs(broken):
    torch.manual_seed(0)
    field_type = FieldType(SO2(), "2x0 + 2x1")
    modules = {
        "bias": _BiasEverywhere(field_type),
        "relu": nn.ReLU(),
        "self-loop": _SelfLoopsStay(field_type, field_type, dtype=torch.float64),
        "sum over fields": nn.Linear(field_type.size, field_type.size, dtype=torch.float64),
    }
    with pytest.raises(AssertionError, match="depends on the gauge"):
        assert_gauge_equivariant(
            modules[broken], synthetic_graph(SO2()), in_type=field_type, out_type=field_type, control=False
        )


def test_batches_and_their_levels():
    torch.manual_seed(0)
    layer = ResidualBlock(types(SO2())[0]).double()
    batch = Batch.from_data_list([synthetic_graph(SO2(), n, seed=n, levels=2) for n in (9, 0, 14)])
    for domain in (batch, batch.level(1)):
        assert_gauge_equivariant(layer, domain)


def test_the_check_says_when_it_cannot_see_anything():
    with pytest.raises(AssertionError, match="negative control found nothing"):
        assert_gauge_equivariant(FieldLayerNorm(FieldType(SO2(), "3x0 + 2x1")), synthetic_graph(SO2()))
    with pytest.raises(ValueError, match="Expected `in_type`"):
        assert_gauge_equivariant(nn.ReLU(), synthetic_graph(SO2()))
    layer = GaugeConv(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0"))
    nn.init.constant_(layer.weight, torch.nan)
    with pytest.raises(AssertionError, match="not finite"):
        assert_gauge_equivariant(layer, synthetic_graph(SO2(), dtype=torch.float32))


def test_the_report():
    report = assert_gauge_equivariant(GaugeConv(*types(SO2()), dtype=torch.float64), synthetic_graph(SO2()))
    assert report.error < report.tolerance == 1e-12
    assert report.control > 0.1
    assert 0 <= report.worst_point < 30
    assert report.worst_field in ("2x1", "3x0", "2x3")


def test_pointwise_functions_of_finite_groups_are_exact_and_of_rotations_refused():
    regular = FieldType(Cyclic(6), "3xregular")
    assert (
        assert_gauge_equivariant(PointwiseNonlinearity(regular), synthetic_graph(Cyclic(6)), control=False).error == 0
    )
    with pytest.raises(ValueError, match="does not commute"):
        PointwiseNonlinearity(FieldType(SO2(), "3x1"))
