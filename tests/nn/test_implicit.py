"""Kernels from attributes: one answer by all engines, exact symmetry, forces, small memory, clear errors."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gaugenet.geometry import Grid, Icosphere, PointCloud
from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, FieldType, Polyhedral
from gaugenet.kernels import Implicit
from gaugenet.nn import GatedNonlinearity, GaugeConv, prepare_graph, use_engine
from gaugenet.testing.gauge import outside_elements
from tests.compilers import cheap_first, newer_than_torch_2_6
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = {
    "SO(2)": (SO2(), "2x0 + 2x1", "2x0 + 1x1 + 1x2", "1x0 + 1x1", "1x2"),
    "O(2)": (O2(), "2x0 + 1x0- + 2x1", "2x1 + 1x0-", "1x0- + 2x1", "1x1"),
    "C_4": (Cyclic(4), "1xregular + 1x1", "1xregular", "1x1", "1x2"),
    "D_3": (Dihedral(3), "1xregular", "2x1 + 1x0-", "1xregular", "1x0-"),
    "SO(3)": (SO3(), "2x0 + 2x1", "2x0 + 2x1 + 1x2", "1x0 + 1x1", "1x2"),
    "O(3)": (O3(), "2x0e + 2x1o", "2x0e + 1x1e + 2x1o", "1x0o + 1x1o", "1x1e"),
    "axial O(2)": (Axial(O2(), third="mirror"), "2x0 + 1x1", "1x0z + 2x1", "1x0z + 1x1", "1x1z"),
    "axial SO(2)": (Axial(SO2()), "2x0 + 2x1", "1x0 + 1x2", "1x1", "1x0"),
    "T_d": (Polyhedral("T_d"), "1x0 + 1xstandard", "1x0 + 1xstandard", "1xstandard", "1x0"),
}


class Case:
    """A layer, a graph, features and attributes."""

    def __init__(self, name: str, *, frames: str | None = "random", count: int = 16, **options) -> None:
        torch.manual_seed(0)
        group, *specs = CASES[name]
        self.group = group
        self.a, self.b, self.edge, self.node = (FieldType(group, s) for s in specs)
        options = {
            "hidden": 5,
            "rings": 4,
            "max_frequency": 2,
            "edge_type": self.edge,
            "node_type": self.node,
            **options,
        }
        self.conv = GaugeConv(self.a, self.b, kernel=Implicit(**options), dtype=torch.float64)
        pos = torch.rand(count, group.d, dtype=torch.float64)
        self.graph = PointCloud(pos).gauge_graph(group, neighbors=5, frames=frames, seed=0, dtype=torch.float64)
        self.x = self.random(count, self.a)
        self.attributes = {
            "edge_attr": self.random(self.graph.edge_index.shape[1], self.edge),
            "node_attr": self.random(count, self.node),
        }

    @staticmethod
    def random(count: int, kind: FieldType) -> torch.Tensor:
        return torch.randn(count, kind.size, dtype=torch.float64, requires_grad=True)

    def __call__(self) -> torch.Tensor:
        return self.conv(self.x, self.graph, **self.attributes)

    def seen_from(self, g: torch.Tensor, *, turn_attributes: bool = True) -> torch.Tensor:
        target = self.graph.edge_index[1]
        attributes = self.attributes
        if turn_attributes:
            attributes = {
                "edge_attr": self.edge.transform(g[target], attributes["edge_attr"]),
                "node_attr": self.node.transform(g, attributes["node_attr"]),
            }
        return self.conv(self.a.transform(g, self.x), self.graph.gauge_transform(g), **attributes)


@pytest.mark.parametrize("name", CASES)
def test_engines_agree(name):
    """With frames that rotate features and without; gradients in features, attributes and weights, too."""
    for frames in (None, "random"):
        case, results = Case(name, frames=frames), []
        for engine in ("graph", "reference"):
            with use_engine(engine):
                out = case()
            inputs = [case.x, *case.attributes.values(), case.conv.weight]
            results.append([out, *torch.autograd.grad(out.sin().sum(), inputs)])
        assert all(relative(p, q) < EXACT for p, q in zip(*results, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_frames_are_a_choice(name):
    """Controls: attributes that stay as they were; elements outside of the group."""
    case = Case(name)
    g = case.group.random_element(16, generator=torch.Generator().manual_seed(1))
    expected = case.b.transform(g, case())
    assert relative(case.seen_from(g), expected) < EXACT
    assert relative(case.seen_from(g, turn_attributes=False), expected) > 1e-3
    outside = outside_elements(case.group, 16, torch.Generator().manual_seed(2))
    assert relative(case.seen_from(outside), case.b.transform(outside, case())) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_constraint(name):
    """K(g v, rho_z(g) z) = rho_out(g) K(v, z) rho_in(g)^-1."""
    case = Case(name)
    space, weight = case.conv.kernels, case.conv.weight
    v, z = torch.randn(20, case.group.d, dtype=torch.float64), case.random(20, space.attribute_type)
    g = case.group.random_element(20, generator=torch.Generator().manual_seed(1))
    found = space.evaluate(weight, (g @ v[..., None])[..., 0], space.attribute_type.transform(g, z))
    rho_in, rho_out = case.a.representation()(g), case.b.representation()(g)
    expected = rho_out @ space.evaluate(weight, v, z) @ rho_in.mT
    assert relative(found, expected) < EXACT
    assert relative(space.evaluate(weight, (g @ v[..., None])[..., 0], z), expected) > 1e-3
    assert relative(space.evaluate(weight, v, z), space.evaluate(weight, v, 2 * z)) > 1e-3


@pytest.mark.parametrize("name", ["SO(2)", "O(3)", "axial O(2)", "C_4"])
def test_derivatives_of_second_order(name):
    """In features, attributes and weights, where the first derivative comes from compiled loops."""
    case = Case(name, count=7, hidden=3)
    inputs = [case.x, *case.attributes.values(), case.conv.weight]
    probes = [torch.randn_like(t) for t in inputs]

    def slope(t: float, *, graph: bool = False) -> tuple[torch.Tensor, list[torch.Tensor]]:
        moved = [(v.detach() + t * p).requires_grad_() for v, p in zip(inputs, probes, strict=True)]
        out = torch.func.functional_call(
            case.conv, {"weight": moved[3]}, (moved[0], case.graph), {"edge_attr": moved[1], "node_attr": moved[2]}
        )
        grads = torch.autograd.grad(out.sin().sum(), moved, create_graph=graph)
        return sum((g * p).sum() for g, p in zip(grads, probes, strict=True)), [*grads, *moved]

    value, tensors = slope(0.0, graph=True)
    found = torch.autograd.grad(value, tensors[4:])
    h = 1e-5
    differences = [(a - b) / (2 * h) for a, b in zip(slope(h)[1][:4], slope(-h)[1][:4], strict=True)]
    assert all(relative(a, b) < 1e-6 for a, b in zip(found, differences, strict=True))


def test_features_may_be_attributes_too():
    """Second derivatives where the kernel's weights are functions of the features that it acts on."""
    group = SO2()
    kind = FieldType(group, "1x0 + 2x1")
    torch.manual_seed(0)
    conv = GaugeConv(kind, kind, kernel=Implicit(hidden=4, node_type=kind), dtype=torch.float64)
    graph = PointCloud(torch.rand(7, 2)).gauge_graph(group, neighbors=3, dtype=torch.float64)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: conv(x, graph, node_attr=x), x)
    assert torch.autograd.gradgradcheck(lambda x: conv(x, graph, node_attr=x), x)


