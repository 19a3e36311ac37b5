"""GaugeTransformer, MeshUNet with attention, and sequences of layers: exact, configurable, checked."""

from __future__ import annotations

import json

import pytest
import torch

from gaugenet.geometry import Icosphere, PointCloud, TriangleMesh, hierarchy
from gaugenet.groups import O3, SO2, FieldType
from gaugenet.models import GaugeTransformer, MeshUNet
from gaugenet.nn import EquivariantLinear, GatedNonlinearity, GaugeConv, SequentialModule
from gaugenet.testing import assert_gauge_equivariant
from tests.tolerances import TOL, relative


@pytest.mark.parametrize(("group", "spec"), [(SO2(), "4x0 + 4x1"), (O3(), "4x0 + 4x1o")], ids=str)
def test_a_transformer_is_equivariant(group, spec):
    torch.manual_seed(0)
    hidden = FieldType(group, spec)
    scalars, vectors = FieldType(group, "2x0"), FieldType(group, [("standard", 1)])
    model = GaugeTransformer(scalars + vectors, vectors, hidden=hidden, depth=2, heads=2)
    pos = torch.rand(20, group.d)
    assert_gauge_equivariant(model, PointCloud(pos).gauge_graph(group, neighbors=5, frames="random", seed=0))
    with pytest.raises(ValueError, match="`depth`"):
        GaugeTransformer(scalars, vectors, hidden=hidden, depth=0)


def test_a_mesh_unet_with_attention():
    torch.manual_seed(0)
    sphere = Icosphere(2)
    graph = hierarchy(TriangleMesh(sphere.pos, sphere.face.T), SO2(), levels=2, radius=0.6)
    model = MeshUNet("2x0 + 1x1", 3, width=4, levels=2, attention=True).eval()
    assert_gauge_equivariant(model, graph, atol=1e-5)
    again = MeshUNet(**json.loads(json.dumps(model.config)))
    assert [p.shape for p in again.parameters()] == [p.shape for p in model.parameters()]
    plain = MeshUNet("2x0 + 1x1", 3, width=4, levels=2)
    assert set(plain.state_dict()) != set(model.state_dict())


def test_a_sequence_passes_the_domain_on():
    group = SO2()
    scalars, act = FieldType(group, "2x0"), GatedNonlinearity(FieldType(group, "4x0 + 2x1"))
    layers = GaugeConv(scalars, act.in_type), act, GaugeConv(act.out_type, scalars), EquivariantLinear(scalars, scalars)
    network = SequentialModule(*layers)
    assert (network.in_type, network.out_type) == (scalars, scalars)
    graph = PointCloud(torch.rand(9, 2)).gauge_graph(group, neighbors=3)
    x = torch.randn(9, 2)
    expected = layers[3](layers[2](act(layers[0](x, graph)), graph))
    assert relative(network(x, graph), expected) < TOL[torch.float32]
    with pytest.raises(ValueError, match="Expected layer 1 to take"):
        SequentialModule(layers[0], layers[0])
