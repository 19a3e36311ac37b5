"""Points with gradients, own edges, periodic cells and batches of unequal clouds."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.geometry import PeriodicCell, PointCloud
from gaugenet.groups import O2, O3, SO3, FieldType
from gaugenet.nn import GatedNonlinearity, GaugeConv
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SKEWED = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.8, 0.0], [-0.7, 0.5, 0.6]], dtype=torch.float64)


def positions(count: int, d: int = 3, *, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Energy(torch.nn.Module):
    """A small O(3) network: scalars -> scalars, vectors, tensors -> one scalar."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        group = O3()
        self.act = GatedNonlinearity(FieldType(group, "4x0 + 3x1o + 2x2e"))
        self.first = GaugeConv(FieldType(group, "2x0"), self.act.in_type)
        self.last = GaugeConv(self.act.out_type, FieldType(group, "1x0"))
        self.double()

    def forward(self, x: torch.Tensor, graph) -> torch.Tensor:
        return self.last(self.act(self.first(x, graph)), graph).sum()


def ring(count: int) -> torch.Tensor:
    """Edges between neighbours of a ring, in both directions, and chords, in no order."""
    i = torch.arange(count)
    forward = torch.stack([i, (i + 1) % count])
    chords = torch.stack([i[::3], (i[::3] + 4) % count])
    edges = torch.cat([forward, forward.flip(0), chords], 1)
    return edges[:, torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(0))]


WAYS = {
    "radius": {"radius": 0.5},
    "neighbors": {"neighbors": 4},
    "mean": {"mean_neighbors": 5.0},
    "density": {"radius": 0.5, "mass": "density"},
    "smooth": {"radius": 0.5, "weight": "smooth", "mass": 0.05},
    "own edges": {"edge_index": ring(14)},
    "cell": {"radius": 0.5, "cell": SKEWED},
    "smooth in a cell": {"radius": 0.6, "weight": "smooth", "cell": torch.eye(3)},
}


def graph_of(pos: torch.Tensor, options: dict, **more):
    options = {**options, **more}
    cloud = PointCloud(pos, cell=options.pop("cell", None))
    return cloud.gauge_graph(O3(), isolated=True, dtype=torch.float64, **options)


