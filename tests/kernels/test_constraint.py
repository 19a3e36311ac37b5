"""Kernels of groups on the line and in space solve the constraint; with harmonics of e3nn they are the same kernels."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Axial,
    Cyclic,
    Dihedral,
    FieldType,
    MatrixGroup,
    Polyhedral,
    Reflection,
    Trivial,
)
from gaugenet.kernels import FrequencyBasis, GaussianRings, HarmonicBasis, HarmonicSpace, Rings, band_limit
from gaugenet.kernels.harmonic import frequency_basis
from gaugenet.kernels.harmonics import harmonics
from gaugenet.testing.gauge import outside_elements
from tests.groups.cases import BINARY_TETRAHEDRAL, QUATERNIONS, SU2
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
TURNED = MatrixGroup([[[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]], name="tetrahedral")
SCREW = MatrixGroup(
    [[[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]], lie_algebra=[[[0.0, -1, 0], [1, 0, 0], [0, 0, 0]]], name="turns"
)
TYPES = {
    Trivial(1): ("2x0", "3x0"),
    Reflection(1): ("1xregular + 2x0", "1x0- + 1xregular"),
    Trivial(3): ("2x0", "1x0"),
    SO3(): ("2x0 + 1x1 + 1x2 + 1x3", "1x2 + 2x1 + 1x0"),
    O3(): ("2x0 + 1x1o + 1x1e + 1x2e + 1x0o", "1x2e + 1x2o + 2x1o + 1x0o"),
    **{Polyhedral(s): ("1xregular", "1xregular + 1xstandard") for s in ("T", "O", "T_d", "T_h")},
    Polyhedral("I"): ("1x0 + 1xstandard", "1xregular + 1xG"),
    Polyhedral("O_h"): ("1xregular", "1xstandard + 1x0"),
    Polyhedral("I_h"): ("1xstandard + 1xGg", "1xHg + 1xT2u"),
    Axial(Cyclic(4)): ("1xregular + 1x1", "1xregular"),
    Axial(Dihedral(3), "det"): ("1xregular", "1xregular + 1x1"),
    Axial(Cyclic(4), "mirror"): ("1xregular", "1x1 + 1x0z"),
    Axial(SO2()): ("2x0 + 1x1", "1x2 + 1x1"),
    Axial(O2(), "det"): ("2x0 + 1x1", "1x2 + 1x1"),
    Axial(SO2(), "mirror"): ("2x0 + 1x1z", "1x2 + 1x1"),
    TURNED: ("1xregular", "1xstandard + 1xregular"),
    SCREW: ("1xstandard + 1x0", "2xstandard"),
    SO2(): ("2x0 + 1x1", "1x2 + 1x1"),
    O2(): ("2x0 + 1x1", "1x2 + 1x1 + 1x0-"),
    Cyclic(8): ("1xregular", "2xregular + 1x1"),
    QUATERNIONS: ("1x0 + 1x1 + 1x2.1", "1x1 + 1xregular"),
    BINARY_TETRAHEDRAL: ("1x1 + 1x3", "1x1 + 1x2 + 1x4"),
    SU2: ("1x0 + 1x1", "1x1 + 1x2"),
}


def space(group, **options) -> HarmonicSpace:
    in_spec, out_spec = TYPES[group]
    return HarmonicSpace(FieldType(group, in_spec), FieldType(group, out_spec), **{"rings": 3, **options})


def weights(kernels: HarmonicSpace) -> torch.Tensor:
    return torch.randn(kernels.num_weights, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def points(d: int, count: int = 24) -> torch.Tensor:
    return 0.5 * torch.randn(count, d, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def defect(kernels: HarmonicSpace, g: torch.Tensor) -> float:
    """Violation of K(g v) rho_in(g) = rho_out(g) K(v)."""
    v, w = points(kernels.group.d, len(g)), weights(kernels)
    rho_in, rho_out = (t.representation()(g) for t in (kernels.in_type, kernels.out_type))
    rotated = kernels.evaluate(w, (g @ v[..., None])[..., 0])
    return relative(rotated @ rho_in, rho_out @ kernels.evaluate(w, v))


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_kernels_satisfy_the_constraint_and_others_do_not(group):
    kernels = space(group)
    generator = torch.Generator().manual_seed(0)
    assert defect(kernels, group.random_element(24, generator=generator)) < EXACT
    assert defect(kernels, outside_elements(group, 24, generator)) > 0.01


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_the_factorised_form_is_the_kernel(group):
    """K(v) f = sum_t M_t (c_t(v) f), and the same by the sparse coefficients of the contraction."""
    kernels = space(group, max_frequency=2)
    v, w = points(group.d), weights(kernels)
    f = torch.randn(len(v), kernels.in_type.size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    expected = (kernels.evaluate(w, v) @ f[..., None])[..., 0]
    aggregate = kernels.functions(v)[:, :, None] * f[:, None]
    found = torch.cat([aggregate.flatten(1) @ m for m in kernels.mixing(w)], 1)
    assert relative(found, expected) < EXACT


@pytest.mark.parametrize("group", [g for g in TYPES if (g.order or 0) <= 12], ids=str)
def test_weights_are_independent(group):
    kernels = space(group, rings=2, max_frequency=(1, 2))
    eye = torch.eye(kernels.num_weights, dtype=torch.float64)
    v = points(group.d, 40)
    kernels.evaluate(eye[0], v)  # bases are solved outside of vmap
    samples = torch.func.vmap(lambda row: kernels.evaluate(row, v).flatten())(eye)
    assert torch.linalg.matrix_rank(samples @ samples.T, rtol=1e-12, hermitian=True) == len(eye)


@pytest.mark.parametrize("group", [SO3(), O3(), Polyhedral("T"), Axial(Cyclic(4)), Axial(SO2())], ids=str)
def test_initial_scale_in_space(group):
    """At a ring's peak E |(K f)_o|^2 = rings for unit features."""
    kernels = space(group, rings=2)
    generator = torch.Generator().manual_seed(0)
    v = torch.nn.functional.normalize(torch.randn(12, 3, generator=generator, dtype=torch.float64), dim=1) / 4
    w = torch.empty(kernels.num_weights, dtype=torch.float64)
    squares = []
    for _ in range(60):
        kernels.initialize(w, generator=generator)
        f = torch.randn(kernels.in_type.size, generator=generator, dtype=torch.float64)
        squares.append((kernels.evaluate(w, v) @ f).square().mean(0))
    for block in kernels.out_type.blocks:
        assert 1 < torch.stack(squares)[:, block.slice].mean().item() < 4, block


