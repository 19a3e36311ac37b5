"""Files of links: NetCDF, Zarr and the NERSC format, against bytes that are put together by hand."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
import torch

from gaugenet.data import LatticeSampler, read_links, read_nersc, write_links, write_nersc
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, U1

SHAPE = (3, 4, 5, 3)


def su3_field() -> LatticeGaugeField:
    return LatticeGaugeField.random(SU(3), SHAPE, spread=0.5, generator=torch.Generator().manual_seed(0))


def archive(field: LatticeGaugeField, *, rows: int, code: str, name: str, **changes: str) -> bytes:
    """A file of the NERSC archive, number by number."""
    u = field.links[0].numpy()
    numbers, trace, plaquette = [], 0.0, 0.0
    nx, ny, nz, nt = field.shape
    for t, z, y, x in itertools.product(range(nt), range(nz), range(ny), range(nx)):
        for mu in range(4):
            trace += np.trace(u[mu, x, y, z, t]).real
            for nu in range(mu):
                ahead, beside = [x, y, z, t], [x, y, z, t]
                ahead[mu] = (ahead[mu] + 1) % field.shape[mu]
                beside[nu] = (beside[nu] + 1) % field.shape[nu]
                p = u[mu, x, y, z, t] @ u[(nu, *ahead)] @ u[(mu, *beside)].conj().T @ u[nu, x, y, z, t].conj().T
                plaquette += np.trace(p).real
            for row, column in itertools.product(range(rows), range(3)):
                numbers += [u[mu, x, y, z, t][row, column].real, u[mu, x, y, z, t][row, column].imag]
    data = struct.pack(f"{code[0]}{len(numbers)}{code[1]}", *numbers)
    words = struct.unpack(f"{code[0]}{len(data) // 4}I", data)
    volume = nx * ny * nz * nt
    header = {
        "DATATYPE": "4D_SU3_GAUGE" if rows == 2 else "4D_SU3_GAUGE_3x3",
        **{f"DIMENSION_{mu + 1}": str(n) for mu, n in enumerate(field.shape)},
        "CHECKSUM": f"{sum(words) % 2**32:x}",
        "LINK_TRACE": f"{trace / (12 * volume):.10f}",
        "PLAQUETTE": f"{plaquette / (18 * volume):.10f}",
        "FLOATING_POINT": name,
        **changes,
    }
    lines = "".join(f"{key} = {value}\n" for key, value in header.items())
    return f"BEGIN_HEADER\n{lines}END_HEADER\n".encode() + data


@pytest.mark.parametrize("rows", [2, 3])
@pytest.mark.parametrize(
    ("code", "name", "tolerance"),
    [
        (">d", "IEEE64BIG", 1e-14),
        ("<d", "IEEE64LITTLE", 1e-14),
        (">f", "IEEE32BIG", 1e-6),
        ("<f", "IEEE32LITTLE", 1e-6),
    ],
)
def test_archives_are_read(rows, code, name, tolerance, tmp_path):
    field = su3_field()
    (tmp_path / "lat").write_bytes(archive(field, rows=rows, code=code, name=name))
    found = read_nersc(tmp_path / "lat")
    assert found.links.shape == (1, 4, *SHAPE, 3, 3)
    assert (found.links - field.links).abs().max() < tolerance
    assert SU(3).distance(found.links).max() < 1e-12
    assert float(found.header["PLAQUETTE"]) == pytest.approx(found.field.mean_plaquette().item(), abs=1e-6)


def test_what_is_written_is_read_and_is_the_archive(tmp_path):
    field = su3_field()
    write_nersc(tmp_path / "lat", field.links, title="test")
    found = read_nersc(tmp_path / "lat")
    assert torch.equal(found.links, field.links)
    assert found.header["ENSEMBLE_ID"] == "test"
    by_hand = archive(field, rows=3, code=">d", name="IEEE64BIG")
    written = (tmp_path / "lat").read_bytes()
    assert written.split(b"END_HEADER\n", 1)[1] == by_hand.split(b"END_HEADER\n", 1)[1]


def test_damaged_archives(tmp_path):
    whole = archive(su3_field(), rows=2, code=">d", name="IEEE64BIG")
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    field = su3_field()

    def changed(**changes):
        return archive(field, rows=2, code=">d", name="IEEE64BIG", **changes)

    for content, message in [
        (bytes(flipped), "checksum"),
        (whole[:-8], "bytes of links"),
        (b"nothing", "does not begin with a header"),
        (changed(PLAQUETTE="0.5"), "PLAQUETTE = 0.5"),
        (changed(LINK_TRACE="0.5"), "LINK_TRACE = 0.5"),
        (changed(DATATYPE="4D_SU4_GAUGE"), "Expected DATATYPE"),
        (changed(FLOATING_POINT="IEEE16BIG"), "FLOATING_POINT"),
        (whole.replace(b"CHECKSUM", b"CHECK"), "Expected CHECKSUM in the header"),
    ]:
        (tmp_path / "lat").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_nersc(tmp_path / "lat")
    with pytest.raises(ValueError, match="No such file"):
        read_nersc(tmp_path / "missing")
    with pytest.raises(ValueError, match=r"\(1, 4, X, Y, Z, T, 3, 3\)"):
        write_nersc(tmp_path / "lat", LatticeGaugeField.random(SU(3), (3, 3)).links)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(("group", "shape"), [(U1(), (3, 4)), (SU(3), (3, 4, 3))], ids=str)
def test_ensembles_in_netcdf_and_zarr(group, shape, suffix, tmp_path):
    xr = pytest.importorskip("xarray")
    path = tmp_path / f"links{suffix}"
    links = LatticeGaugeField.random(group, shape, batch=3).links
    for again in (False, True):  # the second time over an existing file
        write_links(path, links, group, attributes={"beta": 2.5}, overwrite=again)
    found = read_links(path)
    assert torch.equal(found.links, links)
    assert found.group == group
    assert found.attributes["beta"] == 2.5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    opened = xr.open_zarr(path, chunks=None) if suffix == ".zarr" else xr.open_dataset(path)
    assert opened["links"].dims[:3] == ("configuration", "direction", "x0")
    assert np.array_equal(opened["links"].values[..., 1], links.imag.numpy())
    opened.close()
    with pytest.raises(ValueError, match="without the state"):
        LatticeSampler.load(path)


def test_other_files_of_links(tmp_path):
    xr = pytest.importorskip("xarray")
    links = LatticeGaugeField.random(U1(), (3, 4)).links
    with pytest.raises(ValueError, match=r"\.nc or \.zarr"):
        write_links(tmp_path / "links.h5", links, U1())
    with pytest.raises(ValueError, match=r"Expected `links` in U\(1\)"):
        write_links(tmp_path / "links.nc", 2 * links, U1())
    with pytest.raises(ValueError, match="does not exist"):
        read_links(tmp_path / "missing.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(ValueError, match="another kind"):
        read_links(tmp_path / "other.nc")
    (tmp_path / "broken.nc").write_bytes(b"CDF nothing")
    with pytest.raises(ValueError, match="Expected a NetCDF file"):
        read_links(tmp_path / "broken.nc")
