"""ILDG configurations against LIME records that are put together number by number."""

from __future__ import annotations

import itertools
import struct
import zlib

import pytest
import torch

from gaugenet.data import read_ildg, write_ildg
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU

SHAPE = (3, 4, 5, 3)


def field() -> LatticeGaugeField:
    return LatticeGaugeField.random(SU(3), SHAPE, spread=0.5, generator=torch.Generator().manual_seed(0))


def rotated(word: int, by: int) -> int:
    bits = f"{word:032b}"
    return int(bits[by:] + bits[:by], 2)


def record(kind: str, value: bytes, flags: int = 0) -> bytes:
    header = struct.pack(">LHHQ", 0x456789AB, 1, flags, len(value)) + kind.encode().ljust(128, b"\0")
    return header + value + bytes(-len(value) % 8)


def archive(code: str = "d", *, suma: int | None = None, **tags: str) -> bytes:
    u = field().links[0].numpy()
    nx, ny, nz, nt = SHAPE
    data, a, b, rank = b"", 0, 0, 0
    for t, z, y, x in itertools.product(range(nt), range(nz), range(ny), range(nx)):
        numbers = []
        for mu, row, column in itertools.product(range(4), range(3), range(3)):
            entry = u[mu, x, y, z, t, row, column]
            numbers += [entry.real, entry.imag]
        site = struct.pack(f">{len(numbers)}{code}", *numbers)
        crc = zlib.crc32(site)
        a, b, rank = a ^ rotated(crc, rank % 29), b ^ rotated(crc, rank % 31), rank + 1
        data += site
    precision = {"d": "64", "f": "32"}[code]
    values = {"field": "su3gauge", "precision": precision, "lx": nx, "ly": ny, "lz": nz, "lt": nt, **tags}
    text = "<ildgFormat>" + "".join(f"<{k}> {v} </{k}>\n" for k, v in values.items()) + "</ildgFormat>"
    sums = f"<scidacChecksum><suma>{suma or a:x}</suma><sumb>{b:x}</sumb></scidacChecksum>"
    return b"".join(
        [
            record("ildg-format", text.encode(), 0x8000),
            record("ildg-binary-data", data),
            record("scidac-checksum", sums.encode() + b"\0", 0x4000),
        ]
    )


@pytest.mark.parametrize(("code", "tolerance"), [("d", 0.0), ("f", 1e-6)])
def test_archives_are_read(code, tolerance, tmp_path):
    (tmp_path / "lat.lime").write_bytes(archive(code))
    found = read_ildg(tmp_path / "lat.lime")
    assert found.links.shape == (1, 4, *SHAPE, 3, 3)
    assert (found.links - field().links).abs().max() <= tolerance
    assert SU(3).distance(found.links).max() < 1e-12
    assert "su3gauge" in found.records["ildg-format"]
    assert torch.allclose(found.field.mean_plaquette(), field().mean_plaquette(), atol=1e-6)


def test_what_is_written_is_the_archive(tmp_path):
    write_ildg(tmp_path / "lat.lime", field().links, name="lfn://test/one")
    found = read_ildg(tmp_path / "lat.lime")
    assert torch.equal(found.links, field().links)
    assert found.records["ildg-data-lfn"] == "lfn://test/one"
    by_hand = archive()
    (tmp_path / "hand.lime").write_bytes(by_hand)
    for tag in ("<suma>", "<sumb>"):
        written, hand = (r.records["scidac-checksum"].split(tag)[1] for r in (found, read_ildg(tmp_path / "hand.lime")))
        assert written.split("<")[0] == hand.split("<")[0]
    data = by_hand[by_hand.index(b"ildg-binary-data") + 128 :][: 4 * 9 * 16 * 180]
    assert data in (tmp_path / "lat.lime").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing at all, " * 20, "magic number"),
        (b"short", "ends within the header"),
        (b"", "got none"),
        (archive()[:-1000], "truncated"),
        (archive(lx="30"), "bytes of links"),
        (archive(lx="-3"), "positive extents"),
        (archive(field="su4gauge"), "got su4gauge"),
        (archive(precision="16"), "precision 32 or 64"),
        (archive(suma=12345), "damaged"),
        (archive().replace(b"<suma>", b"<summ>"), "suma as a hexadecimal"),
        (record("ildg-format", b"<lx>3</lx>"), "Expected the records"),
    ],
)
def test_damaged_files(content, message, tmp_path):
    (tmp_path / "lat.lime").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_ildg(tmp_path / "lat.lime")


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read_ildg(tmp_path / "missing.lime")
    with pytest.raises(ValueError, match=r"\(1, 4, X, Y, Z, T, 3, 3\)"):
        write_ildg(tmp_path / "lat.lime", LatticeGaugeField.random(SU(3), (3, 3)).links)
    assert not list(tmp_path.iterdir())
