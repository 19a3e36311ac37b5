"""Jets by weighted least squares: exact on polynomials, the same as a solver of numpy, and lower where they must be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from gaugenet.groups import GeneralLinear
from gaugenet.kernels.jets import DECAY, SELF_WEIGHT, Jets, local_jets
from tests.tolerances import relative


def neighborhoods(d: int, *, points: int = 20, neighbors: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random neighbours in a half ball, as on a boundary, each after the point itself."""
    v = torch.randn(points, neighbors + 1, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    radius = torch.rand(points, neighbors + 1, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    v = torch.nn.functional.normalize(v, dim=-1) * radius.sqrt()
    v[..., 0] = v[..., 0].abs()
    v[:, 0] = 0
    return v.flatten(0, 1), torch.arange(0, (points + 1) * (neighbors + 1), neighbors + 1)


def apply(jets: Jets, indptr: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Derivatives at the points, `(points, columns)`, of one value a row."""
    target = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    return torch.zeros(len(indptr) - 1, len(jets.indices), dtype=f.dtype).index_add(0, target, jets.rows * f[:, None])


def multi_indices(d: int, degree: int) -> list[tuple[int, ...]]:
    return sorted((a for a in itertools.product(range(degree + 1), repeat=d) if sum(a) <= degree), key=sum)


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize(("d", "degree"), [(1, 3), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)])
def test_rows_are_those_of_the_pseudo_inverse(d, degree, uniform):
    v, indptr = neighborhoods(d, neighbors=100)
    jets = local_jets(v, indptr, degree=degree, uniform=uniform)
    assert (jets.degree == degree).all()
    assert sorted(jets.indices) == sorted(multi_indices(d, degree))
    for begin, end in itertools.pairwise(indptr.tolist()):
        u = v[begin:end].numpy()
        weight = np.ones(len(u)) if uniform else np.exp(-DECAY * (u**2).sum(1) / (u**2).sum(1).max())
        weight[0] = SELF_WEIGHT
        columns = [np.prod([x**n / math.factorial(n) for x, n in zip(u.T, a)], axis=0) for a in jets.indices]
        root = np.sqrt(weight)[:, None]
        expected = np.linalg.pinv(np.stack(columns, 1) * root) * root.T
        assert relative(jets.rows[begin:end].T, torch.from_numpy(expected)) < 1e-10


@pytest.mark.parametrize(("d", "degree"), [(1, 3), (2, 2), (2, 3), (3, 2)])
def test_polynomials_are_exact(d, degree):
    """Up to the degree; beyond it they are not."""
    v, indptr = neighborhoods(d)
    jets = local_jets(v, indptr, degree=degree)
    coefficients = torch.randn(len(jets.indices), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    factorials = torch.tensor([math.prod(math.factorial(n) for n in a) for a in jets.indices])
    powers = (v[:, None] ** torch.tensor(jets.indices)).prod(-1)
    found = apply(jets, indptr, powers @ coefficients)
    assert relative(found, (coefficients * factorials).expand_as(found)) < 1e-10
    higher = apply(jets, indptr, powers @ coefficients + v[:, 0] ** (degree + 1))
    assert relative(higher, (coefficients * factorials).expand_as(found)) > 1e-3


def rotation(d: int) -> torch.Tensor:
    q = torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)).Q
    return q * torch.linalg.det(q)


def test_degree_and_derivatives_do_not_depend_on_the_frame():
    """Few neighbours: some points transport degree 3, others only 2 or 1."""
    v, indptr = neighborhoods(2, points=200, neighbors=11)
    f = torch.randn(len(v), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    g = rotation(2)
    here, there = local_jets(v, indptr, degree=3), local_jets(v @ g.T, indptr, degree=3)
    assert torch.equal(here.degree, there.degree)
    assert len(here.degree.unique()) > 1
    first, second = apply(here, indptr, f), apply(there, indptr, f)
    assert relative(second[:, 1:3], first[:, 1:3] @ g.T) < 1e-10
    hessians = [torch.stack([c[:, 3], c[:, 4], c[:, 4], c[:, 5]], 1).view(-1, 2, 2) for c in (first, second)]
    assert relative(hessians[1], g @ hessians[0] @ g.T) < 1e-10


def test_uniform_fits_do_not_depend_on_any_basis():
    v, indptr = neighborhoods(2)
    f = torch.randn(len(v), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    g = GeneralLinear(2).random_element(generator=torch.Generator().manual_seed(0))

    def gradient_defect(uniform: bool) -> float:
        here, there = (local_jets(x, indptr, degree=2, uniform=uniform) for x in (v, v @ g.T))
        return relative(apply(there, indptr, f)[:, 1:3] @ g, apply(here, indptr, f)[:, 1:3])

    assert gradient_defect(True) < 1e-10
    assert gradient_defect(False) > 1e-3


def test_rank_deficient_neighborhoods_lower_the_degree():
    cross = torch.tensor([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1.0]]) / 2
    line = torch.stack([torch.linspace(-1, 1, 7), torch.zeros(7)], 1)
    rotation = torch.arange(5) * 2 * math.pi / 5
    ring = torch.cat([torch.zeros(1, 2), torch.stack([rotation.cos(), rotation.sin()], 1)])
    alone = torch.zeros(1, 2)
    full = torch.cartesian_prod(torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 5))
    parts = [cross, line, ring, alone, alone[:0], full]
    indptr = torch.tensor([0, *itertools.accumulate(len(p) for p in parts)])
    jets = local_jets(torch.cat(parts).double(), indptr, degree=3)
    assert jets.degree.tolist() == [1, 0, 2, 0, -1, 3]
    assert [jets.lacking(n) for n in range(4)] == [1, 3, 4, 5]
    assert jets.rows.isfinite().all()
    slopes = apply(jets, indptr, torch.cat(parts).double() @ torch.tensor([2.0, 3.0]).double())[:, 1:3]
    assert torch.allclose(slopes[[0, 2, 5]], torch.tensor([2.0, 3.0]).double().expand(3, 2))
    assert not slopes[[1, 3, 4]].any()


def test_no_points():
    jets = local_jets(torch.zeros(0, 2), torch.zeros(1, dtype=torch.int64))
    assert jets.rows.shape == (0, 6)
    assert jets.lacking(2) == 0


def test_wrong_arguments():
    v, indptr = neighborhoods(2)
    for wrong_v, wrong_indptr in ((v[:, 0], indptr), (v[1:], indptr), (v, indptr[:0])):
        with pytest.raises(ValueError, match=r"Expected `log_map` of shape \(rows, d\)"):
            local_jets(wrong_v, wrong_indptr)
    with pytest.raises(ValueError, match="`degree`"):
        local_jets(v, indptr, degree=0)
