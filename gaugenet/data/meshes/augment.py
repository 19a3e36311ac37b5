"""Augmentations: rotations, scales, mirror images and changes of frame are exact; jitter is noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._pyg import BaseTransform
from gaugenet._typing import typed_tensor
from gaugenet.data.fields.spec import FIELD_PREFIX
from gaugenet.data.meshes.features import FEATURE_PREFIX, InputFeature
from gaugenet.data.meshes.input_features import InputFeatures, has_features
from gaugenet.geometry.gauge_graph import GaugeGraph, split_level
from gaugenet.groups import O2, SO3, FieldType, group_from_name
from gaugenet.groups.families.so3 import from_quaternion

Axis = Literal["x", "y", "z"]


class RandomRotation(BaseTransform):
    """Rotates the surface in space: points, frames of all levels and a user's fields; what is intrinsic stays.

    Apply it before `InputFeatures`, which computes coordinates and normals from the rotated points.

    Args:
        axis: the axis of rotation; `None` draws from all rotations uniformly.
        max_angle: in degrees, of rotations about an axis.
    """

    def __init__(self, axis: Axis | None = None, *, max_angle: float = 180.0) -> None:
        if axis not in (None, "x", "y", "z"):
            raise ValueError(f"Expected `axis` None, 'x', 'y' or 'z', got {axis!r}.")
        if axis is None and max_angle != 180.0:
            raise ValueError("`max_angle` limits rotations about one `axis`: name the axis.")
        self.axis = axis
        self.max_angle = max_angle

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        _require_unassembled(graph, self)
        return _move(graph, self.draw().to(graph.pos))

    def draw(self) -> Float[Tensor, "3 3"]:
        """A random rotation matrix, float64."""
        if self.axis is None:
            return SO3().random_element()
        half = torch.deg2rad((2 * torch.rand((), dtype=torch.float64) - 1) * self.max_angle) / 2
        quaternion = torch.zeros(4, dtype=torch.float64)
        quaternion[0], quaternion[1 + "xyz".index(self.axis)] = half.cos(), half.sin()
        return from_quaternion(quaternion)

    def __repr__(self) -> str:
        return f"RandomRotation(axis={self.axis!r}, max_angle={self.max_angle})"


class RandomScale(BaseTransform):
    """Scales the surface, all lengths alike: points, log maps, radii and areas of all levels.

    Networks and features that are free of units do not notice; `Positions(normalize=False)` does.

    Args:
        low: smallest factor.
        high: largest factor; factors are drawn uniformly on a logarithmic scale.
        powers: the power of the length with which fields of the graph grow, by their keys; 0 for those not named.
    """

    def __init__(self, low: float = 0.8, high: float = 1.25, *, powers: Mapping[str, float] | None = None) -> None:
        if not 0 < low <= high:
            raise ValueError(f"Expected 0 < `low` <= `high`, got {low} and {high}.")
        self.low = low
        self.high = high
        self.powers = dict(powers or {})

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        _require_unassembled(graph, self)
        low, high = torch.tensor([self.low, self.high], dtype=torch.float64).log()
        factor = float((low + (high - low) * torch.rand((), dtype=torch.float64)).exp())
        powers = {"pos": 1, "log_map": 1, "radius": 1, "mass": 2, **self.powers}
        for key in list(graph.keys()):
            power = powers.get(split_level(key)[1], 0)
            if power:
                graph[key] = graph[key] * factor**power
        return graph

    def __repr__(self) -> str:
        powers = f", powers={self.powers}" if self.powers else ""
        return f"RandomScale(low={self.low}, high={self.high}{powers})"


class RandomJitter(BaseTransform):
    """Moves the end of every log map, of all levels, by normal noise: as if neighbours lay elsewhere.

    The noise has no preferred direction, so networks stay gauge equivariant, in distribution also under this
    augmentation. It keeps a network from recognizing places by the exact shape of the triangles around them, which
    differs from person to person on registrations of a template. Apply it before or after `InputFeatures`.

    Args:
        std: standard deviation of each coordinate, relative to the length of the log map.
    """

    def __init__(self, std: float = 0.1) -> None:
        if not std >= 0:
            raise ValueError(f"Expected a standard deviation `std` of at least 0, got {std}.")
        self.std = std

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        for key in list(graph.keys()):
            if split_level(key)[1] == "log_map":
                log_map = graph[key]
                graph[key] = log_map + self.std * log_map.norm(dim=1, keepdim=True) * torch.randn_like(log_map)
        return graph

    def __repr__(self) -> str:
        return f"RandomJitter(std={self.std})"


class RandomMirror(BaseTransform):
    """The mirror image of the surface, with its frames: the exact gauge graph of the mirrored mesh.

    Every left becomes a right, so classes that tell sides apart must not be trained with it. Intrinsic features that
    the graph holds are reflected along.

    Args:
        features: the features that the graph holds, if any.
        p: probability.
        axis: normal of the mirror plane.
    """

    def __init__(self, features: InputFeatures | None = None, *, p: float = 0.5, axis: Axis = "x") -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Expected a probability `p` from 0 to 1, got {p}.")
        if axis not in ("x", "y", "z"):
            raise ValueError(f"Expected `axis` 'x', 'y' or 'z', got {axis!r}.")
        self.features = features
        self.p = p
        self.axis = axis

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        _require_unassembled(graph, self)
        if float(torch.rand(())) >= self.p:
            return graph
        return self.mirror(graph)

    def mirror(self, graph: GaugeGraph) -> GaugeGraph:
        """The mirrored graph. The second vector of each frame is flipped, so that frames keep their handedness."""
        signs = torch.tensor([1.0, -1.0]).to(graph.pos)
        matrix = torch.eye(3).to(graph.pos)
        matrix["xyz".index(self.axis), "xyz".index(self.axis)] = -1
        out = _move(_flip_frames(graph, signs), matrix)
        if out.get("face") is not None:
            out.face = out.face.flip(0)
        held = {key for key in out.keys() if key.startswith(FEATURE_PREFIX)}  # noqa: SIM118
        for feature in self.features.features if self.features is not None else []:
            if feature.key in held:
                out[feature.key] = _mirrored(feature, out[feature.key], signs.diag())
                held.discard(feature.key)
        if held:
            raise ValueError(f"The graph holds {sorted(held)}: pass the `InputFeatures` that made them.")
        return out

    def __repr__(self) -> str:
        return f"RandomMirror({self.features!r}, p={self.p}, axis={self.axis!r})"


class RandomGauge(BaseTransform):
    """Draws a new frame at every vertex, by an element of the graph's structure group, and transforms `x` along.

    A gauge-equivariant network does not notice; one that is not learns to bear it. Apply it after `InputFeatures`.

    Args:
        features: the features that `x` consists of.
    """

    def __init__(self, features: InputFeatures) -> None:
        self.features = features

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        if has_features(graph):
            raise ValueError("The graph holds features outside `x`: apply RandomGauge after InputFeatures.")
        group = group_from_name(graph.structure)
        g = group.random_element(int(graph.num_nodes), dtype=graph.pos.dtype).to(graph.pos)
        out = graph.gauge_transform(g)
        if graph.get("x") is not None:
            out.x = self.features.in_type(group).transform(g, graph.x)
        return out

    def __repr__(self) -> str:
        return f"RandomGauge({self.features!r})"


def _require_unassembled(graph: GaugeGraph, transform: BaseTransform) -> None:
    """Coordinates in `x` would silently stay as they were."""
    if graph.get("x") is not None:
        raise ValueError(f"The graph has its features `x` already: apply {transform!r} before InputFeatures.")


def _flip_frames(graph: GaugeGraph, signs: Float[Tensor, "2"]) -> GaugeGraph:
    """Return `graph.gauge_transform` with one diagonal matrix of signs at all points: products of numbers will do."""
    out: GaugeGraph = graph.clone()
    for key in list(out.keys()):
        name = split_level(key)[1]
        if name in ("frame", "log_map"):
            out[key] = out[key] * signs
        elif name in ("transporter", "pool_transporter", "unpool_transporter"):
            out[key] = out[key] * signs * signs[:, None]
    return out


def _move(graph: GaugeGraph, matrix: Float[Tensor, "3 3"]) -> GaugeGraph:
    """Points and frames of all levels, vectors and tensors in space, moved by an orthogonal matrix."""
    for key in list(graph.keys()):
        name = split_level(key)[1]
        if name == "pos":
            graph[key] = graph[key] @ matrix.T
        elif name == "frame":
            graph[key] = matrix @ graph[key]
        elif key.startswith(FIELD_PREFIX):
            graph[key] = _moved_field(graph[key], matrix.to(graph[key]))
    return graph


def _moved_field(values: Tensor, matrix: Float[Tensor, "3 3"]) -> Tensor:
    """Scalars as they are, vectors `M v`, tensors `M T M^T`."""
    if values.ndim == 3:
        return typed_tensor(matrix @ values @ matrix.T)
    return typed_tensor(values @ matrix.T) if values.ndim == 2 else values


def _mirrored(feature: InputFeature, value: Tensor, flip: Float[Tensor, "2 2"]) -> Tensor:
    """An intrinsic feature of the mirror image: the frame is flipped, but not the normal as a flip implies."""
    field_type = FieldType(O2(), list(feature.fields))
    reflected = field_type.transform(flip, value)
    for block in field_type.blocks:
        if block.representation.name in feature.odd:
            reflected[:, block.slice] *= -1
    return reflected
