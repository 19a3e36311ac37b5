"""Manifolds -> gauge graphs: where neighbours are and how to carry features."""

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grid import Grid
from gaugenet.geometry.icosahedron import Icosphere
from gaugenet.geometry.mesh import MeshError, TriangleMesh

__all__ = ["GaugeGraph", "Grid", "Icosphere", "MeshError", "TriangleMesh"]
