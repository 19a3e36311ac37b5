"""Grid: axes, neighbourhoods, boundaries, and the same space as a gauge graph."""

from __future__ import annotations

import math
import pickle

import pytest
import torch

from gaugenet.geometry import Grid
from gaugenet.geometry.grids.stencil import mirror
from gaugenet.groups import O3, SO2, Dihedral, PseudoOrthogonal, Reflection, Trivial

R = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
"""Counter-clockwise by 90 degrees."""


def images_of(pos: torch.Tensor, shape) -> torch.Tensor:
    """Positions as an image of vectors, `(1, d, *shape)`."""
    return pos.T.reshape(1, -1, *shape)


def test_x_runs_right_and_y_up():
    grid = Grid((2, 3), spacing=0.5)
    assert grid.pos.tolist() == [[-0.5, 0.25], [0, 0.25], [0.5, 0.25], [-0.5, -0.25], [0, -0.25], [0.5, -0.25]]
    assert Grid((3,)).pos.tolist() == [[-1], [0], [1]]


def test_rot90_is_the_counter_clockwise_rotation():
    """The image of positions, rotated as an image, holds the positions rotated back: x'(p) = R x(R^-1 p) = p."""
    grid, rotated = Grid((4, 7)), Grid((7, 4))
    moved = torch.rot90(images_of(grid.pos, grid.shape), 1, (-2, -1))
    assert torch.equal(torch.einsum("ij,bjhw->bihw", R, moved), images_of(rotated.pos, rotated.shape))
    assert not torch.equal(moved, images_of(rotated.pos, rotated.shape))


