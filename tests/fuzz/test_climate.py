"""Damaged climate files: every frame is read, or refused by name. The libraries that parse them run in children."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.happi import Happi20Files
from gaugenet.tasks.mesh.isolated import Failure, Limits, isolated
from tests.fuzz.mutations import damaged, fuzz, longer, reads_or_refuses

LAT, LON = np.arange(-75.0, 90.0, 30.0), np.arange(0.0, 360.0, 30.0)


def _netcdf(folder: Path, form: str) -> bytes:
    shape = ("time", "lat", "lon")
    values = np.random.default_rng(0).normal(size=(2, len(LAT), len(LON))).astype(np.float32)
    data = xr.Dataset(
        {
            "U850": (shape, values, {"units": "m/s"}),
            "V850": (shape, values[::-1], {"units": "m/s"}),
            "label": (shape, (values > 0).astype(np.int8), {"flag_values": [0, 1], "flag_meanings": "calm storm"}),
        },
        {"time": np.array(["2000-01-01", "2000-01-02"], "M8[ns]"), "lat": LAT, "lon": LON},
    )
    data.to_netcdf(folder / f"{form}.nc", format=form)
    return (folder / f"{form}.nc").read_bytes()


@pytest.fixture(scope="module")
def netcdf(tmp_path_factory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("netcdf")
    return [_netcdf(folder, form) for form in ("NETCDF3_CLASSIC", "NETCDF4")]


def _frames(path: Path) -> str:
    """What became of a file, in words; runs in a child."""
    try:
        for frame in ClimateFiles(path):
            if not (np.isfinite(frame.scalars).all() and np.isfinite(frame.vectors).all()):
                return "numbers that are not finite"
    except MemoryError:
        raise
    except Exception as error:
        own = isinstance(error, ValueError) and type(error).__module__.startswith("gaugenet")
        return "refused" if own and path.name in str(error) else f"foreign words: {error!r}"
    return "read"


def _check(tmp_path, contents: list[bytes], data, count: int) -> None:
    files = [tmp_path / f"damaged{k}.nc" for k in range(count)]
    for file in files:
        file.write_bytes(data.draw(damaged(contents)))
    limits = Limits(seconds=30, memory=2**30)
    for index, outcome in isolated(_frames, files, processes=1, limits=limits):
        hdf5 = files[index].read_bytes().startswith(b"\x89HDF")
        known = ("crashed", "timeout") if hdf5 else ("crashed",)  # the libraries themselves, see SECURITY.md
        excused = isinstance(outcome, Failure) and outcome.outcome in known
        assert excused or outcome in ("read", "refused"), (outcome, files[index].read_bytes())


def test_control_the_files_are_whole(tmp_path, netcdf):
    for content in netcdf:
        (tmp_path / "whole.nc").write_bytes(content)
        assert _frames(tmp_path / "whole.nc") == "read"


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_netcdf(tmp_path, netcdf, data):
    _check(tmp_path, netcdf, data, 20)


@pytest.mark.long
@settings(max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_many_damaged_netcdf(tmp_path, netcdf, data):
    _check(tmp_path, netcdf, data, 100)


@pytest.fixture(scope="module")
def frame() -> bytes:
    file, rng = io.BytesIO(), np.random.default_rng(0)
    labels = np.eye(3)[rng.integers(0, 3, 12)].T
    np.savez(file, data=rng.normal(size=(16, 12)).astype(np.float32), labels=labels.astype(np.int8))
    return file.getvalue()


def _frame(path: Path):
    return Happi20Files(path.parent)[0]


def test_control_the_npz_is_whole(tmp_path, frame):
    _vertices(tmp_path)
    reads_or_refuses(_frame, tmp_path / "data-2000-01-01-00-0.npz", frame).label.shape  # noqa: B018


def _vertices(folder: Path) -> None:
    points = np.random.default_rng(1).normal(size=(12, 3))
    np.save(folder / "vertices.npy", points / np.linalg.norm(points, axis=1, keepdims=True))


@fuzz
@given(data=st.data())
def test_damaged_npz(tmp_path, frame, data):
    _vertices(tmp_path)
    reads_or_refuses(_frame, tmp_path / "data-2000-01-01-00-0.npz", data.draw(damaged([frame])))


@longer
@given(data=st.data())
def test_many_damaged_npz(tmp_path, frame, data):
    _vertices(tmp_path)
    reads_or_refuses(_frame, tmp_path / "data-2000-01-01-00-0.npz", data.draw(damaged([frame])))