@pytest.mark.parametrize("way", WAYS)
def test_forces_are_the_slope_of_the_energy(way):
    """Against central differences, whatever the radius, masses and weights are functions of; and second derivatives."""
    energy, x = Energy(), positions(14, 2, seed=5)
    pos = positions(14).requires_grad_()
    value = energy(x, graph_of(pos, WAYS[way]))
    (slope,) = torch.autograd.grad(value, pos, create_graph=True)
    assert slope.abs().max() > 1e-3
    direction = torch.randn(pos.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def along(t: float, *, of_slope: bool = False) -> torch.Tensor:
        moved = (pos.detach() + t * direction).requires_grad_()
        value = energy(x, graph_of(moved, WAYS[way]))
        return torch.autograd.grad(value, moved)[0] if of_slope else value.detach()

    h = 1e-5
    assert relative((along(h) - along(-h)) / (2 * h), (slope * direction).sum().detach()) < 1e-7
    (curvature,) = torch.autograd.grad((slope * direction).sum(), pos)
    expected = (along(h, of_slope=True) - along(-h, of_slope=True)) / (2 * h)
    assert relative(curvature, expected) < 1e-6


def test_forces_train_the_weights():
    """A loss on forces has gradients in every weight, equal to differences."""
    energy, x, pos = Energy(), positions(14, 2, seed=5), positions(14).requires_grad_()

    def loss() -> torch.Tensor:
        value = energy(x, graph_of(pos, WAYS["smooth"]))
        return torch.autograd.grad(value, pos, create_graph=True)[0].square().sum()

    loss().backward()
    weight = energy.first.weight
    h, probe = 1e-6, torch.randn_like(weight)
    expected = (weight.grad * probe).sum()
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * h * probe
        values.append(loss().detach())
        with torch.no_grad():
            weight -= sign * h * probe
    assert relative((values[0] - values[1]) / (2 * h), expected) < 1e-6


def test_stress_is_the_slope_in_the_cell():
    energy, x, pos = Energy(), positions(14, 2, seed=5), positions(14)
    cell = SKEWED.clone().requires_grad_()
    options = {"radius": 0.5, "mass": 0.05, "weight": "smooth"}

    def value(cell: torch.Tensor) -> torch.Tensor:
        return energy(x, graph_of(pos, options, cell=cell))

    (slope,) = torch.autograd.grad(value(cell), cell)
    h, probe = 1e-6, torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        expected = (value(cell + h * probe) - value(cell - h * probe)) / (2 * h)
    assert relative((slope * probe).sum(), expected) < 1e-6


def test_smooth_weights_do_not_jump_and_others_do():
    """One point crosses the radius of another."""
    energy, x = Energy(), torch.ones(3, 2, dtype=torch.float64)

    def jump(**options) -> float:
        values = []
        for gap in (1e-7, -1e-7):
            pos = torch.tensor([[0, 0, 0], [0.3, 0, 0], [-0.5 + gap, 0.1, 0]], dtype=torch.float64)
            pos[2] = pos[2] * (0.5 + gap) / pos[2].norm()
            values.append(energy(x, graph_of(pos, {"radius": 0.5, **options})).item())
        return abs(values[0] - values[1])

    assert jump(weight="smooth", mass=0.1) < 1e-6
    assert jump() > 1e-2


# --- own edges --------------------------------------------------------------------------------------------------------


def test_own_edges_are_those_that_a_search_finds_in_another_order():
    pos, group = positions(30), O3()
    found = PointCloud(pos).gauge_graph(group, radius=0.4, isolated=True, dtype=torch.float64)
    order = torch.randperm(found.edge_index.shape[1], generator=torch.Generator().manual_seed(0))
    attr = torch.arange(found.edge_index.shape[1], dtype=torch.float64)[:, None]
    given = PointCloud(pos).gauge_graph(
        group, edge_index=found.edge_index[:, order], edge_attr=attr[order], radius=0.4, dtype=torch.float64
    )
    assert torch.equal(given.edge_index[1], found.edge_index[1])
    assert given.radius == found.radius
    energy, x = Energy(), positions(30, 2)
    assert relative(energy(x, given), energy(x, found)) < EXACT
    back = attr.flatten().long()[given.edge_attr.flatten().long()]
    assert torch.equal(found.edge_index[:, back], given.edge_index)  # attributes stay with their edges
    assert torch.equal(found.log_map[back], given.log_map)


def test_isolated_points_see_themselves_only():
    conv = GaugeConv(FieldType(O3(), "2x0 + 1x1o"), FieldType(O3(), "2x0 + 1x1o"), dtype=torch.float64)
    x = torch.randn(4, 5, dtype=torch.float64)
    graph = PointCloud(positions(4)).gauge_graph(O3(), edge_index=torch.tensor([[0, 1], [1, 0]]), dtype=torch.float64)
    alone = conv(x, graph)
    assert torch.isfinite(alone).all()
    expected = conv.bias(conv.self_interaction(x))
    assert relative(alone[2:], expected[2:]) < EXACT
    assert relative(alone[:2], expected[:2]) > 1e-3
    empty = PointCloud(positions(4)).gauge_graph(
        O3(), edge_index=torch.zeros(2, 0, dtype=torch.int64), dtype=torch.float64
    )
    assert relative(conv(x, empty), expected) < EXACT
    far = PointCloud(positions(4)).gauge_graph(O3(), radius=1e-3, isolated=True, dtype=torch.float64)
    assert relative(conv(x, far), expected) < EXACT


# --- periodic cells ---------------------------------------------------------------------------------------------------

CELLS = {
    "cube": torch.eye(3),
    "box": torch.diag(torch.tensor([1.0, 0.5, 0.3])),
    "skewed": SKEWED,
    "needle": torch.tensor([[1.0, 0, 0], [0.98, 0.1, 0], [0.3, 0.4, 0.2]]),
}


def images(pos: torch.Tensor, cell: torch.Tensor, most: int = 14):
    """All images, by brute force: the oracle."""
    steps = torch.tensor(list(itertools.product(range(-most, most + 1), repeat=3))).double()
    return steps, (pos[None] + (steps @ cell)[:, None]).flatten(0, 1)


@pytest.mark.parametrize("name", CELLS)
def test_all_images_within_the_radius_are_neighbours(name):
    cell = CELLS[name].double()
    pos = (positions(5) * 3 - 1) @ cell  # also outside of the cell
    _, everywhere = images(pos, cell)
    distance = torch.cdist(pos, everywhere, compute_mode="donot_use_mm_for_euclid_dist")
    for radius in (0.11, 0.35) if name == "needle" else (0.11, 0.35, 0.8):
        graph = PointCloud(pos, cell=cell).gauge_graph(O3(), radius=radius, isolated=True, dtype=torch.float64)
        near = distance[(distance <= radius) & (distance > 1e-9)]
        assert graph.log_map.shape[0] == len(near)
        assert relative(graph.log_map.norm(dim=1).sort().values, near.sort().values) < 1e-11
        source, target = graph.edge_index
        rebuilt = pos[source] + graph.edge_shift.double() @ cell - pos[target]
        assert relative(rebuilt, graph.log_map) < EXACT
    for k in (1, 7, 40):
        graph = PointCloud(pos, cell=cell).gauge_graph(O3(), neighbors=k, dtype=torch.float64)
        expected = distance.sort(1).values[:, 1 : k + 1]
        assert relative(graph.log_map.norm(dim=1).view(5, k).sort(1).values, expected) < 1e-11
    graph = PointCloud(pos, cell=cell).gauge_graph(O3(), mean_neighbors=9.0, isolated=True, dtype=torch.float64)
    assert graph.radius.item() == pytest.approx(distance[distance > 1e-9].sort().values[44].item())


@pytest.mark.parametrize("name", CELLS)
def test_own_edges_take_the_nearest_image(name):
    cell = CELLS[name].double()
    pos = (positions(12) * 4 - 2) @ cell
    edges = torch.stack([torch.arange(12), (torch.arange(12) + 5) % 12])
    graph = PointCloud(pos, cell=cell).gauge_graph(O3(), edge_index=edges, dtype=torch.float64)
    steps, _ = images(pos, cell)
    source, target = graph.edge_index
    straight = pos[source] - pos[target]
    near = straight - (straight @ cell.inverse()).round() @ cell
    shortest = (near[:, None] + steps @ cell).norm(dim=-1).amin(1)
    assert relative(graph.log_map.norm(dim=1), shortest) < 1e-11
    same = PointCloud(pos, cell=cell).gauge_graph(
        O3(), edge_index=graph.edge_index, edge_shift=graph.edge_shift, dtype=torch.float64
    )
    assert torch.equal(same.log_map, graph.log_map)


def test_rounding_alone_is_not_the_nearest_image():
    """The control: in a needle the rounded image is farther away for many pairs."""
    cell = PeriodicCell(CELLS["needle"])
    vector = positions(200) @ cell.vectors
    rounded = vector + cell.offset(-(vector @ cell.inverse).round())
    best = vector + cell.offset(cell.minimum_image(vector))
    assert (best.norm(dim=1) < rounded.norm(dim=1) - 1e-6).sum() > 50


def test_lattice_translations_and_supercells_change_nothing():
    """Points moved by lattice vectors; a cell twice as large with all points twice has the same energy per point."""
    energy, x, pos = Energy(), positions(6, 2), positions(6) @ SKEWED
    options = {"radius": 0.7, "weight": "smooth", "cell": SKEWED}
    expected = energy(x, graph_of(pos, options))
    steps = torch.randint(-3, 4, (6, 3), generator=torch.Generator().manual_seed(0)).double()
    assert relative(energy(x, graph_of(pos + steps @ SKEWED + 0.123, options)), expected) < 1e-11
    twice = torch.cat([pos, pos + SKEWED[0]])
    large = SKEWED * torch.tensor([[2.0], [1], [1]], dtype=torch.float64)
    found = energy(torch.cat([x, x]), graph_of(twice, {**options, "cell": large}))
    assert relative(found, 2 * expected) < 1e-11
    sheared = SKEWED.clone()
    sheared[1] += SKEWED[0]  # another basis of the same lattice
    assert relative(energy(x, graph_of(pos, {**options, "cell": sheared})), expected) < 1e-11
    assert relative(energy(x, graph_of(pos, {**options, "cell": SKEWED * 1.01})), expected) > 1e-4


def test_space_may_repeat_along_some_axes():
    pos = positions(8)
    cell = PeriodicCell([[1.0, 0, 0], [0, 1, 0], [0, 0, 0]], periodic=(True, True, False))
    slab = PointCloud(pos, cell=cell).gauge_graph(O3(), radius=0.9, dtype=torch.float64)
    tall = PointCloud(pos, cell=torch.diag(torch.tensor([1.0, 1, 9]))).gauge_graph(
        O3(), radius=0.9, dtype=torch.float64
    )
    assert torch.equal(slab.edge_index, tall.edge_index)
    assert torch.equal(slab.log_map, tall.log_map)
    assert (slab.edge_shift[:, 2] == 0).all()
    free = PointCloud(pos, cell=torch.eye(3), periodic=False).gauge_graph(O3(), radius=0.9, dtype=torch.float64)
    assert torch.equal(free.edge_index, PointCloud(pos).gauge_graph(O3(), radius=0.9).edge_index)


# --- batches ----------------------------------------------------------------------------------------------------------


def test_unequal_clouds_with_their_own_cells_and_edges():
    sizes, energy = (7, 14, 9), Energy()
    parts = [positions(n, seed=n).requires_grad_() for n in sizes]
    cells = torch.stack([torch.eye(3).double() * s for s in (1.0, 1.2, 0.8)])
    batch = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    x = positions(sum(sizes), 2)
    own = [ring(n) for n in sizes]
    starts = [0, 7, 21]
    edges = torch.cat([e + s for e, s in zip(own, starts, strict=True)], 1)
    edges = edges[:, torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(1))]
    for options in ({"radius": 0.5, "isolated": True}, {"edge_index": edges}):
        both = PointCloud(torch.cat(parts), cell=cells).gauge_graph(O3(), batch=batch, dtype=torch.float64, **options)
        singles = []
        for k, (part, cell) in enumerate(zip(parts, cells, strict=True)):
            single = {**options, "edge_index": own[k]} if "edge_index" in options else options
            singles.append(PointCloud(part, cell=cell).gauge_graph(O3(), dtype=torch.float64, **single))
        expected = sum(energy(x[s : s + n], g) for s, n, g in zip(starts, sizes, singles, strict=True))
        found = energy(x, both)
        assert relative(found, expected) < EXACT
        a, b = (torch.autograd.grad(value, parts) for value in (found, expected))
        assert all(relative(one, other) < 1e-11 for one, other in zip(a, b, strict=True))