@pytest.mark.parametrize(("axes", "plane"), [((-2, -1), (0, 1)), ((-3, -2), (1, 2)), ((-3, -1), (2, 0))])
def test_rot90_of_volumes_is_a_positive_rotation(axes, plane):
    """Array axes a < b: x -> y, y -> z and z -> x."""
    grid = Grid((3, 4, 5))
    image = torch.rot90(images_of(grid.pos, grid.shape), 1, axes)
    rotated = Grid(image.shape[2:])
    i, j = plane
    g = torch.eye(3, dtype=torch.float64)
    g[i, i] = g[j, j] = 0
    g[j, i], g[i, j] = 1, -1
    assert torch.linalg.det(g) == 1
    assert torch.equal(
        torch.einsum("ij,b...j->b...i", g, image.movedim(1, -1)).movedim(-1, 1), images_of(rotated.pos, rotated.shape)
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirrors_reverse_an_array_axis(axis):
    grid = Grid((3, 4, 5))
    image = images_of(grid.pos, grid.shape)
    flipped = torch.einsum("ij,b...j->b...i", mirror(axis, 3), image.flip(axis + 2).movedim(1, -1)).movedim(-1, 1)
    assert torch.equal(flipped, image)


@pytest.mark.parametrize(("size", "neighbours"), [(3, 8), (5, 20), (7, 36)])
def test_the_ball_in_a_window(size, neighbours):
    stencil = Grid((9, 9), kernel_size=size, spacing=0.1).stencil
    assert stencil.window == (size, size)
    assert int(stencil.inside.sum()) == neighbours
    assert stencil.radius == pytest.approx(size * 0.05)
    assert stencil.weights[stencil.centre] == 0
    assert stencil.weights.sum() == pytest.approx(neighbours / (neighbours + 1))
    assert stencil.offsets[0].tolist() == pytest.approx([-(size - 1) / size, (size - 1) / size])


def test_radius_and_window_say_the_same():
    by_radius = Grid((9, 9), spacing=0.1, radius=0.25)
    assert by_radius == Grid((9, 9), spacing=0.1, kernel_size=5)
    assert hash(by_radius) == hash(Grid((9, 9), spacing=0.1, kernel_size=5))
    assert Grid((9, 9), radius=3.4).kernel_size == (7, 7)
    assert int(Grid((9, 9), radius=3.0).stencil.inside.sum()) == 28
    assert int(Grid((9, 9), radius=3.0, kernel_size=5).stencil.inside.sum()) == 24
    slices = Grid((5, 9, 9), spacing=(2.0, 1.0, 1.0), radius=2.5)
    assert slices.kernel_size == (3, 5, 5)
    assert slices.stencil.lengths.norm(dim=-1)[slices.stencil.inside].max() <= 2.5


def test_shapes_of_strided_and_transposed_grids():
    grid = Grid((9, 12), kernel_size=5)
    assert grid.replace(stride=2).out_shape == (5, 6)
    assert grid.strided(2).shape == (5, 6)
    assert grid.strided(2).spacing == (2.0, 2.0)
    assert grid.strided(2).kernel_size == (5, 5)
    assert grid.replace(padding=0).out_shape == (5, 8)
    assert (
        grid.replace(padding=0, stride=3).out_shape == torch.nn.Conv2d(1, 1, 5, 3)(torch.zeros(1, 1, 9, 12)).shape[2:]
    )
    back = grid.replace(stride=2, transposed=True)
    assert (back.in_shape, back.out_shape) == ((5, 6), (9, 12))
    keep = Grid((9, 9), radius=2.2).replace(stride=2)
    assert keep.radius == 2.2
    assert keep.replace(kernel_size=3).radius == 1.5


SPACES = [
    *[(boundary, shape, None) for boundary in ("zeros", "periodic") for shape in ((6,), (5, 6), (4, 5, 4))],
    ("reflect", (5, 6), Dihedral(2)),
    ("reflect", (4, 5, 4), O3()),
]


@pytest.mark.parametrize(("boundary", "shape", "group"), SPACES, ids=str)
def test_edges_are_those_of_the_space(boundary, shape, group):
    """Counted and measured by brute force on the points themselves."""
    d = len(shape)
    grid = Grid(shape, kernel_size=3, spacing=0.5, boundary=boundary, group=group)
    graph = grid.gauge_graph()
    source, target = graph.edge_index
    assert (target[1:] >= target[:-1]).all()
    difference = graph.pos[source] - graph.pos[target]
    if boundary == "zeros":
        assert torch.equal(difference, graph.log_map)
        distance = torch.cdist(graph.pos, graph.pos)
        assert len(target) == int(((distance <= 0.75 * math.sqrt(1 + 1e-9)) & (distance > 0)).sum())
    else:
        assert len(target) == grid.num_nodes * int(grid.stencil.inside.sum())
    if boundary == "periodic":
        size = torch.tensor(shape[::-1]) * 0.5
        wrapped = (difference - graph.log_map) / size
        assert (wrapped - wrapped.round()).abs().max() < 1e-12
    if boundary == "reflect":
        beyond = graph.transporter.diagonal(dim1=-2, dim2=-1) < 0
        half = (torch.tensor(shape[::-1]) - 1) * 0.25
        seen = graph.pos[target] + graph.log_map
        assert torch.equal(beyond, seen.abs() > half + 1e-9)
        folded = torch.where(beyond, seen.sign() * 2 * half - seen, seen)
        assert (folded - graph.pos[source]).abs().max() < 1e-12
        assert bool(group.contains(graph.transporter).all())
    else:
        assert torch.equal(graph.transporter, torch.eye(d, dtype=torch.float64).expand_as(graph.transporter))


def test_grids_pickle_and_print():
    grid = Grid((4, 5), boundary="periodic", group=SO2(), kernel_size=3)
    assert pickle.loads(pickle.dumps(grid)) == grid
    assert "periodic" in repr(grid)
    assert grid.gauge_graph().structure == "SO(2)"
    assert Grid((4, 5)).group == Trivial(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, "odd `kernel_size`, got 4.*Use 5"),
        ({"kernel_size": (3, 2)}, "odd `kernel_size`"),
        ({"kernel_size": 0}, "`kernel_size` with one whole number of at least 1, or 2 of them, got 0"),
        ({"kernel_size": (3, 3, 3)}, "`kernel_size` with one whole number"),
        ({"kernel_size": 3.0}, "whole number .*got 3.0"),
        ({"stride": "2"}, "whole number .*got '2'"),
        ({"padding": -1}, "`padding` with one whole number of at least 0"),
        ({"boundary": "circular"}, "zeros, reflect, periodic, got 'circular'"),
        ({"spacing": -1.0}, "`spacing` with one positive length"),
        ({"spacing": (1.0, 2.0), "kernel_size": 3}, "pass `radius`"),
        ({"spacing": (1.0, 2.0)}, "A window of 5 pixels"),
        ({"radius": 0.5}, "`radius` of at least the spacing"),
        ({"radius": math.nan}, "positive `radius`"),
        ({"stride": 0}, "`stride`"),
        ({"kernel_size": 9, "boundary": "reflect"}, "too far for an axis of 4 pixels"),
        ({"kernel_size": 11, "boundary": "periodic"}, "too far for an axis of 4 pixels"),
        ({"kernel_size": 7, "padding": 0}, "does not fit"),
        ({"group": Trivial(3)}, r"acting on R\^2"),
        ({"transposed": True, "boundary": "periodic"}, "transposed"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Grid((4, 5), **options)


def test_wrong_shapes():
    for shape in ((), (3, 0), (2, 2, 2, 2, 2)):
        with pytest.raises(ValueError, match="1 to 4 positive sizes"):
            Grid(shape)
    with pytest.raises(ValueError, match=r"reflections of the axes.*got Trivial"):
        Grid((5, 5, 5), boundary="reflect").gauge_graph()
    with pytest.raises(ValueError, match=r"reflections of the axes.*got SO\(2\)"):
        Grid((5, 5), boundary="reflect", group=SO2()).gauge_graph()
    with pytest.raises(ValueError, match=r"acting on R\^1"):
        Grid((5,), group=Reflection())


def test_signature_is_a_metric_that_fits():
    grid = Grid((6, 5, 4), signature=(2, 1), spacing=(0.1, 1.0, 1.0), radius=1.0)
    assert grid.signature == (2, 1)
    assert grid.replace(radius=2.0).signature == (2, 1)
    assert grid.strided(2).signature == (2, 1)
    assert pickle.loads(pickle.dumps(grid)) == grid != grid.replace(signature=None)
    assert grid.pos[:, 2].unique().numel() == 6, "time, the third frame axis, is the first array axis"
    for wrong in [(2, 2), (3,), (1, 1, 1), (-1, 4), (1.5, 1.5), (4, 0), 3.0, (True, 2)]:
        with pytest.raises(ValueError, match="p \\+ q = 3"):
            Grid((6, 5, 4), signature=wrong)


def test_groups_preserve_the_metric():
    plane, space_time = Grid((4, 4), signature=(0, 2)), Grid((4, 4, 4), signature=(1, 2))
    for group in (SO2(), Dihedral(4), Trivial(2)):
        plane.check_metric(group)
    for group in (PseudoOrthogonal(1, 2), PseudoOrthogonal(1, 2, part="SO+"), Trivial(3)):
        space_time.check_metric(group)
    for grid, group in [
        (plane, PseudoOrthogonal(1, 1)),
        (space_time, O3()),
        (space_time, PseudoOrthogonal(2, 1)),
        (Grid((3, 3), signature=(1, 1)), SO2()),
    ]:
        with pytest.raises(ValueError, match="preserves the metric"):
            grid.check_metric(group)
    with pytest.raises(ValueError, match="preserves the metric"):
        Grid((4, 4, 4), signature=(1, 2), group=O3())
    Grid((4, 4, 4)).check_metric(PseudoOrthogonal(1, 2))  # no signature, no check
