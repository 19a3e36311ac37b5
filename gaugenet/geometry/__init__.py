"""Manifolds -> gauge graphs: where neighbours are and how to carry features."""

from gaugenet.geometry.adapters import from_object
from gaugenet.geometry.atlas import from_charts
from gaugenet.geometry.composite import ConformalRescale, Product
from gaugenet.geometry.coordinates import InCoordinates
from gaugenet.geometry.cross_field import CrossField, cross_field
from gaugenet.geometry.euclidean import Euclidean, Minkowski, PseudoEuclidean, PuncturedPlane
from gaugenet.geometry.frames_along import frames_along
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grid import Grid
from gaugenet.geometry.hyperbolic import Hyperbolic
from gaugenet.geometry.icosahedral_rotations import IcosahedralRotation, icosahedral_rotation, icosahedral_rotations
from gaugenet.geometry.icosahedron import Icosphere
from gaugenet.geometry.manifold import Manifold, ManifoldError
from gaugenet.geometry.mesh import MeshError, TriangleMesh
from gaugenet.geometry.numeric import from_embedding, from_metric
from gaugenet.geometry.point_cloud import PointCloud
from gaugenet.geometry.quotient import (
    Cylinder,
    FlatTorus,
    KleinBottle,
    LensSpace,
    MobiusStrip,
    ProjectiveSpace,
    Quotient,
)
from gaugenet.geometry.rotations import Rotations
from gaugenet.geometry.spd import SPD
from gaugenet.geometry.sphere import Sphere
from gaugenet.geometry.structure import GStructure
from gaugenet.geometry.surfaces import EmbeddedTorus, SurfaceOfRevolution

__all__ = [
    "ConformalRescale",
    "CrossField",
    "Cylinder",
    "EmbeddedTorus",
    "Euclidean",
    "FlatTorus",
    "GStructure",
    "GaugeGraph",
    "Grid",
    "Hyperbolic",
    "IcosahedralRotation",
    "Icosphere",
    "InCoordinates",
    "KleinBottle",
    "LensSpace",
    "Manifold",
    "ManifoldError",
    "MeshError",
    "Minkowski",
    "MobiusStrip",
    "PointCloud",
    "Product",
    "ProjectiveSpace",
    "PseudoEuclidean",
    "PuncturedPlane",
    "Quotient",
    "Rotations",
    "SPD",
    "Sphere",
    "SurfaceOfRevolution",
    "TriangleMesh",
    "cross_field",
    "frames_along",
    "from_charts",
    "from_embedding",
    "from_metric",
    "from_object",
    "icosahedral_rotation",
    "icosahedral_rotations",
]