def test_initial_scale_of_every_ring_of_a_band_limited_kernel():
    limit = band_limit(9)
    kernels = space(Cyclic(8), rings=limit.rings, max_frequency=limit.max_frequency)
    generator = torch.Generator().manual_seed(0)
    for radius in limit.rings.radii:
        t = torch.linspace(0, 2 * torch.pi, 9, dtype=torch.float64)[:-1]
        v = radius * torch.stack([t.cos(), t.sin()], 1)
        w, squares = torch.empty(kernels.num_weights, dtype=torch.float64), []
        for _ in range(60):
            kernels.initialize(w, generator=generator)
            squares.append(kernels.evaluate(w, v).square().sum(-1).mean())
        assert 3 < torch.stack(squares).mean() < 8  # of 4 rings, whose neighbours overlap


@pytest.mark.parametrize("group", [Cyclic(8), SO2(), O2(), SO3(), Polyhedral("O")], ids=str)
def test_band_limits_by_ring_leave_no_weight_without_effect(group):
    """Ring k has no frequency above its limit, and all kernels up to it: they are those of the layers of one ring."""
    full = space(group, rings=3, max_frequency=(0, 2, 1))
    assert full.num_weights == sum(space(group, rings=1, max_frequency=j).num_weights for j in (0, 2, 1))
    assert {j: len(rings) for j, rings in full.frequencies.items()} == {0: 3, 1: 2, 2: 1}
    assert defect(full, group.random_element(24, generator=torch.Generator().manual_seed(0))) < EXACT


def test_a_high_limit_changes_nothing_for_irreps_of_so2():
    """The harmonic form up to the sum of the orders spans the aligned kernels."""
    aligned, harmonic = space(SO2()), space(SO2(), max_frequency=9)
    assert aligned.aligned
    assert not harmonic.aligned
    assert aligned.num_weights == harmonic.num_weights
    v = points(2, 40)
    samples = [
        torch.func.vmap(lambda row, k=k: k.evaluate(row, v).flatten())(torch.eye(k.num_weights, dtype=torch.float64))
        for k in (aligned, harmonic)
    ]
    assert torch.linalg.matrix_rank(torch.cat(samples), rtol=1e-9) == aligned.num_weights


@pytest.mark.parametrize("group", [SO3(), O3(), Polyhedral("T"), Reflection(1), Cyclic(6)], ids=str)
def test_harmonics_turn_by_their_representation(group):
    v = torch.nn.functional.normalize(points(group.d), dim=1)
    g = group.random_element(len(v), generator=torch.Generator().manual_seed(1))
    for j in range(2 if group.d == 1 else 6):
        rotated = (group.harmonic(j)(g) @ harmonics(v, j)[..., None])[..., 0]
        assert relative(harmonics((g @ v[..., None])[..., 0], j), rotated) < EXACT
        assert torch.allclose(harmonics(v, j).norm(dim=1), torch.ones(len(v), dtype=torch.float64))


