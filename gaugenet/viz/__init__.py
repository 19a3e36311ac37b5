"""Pictures: an offline HTML viewer, PNG sheets, coloured PLY, learning curves, confusion matrices, surfaces.

Surfaces are drawn with their frames, geodesic discs and transported kernels.
"""

from gaugenet.viz.curves import plot_comparison, plot_confusion_matrix, plot_learning_curves
from gaugenet.viz.globe import GlobePanel, draw_globes, nearest_point
from gaugenet.viz.render.colors import label_colors, palette
from gaugenet.viz.render.html import write_viewer
from gaugenet.viz.render.mesh_view import MeshView
from gaugenet.viz.render.ply import write_ply
from gaugenet.viz.render.png import render_meshes
from gaugenet.viz.space_picture import SpacePicture
from gaugenet.viz.surface_picture import SurfacePicture

__all__ = [
    "GlobePanel",
    "MeshView",
    "SpacePicture",
    "SurfacePicture",
    "draw_globes",
    "label_colors",
    "nearest_point",
    "palette",
    "plot_comparison",
    "plot_confusion_matrix",
    "plot_learning_curves",
    "render_meshes",
    "write_ply",
    "write_viewer",
]
