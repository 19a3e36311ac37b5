"""Conditional kernels are complete: their span at every bidegree has the dimension that characters give."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import PointCloud
from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, FieldType
from gaugenet.kernels import Harmonic, Implicit, ImplicitPolynomial, ImplicitSpace, PolynomialSpace
from gaugenet.kernels.harmonics import harmonic_dim, harmonics_of
from gaugenet.nn import GaugeConv, use_engine
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
LENGTH = 0.6
TYPES = {
    SO2(): [("0", "0", "1"), ("0", "1", "1"), ("1", "1", "1"), ("1", "2", "2")],
    O2(): [("0", "0", "1"), ("0-", "1", "1"), ("1", "1", "0-"), ("1", "2", "1")],
    SO3(): [("0", "0", "1"), ("0", "1", "1"), ("1", "1", "1")],
    O3(): [("0e", "0e", "1o"), ("0e", "1o", "1e"), ("1o", "1o", "1o")],
    Cyclic(4): [("0", "0", "1"), ("1", "0", "2"), ("1", "1", "1"), ("2", "1", "2")],
}
"""Representations of input, output and attributes."""

BIDEGREES = [(0, 1), (1, 0), (1, 1), (2, 1), (2, 2)]
CASES = [
    (group, *types, a, b)
    for group, all_types in TYPES.items()
    for types in all_types
    for a, b in BIDEGREES
    if group.d < 3 or a + b < 4
]


def quadrature(group) -> tuple[torch.Tensor, torch.Tensor]:
    """Elements and weights that integrate characters of low order exactly."""
    if group.order:
        g = group.elements()
        return g, torch.full((len(g),), 1 / len(g), dtype=torch.float64)
    angle = torch.arange(64, dtype=torch.float64) * (2 * math.pi / 64)
    c, s = angle.cos(), angle.sin()
    if group.d == 2:
        g = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
        weight = torch.full((64,), 1 / 64, dtype=torch.float64)
    else:  # Weyl's formula: classes are rotations about one axis
        g = torch.zeros(64, 3, 3, dtype=torch.float64)
        g[:, 0, 0], g[:, 0, 1], g[:, 1, 0], g[:, 1, 1], g[:, 2, 2] = c, -s, s, c, 1
        weight = (1 - c) / 64
    mirror = torch.diag(torch.tensor([1.0, -1.0] if group.d == 2 else [-1.0, -1.0, -1.0], dtype=torch.float64))
    if group in (SO2(), SO3()):
        return g, weight
    return torch.cat([g, g @ mirror]), torch.cat([weight, weight]) / 2


def symmetric_power(matrix: torch.Tensor, degree: int) -> torch.Tensor:
    """The character of Sym^k from power sums, by Newton's identities."""
    sums, power = [], matrix
    for _ in range(degree):
        sums.append(power.diagonal(dim1=-2, dim2=-1).sum(-1))
        power = power @ matrix
    h = [torch.ones(len(matrix), dtype=torch.float64)]
    for k in range(1, degree + 1):
        h.append(sum(sums[i] * h[k - 1 - i] for i in range(k)) / k)
    return h[degree]


def expected_dim(group, rho_in, rho_out, rho_z, a: int, b: int) -> int:
    """dim Hom_G(Sym^a V (x) Sym^b Z (x) rho_in, rho_out)."""
    g, weight = quadrature(group)
    characters = symmetric_power(g, a) * symmetric_power(group.irrep(rho_z)(g), b)
    for rho in (rho_in, rho_out):
        characters = characters * group.irrep(rho)(g).diagonal(dim1=-2, dim2=-1).sum(-1)
    mean = (weight * characters).sum().item()
    assert abs(mean - round(mean)) < 1e-9
    return round(mean)


