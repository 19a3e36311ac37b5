"""MeshUNet: logits do not depend on frames; the configuration is the network; wrong arguments are named."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
import torch
import trimesh
from torch_geometric.data import Batch

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.groups import O2, SO2, group_from_name
from gaugenet.models import MeshUNet
from gaugenet.nn import prepare_graph
from gaugenet.testing import assert_gauge_equivariant
from tests.compilers import newer_than_torch_2_6
from tests.nn.graphs import features, synthetic_graph
from tests.tolerances import TOL, relative

VARIANTS = [
    {"group": "SO(2)", "in_type": "3x0 + 2x1"},
    {"group": "SO(2)", "in_type": "3x0 + 1x2", "orders": (0, 1, 2, 3), "readout": "global"},
    {"group": "SO(2)", "in_type": "3x0", "orders": (0, 1, 2), "nonlinearity": "fourier", "samples": 61},
    {"group": "SO(2)", "in_type": "1x1", "orders": (1, 0), "growth": 1.0, "blocks": 2, "rings": 3},
    {"group": "O(2)", "in_type": "3x0 + 1x1", "orders": (0, "0-", 1, 2)},
    {"group": "C_4", "in_type": "2x0 + 1x1", "orders": ("regular", 0)},
    {"group": "D_4", "in_type": "2x0 + 1x1", "orders": ("regular", "quotient(C_4)")},
    {"group": "D_4", "in_type": "2x0", "orders": (0, "induced(C_4,1)")},
    {"group": "Reflection", "in_type": "2x0 + 1x0-", "orders": (0, "0-"), "readout": "global"},
    {"group": "Trivial", "in_type": "2x0", "orders": (0,)},
]
SMALL = {"out_channels": 5, "width": 4, "levels": 3, "blocks": 1, "dropout": 0.0}


def network(**options) -> MeshUNet:
    torch.manual_seed(0)
    return MeshUNet(**{**SMALL, **options}).eval()


def moebius(sections: int = 40, across: int = 7) -> TriangleMesh:
    """A strip that is glued after half a rotation."""
    angle, height = np.meshgrid(
        2 * np.pi * np.arange(sections) / sections, np.linspace(-0.4, 0.4, across), indexing="ij"
    )
    radius = 1 + height * np.cos(angle / 2)
    vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), height * np.sin(angle / 2)], -1)
    number = np.arange(sections * across).reshape(sections, across)
    number = np.concatenate([number, number[:1, ::-1]])
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return TriangleMesh(vertices.reshape(-1, 3), faces)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logits_do_not_depend_on_frames(options, dtype):
    model = network(**options).to(dtype)
    graph = synthetic_graph(group_from_name(options["group"]), 60, levels=3, dtype=dtype)
    smooth = options.get("nonlinearity") == "fourier"
    atol = 1e-8 if smooth and dtype == torch.float64 else None
    report = assert_gauge_equivariant(
        model, graph, atol=atol, control=options["orders"] != (0,) if "orders" in options else True
    )
    assert report.error < 1e-5


@pytest.fixture(scope="module")
def torus() -> TriangleMesh:
    part = trimesh.creation.torus(1.0, 0.4, major_sections=24, minor_sections=12)
    return TriangleMesh(part.vertices, part.faces)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_on_a_hierarchy_of_a_mesh(torus, dtype):
    graph = hierarchy(torus, SO2(), levels=3, dtype=dtype)
    for options in VARIANTS[:2]:
        assert_gauge_equivariant(network(**options).to(dtype), graph)


def test_frames_drawn_anew(torus):
    """Two graphs of one mesh with other frames: the same logits, for scalar inputs."""
    model = network(in_type="3x0").double()
    graphs = [hierarchy(torus, SO2(), frames="random", seed=seed, dtype=torch.float64) for seed in (0, 1)]
    x = features(3, graphs[0])
    assert relative(model(x, graphs[0]), model(x, graphs[1])) < 1e-10


def test_on_a_moebius_strip():
    """Not orientable: SO(2) is refused, O(2) works, and its kernels do not care about reflections."""
    strip = moebius()
    with pytest.raises(MeshError, match="orient"):
        hierarchy(strip, SO2(), levels=3)
    graph = hierarchy(strip, O2(), levels=3, dtype=torch.float64)
    assert (torch.linalg.det(graph.transporter) < 0).any()
    report = assert_gauge_equivariant(
        network(group="O(2)", in_type="2x0 + 1x1", orders=(0, "0-", 1, 2)).double(), graph
    )
    assert report.error < TOL[torch.float64]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_configuration_is_the_network(options):
    model = network(**options)
    again = MeshUNet(**json.loads(json.dumps(model.config))).eval()
    assert again.config == model.config
    again.load_state_dict(model.state_dict(), strict=True)
    graph = synthetic_graph(model.in_type.group, 20, levels=3, dtype=torch.float32)
    x = features(model.in_type.size, graph, dtype=torch.float32)
    expected = model(x, graph)
    for same in (again, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(same(x, graph), expected)
    assert expected.shape == (1 if options.get("readout") == "global" else 20, 5)
    assert MeshUNet(**{**model.config, "in_type": model.in_type}).config == model.config


def test_checkpoints_hold_learned_weights_only():
    model = network(in_type="3x0")
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert {key.split(".")[0] for key in model.state_dict()} == {
        "embed", "down", "widen", "merge", "up", "norm", "head"
    }  # fmt: skip


@pytest.mark.parametrize("readout", ["points", "global"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_batches(readout, dtype, tolerance):
    """Alone as in a batch, to rounding; and not a bit depends on what the others are."""
    model = network(in_type="3x0 + 1x1", readout=readout).to(dtype)
    sizes = (40, 25, 61)

    def run(other: int):
        parts = [
            synthetic_graph(SO2(), n, seed=n + (other if k else 0), levels=3, dtype=dtype) for k, n in enumerate(sizes)
        ]
        inputs = [features(5, g, seed=k + (other if k else 0), dtype=dtype) for k, g in enumerate(parts)]
        alone = [model(x, g) for x, g in zip(inputs, parts, strict=True)]
        return model(torch.cat(inputs), Batch.from_data_list(parts)), torch.cat(alone)

    together, alone = run(0)
    assert relative(together, alone) < tolerance
    rows = sizes[0] if readout == "points" else 1
    assert torch.equal(run(100)[0][:rows], together[:rows])


def test_every_parameter_gets_a_gradient():
    model = network(in_type="3x0 + 1x1")
    graph = synthetic_graph(SO2(), 40, levels=3, dtype=torch.float32)
    model(features(5, graph, dtype=torch.float32), graph).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("num_nodes", [0, 1])
def test_empty_and_single(num_nodes):
    model = network(in_type="3x0 + 1x1").double()
    graph = synthetic_graph(SO2(), num_nodes, levels=3)
    assert model(features(5, graph), graph).shape == (num_nodes, 5)


def test_autocast():
    model = network(in_type="3x0 + 1x1")
    graph = synthetic_graph(SO2(), 40, levels=3, dtype=torch.float32)
    x = features(5, graph, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x, graph)
    assert relative(out.float(), model(x, graph)) < 2 * TOL[torch.bfloat16]
    out.float().sum().backward()


@pytest.mark.long
@newer_than_torch_2_6
def test_compiles_and_exports():
    torch._dynamo.reset()
    model = network(in_type="3x0 + 1x1", levels=2)
    graph = synthetic_graph(SO2(), 40, levels=2, dtype=torch.float32)
    x = features(5, graph, dtype=torch.float32)
    prepared, expected = prepare_graph(model, x, graph), model(x, graph)
    fast = torch.compile(model, fullgraph=True, backend="eager")
    assert relative(fast(x, prepared), expected) < TOL[torch.float32]
    assert relative(torch.export.export(model, (x, prepared)).module()(x, prepared), expected) < TOL[torch.float32]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 0}, "`levels`"),
        ({"width": 0}, "`width`"),
        ({"out_channels": 0}, "`out_channels`"),
        ({"growth": 0.1}, "growth"),
        ({"orders": ()}, "at least one order"),
        ({"orders": ("3-",)}, "Unknown representation"),
        ({"group": "SO(4)"}, "Unknown structure group"),
        ({"in_type": "3y0"}, "Unknown representation"),
        ({"readout": "faces"}, "Unknown readout"),
        ({"nonlinearity": "relu"}, "Unknown nonlinearity"),
        ({"nonlinearity": "fourier", "samples": 3}, "at least 5 samples"),
        ({"nonlinearity": "fourier", "orders": (0, 2)}, "Expected orders 0, 1"),
        ({"dropout": 1.5}, "dropout"),
        ({"rings": 0}, "`rings`"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        network(**{"in_type": "3x0", **options})


def test_wrong_inputs_are_named():
    model = network(in_type="3x0")
    graph = synthetic_graph(SO2(), 20, levels=2, dtype=torch.float32)
    x = features(3, graph, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"3 levels, got 2: build it with `hierarchy"):
        model(x, graph)
    with pytest.raises(ValueError, match="3 channels"):
        model(x[:, :2], graph)
    with pytest.raises(ValueError, match="one row per point"):
        model(x[:5], graph)
    with pytest.raises(ValueError, match="Expected a domain"):
        model(x, None)
    graph.structure = "O(2)"
    with pytest.raises(ValueError, match="not a subgroup"):
        model(x, graph)


FIELDS = [
    {"group": "SO(2)", "in_type": "3x0 + 2x1", "out_type": "2x0 + 1x1"},
    {"group": "SO(2)", "in_type": "3x0", "out_type": "1x1 + 1x2 + 1x0"},
    {"group": "O(2)", "in_type": "3x0 + 1x0-", "out_type": "1x0 + 1x0- + 1x1", "orders": (0, "0-", 1, 2)},
    {"group": "D_4", "in_type": "2x0 + 1x1", "out_type": "1x1 + 1xregular", "orders": ("regular", 0)},
    {"group": "SO(2)", "in_type": "3x0 + 2x1", "out_type": "1x0 + 1x1", "attention": True},
]


def of_fields(**options) -> MeshUNet:
    torch.manual_seed(0)
    return MeshUNet(**{"width": 4, "levels": 3, "dropout": 0.0, **options}).eval()


@pytest.mark.parametrize("options", FIELDS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fields_at_the_end_transform_by_their_type(options, dtype):
    graph = synthetic_graph(group_from_name(options["group"]), 60, levels=3, dtype=dtype)
    report = assert_gauge_equivariant(of_fields(**options).to(dtype), graph)
    assert report.error < TOL[dtype]
    again = MeshUNet(**json.loads(json.dumps(of_fields(**options).config))).eval()
    assert again.out_type == of_fields(**options).out_type


def test_scalars_are_the_network_of_logits():
    plain, typed, counted = (network(in_type="3x0"), of_fields(in_type="3x0", out_type="5x0"), MeshUNet("3x0", 5))
    assert plain.state_dict().keys() == typed.state_dict().keys() == counted.state_dict().keys()
    typed.load_state_dict(plain.state_dict())
    graph = synthetic_graph(SO2(), 20, levels=3, dtype=torch.float32)
    x = features(3, graph, dtype=torch.float32)
    assert torch.equal(plain(x, graph), typed(x, graph))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Expected either `out_type` or `out_channels`"),
        ({"out_type": "1x1", "out_channels": 3}, "Expected either `out_type` or `out_channels`"),
        ({"out_type": "1x3"}, "can be mapped to the outputs of order 3"),
        ({"out_type": ""}, "at least one channel"),
        ({"out_type": "1x1", "readout": "global"}, "use readout='points'"),
        ({"out_type": 0}, "positive integer"),
    ],
)
def test_outputs_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MeshUNet("1x0", **options)
