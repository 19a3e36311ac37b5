"""A picture of every row: its frames, and a kernel of its layer carried over the space.

Frames are those of the row's own configuration, in gauges drawn at random from the structure group; faint arrows and
circles are the other frames of the G-structure. Where it is trivial there is one frame at every point, and kernels look
the same from each. Kernels are an entry of K(v) of the row's layer, with random weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry import Euclidean, Grid, Icosphere, Product, PuncturedPlane, Sphere
from gaugenet.groups import Lorentz, StructureGroup
from gaugenet.taxonomy.curved import H2, H3, SPHERE, STRIP, ball, combed, uneven_ball
from gaugenet.taxonomy.entry import Row
from gaugenet.viz import SpacePicture, SurfacePicture
from gaugenet.viz.picture import FIRST, INK, SECOND, THIRD, Picture, kernel_function
from gaugenet.viz.sheets import Camera

SIZE = (420, 300)
LINES = (176, 184, 196)


def draw_row(row: Row) -> Picture:
    """The picture of a row.

    Raises:
        ValueError: a row that has none.
    """
    if row.name not in PICTURES:
        raise ValueError(f"Expected a row with a picture, one of {', '.join(PICTURES)}, got {row.name!r}.")
    return PICTURES[row.name](row)


def write_pictures(rows: tuple[Row, ...], folder: str | Path) -> None:
    """Write `NAME.png` into a folder for every row."""
    for row in rows:
        draw_row(row).save(Path(folder) / f"{row.name}.png", size=SIZE, palette=True)


# --- what rows have in common -----------------------------------------------------------------------------------------


def layer_of(row: Row, seed: int) -> Any:
    """The layer of a row, with weights of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return row.configure(row.points())[1]


def frames_of(row: Row, points: Tensor) -> Float[Tensor, "points D d"]:
    """The frames of a row's configuration at points."""
    domain, layer = row.configure(points)
    d = layer.in_type.group.d
    frame = torch.eye(d).expand(len(points), -1, -1) if isinstance(domain, Grid) else domain.frame[: len(points)]
    return frame.double()


def in_random_gauges(frames: Tensor, group: StructureGroup, seed: int) -> Tensor:
    """Frames turned by a random element of the group at every point; moderate ones of a group that is not compact."""
    if group.order == 1:
        return frames
    generator = torch.Generator().manual_seed(seed)
    g = group.random_element(len(frames), generator=generator).double()
    return frames @ torch.linalg.inv(g)


def collected(
    picture: SurfacePicture,
    layer: Any,
    centres: Tensor,
    others: Tensor,
    frames: Callable[[Tensor], Tensor],
    radius: float,
    *,
    length: float | None = None,
    seed: int = 0,
    orbit: bool = True,
) -> SurfacePicture:
    """Kernels about some points, and frames at others, all in random gauges."""
    group = layer.in_type.group
    frame = in_random_gauges(frames(torch.cat([centres, others])), group, seed)
    count = len(centres)
    picture.kernel(centres, layer, radius, frame[:count])
    return picture.frames(others, frame[count:], group=group if orbit else None, length=length, width=0.1)


def apart(picture: SurfacePicture, centres: Tensor, others: Tensor, distance: float) -> Tensor:
    """Those of the other points that are further, in space, from all centres and from the edge."""
    here, there = (torch.from_numpy(picture.surface.place(p)) for p in (centres, others))
    return others[torch.cdist(there, here).amin(1) > distance]


# --- the plane --------------------------------------------------------------------------------------------------------

DOMAIN = ((-1.75, 1.75), (-1.25, 1.25))
CENTRES = torch.tensor([[x, y] for y in (-0.66, 0.66) for x in (-1.16, 0.0, 1.16)], dtype=torch.float64)
BETWEEN = torch.tensor(
    [[x, y] for x in (-0.58, 0.58) for y in (-1.0, -0.33, 0.33, 1.0)] + [[x, 0.0] for x in (-1.16, 0.0, 1.16)],
    dtype=torch.float64,
)


