from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gaugenet.viz import plot_comparison, plot_confusion_matrix, plot_learning_curves
from gaugenet.viz.curves import _curves, _read_rows

CSV = """epoch,step,train_loss_step,train_loss_epoch,val_loss,val_accuracy,lr
0,9,2.5,,,,0.01
0,19,,2.0,,,
0,19,,,1.5,0.5,
1,39,,1.0,,,
1,39,,,nan,0.75,
"""


def test_columns_of_a_log_become_curves(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV)
    curves = _curves(_read_rows(tmp_path / "metrics.csv"))
    assert list(curves) == ["loss", "accuracy"]
    assert set(curves["loss"]) == {"train", "val"}
    np.testing.assert_array_equal(curves["loss"]["train"], [[0, 1], [2, 1]])
    np.testing.assert_array_equal(curves["loss"]["val"], [[0], [1.5]])  # nan left out
    np.testing.assert_array_equal(curves["accuracy"]["val"], [[0, 1], [0.5, 0.75]])


def test_rows_of_one_epoch_are_averaged_and_rows_without_epochs_counted() -> None:
    rows = [{"epoch": 3, "train/loss": 1.0}, {"epoch": 3, "train/loss": 2.0}]
    np.testing.assert_array_equal(_curves(rows)["loss"]["train"], [[3], [1.5]])
    np.testing.assert_array_equal(_curves([{"val_loss": torch.tensor(4.0)}] * 2)["loss"]["val"], [[0, 1], [4, 4]])


def test_pictures_are_written(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(CSV)
    plot_learning_curves(tmp_path / "c.png", tmp_path / "metrics.csv", title="costs $5")
    picture = np.asarray(Image.open(tmp_path / "c.png").convert("RGB")).astype(int)
    for color in ((63, 127, 214), (245, 154, 62)):  # one line for train, one for val
        assert (np.abs(picture - color).sum(-1) < 12).sum() > 100
    plot_confusion_matrix(tmp_path / "m.png", torch.tensor([[5, 1], [0, 0]]), ["$a", "b"], title="t")
    assert Image.open(tmp_path / "m.png").size[0] > 300


def test_many_curves_stand_in_rows(tmp_path: Path) -> None:
    """Eight in one row are 7,290 pixels wide, and illegible on any screen."""
    rows = [{"epoch": k, **{f"val_{name}": k for name in "abcdefgh"}} for k in range(3)]
    plot_learning_curves(tmp_path / "c.png", rows)
    width, height = Image.open(tmp_path / "c.png").size
    assert width < 4 * height


def test_rows_of_the_matrix_decide_the_colors(tmp_path: Path) -> None:
    plot_confusion_matrix(tmp_path / "right.png", np.eye(3) * 100)
    plot_confusion_matrix(tmp_path / "wrong.png", np.roll(np.eye(3), 1, axis=1) * 3)
    right, wrong = (np.asarray(Image.open(tmp_path / f"{n}.png").convert("L")) for n in ("right", "wrong"))
    middle = tuple(size // 2 for size in right.shape)
    area = np.s_[middle[0] - 12 : middle[0] + 12, middle[1] - 12 : middle[1] + 30]
    assert np.median(right[area]) < np.median(wrong[area]) - 60


def test_matplotlib_keeps_no_figures(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot_confusion_matrix(tmp_path / "m.png", np.eye(40))
    assert plt.get_fignums() == before


def test_nothing_to_draw_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="speed"):
        plot_learning_curves(tmp_path / "c.png", [{"epoch": 0, "speed": 3}])
    with pytest.raises(FileNotFoundError):
        plot_learning_curves(tmp_path / "c.png", tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        plot_confusion_matrix(tmp_path / "m.png", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"2 .*got 3"):
        plot_confusion_matrix(tmp_path / "m.png", np.eye(2), list("abc"))
    with pytest.raises(ValueError, match="negative"):
        plot_confusion_matrix(tmp_path / "m.png", -np.eye(2))
    assert list(tmp_path.iterdir()) == []


def test_trainings_are_compared_line_by_line(tmp_path: Path) -> None:
    one = [{"epoch": e, "train_loss": 2.0 / (e + 1), "val_error": 0.5 / (e + 1)} for e in range(5)]
    two = [{"epoch": e, "train_loss": 1.0 / (e + 1)} for e in range(9)]
    plot_comparison(tmp_path / "c.png", {"one": one, "two": two}, ["train_loss", "val_error"], title="both")
    picture = np.asarray(Image.open(tmp_path / "c.png").convert("RGB")).astype(int)
    left, right = np.array_split(picture, 2, axis=1)

    def drawn(part: np.ndarray, color: tuple[int, int, int]) -> int:
        return int((np.abs(part - color).sum(-1) < 12).sum())

    first, second = (63, 127, 214), (245, 154, 62)
    assert min(drawn(left, first), drawn(left, second), drawn(right, first)) > 200
    assert drawn(right, second) < drawn(right, first) / 2, "only the legend: `two` has no val_error"
    with pytest.raises(ValueError, match="no numbers called 'val_loss'"):
        plot_comparison(tmp_path / "n.png", {"one": one}, ["val_loss"])
    assert not (tmp_path / "n.png").exists()