def directions(d: int, count: int) -> torch.Tensor:
    v = torch.randn(count, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(v, dim=-1)


def component(space: PolynomialSpace, weight: torch.Tensor, a: int, b: int) -> torch.Tensor:
    """The part of K of degree a in v and b in z, as one long vector of values."""
    d, band, z_size = space.group.d, (space.depth + 1) * space.max_frequency, space.attribute_type.size
    frequencies = [j for j in range(band + 1) if harmonic_dim(d, j)]
    unit = directions(d, 3 * sum(harmonic_dim(d, j) for j in frequencies))
    z = torch.randn(8, z_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    nodes = torch.linspace(-1, 1, space.depth + 2, dtype=torch.float64)
    v = LENGTH * unit[:, None, None].expand(-1, len(z), len(nodes), -1)
    scaled = (nodes[:, None] * z[:, None])[None].expand(len(unit), -1, -1, -1)
    k = space.evaluate(weight, v.reshape(-1, d), scaled.reshape(-1, z_size))
    k = k.view(len(unit), len(z), len(nodes), -1)
    powers = torch.linalg.solve(nodes[:, None] ** torch.arange(len(nodes)), k.movedim(2, 0).flatten(1))
    of_degree = powers[b].view(len(unit), -1)
    y = harmonics_of(unit, frequencies)
    coefficients = torch.linalg.lstsq(torch.cat(y, 1), of_degree).solution
    parts = coefficients.split([t.shape[1] for t in y])
    return torch.cat([p for j, p in zip(frequencies, parts, strict=True) if j <= a and (a - j) % 2 == 0]).flatten()


@pytest.mark.parametrize(("group", "rho_in", "rho_out", "rho_z", "a", "b"), CASES, ids=str)
def test_full_kernels_are_complete_at_every_bidegree(group, rho_in, rho_out, rho_z, a, b):
    """The span at random weights."""
    expected = expected_dim(group, rho_in, rho_out, rho_z, a, b)
    types = FieldType(group, f"1x{rho_in}"), FieldType(group, f"1x{rho_out}")
    options = {"edge_type": FieldType(group, f"1x{rho_z}"), "rings": 1, "max_frequency": max(a, 1), "depth": max(b, 1)}
    order = None if group.order else 4
    space = PolynomialSpace(*types, channels=3, hidden_order=order, **options)
    rows = []
    for seed in range(expected + 6):
        weight = torch.empty(space.num_weights, dtype=torch.float64)
        space.initialize(weight, generator=torch.Generator().manual_seed(seed))
        rows.append(component(space, weight, a, b))
    span = torch.stack(rows)
    assert torch.linalg.matrix_rank(span, rtol=1e-8, atol=1e-10) == expected


def test_control_too_few_hidden_irreps_or_products_are_not_complete():
    group, expected = SO2(), expected_dim(SO2(), "0", "0", "1", 2, 2)
    types, edge = (FieldType(group, "1x0"), FieldType(group, "1x0")), FieldType(group, "1x1")
    for order, depth in ((0, 2), (4, 1)):
        options = {"edge_type": edge, "rings": 1, "max_frequency": 2, "depth": depth, "hidden_order": order}
        space = PolynomialSpace(*types, channels=3, **options)
        weights = torch.randn(expected + 6, space.num_weights, dtype=torch.float64)
        span = torch.stack([component(space, w, 2, 2) for w in weights])
        assert torch.linalg.matrix_rank(span, rtol=1e-8, atol=1e-10) < expected


def test_the_examples_of_the_paper():
    assert expected_dim(SO2(), "0", "0", "1", 1, 1) == 2
    assert expected_dim(SO2(), "0", "0", "1", 2, 2) == 3
    assert expected_dim(SO2(), "0", "1", "1", 2, 1) == 4
    assert len(CASES) >= 60
    assert len({str(c[0]) for c in CASES}) >= 5


@pytest.mark.parametrize(("group", "rho_in", "rho_out", "rho_z", "a", "b"), [c for c in CASES if c[-1] < 2], ids=str)
def test_paths_are_complete_up_to_degree_one_in_the_attributes(group, rho_in, rho_out, rho_z, a, b):
    """The functions B_p of all paths: those of full kernels."""
    expected = expected_dim(group, rho_in, rho_out, rho_z, a, b)
    types = FieldType(group, f"1x{rho_in}"), FieldType(group, f"1x{rho_out}")
    if not expected:
        return
    space = ImplicitSpace(*types, edge_type=FieldType(group, f"1x{rho_z}"), max_frequency=max(a, 1), hidden=2)
    unit = directions(group.d, 40)
    z = torch.randn(40, space.attribute_type.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    c = torch.cat([torch.ones(40, 1 + space.rings).double(), *harmonics_of(unit, range(1, max(a, 1) + 1))], 1)
    wanted = torch.zeros(space.num_factors, dtype=torch.float64)
    for f in space._factors:
        if (f.attribute is not None) == (b == 1) and f.frequency <= a and (a - f.frequency) % 2 == 0:
            wanted[f.start : f.stop] = 1
    entries = (space.factors(c, z) * wanted) @ space.depthwise.table()
    functions = torch.stack([m.flatten() for m in space.depthwise.path_matrices(entries)])
    assert torch.linalg.matrix_rank(functions, rtol=1e-9) == expected
    used = functions.abs().amax(1) > 1e-12
    assert int(used.sum()) == expected  # no path twice


def test_without_attributes_it_spans_the_harmonic_kernels():
    """At one distance: learned radial functions times the same angular kernels."""
    for group, spec in ((SO3(), "1x0 + 1x1"), (O2(), "1x0 + 1x0- + 1x1"), (O3(), "1x0e + 1x1o + 1x1e")):
        kind = FieldType(group, spec)
        harmonic, implicit = Harmonic(1).space(kind, kind), Implicit(hidden=3).space(kind, kind)
        v = LENGTH * directions(group.d, 60)
        rows = []
        for space in (harmonic, implicit):
            weights = torch.empty(80, space.num_weights, dtype=torch.float64)
            for w in weights:
                space.initialize(w)
            rows.append(torch.stack([space.evaluate(w, v).flatten() for w in weights]))
        ranks = [torch.linalg.matrix_rank(r, rtol=1e-9) for r in (*rows, torch.cat(rows))]
        assert ranks[0] == ranks[1] == ranks[2] == harmonic.num_weights


@pytest.mark.parametrize(
    ("group", "spec", "edge", "node"),
    [
        (SO2(), "1x0 + 1x1", "1x1", "1x2"),
        (O3(), "1x0e + 1x1o", "1x1o", "1x0o"),
        (Axial(O2(), third="mirror"), "1x0 + 1x1", "1x0z", "1x1"),
        (Cyclic(4), "1xregular", "1x1", "1x2"),
    ],
    ids=str,
)
def test_full_kernels_convolve(group, spec, edge, node):
    """Steerable; engines agree; frames are a choice."""
    torch.manual_seed(0)
    kind, edge, node = (FieldType(group, s) for s in (spec, edge, node))
    family = ImplicitPolynomial(channels=2, edge_type=edge, node_type=node, rings=2, max_frequency=2)
    conv = GaugeConv(kind, kind, kernel=family, dtype=torch.float64)
    graph = PointCloud(torch.rand(8, group.d)).gauge_graph(
        group, neighbors=3, frames="random", seed=0, dtype=torch.float64
    )
    x, ea, na = (torch.randn(n, t.size, dtype=torch.float64) for n, t in ((8, kind), (24, edge), (8, node)))
    out = conv(x, graph, edge_attr=ea, node_attr=na)
    with use_engine("reference"):
        assert relative(out, conv(x, graph, edge_attr=ea, node_attr=na)) < EXACT
    g = group.random_element(8, generator=torch.Generator().manual_seed(1))
    target = graph.edge_index[1]
    attributes = {"edge_attr": edge.transform(g[target], ea), "node_attr": node.transform(g, na)}
    seen = conv(kind.transform(g, x), graph.gauge_transform(g), **attributes)
    assert relative(seen, kind.transform(g, out)) < 10 * EXACT
    still = conv(kind.transform(g, x), graph.gauge_transform(g), edge_attr=ea, node_attr=na)
    assert relative(still, kind.transform(g, out)) > 1e-3
