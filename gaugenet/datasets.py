"""Sample data that the library ships."""

from __future__ import annotations

from pathlib import Path

from gaugenet._shipped import shipped

__all__ = ["bodies"]


def bodies() -> Path:
    """Return the folder of 76 labelled meshes of animals and people, `train/`, `val/` and `test/`, MIT licence.

    Each mesh has about a thousand vertices, area 1, and a class of 8 parts at every face, in the layout that
    `gaugenet train segmentation --data` reads.

    Raises:
        FileNotFoundError: If the installation lacks the meshes.

    Example:
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.geometry import TriangleMesh
        >>> TriangleMesh.load(bodies() / "test" / "deer_0.ply").num_vertices
        1051
    """
    return shipped("meshes/bodies")