def plane(seed: int = 0) -> Callable[[Row], Picture]:
    """A row of the plane, or of its noncompact groups, whose frames are larger and smaller."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(Euclidean(2), domain=DOMAIN)
        return collected(
            picture, layer_of(row, seed), CENTRES, BETWEEN, lambda p: frames_of(row, p), 0.43, length=0.21, seed=seed
        )

    return draw


def pixels(seed: int = 0) -> Callable[[Row], Picture]:
    """A row of pixels: kernels over 5 x 5 of them."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(Euclidean(2), domain=((-7.5, 7.5), (-5.5, 5.5)))
        for x in range(-7, 8):
            picture.curve([[x + 0.5, -5.5], [x + 0.5, 5.5]], width=0.05, color=LINES)
        for y in range(-5, 6):
            picture.curve([[-7.5, y + 0.5], [7.5, y + 0.5]], width=0.05, color=LINES)
        centres = torch.tensor([[x, y] for y in (-3, 3) for x in (-5, 0, 5)], dtype=torch.float64)
        others = torch.tensor([[x, 0] for x in (-6, -4, -2, 0, 2, 4, 6)], dtype=torch.float64)
        return collected(
            picture, layer_of(row, seed), centres, others, lambda p: frames_of(row, p), 2.0, length=0.85, seed=seed
        )

    return draw


def punctured(rings: list[tuple[float, int]], between: list[tuple[float, int]], radius: float, length: float) -> Any:
    """Rings of points about the origin."""

    def draw(row: Row) -> Picture:
        centres = torch.cat([ring(r, n) for r, n in rings])
        others = torch.cat([ring(r, n, 0.5) for r, n in between])
        picture = SurfacePicture(PuncturedPlane())
        return collected(picture, layer_of(row, 3), centres, others, lambda p: frames_of(row, p), radius, length=length)

    return draw


def ring(radius: float, count: int, shift: float = 0.0) -> Float[Tensor, "count 2"]:
    """Points on a circle."""
    angle = 2 * math.pi * (torch.arange(count, dtype=torch.float64) + shift) / count
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def scaled_frames(turn: bool) -> Callable[[Row], Picture]:
    """Frames of three sizes; kernels grow with them."""

    def draw(row: Row) -> Picture:
        picture, layer = SurfacePicture(Euclidean(2), domain=DOMAIN), layer_of(row, 0)
        size = torch.tensor([0.7, 1.3, 0.9, 1.15, 0.75, 1.0] + [0.7, 1.4, 1.0, 1.2, 1.5, 0.8, 1.2, 0.7, 1.0, 1.3, 0.8])
        angle = torch.rand(17, generator=torch.Generator().manual_seed(0)) * (2 * math.pi if turn else 0.0)
        c, s = angle.cos(), angle.sin()
        frames = (size[:, None, None] * torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)).double()
        picture.kernel(CENTRES, layer, 0.38, frames[:6])
        return picture.frames(BETWEEN, frames[6:], length=0.18, width=0.1)

    return draw


def boosted(row: Row) -> Picture:
    """Time upwards, light along the diagonals; frames boosted along the way."""
    picture, layer = SurfacePicture(Euclidean(2), domain=DOMAIN), layer_of(row, 0)
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)  # coordinates (t, x) are drawn as (x, t)
    rapidity = [-0.5, 0.0, 0.5, 0.3, -0.3, 0.0, -0.6, 0.6, 0.6, -0.6, 0.3, 0.0, -0.3]
    frames = torch.stack([swap @ Lorentz(2).boost(r) for r in rapidity])
    for x in np.arange(-2.5, 3.0, 0.5):
        for way in (1, -1):
            height = [y for y in np.linspace(-1.25, 1.25, 101) if abs(x + way * y) <= 1.75]
            picture.curve([[x + way * y, y] for y in (height[0], height[-1])], width=0.01, color=LINES)
    others = torch.tensor([[x, y] for x in (-0.58, 0.58) for y in (-0.95, 0.95)] + [[x, 0.0] for x in (-0.8, 0.0, 0.8)])
    picture.kernel(CENTRES, layer, 0.32, frames[:6])
    return picture.frames(others.double(), frames[6:], length=0.17, width=0.11)


