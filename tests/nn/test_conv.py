"""GaugeConv: all engines give one answer; on a flat grid it is `conv2d`; awkward graphs and precisions work."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import O2, SO2, Cyclic, FieldType
from gaugenet.kernels import KernelSpace
from gaugenet.nn import GaugeConv, use_engine
from gaugenet.nn.engines import graph as graph_engine
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import MIXED, TYPES, types, with_random_weights
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


def engines_agree(layer: GaugeConv, graph: GaugeGraph) -> float:
    """Largest relative difference, of outputs and both gradients, between `reference`, `graph` and its fallback."""
    x = features(layer.in_type.size, graph)
    upstream = features(layer.out_type.size, graph, seed=1)

    def fallback(space, weight, x, graph):
        factors = graph_engine.edge_factors(space, graph, x.dtype)
        return graph_engine._convolve_torch(space, space.mixing(weight), x, factors)

    results = []
    for convolve in ("reference", "graph", fallback):
        here, weight = x.clone().requires_grad_(), layer.weight
        if callable(convolve):
            out = convolve(layer.kernels, weight, here, graph)
        else:
            with use_engine(convolve):
                out = layer(here, graph)
        gradients = torch.autograd.grad((out * upstream).sum(), (here, weight), allow_unused=True)
        results.append((out, *gradients))
    return max(relative(a, b) for other in results[1:] for a, b in zip(other, results[0], strict=True))


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), MIXED, ids=str)
@pytest.mark.parametrize("rings", [1, 3])
def test_engines_agree(group, in_spec, out_spec, rings):
    torch.manual_seed(0)
    options = {"self_interaction": False, "bias": False, "dtype": torch.float64, "rings": rings}
    layer = GaugeConv(FieldType(group, in_spec), FieldType(group, out_spec), **options)
    assert engines_agree(with_random_weights(layer), synthetic_graph(group)) < EXACT


@pytest.mark.parametrize("max_frequency", [0, 1, 4])
def test_engines_agree_for_other_band_limits(max_frequency):
    torch.manual_seed(0)
    layer = GaugeConv(
        *types(Cyclic(4)), max_frequency=max_frequency, self_interaction=False, bias=False, dtype=torch.float64
    )
    assert engines_agree(layer, synthetic_graph(Cyclic(4))) < EXACT


@pytest.mark.parametrize("threads", [1, 2])
def test_many_blocks_of_vertices(threads):
    """A graph larger than one block of the compiled engine, with any number of threads."""
    torch.manual_seed(0)
    field_type = FieldType(SO2(), "16x0 + 16x1 + 16x2")
    layer = GaugeConv(field_type, field_type, self_interaction=False, bias=False, dtype=torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        graph = synthetic_graph(SO2(), 700, degree=3)
        x = features(field_type.size, graph).requires_grad_()
        out = layer(x, graph)
        factors = graph_engine.edge_factors(layer.kernels, graph, x.dtype)
        expected = graph_engine._convolve_torch(layer.kernels, layer.kernels.mixing(layer.weight), x, factors)
        assert relative(out, expected) < EXACT
        gradients = [torch.autograd.grad(y.sin().sum(), (x, layer.weight)) for y in (out, expected)]
        assert max(relative(a, b) for a, b in zip(*gradients, strict=True)) < EXACT
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_gradcheck(group):
    torch.manual_seed(0)
    layer = GaugeConv(*types(group), dtype=torch.float64)
    graph = synthetic_graph(group, 5, degree=2)
    x = features(layer.in_type.size, graph).requires_grad_()

    def function(x, *parameters):
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        return torch.func.functional_call(layer, named, (x, graph))

    assert torch.autograd.gradcheck(function, (x, *layer.parameters()), fast_mode=True)


def test_gradients_with_respect_to_the_geometry():
    """Through log maps and transporters, as often as one likes; equal to those of the definition."""
    torch.manual_seed(0)
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2(), 8)
    for name in ("log_map", "transporter", "weight"):
        graph[name].requires_grad_()
    x = features(layer.in_type.size, graph)
    sources = [graph.log_map, graph.transporter, graph.weight]
    found = []
    for engine in ("graph", "graph", "reference"):
        with use_engine(engine):
            found.append(torch.autograd.grad(layer(x, graph).square().sum(), sources))
    moving = graph.edge_index[0] != graph.edge_index[1]  # at v = 0 the kernel has a kink
    for a, b, c in zip(*found, strict=True):
        assert a.isfinite().all()
        assert torch.equal(a, b)
        assert relative(a[moving], c[moving]) < 1e-10


def grid(height: int, width: int, radius_in_pixels: float, group=None) -> GaugeGraph:
    """Pixels one apart with parallel frames: the x axis along columns, the y axis up (against rows)."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pos = torch.stack([column.flatten(), -row.flatten()], -1).double()
    offset = pos[None] - pos[:, None]  # (target, source)
    distance = offset.norm(dim=-1)
    target, source = ((distance <= radius_in_pixels) & (distance > 0)).nonzero(as_tuple=True)
    count = len(target)
    return GaugeGraph(
        edge_index=torch.stack([source, target]),
        log_map=offset[target, source],
        transporter=torch.eye(2, dtype=torch.float64).repeat(count, 1, 1),
        weight=torch.full((count,), 0.1, dtype=torch.float64),
        frame=torch.eye(2, dtype=torch.float64).repeat(len(pos), 1, 1),
        pos=pos,
        mass=torch.ones(len(pos), dtype=torch.float64),
        radius=torch.tensor([radius_in_pixels], dtype=torch.float64),
        structure=(group or SO2()).name,
    )