@pytest.mark.parametrize("group", [Cyclic(6), Dihedral(3), Polyhedral("O"), Trivial(3)], ids=str)
def test_regular_fields_in_closed_form_are_all_kernels(group):
    """The tables that are never made agree with those of the null space, element by element and as a span."""
    regular = group.regular()
    for rho_in in (regular, group.trivial()):
        fast, plain = frequency_basis(rho_in, regular, 1), FrequencyBasis(rho_in, regular, 1)
        assert type(fast) is not FrequencyBasis
        assert fast.dim == plain.dim
        w = torch.randn(2, fast.dim, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        assert relative(fast.expand(w), plain.expand(w)) < EXACT


def test_bases_are_shared_and_survive_copies():
    basis = frequency_basis(SO3().irrep(1), SO3().irrep(2), 1)
    assert frequency_basis(SO3().irrep(1), SO3().irrep(2), 1) is basis
    assert copy.deepcopy(basis) is basis
    assert pickle.loads(pickle.dumps(basis)) is basis


def e3nn_kernels(l_in: int, l_out: int, v: torch.Tensor) -> torch.Tensor:
    """Y_j(v) w3j for all j, in the basis of gaugenet, `(kernels, points, out, in)`."""
    o3 = pytest.importorskip("e3nn.o3")

    def y(j: int, u: torch.Tensor) -> torch.Tensor:
        return o3.spherical_harmonics(j, u, normalize=True)

    def change(j: int) -> torch.Tensor:
        """Q with Y_j of gaugenet = Q Y_j of e3nn."""
        u = torch.nn.functional.normalize(points(3, 64), dim=1)
        return torch.linalg.lstsq(y(j, u), harmonics(u, j)).solution.T

    kernels = []
    for j in range(abs(l_in - l_out), l_in + l_out + 1):
        w3j = o3.wigner_3j(l_out, j, l_in, dtype=torch.float64)
        kernel = torch.einsum("ohi,nh->noi", w3j, y(j, v))
        kernels.append(change(l_out) @ kernel @ torch.linalg.inv(change(l_in)))
    return torch.stack(kernels)


@pytest.mark.parametrize(("l_in", "l_out"), list(itertools.product(range(4), repeat=2)))
def test_kernels_of_so3_are_those_of_e3nn(l_in, l_out):
    v = torch.nn.functional.normalize(points(3, 64), dim=1)
    theirs = e3nn_kernels(l_in, l_out, v).flatten(1)
    ours = HarmonicBasis(SO3().irrep(l_in), SO3().irrep(l_out)).sample(v).transpose(0, 1).flatten(1)
    assert len(ours) == len(theirs) == torch.linalg.matrix_rank(torch.cat([ours, theirs]), rtol=1e-7)
    if l_in:
        control = theirs.view(len(theirs), -1, 2 * l_out + 1, 2 * l_in + 1).flip(-1).flatten(1)
        assert torch.linalg.matrix_rank(torch.cat([ours, control]), rtol=1e-7) > len(ours)


@pytest.mark.parametrize("kernel_size", [3, 5, 7, 9])
def test_sampled_kernels_within_the_band_limit_do_not_alias(kernel_size):
    """On the pixels 9/10 of every allowed harmonic lie outside the span of the lower ones; of high ones not."""
    limit, half = band_limit(kernel_size), kernel_size // 2
    axis = torch.arange(-half, half + 1, dtype=torch.float64)
    pixels = torch.cartesian_prod(axis, axis) / limit.radius
    pixels = pixels[(pixels.norm(dim=1) > 0) & (pixels.norm(dim=1) <= 1)]
    phi, direction = limit.rings(pixels.norm(dim=1)), torch.nn.functional.normalize(pixels, dim=1)

    def explained(ring: int, j: int) -> float:
        """The share of a sampled harmonic that lower frequencies explain."""
        lower = torch.cat([phi[:, [k]] * harmonics(direction, m) for k in range(half) for m in range(j)], 1)
        sampled = phi[:, [ring]] * harmonics(direction, j)
        sampled = sampled[:, sampled.norm(dim=0) > 1e-9]
        u, values, _ = torch.linalg.svd(lower, full_matrices=False)
        u = u[:, values > 1e-9 * values[0]]
        return float(((u.T @ sampled).square().sum(0) / sampled.square().sum(0)).max())

    for ring, top in enumerate(limit.max_frequency):
        assert all(explained(ring, j) < 0.1 for j in range(1, top + 1))
    assert explained(0, limit.max_frequency[0] + 3) > 0.5


def test_band_limit():
    limit = band_limit(7)
    assert (limit.radius, limit.max_frequency) == (3.5, (2, 4, 2))
    assert limit.rings == GaussianRings([r / 3.5 for r in (1, 2, 3)], 0.6 / 3.5) != Rings(3)
    for size in (1, 2, 4):
        with pytest.raises(ValueError, match=rf"odd `kernel_size` of at least 3, got {size}"):
            band_limit(size)


def test_gaussian_rings():
    rings = GaussianRings([1.0, 2.0], 0.6)
    r = torch.linspace(0, 3, 3001, dtype=torch.float64)
    phi = rings(r)
    assert torch.equal(phi[0], torch.zeros(2, dtype=torch.float64))
    assert phi.diff(dim=0).abs().max() / r[1] < 2.5
    assert torch.allclose(phi[1000:, 1], torch.exp(-((r[1000:] - 2) ** 2) / 0.72), rtol=5e-3)
    with pytest.raises(ValueError, match="positive `radii`"):
        GaussianRings([0.0, 1.0], 0.6)
    assert repr(rings) == "GaussianRings([1.0, 2.0], 0.6)"
