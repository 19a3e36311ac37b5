"""Features of a lattice, transported along links."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.groups import Block, FieldType, complex_fields, real_fields


def transported(
    field_type: FieldType,
    x: Float[Tensor, "batch size *shape"],
    transporter: Complex[Tensor, "batch *shape n n"],
) -> Float[Tensor, "batch size *shape"]:
    """Return rho(transporter) x at every site, block by block; x holds the features of the sources."""
    parts = [_block(block, x[:, block.slice], transporter) for block in field_type.blocks]
    return torch.cat(parts, 1) if parts else x


def _block(block: Block, x: Tensor, g: Tensor) -> Tensor:
    """Transport one block; in complex arithmetic where the real form is larger, such as (2 N^2)^2 for `matrix`."""
    rho, n = block.representation, g.shape[-1]
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
    fields = torch.unflatten(x, 1, (rho.dim, block.multiplicity))
    return torch.einsum("b...ij,bju...->biu...", rho(g), fields).flatten(1, 2)


__all__ = ["transported"]