class Potential(torch.nn.Module):
    """Charges as attributes of points, species as attributes of edges -> an energy."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        group = O3()
        scalars, act = FieldType(group, "1x0"), GatedNonlinearity(FieldType(group, "3x0 + 2x1o"))
        family = Implicit(hidden=6, edge_type=FieldType(group, "1x0 + 1x1o"), node_type=scalars)
        self.first, self.act = GaugeConv(scalars, act.in_type, kernel=family), act
        self.last = GaugeConv(act.out_type, scalars, kernel=family)
        self.double()

    def forward(self, x, graph, vectors):
        attributes = {"edge_attr": torch.cat([graph.weight[:, None], vectors], 1), "node_attr": x}
        return self.last(self.act(self.first(x, graph, **attributes)), graph, **attributes).sum()


def test_forces_of_a_potential_with_attributes():
    """Against differences; loss on forces trains all weights; rotations rotate forces."""
    energy, x = Potential(), torch.rand(10, 1, dtype=torch.float64)
    pos = torch.rand(10, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def value(pos: torch.Tensor, rotation: torch.Tensor | None = None) -> torch.Tensor:
        graph = PointCloud(pos).gauge_graph(
            O3(), radius=0.6, weight="smooth", mass=0.1, isolated=True, dtype=torch.float64
        )
        vectors = torch.ones(len(graph.weight), 3, dtype=torch.float64)
        return energy(x, graph, vectors if rotation is None else vectors @ rotation.T)

    (slope,) = torch.autograd.grad(value(pos), pos, create_graph=True)
    h, probe = 1e-5, torch.randn_like(pos)
    with torch.no_grad():
        difference = (value(pos + h * probe) - value(pos - h * probe)) / (2 * h)
    assert relative((slope * probe).sum().detach(), difference) < 1e-6
    slope.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for n, p in energy.named_parameters() if "weight" in n)
    g = O3().random_element((), generator=torch.Generator().manual_seed(0))
    rotated = (pos.detach() @ g.T).requires_grad_()
    (other,) = torch.autograd.grad(value(rotated, g), rotated)
    assert relative(other, slope.detach() @ g.T) < 1e-11


def test_nothing_depends_on_the_batch():
    """A graph alone gives what it gives next to others, in training mode too."""
    group = SO3()
    a, z = FieldType(group, "2x0 + 2x1"), FieldType(group, "1x1")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=4, edge_type=z), dtype=torch.float64).train()
    pos = torch.rand(30, 3, dtype=torch.float64)
    batch = torch.tensor([0] * 12 + [1] * 18)
    both = PointCloud(pos).gauge_graph(group, neighbors=4, batch=batch, dtype=torch.float64)
    alone = PointCloud(pos[:12]).gauge_graph(group, neighbors=4, dtype=torch.float64)
    x, attr = torch.randn(30, a.size, dtype=torch.float64), torch.randn(120, 3, dtype=torch.float64)
    attr[48:] *= 100
    assert relative(conv(x, both, edge_attr=attr)[:12], conv(x[:12], alone, edge_attr=attr[:48])) < EXACT


class Largest(TorchDispatchMode):
    """The largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in torch.utils._pytree.tree_leaves(out):
            if isinstance(t, torch.Tensor):
                self.numel = max(self.numel, t.numel())
        return out


