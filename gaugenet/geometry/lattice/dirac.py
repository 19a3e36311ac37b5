"""Matter on a lattice gauge field: covariant derivatives, the Wilson and the staggered Dirac operator."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.lattice.field import LatticeGaugeField

_PAULI = [[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]]


@cache
def gamma_matrices(d: int) -> Complex[Tensor, "d spins spins"]:
    """Return Hermitian gamma_mu with {gamma_mu, gamma_nu} = 2 delta_{mu nu}: 2 x 2 in d = 2, 3, 4 x 4 in d = 4.

    d = 2, 3: Pauli matrices. d = 4: gamma_k = sigma_2 x sigma_k, gamma_3 = sigma_1 x 1 (chiral).

    Raises:
        ValueError: If d is not 2, 3 or 4.
    """
    if d not in (2, 3, 4):
        raise ValueError(f"Expected d = 2, 3 or 4, got {d!r}.")
    sigma = torch.tensor(_PAULI, dtype=torch.complex128)
    if d < 4:
        return sigma[:d]
    first = [torch.kron(sigma[1], s) for s in sigma]
    return torch.stack([*first, torch.kron(sigma[0], torch.eye(2, dtype=sigma.dtype))])


def gamma5(d: int) -> Complex[Tensor, "spins spins"]:
    """Return the Hermitian matrix that anticommutes with all gamma_mu, in d = 2 or 4.

    Raises:
        ValueError: If d = 3, where no such matrix exists.
    """
    if d == 3:
        raise ValueError(f"Expected d = 2 or 4, got {d}: in three dimensions no matrix anticommutes with all gamma_mu.")
    product: Tensor = torch.linalg.multi_dot(list(gamma_matrices(d)))
    return -1j * product if d == 2 else product


def check_matter(field: LatticeGaugeField, psi: Tensor) -> None:
    """Raise `ValueError` unless psi is a complex field `(B, fields, *shape, N)` in the precision of the links."""
    shape = (field.batch_size, *field.shape, field.group.d)
    if not isinstance(psi, Tensor) or (*psi.shape[:1], *psi.shape[2:]) != shape:
        expected = f"({shape[0]}, fields, {', '.join(map(str, shape[1:]))})"
        got = tuple(psi.shape) if isinstance(psi, Tensor) else type(psi).__name__
        raise ValueError(f"Expected `psi` of shape {expected} on {field!r}, got {got}.")
    if psi.dtype != field.links.dtype:
        raise ValueError(
            f"Expected `psi` of dtype {field.links.dtype} like the links, got {psi.dtype}: convert it, or the links by "
            f"`field.to(dtype)`; real features are converted by `complex_fields`."
        )


def hop(
    field: LatticeGaugeField, psi: Complex[Tensor, "batch fields *shape n"], mu: int, k: int
) -> Complex[Tensor, "batch fields *shape n"]:
    """Return U psi(x + k mu): matter fields of the fundamental, transported from k steps along the axis mu to x.

    Raises:
        ValueError: If psi is not complex, has another precision than the links, or other sites, batch or components.
    """
    check_matter(field, psi)
    transporter = field.transporter([(mu, k)])
    there = field.neighbor_values(psi, [(mu, k)], first=2)
    return (transporter[:, None] @ there[..., None])[..., 0]


def covariant_derivative(
    field: LatticeGaugeField, psi: Complex[Tensor, "batch fields *shape n"], mu: int
) -> Complex[Tensor, "batch fields *shape n"]:
    """Return (U_mu(x) psi(x + mu) - U_mu(x - mu)^+ psi(x - mu)) / 2, anti-Hermitian."""
    return (hop(field, psi, mu, 1) - hop(field, psi, mu, -1)) / 2


def covariant_laplacian(
    field: LatticeGaugeField, psi: Complex[Tensor, "batch fields *shape n"]
) -> Complex[Tensor, "batch fields *shape n"]:
    """Return sum_mu U_mu(x) psi(x + mu) + U_mu(x - mu)^+ psi(x - mu) - 2 psi(x), Hermitian and negative."""
    total = -2 * field.d * psi
    for mu in range(field.d):
        total = total + hop(field, psi, mu, 1) + hop(field, psi, mu, -1)
    return total


def wilson_dirac(
    field: LatticeGaugeField, psi: Complex[Tensor, "batch spins *shape n"], mass: float
) -> Complex[Tensor, "batch spins *shape n"]:
    """Return D psi = mass psi + sum_mu gamma_mu nabla_mu psi - Laplacian psi / 2 (:cite:`wilson1974confinement`).

    gamma_5 D gamma_5 = D^+ in d = 2 and 4. The critical mass is 0 for free fields and negative with links.

    Raises:
        ValueError: If psi does not have the number of spin components, 2 in d = 2, 3 and 4 in d = 4; see also `hop`.
    """
    check_matter(field, psi)
    gamma = gamma_matrices(field.d).to(psi)
    if psi.shape[1] != gamma.shape[-1]:
        raise ValueError(f"Expected `psi` with {gamma.shape[-1]} spin components, got shape {tuple(psi.shape)}.")
    out = (mass + field.d) * psi
    one = torch.eye(gamma.shape[-1], dtype=psi.dtype, device=psi.device)
    for mu in range(field.d):
        for sign in (1, -1):
            projector = (one - sign * gamma[mu]) / 2
            out = out - torch.einsum("st,bt...->bs...", projector, hop(field, psi, mu, sign))
    return out


def staggered_dirac(
    field: LatticeGaugeField, psi: Complex[Tensor, "batch fields *shape n"], mass: float
) -> Complex[Tensor, "batch fields *shape n"]:
    """Return D psi = mass psi + sum_mu eta_mu(x) nabla_mu psi, eta_mu = (-1)^(x_0 + ... + x_(mu - 1)).

    Raises:
        ValueError: If an extent is odd, so that the signs are not periodic; see also `hop`.
    """
    check_matter(field, psi)
    if any(n % 2 for n in field.shape):
        raise ValueError(f"Expected even extents for staggered fermions, got {field.shape}.")
    out = mass * psi
    for mu, eta in enumerate(_staggered_signs(field)):
        out = out + eta[..., None] * covariant_derivative(field, psi, mu)
    return out


def _staggered_signs(field: LatticeGaugeField) -> Float[Tensor, "d *shape"]:
    """Return eta_mu(x)."""
    from gaugenet.geometry.lattice.graph import site_positions

    sites = site_positions(field.shape).to(field.links.device)
    before = sites.cumsum(1) - sites
    return (1 - 2 * (before % 2)).T.reshape(field.d, *field.shape).to(field.links.real.dtype)


__all__ = [
    "check_matter",
    "covariant_derivative",
    "covariant_laplacian",
    "gamma5",
    "gamma_matrices",
    "hop",
    "staggered_dirac",
    "wilson_dirac",
]
