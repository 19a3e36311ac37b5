"""LatticePool and LatticeUnpool: features on the lattice of half the extents, with blocked links, and back."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.paths import Path
from gaugenet.geometry.lattice.transport import transported
from gaugenet.groups import FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.nn.lattice.fields import check_sites
from gaugenet.nn.precision import check_features, widened


def blocked(domain: LatticeGaugeField) -> LatticeGaugeField:
    """Return the lattice of the sites 2 X with the links U_mu(2 X) U_mu(2 X + mu) and the same paths to neighbours.

    Raises:
        ValueError: If an extent is odd, or below 6.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import blocked
        >>> blocked(LatticeGaugeField.random(SU(2), (8, 6))).shape
        (4, 3)
    """
    if not isinstance(domain, LatticeGaugeField):
        raise ValueError(f"Expected a `LatticeGaugeField` to block, got an object of type {type(domain).__name__}.")
    return domain.blocked()


class LatticePool(nn.Module):
    """The mean over the 2^d sites of each block of the features, transported to the first site 2 X of the block.

    The path from 2 X to a site follows the axes in ascending order. `blocked(domain)` is the lattice of the result.
    A reflection about the site 0 maps these blocks to others, and an exchange of axes changes the paths.

    With `symmetric`, the block is the 3^d sites around 2 X, which all rotations and reflections about the site 0 map to
    blocks. Weights are products of 1/4, 1/2, 1/4 along each axis, so that each site counts once in total. Features are
    transported along all shortest paths, and the mean is taken over these paths. A single path to a site off the axes
    cannot be symmetric: the exchange of two axes maps it to another one. It costs d 2^d transports instead of 2^d - 1.

    Shapes:
        x: `(B, size, *shape)`; domain: a `LatticeGaugeField` with even extents -> `(B, size, *halves)`.

    Equivariance: exact; 1e-15 relative in float64: the result transforms by Omega(2 X). With `symmetric` it also
        commutes with the rotations and reflections of the lattice, as the blocked links do.

    Args:
        field_type: type of the features.
        symmetric: blocks that rotations and reflections map to each other.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LatticePool, LoopFeatures
        >>> links, loops = LatticeGaugeField.random(SU(2), (8, 8)), LoopFeatures(SU(2), d=2)
        >>> LatticePool(loops.out_type)(loops(links), links).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, field_type: FieldType, *, symmetric: bool = False) -> None:
        super().__init__()
        need_one_group(field_type, field_type)
        self.in_type = self.out_type = field_type
        self.symmetric = symmetric

    def forward(
        self, x: Float[Tensor, "batch size *shape"], domain: LatticeGaugeField
    ) -> Float[Tensor, "batch size *half"]:
        check_features(self, x)
        check_sites(self.in_type, x, domain)
        _need_even(domain)
        x = widened(x)
        if self.symmetric:
            return _even(_spread(self.in_type, x, domain), 2, domain.d) / float(1 << domain.d)
        total: Tensor = _even(x, 2, domain.d)
        for path in _block_paths(domain.d)[1:]:
            there = domain.neighbor_values(x, path, first=2)
            total = total + _even(transported(self.in_type, there, domain.transporter(path)), 2, domain.d)
        return total / float(1 << domain.d)

    def extra_repr(self) -> str:
        return f"{self.in_type}, symmetric={self.symmetric}"


