"""Generators of Clifford-steerable kernels: complete and independent, against null spaces of the constraint."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.groups import CliffordAlgebra
from gaugenet.kernels.clifford.generators import (
    generator_matrix,
    generators,
    mean_square,
    monomials,
    num_monomials,
)
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SIGNATURES = [(p, n - p) for n in range(1, 5) for p in range(n + 1)]
every_signature = pytest.mark.parametrize(("p", "q"), SIGNATURES)


def metric(p: int, q: int) -> torch.Tensor:
    return torch.diag(torch.tensor([1.0] * p + [-1.0] * q, dtype=torch.float64))


def exterior(g: torch.Tensor, k: int) -> torch.Tensor:
    """Minors by determinants, one at a time."""
    subsets = list(itertools.combinations(range(len(g)), k))
    rows = [
        [torch.linalg.det(g[list(a)][:, list(b)]) if k else torch.ones((), dtype=g.dtype) for b in subsets]
        for a in subsets
    ]
    return torch.stack([torch.stack(r) for r in rows])


def exterior_derivative(x: torch.Tensor, k: int) -> torch.Tensor:
    """The Lie algebra on blades: x acts on one factor of e_a ^ e_b ^ ... after the other."""
    n, subsets = len(x), list(itertools.combinations(range(len(x)), k))
    out = torch.zeros(len(subsets), len(subsets), dtype=x.dtype)
    for column, blade in enumerate(subsets):
        for place, row in itertools.product(range(k), range(n)):
            word = list(blade)
            word[place] = row
            if len(set(word)) == k:
                sign = (-1) ** sum(word[i] > word[j] for i, j in itertools.combinations(range(k), 2))
                out[subsets.index(tuple(sorted(word))), column] += sign * x[row, blade[place]]
    return out


def lie_algebra(p: int, q: int) -> list[torch.Tensor]:
    eta, found = metric(p, q), []
    for i, j in itertools.combinations(range(p + q), 2):
        x = torch.zeros(p + q, p + q, dtype=torch.float64)
        x[i, j], x[j, i] = 1, -eta[i, i] * eta[j, j]
        found.append(x)
    return found


def nullity(rows: list[torch.Tensor], n: int) -> int:
    if not rows:
        return n
    stacked = torch.cat(rows)
    values = torch.linalg.eigvalsh(stacked.mT @ stacked)
    return int((values < 1e-9 * max(1.0, float(values[-1]))).sum())


def commutators(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    """Equations B X - X A = 0 on flattened X."""
    return [
        torch.kron(b, torch.eye(len(a), dtype=a.dtype))
        - torch.kron(torch.eye(len(b), dtype=a.dtype), a.mT.contiguous())
        for a, b in pairs
    ]


def maps_at(v: torch.Tensor, p: int, q: int, k: int, m: int, *, oriented: bool) -> int:
    """Dimension of the values K(v) allowed at one vector: they commute with the stabilizer of v."""
    eta, algebra = metric(p, q), lie_algebra(p, q)
    equations = []
    if algebra:
        moved = torch.stack([x @ v for x in algebra], 1)  # combinations of generators that fix v
        _, values, vectors = torch.linalg.svd(moved)
        rank = int((values > 1e-9).sum())
        stabilizer = [sum(c * x for c, x in zip(row, algebra)) for row in vectors[rank:]]
        equations = [(exterior_derivative(x, k), exterior_derivative(x, m)) for x in stabilizer]
    if not oriented:
        for axis in range(p + q):  # reflections in vectors orthogonal to v
            u = torch.eye(p + q, dtype=torch.float64)[axis]
            u = u - v * (u @ eta @ v) / (v @ eta @ v)
            if abs(u @ eta @ u) > 1e-6:
                h = torch.eye(p + q, dtype=torch.float64) - 2 * torch.outer(u, eta @ u) / (u @ eta @ u)
                equations.append((exterior(h, k), exterior(h, m)))
    size = (
        exterior(torch.eye(p + q, dtype=torch.float64), k).shape[0]
        * exterior(torch.eye(p + q, dtype=torch.float64), m).shape[0]
    )
    return nullity(commutators(equations), size)


def polynomials(p: int, q: int, k: int, m: int, degree: int, *, oriented: bool) -> int:
    """Dimension of the equivariant homogeneous polynomials v -> K(v) of a degree, from the equations of the group."""
    n = p + q
    words = list(itertools.combinations_with_replacement(range(n), degree))

    def on_monomials(x: torch.Tensor) -> torch.Tensor:
        """How the symmetric tensors of this degree transform under the Lie algebra."""
        out = torch.zeros(len(words), len(words), dtype=x.dtype)
        for column, word in enumerate(words):
            for place, row in itertools.product(range(degree), range(n)):
                moved = tuple(sorted([*word[:place], row, *word[place + 1 :]]))
                out[words.index(moved), column] += x[row, word[place]]
        return out

    equations = []
    for x in lie_algebra(p, q):
        a, b = exterior_derivative(x, k), exterior_derivative(x, m)
        source = torch.kron(on_monomials(x), torch.eye(len(a), dtype=x.dtype)) + torch.kron(
            torch.eye(len(words), dtype=x.dtype), a
        )
        equations.append((source, b))
    if not oriented:
        for axis in {0, n - 1}:
            flip = torch.eye(n, dtype=torch.float64)
            flip[axis, axis] = -1
            signs = torch.diag(torch.tensor([(-1.0) ** word.count(axis) for word in words], dtype=torch.float64))
            equations.append((torch.kron(signs, exterior(flip, k)), exterior(flip, m)))
    sizes = [len(list(itertools.combinations(range(n), j))) for j in (k, m)]
    return nullity(commutators(equations), len(words) * sizes[0] * sizes[1])


def values(algebra: CliffordAlgebra, k: int, m: int, v: torch.Tensor, **options) -> torch.Tensor:
    """K(v) of all generators, `(generators, points, out, in)`."""
    found = [
        torch.einsum("...h,hoi->...oi", monomials(algebra, g.degree, v), generator_matrix(algebra, g, k))
        for g in generators(algebra.n, k, m, **options)
    ]
    return torch.stack(found) if found else torch.zeros(0, len(v), 1, 1, dtype=torch.float64)


@every_signature
@pytest.mark.parametrize("oriented", [False, True], ids=["O", "SO+"])
def test_they_are_all_that_the_stabilizer_allows(p, q, oriented):
    """For every pair of grades, at vectors of positive and of negative square: as many, and independent."""
    algebra, eta = CliffordAlgebra(p, q), metric(p, q)
    candidates = torch.randn(50, p + q, dtype=torch.float64, generator=torch.Generator().manual_seed(p))
    square = (candidates @ eta * candidates).sum(-1)
    points = [candidates[sign * square > 0.3][0] for sign in (1, -1) if bool((sign * square > 0.3).any())]
    assert len(points) == (1 if not (p and q) else 2)
    total = 0
    for k, m in itertools.product(range(p + q + 1), repeat=2):
        count = len(generators(p + q, k, m, oriented=oriented))
        total += count
        for v in points:
            basis = values(algebra, k, m, v[None], oriented=oriented).flatten(1)
            rank = int(torch.linalg.matrix_rank(basis, rtol=1e-9)) if len(basis) else 0
            allowed = maps_at(v, p, q, k, m, oriented=oriented)
            assert rank == allowed, (k, m)
            assert count == allowed or (p + q == 1 and oriented), "v f and its dual are one map of the line"
    assert total == (8 if oriented else 4) * (p + q)


@every_signature
@pytest.mark.parametrize("oriented", [False, True], ids=["O", "SO+"])
def test_polynomials_are_they_times_powers_of_the_square(p, q, oriented):
    """Homogeneous polynomials of every degree up to 3 (up to 2 in four dimensions): no others, in no degree."""
    for k, m in itertools.product(range(p + q + 1), repeat=2):
        found = generators(p + q, k, m, oriented=oriented)
        for degree in range(4 if p + q < 4 else 3):
            expected = sum(g.degree <= degree and (degree - g.degree) % 2 == 0 for g in found)
            assert polynomials(p, q, k, m, degree, oriented=oriented) == expected, (k, m, degree)


@every_signature
def test_they_are_equivariant_in_the_group_and_not_outside(p, q):
    algebra, n = CliffordAlgebra(p, q), p + q
    x = sum((0.3 * (i + 1) * x for i, x in enumerate(lie_algebra(p, q))), torch.zeros(n, n, dtype=torch.float64))
    inside = torch.linalg.matrix_exp(x)
    flip = torch.eye(n, dtype=torch.float64)
    flip[0, 0] = -1
    shear = inside.clone()
    shear[0] *= 1.5
    v = torch.randn(5, n, dtype=torch.float64)
    worst = dict.fromkeys(("inside", "mirrored", "dual mirrored", "shear"), 0.0)
    for k, m in itertools.product(range(n + 1), repeat=2):
        for oriented in (False, True):
            for name, g in (("inside", inside), ("mirrored", flip @ inside), ("shear", shear)):
                before, after = (values(algebra, k, m, w, oriented=oriented) for w in (v, v @ g.mT))
                if not len(before):
                    continue
                expected = exterior(g, m) @ before @ torch.linalg.inv(exterior(g, k))
                key = "dual mirrored" if oriented and name == "mirrored" else name
                worst[key] = max(worst[key], float((after - expected).abs().max() / expected.abs().max()))
    assert worst["inside"] < 100 * EXACT, "boosts enlarge rounding"
    assert worst["mirrored"] < 100 * EXACT
    assert worst["dual mirrored"] > 0.1, "Hodge duals see a reflection"
    assert worst["shear"] > 0.1


@pytest.mark.parametrize("n", range(1, 6))
def test_counts(n):
    """4 n and 8 n; the published span has 3 n + 1 and lacks v ^ (v _| f) on grades 1 ... n - 1."""
    pairs = list(itertools.product(range(n + 1), repeat=2))
    assert sum(len(generators(n, *pair, oriented=False)) for pair in pairs) == 4 * n
    assert sum(len(generators(n, *pair, oriented=True)) for pair in pairs) == 8 * n
    assert sum(len(generators(n, *pair, oriented=False, complete=False)) for pair in pairs) == 3 * n + 1
    missing = {
        (k, m)
        for k, m in pairs
        if len(generators(n, k, m, oriented=False)) > len(generators(n, k, m, oriented=False, complete=False))
    }
    assert missing == {(k, k) for k in range(1, n)}


@pytest.mark.parametrize(("p", "q"), [(2, 0), (1, 2), (3, 0), (2, 2)])
def test_degree_two_is_v_wedge_v_contract_f_without_its_trace(p, q):
    algebra = CliffordAlgebra(p, q)
    v = torch.randn(6, p + q, dtype=torch.float64)
    vector = algebra.vector(v)
    for k in range(1, algebra.n):
        f = torch.randn(6, algebra.dim, dtype=torch.float64)
        f = algebra.from_grade(algebra.grade(f, k), k)
        expected = algebra.wedge(vector, algebra.left_contraction(vector, f))
        expected = expected - k / algebra.n * algebra.norm_squared(vector)[:, None] * f
        matrix = values(algebra, k, k, v, oriented=False)[1]
        found = torch.einsum("noi,ni->no", matrix, algebra.grade(f, k))
        assert relative(found, algebra.grade(expected, k)) < EXACT


@pytest.mark.parametrize(("p", "q"), [(2, 0), (1, 2), (3, 0), (1, 3)])
def test_mean_square_is_the_mean_over_directions(p, q):
    algebra = CliffordAlgebra(p, q)
    v = torch.nn.functional.normalize(
        torch.randn(200_000, algebra.n, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), dim=1
    )
    for k, m in itertools.product(range(algebra.n + 1), repeat=2):
        for g in generators(algebra.n, k, m, oriented=False):
            matrix = generator_matrix(algebra, g, k)
            assert len(matrix) == num_monomials(algebra.n, g.degree)
            value = torch.einsum("nh,hoi->noi", monomials(algebra, g.degree, v), matrix).square().sum((1, 2)).mean()
            assert abs(float(value) / mean_square(algebra, g.degree, matrix) - 1) < 0.01
