"""gaugenet: gauge-equivariant convolutional networks on meshes and manifolds.

Subpackages are loaded when they are first used: `import gaugenet` itself is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    "data",
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
)
_NAMES = {
    "FieldType": "groups",
    "GaugeConv": "nn",
    "GaugeGraph": "geometry",
    "Grid": "geometry",
    "Icosphere": "geometry",
    "MeshUNet": "models",
    "O2": "groups",
    "O3": "groups",
    "PointCloud": "geometry",
    "SO2": "groups",
    "SO3": "groups",
    "TriangleMesh": "geometry",
}

__all__ = ["__version__", *_SUBPACKAGES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"gaugenet.{name}")
    if name in _NAMES:
        return getattr(import_module(f"gaugenet.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'gaugenet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
