"""Layers for lattice gauge fields: equivariance under independent elements at every site, formulas, blocking."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.transport import transported
from gaugenet.groups import SO2, SU, U1, FieldType, complex_fields
from gaugenet.nn import (
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
)
from tests.geometry.lattice.cases import random_field, random_gauge, slow
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [(U1(), (6, 8)), (SU(2), (6, 6)), (SU(3), (6, 6)), (SU(2), (6, 6, 6))]
every_case = pytest.mark.parametrize(("group", "shape"), CASES, ids=str)


def case(group, shape, channels=2):
    torch.manual_seed(0)
    field = random_field(group, shape)
    fields = FieldType(group, {"matrix": channels})
    return field, fields, torch.randn(2, fields.size, *shape, dtype=torch.float64), random_gauge(field)


def randomized(layer):
    for p in layer.parameters():
        torch.nn.init.normal_(p)
    return layer.double()


@every_case
def test_site_layers_are_equivariant(group, shape):
    _, fields, x, omega = case(group, shape)
    moved = fields.transform(omega, x)
    other = FieldType(group, {"matrix": 3})
    bilinear = randomized(LatticeBilinear(fields, fields, other))
    y = torch.randn_like(x)
    expected = other.transform(omega, bilinear(x, y))
    assert relative(bilinear(moved, fields.transform(omega, y)), expected) < EXACT
    if group.d > 1:
        assert relative(bilinear(moved, y), expected) > 1e-3  # control: one factor is not transformed
    for layer in (randomized(TraceActivation(fields)), TraceNorm(fields)):
        assert relative(layer(moved), fields.transform(omega, layer(x))) < EXACT
    readout = TraceReadout(fields)
    assert readout.out_type.is_invariant
    assert relative(readout(moved), readout(x)) < EXACT
    if group.d > 1:
        assert relative(moved, x) > 0.1  # control: the fields themselves are not invariant


@every_case
def test_blocks_features_and_link_updates_are_equivariant(group, shape):
    field, fields, x, omega = case(group, shape)
    there, moved = field.gauge_transform(omega), fields.transform(omega, x)
    block = randomized(LatticeBlock(fields, fields, d=len(shape)))
    assert relative(block(moved, there), fields.transform(omega, block(x, field))) < EXACT
    if group.d > 1:  # control; matrix fields of an abelian group are invariant
        assert relative(block(moved, field), fields.transform(omega, block(x, field))) > 1e-3
    loops = LoopFeatures(group, len(shape), polyakov=True)
    assert relative(loops(there), loops.out_type.transform(omega, loops(field))) < EXACT
    assert loops.out_type.num_fields == len(shape) * (len(shape) + 1) // 2
    update = LinkUpdate(fields, d=len(shape)).double()
    new = update(x, field)
    assert group.contains(new.links).all()
    assert relative(update(moved, there).links, new.gauge_transform(omega).links) < EXACT
    assert relative(new.links, field.links) > 1e-3
    assert relative(update(x, there).links, new.gauge_transform(omega).links) > 1e-4 or group.d == 1  # control


@every_case
def test_networks_of_all_layers_are_invariant(group, shape):
    field, *_ = case(group, shape)
    omega = random_gauge(field)
    d, hidden = len(shape), FieldType(group, "2xmatrix")
    loops = LoopFeatures(group, d, polyakov=True)
    first, second = LatticeBlock(loops.out_type, hidden, d=d).double(), LatticeBlock(hidden, hidden, d=d).double()
    update, act, norm = LinkUpdate(hidden, d=d).double(), TraceActivation(hidden).double(), TraceNorm(hidden)
    pool, readout = LatticePool(hidden), TraceReadout(hidden)

    def network(domain):
        x = norm(act(first(loops(domain), domain)))
        domain = update(x, domain)
        return readout(second(pool(x, domain), blocked(domain)))

    y = network(field)
    assert y.std() > 1e-3
    assert relative(network(field.gauge_transform(omega)), y) < EXACT
    links = field.links.clone()
    links[:, 0] = links[:, 0].conj()
    assert relative(network(field.with_links(links)), y) > 1e-3  # control


def test_the_bilinear_layer_is_the_formula():
    _, fields, x, _ = case(SU(3), (3, 4))
    layer = LatticeBilinear(fields, FieldType(SU(3), "1xmatrix"), FieldType(SU(3), "2xmatrix")).double()
    y = torch.randn(2, 18, 3, 4, dtype=torch.float64)
    w, v = complex_fields(x, (3, 3)), complex_fields(y, (3, 3))
    one = torch.eye(3).expand_as(w[:, :1]).to(w)
    first, second = torch.cat([w, w.mH, one], 1), torch.cat([v, v.mH, one], 1)
    expected = torch.einsum("ijk,bjxymn,bkxynp->bixymp", torch.view_as_complex(layer.alpha), first, second)
    assert relative(complex_fields(layer(x, y), (3, 3)), expected) < EXACT


def test_trace_layers_are_their_formulas():
    _, fields, x, _ = case(SU(2), (3, 4))
    w = complex_fields(x, (2, 2))
    trace = w.diagonal(dim1=-2, dim2=-1).sum(-1)
    act = TraceActivation(fields, activation="relu").double()
    gate = torch.relu(trace.real / 2)[..., None, None]
    assert relative(complex_fields(act(x), (2, 2)), gate * w) < EXACT
    normed = complex_fields(TraceNorm(fields)(x), (2, 2))
    size = (normed @ normed.mH).diagonal(dim1=-2, dim2=-1).sum(-1).real / 2
    assert relative(size.flatten(1).mean(1), torch.ones(2).double()) < 1e-11
    assert relative(TraceReadout(fields)(x), torch.cat([trace.real, trace.imag], 1) / 2) < EXACT


def test_a_block_makes_the_loop_of_two_plaquettes():
    """P(x) U P(x + mu) U^+ is in the span: with chosen weights the block gives exactly that product."""
    field = random_field(SU(2), (4, 4))
    loops = LoopFeatures(SU(2), 2)
    fields = loops.out_type
    block = LatticeBlock(fields, fields, d=2).double()
    for p in block.parameters():
        torch.nn.init.zeros_(p)
    pair = block.conv.kernels.pairs[0]
    basis = pair.basis.coefficients().squeeze(2)
    place = block.conv.kernels.radial.offsets.index((1, 0))
    with torch.no_grad():
        pair.weight(block.conv.weight)[place, :, 0, 0] = torch.einsum("eoi,oi->e", basis, torch.eye(8).double())
        block.bilinear.alpha[0, 0, 0, 0] = 1
    found = complex_fields(block(loops(field), field), (2, 2))[:, 0]
    square = [(0, 1), (1, 1), (0, -1), (1, -1)]
    assert relative(found, slow(field, [*square, (0, 1), *square, (0, -1)])) < EXACT


@every_case
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("spec", ["1xmatrix + 2xfundamental"])
def test_pooling_is_equivariant_with_the_elements_at_even_sites(group, shape, spec, symmetric):
    field = random_field(group, shape, antiperiodic=[0])
    omega = random_gauge(field)
    even = omega[(slice(None), *(slice(None, None, 2) for _ in shape))]
    fields = FieldType(group, spec)
    x = torch.randn(2, fields.size, *shape, dtype=torch.float64)
    pool, unpool = LatticePool(fields, symmetric=symmetric), LatticeUnpool(fields, symmetric=symmetric)
    there = field.gauge_transform(omega)
    y = pool(x, field)
    assert y.shape == (2, fields.size, *(n // 2 for n in shape))
    assert relative(pool(fields.transform(omega, x), there), fields.transform(even, y)) < EXACT
    assert relative(blocked(there).links, blocked(field).gauge_transform(even).links) < EXACT
    assert group.contains(blocked(field).links).all()
    assert relative(unpool(fields.transform(even, y), there), fields.transform(omega, unpool(y, field))) < EXACT
    assert (relative(pool(unpool(y, field), field), y) < EXACT) is not symmetric
    assert relative(pool(x, there), y) > 1e-3  # control: features of another gauge
    # adjoint to each other, up to the number of sites of a block
    z = torch.randn_like(y)
    inner = (unpool(z, field) * x).sum()
    assert relative(inner, (z * y).sum() * 2 ** len(shape)) < 1e-10
    assert relative(pool(x, field), x[(..., *(slice(None, None, 2) for _ in shape))]) > 0.1  # control


@pytest.mark.parametrize(("group", "shape"), [(SU(2), (6, 4)), (SU(3), (4, 4, 4))], ids=str)
def test_symmetric_pooling_is_the_mean_over_all_shortest_paths(group, shape):
    """Written out: 3^d sites with weights 1/4, 1/2, 1/4 along each axis, and every order of the steps."""
    field, d = random_field(group, shape), len(shape)
    fields = FieldType(group, "1xmatrix + 1xfundamental")
    x = torch.randn(2, fields.size, *shape, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for steps in itertools.product((-1, 0, 1), repeat=d):
        offset = [(mu, k) for mu, k in enumerate(steps) if k]
        orders = list(itertools.permutations(offset))
        there = torch.roll(x, [-k for k in steps], list(range(2, 2 + d)))
        for path in orders:
            weight = 0.5**d * 0.5 ** len(offset) / len(orders)
            expected += weight * transported(fields, there, slow(field, path))
    even = (slice(None), slice(None), *[slice(None, None, 2)] * d)
    assert relative(LatticePool(fields, symmetric=True)(x, field), expected[even]) < EXACT
    assert relative(LatticePool(fields)(x, field), expected[even]) > 0.1  # control


def test_symmetric_unpooling_interpolates_constants():
    """Without curvature a constant stays a constant, and pooling after unpooling changes only what varies."""
    cold = LatticeGaugeField(SU(2).identity().expand(1, 2, 6, 8, 2, 2).clone(), SU(2))
    fields = FieldType(SU(2), "1xfundamental")
    pool, unpool = LatticePool(fields, symmetric=True), LatticeUnpool(fields, symmetric=True)
    ones = torch.ones(1, 4, 3, 4, dtype=torch.float64)
    assert torch.equal(unpool(ones, cold), torch.ones(1, 4, 6, 8, dtype=torch.float64))
    assert torch.equal(pool(unpool(ones, cold), cold), ones)
    point = torch.zeros_like(ones)
    point[:, 0, 1, 1] = 1
    fine = unpool(point, cold)[0, 0]
    assert torch.equal(fine[1:4, 1:4], torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]).double() / 4)


def test_blocked_links_are_products_of_two():
    field = random_field(SU(3), (6, 6), antiperiodic=[1], steps=2)
    coarse = blocked(field)
    assert relative(coarse.links[:, 1], slow(field, [(1, 1), (1, 1)])[:, ::2, ::2]) < EXACT
    assert coarse.antiperiodic == (False, True)
    assert coarse.paths == field.paths
    cold = LatticeGaugeField(SU(3).identity().expand(1, 2, 6, 6, 3, 3).clone(), SU(3))
    ones = torch.ones(1, 18, 6, 6, dtype=torch.float64)
    assert torch.equal(LatticePool(FieldType(SU(3), "1xmatrix"))(ones, cold), ones[..., ::2, ::2])


def test_deep_networks_keep_their_size_with_the_trace_norm():
    """Six blocks of large inputs: products square the size in every block, unless it is normalized."""
    field = random_field(SU(2), (6, 6), batch=4)
    sizes, gradients = {}, {}
    for normed in (True, False):
        torch.manual_seed(1)
        loops, fields = LoopFeatures(SU(2), 2), FieldType(SU(2), "4xmatrix")
        blocks = [LatticeBlock(loops.out_type if i == 0 else fields, fields, d=2).double() for i in range(6)]
        x = 4 * loops(field)
        for block in blocks:
            x = block(x, field)
            x = TraceNorm(fields)(x) if normed else x
        TraceReadout(fields)(x).square().mean().backward()
        found = [block.bilinear.alpha.grad.abs().max().item() for block in blocks]
        sizes[normed], gradients[normed] = x.detach().abs().mean().item(), max(found) / min(found)
    assert 0.1 < sizes[True] < 10
    assert gradients[True] < 100
    assert sizes[False] > 1e6  # control


def test_layers_are_modules_as_others():
    _, fields, x, _ = case(SU(2), (3, 3), 1)
    field = random_field(SU(2), (3, 3))
    block = LatticeBlock(fields, fields, d=2, dtype=torch.float64)
    same = copy.deepcopy(block)
    assert torch.equal(same(x, field), block(x, field))
    assert set(block.state_dict()) == {"conv.weight", "conv.self_interaction.weight", "bilinear.alpha"}
    small = random_field(SU(2), (3, 3), batch=1)
    assert torch.autograd.gradcheck(lambda x: block(x, small), [x[:1].clone().requires_grad_()])
    update = LinkUpdate(fields, d=2, dtype=torch.float64)
    value = update(x, field).action(1.0).sum()
    value.backward()
    assert update.beta.grad.abs().max() > 0


def test_arguments():
    field, fields, x, _ = case(SU(2), (6, 6))
    for make, message in [
        (lambda: LatticeBilinear(FieldType(SU(2), "1xadjoint"), fields, fields), "matrix fields such as"),
        (lambda: LatticeBilinear(fields, FieldType(SU(3), "1xmatrix"), fields), "one structure group"),
        (lambda: TraceActivation(FieldType(SO2(), "1x0")), "one block of matrix fields"),
        (lambda: TraceNorm(fields, eps=0), "eps"),
        (lambda: LoopFeatures(SU(3), 2)(field), r"field of SU\(3\) in 2 dimensions"),
        (lambda: LinkUpdate(fields, d=3)(x, field), "3 dimensions"),
        (lambda: blocked(random_field(SU(2), (4, 6))), "at least 6"),
        (lambda: LatticePool(fields)(x[..., :5], random_field(SU(2), (6, 5))), "even extents"),
        (lambda: TraceReadout(fields)(x[:, :3]), "16 channels"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
