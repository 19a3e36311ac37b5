"""Harmonics in any dimension: Gegenbauer's addition theorem by scipy, polynomials, and how groups of R^4 rotate
them."""

from __future__ import annotations

import pickle

import pytest
import torch
from scipy.special import eval_gegenbauer

from gaugenet.groups import SO3, Cyclic, FieldType, MatrixGroup, Reflection, Trivial, spherical_harmonics
from gaugenet.groups.representations.hyperspherical import (
    hyperspherical_dim,
    hyperspherical_harmonics,
    hyperspherical_matrix,
)
from tests.groups.cases import QUATERNIONS, SU2, elements
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
DIMENSIONS = [(3, 5), (4, 5), (5, 4), (7, 3)]


def directions(d: int, count: int = 16) -> torch.Tensor:
    v = torch.randn(count, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(v, dim=-1)


def orthogonal(d: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q


@pytest.mark.parametrize(("d", "top"), DIMENSIONS)
def test_addition_theorem(d, top):
    """Y_j(v) . Y_j(w) is the normalized Gegenbauer polynomial of v . w: unit vectors, of one frequency each."""
    v, w = directions(d).chunk(2)
    for j, (a, b) in enumerate(zip(hyperspherical_harmonics(v, top), hyperspherical_harmonics(w, top), strict=True)):
        assert a.shape[1] == hyperspherical_dim(d, j)
        cosine = (v * w).sum(1).numpy()
        expected = eval_gegenbauer(j, d / 2 - 1, cosine) / eval_gegenbauer(j, d / 2 - 1, 1.0)
        assert ((a * b).sum(1) - torch.from_numpy(expected)).abs().max() < EXACT


@pytest.mark.parametrize(("d", "top"), DIMENSIONS)
def test_they_turn_under_rotations_and_reflections(d, top):
    v, g = directions(d), orthogonal(d)
    rotated = hyperspherical_harmonics(v @ g.T, top)
    for j, y in enumerate(hyperspherical_harmonics(v, top)):
        matrix = hyperspherical_matrix(g, j)
        assert relative(rotated[j], y @ matrix.T) < EXACT
        if j:
            assert relative(rotated[j], y @ matrix) > 0.1


@pytest.mark.parametrize(("d", "top"), DIMENSIONS)
def test_they_are_homogeneous_and_harmonic(d, top):
    v = torch.linspace(-1, 0.7, d, dtype=torch.float64)
    for j in range(top + 1):
        here, scaled = (hyperspherical_harmonics(u, j)[-1] for u in (v, 2 * v))
        assert relative(scaled, 2**j * here) < EXACT
        hessian = torch.func.hessian(lambda u, j=j: hyperspherical_harmonics(u, j)[-1])(v)
        assert hessian.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() < 1e-11


def test_in_space_they_span_the_spherical_harmonics():
    v = directions(3, 40)
    for j, y in enumerate(hyperspherical_harmonics(v, 4)):
        change = torch.linalg.lstsq(y, spherical_harmonics(v, j)).solution
        assert relative(y @ change, spherical_harmonics(v, j)) < 1e-11
        assert (change @ change.T - torch.eye(2 * j + 1, dtype=torch.float64)).abs().max() < 1e-11


@pytest.mark.parametrize("group", [QUATERNIONS, SU2, Reflection(4), Trivial(6)], ids=str)
def test_groups_turn_them_and_functions_on_the_sphere(group):
    g, v = elements(group), directions(group.d)
    for j in range(4):
        rho = group.harmonic(j)
        rotated = (rho(g) @ hyperspherical_harmonics(v, j)[-1][..., None])[..., 0]
        assert relative(hyperspherical_harmonics((g @ v[..., None])[..., 0], j)[-1], rotated) < EXACT
        assert group.representation(f"harmonic({j})") == pickle.loads(pickle.dumps(rho)) == rho
    sphere = group.sphere(2)
    x = torch.randn(16, sphere.dim, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = (sphere.evaluate((g.mT @ v[..., None])[..., 0]) * x).sum(1)
    after = (sphere.evaluate(v) * (sphere(g) @ x[..., None])[..., 0]).sum(1)
    assert relative(after, before) < EXACT
    assert FieldType(group, "2xsphere(2)").size == 2 * sphere.dim


def test_branching_to_the_spins():
    """Harmonics of degree j in R^4 are (spin j/2) x (spin j/2): j + 1 copies of an integer spin; of an odd one half."""
    assert SU2.harmonic(2).decompose().labels == ["2", "2", "2"]
    assert SU2.harmonic(3).decompose().labels == ["3", "3"]
    permuted = MatrixGroup(torch.eye(4).double()[torch.tensor([[1, 2, 3, 0]])], name="cycle")
    assert permuted.harmonic(2).decompose().irreps.count(permuted.trivial()) == 2  # invariant harmonics of degree 2


def test_names_below_four_dimensions_are_the_irreps():
    assert SO3().representation("harmonic(2)") == SO3().irrep(2)
    assert Cyclic(8).representation("harmonic(3)") == Cyclic(8).irrep(3)
    with pytest.raises(ValueError, match=r"Expected `harmonic\(L\)`"):
        SO3().representation("harmonic(x)")
