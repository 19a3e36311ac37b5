"""Ensembles of lattice gauge fields in NetCDF files and Zarr stores."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

import gaugenet
from gaugenet.data.lattice._archive import new_file, writing
from gaugenet.files import atomic_path, refuse_pickled_store
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import UnitaryGroup, group_from_name

FORMAT = "gaugenet lattice links 1"


@dataclass(frozen=True)
class LinkFile:
    """The content of a file: links `(B, d, *shape, N, N)`, their group, and other attributes."""

    links: Complex[Tensor, "batch d *shape n n"]
    group: UnitaryGroup
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def field(self) -> LatticeGaugeField:
        """The links as a domain."""
        return LatticeGaugeField(self.links, self.group, check=False)


def write_links(
    path: str | Path,
    links: Complex[Tensor, "batch d *shape n n"],
    group: UnitaryGroup,
    *,
    attributes: Mapping[str, str | int | float] | None = None,
    overwrite: bool = False,
) -> None:
    """Write links to a NetCDF file (`.nc`) or a Zarr store (`.zarr`), completely or not at all.

    The variable `links` has the dimensions (configuration, direction, x0, x1, ..., row, column, part), where part 0 is
    real and part 1 imaginary; the group is an attribute.

    Args:
        path: the file or store.
        links: of one or several configurations.
        group: of the links.
        attributes: further attributes.
        overwrite: replace a file or store that exists.

    Raises:
        ValueError: If the links do not belong to the group, `path` has another ending, or it exists.

    Example:
        >>> from gaugenet.data import HeatBath, read_links, write_links
        >>> from gaugenet.groups import SU
        >>> sampler = HeatBath(SU(2), (4, 4), 2.0, chains=3)
        >>> write_links("links.nc", sampler.links, SU(2))
        >>> read_links("links.nc").links.shape  # (configurations, d, sites, N, N)
        torch.Size([3, 2, 4, 4, 2, 2])
    """
    import xarray as xr

    path = new_file(path, overwrite=overwrite)
    links = LatticeGaugeField(links.detach().cpu() if isinstance(links, Tensor) else links, group).links
    extents = [f"x{mu}" for mu in range(links.shape[1])]
    dims = ["configuration", "direction", *extents, "row", "column", "part"]
    values = torch.view_as_real(links.resolve_conj()).numpy()
    names = {"format": FORMAT, "group": group.name, "source": f"gaugenet {gaugenet.__version__}"}
    dataset = xr.Dataset({"links": (dims, values)}, attrs={**(attributes or {}), **names})
    if path.suffix == ".nc":
        with writing(path), atomic_path(path) as temporary:
            dataset.to_netcdf(temporary, engine="netcdf4", encoding={"links": {"zlib": True, "complevel": 1}})
    elif path.suffix == ".zarr":
        with writing(path), _atomic_folder(path) as temporary:
            dataset.to_zarr(temporary, mode="w")
    else:
        raise ValueError(f"Expected `path` to end with .nc or .zarr, got {path}.")


def read_links(path: str | Path) -> LinkFile:
    """Read a file of `write_links`, and check that the links belong to their group; for an example see `write_links`.

    Raises:
        ValueError: If the file is missing, truncated, or of another kind.
    """
    import xarray as xr

    path = Path(path)
    if not path.exists():
        raise ValueError(f"Expected a file of links at {path}: it does not exist.")
    try:
        if path.suffix == ".zarr":
            refuse_pickled_store(path)
        opened = xr.open_zarr(path, chunks=None) if path.suffix == ".zarr" else xr.open_dataset(path, engine="netcdf4")
        with opened as dataset:
            attributes = dict(dataset.attrs)
            values = np.array(dataset["links"].values) if "links" in dataset else None
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"Expected a NetCDF file or a Zarr store of links at {path}: {error}") from error
    if attributes.pop("format", None) != FORMAT or values is None:
        raise ValueError(f"Expected links written by `write_links` in {path}, got a file of another kind.")
    group = group_from_name(attributes.pop("group"))
    attributes.pop("source", None)
    links = torch.view_as_complex(torch.from_numpy(np.ascontiguousarray(values)))
    if not isinstance(group, UnitaryGroup):
        raise ValueError(f"Expected links of a unitary group in {path}, got {group}.")
    return LinkFile(LatticeGaugeField(links, group).links, group, attributes)


@contextmanager
def _atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, which is renamed to `path` if the block ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.stem[:40]}-", dir=path.parent))
    try:
        yield temporary / path.name
        if path.exists():
            path.rename(temporary / "old")
        (temporary / path.name).rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


__all__ = ["LinkFile", "read_links", "write_links"]
