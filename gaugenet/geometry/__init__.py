"""Manifolds -> gauge graphs: where neighbours are and how to carry features."""

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grid import Grid
from gaugenet.geometry.icosahedral_rotations import IcosahedralRotation, icosahedral_rotation, icosahedral_rotations
from gaugenet.geometry.icosahedron import Icosphere
from gaugenet.geometry.mesh import MeshError, TriangleMesh
from gaugenet.geometry.point_cloud import PointCloud

__all__ = [
    "GaugeGraph",
    "Grid",
    "IcosahedralRotation",
    "Icosphere",
    "MeshError",
    "PointCloud",
    "TriangleMesh",
    "icosahedral_rotation",
    "icosahedral_rotations",
]