def test_no_tensor_of_edges_times_channels_times_paths_exists():
    """Forward and backward; control: the plain operations make messages."""
    group = O3()
    a = FieldType(group, "32x0 + 32x1o + 32x2e")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=16, max_frequency=2))
    graph = PointCloud(torch.rand(800, 3)).gauge_graph(group, neighbors=16)
    x = torch.randn(800, a.size, requires_grad=True)
    conv(x, graph).sum().backward()
    edges, depthwise = graph.edge_index.shape[1], conv.kernels.depthwise
    with Largest() as largest:
        conv(x, graph).square().sum().backward()
    assert largest.numel <= max(edges * len(depthwise.entries), 4 * x.numel())
    assert largest.numel < 0.5 * edges * depthwise.num_columns
    pos = torch.rand(800, 3).requires_grad_()
    moved = PointCloud(pos).gauge_graph(group, neighbors=16, frames="random", seed=0)
    moved.transporter = moved.transporter.requires_grad_()
    with Largest() as largest:
        conv(x, moved)
    assert largest.numel >= edges * a.size


def test_without_attributes_it_is_a_convolution_of_grids():
    """Sampled on the stencil: one ordinary convolution, which the gauge graph of the grid agrees with."""
    group = Cyclic(4)
    a = FieldType(group, "2x0 + 1xregular")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=6, max_frequency=2), dtype=torch.float64)
    grid = Grid((8, 7), kernel_size=5)
    x = torch.randn(2, a.size, 8, 7, dtype=torch.float64, requires_grad=True)
    results = []
    for engine in (None, "graph", "reference"):
        if engine is None:
            out = conv(x, grid)
        else:
            with use_engine(engine):
                out = conv(x, grid)
        results.append((out, *torch.autograd.grad(out.sin().sum(), [x, conv.weight])))
    for other in results[1:]:
        assert all(relative(p, q) < EXACT for p, q in zip(results[0], other, strict=True))


def test_one_stencil_for_the_icosphere():
    sphere = Icosphere(2)
    a = FieldType(Cyclic(6), "2x0 + 1xregular")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=4, max_frequency=2), dtype=torch.float64)
    x = torch.randn(sphere.num_vertices, a.size, dtype=torch.float64)
    assert conv(x, sphere).shape == x.shape


