"""Rows of groups that are not compact: scaling, and Minkowski space.

No neighbourhood of a point is bounded and invariant under these groups, so all points are neighbours in these rows. The
exception are pixels of space-time, where the window ends the neighbourhood.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.geometry import Euclidean, Grid, Minkowski
from gaugenet.groups import SO2, FieldType, Lorentz, PseudoOrthogonal, Scaling, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import GaugeConv
from gaugenet.taxonomy.entry import Configuration, Row
from gaugenet.taxonomy.transformations import affine, draw, rotation

LINE, PLANE = Euclidean(1), Euclidean(2)
ALL = 5.0
"""A radius that contains all points, before and after the transformations below."""


def line_scaling(points: Tensor) -> Configuration:
    """Make all points neighbours: no smaller neighbourhood is invariant under scaling."""
    group = Scaling(1)
    fields = FieldType(group, "2x0 + 2xs1 + 1xs2")
    return LINE.gauge_graph(points, group, radius=ALL, dtype=torch.float64), GaugeConv(fields, fields)


def plane_scaling(points: Tensor) -> Configuration:
    group = Scaling(2)
    fields = FieldType(group, "2x0 + 2xs1 + 1xs2")
    return PLANE.gauge_graph(points, group, radius=ALL, dtype=torch.float64), GaugeConv(fields, fields)


def plane_similarities(points: Tensor) -> Configuration:
    group = Scaling(2, rotations=SO2())
    fields = FieldType(group, "2x0 + 1x1 + 2xs1 + 1x(1⊗s1)")
    return PLANE.gauge_graph(points, group, radius=ALL, dtype=torch.float64), GaugeConv(fields, fields)


def minkowski_plane(points: Tensor) -> Configuration:
    """Make all points neighbours: no bounded neighbourhood is invariant under boosts."""
    group = Lorentz(2)
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return Minkowski(2).gauge_graph(points, group, radius=ALL, dtype=torch.float64), GaugeConv(fields, fields)


def minkowski_space(points: Tensor) -> Configuration:
    group = Lorentz(3)
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return Minkowski(3).gauge_graph(points, group, radius=ALL, dtype=torch.float64), GaugeConv(fields, fields)


def minkowski_grid(points: Tensor) -> Configuration:
    """Pixels of time, rows and columns with multivectors; boosts hold up to the window, see `multivectors.md`."""
    fields = multivector(PseudoOrthogonal(2, 1, part="SO"), multiplicity=2)
    grid = Grid((5, 5, 5), boundary="periodic", signature=(2, 1), kernel_size=3)
    return grid, GaugeConv(fields, fields, kernel=Clifford(rings=2))


def along(*factors: float) -> Tensor:
    """Return the diagonal matrix that scales each axis by its factor."""
    return torch.diag(torch.tensor(factors, dtype=torch.float64))


NONCOMPACT = (
    Row(
        "line_scaling", "E_1", "S", "T_1 ⋊ S", "frequencies of log s", line_scaling, draw(LINE, 30),
        affine("dilation and shift", along(0.6), 0.3), affine("reflection", along(-1.0)),
    ),
    Row(
        "plane_scaling", "E_2", "S", "T_2 ⋊ S", "frequencies of log s", plane_scaling, draw(PLANE, 30),
        affine("dilation and shift", along(0.6, 0.6), 0.3), affine("rotation by 40°", rotation(40)),
    ),
    Row(
        "plane_similarities", "E_2", "SO(2) × S", "T_2 ⋊ (SO(2) × S)", "irreps ⊗ frequencies of log s",
        plane_similarities, draw(PLANE, 30), affine("rotation by 40°, dilation and shift", 0.6 * rotation(40), 0.3),
        affine("stretching one axis", along(1.0, 1.3)),
    ),
    Row(
        "minkowski_plane", "Minkowski E_(1,1)", "SO(1,1)", "T_2 ⋊ SO(1,1)", "tensors", minkowski_plane,
        draw(Minkowski(2), 30), affine("boost by rapidity 0.7 and shift", Lorentz(2).boost(0.7), 0.3),
        affine("rotation by 40° that mixes time and space", rotation(40)),
    ),
    Row(
        "minkowski_space", "Minkowski E_(2,1)", "SO(2,1)", "T_3 ⋊ SO(2,1)", "tensors", minkowski_space,
        draw(Minkowski(3), 30),
        affine("rotation of space, boost and shift", rotation(40, d=3, plane=(1, 2)) @ Lorentz(3).boost(0.7), 0.3),
        affine("rotation by 40° that mixes time and space", rotation(40, d=3)),
    ),
    Row(
        "minkowski_grid", "Minkowski E_(2,1), pixels", "SO(2,1)", "T_3 ⋊ SO(2,1), on pixels up to the window",
        "multivectors", minkowski_grid, lambda: Grid((5, 5, 5)).pos,
        affine("rotation of space by 90°", rotation(90, d=3)),
        affine("rotation by 90° that mixes time and space", rotation(90, d=3, plane=(1, 2))), lattice=True,
    ),
)  # fmt: skip

__all__ = ["NONCOMPACT"]
