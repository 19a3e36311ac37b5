"""Gated, norm, pointwise and vector-field nonlinearities are exact; the Fourier one errs as its docstring says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.special import eval_legendre

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType
from gaugenet.nn import (
    FourierNonlinearity,
    GatedNonlinearity,
    NormNonlinearity,
    PointwiseNonlinearity,
    VectorFieldNonlinearity,
)
from gaugenet.nn.nonlinearity import ACTIVATIONS
from tests.groups.cases import elements
from tests.tolerances import TOL, relative

ORDERS = "4x0 + 4x1 + 4x2"


def rms_error(layer: torch.nn.Module, *, scale: float = 1.0, points: int = 4000) -> float:
    """RMS of layer(g x) - g layer(x) relative to the output, normal coefficients of deviation `scale`."""
    group = layer.in_type.group
    x = torch.randn(points, layer.in_type.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale
    g = elements(group, points)
    expected = layer.out_type.transform(g, layer(x))
    difference = layer(layer.in_type.transform(g, x)) - expected
    return (difference.square().mean() / expected.square().mean()).sqrt().item()


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
@pytest.mark.parametrize(
    ("activation", "scale", "errors"),
    [
        ("gelu", 0.2, {5: 2.0e-1, 7: 8.4e-3, 15: 4.3e-6, 21: 2.0e-8}),
        ("gelu", 1, {5: 3.3e-1, 7: 8.8e-2, 15: 4.7e-3, 21: 6.9e-4, 31: 2.9e-5, 61: 1.3e-9}),
        ("gelu", 10, {5: 3.1e-1, 7: 9.4e-2, 15: 1.8e-2, 21: 9e-3, 31: 4.1e-3, 61: 8.7e-4}),
        ("relu", 1, {5: 3.1e-1, 7: 9.2e-2, 15: 1.6e-2, 21: 8.1e-3, 31: 3.7e-3, 61: 9.3e-4, 101: 3.4e-4}),
    ],
)
def test_the_fourier_errors_of_the_docstring(group, activation, scale, errors):
    for samples, error in errors.items():
        layer = FourierNonlinearity(FieldType(group, ORDERS), activation=activation, samples=samples).double()
        spread = 1.6 if error > 1e-5 else 20  # the smallest come from a few large values
        assert error / spread < rms_error(layer, scale=scale) < error * spread


@pytest.mark.parametrize("group", [Cyclic(7), Dihedral(7)], ids=str)
def test_fourier_is_exact_for_finite_groups_whose_rotations_permute_the_samples(group):
    field_type = FieldType(group, ORDERS)
    assert rms_error(FourierNonlinearity(field_type, activation="relu", samples=14).double()) < 1e-14
    assert rms_error(FourierNonlinearity(field_type, activation="relu", samples=15).double()) > 1e-3


def test_fourier_is_the_function_on_the_circle():
    """A function that is a polynomial of low degree is band-limited: nothing aliases."""
    layer = FourierNonlinearity(FieldType(SO2(), "1x0 + 1x1 + 1x2"), samples=15).double()
    layer._function = torch.square
    assert rms_error(layer) < 1e-14
    layer._function = lambda f: f
    x = torch.randn(9, 5, dtype=torch.float64)
    assert torch.allclose(layer(x), x, atol=1e-14)


@pytest.mark.parametrize(
    ("group", "spec"),
    [
        (SO2(), "2x0 + 2x2"), (SO2(), "2x0 + 3x1"), (SO2(), "2x1 + 2x0"), (SO2(), ""), (O2(), "2x0- + 2x1"),
        (Cyclic(4), "2x0 + 2x1 + 2x2"), (Cyclic(4), "2xregular"), (SO2(), "2x0 + 1x1 + 1x1"),
    ],
)  # fmt: skip
def test_fourier_refuses_what_are_no_coefficients(group, spec):
    with pytest.raises(ValueError, match="Expected orders 0, 1"):
        FourierNonlinearity(FieldType(group, spec))


def test_fourier_refuses_too_few_samples():
    with pytest.raises(ValueError, match="at least 5 samples"):
        FourierNonlinearity(FieldType(SO2(), ORDERS), samples=4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gated_norm_and_pointwise_are_exact_at_any_scale(activation, scale):
    for field_type in (
        FieldType(SO2(), ORDERS),
        FieldType(O2(), "2x0 + 3x0- + 1x1"),
        FieldType(Dihedral(4), "2xregular"),
    ):
        gated = GatedNonlinearity(field_type, activation=activation)
        norm = NormNonlinearity(field_type, activation=activation).double()
        torch.nn.init.normal_(norm.bias)
        layers = [gated, norm]
        if field_type.group == Dihedral(4):
            layers.append(PointwiseNonlinearity(field_type, activation=activation))
        for layer in layers:
            assert rms_error(layer, scale=scale, points=200) < 1e-13


def test_gates_come_last_and_only_for_fields_that_turn():
    gated = GatedNonlinearity(FieldType(O2(), "3x0 + 2x0- + 1x1"))
    assert str(gated.in_type) == "3x0 + 2x0- + 1x1 + 3x0"
    assert GatedNonlinearity(FieldType(Dihedral(4), "3xregular")).in_type.size == 24
    x = torch.zeros(1, 10)
    x[0, 3:7] = 1
    x[0, 7:] = torch.tensor([0.0, 100.0, -100.0])
    assert torch.allclose(gated(x), torch.tensor([[0, 0, 0, 0.5, 1, 0, 0.0]]), atol=1e-6)


def test_norm_nonlinearity_at_zero_and_of_scalars():
    layer = NormNonlinearity(FieldType(SO2(), "1x0 + 1x1"), activation="relu").double()
    torch.nn.init.constant_(layer.bias, 0.5)
    x = torch.tensor([[-1.0, 0.0, 0.0], [1.0, 3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    out = layer(x)
    assert torch.allclose(out, torch.tensor([[0.0, 0, 0], [1.5, 3.3, 4.4]], dtype=torch.float64))
    out.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("make", [GatedNonlinearity, NormNonlinearity, FourierNonlinearity, PointwiseNonlinearity])
def test_unknown_activations_name_the_known_ones(make):
    with pytest.raises(ValueError, match=r"expected one of gelu, relu"):
        make(FieldType(SO2(), "2x0"), activation="softmax")


# --- the sphere and the rotations -----------------------------------------------------------------------------------

SPHERE = FieldType(SO3(), ORDERS)
ROTATIONS = FieldType(SO3(), "1x0 + 3x1 + 5x2")


@pytest.mark.parametrize(
    ("field_type", "errors"),
    [
        (SPHERE, {5: 2e-1, 8: 5e-2, 12: 1e-2, 18: 9e-4, 30: 1e-5}),
        (FieldType(O3(), "4x0 + 4x1o + 4x2e"), {8: 5e-2, 18: 9e-4}),
        (ROTATIONS, {5: 2e-1, 8: 3e-2, 12: 4e-3, 18: 2e-4}),
        (FieldType(O3(), "1x0 + 3x1e + 5x2e"), {8: 3e-2, 12: 4e-3}),
    ],
    ids=str,
)
def test_the_fourier_errors_in_space(field_type, errors):
    for samples, error in errors.items():
        found = rms_error(FourierNonlinearity(field_type, samples=samples).double(), points=300)
        assert error / 2 < found < error * 2


def test_fourier_is_exact_for_the_symmetries_of_the_samples():
    """Lebedev's points have the symmetries of the cube; signed permutations of the axes are that group."""
    layer = FourierNonlinearity(SPHERE, activation="relu", samples=8).double()
    signs = torch.tensor(list(itertools.product([1.0, -1.0], repeat=3)), dtype=torch.float64)
    cube = torch.stack(
        [torch.eye(3, dtype=torch.float64)[list(p)] * s for p in itertools.permutations(range(3)) for s in signs]
    )
    cube = cube[torch.linalg.det(cube) > 0]
    x = torch.randn(len(cube), SPHERE.size, dtype=torch.float64)
    expected = SPHERE.transform(cube, layer(x))
    assert relative(layer(SPHERE.transform(cube, x)), expected) < TOL[torch.float64]
    eighth = SO3().random_element(len(cube), generator=torch.Generator().manual_seed(0))
    assert relative(layer(SPHERE.transform(eighth, x)), SPHERE.transform(eighth, layer(x))) > 1e-3


