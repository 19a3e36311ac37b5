"""Invalid arguments of samplers, and files that are damaged, of another order of bytes, in the way, or not writable."""

from __future__ import annotations

import math
import shutil
import struct

import numpy as np
import pytest
import torch

from gaugenet.data import (
    HeatBath,
    HybridMonteCarlo,
    LatticeSampler,
    binned_mean,
    read_ildg,
    read_links,
    read_nersc,
    write_ildg,
    write_links,
    write_nersc,
)
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, DirectProduct, Hypercubic
from tests.data.lattice import test_files as nersc
from tests.data.lattice import test_ildg as ildg


def heat_bath(shape=(4, 4), beta=1.0, **options):
    return HeatBath(SU(2), shape, beta, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: heat_bath((4.5, 4)), r"`shape` as the extents .* got \(4.5, 4\)"),
        (lambda: heat_bath(4), "`shape` as the extents"),
        (lambda: heat_bath((4,)), "2, 3 or 4 axes"),
        (lambda: heat_bath((3,) * 5), "2, 3 or 4 axes"),
        (lambda: heat_bath((-4, 4)), "at least 3"),
        (lambda: heat_bath((1, 4)), "at least 3"),
        (lambda: heat_bath(beta="a"), "`beta` as a number, or one for each chain, got 'a'"),
        (lambda: heat_bath(beta=1j), "`beta` as a number"),
        (lambda: heat_bath(beta=[1.0, 2.0], chains=3), r"one for each of 3 chains, got shape \(2,\): pass `chains=2`"),
        (lambda: heat_bath(beta=[[1.0, 2.0]], chains=2), r"got shape \(1, 2\)"),
        (lambda: heat_bath(seed=-1), "`seed` to be an integer that is not negative, got -1"),
        (lambda: heat_bath(seed=1.5), "`seed`"),
        (lambda: heat_bath(overrelaxation=1.5), "`overrelaxation`"),
        (lambda: HeatBath(SU, (4, 4), 1.0), r"`U1\(\)` or `SU\(N\)`"),
        (lambda: HeatBath(DirectProduct(Hypercubic(2), SU(2)), (4, 4), 1.0), r"`U1\(\)` or `SU\(N\)`"),
        (lambda: heat_bath().update(-1), "`count`"),
        (lambda: heat_bath().update(1.5), "`count`"),
        (lambda: heat_bath().measure(0), "`count`"),
        (lambda: heat_bath().measure(2, every=0), "`every`"),
        (lambda: heat_bath().measure(2, observable=lambda field: 3), r"tensor \(1,\), one per chain, got 3"),
        (lambda: heat_bath().measure(2, observable=lambda field: field.plaquette(0, 1)), "one per chain, got"),
        (lambda: HybridMonteCarlo(SU(2), (4, 4), 1.0, steps=0), "`steps`"),
        (lambda: HybridMonteCarlo(SU(2), (4, 4), 1.0, length=math.inf), "`length`"),
        (lambda: HybridMonteCarlo(SU(2), (4, 4), 1.0, length="1"), "`length`, got '1'"),
        (lambda: binned_mean(np.zeros((4, 4, 4))), r"got shape \(4, 4, 4\)"),
        (lambda: binned_mean([]), "measure more often"),
    ],
)  # fmt: skip
def test_samplers(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_states_must_fit():
    state, links = heat_bath(chains=2).state(), heat_bath(chains=2).links
    assert HeatBath.resume(state, links).chains == 2
    broken = links.clone()
    broken[1, 0, 2, 3] = math.nan
    for given, u, message in [
        ({}, links, "without .'sampler', 'group'"),
        ({**state, "sampler": "HybridMonteCarlo"}, links, "state of HeatBath, got one of HybridMonteCarlo"),
        (state, links[:1], r"links of 2 chains on \(4, 4\)"),
        (state, heat_bath((4, 5), chains=2).links, r"links of 2 chains on \(4, 4\)"),
        (state, broken, r"configuration 1, direction 0, at site \(2, 3\)"),
        ({**state, "group": "SU(3)"}, links, r"for SU\(3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            HeatBath.resume(given, u)


# --- files ------------------------------------------------------------------------------------------------------------

WRITERS = {
    "links.nc": lambda path, links, **options: write_links(path, links, SU(3), **options),
    "links.zarr": lambda path, links, **options: write_links(path, links, SU(3), **options),
    "nersc": write_nersc,
    "lime": write_ildg,
}
READERS = {"links.nc": read_links, "links.zarr": read_links, "nersc": read_nersc, "lime": read_ildg}
every_file = pytest.mark.parametrize("name", WRITERS)


@every_file
def test_existing_files_are_not_replaced_unless_requested(name, tmp_path):
    pytest.importorskip("xarray")
    path = tmp_path / name
    first, second = (LatticeGaugeField.random(SU(3), (3, 3, 3, 3), spread=s).links for s in (0.1, 0.2))
    WRITERS[name](path, first)
    with pytest.raises(ValueError, match="already exists: pass `overwrite=True`"):
        WRITERS[name](path, second)
    assert torch.equal(READERS[name](path).links, first)
    WRITERS[name](path, second, overwrite=True)
    assert torch.equal(READERS[name](path).links, second)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_saved_runs_are_not_replaced_unless_requested(tmp_path):
    pytest.importorskip("xarray")
    sampler = heat_bath()
    sampler.save(tmp_path / "run.nc")
    with pytest.raises(ValueError, match="already exists"):
        sampler.save(tmp_path / "run.nc")
    sampler.update()
    sampler.save(tmp_path / "run.nc", overwrite=True)
    assert LatticeSampler.load(tmp_path / "run.nc").updates == 1


@every_file
def test_places_that_cannot_be_written(name, tmp_path, monkeypatch):
    """A file in the place of a folder; a folder without permission (simulated: tests may run as root)."""
    pytest.importorskip("xarray")
    links = LatticeGaugeField.random(SU(3), (3, 3, 3, 3)).links
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"Expected a folder for .* got the file"):
        WRITERS[name](tmp_path / "file" / name, links)

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    monkeypatch.setattr("tempfile.mkdtemp", refused)
    with pytest.raises(ValueError, match=r"to be writable: Permission denied\. Choose a folder"):
        WRITERS[name](tmp_path / name, links)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@every_file
def test_links_that_cannot_be_stored(name, tmp_path):
    pytest.importorskip("xarray")
    links = LatticeGaugeField.random(SU(3), (3, 3, 3, 3)).links
    broken = links.clone()
    broken[0, 2, 0, 1, 2, 0] = math.nan
    for given, message in [
        (broken, r"direction 2, at site \(0, 1, 2, 0\)"),
        (1.1 * links, r"Expected `links` in SU\(3\), got 324 of 324 outside"),
        (links.real, "complex `links`"),
        *([(links.to(torch.complex64), "in double precision")] if name in ("nersc", "lime") else []),
        (links.numpy(), "ndarray"),
    ]:
        with pytest.raises(ValueError, match=message):
            WRITERS[name](tmp_path / name, given)
    assert not list(tmp_path.iterdir())


@every_file
def test_files_that_are_cut_off(name, tmp_path):
    pytest.importorskip("xarray")
    path = tmp_path / name
    WRITERS[name](path, LatticeGaugeField.random(SU(3), (3, 3, 3, 3)).links)
    if path.is_dir():
        chunk = max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        chunk.write_bytes(chunk.read_bytes()[:100])
    else:
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=str(path)):
        READERS[name](path)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ValueError, match=r"does not exist|No such file"):
        READERS[name](path)


