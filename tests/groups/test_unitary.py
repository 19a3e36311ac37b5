"""U(1), U(N) and SU(N): complex elements, real forms of representations, Haar measure, exponential and logarithm."""

from __future__ import annotations

import cmath
import copy
import math
import pickle

import pytest
import torch

from gaugenet.groups import SO2, SU, U1, FieldType, U, complex_fields, group_from_name, intertwiners, real_fields
from tests.groups.cases import SU2, elements
from tests.tolerances import SOLVED, STATISTICAL, TOL, relative

EXACT = TOL[torch.float64]
GROUPS = [U1(), SU(2), SU(3), SU(4), U(2)]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def representations(group):
    return [*group.irreps(2), *map(group.irrep, ("fundamental", "conjugate", "adjoint", "det", "matrix"))]


@every_group
def test_products_inverses_and_names_remain_in_the_group(group):
    g, h = elements(group, 64), elements(group, 64, seed=1)
    for inside in (g @ h, g.mH, group.identity(), group.generators(), group.exp(0.7 * group.lie_algebra())):
        assert group.contains(inside).all()
    assert not group.contains(torch.full_like(group.identity(), torch.nan))
    assert not group.contains(1.01 * g).any()
    for same in (group_from_name(group.name), copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert same == group
        assert hash(same) == hash(group)


def test_a_phase_is_outside_of_the_special_group():
    assert not SU(3).contains(1j * elements(SU(3))).any()
    assert U(3).contains(1j * elements(SU(3))).all()
    assert SU(2).contains(-elements(SU(2))).all()
    assert not SU(3).contains(-elements(SU(3))).any()


@every_group
@pytest.mark.parametrize(("dtype", "expected"), [(torch.float32, torch.complex64), (torch.float64, torch.complex128)])
def test_elements_have_the_complex_precision_of_the_features(group, dtype, expected):
    for size, shape in ((5, (5,)), ((2, 3), (2, 3)), ((), ())):
        g = group.random_element(size, generator=torch.Generator().manual_seed(0), dtype=dtype)
        assert g.shape == (*shape, group.d, group.d)
        assert g.dtype == expected
        assert group.contains(g).all()


@every_group
def test_draws_are_haar_distributed(group):
    """Left translates have the same mean of entries and of their products; mean |tr g|^2 = 1, as g is irreducible."""
    g = elements(group, 40000)
    translated = elements(group, 1, seed=7) @ g
    first, second = (torch.einsum("nij,nkl->ijkl", h, h) / len(h) for h in (g, translated))
    assert (g.mean(0) - translated.mean(0)).abs().max() < STATISTICAL
    assert (first - second).abs().max() < STATISTICAL
    trace = g.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert abs(trace.abs().square().mean().item() - 1) < STATISTICAL
    biased = group.exp(0.5 * group.log(g))  # control
    trace = biased.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert trace.mean().abs() > STATISTICAL


def test_the_angle_of_su2_has_the_density_sin_squared():
    """tr g / 2 = cos t with density 2 sin^2(t) / pi: its second and fourth moments are 1/4 and 1/8."""
    a = elements(SU(2), 100_000).diagonal(dim1=-2, dim2=-1).sum(-1).real / 2
    assert abs(a.square().mean().item() - 1 / 4) < 0.005
    assert abs(a.pow(4).mean().item() - 1 / 8) < 0.005


@every_group
def test_logarithms_invert_the_exponential(group):
    g = elements(group, 200)
    x = group.log(g)
    assert relative(group.exp(x), g) < EXACT
    assert relative(group.algebra_part(x), x) < EXACT
    t = group.lie_algebra()
    small = torch.einsum("na,aij->nij", torch.rand(20, len(t), dtype=torch.float64).to(t) - 0.5, t)
    assert relative(group.log(group.exp(small)), small) < EXACT


@pytest.mark.parametrize("group", [SU(2), SU(3), U(2)], ids=str)
def test_logarithms_of_degenerate_elements(group):
    """Equal eigenvalues, and -1, where the angle jumps."""
    n = group.d
    signs = torch.diag(torch.tensor([-1.0, -1, *[1] * (n - 2)])).to(torch.complex128)
    root = cmath.exp(2j * math.pi / n) * torch.eye(n, dtype=torch.complex128)
    h = elements(group, 1)[0]
    for g in (group.identity(), signs, root, h @ signs @ h.mH):
        assert group.contains(g)
        assert relative(group.exp(group.log(g)), g) < EXACT


@every_group
def test_projection_returns_to_the_group_and_fixes_it(group):
    g = elements(group, 50)
    noise = torch.randn(50, group.d, group.d, dtype=torch.complex128, generator=torch.Generator().manual_seed(2))
    far = group.project(g + 0.3 * noise)
    assert group.distance(far).max() < EXACT
    assert relative(group.project(g), g) < EXACT
    assert relative(group.project(2.5 * g), g) < EXACT
    h = elements(group, 50, seed=1)
    assert relative(group.project(h @ (g + 0.3 * noise)), h @ far) < 10 * EXACT
    with pytest.raises(ValueError, match="singular"):
        group.project(torch.zeros_like(g))


@every_group
def test_the_algebra_has_an_orthonormal_basis_and_closes(group):
    t = group.lie_algebra()
    assert len(t) == group.d**2 - group.special
    assert relative(-2 * torch.einsum("aij,bji->ab", t, t).real, torch.eye(len(t)).double()) < EXACT
    brackets = t[:, None] @ t - t @ t[:, None]
    assert (group.algebra_part(brackets) - brackets).abs().max() < EXACT


def test_gell_mann_matrices_in_their_usual_order():
    t = -2j * SU(3).lie_algebra()
    assert relative(t[2], torch.diag(torch.tensor([1.0, -1, 0])).to(t)) < EXACT
    assert relative(t[7] * 3**0.5, torch.diag(torch.tensor([1.0, 1, -2])).to(t)) < EXACT
    structure = 2 * torch.einsum("aij,bjk,cki->abc", *[SU(3).lie_algebra()] * 3)
    f = -(structure - structure.transpose(0, 1)).real
    assert abs(f[0, 1, 2].item()) == pytest.approx(1)
    assert abs(f[3, 4, 7].item()) == pytest.approx(3**0.5 / 2)


@every_group
def test_representations_are_orthogonal_homomorphisms(group):
    g, h = elements(group), elements(group, seed=1)
    for rho in representations(group):
        assert not rho(g).is_complex()
        assert relative(rho(g @ h), rho(g) @ rho(h)) < EXACT
        assert relative(rho(g) @ rho(g).mT, torch.eye(rho.dim).double().expand(16, -1, -1)) < EXACT
        assert pickle.loads(pickle.dumps(rho)) == rho
        product = rho.tensor(group.standard())
        assert relative(product(g @ h), product(g) @ product(h)) < EXACT


@every_group
def test_control_the_transpose_is_no_representation(group):
    if group.d > 1:
        g, h = elements(group), elements(group, seed=1)
        rho = group.irrep("fundamental")
        assert relative(rho((g @ h).mT), rho(g.mT) @ rho(h.mT)) > 0.1


@every_group
def test_characters_of_the_named_representations(group):
    """Real forms have twice the real part; the adjoint |tr g|^2 - 1, and as `matrix` twice |tr g|^2."""
    g = elements(group)
    trace = g.diagonal(dim1=-2, dim2=-1).sum(-1)

    def character(name):
        return group.irrep(name)(g).diagonal(dim1=-2, dim2=-1).sum(-1)

    assert relative(character("fundamental"), 2 * trace.real) < EXACT
    assert relative(character("conjugate"), 2 * trace.real) < EXACT
    assert relative(character("matrix"), 2 * trace.abs().square()) < EXACT
    if group.d > 1:
        assert relative(character("adjoint"), trace.abs().square() - 1) < EXACT
    determinant = torch.ones(16).double() if group.special else 2 * torch.linalg.det(g).real
    assert relative(character("det"), determinant) < EXACT


@pytest.mark.parametrize(
    ("group", "types"),
    [
        (U1(), "real complex complex"),
        (SU(2), "real quaternionic real"),
        (SU(3), "real complex real complex"),
        (U(2), "real complex real complex complex"),
    ],
    ids=str,
)
def test_types_of_irreps(group, types):
    assert [rho.type for rho in group.irreps(2)] == types.split()


def test_products_decompose_as_in_the_textbook():
    """3 x 8 = 3 + 6bar + 15; 2 x 3 = 2 + 4 (spins 1/2 x 1), as real forms."""
    three, eight = SU(3).irrep("fundamental"), SU(3).irrep("adjoint")
    found = three.tensor(eight).decompose()
    assert sorted(rho.dim for rho in found.irreps) == [6, 12, 30]
    two, vector = SU(2).irrep("fundamental"), SU(2).irrep("adjoint")
    spins = two.tensor(vector).decompose().irreps
    assert sorted(rho.dim for rho in spins) == [4, 8]
    assert SU(2).irrep("matrix").decompose().labels == ["0", "0", "adjoint", "adjoint"]
    g = elements(SU(3))
    assert relative(found(g), three.tensor(eight)(g)) < SOLVED


def test_su2_as_matrices_of_quaternions_has_the_same_irreps():
    """Dimensions and types of a `MatrixGroup` of real 4 x 4 matrices: an independent construction."""
    assert [(r.dim, r.type) for r in SU(2).irreps(4)] == [(r.dim, r.type) for r in SU2.irreps(4)]


def test_u1_is_so2():
    t = torch.rand(20, dtype=torch.float64) * 6
    phase = torch.polar(torch.ones_like(t), t)[:, None, None]
    rotation = torch.stack([torch.stack([t.cos(), -t.sin()], -1), torch.stack([t.sin(), t.cos()], -1)], -2)
    for k in range(4):
        assert relative(U1().irrep(k)(phase), SO2().irrep(k)(rotation)) < EXACT


@every_group
def test_intertwiners_commute_and_equivalent_ones_are_found(group):
    g = elements(group)
    pairs = [("fundamental", "conjugate"), ("matrix", "adjoint"), ("matrix", "0"), ("fundamental", "0")]
    for source, target in ((group.irrep(a), group.irrep(b)) for a, b in pairs):
        maps = intertwiners(source, target)
        assert relative(target(g)[:, None] @ maps, maps @ source(g)[:, None]) < SOLVED
    assert len(intertwiners(group.irrep("fundamental"), group.irrep("0"))) == 0
    assert len(intertwiners(group.irrep("fundamental"), group.irrep("conjugate"))) == (4 if group == SU(2) else 2)


@every_group
def test_field_types_transform_as_complex_fields(group):
    """One layout: real parts, then imaginary parts, components outer, fields inner."""
    fields = FieldType(group, "3x fundamental + 2x matrix + 1x adjoint")
    x = torch.randn(4, fields.size, 5, dtype=torch.float64)
    g = elements(group, 4)
    moved = fields.transform(g, x)
    vector, matrix = fields.slices[0], fields.slices[1]
    n = group.d
    assert (
        relative(
            complex_fields(moved[:, vector], (n,)),
            torch.einsum("bij,bcxj->bcxi", g, complex_fields(x[:, vector], (n,))),
        )
        < EXACT
    )
    w = complex_fields(x[:, matrix], (n, n))
    assert w.shape == (4, 2, 5, n, n)
    assert relative(complex_fields(moved[:, matrix], (n, n)), g[:, None, None] @ w @ g.mH[:, None, None]) < EXACT
    assert torch.equal(real_fields(w, 2), x[:, matrix])
    assert torch.equal(real_fields(complex_fields(x[:, vector], (n,)), 1), x[:, vector])
    h = elements(group, 4, seed=1)
    assert relative(fields.transform(h @ g, x), fields.transform(h, moved)) < EXACT


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-2)])
def test_features_of_lower_precision(dtype, tolerance):
    fields = FieldType(SU(3), "2x adjoint + 4x fundamental")
    assert fields.size == 2 * 8 + 4 * 6
    x, g = torch.randn(4, fields.size), elements(SU(3), 4)
    moved = fields.transform(g, x.to(dtype))
    assert moved.dtype == dtype
    assert relative(moved.double(), fields.transform(g, x.double())) < tolerance


