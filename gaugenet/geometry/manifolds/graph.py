"""From points of a manifold to their gauge graph: neighbours, and their coordinates in frames."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive_number
from gaugenet.geometry._signature import preserves
from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError, has, inner_of_columns, tangent_axes
from gaugenet.geometry.manifolds.structure import GStructure, check_topology, needs_orthonormal_frames
from gaugenet.groups.group import StructureGroup, check_group

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

_EDGES_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Frames:
    """Frames, with coframes to compute coefficients: `coframe @ v`.

    Attributes:
        frame: `(N, D, d)`, columns are tangent vectors.
        coframe: `(N, d, D)`, its left inverse on tangent vectors.
        gram: `(N, d, d)`, inner products of the columns.
    """

    frame: Float[Tensor, "points D d"]
    coframe: Float[Tensor, "points d D"]
    gram: Float[Tensor, "points d d"]

    @property
    def stretch(self) -> Float[Tensor, "points"]:
        """Largest length of a vector of unit coefficients: 1 in orthonormal frames.

        Lengths are measured by the metric, or in coordinates if it is indefinite and so does not bound them.
        """
        eigenvalues = torch.linalg.eigvalsh(self.gram.detach())
        longest = torch.linalg.matrix_norm(self.frame.detach(), 2)
        return torch.where(eigenvalues[:, 0] > 0, eigenvalues[:, -1].abs().sqrt(), longest)


@dataclass(frozen=True)
class Edges:
    """Edges sorted by target, with their coefficients in frames."""

    source: Int[Tensor, "edges"]
    target: Int[Tensor, "edges"]
    log_map: Float[Tensor, "edges d"]
    levi_civita: Float[Tensor, "edges d d"]

    def select(self, keep: Tensor) -> Edges:
        return Edges(self.source[keep], self.target[keep], self.log_map[keep], self.levi_civita[keep])


def manifold_gauge_graph(
    manifold: Manifold,
    points: Tensor,
    group: StructureGroup | None,
    *,
    radius: float,
    structure: GStructure | None,
    max_neighbors: int | None,
    mass: Tensor | None,
    check: bool,
    dtype: torch.dtype,
) -> GaugeGraph:
    """Return the gauge graph, see `Manifold.gauge_graph`."""
    structure = _one_structure(group, structure)
    check_topology(manifold, structure)
    _check_metric(manifold, structure.group)
    points = _checked_points(manifold, points)
    if check:
        manifold.check_points(points.detach())
    from gaugenet.geometry.gauge_graph import GaugeGraph

    radius = positive_number("radius", radius)
    frames = frames_of(manifold, points, structure.frames_at(manifold, points))
    edges = neighborhoods(manifold, points, frames, radius)
    if max_neighbors is not None:
        edges = edges.select(_nearest(edges, len(points), int(positive_number("max_neighbors", max_neighbors))))
    if structure.group.orientation_preserving and structure.frames is None:
        frames, edges = oriented(manifold, points, frames, edges)
    if check:
        from gaugenet.geometry.manifolds.contract import verify

        verify(manifold, points, frames, edges, radius, orthonormal=needs_orthonormal_frames(structure.group))
    transporter = structure.transporter(points[edges.target], points[edges.source], edges.levi_civita)
    _check_transporters(manifold, structure, edges, transporter)
    volume = _mass(manifold, edges, len(points), radius) if mass is None else _checked_mass(mass, len(points))
    return GaugeGraph(
        edge_index=torch.stack([edges.source, edges.target]),
        log_map=edges.log_map.to(dtype),
        transporter=transporter.to(dtype).contiguous(),
        weight=_weights(edges, volume).to(dtype),
        frame=frames.frame.to(dtype),
        pos=points.to(dtype),
        mass=volume.to(dtype),
        radius=torch.tensor([radius], dtype=dtype),
        structure=structure.group.name,
    )


def frames_of(manifold: Manifold, points: Float[Tensor, "points D"], frame: Float[Tensor, "points D d"]) -> Frames:
    """Return frames with their coframes; raise `ManifoldError` if columns are linearly dependent."""
    axes = tangent_axes(manifold, points)
    flat = torch.stack([inner_of_columns(manifold, points, axes, e) for e in frame.unbind(-1)], -2)  # <axis_a, e_i>
    gram = flat @ frame
    gram = (gram + gram.mT) / 2
    _refuse_degenerate(gram.detach(), points)
    return Frames(frame, torch.linalg.solve(gram, flat), gram)


def neighborhoods(manifold: Manifold, points: Tensor, frames: Frames, radius: float) -> Edges:
    """Return all pairs whose logarithm, in the target's frame, is at most as long as the radius."""
    parts = []
    for target, source in _candidate_chunks(manifold, points, radius * frames.stretch):
        log_map, transporter = in_frames(manifold, points, frames, source, target)
        near = torch.linalg.vector_norm(log_map.detach(), dim=-1) <= radius
        parts.append(Edges(source, target, log_map, transporter).select(near))
    d = manifold.dim
    if not parts:
        none = torch.zeros(0, dtype=torch.int64)
        return Edges(none, none, points.new_zeros(0, d), points.new_zeros(0, d, d))
    return Edges(
        torch.cat([e.source for e in parts]),
        torch.cat([e.target for e in parts]),
        torch.cat([e.log_map for e in parts]),
        torch.cat([e.levi_civita for e in parts]),
    )