def stencil(layer: GaugeConv, radius_in_pixels: float) -> torch.Tensor:
    """The kernel sampled at the pixels' offsets, `(out, in, k, k)`; the intertwiner of the layer in the middle."""
    k = int(radius_in_pixels)
    row, column = torch.meshgrid(torch.arange(-k, k + 1), torch.arange(-k, k + 1), indexing="ij")
    offset = torch.stack([column, -row], -1).double()
    kernel = 0.1 * layer.kernels.evaluate(layer.weight, offset / radius_in_pixels)
    kernel[offset.norm(dim=-1) > radius_in_pixels] = 0
    kernel[k, k] = layer.self_interaction(torch.eye(layer.in_type.size, dtype=torch.float64)).T
    return kernel.permute(2, 3, 0, 1)


@pytest.mark.parametrize("group", [SO2(), O2(), Cyclic(4)], ids=str)
def test_on_a_flat_grid_it_is_conv2d(group):
    torch.manual_seed(0)
    height, width, radius_in_pixels = 7, 9, 2.3
    layer = with_random_weights(GaugeConv(*types(group), rings=3, dtype=torch.float64))
    graph = grid(height, width, radius_in_pixels, group)
    x = features(layer.in_type.size, graph)
    image = x.T.reshape(1, -1, height, width)
    bias = layer.bias.vector()
    kernel = stencil(layer, radius_in_pixels)
    expected = F.conv2d(image, kernel, bias, padding=2)[0].flatten(1).T
    assert relative(layer(x, graph), expected) < EXACT  # of all pixels: zeros around
    control = F.conv2d(image, kernel.flip(-1), bias, padding=2)[0].flatten(1).T
    assert relative(layer(x, graph), control) > 0.1

    g = group.random_element(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    rotated = layer(layer.in_type.transform(g, x), graph.gauge_transform(g))
    assert relative(rotated, layer.out_type.transform(g, expected)) < EXACT


def test_permuting_the_points_permutes_the_output():
    torch.manual_seed(0)
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    order = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(1))
    rank = order.argsort()
    moved = graph.clone()
    by_target = rank[graph.edge_index[1]].argsort(stable=True)
    moved.edge_index = rank[graph.edge_index][:, by_target]
    for name in ("log_map", "transporter", "weight"):
        moved[name] = graph[name][by_target]
    for name in ("pos", "frame", "mass"):
        moved[name] = graph[name][order]
    assert relative(layer(x[order], moved), layer(x, graph)[order]) < EXACT
    assert relative(layer(x[order], moved), layer(x, graph)) > 0.1


@pytest.mark.parametrize("num_nodes", [0, 1, 2])
@pytest.mark.parametrize("group", [SO2(), Cyclic(4)], ids=str)
def test_empty_graphs_and_single_points(group, num_nodes):
    layer = GaugeConv(*types(group), dtype=torch.float64)
    for degree in (0, 2):
        graph = synthetic_graph(group, num_nodes, degree=degree)
        x = features(layer.in_type.size, graph).requires_grad_()
        out = layer(x, graph)
        assert out.shape == (num_nodes, layer.out_type.size)
        out.sum().backward()
        assert x.grad.shape == x.shape
        with use_engine("reference"):
            assert relative(layer(x, graph), out) < EXACT


def test_points_without_neighbours_see_themselves_only():
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    alone = layer.bias(layer.self_interaction(x[-1:]))
    assert relative(layer(x, graph)[-1:], alone) < EXACT


