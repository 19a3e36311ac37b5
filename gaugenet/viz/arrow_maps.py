"""Pictures of tangent fields on meshes: true, predicted and wrong vectors as arrows, their sizes as colors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.field_pictures import color_bar, draw_rows
from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.colors import scalar_colors
from gaugenet.viz.render.mesh_view import MeshView, scalar_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARK = 0.08
_WEAK = sheet.INK["light"][1]
# A dart in units of its length: tail, two notches, two wings, tip; (along, across).
_DART = np.array([[0, 0.045], [0, -0.045], [0.55, 0.045], [0.55, -0.045], [0.5, 0.19], [0.5, -0.19], [1.0, 0.0]])
_DART_FACES = np.array([[0, 1, 3], [0, 3, 2], [4, 5, 6]])


@dataclass(frozen=True, eq=False)
class ArrowMap:
    """Vectors on the vertices of a mesh, as they are true and as they are predicted.

    Attributes:
        view: the mesh.
        label: name of the vectors.
        unit: of the vectors.
        truth: in space.
        prediction: in space.
    """

    view: MeshView
    label: str
    unit: str
    truth: Float[ndarray, "vertices 3"]
    prediction: Float[ndarray, "vertices 3"]


def spread_vertices(mesh: TriangleMesh, spacing: float) -> ndarray:
    """Return vertices that are no closer to one another than `spacing`, a maximal set of them."""
    from scipy.spatial import cKDTree

    free, kept = np.ones(mesh.num_vertices, dtype=bool), []
    tree = cKDTree(mesh.vertices)
    for vertex in range(mesh.num_vertices):
        if free[vertex]:
            kept.append(vertex)
            free[tree.query_ball_point(mesh.vertices[vertex], spacing)] = False
    return np.array(kept)


def darts(
    mesh: TriangleMesh, vectors: Float[ndarray, "vertices 3"], *, at: ndarray, length: float, longest: float
) -> TriangleMesh:
    """Return flat arrows that float a little above a mesh.

    Args:
        mesh: the surface.
        vectors: in space.
        at: the vertices in the middle of an arrow.
        length: of an arrow whose vector has the size `longest`.
        longest: size of a vector; longer ones get no longer arrows.
    """
    size = np.linalg.norm(vectors[at], axis=1)
    scale = length * np.minimum(size / longest, 1.0)
    along = vectors[at] / np.maximum(size, 1e-30)[:, None]
    normal = mesh.vertex_normals[at]
    across = np.cross(normal, along)
    middle = mesh.vertices[at] + 0.12 * length * normal
    x, y = _DART.T
    corners = (x - 0.5)[None, :, None] * along[:, None] + y[None, :, None] * across[:, None]
    vertices = middle[:, None] + scale[:, None, None] * corners
    faces = _DART_FACES + len(_DART) * np.arange(len(at))[:, None, None]
    return TriangleMesh(vertices.reshape(-1, 3), faces.reshape(-1, 3))


def render_arrow_maps(
    path: str | Path,
    maps: Sequence[ArrowMap],
    *,
    title: str | None = None,
    tile: int = 420,
    spacing: float | None = None,
    azimuth: float = 25.0,
    elevation: float = 12.0,
) -> None:
    """Draw truth, prediction and error side by side, one row a map: arrows over the sizes of the vectors as colors.

    Truth and prediction share their colors and lengths of arrows. The arrows of the error have the same lengths, and a
    color bar of their own.

    Args:
        path: the PNG to write; complete or absent.
        maps: at least one.
        title: heading.
        tile: pixels of each picture.
        spacing: distance between arrows, a length; by default 1/18 of the diagonal of the mesh.
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.

    Raises:
        ValueError: If there is nothing to draw.
    """

    def draw_row(figure: Figure, row: Sequence[Axes], one: ArrowMap) -> None:
        _draw_row(figure, row, one, tile, spacing, rotated(one.view.orientation, azimuth, elevation))

    draw_rows(path, maps, draw_row, tile, title)


def _draw_row(
    figure: Figure, row: Sequence[Axes], one: ArrowMap, tile: int, spacing: float | None, rotation: ndarray
) -> None:
    mesh = one.view.mesh
    gap = spacing or float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) / 18
    at, error = spread_vertices(mesh, gap), one.prediction - one.truth
    sizes = [np.linalg.norm(vectors, axis=1) for vectors in (one.truth, one.prediction, error)]
    high, largest = scalar_limits(sizes[0])[1], scalar_limits(sizes[2])[1]
    limits = [high, high, largest if largest > 0 else 1.0]
    for axis, vectors, values, limit in zip(row, (one.truth, one.prediction, error), sizes, limits):
        arrows = darts(mesh, vectors, at=at, length=1.15 * gap, longest=high)
        colors = scalar_colors(values, (0.0, limit), diverging=False) / 255
        axis.imshow(
            _picture(mesh, colors, arrows, rotation, one.view.orientation[1], tile), interpolation="antialiased"
        )
        axis.set_axis_off()
    row[0].text(0, 0.5, sheet.literal(one.view.name), transform=row[0].transAxes, rotation=90, va="center", color=_WEAK)
    color_bar(figure, row[:2], (0.0, high, False), f"|{one.label}| [{one.unit}]")
    color_bar(figure, row[2:], (0.0, limits[2], False), f"error of {one.label} [{one.unit}]")


def _picture(
    mesh: TriangleMesh, colors: ndarray, arrows: TriangleMesh, rotation: ndarray, up: ndarray, tile: int
) -> Float[ndarray, "height width 4"]:
    """Shade the mesh and its arrows together, so that each hides what lies behind it."""
    from gaugenet.viz.render.shading import Model, corner_values, shade

    back = arrows.faces[:, ::-1]  # an arrow is seen from both sides
    faces = np.concatenate([mesh.faces, arrows.faces + mesh.num_vertices, back + mesh.num_vertices])
    both = TriangleMesh(np.concatenate([mesh.vertices, arrows.vertices]), faces)
    painted: Any = np.concatenate([colors, np.full((arrows.num_vertices, 3), _DARK)])
    shaded = shade(Model.of(both), rotation, up=up, width=tile, height=tile, smooth=True)
    return typed_array(np.clip(shaded.paint(corner_values(painted, faces, on_faces=False), crisp=False), 0, 1))
