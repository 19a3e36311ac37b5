"""Spaces and their gauge graphs: where neighbours are, and how features are transported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.geometry.cell import PeriodicCell
    from gaugenet.geometry.domain import Domain, GraphDomain
    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.grids.action import FieldAction
    from gaugenet.geometry.grids.grid import Grid
    from gaugenet.geometry.icosphere.icosphere import Icosphere
    from gaugenet.geometry.icosphere.rotations import IcosahedralRotation, icosahedral_rotation, icosahedral_rotations
    from gaugenet.geometry.lattice.field import LatticeGaugeField
    from gaugenet.geometry.lattice.graph import LatticeGraph
    from gaugenet.geometry.manifolds._frames_along import frames_along
    from gaugenet.geometry.manifolds.adapters import from_object
    from gaugenet.geometry.manifolds.atlas import from_charts
    from gaugenet.geometry.manifolds.composite import ConformalRescale, Product
    from gaugenet.geometry.manifolds.coordinates import InCoordinates
    from gaugenet.geometry.manifolds.euclidean import Euclidean, Minkowski, PseudoEuclidean, PuncturedPlane
    from gaugenet.geometry.manifolds.hyperbolic import Hyperbolic
    from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError
    from gaugenet.geometry.manifolds.numeric import from_embedding, from_metric
    from gaugenet.geometry.manifolds.quotient import (
        Cylinder,
        FlatTorus,
        KleinBottle,
        LensSpace,
        MobiusStrip,
        ProjectiveSpace,
        Quotient,
    )
    from gaugenet.geometry.manifolds.rotations import Rotations
    from gaugenet.geometry.manifolds.spd import SPD
    from gaugenet.geometry.manifolds.sphere import Sphere
    from gaugenet.geometry.manifolds.structure import GStructure
    from gaugenet.geometry.manifolds.surfaces import EmbeddedTorus, SurfaceOfRevolution
    from gaugenet.geometry.mesh._cross_field import CrossField, cross_field
    from gaugenet.geometry.mesh._hierarchy import hierarchy
    from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
    from gaugenet.geometry.mesh.options import NeighborhoodOptions
    from gaugenet.geometry.mesh.quality import inspect_mesh
    from gaugenet.geometry.mesh.repair import repair_mesh
    from gaugenet.geometry.mesh.source_log_map import LogMap
    from gaugenet.geometry.mesh.vector_heat import VectorHeat
    from gaugenet.geometry.point_cloud import PointCloud
    from gaugenet.geometry.sphere.domain import SphereDomain
    from gaugenet.geometry.sphere.gaussian import ReducedGaussian
    from gaugenet.geometry.sphere.healpix import HEALPix
    from gaugenet.geometry.sphere.latlon import LatLonSphere
    from gaugenet.geometry.sphere.points import SpherePoints
    from gaugenet.geometry.sphere.regrid import Regridder
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "SPD",
    "ConformalRescale",
    "CrossField",
    "Cylinder",
    "Domain",
    "EmbeddedTorus",
    "Euclidean",
    "FieldAction",
    "FlatTorus",
    "GStructure",
    "GaugeGraph",
    "GraphDomain",
    "Grid",
    "HEALPix",
    "Hyperbolic",
    "IcosahedralRotation",
    "Icosphere",
    "InCoordinates",
    "KleinBottle",
    "LatLonSphere",
    "LatticeGaugeField",
    "LatticeGraph",
    "LensSpace",
    "LogMap",
    "Manifold",
    "ManifoldError",
    "MeshError",
    "Minkowski",
    "MobiusStrip",
    "NeighborhoodOptions",
    "PeriodicCell",
    "PointCloud",
    "Product",
    "ProjectiveSpace",
    "PseudoEuclidean",
    "PuncturedPlane",
    "Quotient",
    "ReducedGaussian",
    "Regridder",
    "Rotations",
    "Sphere",
    "SphereDomain",
    "SpherePoints",
    "SurfaceOfRevolution",
    "TriangleMesh",
    "VectorHeat",
    "cross_field",
    "frames_along",
    "from_charts",
    "from_embedding",
    "from_metric",
    "from_object",
    "hierarchy",
    "icosahedral_rotation",
    "icosahedral_rotations",
    "inspect_mesh",
    "repair_mesh",
]