def test_a_self_loop_of_length_zero_adds_nothing():
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    without = graph.clone()
    sampled_kernels = graph.edge_index[0] != graph.edge_index[1]
    assert not sampled_kernels.all()
    without.edge_index = graph.edge_index[:, sampled_kernels]
    for name in ("log_map", "transporter", "weight"):
        without[name] = graph[name][sampled_kernels]
    assert relative(layer(x, without), layer(x, graph)) < EXACT


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precisions(dtype):
    torch.manual_seed(0)
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    expected = layer(x, graph)
    out = layer.to(dtype)(x.to(dtype), graph)
    assert out.dtype == dtype
    assert relative(out.double(), expected) < TOL[dtype]


def test_autocast():
    """The aggregate stays in float32; gradients arrive."""
    torch.manual_seed(0)
    layer = GaugeConv(*types(SO2()))
    graph = synthetic_graph(SO2(), dtype=torch.float32)
    x = features(layer.in_type.size, graph, dtype=torch.float32)
    expected = layer(x, graph)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x, graph)
        low = layer(x.bfloat16(), graph)
    for y in (out, low):
        assert relative(y.float(), expected) < TOL[torch.bfloat16]
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_evaluating_first_does_not_spoil_training():
    """Factors computed in inference mode are kept on the graph, and serve the backward pass of a later step."""
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    with torch.inference_mode():
        layer(x, graph)
    layer(x, graph).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_changed_geometry_is_noticed():
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    before = layer(x, graph)
    graph.weight.mul_(2)
    assert relative(layer(x, graph), before) > 0.1
    graph.weight = graph.weight / 2
    assert relative(layer(x, graph), before) < EXACT


def test_a_larger_structure_group_is_refused_and_a_smaller_one_served():
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(Cyclic(4))
    x = features(layer.in_type.size, graph)
    assert layer(x, graph).isfinite().all()
    graph.structure = ["C_4", "SO(2)"]
    assert layer(x, graph).isfinite().all()
    graph.structure = ["SO(2)", "O(2)"]
    with pytest.raises(ValueError, match=r"O\(2\) is not a subgroup of SO\(2\)"):
        layer(x, graph)


def test_wrong_arguments():
    layer = GaugeConv(*types(SO2()), dtype=torch.float64)
    graph = synthetic_graph(SO2())
    x = features(layer.in_type.size, graph)
    with pytest.raises(ValueError, match="one row per point"):
        layer(x[:-1], graph)
    with pytest.raises(ValueError, match="channels in dimension 1"):
        layer(x[None], graph)
    with pytest.raises(ValueError, match="one row per point"):
        layer(x[:, :, None], graph)
    with pytest.raises(ValueError, match="channels"):
        layer(x[:, :-1], graph)
    with pytest.raises(ValueError, match="Expected a domain to convolve on"):
        layer(x, "a mesh")
    with pytest.raises(ValueError, match="Unknown engine"), use_engine("fast"):
        pass
    with pytest.raises(ValueError, match="one structure group"):
        GaugeConv(FieldType(SO2(), "1x0"), FieldType(O2(), "1x0"))
    backwards = graph.clone()
    backwards.edge_index = graph.edge_index.flip(1)
    with pytest.raises(ValueError, match="sorted by target"):
        layer(x, backwards)


def test_empty_types():
    graph = synthetic_graph(SO2())
    for a, b in (("", "2x0 + 1x1"), ("2x0", ""), ("", "")):
        layer = GaugeConv(FieldType(SO2(), a), FieldType(SO2(), b), dtype=torch.float64)
        x = features(layer.in_type.size, graph).requires_grad_()
        out = layer(x, graph)
        assert out.shape == (graph.num_nodes, layer.out_type.size)
        out.sum().backward()


def test_outputs_start_at_unit_scale():
    """Smooth features of unit variance: constants seen through a trivial connection."""
    torch.manual_seed(0)
    field_type = FieldType(SO2(), "32x0")
    graph = grid(9, 9, 3.5)
    graph.weight = torch.full_like(graph.weight, 1 / 36)
    layer = GaugeConv(field_type, FieldType(SO2(), "64x0"), self_interaction=False, dtype=torch.float64)
    x = torch.randn(1, 32, dtype=torch.float64).expand(81, 32)
    assert 0.2 < layer(x, graph)[40].square().mean() < 3


def test_the_kernel_is_what_the_layer_says():
    layer = GaugeConv(*types(SO2()), rings=3)
    assert isinstance(layer.kernels, KernelSpace)
    assert "rings=3" in repr(layer)
    assert "max_frequency=2" in repr(GaugeConv(*types(Cyclic(4))))
