"""Clouds of points on the meshes of ModelNet's layout: uniform by area, normalized, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from gaugenet.data import DataError, ModelNetPoints


@pytest.fixture
def shapes(tmp_path):
    """A box of 1 x 2 x 4 and a ball, in two classes; the box has the header without a space that ModelNet has."""
    box = trimesh.creation.box((1, 2, 4))
    for kind, mesh in (("box", box), ("ball", trimesh.creation.icosphere(subdivisions=3, radius=5))):
        for part in ("train", "test"):
            (tmp_path / kind / part).mkdir(parents=True)
            text = mesh.export(file_type="off")
            (tmp_path / kind / part / f"{kind}_0001.off").write_text(text.replace("OFF\n", "OFF", 1))
    return tmp_path


def test_labels_names_and_normalization(shapes):
    data = ModelNetPoints(shapes, "train", num_points=200)
    assert data.class_names == ("ball", "box")
    assert [(c.name, c.y.item()) for c in data] == [("ball/train/ball_0001", 0), ("box/train/box_0001", 1)]
    for cloud in data:
        assert cloud.pos.shape == (200, 3)
        assert cloud.pos.dtype == torch.float32
        assert cloud.pos.mean(0).abs().max() < 1e-6
        assert cloud.pos.norm(dim=1).max().item() == pytest.approx(1, abs=1e-6)


def test_points_are_uniform_by_area(shapes):
    """Each pair of opposite sides of the box has points in proportion to its area: 8, 4 and 2 of 14 parts."""
    pos = ModelNetPoints(shapes, "train", num_points=20_000)[1].pos.numpy()
    low, high = pos.min(0), pos.max(0)
    on_side = [(np.minimum(pos[:, k] - low[k], high[k] - pos[:, k]) < 1e-5).mean() for k in range(3)]
    np.testing.assert_allclose(on_side, [8 / 14, 4 / 14, 2 / 14], atol=0.015)  # four standard deviations


def test_points_do_not_depend_on_other_files(shapes):
    before = ModelNetPoints(shapes, "test")[1].pos
    (shapes / "ball" / "test" / "ball_0001.off").unlink()
    assert torch.equal(ModelNetPoints(shapes, "test")[0].pos, before)
    assert not torch.equal(ModelNetPoints(shapes, "test", seed=1)[0].pos, before)
    assert not torch.equal(ModelNetPoints(shapes, "train")[1].pos, before), "the parts do not share their points"


def test_items_are_copies(shapes):
    data = ModelNetPoints(shapes)
    data[0].pos.zero_()
    assert data[0].pos.abs().max() > 0
    with pytest.raises(IndexError):
        data[2]


def test_what_is_wrong_is_named(shapes, tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test'"):
        ModelNetPoints(shapes, "val")
    with pytest.raises(ValueError, match="num_points"):
        ModelNetPoints(shapes, num_points=0)
    with pytest.raises(DataError, match="one folder per class"):
        ModelNetPoints(shapes / "box")
    flat = shapes / "box" / "train" / "flat.off"
    flat.write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    with pytest.raises(DataError, match=r"flat\.off.*area"):
        ModelNetPoints(shapes)[2]
    flat.write_text("OFF\n3 1 0\n0 0 0\n")
    with pytest.raises(DataError, match="truncated"):
        ModelNetPoints(shapes)[2]


def test_arguments_that_made_nan_or_other_errors_are_named(shapes, tmp_path):
    for options in ({"num_points": 1}, {"num_points": 2.5}, {"num_points": "3"}, {"seed": -1}, {"seed": None}):
        with pytest.raises(ValueError, match=next(iter(options))):
            ModelNetPoints(shapes, **options)
    assert torch.isfinite(ModelNetPoints(shapes, num_points=2)[0].pos).all()
    file = tmp_path / "database.hdf5"
    file.write_text("not a folder")
    with pytest.raises(DataError, match=r"No folder .*database\.hdf5"):
        ModelNetPoints(file)
    for old in (shapes / "box" / "train").iterdir():
        old.unlink()
    (shapes / "box" / "train" / "box.h5").write_text("not HDF5")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        ModelNetPoints(shapes)
