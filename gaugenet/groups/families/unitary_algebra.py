"""The Lie algebras u(N) and su(N): bases, projections, logarithms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor


@cache
def basis(n: int, *, traceless: bool) -> Complex[Tensor, "dim n n"]:
    """Return T_a = i lambda_a / 2 with -2 tr(T_a T_b) = delta_ab; without `traceless` i / sqrt(2 n) comes last.

    Order: for each column j > 0 the pairs (i, j), i < j (symmetric, antisymmetric), then the diagonal one. For n = 2
    these are the Pauli matrices, for n = 3 the Gell-Mann matrices in their usual order.
    """
    found = []
    for j in range(1, n):
        for i in range(j):
            found += [_entries(n, {(i, j): 1, (j, i): 1}), _entries(n, {(i, j): -1j, (j, i): 1j})]
        diagonal = {(k, k): 1.0 for k in range(j)} | {(j, j): -float(j)}
        found.append(_entries(n, diagonal) * math.sqrt(2 / (j * (j + 1))))
    if not traceless:
        found.append(torch.eye(n, dtype=torch.complex128) * math.sqrt(2 / n))
    return 0.5j * torch.stack(found) if found else torch.zeros(0, n, n, dtype=torch.complex128)


def anti_hermitian(m: Complex[Tensor, "*batch n n"], *, traceless: bool) -> Complex[Tensor, "*batch n n"]:
    """Return (m - m^+) / 2, and without its trace."""
    part = (m - m.mH) / 2
    if not traceless:
        return part
    mean = part.diagonal(dim1=-2, dim2=-1).mean(-1)
    return part - mean[..., None, None] * torch.eye(m.shape[-1], dtype=m.dtype, device=m.device)


def coefficients(x: Complex[Tensor, "*batch n n"], *, traceless: bool) -> Float[Tensor, "*batch dim"]:
    """Return the coefficients of elements of the Lie algebra in `basis`: -2 tr(T_a x)."""
    t = basis(x.shape[-1], traceless=traceless).to(x)
    return -2 * torch.einsum("aij,...ji->...a", t, x).real


def _combination(c: Float[Tensor, "*batch dim"], n: int, *, traceless: bool) -> Complex[Tensor, "*batch n n"]:
    """Return sum_a c_a T_a."""
    t = basis(n, traceless=traceless).to(c.device, torch.complex128 if c.dtype == torch.float64 else torch.complex64)
    return torch.einsum("...a,aij->...ij", c.to(t.dtype), t)


def logarithm(g: Complex[Tensor, "*batch n n"], *, traceless: bool) -> Complex[Tensor, "*batch n n"]:
    """Return the logarithm of unitary matrices, see `UnitaryGroup.log`.

    The eigenvectors are computed from the Hermitian Cayley transform i (1 - h) (1 + h)^-1 of h = exp(-i c) g, whose
    eigenvalues tan(t / 2) are distinct where those of g are. The phase c moves -1 into the largest gap of the spectrum.
    """
    centre = _opposite_of_largest_gap(torch.linalg.eigvals(g).angle())
    eye = torch.eye(g.shape[-1], dtype=g.dtype, device=g.device)
    h = g * torch.polar(torch.ones_like(centre), -centre)[..., None, None]
    cayley = 1j * torch.linalg.solve(eye + h, eye - h)
    vectors: Tensor = torch.linalg.eigh((cayley + cayley.mH) / 2).eigenvectors
    angle = (vectors.mH @ g @ vectors).diagonal(dim1=-2, dim2=-1).angle()
    if traceless:
        angle = _sum_zero(angle)
    return (vectors * (1j * angle)[..., None, :]) @ vectors.mH


def _opposite_of_largest_gap(angle: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    ordered = angle.sort(-1).values
    gaps = torch.cat([ordered[..., 1:], ordered[..., :1] + 2 * math.pi], -1) - ordered
    width, index = gaps.max(-1)
    return ordered.gather(-1, index[..., None])[..., 0] + width / 2 - math.pi


def _sum_zero(angle: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Return angles with the sum zero: subtract 2 pi from the k largest (add it to the -k smallest)."""
    rotations = (angle.sum(-1, keepdim=True) / (2 * math.pi)).round()
    rank = angle.argsort(-1).argsort(-1)
    down = (rank >= angle.shape[-1] - rotations).to(angle)
    up = (rank < -rotations).to(angle)
    return angle - 2 * math.pi * (down - up)


def _entries(n: int, values: Mapping[tuple[int, int], complex]) -> Complex[Tensor, "n n"]:
    m = torch.zeros(n, n, dtype=torch.complex128)
    for place, value in values.items():
        m[place] = torch.tensor(value, dtype=m.dtype)
    return m


__all__ = ["anti_hermitian", "basis", "coefficients", "logarithm"]