class LatticeUnpool(nn.Module):
    """Every site of a block gets the value of the block, transported back: x(2 X + delta) = rho(U)^-1 y(X).

    With `symmetric`, every site gets the mean of the values of the nearest sites 2 X (two sites on an axis between
    them, 2^k off k axes), transported along all shortest paths: linear interpolation in parallel transport. In both
    forms this layer is 2^d times the adjoint of `LatticePool`.

    Shapes:
        y: `(B, size, *halves)`; domain: the *fine* `LatticeGaugeField` -> `(B, size, *shape)`.

    Equivariance: exact; 1e-15 relative in float64. With `symmetric` also under rotations and reflections of the
        lattice. Without it, `LatticePool` after this layer is the identity.

    Args:
        field_type: type of the features.
        symmetric: as in `LatticePool`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LatticePool, LatticeUnpool, LoopFeatures
        >>> links, loops = LatticeGaugeField.random(SU(2), (8, 8)), LoopFeatures(SU(2), d=2)
        >>> coarse = LatticePool(loops.out_type)(loops(links), links)
        >>> fine = LatticeUnpool(loops.out_type)(coarse, links)
        >>> torch.allclose(LatticePool(loops.out_type)(fine, links), coarse, atol=1e-6)
        True
    """

    def __init__(self, field_type: FieldType, *, symmetric: bool = False) -> None:
        super().__init__()
        need_one_group(field_type, field_type)
        self.in_type = self.out_type = field_type
        self.symmetric = symmetric

    def forward(
        self, y: Float[Tensor, "batch size *half"], domain: LatticeGaugeField
    ) -> Float[Tensor, "batch size *shape"]:
        check_features(self, y)
        check_sites(self.in_type, y, domain, _halves(domain))
        y = widened(y)
        out = y.new_zeros(*y.shape[:2], *domain.shape)
        index = tuple(slice(None, None, 2) for _ in domain.shape)
        if self.symmetric:
            out[(slice(None), slice(None), *index)] = y
            return _spread(self.in_type, out, domain)
        for path in _block_paths(domain.d):
            # the reverse path, from 2 X + delta back to 2 X: seen from 2 X + delta
            g = _even(domain.transporter(path), 1, domain.d).mH
            value = transported(self.in_type, y, g) if path else y
            full = torch.zeros_like(out)
            full[(slice(None), slice(None), *index)] = value
            for mu, k in path:
                full = torch.roll(full, k, 2 + mu)
            out = out + full
        return out

    def extra_repr(self) -> str:
        return f"{self.in_type}, symmetric={self.symmetric}"


def _spread(
    field_type: FieldType, x: Float[Tensor, "batch size *shape"], domain: LatticeGaugeField
) -> Float[Tensor, "batch size *shape"]:
    """Return the sum over all sites within one step along each axis, with the weight 1 / 2 for each step.

    It is the mean, over all orders of the axes, of the product of (1 + D_mu / 2), where D_mu adds the features from
    both neighbors along the axis mu. A shortest path begins with a step along one of its axes. So the sum over the
    sites off the axes S follows from the sums of one axis less, S_f(x) = mean over mu in S of D_mu (S - mu)_f(x).
    The operator is its own adjoint.
    """
    steps = [[(path, domain.transporter(path)) for path in ([(mu, 1)], [(mu, -1)])] for mu in range(domain.d)]

    def neighbors(mu: int, y: Tensor) -> Tensor:
        there = [transported(field_type, domain.neighbor_values(y, path, first=2), g) for path, g in steps[mu]]
        return there[0] + there[1]

    sums: dict[tuple[int, ...], Tensor] = {(): x}
    for count in range(1, domain.d + 1):
        for axes in itertools.combinations(range(domain.d), count):
            parts = [neighbors(mu, sums[tuple(a for a in axes if a != mu)]) for mu in axes]
            sums[axes] = sum(parts[1:], parts[0]) / float(2 * count)
    values = list(sums.values())
    return sum(values[1:], values[0])


def _block_paths(d: int) -> list[Path]:
    corners = itertools.product((0, 1), repeat=d)
    return [tuple((mu, 1) for mu, k in enumerate(corner) if k) for corner in corners]


def _even(x: Tensor, first: int, d: int) -> Tensor:
    return x[tuple([slice(None)] * first + [slice(None, None, 2)] * d)]


def _halves(domain: LatticeGaugeField) -> tuple[int, ...]:
    """Return half the extents, or raise `ValueError` if one is odd."""
    if isinstance(domain, LatticeGaugeField):
        _need_even(domain)
        return tuple(n // 2 for n in domain.shape)
    return ()  # `check_sites` names the type


def _need_even(domain: LatticeGaugeField) -> None:
    """Raise `ValueError` unless all extents are even."""
    if any(n % 2 for n in domain.shape):
        raise ValueError(f"Expected even extents, to be halved, got {domain.shape}.")


__all__ = ["LatticePool", "LatticeUnpool", "blocked"]
