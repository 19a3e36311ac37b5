"""The skin of a body as a closed triangle mesh whose part boundaries run along edges."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .field import part_distances, project_to_skin, sample_grid, thickness
from .remesh import collapse_short_edges, cut_along_parts, edge_table, flip_edges, relax
from .skeleton import CLASSES, HEAD, LOWER_FRONT, LOWER_HIND, NECK, TAIL, TORSO, UPPER_FRONT, UPPER_HIND, Body

# Which parts may meet, smaller class first.
NEIGHBOURS = {
    (HEAD, NECK),
    (NECK, TORSO),
    (NECK, UPPER_FRONT),
    (TORSO, UPPER_FRONT),
    (UPPER_FRONT, LOWER_FRONT),
    (TORSO, UPPER_HIND),
    (UPPER_HIND, LOWER_HIND),
    (TORSO, TAIL),
    (UPPER_HIND, TAIL),
}


class BadSurface(ValueError):
    """The skin is no closed sphere-like manifold with its parts in their places: draw another pose."""


@dataclass(frozen=True)
class LabelledMesh:
    """Vertices `(V, 3)`, faces `(F, 3)` outward, and the part class `(F,)` of each face.

    `rotation @ v` took the body from standing (looking along x, z up) to where it is: `vertices @ rotation` stands.
    """

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))


def mesh_body(body: Body, *, spacing: float = 0.011, num_vertices: int = 980) -> LabelledMesh:
    """Mesh the skin: marching cubes, decimation, relaxation on the field, cut along parts, relaxation again.

    Args:
        body: the flesh on its skeleton, about one unit long.
        spacing: edge of a marching-cubes cell.
        num_vertices: number aimed at before the cut along part boundaries, which adds some.

    Raises:
        BadSurface: the skin is not a sphere-like closed manifold, or a part of it is in pieces.
    """

    def parts(points: np.ndarray) -> np.ndarray:
        return part_distances(body, points)

    vertices, faces = fine_skin(body, spacing, num_faces=4 * num_vertices)
    coarse = parts(vertices[faces].mean(axis=1)).argmin(axis=1)  # refuse early: what follows costs a second
    check_parts(faces, absorb_islands(faces, coarse))
    vertices, faces = thin_out(body, vertices, faces, num_vertices)
    vertices, faces, boundary = cut_along_parts(vertices, faces, parts)
    vertices, faces, boundary = drop_short_edges(vertices, faces, boundary)
    labels = face_labels(vertices, faces, parts, boundary)
    boundary = boundary_vertices(faces, labels, len(vertices))
    vertices = improve(body, vertices, faces, ~boundary, rounds=5, labels=labels)
    check_sphere(vertices, faces)
    check_parts(faces, labels)
    return LabelledMesh(vertices, faces, labels)


def fine_skin(body: Body, spacing: float, num_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Marching cubes on the sampled field, then edge collapses by quadric error to `num_faces`."""
    import fast_simplification
    from skimage.measure import marching_cubes

    grid, origin = sample_grid(body, spacing)
    vertices, faces, *_ = marching_cubes(grid, 0.0, spacing=(spacing,) * 3, gradient_direction="descent")
    vertices, faces = largest_component(vertices.astype(np.float64) + origin, faces.astype(np.int64))
    check_sphere(vertices, faces)
    vertices, faces = fast_simplification.simplify(vertices, faces.astype(np.int32), target_count=num_faces, agg=4)
    vertices, faces = vertices.astype(np.float64), faces.astype(np.int64)
    check_sphere(vertices, faces)
    return vertices, faces


