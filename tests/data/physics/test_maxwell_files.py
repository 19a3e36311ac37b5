"""Files of Maxwell's equations in the layout of PDEArena."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from gaugenet.data import DataError, read_maxwell
from gaugenet.geometry import Grid
from gaugenet.groups import O3, multivector


def write(path, group="train", **change):
    fields = {name: np.zeros((2, 3, 4, 5, 6, 3)) for name in ("d_field", "h_field")}
    with h5py.File(path, "w") as file:
        made = file.create_group(group)
        for name, value in (fields | change).items():
            made[name] = value
    return path


def test_fields_lie_on_the_axes_of_grids(tmp_path):
    """The values of the file are linear functions of the coordinates, and those of the grid the same functions."""
    place = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in (4, 5, 6)), indexing="ij"), -1)
    field = np.broadcast_to(place, (2, 3, 4, 5, 6, 3))
    found = read_maxwell(write(tmp_path / "a.h5", "test", d_field=field, h_field=2 * field))
    pos = Grid((6, 5, 4), kernel_size=3).pos.T.view(3, 6, 5, 4).float()
    assert torch.equal(found.displacement, pos.expand(2, 3, -1, -1, -1, -1))
    assert torch.equal(found.magnetic, 2 * found.displacement)
    assert len(read_maxwell(tmp_path / "a.h5", samples=1)) == 1


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_the_magnetic_field_is_a_bivector(tmp_path, flip):
    """Under g of O(3), H is an axial vector det(g) g H, and `multivectors` change as their field type says."""
    random = np.random.default_rng(0)
    d, h = random.normal(size=(2, 1, 1, 2, 2, 2, 3))
    g = np.linalg.qr(random.normal(size=(3, 3)))[0]
    g = flip * np.sign(np.linalg.det(g)) * g
    here = read_maxwell(write(tmp_path / "a.h5", d_field=d, h_field=h)).multivectors
    there = read_maxwell(write(tmp_path / "b.h5", d_field=d @ g.T, h_field=flip * h @ g.T)).multivectors
    expected = multivector(O3(), grades=(1, 2), multiplicity=1).transform(torch.tensor(g).float(), here.flatten(0, 1))
    assert (there.flatten(0, 1) - expected).abs().max() < 1e-5
    polar = read_maxwell(write(tmp_path / "c.h5", d_field=d @ g.T, h_field=h @ g.T)).multivectors
    if flip < 0:
        assert (polar.flatten(0, 1) - expected).abs().max() > 0.1, "control: H as a polar vector"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h_field": np.zeros((2, 3, 4, 5, 7, 3))}, "one shape with 3 components"),
        ({"d_field": np.zeros((2, 3, 4, 5, 6, 2)), "h_field": np.zeros((2, 3, 4, 5, 6, 2))}, "3 components"),
        ({"d_field": np.zeros((2, 3, 4, 5, 6))}, r"numbers on \(sample, time, x, y, z, component\)"),
        ({"h_field": np.full((2, 3, 4, 5, 6, 3), np.inf)}, "'h_field' is not finite"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read_maxwell(write(tmp_path / "a.h5", **change))


def test_other_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        read_maxwell(tmp_path / "none.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("train")["u"] = np.zeros(2)
    with pytest.raises(DataError, match="d_field, h_field"):
        read_maxwell(tmp_path / "b.h5")
    with pytest.raises(ValueError, match="samples"):
        read_maxwell(write(tmp_path / "a.h5"), samples=0)
