"""Pictures: an offline HTML viewer, PNG sheets, colored PLY, learning curves, confusion matrices, surfaces.

Surfaces are drawn with their frames, geodesic discs and transported kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.viz.coastlines import coastline_segments
    from gaugenet.viz.curves import plot_comparison, plot_confusion_matrix, plot_learning_curves
    from gaugenet.viz.field_pictures import FieldMap, render_field_maps
    from gaugenet.viz.fields import draw_fields
    from gaugenet.viz.render.colors import ColorScale, label_colors, palette
    from gaugenet.viz.render.html import write_viewer
    from gaugenet.viz.render.mesh_field import MeshField
    from gaugenet.viz.render.mesh_view import MeshView
    from gaugenet.viz.render.ply import write_ply
    from gaugenet.viz.render.png import render_meshes
    from gaugenet.viz.render.stream_lines import Texels, line_integral_convolution
    from gaugenet.viz.space_picture import SpacePicture
    from gaugenet.viz.sphere_map import SpherePanel, draw_spheres, nearest_point
    from gaugenet.viz.surface_picture import SurfacePicture
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = [
    "ColorScale",
    "FieldMap",
    "MeshField",
    "MeshView",
    "SpacePicture",
    "SpherePanel",
    "SurfacePicture",
    "Texels",
    "coastline_segments",
    "draw_fields",
    "draw_spheres",
    "label_colors",
    "line_integral_convolution",
    "nearest_point",
    "palette",
    "plot_comparison",
    "plot_confusion_matrix",
    "plot_learning_curves",
    "render_field_maps",
    "render_meshes",
    "write_ply",
    "write_viewer",
]