def line(row: Row) -> Picture:
    """The line, with the graph of a kernel over it, from frames of three sizes; near zero it has no end of waves."""
    picture, kernel = SurfacePicture(Euclidean(2), domain=DOMAIN), kernel_function(layer_of(row, 0), (2, 0))
    picture.curve([[-1.75, -0.85], [1.75, -0.85]], width=0.025, color=INK)
    steps = np.geomspace(0.03, 1, 160)
    sides = [kernel(side * steps[:, None]) for side in (1, -1)]
    tallest = max(np.abs(values).max() for values in sides)
    for x, size, color in ((-1.15, 0.5, FIRST), (-0.27, 0.3, THIRD), (0.85, 0.8, SECOND)):
        for side, values in zip((1, -1), sides):
            graph = np.stack([x + side * size * steps, 0.2 + 0.85 * values / tallest], -1)
            picture.curve(graph, width=0.022, color=color)
        frame = size * torch.eye(2, dtype=torch.float64)
        picture.arrow([[x, -0.85]], frame, (1.0, 0.0), width=0.05 / size, color=color)
    return picture


# --- curved surfaces --------------------------------------------------------------------------------------------------


def surface(
    make: Callable[[], Any], radius: float, *, kernels: int = 14, frames: int = 60, gap: float = 1.35, seed: int = 0
) -> Callable[[Row], Picture]:
    """A row of a manifold of dimension two: points far from each other."""

    def draw(row: Row) -> Picture:
        picture = SurfacePicture(make())
        centres = picture.spread(kernels)
        others = apart(picture, centres, picture.spread(frames), gap * radius)
        return collected(picture, layer_of(row, seed), centres, others, lambda p: frames_of(row, p), radius, seed=seed)

    return draw


def strip(row: Row) -> Picture:
    """Kernels around the strip, frames at its edges."""
    picture = SurfacePicture(STRIP)
    centres = torch.stack([torch.linspace(0.2, 3.8, 9), torch.zeros(9)], -1).double()
    others = torch.tensor([[x, y] for x in torch.linspace(0.05, 3.95, 14) for y in (-0.36, 0.36)], dtype=torch.float64)
    return collected(picture, layer_of(row, 2), centres, others, lambda p: frames_of(row, p), 0.19, length=0.09, seed=1)


def hyperbolic(row: Row) -> Picture:
    """Rings of points of the disc, at hyperbolic distances."""
    origin = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    turn = [H2.from_ball(ring(math.tanh(r / 2), n, s)) for r, n, s in ((1.5, 7, 0.0), (2.75, 14, 0.5))]
    between = [H2.from_ball(ring(math.tanh(r / 2), n, s)) for r, n, s in ((0.8, 7, 0.5), (2.1, 14, 0.0))]
    picture = SurfacePicture(H2)
    return collected(
        picture, layer_of(row, 1), torch.cat([origin, *turn]), torch.cat(between), lambda p: frames_of(row, p), 0.38,
        length=0.21, seed=1,
    )  # fmt: skip


def horocyclic(row: Row) -> Picture:
    """The half-plane, whose frames and kernels grow with the height."""
    picture = SurfacePicture(H2, place=lambda p: p, domain=((-1.75, 1.75), (0.12, 2.62)))
    rows = [(1.9 / 2**k, 1.75 / 2**k, 0.5 * (k % 2)) for k in range(4)]
    centres = [[(k + s) * step, y] for y, step, s in rows for k in range(-8, 9) if abs((k + s) * step) < 1.75 - 0.3 * y]
    others = [[(k + s + 0.5) * step, y] for y, step, s in rows for k in range(-8, 8)]
    others = [p for p in others if abs(p[0] + 0.1 * p[1]) < 1.75 - 0.14 * p[1]]
    at, beside = (torch.tensor(p, dtype=torch.float64) for p in (centres, others))
    return collected(picture, layer_of(row, 1), at, beside, lambda p: frames_of(row, p), 0.27, length=0.16)


def polar_sphere(row: Row) -> Picture:
    """Circles of latitude, off the poles."""
    rows = [(50, 6, 0.0), (0, 9, 0.5), (-50, 6, 0.0)]
    between = [(74, 5, 0.5), (27, 9, 0.0), (-27, 9, 0.0), (-74, 5, 0.5)]
    centres, others = (
        torch.cat([at_latitude(lat, ring(1.0, n, s)) for lat, n, s in circles]) for circles in (rows, between)
    )
    return collected(SurfacePicture(SPHERE), layer_of(row, 1), centres, others, lambda p: frames_of(row, p), 0.29)


