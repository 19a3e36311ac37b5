"""Flat rows: Euclidean spaces, and those without their origin."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.geometry import Euclidean, Grid, GStructure, PointCloud, Product, PuncturedPlane, Sphere
from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, FieldType, Polyhedral, Reflection, Trivial
from gaugenet.nn import GaugeConv
from gaugenet.taxonomy.entry import Configuration, Row
from gaugenet.taxonomy.transformations import affine, draw, mirror, rotation, wrapped_shift

PLANE, SPACE = Euclidean(2), Euclidean(3)


def pixels(points: Tensor) -> Configuration:
    fields = FieldType(Trivial(), "4x0")
    return Grid((8, 8), boundary="periodic", kernel_size=5), GaugeConv(fields, fields)


def volume(points: Tensor) -> Configuration:
    fields = FieldType(Trivial(3), "2x0")
    return Grid((5, 5, 5), boundary="periodic", kernel_size=3), GaugeConv(fields, fields)


def plane_reflection(points: Tensor) -> Configuration:
    group = Reflection()
    fields = FieldType(group, "2x0 + 2x0- + 2xregular")
    graph = PointCloud(points).gauge_graph(group, radius=0.7, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def plane_rotations(points: Tensor) -> Configuration:
    group = SO2()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    graph = PointCloud(points).gauge_graph(group, radius=0.7, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def pixels_quarter_turns(points: Tensor) -> Configuration:
    group = Cyclic(4)
    fields = FieldType(group, "2xregular + 1xquotient(C_2) + 1x1")
    return Grid((9, 9), group=group, kernel_size=5), GaugeConv(fields, fields)


def plane_rotations_reflections(points: Tensor) -> Configuration:
    group = O2()
    fields = FieldType(group, "2x0 + 1x0- + 2x1 + 1x2")
    graph = PointCloud(points).gauge_graph(group, radius=0.7, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def plane_square(points: Tensor) -> Configuration:
    group = Dihedral(4)
    fields = FieldType(group, "1xregular + 1x0- + 1x1")
    graph = PointCloud(points).gauge_graph(group, radius=0.7, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def space_rotations(points: Tensor) -> Configuration:
    group = SO3()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    graph = PointCloud(points).gauge_graph(group, radius=0.9, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def space_cube(points: Tensor) -> Configuration:
    group = Polyhedral("O")
    fields = FieldType(group, "1xregular")
    graph = PointCloud(points).gauge_graph(group, radius=0.9, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def space_rotations_reflections(points: Tensor) -> Configuration:
    group = O3()
    fields = FieldType(group, "2x0 + 1x0o + 1x1o + 1x1e + 1x2e")
    graph = PointCloud(points).gauge_graph(group, radius=0.9, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def space_quarter_turns(points: Tensor) -> Configuration:
    group = Axial(Cyclic(4))
    fields = FieldType(group, "1xregular + 1x1")
    graph = PointCloud(points).gauge_graph(group, radius=0.9, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def space_square(points: Tensor) -> Configuration:
    group = Axial(Dihedral(4), "det")
    fields = FieldType(group, "1xregular + 1x1")
    graph = PointCloud(points).gauge_graph(group, radius=0.9, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def plane_polar(points: Tensor) -> Configuration:
    plane, fields = PuncturedPlane(), FieldType(Trivial(), "4x0")
    structure = GStructure(Trivial(), plane.polar_frames, "trivial")
    graph = plane.gauge_graph(points, radius=0.8, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def plane_log_polar(points: Tensor) -> Configuration:
    plane, fields = PuncturedPlane(), FieldType(Trivial(), "4x0")
    structure = GStructure(Trivial(), plane.log_polar_frames, "trivial")
    graph = plane.gauge_graph(points, radius=0.6, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def shells(points: Tensor) -> Configuration:
    """Use direction and logarithm of the length as coordinates: S^2 x R, frames (south, east, outwards)."""
    manifold, group = Product(Sphere(2), Euclidean(1)), Axial(SO2())
    length = torch.linalg.vector_norm(points, dim=-1, keepdim=True)
    n = points / length
    east = torch.stack([-n[:, 1], n[:, 0], torch.zeros_like(n[:, 0])], -1)
    east = east / torch.linalg.vector_norm(east, dim=-1, keepdim=True)
    frames = points.new_zeros(len(points), 4, 3)
    frames[:, :3, 0], frames[:, :3, 1], frames[:, 3, 2] = torch.linalg.cross(east, n), east, 1
    structure, fields = GStructure(group, frames), FieldType(group, "2x0 + 1x1")
    positions = torch.cat([n, length.log()], -1)
    graph = manifold.gauge_graph(positions, radius=0.9, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


ROTATION = affine("rotation by 40° and shift", rotation(40), 0.3)
QUARTER = affine("rotation by 90° and shift", rotation(90), 0.3)
MIRROR = affine("reflection of x", mirror(0, 2))
SOME_ROTATION = rotation(40, d=3, plane=(0, 2)) @ rotation(70, d=3)
_ROTATION_3D = affine("rotation and shift", SOME_ROTATION, 0.3)
_MIRROR_3D = affine("reflection of x", mirror(0, 3))
STRETCH = affine("stretching one axis", torch.diag(torch.tensor([1.0, 1.3], dtype=torch.float64)))
_STRETCH_3D = affine("stretching one axis", torch.diag(torch.tensor([1.0, 1.0, 1.3], dtype=torch.float64)))
_ABOUT_Z = affine("rotation by 90° about z and shift", rotation(90, d=3), 0.3)
_ABOUT_X = affine("rotation by 90° about x", rotation(90, d=3, plane=(1, 2)))
_OVER = affine("rotation by 180° about x and shift", rotation(180, d=3, plane=(1, 2)), 0.3)

FLAT = (
    Row(
        "pixels", "E_2", "{e}", "T_2", "trivial", pixels, lambda: Grid((8, 8)).pos,
        wrapped_shift(8, 3, 2), affine("rotation by 90°", rotation(90)), lattice=True,
    ),
    Row(
        "volume", "E_3", "{e}", "T_3", "trivial", volume, lambda: Grid((5, 5, 5)).pos,
        wrapped_shift(5, 1, 2, 3), _ABOUT_X, lattice=True,
    ),
    Row(
        "plane_reflection", "E_2", "R", "T_2 ⋊ R", "trivial, sign, regular", plane_reflection, draw(PLANE, 60),
        affine("reflection of y and shift", mirror(1, 2), 0.3), MIRROR,
    ),
    Row(
        "plane_rotations", "E_2", "SO(2)", "SE(2)", "irreps", plane_rotations, draw(PLANE, 60), ROTATION, MIRROR,
    ),
    Row(
        "pixels_quarter_turns", "E_2", "C_4", "T_2 ⋊ C_4", "regular, quotient, irreps", pixels_quarter_turns,
        lambda: Grid((9, 9)).pos, affine("rotation by 90°", rotation(90)), MIRROR, lattice=True,
    ),
    Row(
        "plane_rotations_reflections", "E_2", "O(2)", "E(2)", "irreps", plane_rotations_reflections, draw(PLANE, 60),
        affine("reflection, rotation by 40° and shift", rotation(40) @ mirror(0, 2), 0.3), STRETCH,
    ),
    Row(
        "plane_square", "E_2", "D_4", "T_2 ⋊ D_4", "regular, irreps", plane_square, draw(PLANE, 60),
        affine("reflection, rotation by 90° and shift", rotation(90) @ mirror(0, 2), 0.3), ROTATION,
    ),
    Row(
        "space_rotations", "E_3", "SO(3)", "SE(3)", "irreps", space_rotations, draw(SPACE, 60),
        _ROTATION_3D, _MIRROR_3D,
    ),
    Row(
        "space_cube", "E_3", "O (rotations of the cube)", "T_3 ⋊ O", "regular", space_cube, draw(SPACE, 50),
        affine("rotation by 90° about x and shift", rotation(90, d=3, plane=(1, 2)), 0.3), _ROTATION_3D,
    ),
    Row(
        "space_rotations_reflections", "E_3", "O(3)", "E(3)", "irreps", space_rotations_reflections, draw(SPACE, 60),
        affine("inversion, rotation and shift", -rotation(40, d=3, plane=(0, 2)), 0.3), _STRETCH_3D,
    ),
    Row(
        "space_quarter_turns", "E_3", "C_4", "T_3 ⋊ C_4", "regular, irreps", space_quarter_turns, draw(SPACE, 50),
        _ABOUT_Z, _OVER,
    ),
    Row(
        "space_square", "E_3", "D_4", "T_3 ⋊ D_4", "regular, irreps", space_square, draw(SPACE, 50), _OVER, _ABOUT_X,
    ),
    Row(
        "plane_polar", "E_2 ∖ {0}", "{e}", "SO(2)", "trivial", plane_polar, draw(PuncturedPlane(), 80),
        affine("rotation by 40°", rotation(40)), affine("dilation", 1.2 * torch.eye(2, dtype=torch.float64)),
    ),
    Row(
        "plane_log_polar", "E_2 ∖ {0}", "{e}", "SO(2) × S", "trivial", plane_log_polar, draw(PuncturedPlane(), 80),
        affine("rotation by 40° and dilation", 1.5 * rotation(40)),
        affine("shift", torch.eye(2, dtype=torch.float64), 0.4),
    ),
    Row(
        "shells", "E_3 ∖ {0}", "SO(2)", "SO(3) × S", "irreps", shells, draw(SPACE, 80),
        affine("rotation and dilation", 1.5 * SOME_ROTATION), _MIRROR_3D,
    ),
)  # fmt: skip

__all__ = ["FLAT"]
