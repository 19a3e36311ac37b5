"""The Clifford algebra: exact signs, identities between its products, derivatives, versors, and what is refused."""

from __future__ import annotations

import itertools
import pickle

import pytest
import torch

from gaugenet.groups import CliffordAlgebra, GeneralLinear, PseudoOrthogonal
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SIGNATURES = [(p, n - p) for n in range(1, 6) for p in range(n + 1)]
every_signature = pytest.mark.parametrize(("p", "q"), SIGNATURES)
SMALL = [(2, 0), (3, 0), (1, 2), (0, 2), (1, 3), (2, 2)]
some_signatures = pytest.mark.parametrize(("p", "q"), SMALL)


def words_product(first: tuple[int, ...], second: tuple[int, ...], p: int) -> tuple[int, tuple[int, ...]]:
    """The product of two words of generators by exchanging neighbours and squaring equal ones, one at a time."""
    word, sign = [*first, *second], 1
    while True:
        for i in range(len(word) - 1):
            if word[i] == word[i + 1]:
                sign *= 1 if word[i] <= p else -1
                del word[i : i + 2]
                break
            if word[i] > word[i + 1]:
                word[i], word[i + 1], sign = word[i + 1], word[i], -sign
                break
        else:
            return sign, tuple(word)


def gamma_matrices(p: int, q: int) -> list[torch.Tensor]:
    """Generators as Kronecker products of Pauli matrices, of squares +1 and -1."""
    one = torch.eye(2, dtype=torch.complex128)
    x = torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128)
    y = torch.tensor([[0, -1j], [1j, 0]], dtype=torch.complex128)
    z = torch.tensor([[1, 0], [0, -1]], dtype=torch.complex128)
    found = []
    for k in range(3):
        for middle in (x, y):
            matrix = torch.ones(1, 1, dtype=torch.complex128)
            for factor in [z] * k + [middle] + [one] * (2 - k):
                matrix = torch.kron(matrix, factor)
            found.append(matrix)
    return [m if i < p else 1j * m for i, m in enumerate(found[: p + q])]


