"""SpacePicture: frames and transported kernels in spaces of dimension three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._deprecation import renamed_arguments
from gaugenet.geometry import Euclidean, GStructure, Hyperbolic, Icosphere, Manifold
from gaugenet.viz.kernel_entry import Kernel, kernel_function
from gaugenet.viz.render.palette import FIRST, RIM, SECOND, THIRD, kernel_colors
from gaugenet.viz.render.picture import Picture
from gaugenet.viz.render.triangles import Triangles, tube
from gaugenet.viz.surfaces.drawable import FramesLike
from gaugenet.viz.surfaces.immersions import Immersion
from gaugenet.viz.surfaces.sheets import Camera

if TYPE_CHECKING:
    from typing_extensions import Self


class SpacePicture(Picture):
    """A picture of a space of dimension three: frames as arrows along geodesics, kernels as colored balls.

    A ball is a geodesic sphere whose radius is a share of the kernel's radius. Its colors are the values of the
    kernel there, in the frame of its centre (blue negative, red positive).

    Args:
        manifold: of dimension 3; Euclidean and hyperbolic space (drawn in the ball model) are known.
        immersion: map from points to their positions in the picture, `(N, D)` to `(N, 3)`, for other spaces.

    Raises:
        ValueError: If the dimension is not 3, or the manifold needs `immersion`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Euclidean
        >>> from gaugenet.viz import SpacePicture
        >>> picture = SpacePicture(Euclidean(3))
        >>> picture = picture.frames(torch.randn(5, 3, dtype=torch.float64), length=0.5)
        >>> picture.save("frames.html")
    """

    @renamed_arguments(place="immersion")
    def __init__(self, manifold: Manifold, *, immersion: Immersion | None = None) -> None:
        if not isinstance(manifold, Manifold) or manifold.dim != 3:
            raise ValueError(
                f"Expected a manifold of dimension 3, got {manifold!r}: see `SurfacePicture` for surfaces."
            )
        if immersion is None and isinstance(manifold, Hyperbolic):
            immersion = manifold.to_ball
        elif immersion is None and isinstance(manifold, Euclidean):
            immersion = torch.clone
        if immersion is None:
            raise ValueError(f"Expected `immersion` for {manifold!r}: points (N, D) to positions (N, 3).")
        self.manifold, self.immersion = manifold, immersion
        super().__init__(Camera("z", "x", 20.0, 15.0))

    def frames(self, points: Any, frames: FramesLike = None, *, length: float, width: float = 0.07) -> Self:
        """Draw frames as three arrows: orange, blue, green.

        Args:
            points: `(N, D)`.
            frames: `None`, a tensor `(N, D, 3)`, a function of points or a `GStructure`.
            length: of the arrows, in the units of the frames.
            width: of the arrows, in lengths.
        """
        points, frames = self._framed(points, frames)
        steps = np.array([0.0, 0.35, 0.66, 0.66, 1.0])
        wide = width / 2 * np.array([1.0, 1.0, 1.0, 2.8, 0.02])
        for k, color in enumerate((FIRST, SECOND, THIRD)):
            v = length * steps[:, None] * np.eye(3)[k]
            for line in self._ends(points, frames, v):
                size = np.linalg.norm(line[-1] - line[0])
                self.parts.append(Triangles.of(*tube(line, wide * size), color))
        return self

    def kernel(
        self,
        points: Any,
        kernel: Kernel,
        radius: float,
        frames: FramesLike = None,
        *,
        entry: tuple[int, int] | None = None,
        share: float = 0.6,
    ) -> Self:
        """Draw a kernel at every point: its values on a sphere about the point.

        Args:
            points: `(N, D)`.
            kernel: a `GaugeConv`, or a function from `v (n, 3)`, |v| <= 1, to `(n,)`.
            radius: geodesic radius of the neighbourhoods.
            frames: as in `frames`.
            entry: row and column of K(v); by default the one that varies most.
            share: radius of the balls, relative to `radius`.
        """
        points, frames = self._framed(points, frames)
        ball = Icosphere(4)
        directions, faces = ball.pos.numpy(), ball.face.T.numpy()
        values = kernel_function(kernel, entry)(share * directions)
        colors = kernel_colors(values / max(float(np.abs(values).max()), 1e-300))
        for positions in self._ends(points, frames, share * radius * directions):
            self.parts.append(Triangles.of(positions, _outwards(positions, faces), colors))
        return self.frames(points, frames, length=1.05 * radius, width=0.08)

    def line(self, points: Float[ndarray, "n 3"], *, width: float, color: tuple[int, int, int] = RIM) -> Self:
        """Draw a line through positions in space: the edges of a box, a circle."""
        self.parts.append(Triangles.of(*tube(np.asarray(points, dtype=np.float64), width / 2, sides=6), color))
        return self

    def _framed(self, points: Any, frames: FramesLike) -> tuple[Tensor, Tensor]:
        points = torch.as_tensor(points, dtype=torch.float64)
        expected = (len(points), self.manifold.ambient_dim, 3)
        if points.shape != expected[:2]:
            raise ValueError(f"Expected points of shape (N, {self.manifold.ambient_dim}), got {tuple(points.shape)}.")
        if frames is None:
            frames = self.manifold.frame_at(points)
        elif isinstance(frames, GStructure):
            frames = frames.frames_at(self.manifold, points)
        elif callable(frames):
            frames = frames(points)
        frames = torch.as_tensor(frames, dtype=torch.float64)
        if tuple(frames.shape) != expected:
            raise ValueError(f"Expected `frames` of shape {expected}, got {tuple(frames.shape)}.")
        return points, frames

    def _ends(self, points: Tensor, frames: Tensor, v: Float[ndarray, "n 3"]) -> Float[ndarray, "points n 3"]:
        """Return the end points, in space, of the geodesics with initial velocities `frame @ v`."""
        vectors = torch.einsum("pdk,nk->pnd", frames, torch.from_numpy(v))
        start = points[:, None].expand_as(vectors)
        with torch.no_grad():
            ends = self.manifold.exp(start.reshape(-1, points.shape[1]), vectors.reshape(-1, points.shape[1]))
            return self.immersion(ends).reshape(*vectors.shape[:2], 3).numpy()


def _outwards(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Int[ndarray, "f 3"]:
    """Orient the triangles of a ball counter-clockwise from outside, also where a reflected frame reversed them."""
    a, b, c = (vertices - vertices.mean(0))[faces].swapaxes(0, 1)
    return faces if (a * np.cross(b, c)).sum() > 0 else faces[:, ::-1]
