"""Shading of a mesh: from an orientation and colors to an antialiased picture with a soft shadow on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.colors import linear_to_srgb, srgb_to_linear
from gaugenet.viz.render.raster import Fragments, corner_normals, rasterize, vertex_openness

_KEY = np.array([-0.42, 0.62, 0.66])
_FILL = np.array([0.75, 0.05, 0.55])
_CAMERA = 5.0  # distance of the eye, in radii of the mesh
_MARGIN = 1.12


@dataclass(frozen=True)
class Model:
    """A mesh prepared for many pictures: scaled to unit size, with corner normals and the openness of each vertex."""

    mesh: TriangleMesh
    normals: Float[ndarray, "faces 3 3"]
    openness: Float[ndarray, "vertices"]
    center: Float[ndarray, "3"]
    radius: float

    @classmethod
    def of(cls, mesh: TriangleMesh) -> Model:
        """Compute normals and openness (0.1 s for a mesh of a few thousand faces)."""
        center = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
        radius = float(np.linalg.norm(mesh.vertices - center, axis=1).max())
        return cls(
            mesh=mesh,
            normals=corner_normals(mesh.faces, mesh.face_normals, mesh.corner_angles),
            openness=vertex_openness(mesh.vertices, mesh.faces, mesh.vertex_normals),
            center=center,
            radius=radius if radius > 0 else 1.0,
        )


@dataclass(frozen=True)
class _Camera:
    """Perspective: pixels per unit length at the centre of the mesh, and the pixel where the optical axis ends."""

    zoom: float
    column: float
    row: float

    def shrunk(self, factor: int) -> _Camera:
        """Return the same view on `factor` times fewer pixels."""
        return _Camera(self.zoom / factor, self.column / factor, self.row / factor)

    def project(self, points: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
        """Return (column, row, depth); this depth is linear over the picture of a plane."""
        nearness = _CAMERA / (_CAMERA - points[:, 2])
        column = self.column + self.zoom * points[:, 0] * nearness
        row = self.row - self.zoom * points[:, 1] * nearness
        return np.stack([column, row, nearness * _CAMERA], axis=-1)


@dataclass(frozen=True)
class Shading:
    """A mesh seen and lit from one side, which can be painted in different colors.

    Attributes:
        shape: (height, width, samples along each side of a pixel).
        hit: `(height * samples, width * samples)`, the samples in which the mesh is visible.
        face: the face at each hit.
        weights: barycentric weights at each hit.
        light: the part of each color channel that a white surface would reflect to the viewer.
        gloss: light added to all colors.
        shadow: `(height, width)`, opacity of the shadow on the ground.
    """

    shape: tuple[int, int, int]
    hit: Bool[ndarray, "tall wide"]
    face: Int[ndarray, "hits"]
    weights: Float[ndarray, "hits 3"]
    light: Float[ndarray, "hits 3"]
    gloss: Float[ndarray, "hits 1"]
    shadow: Float[ndarray, "height width"]

    def paint(
        self,
        corner_colors: Float[ndarray, "faces 3 3"],
        *,
        crisp: bool,
        factor: Float[ndarray, "hits"] | None = None,
    ) -> Float[ndarray, "height width 4"]:
        """Return the picture in straight-alpha sRGB, in [0, 1].

        Args:
            corner_colors: sRGB colors in [0, 1] at the corners of each face.
            crisp: each point takes the color of its nearest corner (labels) instead of the mixed one (fields).
            factor: of the light that comes from each hit, such as a pattern on the surface.
        """
        colors = srgb_to_linear(corner_colors)
        if crisp:
            base = colors[self.face, self.weights.argmax(axis=1)]
        else:
            base = np.einsum("nc,nck->nk", self.weights, colors[self.face])
        if factor is not None:
            base = base * factor[:, None]
        samples = self.shape[2]
        image = np.zeros((*self.hit.shape, 4), dtype=np.float32)
        image[self.hit, :3] = np.clip(base * self.light + self.gloss, 0, 1)
        image[self.hit, 3] = 1
        grid = [image[i::samples, j::samples] for i in range(samples) for j in range(samples)]
        mean = np.asarray(sum(grid)) / samples**2
        opacity = mean[..., 3] + (1 - mean[..., 3]) * self.shadow
        rgb = mean[..., :3] / np.maximum(opacity, 1e-9)[..., None]
        return np.concatenate([linear_to_srgb(rgb), opacity[..., None]], axis=-1)


def shade(
    model: Model,
    rotation: Float[ndarray, "3 3"],
    *,
    up: Float[ndarray, "3"],
    width: int,
    height: int,
    smooth: bool = True,
    samples: int = 3,
) -> Shading:
    """Project and light a mesh so that it fills a picture of `width` by `height` pixels.

    Args:
        model: the mesh.
        rotation: rows right, up, towards the viewer (`gaugenet.viz.render.camera`).
        up: unit vector across the ground on which the shadow falls, in the coordinates of the mesh.
        width: pixels.
        height: pixels.
        smooth: interpolate the normals; otherwise facets are visible.
        samples: rays along each side of a pixel.
    """
    points = (model.mesh.vertices - model.center) / model.radius @ rotation.T
    camera = _fitting_camera(points, width * samples, height * samples)
    fragments = rasterize(camera.project(points), model.mesh.faces, height * samples, width * samples)
    hit = fragments.face >= 0
    face = fragments.face[hit]
    v, w = fragments.bary[hit].astype(np.float64).T
    weights = np.stack([1 - v - w, v, w], axis=-1)
    normal = _normals(model, face, weights, rotation, smooth=smooth)
    openness = (weights * model.openness[model.mesh.faces[face]]).sum(axis=1)
    return Shading(
        shape=(height, width, samples),
        hit=hit,
        face=face,
        weights=weights,
        light=_irradiance(normal, openness) * _outline(fragments, hit)[hit][:, None],
        gloss=_gloss(normal, openness),
        shadow=_ground_shadow(model, rotation, up, camera.shrunk(samples), shape=(height, width)),
    )


def _normals(
    model: Model,
    face: Int[ndarray, "hits"],
    weights: Float[ndarray, "hits 3"],
    rotation: Float[ndarray, "3 3"],
    *,
    smooth: bool,
) -> Float[ndarray, "hits 3"]:
    """Return unit normals in camera coordinates, on the visible side of the surface."""
    facet = model.mesh.face_normals[face]
    normal = np.einsum("nc,nck->nk", weights, model.normals[face]) if smooth else facet
    normal = normal @ rotation.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    normal[facet @ rotation[2] < -0.05] *= -1
    return typed_array(normal)


def _irradiance(normal: Float[ndarray, "n 3"], openness: Float[ndarray, "n"]) -> Float[ndarray, "n 3"]:
    key = np.clip((normal @ _unit(_KEY) + 0.25) / 1.25, 0, 1)
    fill = np.clip(normal @ _unit(_FILL), 0, 1)
    sky = 0.5 + 0.5 * normal[:, 1]
    occlusion = openness**1.3
    key = key * (0.35 + 0.65 * openness)
    return typed_array(
        key[:, None] * [0.88, 0.85, 0.81]
        + fill[:, None] * [0.12, 0.14, 0.17]
        + (sky * occlusion)[:, None] * [0.40, 0.42, 0.46]
        + occlusion[:, None] * 0.12
    )


def _gloss(normal: Float[ndarray, "n 3"], openness: Float[ndarray, "n"]) -> Float[ndarray, "n 1"]:
    half = _unit(_unit(_KEY) + [0, 0, 1])
    shine = 0.09 * np.clip(normal @ half, 0, 1) ** 28
    rim = 0.10 * (1 - np.clip(normal[:, 2], 0, 1)) ** 3 * np.clip(normal[:, 1] + 0.3, 0, 1)
    return typed_array(((shine + rim) * openness)[:, None])


def _outline(fragments: Fragments, hit: Bool[ndarray, "tall wide"]) -> Float[ndarray, "tall wide"]:
    """Return a factor that is below 1 where the surface ends in front of something farther away: a silhouette line."""
    depth = np.where(hit, fragments.depth, -np.inf)
    factor = np.ones(hit.shape)
    for step in (1, 2):
        for axis in (0, 1):
            for sign in (step, -step):
                behind = np.roll(depth, sign, axis=axis)
                with np.errstate(invalid="ignore"):  # -inf minus -inf, outside the mesh
                    edge = hit & (depth - behind > 0.05)
                factor[edge] = np.minimum(factor[edge], 0.62)
    return factor


def _ground_shadow(
    model: Model,
    rotation: Float[ndarray, "3 3"],
    up: Float[ndarray, "3"],
    camera: _Camera,
    *,
    shape: tuple[int, int],
) -> Float[ndarray, "tall wide"]:
    """Return the opacity of the shadow on the plane below the mesh, which is visible only from above."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    tall, wide = shape
    pitch = rotation @ up  # the mesh's up direction in camera coordinates: (0, cos, sin)
    if pitch[2] < 0.03:
        return np.zeros(shape)
    across = np.stack([rotation[0], np.cross(rotation[0], up)])
    unit = (model.mesh.vertices - model.center) / model.radius
    height = unit @ up
    ground = height.min() - 0.01
    size, extent = 192, 1.9
    lifted = unit + (height - ground)[:, None] * (_lean(rotation, up) * 0.22)
    pixels = np.concatenate([(lifted @ across.T / extent + 1) * size / 2, -height[:, None]], axis=1)
    seen = rasterize(pixels, model.mesh.faces, size, size)
    near = np.where(seen.face >= 0, np.exp(-2.2 * (-seen.depth - ground)), 0.0)
    blurred = 0.30 * gaussian_filter(near, 3.0) + 0.34 * gaussian_filter(near, 9.0)
    # Each pixel's eye ray (0, 0, c) + s (x, y, -c) meets the plane up . p = ground.
    x = (np.arange(wide) + 0.5 - camera.column) / camera.zoom
    y = -(np.arange(tall) + 0.5 - camera.row) / camera.zoom
    slope = y[:, None] * pitch[1] - _CAMERA * pitch[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (ground - _CAMERA * pitch[2]) / slope
    s = np.where((s > 0) & (slope < 0), s, np.nan)
    meets = np.stack(np.broadcast_arrays(x[None] * s, y[:, None] * s, _CAMERA * (1 - s)), axis=-1)
    flat = (meets @ rotation) @ across.T
    at = (np.nan_to_num(flat, nan=9.0) / extent + 1) * size / 2 - 0.5
    opacity = map_coordinates(blurred, [at[..., 1], at[..., 0]], order=1, mode="constant")
    return typed_array(np.clip(opacity, 0, 1) * _border_fade(tall, wide))


def _border_fade(tall: int, wide: int) -> Float[ndarray, "tall wide"]:
    """Return weights that fall from 1 inside to 0 at the border of the picture, so that no shadow is cut off."""
    rows, columns = (np.clip((1 - np.abs(np.linspace(-1, 1, n))) / 0.16, 0, 1) for n in (tall, wide))
    return (rows * rows * (3 - 2 * rows))[:, None] * (columns * columns * (3 - 2 * columns))[None]


def _lean(rotation: Float[ndarray, "3 3"], up: Float[ndarray, "3"]) -> Float[ndarray, "3"]:
    """Return the direction of shadows: away from the key light, along the ground."""
    towards = _unit(_KEY) @ rotation
    return typed_array(-(towards - (towards @ up) * up))


def _fitting_camera(points: Float[ndarray, "vertices 3"], wide: int, tall: int) -> _Camera:
    flat = _Camera(1.0, 0.0, 0.0).project(points)[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    zoom = float((np.array([wide, tall]) / (np.maximum(high - low, 1e-9) * _MARGIN)).min())
    zoom = min(zoom, 1.6 * min(wide, tall))
    column, row = np.array([wide, tall]) / 2 - zoom * (low + high) / 2
    return _Camera(zoom, float(column), float(row))


def _unit(v: ndarray) -> ndarray:
    v = np.asarray(v, dtype=np.float64)
    return typed_array(v / np.linalg.norm(v))


def corner_values(
    values: Int[ndarray, "n"] | Float[ndarray, "n *k"], faces: Int[ndarray, "faces 3"], *, on_faces: bool
) -> ndarray:
    """Return values of faces or vertices, gathered at the three corners of each face."""
    return np.repeat(values[:, None], 3, axis=1) if on_faces else values[faces]