def test_channel_groups():
    group = SO2()
    a, z = FieldType(group, "4x0 + 2x1"), FieldType(group, "1x1")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=4, edge_type=z), groups=2, dtype=torch.float64)
    graph = PointCloud(torch.rand(9, 2)).gauge_graph(group, neighbors=3, dtype=torch.float64)
    x, attr = torch.randn(9, a.size, dtype=torch.float64), torch.randn(27, 2, dtype=torch.float64)
    with use_engine("reference"):
        expected = conv(x, graph, edge_attr=attr)
    assert relative(conv(x, graph, edge_attr=attr), expected) < EXACT
    other = x.clone()
    other[:, :2] += 1  # fields of the first group
    changed = (conv(other, graph, edge_attr=attr) - expected).abs().amax(0) > 1e-9
    assert changed.tolist() == [True, True, False, False, True, False, True, False]


def test_modules_and_precisions():
    case = Case("SO(2)", max_frequency=1)
    conv, graph, x = case.conv, case.graph, case.x.detach()
    attributes = {k: v.detach() for k, v in case.attributes.items()}
    expected = conv(x, graph, **attributes)
    assert list(conv.state_dict()) == ["weight", "self_interaction.weight", "bias.bias"]
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        assert torch.equal(other(x, graph, **attributes), expected)
    for dtype in (torch.float32, torch.bfloat16):
        low = copy.deepcopy(conv).to(dtype)
        out = low(x.to(dtype), graph.astype(torch.float32), **{k: v.to(dtype) for k, v in attributes.items()})
        assert out.dtype == dtype
        assert relative(out.double(), expected) < 2 * TOL[dtype]


@newer_than_torch_2_6
@pytest.mark.parametrize("how", cheap_first(["exported", "compiled"], ["exported"]))
def test_prepared_graphs_and_compilers(how):
    """Without attributes it compiles in `test_transforms_table` too."""
    case = Case("SO(2)", max_frequency=1)
    conv, graph, x = case.conv, case.graph, case.x.detach()
    attributes = {k: v.detach() for k, v in case.attributes.items()}
    expected = conv(x, graph, **attributes)

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv

        def forward(self, x, domain):
            return self.conv(x, domain, **attributes)

    ready = prepare_graph(Wrapped(), x, graph)
    assert relative(conv(x, ready, **attributes), expected) < EXACT
    if how == "compiled":
        changed = torch.compile(Wrapped(), fullgraph=True, backend="aot_eager")
    else:
        changed = torch.export.export(Wrapped(), (x, ready)).module()
    assert relative(changed(x, ready), expected) < EXACT


def test_no_point_one_point_and_no_edge():
    group = SO2()
    a, z = FieldType(group, "2x0 + 1x1"), FieldType(group, "1x1")
    conv = GaugeConv(a, a, kernel=Implicit(hidden=4, edge_type=z), dtype=torch.float64)
    none = torch.zeros(2, 0, dtype=torch.int64)
    for count in (1, 3):
        graph = PointCloud(torch.rand(count, 2)).gauge_graph(group, edge_index=none, dtype=torch.float64)
        x = torch.randn(count, 4, dtype=torch.float64, requires_grad=True)
        out = conv(x, graph, edge_attr=torch.zeros(0, 2, dtype=torch.float64))
        assert relative(out, conv.bias(conv.self_interaction(x))) < EXACT
        out.sum().backward()
        assert x.grad.isfinite().all()


def test_functional_transforms():
    case = Case("SO(2)", count=6)
    x = torch.stack([case.x.detach(), case.x.detach() + 1])
    attributes = {k: v.detach() for k, v in case.attributes.items()}
    each = torch.stack([case.conv(v, case.graph, **attributes) for v in x])
    mapped = torch.func.vmap(lambda v: case.conv(v, case.graph, **attributes))(x)
    assert relative(mapped, each) < EXACT