def in_frames(
    manifold: Manifold, points: Tensor, frames: Frames, source: Tensor, target: Tensor
) -> tuple[Float[Tensor, "edges d"], Float[Tensor, "edges d d"]]:
    """Return logarithms and Levi-Civita transporters of edges in frames; infinite where there is no geodesic."""
    log, moved = manifold.log_and_transport(points[target], points[source], frames.frame[source])
    far = torch.isposinf(log).all(-1)
    bad = ~far & ~(log.isfinite().all(-1) & moved.isfinite().all(-1).all(-1))
    if bad.any():
        e = int(bad.nonzero()[0])
        raise ManifoldError(
            f"{manifold!r}: `log` or `transport` is not finite on {int(bad.sum())} of {len(bad)} pairs, the first from "
            f"point {int(source[e])} to point {int(target[e])}. Check for 0 / 0 at near points, and conjugate points."
        )
    if far.any():
        logging.getLogger(__name__).info("%s: no geodesic between %d pairs: not neighbours", manifold, int(far.sum()))
    coframe = frames.coframe[target]
    coordinates = (coframe @ torch.where(far[:, None], 0.0, log).unsqueeze(-1)).squeeze(-1)
    return torch.where(far[:, None], torch.inf, coordinates), coframe @ moved


# --- candidates for neighbours ------------------------------------------------------------------------------------


def _candidate_chunks(
    manifold: Manifold, points: Tensor, radii: Float[Tensor, "points"]
) -> Iterator[tuple[Int[Tensor, "edges"], Int[Tensor, "edges"]]]:
    """Yield pairs (target, source) that include all within `radii` of the target, sorted by target, in pieces."""
    with torch.no_grad():
        target, source = manifold.candidates(points.detach(), radii)
    for start in range(0, len(target), _EDGES_AT_ONCE):
        piece = slice(start, start + _EDGES_AT_ONCE)
        yield torch.from_numpy(target[piece]), torch.from_numpy(source[piece])


def _nearest(edges: Edges, count: int, most: int) -> Tensor:
    """Return the indices of the `most` shortest edges of every target, in order."""
    length = torch.linalg.vector_norm(edges.log_map.detach(), dim=-1).numpy()
    target = edges.target.numpy()
    order = np.lexsort((length, target))
    first = np.searchsorted(target, np.arange(count))
    rank = np.arange(len(order)) - first[target[order]]
    return torch.from_numpy(np.sort(order[rank < most]))


# --- orientation --------------------------------------------------------------------------------------------------


def oriented(manifold: Manifold, points: Tensor, frames: Frames, edges: Edges) -> tuple[Frames, Edges]:
    """Reflect frames so that all transporters preserve orientation.

    Raises:
        ManifoldError: If transport around a loop of edges reflects frames: the space is not orientable.
    """
    given = manifold.orientation(points, frames.frame)
    handed = torch.linalg.det(edges.levi_civita.detach()) > 0
    flip = _flips(len(points), edges, handed.numpy()) if given is None else (given.detach() < 0).numpy()
    sign = torch.ones(len(points), manifold.dim, dtype=points.dtype)
    sign[torch.from_numpy(flip), -1] = -1
    p, q = sign[edges.target], sign[edges.source]
    reflected = replace(edges, log_map=p * edges.log_map, levi_civita=p[:, :, None] * edges.levi_civita * q[:, None, :])
    wrong = torch.linalg.det(reflected.levi_civita.detach()) <= 0
    if wrong.any():
        e = int(wrong.nonzero()[0])
        raise ManifoldError(
            f"{manifold!r} is not orientable, or its `orientation` is not continuous: frames cannot be chosen so that "
            f"all transporters preserve orientation. {int(wrong.sum())} of {len(wrong)} edges reverse it, the first "
            f"from point {int(edges.source[e])} to point {int(edges.target[e])}. Use a group with reflections, O(d)."
        )
    gram = sign[:, :, None] * frames.gram * sign[:, None, :]
    return Frames(frames.frame * sign[:, None, :], sign[:, :, None] * frames.coframe, gram), reflected