# --- errors -----------------------------------------------------------------------------------------------------------


def test_wrong_points_edges_and_cells():
    pos, group = positions(6), SO3()
    cloud = PointCloud(pos)

    def edges(*pairs: tuple[int, int]) -> torch.Tensor:
        return torch.tensor(pairs).T

    with pytest.raises(ValueError, match=r"every edge of `edge_index` once, got 1 repeated, e.g. 0 -> 1"):
        cloud.gauge_graph(group, edge_index=edges((0, 1), (2, 1), (0, 1)))
    for bad in (6, -1):
        with pytest.raises(ValueError, match=r"points 0 ... 5 in `edge_index`, got 1 edges outside"):
            cloud.gauge_graph(group, edge_index=edges((0, 1), (bad, 1)))
    with pytest.raises(ValueError, match="1 self-loops"):
        cloud.gauge_graph(group, edge_index=edges((0, 1), (2, 2)))
    with pytest.raises(ValueError, match=r"pass `edge_index.T`"):
        cloud.gauge_graph(group, edge_index=edges((0, 1), (1, 2), (2, 3)).T)
    with pytest.raises(ValueError, match="of integers"):
        cloud.gauge_graph(group, edge_index=torch.rand(2, 4))
    with pytest.raises(ValueError, match="without `mean_neighbors` and `neighbors`"):
        cloud.gauge_graph(group, edge_index=edges((0, 1)), neighbors=2)
    with pytest.raises(ValueError, match=r"between two clouds, e.g. 0 -> 5"):
        cloud.gauge_graph(group, edge_index=edges((0, 5), (0, 1)), batch=torch.tensor([0, 0, 0, 1, 1, 1]))
    with pytest.raises(ValueError, match="`edge_attr` with one row for each of the 1 edges"):
        cloud.gauge_graph(group, edge_index=edges((0, 1)), edge_attr=torch.zeros(2, 3))
    with pytest.raises(ValueError, match="`edge_index` together with `edge_attr`"):
        cloud.gauge_graph(group, radius=1.0, edge_attr=torch.zeros(2, 3))
    with pytest.raises(ValueError, match="`edge_shift` only with a cell"):
        cloud.gauge_graph(group, edge_index=edges((0, 1)), edge_shift=torch.zeros(1, 3))
    with pytest.raises(ValueError, match="whole lattice steps"):
        PointCloud(pos, cell=torch.eye(3)).gauge_graph(group, edge_index=edges((0, 1)), edge_shift=torch.rand(1, 3))
    with pytest.raises(ValueError, match="position of another"):
        PointCloud(pos[[0, 0, 1]]).gauge_graph(group, edge_index=edges((0, 1), (2, 1)))
    with pytest.raises(ValueError, match="position of another"):  # an image of a point on top of another
        PointCloud([[0.0, 0, 0], [1, 0, 0]], cell=torch.eye(3)).gauge_graph(group, radius=0.5)
    with pytest.raises(ValueError, match="a `cell` with a volume"):
        PointCloud(pos, cell=torch.ones(3, 3))
    with pytest.raises(ValueError, match="a `cell` with a volume"):
        PointCloud(pos, cell=torch.zeros(3, 3))
    with pytest.raises(ValueError, match="finite lattice vectors"):
        PointCloud(pos, cell=torch.full((3, 3), float("nan")))
    with pytest.raises(ValueError, match=r"shape \(d, d\)"):
        PointCloud(pos, cell=torch.ones(3))
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        PointCloud(pos, cell=torch.eye(2))
    with pytest.raises(ValueError, match="each of 3 axes"):
        PointCloud(pos, cell=torch.eye(3), periodic=(True, False))
    with pytest.raises(ValueError, match="each of 1 clouds, got 2"):
        PointCloud(pos, cell=torch.eye(3).repeat(2, 1, 1)).gauge_graph(group, radius=0.5)
    for mass in ("uniform", "density"):
        with pytest.raises(ValueError, match="`mass` as a number"):
            cloud.gauge_graph(group, radius=0.5, weight="smooth", mass=mass)
    with pytest.raises(ValueError, match="'quadrature' or 'smooth'"):
        cloud.gauge_graph(group, radius=1.0, weight="hard")
    with pytest.raises(ValueError, match=r"acting on R\^3, got O\(2\)"):
        cloud.gauge_graph(O2(), radius=0.5)