def test_training_learns_a_law_that_needs_the_attributes():
    """x_p = sum of z_e . v_e: a conditional layer fits it, the same layer without attributes does not."""
    group = O2()
    torch.manual_seed(0)
    graph = PointCloud(torch.rand(60, 2)).gauge_graph(group, neighbors=6, dtype=torch.float64)
    attr = torch.randn(360, 2, dtype=torch.float64)
    toward = graph.log_map / graph.radius
    wanted = torch.zeros(60, 1, dtype=torch.float64)
    wanted.index_add_(0, graph.edge_index[1], (graph.weight * (attr * toward).sum(1))[:, None])
    x, one = torch.ones(60, 1, dtype=torch.float64), FieldType(group, "1x0")

    def loss(family: Implicit, **attributes) -> float:
        torch.manual_seed(0)
        conv = GaugeConv(one, one, kernel=family, dtype=torch.float64)
        optimizer = torch.optim.Adam(conv.parameters(), 0.02)
        for _ in range(250):
            error = (conv(x, graph, **attributes) - wanted).square().mean()
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        return error.item() / wanted.square().mean().item()

    assert loss(Implicit(hidden=8, edge_type=FieldType(group, "1x1")), edge_attr=attr) < 0.05
    assert loss(Implicit(hidden=8)) > 0.3


def test_it_starts_at_unit_scale():
    torch.manual_seed(0)
    group = O3()
    a, z = FieldType(group, "32x0 + 32x1o + 16x2e"), FieldType(group, "2x0 + 1x1o")
    graph = PointCloud(torch.rand(600, 3)).gauge_graph(group, neighbors=12)
    x = torch.randn(1, a.size).expand(600, -1).clone()
    for family, attributes in (
        (Implicit(), {}),
        (Implicit(edge_type=z), {"edge_attr": torch.randn(7200, z.size)}),
        (Implicit(depth=3), {}),
    ):
        conv = GaugeConv(a, a, kernel=family, self_interaction=False)
        with torch.no_grad():
            y = conv(x, graph, **attributes)
        for block in a.blocks:
            assert 0.02 < block.split(y).square().mean() < 3


def test_wrong_attributes():
    case = Case("O(2)")
    x, graph, good = case.x, case.graph, case.attributes
    edge, node = good["edge_attr"], good["node_attr"]
    with pytest.raises(ValueError, match=r"Expected `edge_attr` of type 1x0- \+ 2x1"):
        case.conv(x, graph, node_attr=node)
    with pytest.raises(ValueError, match="Expected `node_attr` of type 1x1"):
        case.conv(x, graph, edge_attr=edge)
    with pytest.raises(ValueError, match="`edge_attr` with 5 columns"):
        case.conv(x, graph, edge_attr=edge[:, :4], node_attr=node)
    with pytest.raises(ValueError, match="one row for each of the 80 edges, got 79"):
        case.conv(x, graph, edge_attr=edge[:79], node_attr=node)
    with pytest.raises(ValueError, match="one row for each of the 16 points, got 15"):
        case.conv(x, graph, edge_attr=edge, node_attr=node[:15])
    plain = GaugeConv(case.a, case.b, kernel=Implicit(), dtype=torch.float64)
    with pytest.raises(ValueError, match=r"take no `edge_attr`: give them its field type, `Implicit\(edge_type"):
        plain(x, graph, edge_attr=edge)
    with pytest.raises(ValueError, match="HarmonicSpace takes no attributes"):
        GaugeConv(case.a, case.b, dtype=torch.float64)(x, graph, edge_attr=edge)
    with pytest.raises(ValueError, match="one structure group"):
        GaugeConv(case.a, case.b, kernel=Implicit(edge_type=FieldType(SO2(), "1x1")))
    for name in ("edge_type", "node_type"):
        with pytest.raises(TypeError, match=f"`{name}` as a field type, got '1x1'"):
            GaugeConv(case.a, case.b, kernel=Implicit(**{name: "1x1"}))
    with pytest.raises(ValueError, match="no O\\(2\\)-steerable kernels"):
        GaugeConv(FieldType(O2(), "1x0"), FieldType(O2(), "1x0-"), kernel=Implicit())
    for option in ("hidden", "depth", "rings"):
        with pytest.raises(ValueError, match=f"`{option}` to be a positive integer"):
            GaugeConv(case.a, case.b, kernel=Implicit(**{option: 0}))
    with pytest.raises(ValueError, match="`max_frequency` of at least 0"):
        GaugeConv(case.a, case.b, kernel=Implicit(max_frequency=-1))
    grid, a = Grid((6, 6), kernel_size=3), FieldType(Cyclic(4), "1x0 + 1x1")
    conv = GaugeConv(a, a, kernel=Implicit(edge_type=a))
    with pytest.raises(ValueError, match=r"Grid, which has one kernel for all points.*`gauge_graph"):
        conv(torch.zeros(1, 3, 6, 6), grid, edge_attr=torch.zeros(3, 3))
