"""Generators: the linear maps f -> K(v) f between grades from which all Clifford-steerable kernels are made."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import CliffordAlgebra


@dataclass(frozen=True)
class Generator:
    """One equivariant map from grade k to grade m that is a polynomial of degree 0, 1 or 2 in the vector v.

    Attributes:
        name: `f`, `v ^ f`, `v _| f`, or `v ^ (v _| f)` minus its part that is a multiple of `f`.
        degree: degree in v.
        dual: whether the result is the Hodge dual.
    """

    name: str
    degree: int
    dual: bool = False


FORMS = {"f": (0, 0), "v ^ f": (1, 1), "v _| f": (1, -1), "v ^ (v _| f)": (2, 0)}
"""Degree in v of each form, and by how much it raises the grade."""


@cache
def generators(n: int, source: int, target: int, *, oriented: bool, complete: bool = True) -> tuple[Generator, ...]:
    """Return generators from grade `source` to grade `target` of R^n, lowest degree first.

    Between multivectors of all grades there are 4 n maps, with Hodge duals (`oriented`, for SO(p, q)) 8 n. A kernel
    is a sum of functions of <v, v> times generators. `complete=False` omits v ^ (v _| f), which gives the 3 n + 1 maps
    of :cite:`zhdanov2024clifford`.
    """
    found = []
    for dual in (False, True)[: 1 + oriented]:
        wanted = n - target if dual else target
        for name, (degree, step) in FORMS.items():
            trivial = degree == 2 and (not complete or source in (0, n))  # 0 on scalars, <v, v> f on pseudoscalars
            if source + step == wanted and not trivial:
                found.append(Generator(name, degree, dual))
    return tuple(sorted(found, key=lambda g: g.degree))


def generator_matrix(algebra: CliffordAlgebra, generator: Generator, source: int) -> Float[Tensor, "functions out in"]:
    """Return a generator as matrices A_i with `K(v) = sum_i h_i(v) A_i`, h the functions of `monomials`; float64.

    The signs of products are integers; off-diagonal entries of degree 2 have a factor sqrt 2 from the basis h.
    """
    step = FORMS[generator.name][1]
    blades = torch.eye(algebra.dim, dtype=torch.float64)
    vectors, f = blades[algebra.grade_slice(1), None], blades[None, algebra.grade_slice(source)]
    if generator.name == "f":
        out = f
    elif generator.name == "v ^ f":
        out = algebra.wedge(vectors, f)
    else:
        out = algebra.left_contraction(vectors, f)
    if generator.degree == 2:
        out = algebra.wedge(vectors[:, None], out[None])  # (i, j, in, blades): e_i ^ (e_j _| f)
        basis = traceless_basis(algebra)
        out = torch.einsum("hij,ijab->hab", basis, out)
    if generator.dual:
        out = algebra.hodge_dual(out)
    target = algebra.n - source - step if generator.dual else source + step
    return out[..., algebra.grade_slice(target)].mT


@cache
def traceless_basis(algebra: CliffordAlgebra) -> Float[Tensor, "functions n n"]:
    """Return an orthonormal basis of symmetric matrices b with sum_i eta_i b_ii = 0, float64; do not write to it."""
    n, eta = algebra.n, [1.0] * algebra.p + [-1.0] * algebra.q
    rows = []
    for i, j in itertools.combinations(range(n), 2):
        b = torch.zeros(n, n, dtype=torch.float64)
        b[i, j] = b[j, i] = 0.5**0.5
        rows.append(b)
    for k in range(1, n):
        b = torch.zeros(n, n, dtype=torch.float64)
        diagonal = torch.tensor([1.0] * k + [-float(k)] + [0.0] * (n - k - 1), dtype=torch.float64)
        b[range(n), range(n)] = diagonal * torch.tensor(eta, dtype=torch.float64) / (k * (k + 1)) ** 0.5
        rows.append(b)
    return torch.stack(rows) if rows else torch.zeros(0, n, n, dtype=torch.float64)


def num_monomials(n: int, degree: int) -> int:
    """Return the number of functions of `monomials`."""
    return (1, n, n * (n + 1) // 2 - 1)[degree]


def monomials(
    algebra: CliffordAlgebra, degree: int, v: Float[Tensor, "*points n"]
) -> Float[Tensor, "*points functions"]:
    """Return harmonic polynomials of degree 0, 1 or 2: `1`, `v_i`, and `b_ij v_i v_j` with b from `traceless_basis`."""
    if degree == 0:
        return torch.ones_like(v[..., :1])
    if degree == 1:
        return v
    return (v.unsqueeze(-1) * v.unsqueeze(-2)).flatten(-2) @ traceless_basis(algebra).to(v).flatten(1).T


def mean_square(algebra: CliffordAlgebra, degree: int, matrix: Float[Tensor, "functions out in"]) -> float:
    """Return the mean of the squared Frobenius norm of K(v) over the directions v of Euclidean length one."""
    n, count = algebra.n, len(matrix)
    gram = torch.eye(count, dtype=torch.float64) / (n if degree else 1)
    if degree == 2:  # the mean of v_i v_j v_k v_l is (d_ij d_kl + d_ik d_jl + d_il d_jk) / (n (n + 2))
        basis = traceless_basis(algebra)
        trace = basis.diagonal(dim1=1, dim2=2).sum(1)
        gram = (trace[:, None] * trace[None] + 2 * torch.eye(count, dtype=torch.float64)) / (n * (n + 2))
    return float(torch.einsum("gh,goi,hoi->", gram, matrix, matrix))


__all__ = [
    "FORMS",
    "Generator",
    "generator_matrix",
    "generators",
    "mean_square",
    "monomials",
    "num_monomials",
    "traceless_basis",
]
