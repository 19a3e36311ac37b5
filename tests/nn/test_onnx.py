"""ONNX files of networks on the icosphere and on meshes: another runtime gets the same numbers, for any size."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import Grid, Icosphere
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import Implicit
from gaugenet.models import IcosahedralCNN, IcosahedralUNet, MeshUNet
from gaugenet.nn import GaugeAttention, GaugeConv, export_onnx, onnx_inputs, prepare_graph
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CLOSE = TOL[torch.float32]
FIELDS = FieldType(SO2(), "2x0 + 1x1 + 1x2")
SPHERE = Icosphere(1)


def session_of(network, x, folder, graph=None):
    path = folder / "network.onnx"
    export_onnx(network, x, path, graph)
    session = onnxruntime.InferenceSession(path)
    assert {node.domain for node in network_nodes(path)} <= {"", "pkg.onnxscript.torch_lib"}
    return session


def network_nodes(path):
    import onnx

    return onnx.load(path).graph.node


def error_of(session, network, x, *graph):
    """Of the file against the network itself, relative."""
    (found,) = session.run(None, onnx_inputs(x, *graph))
    with torch.no_grad():
        return relative(torch.from_numpy(found), network(x, *graph))


def on_sphere(network, channels, folder):
    with_random_weights(network.eval())
    session = session_of(network, torch.randn(1, channels, SPHERE.num_vertices), folder)
    for batch in (1, 3):
        x = torch.randn(batch, channels, SPHERE.num_vertices)
        assert error_of(session, network, x) < CLOSE
    other = onnx_inputs(x.flip(2))  # control: another input
    assert relative(torch.from_numpy(session.run(None, other)[0]), network(x)) > 1e-3
    assert type(network(x)) is torch.Tensor  # no cache kept a tensor that stood for one


def on_graphs(network, folder, levels, sizes=(17, 23)):
    with_random_weights(network.eval())

    def example(points, seed):
        graph = synthetic_graph(SO2(), points, degree=3 + seed, levels=levels, seed=seed, dtype=torch.float32)
        return features(network.in_type.size, graph, seed=seed, dtype=torch.float32), graph

    x, graph = example(12, 0)
    session = session_of(network, x, folder, graph)
    for seed, points in enumerate(sizes):
        x, graph = example(points, seed)
        assert error_of(session, network, x, prepare_graph(network, x, graph)) < CLOSE


def test_convolution_on_graphs_of_any_size(tmp_path):
    on_graphs(GaugeConv(FIELDS, FIELDS), tmp_path, levels=1)


def test_what_is_not_a_graph_is_refused(tmp_path):
    layer = GaugeConv(FIELDS, FIELDS)
    with pytest.raises(ValueError, match="Expected `graph` to be a GaugeGraph"):
        export_onnx(layer, torch.zeros(25, FIELDS.size), tmp_path / "x.onnx", Grid((5, 5)))


LAYERS = {
    "attention": lambda: GaugeAttention(FIELDS, FIELDS, heads=2),
    "implicit": lambda: GaugeConv(FIELDS, FIELDS, kernel=Implicit(hidden=4)),
}


@pytest.mark.long
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_other_layers_on_graphs(make, tmp_path):
    on_graphs(make(), tmp_path, levels=1)


@pytest.mark.long
@pytest.mark.parametrize("readout", ["points", "global"])
def test_mesh_networks(readout, tmp_path):
    on_graphs(MeshUNet("3x0 + 1x1", 4, width=2, levels=2, readout=readout), tmp_path, levels=2)


@pytest.mark.long
@pytest.mark.parametrize("network", [IcosahedralUNet, IcosahedralCNN])
def test_icosahedral_networks(network, tmp_path):
    on_sphere(network("3x0 + 1x1", 4, width=1, levels=2), 5, tmp_path)
