"""Actions are actions: g.(h.x) = (g h).x, exact where pixels meet pixels, and near elsewhere."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from gaugenet.geometry.grids.action import (
    FibreAction,
    FieldAction,
    PositionAction,
    _along_array_axes,
    _interpolated,
    move_grid,
)
from gaugenet.geometry.grids.grid import Grid
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, PseudoOrthogonal
from gaugenet.groups.representations.planar import rotation
from tests.tolerances import TOL, relative


def signed_permutations(d: int) -> torch.Tensor:
    """The symmetries of the square or the cube, reflections included."""
    eye = torch.eye(d, dtype=torch.float64)
    signs = itertools.product([1.0, -1.0], repeat=d)
    rows = itertools.product(itertools.permutations(range(d)), signs)
    return torch.stack([eye[list(p)] * torch.tensor(s, dtype=torch.float64)[:, None] for p, s in rows])


def blob(size: int, *, dim: int = 2) -> torch.Tensor:
    """A smooth field `(1, 1, size, ...)` without symmetry that vanishes towards the border."""
    axes = [torch.linspace(-1, 1, size, dtype=torch.float64)] * dim
    p = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    centre = torch.tensor([0.2, -0.1, 0.15], dtype=torch.float64)[:dim]
    stretch = torch.tensor([4.5, 6.0, 7.0], dtype=torch.float64)[:dim]
    return torch.exp(-(((p - centre) * stretch) ** 2).sum(-1))[None, None] * (1 + p[..., 0])


def slope(f: torch.Tensor) -> torch.Tensor:
    """The gradient (d/dx, d/dy) of a field of scalars: x to the right, y up."""
    down, right = torch.gradient(f, dim=(2, 3))
    return torch.cat([right, -down], 1)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_signed_permutations_act_exactly(d):
    x = torch.randn(2, 3, *[5 if d < 4 else 3] * d, dtype=torch.float64)
    g = signed_permutations(d)
    assert len(g) == 2**d * math.factorial(d)
    for a, b in zip(g, g.flip(0)):
        assert torch.equal(move_grid(a, move_grid(b, x)), move_grid(a @ b, x))
    assert any(not torch.equal(move_grid(a, move_grid(b, x)), move_grid(b @ a, x)) for a, b in zip(g, g.roll(1, 0)))


@pytest.mark.parametrize("d", [2, 3])
def test_interpolation_at_signed_permutations_is_the_permutation(d):
    x = torch.randn(2, 3, *[4] * d, dtype=torch.float64)
    for g in signed_permutations(d):
        assert (
            relative(_interpolated(_along_array_axes(g).expand(2, d, d), x, "bilinear"), move_grid(g, x))
            < TOL[torch.float64]
        )


def test_fields_move_with_the_points_of_space_time():
    """Four axes: (g.f)(p) = f(g^-1 p) at every pixel, for rotations of space, reversal of time, and both as vectors."""
    grid, group = Grid((2, 3, 3, 3), signature=(3, 1), kernel_size=3), PseudoOrthogonal(3, 1)
    positions = grid.pos.T.reshape(1, 4, *grid.shape)
    g = torch.eye(4, dtype=torch.float64)
    g[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    g[3, 3] = -1
    moved = move_grid(g, positions)
    assert torch.equal(moved[0].flatten(1).T, grid.pos @ g)
    assert torch.equal(FieldAction(FieldType(group, "1x1"))(g, positions), positions), (
        "each pixel keeps its own position"
    )
    assert not torch.equal(moved, positions)
    with pytest.raises(ValueError, match="no interpolation on four axes"):
        move_grid(group.boost(0.3, (0, 3)), positions)
    swap = g[[3, 1, 2, 0]]  # exchanges axes of unequal length
    with pytest.raises(ValueError, match="no interpolation on four axes"):
        move_grid(swap, positions)


def test_quarter_turn_is_counter_clockwise():
    x = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    rotated = move_grid(rotation(torch.tensor(math.pi / 2, dtype=torch.float64)), x)
    np.testing.assert_array_equal(rotated[0, 0].numpy(), np.rot90(x[0, 0].numpy()))


def test_unequal_axes_keep_their_lengths():
    x = blob(33)[..., 6:-6]
    half = -torch.eye(2, dtype=torch.float64)
    assert torch.equal(move_grid(half, x), x.flip(2, 3))
    quarter = move_grid(rotation(torch.tensor(math.pi / 2, dtype=torch.float64)), x)
    assert relative(quarter[..., 6:-6, :], blob(33).rot90(1, (2, 3))[..., 6:-6, 6:-6]) < TOL[torch.float64]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_other_angles_agree_with_scipy_and_converge(mode):
    angle = 0.7
    g = rotation(torch.tensor(angle, dtype=torch.float64))
    errors, falls = [], {"bilinear": 2.0, "bicubic": 1.2}[mode]
    for size in (17, 33, 65):
        x = blob(size)
        exact = scipy.ndimage.rotate(x[0, 0].numpy(), math.degrees(angle), reshape=False, order=5)
        errors.append(relative(move_grid(g, x, mode=mode)[0, 0], torch.from_numpy(exact)))
    assert errors[0] > falls * errors[1] > falls**2 * errors[2]
    wrong_way = relative(move_grid(g.T, blob(65), mode=mode), move_grid(g, blob(65), mode=mode))
    assert wrong_way > 20 * errors[2], "control: the inverse rotation is another image"


def test_each_entry_of_a_batch_has_its_own_element():
    x = torch.randn(4, 2, 5, 5, dtype=torch.float64)
    for group in (Cyclic(4), SO2()):
        g = group.random_element((4,), generator=torch.Generator().manual_seed(1))
        together = move_grid(g, x)
        alone = torch.cat([move_grid(one, x[i : i + 1]) for i, one in enumerate(g)])
        assert relative(together, alone) < TOL[torch.float64]


def test_fields_of_vectors_turn_with_the_grid():
    group = Dihedral(4)
    action = FieldAction(FieldType(group, "2x0 + 1x1 + 1xregular"))
    x = torch.randn(2, 12, 5, 5, dtype=torch.float64)
    a, b = group.random_element((2,), generator=torch.Generator().manual_seed(0))
    assert relative(action(a, action(b, x)), action(a @ b, x)) < TOL[torch.float64]
    gradient, rotated = slope(blob(9)), slope(move_grid(a, blob(9)))
    vectors = FieldAction(FieldType(group, "1x1"))
    assert relative(vectors(a, gradient), rotated) < TOL[torch.float64], "the gradient is a field of vectors"
    assert relative(move_grid(a, gradient), rotated) > 0.1, "control: its components are no scalars"


def test_positions_and_fibres():
    group = O2()
    g = group.random_element((3,), generator=torch.Generator().manual_seed(0))
    pos = torch.randn(3, 7, 2, dtype=torch.float64)
    act = PositionAction()
    assert relative(act(g, pos)[1, 4], g[1] @ pos[1, 4]) < TOL[torch.float64]
    assert relative(act(g[0], pos[2])[3], g[0] @ pos[2, 3]) < TOL[torch.float64]
    fibre = FibreAction(FieldType(group, "1x0 + 1x1"))
    y = torch.randn(3, 3, dtype=torch.float64)
    assert relative(fibre(g, y)[1, 1:], g[1] @ y[1, 1:]) < TOL[torch.float64]
    assert FibreAction()(g, y) is y


def test_what_does_not_fit_is_refused():
    x = torch.zeros(2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"shape \(d, d\) or \(B, d, d\)"):
        move_grid(torch.eye(3), x)
    with pytest.raises(ValueError, match=r"\(3, 2, 2\) for \(2, 1, 4, 4\)"):
        move_grid(torch.eye(2).expand(3, 2, 2), x)
    with pytest.raises(ValueError, match="'bicubic' on 3 axes"):
        move_grid(torch.eye(3), torch.zeros(1, 1, 4, 4, 4), mode="bicubic")
