"""gaugenet: gauge-equivariant convolutional networks on meshes and manifolds.

Subpackages are loaded when they are first used, so `import gaugenet` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet import data, datasets, geometry, groups, kernels, models, nn, operators, tasks, taxonomy, testing, viz
    from gaugenet.geometry import GaugeGraph, Grid, Icosphere, PointCloud, TriangleMesh
    from gaugenet.groups import O2, O3, SO2, SO3, FieldType
    from gaugenet.models import MeshUNet
    from gaugenet.nn import GaugeConv
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__version__ = "0.2.0"

__all__ = [
    "FieldType",
    "GaugeConv",
    "GaugeGraph",
    "Grid",
    "Icosphere",
    "MeshUNet",
    "O2",
    "O3",
    "PointCloud",
    "SO2",
    "SO3",
    "TriangleMesh",
    "__version__",
    "data",
    "datasets",
    "geometry",
    "groups",
    "kernels",
    "models",
    "nn",
    "operators",
    "tasks",
    "taxonomy",
    "testing",
    "viz",
]
