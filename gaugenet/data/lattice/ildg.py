"""SU(3) configurations in the format of the International Lattice Data Grid: LIME records."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Complex
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

_MAGIC, _HEADER = 0x456789AB, struct.Struct(">IHHQ128s")
_BEGIN, _END = 0x8000, 0x4000
"""Flags of a record: first and last record of a message."""
_FORMAT, _LINKS, _CHECKSUM = "ildg-format", "ildg-binary-data", "scidac-checksum"
_FORMAT_TEXT = (
    '<?xml version="1.0" encoding="UTF-8"?><ildgFormat xmlns="http://www.lqcd.org/ildg"><version>1.0</version>'
    "<field>su3gauge</field><precision>64</precision><lx>{}</lx><ly>{}</ly><lz>{}</lz><lt>{}</lt></ildgFormat>"
)
_CHECKSUM_TEXT = (
    '<?xml version="1.0" encoding="UTF-8"?><scidacChecksum><version>1.0</version>'
    "<suma>{:x}</suma><sumb>{:x}</sumb></scidacChecksum>"
)


@dataclass(frozen=True)
class IldgFile:
    """One configuration: links `(1, 4, X, Y, Z, T, 3, 3)`, and the text of the other records by name."""

    links: Complex[Tensor, "1 4 x y z t 3 3"]
    records: dict[str, str]

    @property
    def field(self) -> LatticeGaugeField:
        """The links as a domain with the axes x, y, z, t."""
        return LatticeGaugeField(self.links, SU(3), check=False)


def read_ildg(path: str | Path) -> IldgFile:
    """Read a configuration from a LIME file, and verify unitarity and, if present, the SciDAC checksum.

    A LIME file is a sequence of records with headers of 144 bytes. `ildg-format` contains extents and precision.
    `ildg-binary-data` contains the links, big endian: x varies fastest, then y, z, t, and each site has 3 x 3 matrices
    in the directions x, y, z, t.

    Raises:
        ValueError: If the file is truncated, of another kind, or contradicts its records.
    """
    path, content = content_of(path, "an ILDG configuration")
    records = _split(content, path)
    missing = [name for name in (_FORMAT, _LINKS) if name not in records]
    if missing:
        raise ValueError(f"Expected the records {_FORMAT} and {_LINKS} in {path}, got {', '.join(records) or 'none'}.")
    data = records.pop(_LINKS)
    texts = {name: value.rstrip(b"\0").decode("utf-8", "replace") for name, value in records.items()}
    shape, dtype = _layout(texts[_FORMAT], path)
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(data) != expected:
        raise ValueError(f"Expected {expected} bytes of links in {path} for {shape[3::-1]} sites, got {len(data)}.")
    if _CHECKSUM in texts:
        _verify(data, int(np.prod(shape[:4])), texts[_CHECKSUM], path)
    values = np.frombuffer(data, dtype).astype(np.float64).view(np.complex128).reshape(shape[:-1])
    links = from_archive(values, single=dtype.itemsize == 4)
    return IldgFile(stored_links(links, path).links, texts)


def write_ildg(
    path: str | Path, links: Complex[Tensor, "1 4 x y z t 3 3"], *, name: str = "gaugenet", overwrite: bool = False
) -> None:
    """Write one SU(3) configuration in double precision, with its SciDAC checksum.

    Args:
        path: the file; it is written completely or not at all.
        links: one configuration in four dimensions.
        name: logical file name, the record `ildg-data-lfn`.
        overwrite: replace a file that exists.

    Raises:
        ValueError: If the links are not one SU(3) configuration in four dimensions, or the file exists.

    Example:
        >>> import torch
        >>> from gaugenet.data import HeatBath, read_ildg, write_ildg
        >>> from gaugenet.groups import SU
        >>> links = HeatBath(SU(3), (3, 3, 3, 4), 6.0).links
        >>> write_ildg("configuration.lime", links)
        >>> torch.equal(read_ildg("configuration.lime").links, links)
        True
    """
    field, path = one_configuration(links), new_file(path, overwrite=overwrite)
    data = archived(field.links)
    sums = _checksums(data, int(np.prod(field.shape)))
    records = {
        _FORMAT: _FORMAT_TEXT.format(*field.shape).encode(),
        _LINKS: data,
        _CHECKSUM: _CHECKSUM_TEXT.format(*sums).encode(),
        "ildg-data-lfn": name.encode(),
    }
    with writing(path), atomic_path(path) as temporary, temporary.open("wb") as file:
        for number, (kind, value) in enumerate(records.items()):
            flags = _BEGIN * (number == 0) | _END * (number == len(records) - 1)
            file.write(_HEADER.pack(_MAGIC, 1, flags, len(value), kind.encode()))
            file.write(value + b"\0" * (-len(value) % 8))


def _split(content: bytes, path: Path) -> dict[str, bytes]:
    """Return the records by name; the first of several with the same name."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(content):
        if len(content) < at + _HEADER.size:
            raise ValueError(f"Expected whole LIME records in {path}: the file ends within the header at byte {at}.")
        magic, _, _, length, kind = _HEADER.unpack_from(content, at)
        if magic != _MAGIC:
            raise ValueError(f"Expected a LIME record at byte {at} of {path}: its magic number is missing.")
        begin = at + _HEADER.size
        if len(content) < begin + length:
            raise ValueError(
                f"Expected {length} bytes in the LIME record at byte {at} of {path}: the file is truncated."
            )
        name = kind.split(b"\0", 1)[0].decode("ascii", "replace")
        records.setdefault(name, content[begin : begin + length])
        at = begin + length + (-length % 8)
    return records


