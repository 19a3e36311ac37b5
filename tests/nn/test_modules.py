"""Layers are good PyTorch citizens: copies, pickles, checkpoints, casts, gradients, compilation, export."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch_geometric.data import Batch

from gaugenet.groups import O3, SO2, Cyclic, Dihedral, FieldType
from gaugenet.models import MeshUNet
from gaugenet.nn import (
    EquivariantLinear,
    EquivariantMLP,
    FieldBatchNorm,
    FourierNonlinearity,
    GaugeConv,
    GridConv,
    Pool,
    ResidualBlock,
    TensorProductNonlinearity,
    prepare_graph,
)
from tests.compilers import cheap_first, newer_than_torch_2_6
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import ON_GRAPHS, TYPES, call, layers, types, with_random_weights
from tests.tolerances import TOL, relative

NORMS = ["layer norm", "instance norm", "batch norm"]
CASES = [(group, name) for group in (SO2(), Dihedral(4), O3()) for name in layers(group)]


def with_input(group, name, dtype=torch.float64):
    torch.manual_seed(0)
    layer = with_random_weights(layers(group)[name]()).to(dtype).eval()
    graph = synthetic_graph(group, 8, dtype=dtype)
    return layer, features(layer.in_type.size, graph, dtype=dtype), graph


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_copies_and_pickles(group, name):
    layer, x, graph = with_input(group, name)
    expected = call(layer, name, x, graph)
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(call(same, name, x, graph), expected)
        assert repr(same) == repr(layer)
        assert same.in_type == layer.in_type


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_checkpoints_hold_learned_weights_only(group, name):
    layer, x, graph = with_input(group, name)
    state = layer.state_dict()
    learned = {key for key, _ in layer.named_parameters()}
    assert set(state) == learned | {key for key, _ in layer.named_buffers() if "running" in key}
    other = with_random_weights(layers(group)[name]()).double().eval()
    other.load_state_dict(state, strict=True)
    assert torch.equal(call(other, name, x, graph), call(layer, name, x, graph))


def test_state_dict_keys():
    a, b = types(SO2())
    assert set(GaugeConv(a, b).state_dict()) == {"weight", "self_interaction.weight", "bias.bias"}
    assert set(EquivariantLinear(a, b).state_dict()) == {"weight", "bias.bias"}
    assert set(FourierNonlinearity(FieldType(SO2(), "2x0 + 2x1")).state_dict()) == set()
    assert set(FieldBatchNorm(a).state_dict()) == {"weight", "bias", "running_mean", "running_var"}
    assert set(EquivariantMLP(a, b, hidden=a).state_dict()) == {"0.weight", "0.bias.bias", "2.weight", "2.bias.bias"}
    assert set(TensorProductNonlinearity(a).state_dict()) == {
        "left.weight",
        "right.weight",
        "mix.weight",
        "mix.bias.bias",
    }
    assert set(ResidualBlock(a).state_dict()) == {
        "conv.weight",
        "conv.self_interaction.weight",
        "conv.bias.bias",
        "norm.weight",
        "norm.bias",
        "expand.weight",
        "expand.bias.bias",
        "contract.weight",
        "contract.bias.bias",
    }


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_casting_down_and_up_loses_nothing_but_the_weights(group, name):
    """Tables come back exact: gauge equivariance in float64 must not depend on what a layer was cast to before."""
    layer, x, graph = with_input(group, name)
    round_trip = copy.deepcopy(layer).bfloat16().double()
    round_trip.load_state_dict(layer.state_dict())
    assert torch.equal(call(round_trip, name, x, graph), call(layer, name, x, graph))
    single = layers(group)[name]()  # made in float32, cast to float64
    single.double().eval().load_state_dict(layer.state_dict())
    assert torch.equal(call(single, name, x, graph), call(layer, name, x, graph))


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_layers_share_no_memory(group, name):
    """Tables come from caches: who writes to those of one layer must not change another, nor one made later."""
    layer, x, graph = with_input(group, name)
    expected = call(layer, name, x, graph)
    victim = layers(group)[name]().double()
    with torch.no_grad():
        for tensor in [*victim.buffers(), *victim.parameters()]:
            tensor.fill_(torch.nan)
    later = layers(group)[name]().double().eval()
    later.load_state_dict(layer.state_dict())
    for other in (layer, later):
        assert torch.equal(call(other, name, x, graph), expected)


def test_layers_are_made_without_memory_and_filled_later():
    """`device="meta"`, as checkpoints of large models are loaded."""
    a, b = types(Dihedral(3))
    for make in (
        lambda **factory: EquivariantLinear(a, b, **factory),
        lambda **factory: GridConv(a, b, 3, **factory),
        lambda **factory: EquivariantMLP(a, b, hidden=a, **factory),
        lambda **factory: FieldBatchNorm(a, **factory),
    ):
        empty = make(device="meta")
        assert {t.device.type for t in [*empty.parameters(), *empty.buffers()]} == {"meta"}
        layer, known = empty.to_empty(device="cpu").eval(), make().eval()
        layer.load_state_dict(known.state_dict())
        x = torch.randn(2, a.size, 5, 5)
        assert torch.equal(layer(x), known(x))


def test_tables_follow_the_device():
    layer = EquivariantLinear(*types(Dihedral(3)))
    assert layer.to("meta")._basis_0.device.type == "meta"


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_reset_parameters_makes_fresh_finite_weights(group, name):
    layer, x, graph = with_input(group, name)
    resettable = [m for m in layer.modules() if hasattr(m, "reset_parameters")]
    for parameter in layer.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    for module in resettable:
        module.reset_parameters()
    assert call(layer, name, x, graph).isfinite().all()


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_gradcheck(group, name):
    layer, x, graph = with_input(group, name)
    assert torch.autograd.gradcheck(lambda x: call(layer, name, x, graph), (x.requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
@pytest.mark.parametrize("num_nodes", [0, 1])
def test_empty_and_single(group, name, num_nodes):
    layer = layers(group)[name]().double()
    graph = synthetic_graph(group, num_nodes, degree=0)
    out = call(layer, name, features(layer.in_type.size, graph), graph)
    assert out.shape == (num_nodes, layer.out_type.size)
    assert out.isfinite().all()


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_half_precision_and_autocast(group, name):
    layer, x, graph = with_input(group, name, torch.float32)
    expected = call(layer, name, x, graph)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = call(layer, name, x, graph)
        mixed.float().sum().backward() if mixed.requires_grad else None
    pure = call(layer.bfloat16(), name, x.bfloat16(), graph)
    assert relative(mixed.float(), expected) < TOL[torch.bfloat16]
    assert relative(pure.float(), expected) < TOL[torch.bfloat16]


ON_GRIDS = [case for case in CASES if not case[1].startswith(("conv", "block"))]
"""Convolutions ask for the grid: their own tests."""


def image_of(x, spatial):
    return x.unflatten(0, (2, *spatial)).movedim(-1, 1)


@pytest.mark.parametrize(("group", "name"), ON_GRIDS, ids=str)
@pytest.mark.parametrize("spatial", [(4,), (2, 2), (1, 2, 2)], ids=str)
def test_pixels_are_points(group, name, spatial):
    """The same layer on two images `(B, size, *spatial)` and on two graphs whose points weigh the same."""
    layer, x, _ = with_input(group, name)
    graphs = [synthetic_graph(group, 4, seed=k) for k in range(2)]
    for graph in graphs:
        graph.mass = torch.ones_like(graph.mass)
    expected = call(layer, name, x, Batch.from_data_list(graphs))
    assert relative(layer(image_of(x, spatial)).movedim(1, -1).flatten(0, -2), expected) < TOL[torch.float64]
    assert layer(x.new_zeros(0, layer.in_type.size, *spatial)).shape == (0, layer.out_type.size, *spatial)
    assert layer(x.new_zeros(2, layer.in_type.size, *spatial[1:], 0)).shape == (2, layer.out_type.size, *spatial[1:], 0)


@newer_than_torch_2_6
@pytest.mark.parametrize(
    "name", cheap_first([*NORMS, "linear", "gated", "tensor product"], [*NORMS, "linear", "gated"])
)
def test_compiles_and_exports_on_grids(name):
    torch._dynamo.reset()
    layer, x, _ = with_input(Dihedral(4), name, torch.float32)
    image = image_of(x, (2, 2))
    expected = copy.deepcopy(layer).train()(image)
    fast = torch.compile(copy.deepcopy(layer).train(), fullgraph=True, backend="aot_eager")
    assert relative(fast(image), expected) < TOL[torch.float32]
    program = torch.export.export(layer, (image,))
    assert relative(program.module()(image), layer(image)) < TOL[torch.float32]


@pytest.mark.parametrize(("group", "name"), CASES, ids=str)
def test_wrong_numbers_of_channels_are_named(group, name):
    layer, x, graph = with_input(group, name)
    with pytest.raises(ValueError, match=f"with {x.shape[1]} channels"):
        call(layer, name, x[:, 1:], graph)


# --- compilation: layers accept a prepared graph in the place of a gauge graph ----------------------------------------

SLOW_TO_COMPILE = (
    "block",
    "tensor product",
    "mlp",
)  # every layer compiles in `test_transforms_table`, without gradients
COMPILED = [(SO2(), name) for name in layers(SO2())] + [(Dihedral(4), "conv"), (Cyclic(5), "block")]


@newer_than_torch_2_6
@pytest.mark.parametrize(
    ("group", "name"),
    cheap_first(COMPILED, [(g, name) for g, name in COMPILED if g.name == "SO(2)" and name not in SLOW_TO_COMPILE]),
    ids=str,
)
def test_compiles_into_one_graph(group, name):
    torch._dynamo.reset()
    layer, x, graph = with_input(group, name, torch.float32)
    fast = torch.compile(layer, fullgraph=True, backend="aot_eager")
    expected = call(layer, name, x, graph)
    domain = prepare_graph(layer, x, graph) if name in ON_GRAPHS else graph
    assert relative(call(fast, name, x, domain), expected) < TOL[torch.float32]
    found, wanted = [
        torch.autograd.grad(call(f, name, here, g).square().sum(), here)[0]
        for f, g in ((fast, domain), (layer, graph))
        for here in [x.clone().requires_grad_()]
    ]
    assert relative(found, wanted) < TOL[torch.float32]


@newer_than_torch_2_6
@pytest.mark.parametrize(("group", "name"), COMPILED, ids=str)
def test_exports(group, name):
    layer, x, graph = with_input(group, name, torch.float32)
    arguments = (x, prepare_graph(layer, x, graph)) if name in ON_GRAPHS else (x,)
    program = torch.export.export(layer, arguments)
    assert relative(program.module()(*arguments), call(layer, name, x, graph)) < TOL[torch.float32]


@pytest.mark.parametrize("name", ["instance norm", "embedding", "linear"])
def test_exports_for_images_of_any_size(name):
    layer, x, _ = with_input(O3(), name, torch.float32)
    image, sizes = image_of(x, (2, 2)), torch.export.Dim.DYNAMIC
    program = torch.export.export(layer, (image,), dynamic_shapes=({0: sizes, 2: sizes, 3: sizes},))
    other = torch.randn(5, layer.in_type.size, 3, 7)
    assert relative(program.module()(other), layer(other)) < TOL[torch.float32]


@pytest.mark.parametrize("name", ["batch norm", "pointwise", "restrict", "dropout"])
@pytest.mark.parametrize("spatial", [(), (4,), (2, 2), (1, 2, 2)], ids=str)
def test_plain_modules_are_the_same_in_eval_mode(name, spatial):
    layer, x, _ = with_input(Dihedral(4), name)
    here = image_of(x, spatial) if spatial else x
    plain = layer.to_torch(here)
    assert type(plain).__module__.startswith("torch.nn")
    assert relative(plain(here), layer(here)) < TOL[torch.float64]


@pytest.mark.long
def test_compiles_with_the_default_compiler():
    torch._dynamo.reset()
    layer, x, graph = with_input(SO2(), "conv", torch.float32)
    fast = torch.compile(layer, fullgraph=True)
    assert relative(fast(x, prepare_graph(layer, x, graph)), layer(x, graph)) < TOL[torch.float32]


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_prepared_graphs_change_nothing(group):
    torch.manual_seed(0)
    field_type = types(group)[0]
    block, pool = ResidualBlock(field_type).double(), Pool(field_type)

    class Net(torch.nn.Module):
        def forward(self, x, graph):
            return block(pool(block(x, graph.level(0)), graph, level=1), graph.level(1))

    net, graph = Net(), synthetic_graph(group, levels=3)
    x = features(field_type.size, graph)
    prepared = prepare_graph(net, x, graph)
    assert torch.equal(net(x, prepared), net(x, graph))
    assert (prepared.num_levels, prepared.num_nodes) == (3, graph.num_nodes)
    block.float()
    with pytest.raises(ValueError, match="was not prepared for"):
        net(x.float(), prepared)


def test_prepared_batches():
    torch.manual_seed(0)
    model = MeshUNet("3x0 + 1x1", 4, width=4, levels=2, blocks=1, readout="global").double().eval()
    batch = Batch.from_data_list([synthetic_graph(SO2(), n, seed=n, levels=2) for n in (12, 0, 20)])
    x = features(5, batch)
    prepared = prepare_graph(model, x, batch)
    assert prepared.num_graphs == 3
    assert torch.equal(model(x, prepared), model(x, batch))


def test_preparing_leaves_the_network_as_it_was():
    layer, x, graph = with_input(SO2(), "block")
    layer.train()
    layer.norm.eval()
    prepare_graph(layer, x, graph)
    assert layer.training
    assert layer.conv.training
    assert not layer.norm.training
    assert all(p.grad is None for p in layer.parameters())
