"""Every network takes a family of kernels by one option, and is the same network again from its configuration."""

from __future__ import annotations

import json

import pytest
import torch

from gaugenet.geometry import Icosphere, TriangleMesh, hierarchy
from gaugenet.groups import SO2
from gaugenet.kernels import (
    Differential,
    DifferentialSpace,
    GaussianRings,
    Harmonic,
    KernelSum,
    kernel_from_text,
)
from gaugenet.models import IcosahedralCNN, IcosahedralUNet, MeshUNet, PlanarCNN
from gaugenet.nn import GaugeConv, ResidualBlock
from tests.geometry.mesh import surfaces

TEXT = "Differential(max_order=2)"
BOTH = "KernelSum(Harmonic(rings=1, max_frequency=2), Differential(max_order=2))"


def convolutions(model: torch.nn.Module) -> list[GaugeConv]:
    return [m for m in model.modules() if isinstance(m, GaugeConv)]


def again(model: torch.nn.Module) -> torch.nn.Module:
    twin = type(model)(**json.loads(json.dumps(model.config)))
    twin.load_state_dict(model.state_dict())
    return twin.eval()


@pytest.mark.parametrize("text", [TEXT, BOTH])
def test_mesh_unet(text):
    torch.manual_seed(0)
    model = MeshUNet("4x0 + 1x1", 3, width=4, levels=2, kernel=text).eval()
    graph = hierarchy(TriangleMesh(*_arrays()), SO2(), levels=2, mean_neighbors=20)
    x = torch.randn(graph.num_nodes, model.in_type.size)
    y = model(x, graph)
    assert torch.equal(again(model)(x, graph), y)
    g = SO2().random_element(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    moved = model(model.in_type.transform(g, x), graph.gauge_transform(g))
    assert (moved - y).abs().max() < 1e-4 * y.abs().max()
    assert all(c.kernels.includes_center for c in convolutions(model))


def _arrays():
    mesh = surfaces.sphere(8, jitter=0.2)
    return mesh.vertices, mesh.faces


@pytest.mark.parametrize("text", [TEXT, BOTH, "Differential(max_order=2, discretization='differences')"])
def test_planar_cnn(text):
    torch.manual_seed(0)
    model = PlanarCNN(3, group="C_4", width=0.25, kernel=text).eval()
    x = torch.randn(2, 1, 29, 29)
    y = model(x)
    assert torch.equal(again(model)(x), y)
    assert (model(torch.rot90(x, 1, (-2, -1))) - y).abs().max() < 1e-4 * y.abs().max()
    assert all(c.kernels.includes_center for c in convolutions(model))


def test_icosahedral_networks():
    torch.manual_seed(0)
    sphere = Icosphere(3)
    x = torch.randn(2, 3, sphere.num_vertices)
    model = IcosahedralUNet("3x0", 2, width=2, levels=2, kernel=TEXT).eval()
    assert torch.equal(again(model)(x), model(x))
    assert all(isinstance(c.kernels, DifferentialSpace) for c in convolutions(model))
    classifier = IcosahedralCNN("3x0", 2, width=2, levels=2, kernel=TEXT)
    assert classifier(x).shape == (2, 2)
    assert all(isinstance(c.kernels, DifferentialSpace) for c in convolutions(classifier))


def test_blocks_take_families_and_texts():
    from gaugenet.groups import FieldType

    fields = FieldType(SO2(), "2x0 + 2x1")
    for kernel in (TEXT, Differential(max_order=2)):
        assert isinstance(ResidualBlock(fields, kernel=kernel).conv.kernels, DifferentialSpace)


@pytest.mark.parametrize(
    "family",
    [
        Harmonic(rings=3),
        Harmonic(rings=GaussianRings([0.3, 0.8], 0.2), max_frequency=(1, 2)),
        Differential(max_order=3, degree=3, width=1.5),
        KernelSum(Harmonic(), Differential(discretization="differences", accuracy=4)),
    ],
    ids=str,
)
def test_families_are_read_from_their_texts(family):
    assert kernel_from_text(repr(family)) == family


def test_texts_that_are_no_family():
    for text in ("Differential", "Differential(max_order", "2 + 2", "Differential(order=2)", "print('x')", "Rings(2)"):
        with pytest.raises(ValueError, match=r"Expected a kernel family such as|Unknown kernel family"):
            kernel_from_text(text)
    with pytest.raises(
        ValueError, match=r"Unknown kernel family 'Differentail': expected one of .*Differential, Harmonic"
    ):
        MeshUNet("1x0", 2, kernel="Differentail(max_order=2)")