def random(algebra: CliffordAlgebra, *size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, algebra.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def random_versor(algebra: CliffordAlgebra, factors: int, seed: int = 0) -> torch.Tensor:
    """A product of vectors that are far from light-like."""
    generator = torch.Generator().manual_seed(seed)
    versor = algebra.scalar(torch.ones((), dtype=torch.float64))
    while factors:
        v = torch.randn(algebra.n, dtype=torch.float64, generator=generator)
        vector = algebra.vector(v)
        if abs(algebra.norm_squared(vector)) > 0.2:
            versor, factors = algebra.geometric_product(versor, vector), factors - 1
    return versor


@every_signature
def test_products_of_blades_are_products_of_generators(p, q):
    """The exact integers, all blades with all blades, against words of generators."""
    algebra = CliffordAlgebra(p, q)
    assert list(algebra.blades) == [b for k in range(p + q + 1) for b in itertools.combinations(range(1, p + q + 1), k)]
    eye = torch.eye(algebra.dim, dtype=torch.float64)
    product = algebra.geometric_product(eye[:, None], eye[None])
    expected = torch.zeros_like(product)
    for i, first in enumerate(algebra.blades):
        for j, second in enumerate(algebra.blades):
            sign, word = words_product(first, second, p)
            expected[i, j, algebra.blades.index(word)] = sign
    assert torch.equal(product, expected)
    grade = torch.tensor(algebra.grades)
    r, s, t = grade[:, None, None], grade[None, :, None], grade
    zero = torch.zeros_like(expected)
    assert torch.equal(algebra.wedge(eye[:, None], eye[None]), torch.where(t == r + s, expected, zero))
    assert torch.equal(algebra.left_contraction(eye[:, None], eye[None]), torch.where(t == s - r, expected, zero))
    assert torch.equal(algebra.right_contraction(eye[:, None], eye[None]), torch.where(t == r - s, expected, zero))


@every_signature
def test_products_are_products_of_matrices(p, q):
    """A faithful representation by gamma matrices; with two generators exchanged in it the products differ."""
    algebra = CliffordAlgebra(p, q)
    gamma = gamma_matrices(p, q)

    def matrix(a: torch.Tensor, generators: list[torch.Tensor]) -> torch.Tensor:
        blades = []
        for blade in algebra.blades:
            m = torch.eye(8, dtype=torch.complex128)
            for e in blade:
                m = m @ generators[e - 1]
            blades.append(m)
        return torch.einsum("nb,bij->nij", a.to(torch.complex128), torch.stack(blades))

    a, b = random(algebra, 5), random(algebra, 5, seed=1)
    c = algebra.geometric_product(a, b)
    assert relative(matrix(c, gamma).abs(), (matrix(a, gamma) @ matrix(b, gamma)).abs()) < EXACT
    assert (matrix(c, gamma) - matrix(a, gamma) @ matrix(b, gamma)).abs().max() < 1e-12
    wrong = [1j * g for g in gamma]  # all squares of the other sign
    assert (matrix(c, wrong) - matrix(a, wrong) @ matrix(b, wrong)).abs().max() > 0.1


@every_signature
def test_identities(p, q):
    algebra = CliffordAlgebra(p, q)
    a, b, c = (random(algebra, 4, seed=s) for s in range(3))
    v = algebra.vector(torch.randn(4, algebra.n, dtype=torch.float64))
    product, wedge, left = algebra.geometric_product, algebra.wedge, algebra.left_contraction
    assert relative(product(product(a, b), c), product(a, product(b, c))) < EXACT
    assert relative(wedge(wedge(a, b), c), wedge(a, wedge(b, c))) < EXACT
    assert relative(algebra.reversion(product(a, b)), product(algebra.reversion(b), algebra.reversion(a))) < EXACT
    involute = algebra.grade_involution
    assert relative(involute(product(a, b)), product(involute(a), involute(b))) < EXACT
    assert torch.equal(algebra.conjugation(a), algebra.reversion(involute(a)))
    assert relative(product(v, a), left(v, a) + wedge(v, a)) < EXACT
    square = algebra.norm_squared(v)[..., None]
    assert relative(wedge(v, left(v, a)) + left(v, wedge(v, a)), square * a) < EXACT
    assert relative(algebra.inner(left(a, b), c), algebra.inner(b, wedge(algebra.reversion(a), c))) < EXACT
    assert relative(algebra.inner(a, b), algebra.grade(product(algebra.reversion(a), b), 0)[..., 0]) < EXACT
    if p + q > 1:  # otherwise the algebra is commutative
        assert relative(product(a, b), product(b, a)) > 0.01
        assert relative(algebra.reversion(product(a, b)), product(algebra.reversion(a), algebra.reversion(b))) > 0.01


@every_signature
def test_hodge_dual(p, q):
    """a ^ *b = <a, b> I in each grade, *a = ~a I, and the inverse."""
    algebra = CliffordAlgebra(p, q)
    pseudoscalar = algebra.blade(*range(1, p + q + 1))
    a, b = random(algebra, 3), random(algebra, 3, seed=1)
    assert relative(algebra.hodge_dual(a), algebra.geometric_product(algebra.reversion(a), pseudoscalar)) < EXACT
    assert torch.equal(algebra.inverse_hodge_dual(algebra.hodge_dual(a)), a)
    for k in range(algebra.n + 1):
        x, y = (algebra.from_grade(algebra.grade(z, k), k) for z in (a, b))
        assert relative(algebra.wedge(x, algebra.hodge_dual(y)), algebra.inner(x, y)[..., None] * pseudoscalar) < EXACT


@every_signature
def test_versors_have_inverses_and_act_by_exterior_powers(p, q):
    algebra = CliffordAlgebra(p, q)
    one = algebra.scalar(torch.ones((), dtype=torch.float64))
    x = random(algebra, 3)
    for factors in (1, 2, 3):
        versor = random_versor(algebra, factors, seed=factors)
        assert relative(algebra.geometric_product(versor, algebra.inverse(versor)), one) < EXACT
        unit = algebra.normalize(versor)
        assert abs(abs(float(algebra.norm_squared(unit))) - 1) < EXACT
        moved = algebra.sandwich(versor, x)
        g = algebra.grade(algebra.sandwich(versor, algebra.vector(torch.eye(algebra.n, dtype=torch.float64))), 1).mT
        eta = torch.diag(torch.tensor([1.0] * p + [-1.0] * q, dtype=torch.float64))
        assert relative(g.mT @ eta @ g, eta) < 100 * EXACT
        if p + q > 1:  # `GeneralLinear` begins with two dimensions
            group = PseudoOrthogonal(p, q) if p and q else GeneralLinear(p + q)
            for k in range(algebra.n + 1):
                expected = torch.einsum("ij,nj->ni", group.exterior(k)(g), algebra.grade(x, k))
                assert relative(algebra.grade(moved, k), expected) < 100 * EXACT
    if p + q > 1:
        with pytest.raises(ValueError, match="not a scalar"):
            algebra.inverse(random(algebra, 1, seed=5) if p + q > 2 else algebra.blade() + algebra.blade(1))


def test_light_like_versors_are_refused():
    algebra = CliffordAlgebra(1, 1)
    light = algebra.vector(torch.tensor([[1.0, 1.0]], dtype=torch.float64))
    for operation in (algebra.inverse, algebra.normalize):
        with pytest.raises(ValueError, match="light-like"):
            operation(light)
    assert float(algebra.norm_squared(algebra.vector(torch.tensor([0.0, 2.0])))) == -4
    assert float(algebra.norm(algebra.vector(torch.tensor([0.0, 2.0])))) == 2


@some_signatures
def test_derivatives(p, q):
    algebra = CliffordAlgebra(p, q)
    a, b = (random(algebra, 2, seed=s).requires_grad_() for s in range(2))
    for product in (algebra.geometric_product, algebra.wedge, algebra.left_contraction, algebra.right_contraction):
        assert torch.autograd.gradcheck(product, (a, b))
        assert torch.autograd.gradcheck(product, (a[:1], b))
    if p + q < 4:
        assert torch.autograd.gradgradcheck(algebra.geometric_product, (a, b))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_precision(dtype):
    algebra = CliffordAlgebra(1, 3)
    a, b = random(algebra, 20), random(algebra, 20, seed=1)
    found = algebra.geometric_product(a.to(dtype), b.to(dtype))
    assert found.dtype == dtype
    assert relative(found.double(), algebra.geometric_product(a, b)) < TOL[dtype]
    assert algebra.geometric_product(a[:0], b[:0]).shape == (0, 16)


def test_compiled():
    algebra = CliffordAlgebra(1, 2)

    def function(a, b):
        return algebra.hodge_dual(algebra.geometric_product(a, algebra.wedge(a, b))) + algebra.sandwich(
            algebra.vector(a[..., :3]), b
        )

    a, b = (random(algebra, 4, seed=s).requires_grad_() for s in range(2))
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    assert relative(compiled(a, b), function(a, b)) < EXACT
    grads = [torch.autograd.grad(f(a, b).square().sum(), (a, b)) for f in (compiled, function)]
    assert all(relative(x, y) < EXACT for x, y in zip(*grads, strict=True))


def test_functional_transforms():
    """`torch.func` and forward mode, against reverse mode and loops."""
    algebra = CliffordAlgebra(1, 2)
    a, b = (random(algebra, 4, seed=s) for s in range(2))
    a.requires_grad_()
    (expected,) = torch.autograd.grad(algebra.geometric_product(a, b).square().sum(), a)
    found = torch.func.grad(lambda a: algebra.geometric_product(a, b).square().sum())(a.detach())
    assert relative(found, expected) < EXACT
    product = torch.vmap(algebra.geometric_product)(a.detach(), b)
    assert relative(product, algebra.geometric_product(a.detach(), b)) < EXACT
    _, tangent = torch.func.jvp(lambda a: algebra.geometric_product(a, b), (a.detach(),), (b,))
    assert relative(tangent, algebra.geometric_product(b, b)) < EXACT


def test_coefficients_have_gradients():
    """Weights for each pair of blades, as layers have."""
    from gaugenet.groups.clifford.xor_product import xor_product

    a, b = torch.randn(2, 4, 3, 2, dtype=torch.float64).requires_grad_().unbind(0)
    c = torch.randn(4, 4, 3, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(xor_product, (a, b, c))
    assert torch.autograd.gradgradcheck(xor_product, (a, b, c))


def test_bad_input():
    for arguments in [(6, 0), (0, 0), (-1, 2), (1.0, 1), (3, 3)]:
        with pytest.raises(ValueError, match="1 <= p \\+ q <= 5"):
            CliffordAlgebra(*arguments)
    algebra = CliffordAlgebra(3)
    with pytest.raises(ValueError, match="`b` with the 8 blades"):
        algebra.wedge(torch.zeros(8), torch.zeros(4))
    with pytest.raises(ValueError, match="between 0 and 3"):
        algebra.grade(torch.zeros(8), 4)
    with pytest.raises(ValueError, match="3 components of grade 1"):
        algebra.vector(torch.zeros(2))
    with pytest.raises(ValueError, match="even grades only"):
        algebra.sandwich(algebra.blade() + algebra.blade(1), torch.zeros(8))
    with pytest.raises(ValueError, match="generators between 1 and 3"):
        algebra.blade(0)
    assert pickle.loads(pickle.dumps(algebra)) == algebra
    assert torch.equal(algebra.blade(2, 1), -algebra.blade(1, 2))
