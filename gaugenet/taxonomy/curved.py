"""Curved rows: spheres, the icosahedron, surfaces, the Möbius strip, hyperbolic spaces."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.geometry import GaugeGraph, GStructure, Hyperbolic, Icosphere, MobiusStrip, Sphere, TriangleMesh
from gaugenet.groups import O2, SO2, SO3, Cyclic, Dihedral, FieldType, Reflection, StructureGroup, Trivial
from gaugenet.nn import GaugeConv
from gaugenet.taxonomy.entry import Configuration, Row, Transformation
from gaugenet.taxonomy.transformations import POLES, affine, draw, icosahedral, mirror, rotation

SPHERE, STRIP = Sphere(2), MobiusStrip(4.0)
H2, H3 = Hyperbolic(2), Hyperbolic(3)


def south_and_east(p: Tensor) -> Tensor:
    """Return the frames (south, east) of the sphere, away from its poles."""
    east = torch.stack([-p[:, 1], p[:, 0], torch.zeros_like(p[:, 0])], -1)
    east = east / torch.linalg.vector_norm(east, dim=-1, keepdim=True)
    return torch.stack([torch.linalg.cross(east, p), east], -1)


def ball(points: Tensor, level: int = 2) -> TriangleMesh:
    """Return the mesh with these vertices and the faces of an icosphere, counter-clockwise from outside."""
    face = Icosphere(level).face
    volume = torch.linalg.det(points[face].transpose(0, 1)).sum()
    return TriangleMesh(points, (face if volume > 0 else face.flip(0)).T)


def combed(surface: TriangleMesh) -> Tensor:
    """Return frames of a mesh: the direction along the surface that points up, and the horizontal one."""
    n = torch.from_numpy(surface.vertex_normals)
    up = torch.nn.functional.normalize(POLES[0] - n * n[:, 2:], dim=-1)
    return torch.stack([up, torch.linalg.cross(n, up)], -1)


def reduced(graph: GaugeGraph, group: StructureGroup, connection: str) -> GaugeGraph:
    """Reduce the structure group of a graph, in the same frames, with a connection of the smaller group."""
    structure = GStructure(group, graph.frame, connection)
    pos = graph.pos[graph.edge_index]
    graph.transporter = structure.transporter(pos[1], pos[0], graph.transporter).contiguous()
    graph.structure = group.name
    return graph


def sphere_rotations(points: Tensor) -> Configuration:
    group = SO2()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return SPHERE.gauge_graph(points, group, radius=0.6, dtype=torch.float64), GaugeConv(fields, fields)


def sphere_zonal(points: Tensor) -> Configuration:
    group = O2()
    fields = FieldType(group, "4x0")
    return SPHERE.gauge_graph(points, group, radius=0.6, dtype=torch.float64), GaugeConv(fields, fields)


def sphere_polar(points: Tensor) -> Configuration:
    fields = FieldType(Trivial(), "4x0")
    structure = GStructure(Trivial(), south_and_east, "trivial", singular_points=POLES)
    graph = SPHERE.gauge_graph(points, radius=0.6, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def icosahedron_hexagonal(points: Tensor) -> Configuration:
    fields = FieldType(Cyclic(6), "2xregular")
    return Icosphere(2), GaugeConv(fields, fields)


def icosahedron_charts(points: Tensor) -> Configuration:
    """Use the frames of the five charts, which are singular at the poles, with the trivial connection."""
    fields = FieldType(Trivial(), "4x0")
    structure = GStructure(Trivial(), Icosphere(2).frame[:-2], "trivial", singular_points=POLES)
    graph = SPHERE.gauge_graph(points, radius=0.5, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def mesh(points: Tensor) -> Configuration:
    group = SO2()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return ball(points).gauge_graph(group, mean_neighbors=10, dtype=torch.float64), GaugeConv(fields, fields)


def mesh_crosses(points: Tensor) -> Configuration:
    """Use crosses of frames that point up; the connection rotates by the nearest multiple of 90 degrees."""
    surface, fields = ball(points), FieldType(Dihedral(4), "1xregular")
    graph = surface.gauge_graph(SO2(), mean_neighbors=10, frames=combed(surface), dtype=torch.float64)
    return reduced(graph, Dihedral(4), "nearest"), GaugeConv(fields, fields)


def mesh_frames(points: Tensor) -> Configuration:
    surface, fields = ball(points), FieldType(Trivial(), "4x0")
    graph = surface.gauge_graph(SO2(), mean_neighbors=10, frames=combed(surface), dtype=torch.float64)
    return reduced(graph, Trivial(), "trivial"), GaugeConv(fields, fields)


def mobius_strip(points: Tensor) -> Configuration:
    group = Reflection()
    fields = FieldType(group, "2x0 + 2x0- + 2xregular")
    return STRIP.gauge_graph(points, group, radius=0.5, dtype=torch.float64), GaugeConv(fields, fields)


def hyperbolic_plane(points: Tensor) -> Configuration:
    group = SO2()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return H2.gauge_graph(points, group, radius=0.9, dtype=torch.float64), GaugeConv(fields, fields)


def hyperbolic_space(points: Tensor) -> Configuration:
    group = SO3()
    fields = FieldType(group, "2x0 + 2x1 + 1x2")
    return H3.gauge_graph(points, group, radius=1.2, dtype=torch.float64), GaugeConv(fields, fields)


def horocycles(points: Tensor) -> Configuration:
    fields = FieldType(Trivial(), "4x0")
    structure = GStructure(Trivial(), H2.frame_at, "trivial")
    graph = H2.gauge_graph(points, radius=0.9, structure=structure, dtype=torch.float64)
    return graph, GaugeConv(fields, fields)


def uneven_ball(level: int = 2) -> Tensor:
    """Return the vertices of an icosphere, moved so that no symmetry remains."""
    p = Icosphere(level).pos
    x, y, z = p.unbind(-1)
    return p * (1 + 0.2 * torch.sin(3 * x + y) + 0.2 * torch.cos(2 * y - z) * x)[:, None]


SOME_ROTATION = rotation(40, d=3, plane=(0, 2)) @ rotation(70, d=3)
STRETCH = torch.diag(torch.tensor([1.0, 1.0, 1.3], dtype=torch.float64))
ROTATION = affine("rotation", SOME_ROTATION)
_ABOUT_AXIS = affine("rotation by 70° about the axis", rotation(70, d=3))
MIRROR = affine("reflection of x", mirror(0, 3))
_AROUND = torch.tensor([1.0, 0.0], dtype=torch.float64)

CURVED = (
    Row(
        "sphere_rotations", "S^2", "SO(2)", "SO(3)", "irreps", sphere_rotations, draw(SPHERE, 80), ROTATION, MIRROR,
    ),
    Row(
        "sphere_zonal", "S^2", "O(2)", "O(3)", "trivial (zonal kernels)", sphere_zonal, draw(SPHERE, 80),
        affine("inversion and rotation", -SOME_ROTATION),
        Transformation("stretching one axis", lambda p: torch.nn.functional.normalize(p @ STRETCH, dim=-1)),
    ),
    Row(
        "sphere_polar", "S^2 ∖ poles", "{e}", "SO(2)", "trivial", sphere_polar, draw(SPHERE, 80), _ABOUT_AXIS, ROTATION,
    ),
    Row(
        "icosahedron_hexagonal", "icosahedron", "C_6", "I (60 rotations)", "regular", icosahedron_hexagonal,
        lambda: Icosphere(2).pos, icosahedral("rotation of the icosahedron", -(0.2**0.5)),
        affine("inversion", -torch.eye(3, dtype=torch.float64)), lattice=True,
    ),
    Row(
        "icosahedron_charts", "icosahedron ∖ poles", "{e}", "C_5", "trivial", icosahedron_charts,
        lambda: Icosphere(2).pos[:-2], icosahedral("rotation by a multiple of 72° about the axis", 1.0),
        icosahedral("rotation by 180° that swaps the poles", -1.0), lattice=True,
    ),
    Row(
        "mesh", "surfaces", "SO(2)", "orientation-preserving isometries", "irreps", mesh, uneven_ball,
        affine("rotation and shift in space", SOME_ROTATION, 0.3), MIRROR,
    ),
    Row(
        "mesh_crosses", "surfaces with a cross field", "D_4", "isometries that preserve the crosses", "regular",
        mesh_crosses, uneven_ball, affine("rotation by 70° about the vertical", rotation(70, d=3), 0.3), ROTATION,
    ),
    Row(
        "mesh_frames", "surfaces with a frame field", "{e}", "isometries that preserve the frames", "trivial",
        mesh_frames, uneven_ball, affine("rotation by 70° about the vertical", rotation(70, d=3), 0.3), ROTATION,
    ),
    Row(
        "mobius_strip", "Möbius strip", "R", "SO(2)", "trivial, sign, regular", mobius_strip, draw(STRIP, 80),
        Transformation("shift along the strip", lambda p: STRIP.reduce(p + 1.3 * _AROUND)),
        Transformation("backwards", lambda p: STRIP.reduce(p * torch.tensor([-1.0, 1.0], dtype=torch.float64))),
    ),
    Row(
        "hyperbolic_plane", "H^2", "SO(2)", "SO⁺(2,1)", "irreps", hyperbolic_plane, draw(H2, 80),
        Transformation("rotation and boost", lambda p: H2.affine(1.7, 0.4)(H2.rotate(rotation(40), p))),
        affine("reflection of x", mirror(0, 2)),
    ),
    Row(
        "hyperbolic_space", "H^3", "SO(3)", "SO⁺(3,1)", "irreps", hyperbolic_space, draw(H3, 80),
        Transformation("rotation and boost", lambda p: H3.affine(1.7, 0.4)(H3.rotate(SOME_ROTATION, p))), MIRROR,
    ),
    Row(
        "horocycles", "H^2", "{e}", "x → a x + b", "trivial", horocycles, draw(H2, 80),
        Transformation("dilation and shift", lambda p: H2.affine(1.7, 0.4)(p)),
        Transformation("rotation", lambda p: H2.rotate(rotation(40), p)),
    ),
)  # fmt: skip

__all__ = ["CURVED"]
