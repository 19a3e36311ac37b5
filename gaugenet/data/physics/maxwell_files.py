"""read_maxwell: trajectories of electromagnetic fields in space, in the layout of PDEArena."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.data.meshes.sample import DataError
from gaugenet.data.physics._pdearena import on_grid, opened

_AXES = ("sample", "time", "x", "y", "z", "component")


@dataclass(frozen=True)
class MaxwellTrajectories:
    """Trajectories of electromagnetic fields in space, on the axes of `Grid`: (z, rows, columns), y against the rows.

    Attributes:
        displacement: `(N, T, 3, depth, rows, columns)`, D along x, y, z, a vector.
        magnetic: `(N, T, 3, depth, rows, columns)`, H along x, y, z, an axial vector: the bivector
            (H_z, -H_y, H_x) on the blades xy, xz, yz.
    """

    displacement: Float[Tensor, "samples times 3 depth rows columns"]
    magnetic: Float[Tensor, "samples times 3 depth rows columns"]

    @property
    def multivectors(self) -> Float[Tensor, "samples times 6 depth rows columns"]:
        """D and the bivector of H as channels, for `multivector(O3(), grades=(1, 2), multiplicity=1)`."""
        x, y, z = self.magnetic.unbind(2)
        return torch.cat([self.displacement, torch.stack([z, -y, x], 2)], 2)

    def __len__(self) -> int:
        return len(self.displacement)


def read_maxwell(path: str | Path, *, group: str | None = None, samples: int | None = None) -> MaxwellTrajectories:
    """Read `d_field` and `h_field` on (sample, time, x, y, z, component), as published with :cite:`gupta2022pdearena`.

    The files hold Maxwell's equations in three dimensions (:cite:`brandstetter2022clifford`). They do not hold spacing
    and times; values are returned in their units.

    Args:
        path: the file, HDF5 or NetCDF.
        group: `train`, `valid` or `test`; by default the only one in the file.
        samples: read only this number of trajectories, the first ones.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If `samples` is not positive.
        DataError: If the file is of another kind, does not contain the group or a variable, or values are not finite or
            have another shape.

    Example:
        >>> import torch, xarray
        >>> from gaugenet.data import read_maxwell
        >>> field = (("sample", "time", "x", "y", "z", "component"), torch.rand(2, 4, 8, 8, 8, 3).numpy())
        >>> file = xarray.Dataset({"d_field": field, "h_field": field})
        >>> _ = file.to_netcdf("maxwell.nc", group="train")
        >>> read_maxwell("maxwell.nc").multivectors.shape
        torch.Size([2, 4, 6, 8, 8, 8])
    """
    part = slice(None if samples is None else positive("samples", samples))
    with opened(path, group, ("d_field", "h_field")) as (data, name):
        d, h = (on_grid(data[key].values[part], _AXES, f"{path}: {key!r}") for key in ("d_field", "h_field"))
    if d.shape != h.shape or d.shape[2] != 3 or not len(d):
        raise DataError(
            f"{path}: expected fields of one shape with 3 components in {name}, got {tuple(d.shape)} and "
            f"{tuple(h.shape)} on (sample, time, component, z, y, x)."
        )
    return MaxwellTrajectories(d, h)


__all__ = ["MaxwellTrajectories", "read_maxwell"]
