"""Surfaces in space: the torus of revolution, and any surface of revolution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Isometry
from gaugenet.geometry.manifolds.numeric import Embedded


class SurfaceOfRevolution(Embedded):
    """A curve rotated about the z axis; coordinates (angle, t).

    Args:
        profile: smooth function from t to (distance from the axis, height); the distance must be positive.
        interval: `random_points` draws t from this interval.
        **known: see `gaugenet.geometry.manifolds.numeric.ChartManifold`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import SurfaceOfRevolution
        >>> cone = SurfaceOfRevolution(lambda t: (1 + t, t))
        >>> p, q = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        >>> torch.allclose(cone.distance(p, q), torch.tensor(2.0, dtype=torch.float64).sqrt())
        True
    """

    def __init__(
        self,
        profile: Callable[[Tensor], tuple[Tensor, Tensor]],
        *,
        interval: tuple[float, float] = (0.0, 1.0),
        **known: Any,
    ) -> None:
        self.profile, self.interval = profile, interval

        def f(p: Tensor) -> Tensor:
            distance, height = profile(p[1])
            return torch.stack([distance * torch.cos(p[0]), distance * torch.sin(p[0]), height])

        super().__init__(f, 2, **{"is_orientable": True, **known})

    def random_points(self, size: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Return points that are uniform in the coordinates."""
        low, high = self.interval
        draws = torch.rand(size, 2, generator=generator, dtype=torch.float64)
        return torch.stack([2 * math.pi * draws[:, 0], low + (high - low) * draws[:, 1]], -1)

    def random_isometry(self, generator: torch.Generator | None = None) -> Isometry:
        """Return a rotation about the axis."""
        rotation = 2 * math.pi * torch.rand((), generator=generator, dtype=torch.float64)
        return lambda p: p + rotation * torch.tensor([1.0, 0.0], dtype=torch.float64)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class EmbeddedTorus(SurfaceOfRevolution):
    """A circle of radius `tube` rotated about an axis at distance `ring` from its centre; coordinates are both angles.

    Args:
        ring, tube: lengths, `tube` below `ring`.
        steps: steps per geodesic, see `gaugenet.geometry.manifolds.numeric.ChartManifold`.

    Raises:
        ValueError: If `tube` is not between 0 and `ring`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import EmbeddedTorus
        >>> p, q = torch.tensor([[0.0, 0.0], [0.5, 0.0]], dtype=torch.float64)  # on the outer circle of radius 3
        >>> round(float(EmbeddedTorus(2.0, 1.0).distance(p, q)), 6)
        1.5
    """

    def __init__(self, ring: float = 2.0, tube: float = 1.0, *, steps: int = 6) -> None:
        if not ring > tube > 0:
            raise ValueError(f"Expected 0 < `tube` < `ring`, got ring={ring}, tube={tube}.")
        self.ring, self.tube = float(ring), float(tube)
        conjugate = math.sqrt(tube * (ring + tube))  # curvature is at most 1 / conjugate^2 (Klingenberg)
        super().__init__(
            lambda t: (ring + tube * torch.cos(t), tube * torch.sin(t)),
            interval=(0.0, 2 * math.pi),
            steps=steps,
            injectivity_radius=math.pi * min(conjugate, tube, ring - tube),
            euler_characteristic=0,
        )

    def __repr__(self) -> str:
        return f"EmbeddedTorus({self.ring:g}, {self.tube:g})"


__all__ = ["EmbeddedTorus", "SurfaceOfRevolution"]
