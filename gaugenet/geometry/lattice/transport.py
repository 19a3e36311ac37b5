"""Features of a lattice, transported along links."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.groups import Block, FieldType, OuterProduct, Representation, complex_fields, real_fields


def transported(
    field_type: FieldType,
    x: Float[Tensor, "batch size *shape"],
    transporter: Complex[Tensor, "batch *shape n n"],
) -> Float[Tensor, "batch size *shape"]:
    """Return rho(transporter) x at every site, block by block; x holds the features of the sources."""
    parts = [_block(block, x[:, block.slice], transporter) for block in field_type.blocks]
    return torch.cat(parts, 1) if parts else x


def _block(block: Block, x: Tensor, g: Tensor) -> Tensor:
    """Transport one block; components of directions count as further fields of the internal factor."""
    rho = block.representation
    if not isinstance(rho, OuterProduct):
        return _fields(rho, x, g)
    if rho.first.dim == 1:
        return _fields(rho.second, x, g)
    parts = torch.unflatten(x, 1, (rho.first.dim, rho.second.dim, block.multiplicity))
    moved = _fields(rho.second, parts.transpose(1, 2).flatten(1, 3), g)
    back = torch.unflatten(moved, 1, (rho.second.dim, rho.first.dim, block.multiplicity))
    return back.transpose(1, 2).flatten(1, 3)


def _fields(rho: Representation, x: Tensor, g: Tensor) -> Tensor:
    """Transport fields of one representation; in complex arithmetic where the real form is larger, as of `matrix`."""
    n = g.shape[-1]
    if rho.is_trivial:
        return x
    g = g.to(torch.complex128 if x.dtype == torch.float64 else torch.complex64)
    if rho.name == "matrix":
        w = complex_fields(x, (n, n))
        return real_fields(g[:, None] @ w @ g[:, None].mH, 2)
    if n == 1 and rho.name.isdigit():  # a charge of U(1)
        return real_fields(g[:, None, ..., 0] ** int(rho.name) * complex_fields(x, (1,)), 1)
    if rho.name in ("fundamental", "conjugate") and n > 1:
        v = complex_fields(x, (n,))
        h = g if rho.name == "fundamental" else g.conj()
        return real_fields((h[:, None] @ v[..., None])[..., 0], 1)
    fields = torch.unflatten(x, 1, (rho.dim, -1))
    return torch.einsum("b...ij,bju...->biu...", rho(g), fields).flatten(1, 2)


__all__ = ["transported"]
