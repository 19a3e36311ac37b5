"""SU(3) configurations in the format of the NERSC Gauge Connection archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Complex
from numpy import ndarray
from torch import Tensor

from gaugenet.data.lattice._archive import (
    archived,
    content_of,
    from_archive,
    new_file,
    one_configuration,
    stored_extents,
    stored_links,
    writing,
)
from gaugenet.files import atomic_path
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU

_FLOATS = {"IEEE32BIG": ">f4", "IEEE64BIG": ">f8", "IEEE32LITTLE": "<f4", "IEEE64LITTLE": "<f8", "IEEE32": ">f4"}
ROWS = {"4D_SU3_GAUGE": 2, "4D_SU3_GAUGE_3x3": 3, "4D_SU3_GAUGE_3X3": 3}
SINGLE, DOUBLE = 1e-5, 1e-10
"""Largest deviation of the mean plaquette and the mean trace from the header, which has about ten digits."""


@dataclass(frozen=True)
class NerscFile:
    """One configuration: links `(1, 4, X, Y, Z, T, 3, 3)` and the fields of the header."""

    links: Complex[Tensor, "1 4 x y z t 3 3"]
    header: dict[str, str]

    @property
    def field(self) -> LatticeGaugeField:
        """The links as a domain with the axes x, y, z, t."""
        return LatticeGaugeField(self.links, SU(3), check=False)


def read_nersc(path: str | Path) -> NerscFile:
    """Read a configuration, and verify its checksum, mean trace, mean plaquette and unitarity.

    The header is text. In the data x varies fastest, then y, z, t, and each site has the first two rows (or all three)
    of its links in the directions x, y, z, t. The checksum is the sum of all 32-bit words.

    Raises:
        ValueError: If the file is truncated, of another kind, or contradicts its header.
    """
    path, content = content_of(path, "a NERSC configuration")
    header, data = _split(content, path)
    links = _links(header, data, path)
    field = stored_links(links, path)
    tolerance = SINGLE if "32" in header["FLOATING_POINT"] else DOUBLE
    trace = float(links.diagonal(dim1=-2, dim2=-1).sum(-1).real.mean()) / 3
    for key, value in (("LINK_TRACE", trace), ("PLAQUETTE", float(field.mean_plaquette()))):
        if key in header and not abs(_number(header, key, path) - value) <= tolerance:
            raise ValueError(f"Expected {key} = {header[key]} in {path}, as its header says, got {value:.10f}.")
    return NerscFile(links, header)


def write_nersc(
    path: str | Path, links: Complex[Tensor, "1 4 x y z t 3 3"], *, title: str = "gaugenet", overwrite: bool = False
) -> None:
    """Write one SU(3) configuration: all three rows, in double precision, completely or not at all.

    Args:
        path: the file.
        links: one configuration in four dimensions.
        title: `ENSEMBLE_ID` of the header, one line of ASCII.
        overwrite: replace a file that exists.

    Raises:
        ValueError: If the links are not one SU(3) configuration in four dimensions, or the file exists.

    Example:
        >>> import torch
        >>> from gaugenet.data import HeatBath, read_nersc, write_nersc
        >>> from gaugenet.groups import SU
        >>> links = HeatBath(SU(3), (3, 3, 3, 4), 6.0).links
        >>> write_nersc("configuration.nersc", links)
        >>> torch.equal(read_nersc("configuration.nersc").links, links)
        True
    """
    field, path = one_configuration(links), new_file(path, overwrite=overwrite)
    if not title.isascii() or not title.isprintable():
        raise ValueError(f"Expected `title` as one line of ASCII characters, got {title!r}.")
    data = archived(field.links)
    lines = {
        "HDR_VERSION": "1.0",
        "DATATYPE": "4D_SU3_GAUGE_3x3",
        **{f"DIMENSION_{mu + 1}": str(extent) for mu, extent in enumerate(field.shape)},
        **{f"BOUNDARY_{mu + 1}": "PERIODIC" for mu in range(4)},
        "CHECKSUM": f"{_checksum(data, '>u4'):08x}",
        "LINK_TRACE": f"{float(field.links.diagonal(dim1=-2, dim2=-1).sum(-1).real.mean()) / 3:.12f}",
        "PLAQUETTE": f"{float(field.mean_plaquette()):.12f}",
        "ENSEMBLE_ID": title,
        "FLOATING_POINT": "IEEE64BIG",
    }
    text = "\n".join(["BEGIN_HEADER", *(f"{key} = {value}" for key, value in lines.items()), "END_HEADER", ""])
    with writing(path), atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("ascii") + data)


def _split(content: bytes, path: Path) -> tuple[dict[str, str], bytes]:
    end = content.find(b"END_HEADER\n")
    if not content.startswith(b"BEGIN_HEADER") or end < 0:
        raise ValueError(f"Expected a NERSC configuration in {path}: it does not begin with a header.")
    lines = content[:end].decode("ascii", "replace").splitlines()[1:]
    pairs = (line.partition("=") for line in lines if "=" in line)
    header = {key.strip(): value.strip() for key, _, value in pairs}
    needed = ("DATATYPE", "FLOATING_POINT", "CHECKSUM", *(f"DIMENSION_{k}" for k in range(1, 5)))
    missing = [key for key in needed if key not in header]
    if missing:
        raise ValueError(f"Expected {', '.join(missing)} in the header of {path}.")
    return header, content[end + len(b"END_HEADER\n") :]


def _links(header: dict[str, str], data: bytes, path: Path) -> Complex[Tensor, "1 4 x y z t 3 3"]:
    kind, precision = header["DATATYPE"], header["FLOATING_POINT"]
    if kind not in ROWS or precision not in _FLOATS:
        raise ValueError(
            f"Expected DATATYPE {' or '.join(list(ROWS)[:2])} and FLOATING_POINT {', '.join(_FLOATS)} in {path}, got "
            f"{kind} and {precision}."
        )
    extents = [int(_number(header, f"DIMENSION_{k}", path)) for k in range(1, 5)]
    stored_extents(extents, path)
    shape = (*reversed(extents), 4, ROWS[kind], 3, 2)
    dtype = np.dtype(_FLOATS[precision])
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        raise ValueError(f"Expected {expected} bytes of links in {path} for {extents} sites, got {len(data)}.")
    words, others = (">u4", "<u4") if dtype.str.startswith(">") else ("<u4", ">u4")
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", header["CHECKSUM"]):
        raise ValueError(f"Expected CHECKSUM as a hexadecimal number in {path}, got {header['CHECKSUM']!r}.")
    said = int(header["CHECKSUM"], 16)
    if (found := _checksum(data, words)) != said:
        swapped = _checksum(data, others) == said
        reason = f"its bytes are not in the order of {precision}" if swapped else "the file is damaged"
        raise ValueError(f"Expected the checksum {header['CHECKSUM']} of {path}, got {found:08x}: {reason}.")
    values = np.frombuffer(data, dtype).astype(np.float64).view(np.complex128).reshape(shape[:-1])
    return from_archive(_three_rows(values), single=dtype.itemsize == 4)


def _number(header: dict[str, str], key: str, path: Path) -> float:
    """Return a number of the header, or raise `ValueError`."""
    try:
        return float(header[key])
    except ValueError as error:
        raise ValueError(f"Expected {key} as a number in the header of {path}, got {header[key]!r}.") from error


def _three_rows(rows: Complex[ndarray, "*sites rows 3"]) -> Complex[ndarray, "*sites 3 3"]:
    """Return matrices whose third row is the conjugate of the cross product of the first two."""
    if rows.shape[-2] == 3:
        return rows
    third = np.cross(rows[..., 0, :], rows[..., 1, :]).conj()
    return np.concatenate([rows, third[..., None, :]], -2)


def _checksum(data: bytes, words: str) -> int:
    return int(np.frombuffer(data, words).sum(dtype=np.uint64)) & 0xFFFFFFFF


__all__ = ["NerscFile", "read_nersc", "write_nersc"]
