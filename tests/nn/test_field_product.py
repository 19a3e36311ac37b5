"""Products of two features: bilinear, equivariant, all of them; e3nn's where both represent the same."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, FieldType, Polyhedral
from gaugenet.nn import GatedNonlinearity, TensorProduct
from tests.groups.cases import QUATERNIONS, elements
from tests.groups.test_spherical import axes, to_e3nn
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [
    (SO2(), "2x0 + 2x1", "1x1 + 1x2", "3x0 + 2x1 + 1x3"),
    (O2(), "2x0- + 2x1", "1x1 + 1x2", "3x0 + 1x0- + 2x1"),
    (SO3(), "2x0 + 2x1 + 1x2", "1x1 + 1x2", "2x0 + 2x1 + 2x2"),
    (O3(), "2x0e + 2x1o", "1x1o + 1x2e", "2x0o + 2x1e + 2x1o"),
    (Cyclic(4), "2x0 + 1xregular", "1x1 + 1x2", "2x1 + 1xregular"),
    (Cyclic(3), "2xregular", "1x1", "1x1 + 2x0"),
    (Dihedral(3), "1xregular + 1x0-", "2x1", "1xregular + 2x1"),
    (Axial(SO2(), third="trivial"), "2x0 + 2x1", "1x1 + 1x0", "2x1 + 1x2"),
    (Axial(O2(), third="mirror"), "2x0 + 2x1z", "1x1 + 1x0z", "2x1 + 1x0z"),
    (Axial(Cyclic(4), third="2"), "2x0 + 2x1", "1x1 + 1x2", "2x1 + 1x0"),
    (Polyhedral("O"), "2x0 + 1xstandard", "1xstandard", "1xregular + 2xstandard"),
    (Polyhedral("T_d"), "1xstandard", "1xstandard + 2x0", "2xstandard + 1x0"),
    (QUATERNIONS, "1x0 + 1x1", "1x1", "1x0 + 1x1 + 1x2.1"),
]


def types(group, *specs: str) -> list[FieldType]:
    return [FieldType(group, s) for s in specs]


def inputs(a: FieldType, b: FieldType, count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(count, t.size, generator=generator, dtype=torch.float64) for t in (a, b))


def bilinear_maps(a: FieldType, b: FieldType, c: FieldType) -> int:
    """dim Hom_G(a x b, c), the mean of a character: an oracle without any basis."""
    group = a.group
    g = group.elements() if group.order else group.random_element(40_000, generator=torch.Generator().manual_seed(0))
    characters = torch.ones(len(g), dtype=torch.float64)
    for t in (a, b, c):
        characters = characters * sum(
            block.multiplicity * block.representation(g).diagonal(dim1=-2, dim2=-1).sum(-1) for block in t.blocks
        )
    assert (characters.mean() - characters.mean().round()).abs() < 0.35
    return int(characters.mean().round())


@pytest.mark.parametrize(("group", "one", "two", "out"), CASES, ids=str)
def test_they_are_all_equivariant_bilinear_maps(group, one, two, out):
    a, b, c = types(group, one, two, out)
    layer = TensorProduct(a, b, c, dtype=torch.float64)
    x, y = inputs(a, b)
    g = elements(group, len(x))
    z = layer(x, y)
    assert relative(layer(a.transform(g, x), b.transform(g, y)), c.transform(g, z)) < EXACT
    assert relative(layer(2 * x, y - 3 * y), -4 * z) < EXACT
    outside = torch.linalg.qr(torch.randn(len(x), group.d, group.d, dtype=torch.float64)).Q
    outside = outside @ torch.diag(torch.linspace(1, 2, group.d).double())
    if any(not block.representation.is_trivial and group.order is None for block in b.blocks):
        assert relative(layer(a.transform(outside, x), b.transform(outside, y)), c.transform(outside, z)) > 1e-3
    assert layer.num_weights == bilinear_maps(a, b, c)
    probes = torch.eye(layer.num_weights, dtype=torch.float64)
    given = TensorProduct(a, b, c, external=True, dtype=torch.float64)
    span = torch.stack([given(x, y, p).flatten() for p in probes])
    assert torch.linalg.matrix_rank(span, rtol=1e-9) == layer.num_weights  # no weight is redundant


@pytest.mark.parametrize(("group", "one", "two", "out"), CASES[:6], ids=str)
def test_control_another_coupling_is_not_equivariant(group, one, two, out):
    a, b, c = types(group, one, two, out)
    layer = TensorProduct(a, b, c, dtype=torch.float64)
    for k in range(len(layer.paths)):
        maps = getattr(layer, f"_coupling_{k}")
        setattr(layer, f"_coupling_{k}", maps + 0.3 * torch.randn_like(maps))
    x, y = inputs(a, b)
    g = elements(group, len(x))
    assert relative(layer(a.transform(g, x), b.transform(g, y)), c.transform(g, layer(x, y))) > 1e-2


def test_given_weights_are_the_learned_ones_or_one_for_each_point():
    a, b, c = types(O3(), "4x0e + 4x1o", "1x0e + 1x1o + 1x2e", "4x0e + 4x1o + 4x1e")
    for mode in ("full", "channels"):
        own, given = (TensorProduct(a, b, c, mode=mode, external=e, dtype=torch.float64) for e in (False, True))
        x, y = inputs(a, b)
        z = own(x, y)
        assert relative(given(x, y, own.weight), z) < EXACT
        assert relative(given(x, y, own.weight.expand(len(x), -1)), z) < EXACT
        each = torch.randn(len(x), given.num_weights, dtype=torch.float64, requires_grad=True)
        rows = torch.cat([given(x[n : n + 1], y[n : n + 1], each[n]) for n in range(len(x))])
        assert relative(given(x, y, each), rows) < EXACT
        g = elements(O3(), len(x))
        assert relative(given(a.transform(g, x), b.transform(g, y), each), c.transform(g, rows)) < EXACT
        assert torch.autograd.gradcheck(
            lambda w, own=given, x=x[:3], y=y[:3]: own(x, y, w), each[:3].detach().requires_grad_()
        )


def test_by_channel_is_full_with_a_diagonal_of_weights():
    a, b, c = types(SO3(), "3x0 + 3x1", "1x1 + 2x2", "3x1 + 3x2")
    few, full = (TensorProduct(a, b, c, mode=m, external=True, dtype=torch.float64) for m in ("channels", "full"))
    weight = torch.randn(few.num_weights, dtype=torch.float64)
    large = torch.zeros(full.num_weights, dtype=torch.float64)
    for p, q in zip(few.paths, full.paths, strict=True):
        q.weight(large).copy_(torch.einsum("puv,uw->puvw", p.weight(weight), torch.eye(3, dtype=torch.float64)))
    x, y = inputs(a, b)
    assert relative(few(x, y, weight), full(x, y, large)) < EXACT
    assert few.num_weights * 3 == full.num_weights


def test_pixels_are_points():
    a, b, c = types(Dihedral(4), "1xregular", "2x1", "1xregular + 1x0-")
    layer = TensorProduct(a, b, c, dtype=torch.float64)
    x, y = (torch.randn(2, t.size, 3, 4, dtype=torch.float64) for t in (a, b))
    z = layer(x, y)
    assert z.shape == (2, c.size, 3, 4)
    assert relative(z[:, :, 1, 2], layer(x[:, :, 1, 2], y[:, :, 1, 2])) < EXACT


def test_the_product_of_two_vectors_of_space():
    """Scalar and cross product, up to one number each."""
    a, c = types(O3(), "1x1o", "1x0e + 1x1e")
    layer = TensorProduct(a, a, c, dtype=torch.float64)
    x, y = inputs(a, a)
    with torch.no_grad():
        z = layer(x, y)
    dot, cross = (x * y).sum(1), torch.linalg.cross(x, y)
    assert relative(z[:, 0] * dot[0] / z[0, 0], dot) < 1e-11
    assert relative(z[:, 1:] * cross[0, 0] / z[0, 1], cross) < 1e-10


@pytest.mark.parametrize("mode", ["full", "channels"])
def test_the_products_of_e3nn(mode):
    """`FullyConnectedTensorProduct`, and `uvu` paths: the same maps, each of our paths one number times theirs."""
    o3 = pytest.importorskip("e3nn.o3")
    specs = "4x0e + 4x1o + 4x2e", "1x0e + 1x1o + 1x2e + 1x3o", "4x0e + 4x1o + 4x1e + 4x2e"
    a, b, c = types(O3(), *specs)
    layer = TensorProduct(a, b, c, mode=mode, external=True, dtype=torch.float64)
    irreps = [o3.Irreps(s) for s in specs]
    connection = "uvw" if mode == "full" else "uvu"
    where = [(t.blocks.index(block) for t, block in ((a, p.first), (b, p.second), (c, p.target))) for p in layer.paths]
    instructions = [(*indices, connection, True) for indices in where]
    theirs = o3.TensorProduct(*irreps, instructions, shared_weights=True, internal_weights=False).double()
    assert theirs.weight_numel == layer.num_weights
    x, y = inputs(a, b)
    weight = torch.randn(layer.num_weights, dtype=torch.float64)
    scale = torch.ones_like(weight)
    moved = [to_e3nn_layout(t, v) for t, v in ((a, x), (b, y))]
    for p in layer.paths:  # each path by itself: the same up to one factor
        alone = torch.zeros_like(weight)
        alone[p.start : p.stop] = weight[p.start : p.stop]
        ours, other = to_e3nn_layout(c, layer(x, y, alone)), theirs(*moved, alone)
        factor = (ours * other).sum() / (ours * ours).sum()
        assert relative(factor * ours, other) < TOL[torch.float32]  # the precision of its tables
        scale[p.start : p.stop] = factor
    assert relative(to_e3nn_layout(c, layer(x, y, weight * scale)), theirs(*moved, weight)) < TOL[torch.float32]
    if mode == "full":
        full = o3.FullyConnectedTensorProduct(*irreps, internal_weights=False, shared_weights=True)
        assert full.weight_numel == layer.num_weights


def to_e3nn_layout(field_type: FieldType, x: torch.Tensor) -> torch.Tensor:
    """Their axes, their order of components, and channels outside of components."""
    assert axes().shape == (3, 3)
    parts = [
        torch.einsum("ij,nju->nui", to_e3nn(b.representation.order), b.split(x)).flatten(1) for b in field_type.blocks
    ]
    return torch.cat(parts, 1)


def test_gates_match():
    """A product whose result a gate takes: equivariant, and differentiable twice."""
    gate = GatedNonlinearity(FieldType(SO3(), "4x0 + 3x1 + 2x2"))
    a, b = types(SO3(), "4x0 + 3x1", "1x1 + 1x2")
    layer = TensorProduct(a, b, gate.in_type, dtype=torch.float64)
    x, y = inputs(a, b, 8)
    g = elements(SO3(), 8)
    z = gate(layer(x, y))
    assert relative(gate(layer(a.transform(g, x), b.transform(g, y))), gate.out_type.transform(g, z)) < EXACT
    assert torch.autograd.gradgradcheck(
        lambda x, y: gate(layer(x, y)), (x[:2].requires_grad_(), y[:2].requires_grad_())
    )


def test_it_starts_at_unit_scale():
    torch.manual_seed(0)
    a, b = types(O3(), "16x0e + 16x1o + 16x2e", "1x0e + 1x1o + 1x2e")
    for mode, external in (("full", False), ("channels", False), ("full", True)):
        layer = TensorProduct(a, b, a, mode=mode, external=external)
        x, y = torch.randn(2000, a.size), torch.randn(2000, b.size)
        w = layer.weight_scale(x) * torch.randn(2000, layer.num_weights) if external else None
        z = layer(x, y, w)
        for block in a.blocks:
            assert 0.6 < block.split(z).square().mean() < 1.6


def test_modules_and_precisions():
    a, b, c = types(SO3(), "2x0 + 2x1", "1x1", "2x0 + 2x1")
    layer = TensorProduct(a, b, c)
    assert list(layer.state_dict()) == ["weight"]
    assert TensorProduct(a, b, c, external=True).state_dict() == {}
    double = layer.double()
    x, y = inputs(a, b)
    g = elements(SO3(), len(x))
    assert relative(double(a.transform(g, x), b.transform(g, y)), c.transform(g, double(x, y))) < EXACT
    assert double(x[:0], y[:0]).shape == (0, c.size)
    with pytest.raises(ValueError, match="float64"):
        double(x.bfloat16(), y.bfloat16())
    assert TensorProduct(a, b, c)(x.bfloat16(), y.bfloat16()).dtype == torch.bfloat16
    compiled = torch.compile(double, fullgraph=True, backend="aot_eager")
    assert relative(compiled(x, y), double(x, y)) < EXACT
    assert "mode=full" in repr(layer)


def test_wrong_arguments():
    a, b, c = types(SO3(), "2x0 + 2x1", "1x1", "2x0 + 2x1")
    x, y = inputs(a, b)
    layer, given = TensorProduct(a, b, c, dtype=torch.float64), TensorProduct(a, b, c, external=True)
    with pytest.raises(ValueError, match="one structure group"):
        TensorProduct(a, FieldType(SO2(), "1x1"), c)
    with pytest.raises(TypeError, match="`type_2` as a field type"):
        TensorProduct(a, "1x1", c)
    with pytest.raises(ValueError, match="no equivariant bilinear map"):
        TensorProduct(*types(O3(), "1x0e", "1x1o", "1x1e"))
    with pytest.raises(ValueError, match="with equal multiplicities"):
        TensorProduct(*types(O3(), "2x0e", "1x1o", "1x1o"), mode="channels")
    with pytest.raises(ValueError, match="'full' or 'channels'"):
        TensorProduct(a, b, c, mode="uvw")
    with pytest.raises(ValueError, match="`y` with 3 channels"):
        layer(x, x)
    with pytest.raises(ValueError, match="at the same points"):
        layer(x, y[:5])
    with pytest.raises(ValueError, match="third argument, since"):
        given(x, y)
    with pytest.raises(ValueError, match="pass `external=True`"):
        layer(x, y, layer.weight)
    with pytest.raises(ValueError, match=r"`weight` of shape \(\d+,\) or \(40, \d+\), got \(3,\)"):
        given(x, y, torch.zeros(3))
