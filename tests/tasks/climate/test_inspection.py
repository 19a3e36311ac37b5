"""`gaugenet inspect` of climate files names labels that would stop a training."""

from __future__ import annotations

import numpy as np
import xarray as xr

from gaugenet.cli import main
from gaugenet.data import SyntheticWeather
from gaugenet.tasks.climate.inspection import inspect_climate


def test_a_label_that_is_not_a_class_is_named(tmp_path, capsys):
    weather = SyntheticWeather().write(tmp_path / "weather.nc", steps=2)
    assert inspect_climate(weather)["label_problem"] is None, "control"
    with xr.open_dataset(weather) as found:
        name = inspect_climate(weather)["label"]
        label = found[name].load().copy(deep=True)
        label[1, 3, 4] = np.int8(99)
        found.load().assign({name: label}).to_netcdf(tmp_path / "wrong.nc")
    assert main(["inspect", str(tmp_path / "wrong.nc")]) == 1
    shown = capsys.readouterr().out
    assert "NOT usable" in shown
    assert "holds 99 in time step 1, which is not a class" in shown
