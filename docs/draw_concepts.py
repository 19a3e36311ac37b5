"""The pictures of docs/pictures_of_concepts.md, drawn from what the library computes.

python docs/draw_concepts.py       writes frame.png, gauge.png, cube.png and steerable.png to docs/images
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import cos, degrees, pi, sin
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import trimesh
from matplotlib.axes import Axes
from torch import Tensor

from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import HarmonicSpace

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen

IMAGES = Path(__file__).resolve().parent / "images"
ARROW, FRAME, OTHER = "tab:red", "tab:blue", "tab:green"


def rotation(angle: float) -> Tensor:
    """The element of SO(2) that rotates by an angle."""
    return torch.tensor([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]], dtype=torch.float64)


def arrow(axis: Axes, start, vector, color: str, **look) -> None:
    """An arrow in the plane."""
    axis.quiver(*start, *vector, color=color, angles="xy", scale_units="xy", scale=1, **{"width": 0.012, **look})


def plane(axis: Axes, title: str, limit: float = 1.3) -> None:
    axis.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.axis("off")


def draw_frame() -> None:
    """A mesh with the frame that it has at some of its vertices."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    bumps = 1 + 0.25 * np.sin(3 * ball.vertices).prod(1, keepdims=True)
    graph = TriangleMesh(ball.vertices * bumps, ball.faces).gauge_graph(SO2(), mean_neighbors=16, dtype=torch.float64)
    figure = plt.figure(figsize=(4.6, 4.2))
    axis = figure.add_subplot(projection="3d", computed_zorder=False)
    pos, face = graph.pos.numpy(), graph.face.T.numpy()
    axis.plot_trisurf(*pos.T, triangles=face, color="white", edgecolor="none")
    normal = np.cross(graph.frame[:, :, 0], graph.frame[:, :, 1])
    seen = np.flatnonzero(normal @ direction(20, -60) > 0.3)
    seen = seen[farthest(pos[seen], 36)]
    for column, color in ((0, FRAME), (1, OTHER)):
        axis.quiver(*1.01 * pos[seen].T, *graph.frame[seen, :, column].numpy().T, color=color, length=0.2, lw=1.6)
    axis.view_init(20, -60)
    axis.set_box_aspect(np.ptp(pos, axis=0), zoom=1.5)
    axis.axis("off")
    save(figure, "frame")


def farthest(points: np.ndarray, count: int) -> list[int]:
    """Farthest-point sampling: each point is the farthest from those before."""
    chosen = [0]
    for _ in range(count - 1):
        chosen.append(int(np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(1).argmax()))
    return chosen


def direction(elevation: float, azimuth: float) -> np.ndarray:
    """The unit vector from the origin to the eye, for angles in degrees."""
    e, a = np.deg2rad([elevation, azimuth])
    return np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def draw_gauge() -> None:
    """One tangent vector in two frames: the numbers change by the group element, the arrow does not."""
    vectors, numbers = FieldType(SO2(), "1x1"), torch.tensor([[0.9, 0.5]], dtype=torch.float64)
    g = rotation(-pi / 5)
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
    cases = [("One frame", torch.eye(2, dtype=torch.float64), numbers),
             ("Another frame", g.T, vectors.transform(g, numbers))]  # fmt: skip
    for axis, (title, frame, (numbers_here,)) in zip(axes, cases, strict=True):
        plane(axis, f"{title}: ({numbers_here[0]:.2f}, {numbers_here[1]:.2f})")
        arrow(axis, (0, 0), frame[:, 0], FRAME)
        arrow(axis, (0, 0), frame[:, 1], OTHER)
        arrow(axis, (0, 0), frame @ numbers_here, ARROW, width=0.02)
        axis.add_patch(plt.Circle((0, 0), 1.25, fill=False, color="lightgray"))
    save(figure, "gauge")


def cube() -> TriangleMesh:
    """A cube of side 2 about the origin, its edges cut in four."""
    box = trimesh.creation.box((2, 2, 2)).subdivide().subdivide()
    return TriangleMesh(box.vertices, box.faces)