def thin_out(body: Body, vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Collapse edges, shortest for their place first, until about `count` vertices are left, relaxing in between.

    Edges get lengths in proportion to the flesh's thickness to the power 3/4 (equal chord errors would be 1/2):
    ears keep their shape and flanks stay light.
    """
    everywhere = np.ones(len(vertices), dtype=bool)
    vertices = improve(body, vertices, faces, everywhere, rounds=2)
    for limit in np.linspace(0.6, 1.6, 21):
        thick = thickness(body, vertices)
        size = np.sqrt(thick * np.sqrt(thick))
        typical = np.sqrt(_cells(vertices, faces, size) / (0.866 * count))
        vertices, faces, _ = collapse_short_edges(
            vertices, faces, limit * typical * size, np.zeros(len(vertices)), spare=len(vertices) - count
        )
        vertices = improve(body, vertices, faces, everywhere[: len(vertices)], rounds=1)
        if len(vertices) <= count:
            break
    return improve(body, vertices, faces, everywhere[: len(vertices)], rounds=3), faces


def _cells(vertices: np.ndarray, faces: np.ndarray, size: np.ndarray) -> float:
    """Area of the surface measured in squares of the local `size` `(V,)`."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return float((area / (size[faces] ** 2).mean(axis=1)).sum())


def largest_component(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the crumbs that a coarse grid breaks off where an ear ends thinner than a cell."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(faces)), (faces[:, 0], faces[:, 1])), shape=(len(vertices),) * 2)
    component = connected_components(graph, directed=False)[1]
    kept = component[faces[:, 0]] == np.bincount(component).argmax()
    used, faces = np.unique(faces[kept], return_inverse=True)
    return vertices[used], faces.reshape(-1, 3)


def improve(
    body: Body,
    vertices: np.ndarray,
    faces: np.ndarray,
    movable: np.ndarray,
    *,
    rounds: int,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Alternate edge flips (faces change in place), tangential relaxation and projection onto the skin."""
    for _ in range(rounds):
        flip_edges(vertices, faces, fixed=labels)
        vertices = relax(vertices, faces, movable=movable)
        vertices = relax(vertices, faces, movable=movable)
        vertices = project_to_skin(body, vertices, steps=1)
    flip_edges(vertices, faces, fixed=labels)
    return project_to_skin(body, vertices, steps=2)


def drop_short_edges(vertices: np.ndarray, faces: np.ndarray, boundary: np.ndarray, ratio: float = 0.45):
    """Collapse edges shorter than `ratio` of the typical edge around them; boundary vertices stay in place."""
    edges, _ = edge_table(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    ends, twice = edges.T.reshape(-1), np.concatenate([length, length])
    typical = np.bincount(ends, weights=twice) / np.bincount(ends)
    vertices, faces, kept = collapse_short_edges(vertices, faces, ratio * typical, boundary.astype(int))
    return vertices, faces, boundary[kept]


def face_labels(vertices: np.ndarray, faces: np.ndarray, parts, boundary: np.ndarray) -> np.ndarray:
    """The part that the corners off the boundary belong to; where all lie on it, the part at the centroid."""
    distances = parts(vertices)[faces]
    inside = ~boundary[faces]
    summed = (distances * inside[..., None]).sum(axis=1)
    corner_label = summed.argmin(axis=1)
    centre_label = parts(vertices[faces].mean(axis=1)).argmin(axis=1)
    return absorb_islands(faces, np.where(inside.any(axis=1), corner_label, centre_label))


def absorb_islands(faces: np.ndarray, labels: np.ndarray, *, smallest: int = 8) -> np.ndarray:
    """Give islands of fewer than `smallest` faces the label most frequent around them."""
    labels = labels.copy()
    _, halves = edge_table(faces)
    pairs = halves // 3
    for _ in range(4):
        island = label_islands(faces, labels)
        size = np.bincount(island)
        border = pairs[island[pairs[:, 0]] != island[pairs[:, 1]]]
        for small in np.flatnonzero(size < smallest):
            touching = np.concatenate([border[island[border[:, k]] == small, 1 - k] for k in range(2)])
            if len(touching):
                labels[island == small] = np.bincount(labels[touching]).argmax()
    return labels


def label_islands(faces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Connected region `(F,)` of each face among faces of its own label."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, halves = edge_table(faces)
    pairs = halves // 3
    same = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
    graph = coo_array((np.ones(len(same)), same.T), shape=(len(faces),) * 2)
    return connected_components(graph, directed=False)[1]


def boundary_vertices(faces: np.ndarray, labels: np.ndarray, num_vertices: int) -> np.ndarray:
    """Mask `(V,)` of vertices whose faces do not all carry one label."""
    low, high = np.full(num_vertices, len(labels)), np.full(num_vertices, -1)
    np.minimum.at(low, faces.reshape(-1), np.repeat(labels, 3))
    np.maximum.at(high, faces.reshape(-1), np.repeat(labels, 3))
    return low != high


def check_parts(faces: np.ndarray, labels: np.ndarray) -> None:
    """Refuse what no eye would call a body: parts that meet though they are no neighbours, parts in pieces.

    Head, neck, torso and tail are in one piece, paired limbs in at most two.

    Args:
        faces: `(F, 3)`.
        labels: part `(F,)` of each face.

    Raises:
        BadSurface: and names the parts.
    """
    pairs = np.sort(labels[edge_table(faces)[1] // 3], axis=1)
    for a, b in np.unique(pairs, axis=0):
        if a != b and (int(a), int(b)) not in NEIGHBOURS:
            raise BadSurface(f"{CLASSES[a]} touches {CLASSES[b]}.")
    island = label_islands(faces, labels)
    for label in np.unique(labels):
        pieces, allowed = len(np.unique(island[labels == label])), 1 if label in (HEAD, NECK, TORSO, TAIL) else 2
        if pieces > allowed:
            raise BadSurface(f"{CLASSES[label]} is in {pieces} pieces, expected at most {allowed}.")


def check_sphere(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Refuse anything but one closed, manifold, outward component of Euler characteristic 2.

    Raises:
        BadSurface: and says which of these fails.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    try:
        edges, halves = edge_table(faces)
    except ValueError as error:
        raise BadSurface(str(error)) from error
    starts = faces.reshape(-1)[halves]
    if (starts[:, 0] == starts[:, 1]).any():
        raise BadSurface("Neighbouring faces are oriented against each other.")
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(vertices),) * 2)
    if connected_components(graph, directed=False)[0] != 1:
        raise BadSurface("More than one component.")
    if len(vertices) - len(edges) + len(faces) != 2:
        raise BadSurface(f"Euler characteristic {len(vertices) - len(edges) + len(faces)}, expected 2.")
    a, b, c = vertices[faces].swapaxes(0, 1)
    if float((a * np.cross(b, c)).sum()) <= 0:
        raise BadSurface("Faces are oriented inward.")
