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
from gaugenet.nn.precision import check_features


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
    return domain.blocked()


class LatticePool(nn.Module):
    """The mean over the 2^d sites of each block of the features, transported to the first site 2 X of the block.

    The path from 2 X to a site follows the axes in ascending order. `blocked(domain)` is the lattice of the result.

    Shapes:
        x: `(B, size, *shape)`; domain: a `LatticeGaugeField` with even extents -> `(B, size, *halves)`.

    Equivariance: exact; 1e-15 relative in float64: the result transforms by Omega(2 X).

    Args:
        field_type: type of the features.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LatticePool, LoopFeatures
        >>> links, loops = LatticeGaugeField.random(SU(2), (8, 8)), LoopFeatures(SU(2), d=2)
        >>> LatticePool(loops.out_type)(loops(links), links).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type

    def forward(
        self, x: Float[Tensor, "batch size *shape"], domain: LatticeGaugeField
    ) -> Float[Tensor, "batch size *half"]:
        check_features(self, x)
        _need_even(domain)
        total: Tensor = _even(x, 2, domain.d)
        for path in _block_paths(domain.d)[1:]:
            there = domain.neighbor_values(x, path, first=2)
            total = total + _even(transported(self.in_type, there, domain.transporter(path)), 2, domain.d)
        return total / float(1 << domain.d)

    def extra_repr(self) -> str:
        return str(self.in_type)


class LatticeUnpool(nn.Module):
    """Every site of a block gets the value of the block, transported back: x(2 X + delta) = rho(U)^-1 y(X).

    Shapes:
        y: `(B, size, *halves)`; domain: the *fine* `LatticeGaugeField` -> `(B, size, *shape)`.

    Equivariance: exact; 1e-15 relative in float64. `LatticePool` after it is the identity.

    Args:
        field_type: type of the features.

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

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type

    def forward(
        self, y: Float[Tensor, "batch size *half"], domain: LatticeGaugeField
    ) -> Float[Tensor, "batch size *shape"]:
        self.in_type.check(y)
        _need_even(domain)
        out = y.new_zeros(*y.shape[:2], *domain.shape)
        index = tuple(slice(None, None, 2) for _ in domain.shape)
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
        return str(self.in_type)


def _block_paths(d: int) -> list[Path]:
    corners = itertools.product((0, 1), repeat=d)
    return [tuple((mu, 1) for mu, k in enumerate(corner) if k) for corner in corners]


def _even(x: Tensor, first: int, d: int) -> Tensor:
    return x[tuple([slice(None)] * first + [slice(None, None, 2)] * d)]


def _need_even(domain: LatticeGaugeField) -> None:
    """Raise `ValueError` unless all extents are even."""
    if any(n % 2 for n in domain.shape):
        raise ValueError(f"Expected even extents, to be halved, got {domain.shape}.")


__all__ = ["LatticePool", "LatticeUnpool", "blocked"]