def around_corner() -> tuple[Tensor, Tensor, float]:
    """Points on a path around a corner, a vector of space transported along it, and the angle that it has turned."""
    graph = cube().gauge_graph(SO2(), neighborhood="one_ring", dtype=torch.float64)
    corners = [(1, 0.5, 0.5), (1, 1, 0.5), (0.5, 1, 0.5), (0.5, 1, 1), (0.5, 0.5, 1), (1, 0.5, 1), (1, 0.5, 0.5)]
    path = [int((graph.pos - torch.tensor(c, dtype=torch.float64)).norm(dim=1).argmin()) for c in corners]
    edges = {(int(q), int(p)): e for e, (q, p) in enumerate(graph.edge_index.T)}
    numbers = [torch.tensor([1.0, 0.0], dtype=torch.float64)]
    for q, p in pairwise(path):
        numbers.append(graph.transporter[edges[q, p]] @ numbers[-1])
    (a, b), (c, d) = numbers[0], numbers[-1]
    turned = float(torch.atan2(a * d - b * c, a * c + b * d))
    return graph.pos[path], torch.stack([graph.frame[p] @ v for p, v in zip(path, numbers, strict=True)]), turned


def draw_cube() -> None:
    """A vector that is transported around a corner comes back rotated by a right angle."""
    pos, vectors, turned = around_corner()
    figure = plt.figure(figsize=(4.6, 4.2))
    axis = figure.add_subplot(projection="3d", computed_zorder=False)
    mesh = cube()
    axis.plot_trisurf(*np.asarray(mesh.vertices).T, triangles=np.asarray(mesh.faces), color="whitesmoke",
                      edgecolor="silver", lw=0.5, shade=False)  # fmt: skip
    axis.plot(*(1.01 * pos.numpy().T), color="gray", lw=1.5, ls="--")
    colors = [FRAME, *["salmon"] * (len(pos) - 2), ARROW]
    for p, v, color in zip(1.02 * pos, vectors, colors, strict=True):
        axis.quiver(*p, *v, length=0.42, color=color, lw=2)
    axis.view_init(30, 40)
    axis.set_box_aspect((1, 1, 1), zoom=1.25)
    axis.set_title(f"Back from the way around: rotated by {abs(degrees(turned)):.0f} degrees", fontsize=10, y=1.05)
    axis.axis("off")
    save(figure, "cube")


def pattern(kernel: Callable[[Tensor], Tensor], g: Tensor) -> tuple[Tensor, Tensor]:
    """The arrows of a kernel from scalars to vectors, the picture rotated by g."""
    ring = [(r, t) for r in (0.3, 0.55, 0.8) for t in torch.arange(0, 2 * pi, pi / 8)]
    points = torch.tensor([(r * cos(t), r * sin(t)) for r, t in ring], dtype=torch.float64)
    return points @ g.T, torch.stack([g @ kernel(p) for p in points])


def draw_steerable() -> None:
    """A kernel that is steerable, and one that is not: in grey the kernel, in red the kernel rotated by 90 degrees."""
    space = HarmonicSpace(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x1"), rings=2)
    weight = torch.tensor([0.9, 0.9, -0.4, 0.7], dtype=torch.float64)
    assert space.num_weights == len(weight)
    kernels = [
        ("Steerable: the same when rotated", lambda v: space.evaluate(weight, v)[:, 0]),
        ("Not steerable: another when rotated", lambda v: torch.stack([1.2 * v[0] + 0.4, 0.8 * v[0] * v[1]])),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.7), layout="constrained")
    for axis, (title, kernel) in zip(axes, kernels, strict=True):
        plane(axis, title, 1.25)
        for g, color, width in ((rotation(0), "silver", 0.013), (rotation(pi / 2), ARROW, 0.005)):
            points, arrows = pattern(kernel, g)
            head = dict.fromkeys(("headwidth", "headlength", "headaxislength"), 0.03 / width)
            arrow(axis, points.T, 0.25 * arrows.T, color, width=width, **head)
    save(figure, "steerable")


def save(figure, name: str) -> None:
    figure.savefig(IMAGES / f"{name}.png", dpi=110, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    """Draw all pictures."""
    for draw in (draw_frame, draw_gauge, draw_cube, draw_steerable):
        draw()


if __name__ == "__main__":
    main()
