"""Fields with directions: kernels, layers and networks commute with rotations and reflections, exactly."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from gaugenet.geometry.lattice.symmetry import moved_sites, rotated_features
from gaugenet.groups import SU, U1, Cyclic, DirectProduct, FieldType, Hypercubic, Trivial
from gaugenet.kernels import Shifts
from gaugenet.nn import (
    GaugeConv,
    LatticeBilinear,
    LatticeBlock,
    LatticePool,
    LatticeUnpool,
    LinkUpdate,
    LoopFeatures,
    TraceActivation,
    TraceNorm,
    TraceReadout,
    blocked,
    use_engine,
)
from gaugenet.nn.engines.lattice import LatticeEngine
from tests.geometry.lattice.cases import random_field, random_gauge
from tests.nn.lattice import test_conv as sites
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
ALL = "1xmatrix + 2xvector*matrix + 1xbivector*matrix + 1xaxes*fundamental + 1xvector*0"
CASES = [
    (SU(2), (4, 4), ALL, 2),
    (SU(3), (3, 3, 3), "1xvector*matrix + 1xbivector*fundamental", 1),
    (U1(), (3, 3, 3, 3), "1xvector*1 + 1xplanes*1 + 2xbivector*matrix", 1),
]
every_case = pytest.mark.parametrize(("internal", "shape", "spec", "steps"), CASES, ids=str)


def case(internal, shape, spec, steps, spatial=None):
    torch.manual_seed(0)
    d = len(shape)
    group = DirectProduct(spatial or Hypercubic(d), internal)
    fields = FieldType(group, spec)
    layer = GaugeConv(fields, fields, kernel=Shifts(d, steps=steps), dtype=torch.float64)
    x = torch.randn(2, fields.size, *shape, dtype=torch.float64)
    return layer, random_field(internal, shape, steps=steps), x


def some(group, count=12):
    """All generators, and every n-th element."""
    g = group.elements()
    return torch.cat([group.generators(), g[:: max(1, len(g) // count)]])


def errors(layer, field, x, elements):
    y = layer(x, field)
    found = []
    for h in elements:
        turned = layer(rotated_features(layer.in_type, x, h), field.rotate(h))
        found.append(relative(turned, rotated_features(layer.out_type, y, h)))
    return found


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 5), (3, 3, 3, 4)], ids=str)
def test_rotated_links_are_those_of_another_implementation(shape):
    """`moved_links` of the tests of the convolution permutes and flips arrays, without matrices of the group."""
    d = len(shape)
    field = random_field(SU(2), shape, antiperiodic=[0])
    group = Hypercubic(d)
    for order, flips in list(sites.hypercubic(d))[:: max(1, group.order // 24)]:
        h = torch.zeros(d, d, dtype=torch.float64)
        for axis, source in enumerate(order):
            h[axis, source] = -1 if axis in flips else 1
        rotated = field.rotate(h)
        assert torch.equal(rotated.links, sites.moved_links(field.links, order, flips))
        assert rotated.antiperiodic == tuple(source == 0 for source in order)
        back = rotated.rotate(h.T)
        assert torch.equal(back.links, field.links)
        assert back.paths == field.paths


@every_case
def test_kernels_commute_with_rotations_reflections_and_gauge_transformations(internal, shape, spec, steps):
    layer, field, x = case(internal, shape, spec, steps)
    fields, omega = layer.in_type, random_gauge(field)
    y = layer(x, field)
    assert max(errors(layer, field, x, some(fields.group.spatial))) < EXACT
    assert relative(layer(fields.transform(omega, x), field.gauge_transform(omega)), fields.transform(omega, y)) < EXACT
    h = fields.group.spatial.generators()[0]
    wrong = layer(moved_sites(x, h, first=2), field.rotate(h))  # control: directions do not rotate
    assert relative(wrong, rotated_features(fields, y, h)) > 0.05


def test_controls_weights_without_the_constraint():
    """The same fields under a smaller group have kernels that do not commute with the whole group."""
    field = random_field(SU(2), (4, 4), steps=2)
    quarter_turn, mirror = torch.tensor([[0.0, -1], [1, 0]]).double(), torch.diag(torch.tensor([-1.0, 1])).double()
    spec = "1xmatrix + 2xstandard*matrix"
    for spatial, turns, mirrors in ((Cyclic(4), True, False), (Trivial(2), False, False), (Hypercubic(2), True, True)):
        layer, _, x = case(SU(2), (4, 4), spec, 2, spatial)
        rho = FieldType(DirectProduct(Hypercubic(2), SU(2)), "1xmatrix + 2xvector*matrix")
        for h, holds in ((quarter_turn, turns), (mirror, mirrors)):
            moved = layer(rotated_features(rho, x, h), field.rotate(h))
            error = relative(moved, rotated_features(rho, layer(x, field), h))
            assert error < EXACT if holds else error > 0.05


@every_case
def test_engines_agree(internal, shape, spec, steps):
    layer, field, x = case(internal, shape, spec, steps)
    y = LatticeEngine().shift(layer, x, field)
    assert relative(layer(x, field), y) < EXACT
    for engine in ("graph", "reference"):
        with use_engine(engine):
            assert relative(layer(x, field), y) < EXACT


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize(("first", "second"), [("0", "vector"), ("vector", "vector"), ("bivector", "axes")])
def test_the_number_of_kernels_is_given_by_characters(d, first, second):
    """dim Hom_H(orbit x a, b) = the mean of the product of three characters; times 4 for complex matrices of SU(2)."""
    spatial = Hypercubic(d)
    h = spatial.elements()
    group = DirectProduct(spatial, SU(2))
    offsets = [tuple(v) for v in torch.cartesian_prod(*[torch.arange(-1, 2)] * d).tolist() if any(v)]
    table = torch.tensor(offsets, dtype=torch.float64)
    fixed = ((h @ table.T).mT == table).all(-1).sum(1)  # the character of the permutations of displacements
    characters = [spatial.representation(name)(h).diagonal(dim1=1, dim2=2).sum(1) for name in (first, second)]
    expected = (fixed * characters[0] * characters[1]).mean().item() * 4  # W = trace + traceless, real and imaginary
    kernel = Shifts(d, offsets=tuple(offsets))
    space = kernel.space(FieldType(group, f"{first}*matrix"), FieldType(group, f"{second}*matrix"))
    assert space.num_weights == pytest.approx(2 * expected)


def test_without_action_on_directions_all_is_as_before():
    """H = {1}: the layer of `Trivial(2) x SU(2)` is the layer of SU(2), weight by weight."""
    layer, field, x = case(SU(2), (3, 4), "2xmatrix + 1xfundamental", 2, Trivial(2))
    fields = FieldType(SU(2), "2xmatrix + 1xfundamental")
    plain = GaugeConv(fields, fields, kernel=Shifts(2, steps=2), dtype=torch.float64)
    plain.load_state_dict(layer.state_dict())
    assert relative(plain(x, field), layer(x, field)) < EXACT


def test_fields_without_directions_are_the_symmetric_kernels():
    layer, field, x = case(SU(2), (4, 4), "2xmatrix + 1xfundamental", 2)
    fields = FieldType(SU(2), "2xmatrix + 1xfundamental")
    short = GaugeConv(fields, fields, kernel=Shifts(2, steps=2, symmetric=True), dtype=torch.float64)
    assert short.kernels.num_weights == layer.kernels.num_weights
    assert max(errors(short, field, x, some(Hypercubic(2)))) < EXACT


def test_outputs_have_about_unit_variance():
    layer, field, x = case(SU(2), (8, 8), "4xmatrix + 4xvector*matrix + 4xbivector*matrix", 2)
    layer.self_interaction = None
    for part in layer.out_type.blocks:
        assert 0.5 < layer(x, field)[:, part.slice].std() < 2


# --- layers -----------------------------------------------------------------------------------------------------------


def network(group, d):
    """Loops -> block -> norm -> block -> new links -> block -> traces, with a field of each kind on the way."""
    loops = LoopFeatures(group, d, polyakov=True)
    hidden = FieldType(group, "2xmatrix + 2xvector*matrix + 1xbivector*matrix")
    vectors = FieldType(group, "2xvector*matrix")
    torch.manual_seed(0)
    blocks = [
        LatticeBlock(*types, d=d).double() for types in ((loops.out_type, hidden), (hidden, vectors), (vectors, hidden))
    ]
    update, norm, readout = LinkUpdate(vectors, d=d).double(), TraceNorm(hidden), TraceReadout(hidden)
    torch.nn.init.normal_(update.beta)

    def run(field):
        features = loops(field)
        x = norm(blocks[0](features, field))
        v = blocks[1](x, field)
        new = update(v, field)
        y = readout(blocks[2](v, new))
        return [(loops.out_type, features), (hidden, x), (vectors, v), (readout.out_type, y)], new

    return run


@pytest.mark.parametrize(("internal", "shape"), [(SU(2), (4, 4)), (SU(3), (3, 3, 3)), (U1(), (3, 3, 3, 3))], ids=str)
def test_networks_commute_with_rotations_reflections_and_gauge_transformations(internal, shape):
    d = len(shape)
    run, field = network(DirectProduct(Hypercubic(d), internal), d), random_field(internal, shape)
    omega = random_gauge(field)
    with torch.no_grad():
        features, links = run(field)
        assert all(x.std() > 1e-3 for _, x in features)
        assert internal.contains(links.links).all()
        moved, moved_links = run(field.gauge_transform(omega))
        for (fields, x), (_, y) in zip(features, moved, strict=True):
            assert relative(y, fields.transform(omega, x)) < EXACT
        assert relative(moved_links.links, links.gauge_transform(omega).links) < EXACT
        for h in some(Hypercubic(d), 4):
            turned, turned_links = run(field.rotate(h))
            for (fields, x), (_, y) in zip(features, turned, strict=True):
                assert relative(y, rotated_features(fields, x, h)) < EXACT
            assert relative(turned_links.links, links.rotate(h).links) < EXACT


def pooled_network(group, d, *, symmetric):
    """Loops -> block -> coarse lattice -> block there -> fine lattice -> block with what was before -> traces."""
    loops, hidden = LoopFeatures(group, d), FieldType(group, "1xmatrix + 1xvector*matrix")
    torch.manual_seed(0)
    fine, coarse, last = (LatticeBlock(a, hidden, d=d).double() for a in (loops.out_type, hidden, hidden))
    pool, unpool = LatticePool(hidden, symmetric=symmetric), LatticeUnpool(hidden, symmetric=symmetric)
    readout = TraceReadout(hidden)

    def run(field):
        x = fine(loops(field), field)
        y = coarse(pool(x, field), blocked(field))
        return [(hidden, y), (readout.out_type, readout(last(x + unpool(y, field), field)))]

    return run


@pytest.mark.parametrize(("internal", "shape"), [(SU(2), (6, 6)), (U1(), (6, 8)), (SU(2), (6, 6, 6))], ids=str)
def test_networks_with_symmetric_pooling_commute_with_rotations_and_reflections(internal, shape):
    """On the coarse lattice too, where the same element acts; blocks of 2^d sites are the control."""
    d, field = len(shape), random_field(internal, shape)
    omega = random_gauge(field)
    even = omega[(slice(None), *[slice(None, None, 2)] * d)]
    errors = {}
    with torch.no_grad():
        for symmetric in (True, False):
            run = pooled_network(DirectProduct(Hypercubic(d), internal), d, symmetric=symmetric)
            features, found = run(field), []
            for h in some(Hypercubic(d), 4):
                assert relative(blocked(field.rotate(h)).links, blocked(field).rotate(h).links) < EXACT
                turned = run(field.rotate(h))
                pairs = zip(features, turned, strict=True)
                found.append([relative(y, rotated_features(fields, x, h)) for (fields, x), (_, y) in pairs])
            errors[symmetric] = torch.tensor(found).amax(0)
            (hidden, y), (_, traces) = features
            (_, moved), (_, same) = run(field.gauge_transform(omega))
            assert relative(moved, hidden.transform(even, y)) < EXACT
            assert relative(same, traces) < EXACT
            assert traces.std() > 1e-3
    assert (errors[True] < EXACT).all(), errors
    assert (errors[False] > 0.01).all(), errors


def test_controls_of_the_layers():
    """Plaquettes at a corner are no bivector; updates from one end of a link do not commute with reflections."""
    field, mirror = random_field(SU(2), (4, 4)), torch.diag(torch.tensor([-1.0, 1.0])).double()
    corner = LoopFeatures(SU(2), 2)(field)
    bivector = FieldType(DirectProduct(Hypercubic(2), SU(2)), "bivector*matrix")
    odd = LoopFeatures(bivector.group, 2)
    turned = field.rotate(mirror)
    anti = odd(field)[:, : bivector.size]
    assert relative(odd(turned)[:, : bivector.size], rotated_features(bivector, anti, mirror)) < EXACT
    assert relative(LoopFeatures(SU(2), 2)(turned), rotated_features(bivector, corner, mirror)) > 0.1
    matrices = FieldType(SU(2), "2xmatrix")  # the two components of one vector field
    x = torch.randn(2, 16, 4, 4, dtype=torch.float64)
    one_end = LinkUpdate(matrices, d=2, dtype=torch.float64)
    with torch.no_grad():
        one_end.beta.copy_(torch.eye(2))
    vectors = FieldType(bivector.group, "1xvector*matrix")
    both = LinkUpdate(vectors, d=2, dtype=torch.float64)
    torch.nn.init.ones_(both.beta)
    y = rotated_features(vectors, x, mirror)
    by_site = lambda v: v.view(2, 2, 8, 4, 4).transpose(1, 2).reshape(2, 16, 4, 4)  # noqa: E731
    assert relative(both(y, turned).links, both(x, field).rotate(mirror).links) < EXACT
    assert relative(one_end(by_site(y), turned).links, one_end(by_site(x), field).rotate(mirror).links) > 0.1


def test_loops_of_the_clover_are_the_field_strength():
    group = DirectProduct(Hypercubic(4), SU(3))
    field = random_field(SU(3), (3, 3, 3, 3), batch=1)
    loops = LoopFeatures(group, 4)
    bivector, planes = (b.split(loops(field)) for b in loops.out_type.blocks)
    assert bivector.shape == planes.shape == (1, 6 * 18, 1, 3, 3, 3, 3)
    first = field.field_strength(0, 1)
    anti = bivector[:, :18, 0].movedim(1, -1)
    found = torch.complex(anti[..., :9], anti[..., 9:]).unflatten(-1, (3, 3))
    assert relative(SU(3).algebra_part(found), first) < EXACT


def test_layers_are_modules_as_others():
    layer, field, x = case(SU(2), (4, 4), "1xmatrix + 1xvector*matrix", 1)
    fields = layer.in_type
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(same(x, field), layer(x, field))
    bilinear = LatticeBilinear(fields, fields, fields, dtype=torch.float64)
    assert torch.equal(copy.deepcopy(bilinear)(x, x), bilinear(x, x))
    small = random_field(SU(2), (3, 3), batch=1)
    x = torch.randn(1, fields.size, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bilinear(layer(x, small), x).sum(), [x])
    assert relative(layer.float()(x.detach().float(), small).double(), layer.double()(x.detach(), small)) < 1e-5


def test_arguments():
    square = DirectProduct(Hypercubic(2), SU(2))
    fields, vectors = FieldType(square, "1xmatrix"), FieldType(square, "1xvector*matrix")
    field = random_field(SU(2), (4, 4))
    x = torch.randn(2, 16, 4, 4, dtype=torch.float64)
    for make, message in [
        (lambda: Shifts(3).space(fields, fields), "Expected displacements in 2 dimensions for B_2"),
        (lambda: Shifts(2, offsets=((1, 0),)).space(fields, fields), "without"),
        (lambda: Shifts(2, symmetric=True).space(fields, fields), "the group itself acts"),
        (lambda: Shifts(2).space(FieldType(DirectProduct(Cyclic(3), SU(2)), "matrix"), fields), "one structure group"),
        (
            lambda: Shifts(2).space(*2 * [FieldType(DirectProduct(Cyclic(3), SU(2)), "matrix")]),
            "maps the lattice to itself",
        ),
        (lambda: GaugeConv(vectors, vectors), "internal fibre"),
        (lambda: TraceActivation(vectors), "one block of matrix fields"),
        (lambda: LinkUpdate(fields, d=2), "one matrix for each link"),
        (lambda: LinkUpdate(vectors, d=3), "one matrix for each link"),
        (lambda: LoopFeatures(DirectProduct(Cyclic(4), SU(2)), 2), r"Hypercubic\(2\)"),
        (lambda: LoopFeatures(square, 3), r"Hypercubic\(3\)"),
        (lambda: LinkUpdate(vectors, d=2).double()(x, random_field(SU(3), (4, 4))), r"gauge field of SU\(2\)"),
        (lambda: field.rotate(torch.eye(3)), "signed permutation of 2 axes"),
        (lambda: field.rotate(0.5 * torch.eye(2)), "signed permutation"),
        (
            lambda: rotated_features(
                FieldType(DirectProduct(Cyclic(4), SU(2)), "matrix"), x[:, :8], -torch.eye(2).flip(0)
            ),
            "in C_4",
        ),
        (lambda: LatticeBilinear(fields, fields, FieldType(square, "1xvector*fundamental")), "matrix fields such as"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
