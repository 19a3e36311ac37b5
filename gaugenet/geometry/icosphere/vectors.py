"""Tangent vectors of the sphere: east and north, vectors in space, and the chart frames of an icosphere."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.icosphere import _charts
from gaugenet.geometry.icosphere.icosphere import Icosphere


def east_north(longitude: Float[Tensor, "*points"], latitude: Float[Tensor, "*points"]) -> Float[Tensor, "*points 3 2"]:
    """Return frames whose columns point east and north, at a pole along the meridian `longitude`. Angles in radians."""
    return meridian_frames(torch.sin(longitude), torch.cos(longitude), torch.sin(latitude), torch.cos(latitude))


def meridian_frames(
    sin_lon: Float[Tensor, "*points"],
    cos_lon: Float[Tensor, "*points"],
    sin_lat: Float[Tensor, "*points"],
    cos_lat: Float[Tensor, "*points"],
) -> Float[Tensor, "*points 3 2"]:
    """Return `east_north` of angles given by their sines and cosines, which may be more accurate than the angles."""
    sin_lon, cos_lon, sin_lat, cos_lat = torch.broadcast_tensors(sin_lon, cos_lon, sin_lat, cos_lat)
    east = torch.stack([-sin_lon, cos_lon, torch.zeros_like(sin_lon)], -1)
    north = torch.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat], -1)
    return torch.stack([east, north], -1)


def to_space(
    coefficients: Float[Tensor, "*batch 2 vertices"], frame: Float[Tensor, "vertices 3 2"]
) -> Float[Tensor, "*batch 3 vertices"]:
    """Return the vectors in space with these coefficients in frames."""
    return torch.einsum("vij,...jv->...iv", frame.to(coefficients), coefficients)


def to_frame(
    vectors: Float[Tensor, "*batch 3 vertices"], frame: Float[Tensor, "vertices 3 2"]
) -> Float[Tensor, "*batch 2 vertices"]:
    """Return the coefficients in frames of the tangent part of vectors in space."""
    return torch.einsum("vij,...iv->...jv", frame.to(vectors), vectors)


def to_chart_frames(
    vectors: Float[Tensor, "*batch 3 vertices"], sphere: Icosphere
) -> Float[Tensor, "*batch 2 vertices"]:
    """Return the coefficients of tangent vectors in the chart frames: a field of type `1` of C_6.

    They are zero at the twelve corners, where no frame exists. `from_chart_frames` fills these from their neighbours.
    """
    inside = torch.ones(sphere.num_vertices, dtype=vectors.dtype, device=vectors.device)
    inside[sphere.corners] = 0
    return to_frame(vectors, sphere.frame) * inside


def from_chart_frames(
    coefficients: Float[Tensor, "*batch 2 vertices"], sphere: Icosphere
) -> Float[Tensor, "*batch 3 vertices"]:
    """Return the tangent vectors of coefficients in the chart frames; at corners the mean of the five neighbours."""
    vectors = to_space(coefficients, sphere.frame)
    corners = sphere.corners
    around = torch.from_numpy(_charts.neighbors(sphere.level)[corners.numpy(), :5])
    mean = vectors[..., around].mean(-1)
    normal = sphere.pos[corners].T.to(vectors)
    tangent = mean - (mean * normal).sum(-2, keepdim=True) * normal
    return vectors.index_copy(-1, corners.to(vectors.device), tangent)