@pytest.mark.parametrize("field_type", [SPHERE, ROTATIONS], ids=str)
def test_fourier_of_band_limited_functions_is_exact(field_type):
    """The identity gives the coefficients back; the square, of degree 4, is projected without error."""
    layer = FourierNonlinearity(field_type, samples=9).double()
    x = torch.randn(9, field_type.size, dtype=torch.float64)
    layer._function = lambda f: f
    assert relative(layer(x), x) < TOL[torch.float64]
    layer._function = torch.square
    assert rms_error(layer, points=50) < 1e-13
    coarse = FourierNonlinearity(field_type, samples=5).double()
    coarse._function = torch.square
    assert rms_error(coarse, points=50) > 1e-2


def test_fourier_on_the_sphere_is_the_function_that_its_harmonics_add_up_to():
    """By scipy's associated Legendre functions: a zonal function about the z axis, and its mean."""
    layer = FourierNonlinearity(FieldType(SO3(), "1x0 + 1x1 + 1x2"), activation="relu", samples=60).double()
    x = torch.zeros(1, 9, dtype=torch.float64)
    x[0, 3] = 1  # Y_1 is v itself, and its last component is the height
    y = layer(x)
    height = np.polynomial.legendre.leggauss(200)[0]
    weight = np.polynomial.legendre.leggauss(200)[1] / 2
    expected = [(2 * l + 1) * (weight * np.maximum(height, 0) * eval_legendre(l, height)).sum() for l in range(3)]
    assert torch.allclose(y[0, [0, 3, 8]], torch.tensor(expected), atol=1e-3)
    assert y[0, [1, 2, 4, 5, 6, 7]].abs().max() < 1e-12


