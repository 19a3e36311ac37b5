"""Sheets: the points of surfaces and their positions in space."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry import (
    Cylinder,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    Icosphere,
    InCoordinates,
    KleinBottle,
    Manifold,
    MobiusStrip,
    ProjectiveSpace,
    PuncturedPlane,
    Sphere,
    SurfaceOfRevolution,
)
from gaugenet.geometry.manifolds.numeric import Embedded
from gaugenet.viz.render.camera import Direction
from gaugenet.viz.render.triangles import polar_grid
from gaugenet.viz.surfaces.immersions import Immersion, boy, figure_eight, flat, ring, rolled, twisted

Domain = tuple[tuple[float, float], tuple[float, float]]
"""Ranges of both chart coordinates."""

Chart = Callable[[Tensor], Tensor]
"""Coordinates `(N, 2)` within a domain to points `(N, D)` of a manifold."""

CELLS = 9000
"""About how many cells a chart is cut into."""


@dataclass(frozen=True)
class Camera:
    """The viewpoint of a picture (see `MeshView` and `render_meshes`), and the brightness of its colors."""

    up: Direction = "z"
    front: Direction = "x"
    azimuth: float = 25.0
    elevation: float = 22.0
    exposure: float = 0.76


_FACE_ON = Camera(up="y", front="z", azimuth=0.0, elevation=0.0, exposure=0.97)


@dataclass(frozen=True)
class Sheet:
    """A surface as it is drawn.

    Attributes:
        points: `(V, D)`, points of the manifold.
        faces: `(F, 3)`, triangles between them; where the surface closes up, vertices may coincide in space.
        immersion: map from points to space.
        level: function of points that is zero at the edge and negative outside; `None` draws all points.
        camera: a good viewpoint.
    """

    points: Float[Tensor, "vertices D"]
    faces: Int[ndarray, "faces 3"]
    immersion: Immersion
    level: Callable[[Tensor], Tensor] | None = None
    camera: Camera = Camera()


def sheet_of(
    manifold: Manifold, *, immersion: Immersion | None = None, domain: Domain | None = None, chart: Chart | None = None
) -> Sheet:
    """Return the sheet on which a manifold of dimension two is drawn.

    Args:
        manifold: flat quotients, spheres, the hyperbolic plane (as a disc) and surfaces in space are known.
        immersion: map from its points to space; replaces the known one, if any.
        domain: ranges of both chart coordinates.
        chart: map from coordinates in the domain to points, where points have other coordinates.

    Raises:
        ValueError: If the dimension is not 2, or `immersion` or `domain` must be given for the manifold.
    """
    if manifold.dim != 2:
        raise ValueError(
            f"Expected a surface, a manifold of dimension 2, got {manifold!r} of dimension {manifold.dim}: "
            "see `SpacePicture` for dimension 3."
        )
    if chart is not None or (immersion is not None and manifold.ambient_dim == 2):
        return _in_chart(manifold, immersion, domain, chart)
    if immersion is not None:
        return replace(sheet_of(manifold, domain=domain), immersion=_in_space(immersion), camera=Camera())
    for kind, sheet in _KNOWN:
        if isinstance(manifold, kind):
            return sheet(manifold, domain)
    if manifold.ambient_dim != 2:
        raise ValueError(
            f"No immersion of {manifold!r} in space is known: pass `domain`, `chart` (a function from coordinates "
            f"(N, 2) to points (N, {manifold.ambient_dim})) and, if points are not in space, `immersion` to (N, 3)."
        )
    return _chart(flat, _given(repr(manifold), domain))


def _in_chart(manifold: Manifold, immersion: Immersion | None, domain: Domain | None, chart: Chart | None) -> Sheet:
    """Return the sheet that the user describes by ranges of coordinates, a chart and an immersion."""
    domain = _given("`immersion`" if chart is None else "`chart`", domain)
    if immersion is None and manifold.ambient_dim not in (2, 3):
        raise ValueError(f"Expected `immersion` for {manifold!r}: points (N, {manifold.ambient_dim}) to space, (N, 3).")
    return _chart(immersion or torch.clone, domain, chart)


def _given(what: str, domain: Domain | None) -> Domain:
    """Return the ranges of coordinates; raise `ValueError` if the user did not give them."""
    if domain is None:
        raise ValueError(f"Expected `domain` with {what}: the ranges of both coordinates, ((a, b), (c, d)).")
    return domain


# --- surfaces that are known ------------------------------------------------------------------------------------------


def _sphere(manifold: Sphere, domain: Domain | None) -> Sheet:
    grid = Icosphere(5)
    return Sheet(manifold.radius * grid.pos, grid.face.T.numpy(), lambda p: p)


def _in_coordinates(manifold: InCoordinates, domain: Domain | None) -> Sheet:
    inner = sheet_of(manifold.manifold, domain=domain)
    level = inner.level
    return Sheet(
        manifold.forward(inner.points),
        inner.faces,
        lambda p: inner.immersion(manifold.backward(p)),
        None if level is None else lambda p: level(manifold.backward(p)),
        inner.camera,
    )


def _mobius_strip(manifold: MobiusStrip, domain: Domain | None) -> Sheet:
    length, width = manifold.lengths[0], manifold.width
    return _chart(twisted(length), domain or ((0.0, length), (-width / 2, width / 2)), up="z", front="-y")


def _cylinder(manifold: Cylinder, domain: Domain | None) -> Sheet:
    length, width = manifold.lengths
    return _chart(rolled(length), domain or ((0.0, length), (0.0, width)))


def _klein_bottle(manifold: KleinBottle, domain: Domain | None) -> Sheet:
    length, width = manifold.lengths
    return _chart(figure_eight(length, width), domain or ((0.0, length), (0.0, width)))


def _flat_torus(manifold: FlatTorus, domain: Domain | None) -> Sheet:
    length, width = manifold.lengths
    return _chart(ring(length, width), domain or ((0.0, length), (0.0, width)))


def _embedded(manifold: Embedded, domain: Domain | None) -> Sheet:
    if domain is None and isinstance(manifold, SurfaceOfRevolution):
        domain = ((0.0, 2 * math.pi), manifold.interval)
    return _chart(manifold.immersion, _given(repr(manifold), domain))


_KNOWN: tuple[tuple[type[Manifold], Callable[[Any, Domain | None], Sheet]], ...] = (
    (Sphere, _sphere),
    (InCoordinates, _in_coordinates),
    (ProjectiveSpace, lambda manifold, domain: _projective_plane()),
    (Hyperbolic, lambda manifold, domain: _poincare_disc(manifold)),
    (MobiusStrip, _mobius_strip),
    (Cylinder, _cylinder),
    (KleinBottle, _klein_bottle),
    (FlatTorus, _flat_torus),
    (Embedded, _embedded),
    (PuncturedPlane, lambda manifold, domain: _annulus(0.25, 2.2) if domain is None else _chart(flat, domain)),
    (Euclidean, lambda manifold, domain: _chart(flat, domain or ((-1.2, 1.2), (-1.2, 1.2)))),
)
"""In this order: a punctured plane is Euclidean, too."""


# --- charts -----------------------------------------------------------------------------------------------------------


def _chart(immersion: Immersion, domain: Domain, chart: Chart | None = None, **camera: Any) -> Sheet:
    """Return the sheet of a rectangle of coordinates.

    Where opposite edges coincide in space, the surface closes up. With a chart, drawings also continue over an edge,
    since points do not tell on which side of it they lie.
    """
    (a, b), (c, d) = domain
    if not (a < b and c < d):
        raise ValueError(f"Expected `domain` ((a, b), (c, d)) with a < b and c < d, got {domain}.")

    in_space = _in_space(immersion)
    points_of = chart or torch.clone
    shape = _cells(lambda p: in_space(points_of(p)), domain)
    s, t = (torch.linspace(low, high, n + 1, dtype=torch.float64) for (low, high), n in zip(domain, shape))
    points = points_of(torch.cartesian_prod(s, t))
    corner = np.arange(len(points)).reshape(shape[0] + 1, shape[1] + 1)
    p, q, r, u = (x.reshape(-1) for x in (corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]))
    faces = np.concatenate([np.stack([p, q, r], -1), np.stack([p, r, u], -1)])
    positions = in_space(points).reshape(len(s), len(t), 3)
    open_x = not _same_edge(positions[0], positions[-1])
    open_y = not _same_edge(positions[:, 0], positions[:, -1])

    def level(p: Tensor) -> Tensor:
        x, y = p.unbind(-1)
        edges = [x - a, b - x] * open_x + [y - c, d - y] * open_y
        return torch.stack(edges).amin(0)

    is_flat = bool((positions[..., 2].max() - positions[..., 2].min()).abs() < 1e-9)
    view = _FACE_ON if is_flat else Camera(**camera)
    return Sheet(points, faces, in_space, level if (open_x or open_y) and chart is None else None, view)


def _in_space(immersion: Immersion) -> Immersion:
    """Wrap an immersion: check the shape of its result, and give positions in a plane the height zero."""

    def checked(p: Tensor) -> Tensor:
        positions = immersion(p).double()
        if positions.dim() != 2 or positions.shape[-1] not in (2, 3):
            raise ValueError(
                f"Expected `immersion` to map (N, {p.shape[-1]}) to (N, 3) or (N, 2), got {tuple(positions.shape)}."
            )
        return positions if positions.shape[-1] == 3 else flat(positions)

    return checked


def _cells(immersion: Immersion, domain: Domain) -> tuple[int, int]:
    """Return the numbers of cells along both coordinates that make them about square in space."""
    (a, b), (c, d) = domain
    t = torch.linspace(0, 1, 65, dtype=torch.float64)
    lengths = []
    for along in (0, 1):
        line = torch.full((3, 65, 2), 0.0, dtype=torch.float64)
        line[..., along] = torch.tensor((a, c), dtype=torch.float64)[along] + t * ((b - a, d - c)[along])
        across = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64) * (d - c, b - a)[along] + (c, a)[along]
        line[..., 1 - along] = across[:, None]
        at = immersion(line.reshape(-1, 2)).reshape(3, 65, -1)
        lengths.append(float(torch.linalg.vector_norm(at[:, 1:] - at[:, :-1], dim=-1).sum(1).mean()))
    ratio = math.sqrt(max(lengths[0], 1e-9) / max(lengths[1], 1e-9))
    side = math.sqrt(CELLS)
    first, second = (int(min(max(round(side * r), 16), CELLS // 16)) for r in (ratio, 1 / ratio))
    return first, second


def _same_edge(one: Float[Tensor, "n 3"], other: Float[Tensor, "n 3"]) -> bool:
    """Return whether two edges coincide, in either direction, or one shrinks to a point (a pole)."""
    size = torch.linalg.vector_norm(one - one[:1], dim=-1).max()
    if size < 1e-6:
        return True
    return any(bool(torch.linalg.vector_norm(one - x, dim=-1).max() < 1e-6 * size) for x in (other, other.flip(0)))


# --- surfaces that are known ------------------------------------------------------------------------------------------


def _poincare_disc(plane: Hyperbolic) -> Sheet:
    """Return the disc model to distance 4 from the centre; angles are right, lengths shrink towards the edge."""
    edge = math.tanh(2.0)
    grid = polar_grid(60, 150)
    return Sheet(
        plane.from_ball(edge * torch.from_numpy(grid.points)),
        grid.faces,
        lambda p: flat(plane.to_ball(p)),
        lambda p: edge - torch.linalg.vector_norm(plane.to_ball(p), dim=-1),
        _FACE_ON,
    )


def _projective_plane() -> Sheet:
    """Return Boy's surface: half of the sphere with opposite points of its edge identified."""
    grid = polar_grid(70, 180)
    x, y = torch.from_numpy(grid.points).unbind(-1)
    square = x**2 + y**2
    points = torch.stack([2 * x, 2 * y, 1 - square], -1) / (1 + square)[:, None]
    return Sheet(points, grid.faces, boy)


def _annulus(inner: float, outer: float) -> Sheet:
    """Return the sheet of an annulus in the plane."""
    radius = torch.linspace(inner, outer, 50, dtype=torch.float64)
    angle = torch.arange(180, dtype=torch.float64) * (2 * math.pi / 180)
    r, a = torch.meshgrid(radius, angle, indexing="ij")
    points = torch.stack([r * torch.cos(a), r * torch.sin(a)], -1).reshape(-1, 2)
    k, j = np.meshgrid(np.arange(49), np.arange(180), indexing="ij")
    here, there = (k * 180 + j).reshape(-1), (k * 180 + (j + 1) % 180).reshape(-1)
    faces = np.concatenate([np.stack([here, here + 180, there + 180], -1), np.stack([here, there + 180, there], -1)])

    def level(p: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(p, dim=-1)
        return torch.minimum(length - inner, outer - length)

    return Sheet(points, faces, flat, level, _FACE_ON)
