"""Prepare any surface for drawing."""

from __future__ import annotations

from typing import Any

from gaugenet.geometry import CrossField, Icosphere, Manifold, TriangleMesh
from gaugenet.viz.surfaces.immersions import Immersion
from gaugenet.viz.surfaces.manifold_surface import ManifoldSurface
from gaugenet.viz.surfaces.mesh_surface import MeshSurface
from gaugenet.viz.surfaces.sheets import Chart, Domain, sheet_of
from gaugenet.viz.surfaces.surface import Drawable, FramesLike


def drawable(
    surface: Any, *, immersion: Immersion | None = None, domain: Domain | None = None, chart: Chart | None = None
) -> Drawable:
    """Return the surface of a manifold, a mesh, an icosphere or a cross field.

    Raises:
        ValueError: If it is something else, or the dimension of the manifold is not 2.
    """
    if isinstance(surface, CrossField):
        surface = surface.mesh
    if isinstance(surface, Icosphere):
        surface = TriangleMesh(surface.pos, surface.face.T)
    if isinstance(surface, TriangleMesh):
        if immersion is not None or domain is not None or chart is not None:
            raise ValueError("Expected no `immersion`, `domain` or `chart` for a mesh: they are for manifolds.")
        return MeshSurface(surface)
    if isinstance(surface, Manifold):
        return ManifoldSurface(surface, sheet_of(surface, immersion=immersion, domain=domain, chart=chart))
    raise ValueError(
        f"Expected a surface to draw: a Manifold of dimension 2, a TriangleMesh or an Icosphere, got "
        f"{type(surface).__name__}."
    )


__all__ = ["Drawable", "FramesLike", "ManifoldSurface", "MeshSurface", "drawable"]
