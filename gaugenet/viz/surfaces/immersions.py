"""Immersions into space, for surfaces that are not defined in space."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Immersion = Callable[[Tensor], Tensor]
"""Points `(N, D)` to where they are drawn, `(N, 3)`; or `(N, 2)`, in the plane of the picture."""


def flat(p: Tensor) -> Tensor:
    """Return the points of the plane at height zero in space."""
    return torch.cat([p, torch.zeros_like(p[:, :1])], -1)


def twisted(length: float) -> Immersion:
    """Return the immersion of a strip with half a twist around a circle of the same length."""

    def immersion(p: Tensor) -> Tensor:
        radius, angle = length / (2 * math.pi), 2 * math.pi * p[:, 0] / length
        out = radius + p[:, 1] * torch.cos(angle / 2)
        return torch.stack([out * torch.cos(angle), out * torch.sin(angle), p[:, 1] * torch.sin(angle / 2)], -1)

    return immersion


def rolled(length: float) -> Immersion:
    """Return the immersion of a cylinder around the third axis whose circumference is `length`."""

    def immersion(p: Tensor) -> Tensor:
        radius, angle = length / (2 * math.pi), 2 * math.pi * p[:, 0] / length
        return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle), p[:, 1]], -1)

    return immersion


def ring(length: float, width: float) -> Immersion:
    """Return the immersion of a torus in space; its lengths differ from the flat torus.

    The tube is made thin enough for its ring.
    """

    def immersion(p: Tensor) -> Tensor:
        ring = length / (2 * math.pi)
        tube = min(width / (2 * math.pi), 0.45 * ring)
        u, v = 2 * math.pi * p[:, 0] / length, 2 * math.pi * p[:, 1] / width
        out = ring + tube * torch.cos(v)
        return torch.stack([out * torch.cos(u), out * torch.sin(u), tube * torch.sin(v)], -1)

    return immersion


def figure_eight(length: float, width: float) -> Immersion:
    """Return the immersion of the Klein bottle: a figure eight that makes half a rotation around a circle."""

    def immersion(p: Tensor) -> Tensor:
        ring = length / (2 * math.pi)
        tube = min(width / 5, 0.5 * ring)
        u, v = 2 * math.pi * p[:, 0] / length, 2 * math.pi * p[:, 1] / width
        x, y = torch.sin(v), torch.sin(2 * v) / 2
        half_cos, half_sin = torch.cos(u / 2), torch.sin(u / 2)
        out = ring + tube * (half_cos * x - half_sin * y)
        height = tube * (half_sin * x + half_cos * y)
        return torch.stack([out * torch.cos(u), out * torch.sin(u), height], -1)

    return immersion


def boy(p: Tensor) -> Tensor:
    """Map points of the projective plane, unit vectors up to sign, to Boy's surface.

    The conformal parametrization of Bryant and Kusner, an inverted minimal surface :cite:`kusner1987conformal`.
    """
    p = torch.where(p[:, 2:] < 0, -p, p)
    z = torch.complex(p[:, 0], p[:, 1]) / (1 + p[:, 2])
    a = z**6 + math.sqrt(5) * z**3 - 1
    size = a.abs() ** 2
    g = torch.stack(
        [
            -1.5 * (z * (1 - z**4) * a.conj()).imag,
            -1.5 * (z * (1 + z**4) * a.conj()).real,
            ((1 + z**6) * a.conj()).imag - 0.5 * size,
        ],
        -1,
    )
    return g * (size / g.square().sum(-1))[:, None]
