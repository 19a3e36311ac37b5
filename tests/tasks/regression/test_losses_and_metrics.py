"""Losses and scores of fields, against numpy and scikit-learn's definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional import mean_absolute_error, mean_squared_error, r2_score

from gaugenet.tasks.regression.losses import field_loss
from gaugenet.tasks.regression.metrics import FieldSums, axis_angles, total

RNG = np.random.default_rng(0)
BATCH = np.array([0] * 5 + [1] * 3)
WEIGHT = RNG.uniform(0.5, 2.0, 8)


def _reference(prediction, target, kind, delta):
    """One graph after the other, one item after the other."""
    means = []
    for graph in (0, 1):
        rows = [k for k in range(8) if BATCH[k] == graph]
        error = np.array([np.sqrt(((prediction[k] - target[k]) ** 2).sum()) for k in rows])
        w = WEIGHT[rows] / WEIGHT[rows].sum()
        if kind == "relative":
            size = np.array([(target[k] ** 2).sum() for k in rows])
            means.append(np.sqrt((w * error**2).sum() / (w * size).sum()))
            continue
        huber = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))
        means.append((w * {"l2": error**2, "l1": error, "huber": huber}[kind]).sum())
    return np.mean(means)


@pytest.mark.parametrize("shape", [(), (3,), (3, 3)])
@pytest.mark.parametrize("kind", ["l2", "l1", "huber", "relative"])
def test_losses_are_what_they_say(kind, shape):
    prediction, target = RNG.standard_normal((2, 8, *shape))
    tensors = [torch.from_numpy(values) for values in (prediction, target, WEIGHT, BATCH)]
    found = field_loss(*tensors, 2, kind=kind, delta=0.7)
    assert float(found) == pytest.approx(_reference(prediction, target, kind, 0.7), rel=1e-12)


@pytest.mark.parametrize("kind", ["l2", "l1", "huber", "relative"])
def test_losses_have_finite_slopes_where_predictions_are_right(kind):
    target = torch.randn(8, 3, dtype=torch.float64)
    prediction = target.clone().requires_grad_()
    field_loss(prediction, target, torch.from_numpy(WEIGHT), torch.from_numpy(BATCH), 2, kind=kind).backward()
    assert prediction.grad.isfinite().all()
    assert not prediction.grad.any()


def test_items_without_weight_do_not_count():
    prediction, target = torch.randn(2, 8, 3, dtype=torch.float64)
    weight, batch = torch.from_numpy(WEIGHT).clone(), torch.from_numpy(BATCH)
    weight[[1, 6]] = 0
    first = field_loss(prediction, target, weight, batch, 2)
    prediction[[1, 6]] = 1e9
    assert torch.equal(field_loss(prediction, target, weight, batch, 2), first)
    assert field_loss(prediction, target, torch.from_numpy(WEIGHT), batch, 2) > 1e6, "control"


def _meshes(shape):
    for n in (7, 12):
        target = RNG.standard_normal((n, *shape)) + 1.0
        yield target + 0.3 * RNG.standard_normal((n, *shape)), target, RNG.uniform(size=n) > 0.2


@pytest.mark.parametrize("shape", [(), (3,), (3, 3)])
def test_scores_over_all_meshes(shape):
    meshes = list(_meshes(shape))
    scores = total([FieldSums.of(*mesh) for mesh in meshes]).scores()
    p, t = (np.concatenate([mesh[k][mesh[2]] for mesh in meshes]).reshape(-1, int(np.prod(shape))) for k in (0, 1))
    error, size = np.sqrt(((p - t) ** 2).sum(1)), np.sqrt((t**2).sum(1))
    assert scores["count"] == len(t)
    assert scores["missing"] == sum(int((~mesh[2]).sum()) for mesh in meshes)
    assert scores["mae"] == pytest.approx(error.mean())
    assert scores["nmae"] == pytest.approx(error.mean() / size.max())
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert scores["relative_l2"] == pytest.approx(np.linalg.norm(p - t) / np.linalg.norm(t))
    assert scores["r2"] == pytest.approx(1 - (error**2).sum() / ((t - t.mean(0)) ** 2).sum())
    cosine = np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(p, t)]) if shape else None
    assert scores["cosine"] == (None if cosine is None else pytest.approx(cosine))


def test_scores_of_scalars_and_vectors_are_those_of_torchmetrics():
    prediction, target, _ = next(_meshes((3,)))
    everywhere = np.ones(len(target), dtype=bool)
    p, t = torch.from_numpy(prediction), torch.from_numpy(target)
    vectors = FieldSums.of(prediction, target, everywhere).scores()
    assert vectors["r2"] == pytest.approx(float(r2_score(p, t, multioutput="variance_weighted")))
    scalars = FieldSums.of(prediction[:, 0], target[:, 0], everywhere).scores()
    assert scalars["mae"] == pytest.approx(float(mean_absolute_error(p[:, 0], t[:, 0])))
    assert scalars["rmse"] == pytest.approx(float(mean_squared_error(p[:, 0], t[:, 0], squared=False)))
    assert scalars["r2"] == pytest.approx(float(r2_score(p[:, 0], t[:, 0])))


def test_scores_that_are_not_defined_are_none():
    nothing = FieldSums.of(np.zeros((2, 3)), np.full((2, 3), np.nan), np.zeros(2, dtype=bool)).scores()
    assert {name for name, value in nothing.items() if value is None} == {
        "mae", "nmae", "rmse", "r2", "relative_l2", "cosine", "axis_angle"
    }  # fmt: skip
    flat = FieldSums.of(np.ones(3), np.full(3, 2.0), np.ones(3, dtype=bool)).scores()
    assert flat["r2"] is None
    assert flat["mae"] == 1.0


def test_the_axis_angle_is_the_angle_by_which_the_axes_were_turned():
    """Tensors in the planes of random normals, so the normal direction must not count."""
    n = 200
    frame = np.linalg.qr(RNG.standard_normal((n, 3, 3)))[0][:, :, :2]
    values, turn = RNG.standard_normal((2, n, 2)), np.radians(RNG.uniform(-90, 90, n))

    def tensor(principal, angle):
        axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        other = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
        plane = sum(principal[:, k, None, None] * a[:, :, None] * a[:, None] for k, a in enumerate((axis, other)))
        return np.einsum("nia,nab,njb->nij", frame, plane, frame)

    target = tensor(values[0], np.zeros(n))
    prediction = tensor(np.sort(values[1], axis=1)[:, ::-1], turn)  # the larger value along the turned axis
    swapped = values[0, :, 0] < values[0, :, 1]
    expected = np.degrees(np.abs(np.where(swapped, np.abs(turn) - np.pi / 2, turn)))
    angle, weight = axis_angles(prediction.reshape(n, 9), target.reshape(n, 9))
    np.testing.assert_allclose(angle, expected, atol=1e-5)
    np.testing.assert_allclose(weight, np.abs(values[0, :, 0] - values[0, :, 1]), atol=1e-12)
    scores = FieldSums.of(prediction, target, np.ones(n, dtype=bool)).scores()
    assert scores["axis_angle"] == pytest.approx((angle * weight).sum() / weight.sum())
    isotropic = axis_angles(prediction.reshape(n, 9), (frame @ frame.swapaxes(1, 2)).reshape(n, 9))[1]
    assert isotropic == pytest.approx(np.zeros(n), abs=1e-6), "tensors without axes do not count"
    assert axis_angles(0 * prediction.reshape(n, 9), target.reshape(n, 9))[0] == pytest.approx(np.full(n, 45.0))


def test_scores_do_not_depend_on_where_the_mesh_stands():
    prediction, target, known = next(_meshes((3,)))
    q, _ = np.linalg.qr(RNG.standard_normal((3, 3)))
    one, two = FieldSums.of(prediction, target, known), FieldSums.of(prediction @ q.T, target @ q.T, known)
    assert one.scores() == pytest.approx(two.scores())