def test_the_adjoint_acts_on_the_algebra():
    g, t = elements(SU(3), 5), SU(3).lie_algebra()
    c = torch.randn(5, 8, dtype=torch.float64)
    x = torch.einsum("na,aij->nij", c.to(t), t)
    moved = (SU(3).irrep("adjoint")(g) @ c[..., None])[..., 0]
    assert relative(torch.einsum("na,aij->nij", moved.to(t), t), g @ x @ g.mH) < EXACT


def test_arguments():
    for make, message in [
        (lambda: SU(1), "at least 2"),
        (lambda: SU(0), "positive integer"),
        (lambda: U(1), r"`U1\(\)`"),
        (lambda: SU(2.5), "positive integer"),
        (lambda: group_from_name("SU(1)"), "Unknown structure group"),
        (lambda: U1().irrep("spin"), "expected a charge"),
        (lambda: SU(3).irrep("spin"), "Unknown representation"),
        (lambda: SU(3).irreps(), "max_order"),
        (lambda: U1().irreps(), "max_order"),
        (lambda: SU(3).harmonic(1), "internal fibre"),
        (lambda: SU(3).sphere(1), "internal fibre"),
        (lambda: complex_fields(torch.zeros(2, 7), (3,)), "multiple of 6"),
        (lambda: complex_fields(torch.zeros(2, 6).long(), (3,)), "int64: convert"),
        (lambda: complex_fields(torch.zeros(2, 6).cdouble(), (3,)), "real features"),
        (lambda: real_fields(torch.zeros(2, 1, 3), 1), "complex fields"),
        (lambda: real_fields(torch.zeros(2, 3).cdouble(), 1), r"shape \(2, 3\)"),
        (lambda: SU(2).project(torch.full((2, 2), torch.nan).cdouble()), "NaN or infinite"),
        (lambda: SU(2).project(torch.eye(2)), "complex matrices `m`"),
        (lambda: SU(2).project(torch.eye(3).cdouble()), r"shape \(..., 2, 2\) for SU\(2\), got \(3, 3\)"),
        (lambda: SU(2).log(torch.full((2, 2), torch.nan).cdouble()), "NaN or infinite"),
        (lambda: SU(2).log(2 * torch.eye(2).cdouble()), r"3 outside: use `group.project\(g\)`"),
        (lambda: SU(2).exp(torch.zeros(2, 2)), "complex matrices `x`"),
        (lambda: SU(2).distance([1]), "got list"),
        (lambda: SU(2).random_element((2,), dtype=torch.int64), "single or double precision"),
        (
            lambda: FieldType(SU(2), "1xfundamental").transform(torch.eye(2), torch.zeros(1, 4)),
            "complex group elements",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