def _flips(count: int, edges: Edges, handed: ndarray) -> ndarray:
    """Return which frames to reflect, starting at the first point of every component."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    source, target = edges.source.numpy(), edges.target.numpy()
    relation = coo_matrix((np.where(handed, 1, 2), (target, source)), shape=(count, count)).tocsr()
    flip = np.zeros(count, dtype=bool)
    _, component = connected_components(relation, directed=False)
    for root in np.unique(component, return_index=True)[1]:
        order, parent = breadth_first_order(relation, root, directed=False)
        for child in order[1:]:
            up = parent[child]
            flip[child] = flip[up] ^ (max(relation[up, child], relation[child, up]) == 2)
    return flip


# --- weights and checks of arguments ------------------------------------------------------------------------------


def _mass(manifold: Manifold, edges: Edges, count: int, radius: float) -> Tensor:
    """Return the volume of a ball divided by the number of points in it."""
    inside = 1 + torch.bincount(edges.target, minlength=count).to(torch.float64)
    d = manifold.dim
    return typed_tensor(math.pi ** (d / 2) / math.gamma(d / 2 + 1) * radius**d / inside)


def _weights(edges: Edges, mass: Tensor) -> Tensor:
    """Return the volume of the source divided by the volume of the neighbourhood, including the target."""
    area = mass[edges.source]
    whole = mass.index_add(0, edges.target, area)
    return area / whole[edges.target]


def _check_transporters(manifold: Manifold, structure: GStructure, edges: Edges, transporter: Tensor) -> None:
    """Raise `ManifoldError` if transporters lie outside the structure group."""
    group = structure.group
    outside = ~group.contains(transporter.detach(), atol=1e-6)
    if not outside.any():
        return
    e = int(outside.nonzero()[0])
    matrix = [[round(x, 4) for x in row] for row in transporter[e].tolist()]
    how = f"the connection {structure.connection!r}" if structure.connection != "levi_civita" else "Levi-Civita"
    raise ManifoldError(
        f"{how} is not compatible with this {group.name}-structure of {manifold!r}: {int(outside.sum())} of "
        f"{len(outside)} transporters lie outside {group.name}, the first from point {int(edges.source[e])} to point "
        f"{int(edges.target[e])}: {matrix}. Parallel transport on a curved space rotates vectors by any "
        f"angle: use SO({manifold.dim}) or O({manifold.dim}), or a GStructure whose frames are parallel "
        f"up to {group.name}, or one with another connection: 'trivial' for {{e}}, 'nearest' for finite groups."
    )


def _one_structure(group: StructureGroup | None, structure: GStructure | None) -> GStructure:
    if structure is None:
        check_group(group)
        return GStructure(group)  # type: ignore[arg-type]
    if group is not None and group != structure.group:
        raise ValueError(f"Expected `group` to equal `structure.group`, got {group.name} and {structure.group.name}.")
    return structure


def _check_metric(manifold: Manifold, group: StructureGroup) -> None:
    """Raise `ManifoldError` if a group turns orthonormal frames of an indefinite metric into others."""
    signature = tuple(manifold.signature.tolist())
    if min(signature) > 0 or not needs_orthonormal_frames(group) or preserves(group, signature):
        return
    p = sum(square > 0 for square in signature)
    q = manifold.dim - p
    raise ManifoldError(
        f"Expected a group that preserves the metric of {manifold!r}, signature {(p, q)}, got {group.name}: it mixes "
        f"directions of positive and negative square. Use `PseudoOrthogonal({p}, {q})`."
    )


def _checked_points(manifold: Manifold, points: Tensor) -> Tensor:
    points = torch.as_tensor(points)
    if points.dim() != 2 or not len(points):
        raise ValueError(f"Expected `points` of shape (N, D) with N > 0, got {tuple(points.shape)}.")
    known = has(manifold, "ambient_dim") or has(manifold, "check_points")  # others need not define `ambient_dim`
    if points.shape[1] < manifold.dim or (known and points.shape[1] != manifold.ambient_dim):
        raise ValueError(
            f"Expected `points` of shape (N, {manifold.ambient_dim}) for {manifold!r}, got {tuple(points.shape)}."
        )
    bad = ~points.detach().isfinite().all(-1)
    if bad.any():
        raise ValueError(f"Expected finite `points`, got NaN or infinite entries in row {int(bad.nonzero()[0])}.")
    return points.double()


def _checked_mass(mass: Tensor, count: int) -> Tensor:
    mass = torch.as_tensor(mass).double()
    if mass.shape != (count,) or not bool((mass > 0).all()):
        raise ValueError(f"Expected `mass` of shape ({count},), all positive, got shape {tuple(mass.shape)}.")
    return mass


def _refuse_degenerate(gram: Tensor, points: Tensor) -> None:
    eigenvalues = torch.linalg.eigvalsh(gram).abs()
    bad = ~(eigenvalues.amin(-1) > 1e-10 * eigenvalues.amax(-1))
    if bad.any():
        k = int(bad.nonzero()[0])
        raise ManifoldError(
            f"The frame is degenerate at {int(bad.sum())} points, the first is {k} at {points[k].tolist()}: either its "
            "columns are linearly dependent, or the metric is degenerate. Check `inner` and `frames`."
        )