def test_folders_and_empty_files(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for read in (read_nersc, read_ildg):
        with pytest.raises(ValueError, match=r"Is a directory"):
            read(tmp_path)
        with pytest.raises(ValueError, match=r"does not begin with a header|got none"):
            read(tmp_path / "empty")


def test_headers_of_nersc_files(tmp_path):
    path, field = tmp_path / "lat", nersc.su3_field()
    for change, message in [
        ({"DIMENSION_1": "x"}, "DIMENSION_1 as a number in the header"),
        ({"DIMENSION_1": "2"}, r"extents of at least 3 in .*lat, got \(2, 4, 5, 3\)"),
        ({"DIMENSION_4": "-3"}, "extents of at least 3"),
        ({"DIMENSION_4": "30"}, "bytes of links"),
        ({"CHECKSUM": "none"}, "CHECKSUM as a hexadecimal number .* got 'none'"),
        ({"PLAQUETTE": "half"}, "PLAQUETTE as a number .* got 'half'"),
        ({"PLAQUETTE": "nan"}, "Expected PLAQUETTE = nan"),
    ]:
        path.write_bytes(nersc.archive(field, rows=3, code=">d", name="IEEE64BIG", **change))
        with pytest.raises(ValueError, match=message):
            read_nersc(path)
    with pytest.raises(ValueError, match="one line of ASCII"):
        write_nersc(tmp_path / "other", field.links, title="two\nlines")


def test_the_order_of_bytes_is_checked(tmp_path):
    """Little-endian numbers in files that say, or must be, big-endian."""
    path = tmp_path / "lat"
    little = nersc.archive(nersc.su3_field(), rows=3, code="<d", name="IEEE64BIG")
    path.write_bytes(little)
    with pytest.raises(ValueError, match=r"checksum .*: its bytes are not in the order of IEEE64BIG"):
        read_nersc(path)
    whole = ildg.archive()
    start = whole.index(b"ildg-binary-data") + 128
    data = np.frombuffer(whole[start : start + 4 * 9 * 16 * 180], ">f8").astype("<f8").tobytes()
    swapped = whole[:start] + data + whole[start + len(data) :]
    path.write_bytes(swapped)
    with pytest.raises(ValueError, match=r"suma .* damaged"):
        read_ildg(path)
    without_sums = swapped[: swapped.rindex(struct.pack(">L", 0x456789AB))]
    path.write_bytes(without_sums)
    with pytest.raises(ValueError, match=r"links of SU\(3\) in .*lat: the bytes are in the opposite order"):
        read_ildg(path)
    path.write_bytes(without_sums.replace(data[800:816], b"\x3f" * 16))
    with pytest.raises(ValueError, match="damaged, or of another layout"):
        read_ildg(path)


@pytest.mark.parametrize("code", ["d", "f"])
def test_damaged_numbers_without_a_checksum(code, tmp_path):
    """Single precision is projected to the group only within its rounding: damage is not repaired in silence."""
    whole = ildg.archive(code)
    without_sums = whole[: whole.rindex(struct.pack(">L", 0x456789AB))]
    size = {"d": 8, "f": 4}[code]
    at = without_sums.index(b"ildg-binary-data") + 128 + 18 * size * 4 * 7  # the first link of a site
    for value in (3.0, 0.01, math.nan):
        number = struct.unpack(f">{code}", without_sums[at : at + size])[0] + value
        broken = without_sums[:at] + struct.pack(f">{code}", number) + without_sums[at + size :]
        (tmp_path / "lat").write_bytes(broken)
        with pytest.raises(ValueError, match=r"direction 0, at site \(1, 2, 0, 0\)"):
            read_ildg(tmp_path / "lat")
