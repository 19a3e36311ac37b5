"""Real features of complex fields, and back: the layout of real forms."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def complex_fields(
    x: Float[Tensor, "points size *spatial"], shape: tuple[int, ...]
) -> Complex[Tensor, "points fields *spatial *shape"]:
    """Return one block of real forms as complex numbers, `shape` = `(N,)` for `fundamental`, `(N, N)` for `matrix`.

    The channels of a block are (real or imaginary, component, field), see `Block`.

    Raises:
        ValueError: If `2 * prod(shape)` does not divide the number of channels, or features are not real numbers of at
            least single precision.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SU, FieldType, complex_fields
        >>> quarks = FieldType(SU(3), "5xfundamental")
        >>> complex_fields(torch.rand(10, quarks.size), (3,)).shape
        torch.Size([10, 5, 3])
    """
    components = 2 * math.prod(shape)
    if x.shape[1] % components:
        raise ValueError(
            f"Expected channels in dimension 1 to be a multiple of {components}, real and imaginary parts of fields of "
            f"shape {shape}, got {x.shape[1]}."
        )
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"Expected real features in single or double precision, got {x.dtype}: convert them first.")
    parts = torch.unflatten(x, 1, (2, *shape, x.shape[1] // components))
    real, imaginary = parts.unbind(1)
    z = torch.complex(real, imaginary)  # (points, *shape, fields, *spatial)
    k = len(shape)
    rest = range(k + 2, z.dim())
    return z.permute(0, k + 1, *rest, *range(1, k + 1))


def real_fields(
    z: Complex[Tensor, "points fields *spatial *shape"], rank: int
) -> Float[Tensor, "points size *spatial"]:
    """Return the real features of one block of complex fields whose last `rank` dimensions are components.

    The inverse of `complex_fields`: rank 1 for `fundamental`, 2 for `matrix`.

    Raises:
        ValueError: If the fields are real, or have fewer dimensions.

    Example:
        >>> import torch
        >>> from gaugenet.groups import real_fields
        >>> real_fields(torch.rand(10, 5, 3, dtype=torch.complex64), rank=1).shape
        torch.Size([10, 30])
    """
    spatial = z.dim() - 2 - rank
    if not z.is_complex() or spatial < 0:
        raise ValueError(
            f"Expected complex fields with {rank} dimensions of components after (points, fields, *spatial), got "
            f"{z.dtype} of shape {tuple(z.shape)}."
        )
    components = range(2 + spatial, z.dim())
    z = z.permute(0, *components, 1, *range(2, 2 + spatial))
    return torch.stack([z.real, z.imag], 1).flatten(1, 2 + rank)


__all__ = ["complex_fields", "real_fields"]
