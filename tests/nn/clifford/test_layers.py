"""Layers for multivector fields: they commute with gauge transformations at every point, boosts included."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    CliffordAlgebra,
    FieldType,
    GeneralLinear,
    PseudoOrthogonal,
    multivector,
)
from gaugenet.groups.clifford.fields import grades_of
from gaugenet.nn import (
    EquivariantLinear,
    FieldDropout,
    GatedNonlinearity,
    GeometricProduct,
    GradeDropout,
    InvariantGate,
    MultivectorNorm,
    MultivectorReadout,
    PairProduct,
)
from tests.groups.cases import elements
from tests.tolerances import TOL, relative

GROUPS = [
    O2(),
    SO2(),
    O3(),
    SO3(),
    PseudoOrthogonal(1, 1),
    PseudoOrthogonal(1, 2),
    PseudoOrthogonal(2, 1, part="SO+"),
    PseudoOrthogonal(1, 3),
]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def layers(group) -> dict[str, nn.Module]:
    kind, vectors = multivector(group, multiplicity=3), multivector(group, (0, 1), (2, 4))
    return {
        "product": GeometricProduct(kind),
        "product of vectors": GeometricProduct(vectors, multivector(group, multiplicity=2), channels=2),
        "product of pairs": PairProduct(kind),
        "linear": EquivariantLinear(kind, multivector(group, multiplicity=2)),
        "gate": InvariantGate(kind),
        "gated": GatedNonlinearity(vectors),
        "norm": MultivectorNorm(kind),
        "read-out": MultivectorReadout(vectors),
        "dropout": FieldDropout(kind).eval(),
        "grade dropout": GradeDropout(kind).eval(),
    }


NAMES = list(layers(O2()))
every_layer = pytest.mark.parametrize("name", NAMES)


def with_random_weights(layer: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return layer


def error(layer: nn.Module, g: torch.Tensor, x: torch.Tensor) -> float:
    moved = layer(layer.in_type.transform(g, x))
    expected = layer.out_type.transform(g, layer(x))
    return relative(moved, expected)


@every_group
@every_layer
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_they_commute_with_gauge_transformations(group, name, dtype):
    """An independent element at every point; boosts enlarge features, and with them rounding."""
    layer = with_random_weights(layers(group)[name]).to(dtype)
    x = torch.randn(12, layer.in_type.size, generator=torch.Generator().manual_seed(1), dtype=dtype)
    scale = 1 if group.compact else 100
    assert error(layer, elements(group, 12).to(dtype), x) < 5 * scale * TOL[dtype]


@every_group
@every_layer
def test_on_grids_of_features(group, name):
    """Pixels are points: the same numbers as point by point."""
    layer = with_random_weights(layers(group)[name]).double()
    x = torch.randn(2, layer.in_type.size, 3, 4, dtype=torch.float64)
    by_point = layer(x.permute(0, 2, 3, 1).flatten(0, 2)).view(2, 3, 4, -1).permute(0, 3, 1, 2)
    assert relative(layer(x), by_point) < TOL[torch.float64]


@pytest.mark.parametrize("name", ["product", "product of pairs", "gate", "norm", "read-out", "linear"])
@pytest.mark.parametrize("group", [PseudoOrthogonal(1, 2), O3()], ids=str)
def test_control_elements_outside_of_the_group(group, name):
    layer = with_random_weights(layers(group)[name]).double()
    g = torch.eye(3, dtype=torch.float64)
    g[0, 0] = g[1, 1] = 0.6  # a rotation of time into space; for O(3), a boost
    g[0, 1], g[1, 0] = (-0.8, 0.8) if not group.compact else (0.8, 0.8)
    x = torch.randn(12, layer.in_type.size, dtype=torch.float64)

    def transform(kind: FieldType, y: torch.Tensor) -> torch.Tensor:
        """By exterior powers of GL(3), to which g belongs."""
        pairs = zip(grades_of(kind), kind.blocks, strict=True)
        general = FieldType(GeneralLinear(3), [(GeneralLinear(3).exterior(k), b.multiplicity) for k, b in pairs])
        return general.transform(g, y)

    found, expected = layer(transform(layer.in_type, x)), transform(layer.out_type, layer(x))
    if name == "linear":  # commutes with all linear maps: exterior powers of O(p, q) have no other intertwiners
        assert relative(found, expected) < TOL[torch.float64]
    else:
        assert relative(found, expected) > 1e-2


@pytest.mark.parametrize("group", [PseudoOrthogonal(1, 2), SO3()], ids=str)
def test_the_product_is_the_geometric_product(group):
    """With weights of one, against `CliffordAlgebra.geometric_product` of both factors."""
    kind = multivector(group, multiplicity=3)
    layer = GeometricProduct(kind).double()
    with torch.no_grad():
        layer.weight.fill_(1)
    x = torch.randn(5, kind.size, dtype=torch.float64)
    seen = []
    layer.mix.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    layer(x)
    algebra = CliffordAlgebra(*((1, 2) if not group.compact else (3, 0)))
    left, right = (y.unflatten(1, (8, 3)).mT for y in (layer.left(x), layer.right(x)))
    expected = algebra.geometric_product(left, right).mT.flatten(1)
    assert relative(seen[0][:, : 3 * 8], expected) < TOL[torch.float64]


@pytest.mark.parametrize("group", [PseudoOrthogonal(1, 2), SO3()], ids=str)
def test_pairs_are_multiplied(group):
    """With weights of one: a + a b, against `CliffordAlgebra.geometric_product`."""
    layer = PairProduct(multivector(group, multiplicity=3)).double()
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.linear.fill_(1)
    x = torch.randn(5, layer.in_type.size, dtype=torch.float64)
    algebra = CliffordAlgebra(*((1, 2) if not group.compact else (3, 0)))
    a, b = x.unflatten(1, (8, 6)).mT.split(3, 1)
    expected = a + algebra.geometric_product(a, b)
    assert relative(layer(x), expected.mT.flatten(1)) < TOL[torch.float64]


def test_every_path_of_grades_has_its_own_weight():
    """3 grades of the plane: 10 paths, of which each changes the result; there are 20 in space, 35 in space-time."""
    assert [GeometricProduct(multivector(g)).weight.shape[0] for g in (O2(), O3(), PseudoOrthogonal(1, 3))] == [
        10,
        20,
        35,
    ]
    layer = with_random_weights(GeometricProduct(multivector(O2(), multiplicity=2))).double()
    x = torch.randn(4, layer.in_type.size, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    assert (gradient.abs() > 1e-6).all()


@pytest.mark.parametrize("name", ["product", "product of pairs", "gate", "norm", "read-out"])
def test_derivatives_and_copies(name):
    layer = with_random_weights(layers(PseudoOrthogonal(1, 1))[name]).double()
    x = torch.randn(2, layer.in_type.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    for same in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(same(x), layer(x))
    assert layer(x[:0]).shape == (0, layer.out_type.size)
    assert layer(x[:1]).shape == (1, layer.out_type.size)
    if list(layer.parameters()):
        grads = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
        assert all(g.abs().max() > 0 for g in grads)
    assert layer.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("name", ["product", "product of pairs", "gate", "norm", "read-out"])
def test_compiled(name):
    layer = with_random_weights(layers(PseudoOrthogonal(1, 2))[name])
    x = torch.randn(4, layer.in_type.size)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert relative(compiled(x), layer(x)) < TOL[torch.float32]


def test_light_like_fields_are_finite_and_have_derivatives():
    """Squares that are exactly zero, for which lengths have none."""
    group = PseudoOrthogonal(1, 1)
    kind = multivector(group, (1,), 2)
    x = torch.tensor([[1.0, 2.0, 1.0, -2.0]], dtype=torch.float64, requires_grad=True)  # (t, t', x, x')
    for layer in (InvariantGate(kind), MultivectorNorm(kind), MultivectorReadout(kind)):
        y = layer.double()(x)
        (gradient,) = torch.autograd.grad(y.square().sum() + y.sum(), x)
        assert y.isfinite().all()
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 1e-3
    assert float(MultivectorNorm(kind).double()(x).detach().abs().max()) <= 2 * 4.7


def test_squares_of_either_sign_are_told_apart_and_normalized_alike():
    group = PseudoOrthogonal(1, 1)
    kind = multivector(group, (1,))
    time_like, space_like = torch.tensor([[[3.0, 0.0]], [[0.0, 3.0]]], dtype=torch.float64)
    gate, norm = (
        InvariantGate(kind).requires_grad_(False).double(),
        MultivectorNorm(kind).requires_grad_(False).double(),
    )
    read = MultivectorReadout(kind).double()
    assert float(gate(time_like).sum()) > 1.1 * float(gate(space_like).sum())
    assert torch.allclose(norm(time_like).flip(1), norm(space_like), rtol=1e-12)
    assert float(norm(time_like).max()) < 1.6, "neither is left as it was"
    assert float(read(time_like)) == -float(read(space_like)) > 2.5


@every_group
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_norms_over_points_commute_with_gauge_transformations(group, dtype):
    """On a graph of two samples, whose points have areas, and on a grid."""
    kind, scale = multivector(group, multiplicity=3), 1 if group.compact else 100
    layer = with_random_weights(MultivectorNorm(kind, over="points")).to(dtype)
    x = torch.randn(12, kind.size, generator=torch.Generator().manual_seed(1), dtype=dtype)
    g = elements(group, 12).to(dtype)
    graph = TwoSamples()
    assert relative(layer(kind.transform(g, x), graph), kind.transform(g, layer(x, graph))) < 5 * scale * TOL[dtype]

    def as_image(y: torch.Tensor) -> torch.Tensor:
        return y.T.reshape(1, kind.size, 3, 4)

    moved, expected = (
        layer(as_image(kind.transform(g, x))),
        as_image(kind.transform(g, layer(as_image(x))[0].flatten(1).T)),
    )
    assert relative(moved, expected) < 5 * scale * TOL[dtype]


class TwoSamples:
    """Five points and seven points with areas."""

    def areas(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linspace(1, 2, 12).to(x.dtype)

    def membership(self) -> tuple[torch.Tensor, int]:
        return torch.tensor([0] * 5 + [1] * 7), 2


def test_norms_over_points_keep_what_is_strong():
    """Fields of unit mean square over each sample; a norm over the fields forgets where they are strong (control)."""
    kind, generator = multivector(O2(), multiplicity=4), torch.Generator().manual_seed(0)
    x = torch.randn(2, kind.size, 20, 20, generator=generator, dtype=torch.float64)
    x[:, :, :10] *= 3
    x[1] *= 100  # samples are independent
    ratios = {}
    for over in ("points", "fields"):
        y = MultivectorNorm(kind, over=over).double()(x).detach()
        ratios[over] = float(y[:, :, :10].square().mean() / y[:, :, 10:].square().mean())
        if over == "points":
            each = torch.stack([b.split(y).square().sum(1).mean((2, 3)) / b.representation.dim for b in kind.blocks])
            assert ((each - 1).abs() < 0.06).all(), "up to the part 1 - s"
    assert abs(ratios["points"] / 9 - 1) < 0.1
    assert ratios["fields"] < 1.3


def test_norms_over_points_see_each_graph_alone():
    kind = multivector(PseudoOrthogonal(1, 2), multiplicity=2)
    layer = with_random_weights(MultivectorNorm(kind, over="points")).double()
    x = torch.randn(12, kind.size, dtype=torch.float64)
    other = torch.cat([x[:5], 7 * x[5:]])
    assert torch.equal(layer(x, TwoSamples())[:5], layer(other, TwoSamples())[:5])
    assert relative(layer(x, TwoSamples())[5:], layer(other, TwoSamples())[5:]) > 0.05, "control"
    with pytest.raises(ValueError, match="Expected a domain"):
        layer(x)
    with pytest.raises(ValueError, match="`over` to be one of fields, points"):
        MultivectorNorm(kind, over="graph")


def test_whole_grades_are_dropped():
    kind = multivector(O3(), multiplicity=4)
    layer = GradeDropout(kind, 0.5)
    x = torch.ones(200, kind.size)
    y = layer(x)
    for b in kind.blocks:
        part = y[:, b.slice]
        assert ((part == 0).all(1) | (part == 2).all(1)).all()
        assert 0.3 < float((part[:, 0] == 0).float().mean()) < 0.7
    image = GradeDropout(kind, 0.5, whole=True)(torch.ones(50, kind.size, 3, 3))
    assert (image == image[:, :, :1, :1]).all()
    pixels = layer(torch.ones(50, kind.size, 3, 3))
    assert not (pixels == pixels[:, :, :1, :1]).all()
    assert torch.equal(layer.eval()(x), x)


def test_bad_input():
    group = PseudoOrthogonal(1, 2)
    tensors = FieldType(group, "1x2")
    for layer in (GeometricProduct, InvariantGate, MultivectorNorm, MultivectorReadout, GradeDropout):
        with pytest.raises(ValueError, match="made of exterior powers"):
            layer(tensors)
    with pytest.raises(ValueError, match="group of isometries"):
        GeometricProduct(multivector(GeneralLinear(3)))
    for kind in (multivector(group, (0, 1), 2), multivector(group, None, (1, 2, 2, 1)), FieldType(group, "0x0")):
        with pytest.raises(ValueError, match="multivectors of all grades"):
            PairProduct(kind)
    with pytest.raises(ValueError, match="one structure group"):
        GeometricProduct(multivector(group), multivector(PseudoOrthogonal(2, 1)))
    with pytest.raises(ValueError, match="Expected `x` with"):
        GeometricProduct(multivector(group))(torch.zeros(2, 7))
    with pytest.raises(ValueError, match="0 <= p < 1"):
        GradeDropout(multivector(group), 1.0)
