"""Data that no network can learn from are refused early; evaluations of files of one name are told apart."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import xarray as xr

from gaugenet._shipped import shipped
from gaugenet.tasks import ClimateData, TaskError, train_climate
from gaugenet.tasks.climate.evaluation import _result_name, evaluate_climate

LAT, LON = np.arange(-80.0, 90.0, 20.0), np.arange(0.0, 360.0, 20.0)
FLAGS = {"flag_values": np.array([0, 1, 2], np.int8), "flag_meanings": "calm storm river"}


def weather(path, labels, first="2000-01-01"):
    """Four days of noise with the given labels."""
    shape, rng = ("time", "lat", "lon"), np.random.default_rng(0)
    wind = rng.normal(size=(2, 4, len(LAT), len(LON))).astype(np.float32)
    label = np.array(labels, np.int8)[np.arange(wind[0].size) % len(labels)].reshape(wind[0].shape)
    fields = {"U850": (shape, wind[0]), "V850": (shape, wind[1]), "label": (shape, label, FLAGS)}
    time = np.datetime64(first, "ns") + np.arange(4) * np.timedelta64(1, "D")
    xr.Dataset(fields, {"time": time, "lat": LAT, "lon": LON}).to_netcdf(path)
    return str(path)


def train(tmp_path, learned, validated):
    data = ClimateData(
        files=[weather(tmp_path / "train.nc", learned)],
        val=[weather(tmp_path / "val.nc", validated, "2001-01-01")],
        level=2,
    )
    model = {"levels": 2, "width": 2, "group": "C_6"}
    return train_climate(tmp_path / "run", data=data, model=model, trainer={"max_epochs": 1})


@pytest.mark.parametrize(("learned", "validated", "part"), [([-1], [0, 1], "training"), ([0, 1], [-1], "validation")])
def test_parts_without_labels_are_refused(tmp_path, learned, validated, part):
    with pytest.raises(ValueError, match=f"No label in the {part} data"):
        train(tmp_path, learned, validated)
    assert not (tmp_path / "run" / "run.json").exists()


def test_more_levels_than_the_icosphere_has_are_refused_before_anything_is_written(tmp_path):
    data = ClimateData(files=[weather(tmp_path / "train.nc", [0, 1])], val_fraction=0, level=2)
    with pytest.raises(ValueError, match="icosphere of level 3 or more for 4 levels, got level 2"):
        train_climate(tmp_path / "run", data=data, trainer={"max_epochs": 1})
    assert not (tmp_path / "run").exists()


def test_a_class_that_only_the_validation_has_is_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="gaugenet"):
        train(tmp_path, [0, 1], [0, 1, 2])
    assert "no network can learn: ['river']" in caplog.text


def test_what_cannot_be_calibrated(tmp_path):
    """A network that all share, and a run by files without labels: nothing is written."""
    with pytest.raises(TaskError, match="copy the folder, and calibrate the copy"):
        evaluate_climate(shipped("pretrained") / "gfs_cyclones", ["any.nc"], calibrate=True, out=tmp_path / "out")
    train(tmp_path, [0, 1], [0, 1, 2])
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(ValueError, match="Expected labelled frames"):
        evaluate_climate(tmp_path / "run", [weather(tmp_path / "none.nc", [-1])], calibrate=True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_evaluations_of_files_of_one_name_have_names_of_their_own(tmp_path):
    first, second = str(tmp_path / "a" / "test.nc"), str(tmp_path / "b" / "test.nc")
    assert _result_name(tmp_path, [first]) == "evaluation_test.json"
    (tmp_path / "evaluation_test.json").write_text(json.dumps({"files": [first]}))
    assert _result_name(tmp_path, [first]) == "evaluation_test.json", "which only --overwrite replaces"
    assert _result_name(tmp_path, [second]) == "evaluation_b_test.json"