def at_latitude(degrees: float, circle: Tensor) -> Tensor:
    height = torch.full((len(circle), 1), math.sin(math.radians(degrees)), dtype=torch.float64)
    return torch.cat([math.cos(math.radians(degrees)) * circle, height], -1)


def icosahedron(row: Row) -> Picture:
    """Vertices of the icosphere, without the twelve corners."""
    points, picture = Icosphere(2).pos[:-2], SurfacePicture(SPHERE)
    frames = frames_of(row, points)
    regular = torch.cdist(points, Icosphere(0).pos).amin(1) > 1e-6
    points, frames = points[regular], frames[regular]
    chosen = farthest(points, [0], 14)
    away = points[torch.cdist(points, points[chosen]).amin(1) > 0.36]
    others = away[farthest(away, [0], 50)]

    def at(p: Tensor) -> Tensor:
        return frames[torch.cdist(p, points).argmin(1)]

    return collected(picture, layer_of(row, 1), points[chosen], others, at, 0.26, length=0.14)


def farthest(points: Tensor, chosen: list[int], count: int) -> list[int]:
    """Rows, each as far as may be from those before."""
    while len(chosen) < min(count, len(points)):
        chosen = [*chosen, int(torch.cdist(points, points[chosen]).amin(1).argmax())]
    return chosen


def uneven(field: Callable[[Any], Tensor] | None) -> Callable[[Row], Picture]:
    """A row of meshes, on a finer mesh of the same shape; `None`: frames by the first edge."""

    def draw(row: Row) -> Picture:
        mesh = ball(uneven_ball(4), 4)
        picture = SurfacePicture(mesh)
        picture.camera = Camera("z", "x", 25.0, 22.0)
        away = np.abs(mesh.vertex_normals[:, 2]) < 0.9  # combed frames are not defined where the normal is vertical
        centres, others = (p[torch.from_numpy(away)[p]] for p in (picture.spread(16), picture.spread(70)))
        others = apart(picture, centres, others, 0.44)
        everywhere = None if field is None else field(mesh)

        def frames(p: Tensor) -> Tensor:
            return picture.surface.frames_at(p, None) if everywhere is None else everywhere[p]

        return collected(picture, layer_of(row, 1), centres, others, frames, 0.32, length=0.15)

    return draw


# --- three dimensions -------------------------------------------------------------------------------------------------

BALLS = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)


def space(seed: int = 0) -> Callable[[Row], Picture]:
    """A row of flat space: kernels and frames at alternate corners of a cube."""

    def draw(row: Row) -> Picture:
        picture, layer = SpacePicture(Euclidean(3)), layer_of(row, seed)
        points = torch.cat([BALLS, -BALLS])
        frames = in_random_gauges(frames_of(row, 0.4 * points), layer.in_type.group, seed)
        box(picture, points)
        picture.kernel(points[:4], layer, 0.8, frames[:4])
        return picture.frames(points[4:], frames[4:], length=0.62, width=0.1)

    return draw


def box(picture: SpacePicture, corners: Tensor) -> None:
    """The edges of a cube."""
    for one in corners:
        for other in corners:
            if (one - other).norm() == 2 and (one < other).any():
                picture.line(np.linspace(one, other, 2), width=0.02, color=LINES)


def shells(row: Row) -> Picture:
    """Around the origin, where lengths are logarithms: everything grows with the distance."""

    def place(p: Tensor) -> Tensor:
        return p[:, :3] * p[:, 3:].exp()

    picture, layer = SpacePicture(Product(Sphere(2), Euclidean(1)), place=place), layer_of(row, 0)
    near, north = 0.75 * at_latitude(0, ring(1.0, 4, 0.25)), 2.0 * at_latitude(42, ring(1.0, 4, 0.5))
    points = torch.cat(
        [near, north, 2.0 * at_latitude(-42, ring(1.0, 4, 0.5)), 1.8 * at_latitude(0, ring(1.0, 4, 0.0))]
    )
    frames = in_random_gauges(frames_of(row, points), layer.in_type.group, 0)
    length = points.norm(dim=1, keepdim=True)
    places = torch.cat([points / length, length.log()], -1)
    picture.parts.append(origin())
    picture.kernel(places[:8], layer, 0.4, frames[:8])
    return picture.frames(places[8:], frames[8:], length=0.36, width=0.1)