def _layout(text: str, path: Path) -> tuple[tuple[int, ...], np.dtype[np.floating]]:
    """Return the shape `(T, Z, Y, X, 4, 3, 3, 2)` and the type of the numbers."""
    found = {tag: _entry(text, tag) for tag in ("field", "precision", "lx", "ly", "lz", "lt")}
    extents = [found[tag] for tag in ("lt", "lz", "ly", "lx")]
    if found["field"] != "su3gauge" or found["precision"] not in {"32", "64"}:
        raise ValueError(
            f"Expected field su3gauge and precision 32 or 64 in {path}, got {found['field']} and {found['precision']}."
        )
    if not all(extent is not None and extent.isdecimal() and int(extent) for extent in extents):
        raise ValueError(f"Expected positive extents lx, ly, lz, lt in the record {_FORMAT} of {path}.")
    stored_extents([int(extent) for extent in extents if extent], path)
    shape = (*(int(extent) for extent in extents if extent), 4, 3, 3, 2)
    return shape, np.dtype(">f4" if found["precision"] == "32" else ">f8")


def _entry(text: str, tag: str) -> str | None:
    match = re.search(rf"<{tag}>\s*([^<]{{1,40}}?)\s*</{tag}>", text)
    return match[1] if match else None


def _verify(data: bytes, sites: int, text: str, path: Path) -> None:
    for tag, value in zip(("suma", "sumb"), _checksums(data, sites), strict=True):
        said = _entry(text, tag)
        if said is None or not re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", said):
            raise ValueError(f"Expected {tag} as a hexadecimal number in the record {_CHECKSUM} of {path}, got {said}.")
        if int(said, 16) != value:
            raise ValueError(f"Expected the checksum {tag} {said} of {path}, got {value:x}: the file is damaged.")


def _checksums(data: bytes, sites: int) -> tuple[int, int]:
    """Return the SciDAC checksums: CRC-32 of each site, rotated by its rank modulo 29 and 31, combined by XOR."""
    size, a, b = len(data) // sites, 0, 0
    for rank in range(sites):
        crc = zlib.crc32(data[rank * size : (rank + 1) * size])
        a ^= _rotated(crc, rank % 29)
        b ^= _rotated(crc, rank % 31)
    return a, b


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & 0xFFFFFFFF


__all__ = ["IldgFile", "read_ildg", "write_ildg"]
