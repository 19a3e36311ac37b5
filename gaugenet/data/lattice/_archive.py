"""Shared parts of archives of SU(3) configurations: four dimensions, links by site, x fastest."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU


def one_configuration(links: Complex[Tensor, "1 4 x y z t 3 3"]) -> LatticeGaugeField:
    """Return the links as a domain in double precision.

    Raises:
        ValueError: If the links are not one SU(3) configuration in four dimensions.
    """
    field = LatticeGaugeField(links.detach().cpu().to(torch.complex128), SU(3))
    if field.d != 4 or field.batch_size != 1:
        raise ValueError(f"Expected `links` of shape (1, 4, X, Y, Z, T, 3, 3), got {tuple(links.shape)}.")
    return field


def archived(links: Complex[Tensor, "1 4 x y z t 3 3"]) -> bytes:
    """Return the links as archives store them: double precision, big endian, order (t, z, y, x, mu, row, column)."""
    matrices = links[0].permute(4, 3, 2, 1, 0, 5, 6).resolve_conj().contiguous()
    return torch.view_as_real(matrices).numpy().astype(">f8").tobytes()


def from_archive(matrices: Complex[np.ndarray, "t z y x 4 3 3"], *, single: bool) -> Complex[Tensor, "1 4 x y z t 3 3"]:
    """Return the links of stored matrices, projected to SU(3) if they were rounded to single precision."""
    links = torch.from_numpy(np.ascontiguousarray(matrices.transpose(4, 3, 2, 1, 0, 5, 6)))[None]
    return SU(3).project(links) if single else links


__all__ = ["archived", "from_archive", "one_configuration"]