def origin() -> Any:
    """A small dark ball."""
    from gaugenet.viz.triangles import Triangles

    sphere = Icosphere(3)
    return Triangles.of(0.05 * sphere.pos.numpy(), sphere.face.T.numpy(), INK)


def hyperbolic_space(row: Row) -> Picture:
    """The ball model: lengths shrink towards its surface, of which three great circles are drawn."""
    picture, layer = SpacePicture(H3), layer_of(row, 0)
    unit = torch.nn.functional.normalize(BALLS, dim=-1)
    at = [
        torch.zeros(1, 3, dtype=torch.float64),
        math.tanh(0.75) * unit,
        -math.tanh(0.6) * unit,
        math.tanh(1.0) * axes(),
    ]
    points = H3.from_ball(torch.cat(at))
    frames = in_random_gauges(frames_of(row, points), layer.in_type.group, 0)
    circle = np.concatenate([ring(1.0, 90).numpy(), [[1.0, 0.0]]])
    for k in range(3):
        picture.line(np.insert(circle, k, 0.0, axis=1), width=0.012, color=LINES)
    picture.kernel(points[:5], layer, 0.7, frames[:5])
    return picture.frames(points[5:], frames[5:], length=0.75, width=0.11)


def axes() -> Float[Tensor, "6 3"]:
    return torch.cat([torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)])


def boosted_space(row: Row) -> Picture:
    """Time upwards: frames and kernels of observers that move in different directions."""
    picture, layer = SpacePicture(Euclidean(3)), layer_of(row, 0)
    upright = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=torch.float64)  # (t, x, y) as (x, y, t)
    points = torch.cat([BALLS, -BALLS])
    turn = torch.eye(3, dtype=torch.float64).repeat(8, 1, 1)
    turn[:, 1:, 1:] = torch.stack([rotation_of(0.8 * k) for k in range(8)])
    frames = torch.stack([upright @ r @ Lorentz(3).boost(0.5) @ r.T for r in turn])
    frames[0] = frames[4] = upright
    box(picture, points)
    picture.kernel(points[:4], layer, 0.7, frames[:4])
    return picture.frames(points[4:], frames[4:], length=0.6, width=0.1)


def rotation_of(angle: float) -> Float[Tensor, "2 2"]:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


PICTURES: dict[str, Callable[[Row], Picture]] = {
    "pixels": pixels(1),
    "volume": space(1),
    "plane_reflection": plane(2),
    "plane_rotations": plane(0),
    "pixels_quarter_turns": pixels(2),
    "plane_rotations_reflections": plane(1),
    "plane_square": plane(3),
    "space_rotations": space(0),
    "space_cube": space(0),
    "space_rotations_reflections": space(2),
    "space_quarter_turns": space(1),
    "space_square": space(1),
    "plane_polar": punctured([(0.95, 8), (1.78, 8)], [(1.36, 8), (2.0, 8)], 0.3, 0.2),
    "plane_log_polar": punctured([(0.5, 8), (1.5, 8)], [(0.9, 8), (2.0, 8)], 0.29, 0.2),
    "shells": shells,
    "line_scaling": line,
    "plane_scaling": scaled_frames(turn=False),
    "plane_similarities": scaled_frames(turn=True),
    "minkowski_plane": boosted,
    "minkowski_space": boosted_space,
    "sphere_rotations": surface(lambda: SPHERE, 0.32, seed=1),
    "sphere_zonal": surface(lambda: SPHERE, 0.32, seed=1),
    "sphere_polar": polar_sphere,
    "icosahedron_hexagonal": icosahedron,
    "icosahedron_charts": icosahedron,
    "mesh": uneven(None),
    "mesh_crosses": uneven(combed),
    "mesh_frames": uneven(combed),
    "mobius_strip": strip,
    "hyperbolic_plane": hyperbolic,
    "hyperbolic_space": hyperbolic_space,
    "horocycles": horocyclic,
}

__all__ = ["draw_row", "write_pictures"]
