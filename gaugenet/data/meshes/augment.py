"""Augmentations: exact rotations, scalings, reflections and changes of frame, and random jitter."""

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
    """A random rotation of the surface: points, frames of all levels and fields of the user.

    Intrinsic quantities do not change. Apply it before `InputFeatures`, which computes coordinates and normals from the
    rotated points.

    Args:
        axis: the axis of rotation; `None` for uniform rotations of space.
        max_angle: largest angle of a rotation about an axis, in degrees.

    Example:
        >>> import torch
        >>> from gaugenet.data import RandomRotation
        >>> matrix = RandomRotation("z").draw()
        >>> matrix[2].tolist()  # heights do not change
        [0.0, 0.0, 1.0]
    """

    def __init__(self, axis: Axis | None = None, *, max_angle: float = 180.0) -> None:
        if axis not in (None, "x", "y", "z"):
            raise ValueError(f"Expected `axis` None, 'x', 'y' or 'z', got {axis!r}.")
        if axis is None and max_angle != 180.0:
            raise ValueError("`max_angle` limits rotations about one `axis`: set `axis`.")
        self.axis = axis
        self.max_angle = max_angle

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        _require_unassembled(graph, self)
        return _move(graph, self.draw().to(graph.pos))

    def draw(self) -> Float[Tensor, "3 3"]:
        """Return a random rotation matrix, float64."""
        if self.axis is None:
            return SO3().random_element()
        half = torch.deg2rad((2 * torch.rand((), dtype=torch.float64) - 1) * self.max_angle) / 2
        quaternion = torch.zeros(4, dtype=torch.float64)
        quaternion[0], quaternion[1 + "xyz".index(self.axis)] = half.cos(), half.sin()
        return from_quaternion(quaternion)

    def __repr__(self) -> str:
        return f"RandomRotation(axis={self.axis!r}, max_angle={self.max_angle})"


class RandomScale(BaseTransform):
    """A random scaling of the surface: points, logarithmic maps, radii and areas of all levels.

    Dimensionless networks and features are invariant; `Positions(normalize=False)` is not.

    Args:
        low: smallest factor.
        high: largest factor; factors are drawn uniformly on a logarithmic scale.
        powers: the power of the length by which fields of the graph scale, by key; 0 by default.
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
    """Normal noise on every logarithmic map of all levels, which changes the positions of neighbours.

    The noise is isotropic, so its distribution does not depend on the frames. It prevents a network from recognizing
    points by the exact shape of the triangles around them, as on registrations of a template. Apply it before or after
    `InputFeatures`.

    Args:
        std: standard deviation of each coordinate, relative to the length of the logarithmic map.
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
    """A random reflection: the exact gauge graph of the mirrored mesh.

    Left and right are exchanged, so do not use it for classes that distinguish sides. Intrinsic features of the graph
    are reflected, too.

    Args:
        features: the features of the graph, if any.
        p: probability.
        axis: normal of the mirror plane.

    Example:
        >>> import torch
        >>> from gaugenet.data import RandomMirror
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import O2
        >>> graph = Icosphere(1).gauge_graph(O2())
        >>> mirrored = RandomMirror(p=1.0)(graph.clone())
        >>> torch.allclose(mirrored.log_map.norm(dim=1), graph.log_map.norm(dim=1))
        True
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
        """Return the mirrored graph, with the second vector of each frame flipped to keep the handedness."""
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
            raise ValueError(f"The graph has {sorted(held)}: pass the `InputFeatures` that computed them.")
        return out

    def __repr__(self) -> str:
        return f"RandomMirror({self.features!r}, p={self.p}, axis={self.axis!r})"


class RandomGauge(BaseTransform):
    """A random frame at every vertex, by elements of the structure group of the graph, with transformed `x`.

    A gauge-equivariant network is invariant; another network may learn invariance. Apply it after `InputFeatures`.

    Args:
        features: the features in `x`.
    """

    def __init__(self, features: InputFeatures) -> None:
        self.features = features

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        if has_features(graph):
            raise ValueError("The graph has features outside `x`: apply RandomGauge after InputFeatures.")
        group = group_from_name(graph.structure)
        g = group.random_element(int(graph.num_nodes), dtype=graph.pos.dtype).to(graph.pos)
        out = graph.gauge_transform(g)
        if graph.get("x") is not None:
            out.x = self.features.in_type(group).transform(g, graph.x)
        return out

    def __repr__(self) -> str:
        return f"RandomGauge({self.features!r})"


def _require_unassembled(graph: GaugeGraph, transform: BaseTransform) -> None:
    """Refuse a graph with `x`, whose coordinates the transform would not change."""
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
    """Return the graph with points and frames of all levels, vectors and tensors moved by an orthogonal matrix."""
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
    """Return scalars unchanged, vectors as `M v`, and tensors as `M T M^T`."""
    if values.ndim == 3:
        return typed_tensor(matrix @ values @ matrix.T)
    return typed_tensor(values @ matrix.T) if values.ndim == 2 else values


def _mirrored(feature: InputFeature, value: Tensor, flip: Float[Tensor, "2 2"]) -> Tensor:
    """Return an intrinsic feature of the mirror image, whose frames are flipped and whose normals are not."""
    field_type = FieldType(O2(), list(feature.fields))
    reflected = field_type.transform(flip, value)
    for block in field_type.blocks:
        if block.representation.name in feature.odd:
            reflected[:, block.slice] *= -1
    return reflected