@pytest.mark.parametrize("spec", ["2x0 + 3x1", "2x1 + 2x0", "1x0 + 1x2", "3x1", ""])
def test_fourier_needs_the_orders_of_a_function(spec):
    with pytest.raises(ValueError, match="Expected orders"):
        FourierNonlinearity(FieldType(SO3(), spec))
    with pytest.raises(ValueError, match="Expected orders"):  # the sphere has harmonics of natural parity only
        FourierNonlinearity(FieldType(O3(), "2x0 + 2x1e"))


# --- vectors from functions on the group ----------------------------------------------------------------------------


def test_vector_fields_point_where_the_function_is_largest():
    layer = VectorFieldNonlinearity(FieldType(Cyclic(4), "2xregular")).double()
    x = torch.zeros(1, 8, dtype=torch.float64)
    x[0, 2], x[0, 1] = 3, -5  # of the first field, at a quarter rotation; the second field is nowhere positive
    assert layer.out_type == FieldType(Cyclic(4), "2x1")
    assert torch.allclose(layer(x), torch.tensor([[0.0, 0, 3, 0]], dtype=torch.float64), atol=1e-15)


@pytest.mark.parametrize("group", [Cyclic(5), Dihedral(3)], ids=str)
def test_vector_fields_turn_with_the_function(group):
    layer = VectorFieldNonlinearity(FieldType(group, "3xregular")).double()
    assert rms_error(layer, points=200) < 1e-14
    x = torch.randn(50, layer.in_type.size, dtype=torch.float64)
    g = elements(group, 50)
    assert relative(layer(x.roll(1, 1)), layer.out_type.transform(g, layer(x))) > 0.1
    with pytest.raises(ValueError, match="Expected regular fields"):
        VectorFieldNonlinearity(FieldType(SO2(), "1x1"))
