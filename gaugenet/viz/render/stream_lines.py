"""Line-integral convolution on a surface: noise blurred along the stream lines of a tangent field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh

NUM_TEXELS = 400_000
_MOST_DIVISIONS = 255


@dataclass(frozen=True, eq=False)
class Texels:
    """The faces of a mesh, each cut into `n * n` equal small triangles, numbered face by face.

    The triangles of a face form rows from its first edge to its third corner. In a row, triangles with the orientation
    of the face and reversed triangles alternate.

    Attributes:
        mesh: the surface.
        divisions: the number `n` of every face.
    """

    mesh: TriangleMesh
    divisions: Int[ndarray, "faces"]

    @classmethod
    def of(cls, mesh: TriangleMesh, count: int = NUM_TEXELS) -> Texels:
        """Return about `count` texels of about the same area, at most 255 * 255 on a face."""
        area = mesh.face_areas
        total = float(area.sum())
        share = area / total if total > 0 else np.full(mesh.num_faces, 1 / mesh.num_faces)
        return cls(mesh, np.clip(np.round(np.sqrt(count * share)), 1, _MOST_DIVISIONS).astype(np.int64))

    @cached_property
    def start(self) -> Int[ndarray, "faces+1"]:
        """Return the first texel of each face, and the total number."""
        return np.concatenate([[0], np.cumsum(self.divisions**2)])

    @property
    def side(self) -> float:
        """Return the side of an equilateral triangle with the mean area of a texel, a length."""
        return float(np.sqrt(self.mesh.area / max(int(self.start[-1]), 1) * 4 / 3**0.5))

    def at(self, face: Int[ndarray, "n"], weights: Float[ndarray, "n 3"]) -> Int[ndarray, "n"]:
        """Return the texel at points of faces, given by barycentric weights."""
        n = self.divisions[face]
        column = np.clip(np.floor(weights[:, 1] * n).astype(np.int64), 0, n - 1)
        row = np.clip(np.floor(weights[:, 2] * n).astype(np.int64), 0, n - 1 - column)
        reversed_ = (n * (weights[:, 1] + weights[:, 2]) - column - row > 1) & (column + row < n - 1)
        return typed_array(self.start[face] + n**2 - (n - row) ** 2 + 2 * column + reversed_)

    def centers(self) -> tuple[Int[ndarray, "texels"], Float[ndarray, "texels 3"]]:
        """Return the face of each texel and the barycentric weights of its centre."""
        face = np.repeat(np.arange(len(self.divisions)), self.divisions**2)
        n = self.divisions[face]
        place = np.arange(len(face)) - self.start[face]
        row = n - np.ceil(np.sqrt(n**2 - place)).astype(np.int64)
        in_row = place - (n**2 - (n - row) ** 2)
        third = (1 + in_row % 2) / 3
        second, last = (in_row // 2 + third) / n, (row + third) / n
        return face, np.stack([1 - second - last, second, last], axis=-1)


def line_integral_convolution(
    texels: Texels,
    vectors: Float[ndarray, "n 3"],
    *,
    length: float = 16.0,
    seed: int = 0,
) -> Float[ndarray, "texels"]:
    """Return white noise averaged along the stream lines of a field: light and dark streaks that follow it.

    The method is from :cite:`cabral1993imaging`, on triangles as in :cite:`battke1997fast`.

    The stream line through the centre of each texel is followed both ways, over the edges of the mesh, in steps of half
    a texel by the midpoint rule. There is no chart, so there is no seam. The line ends at the boundary, where the field
    vanishes or is not finite, and at an edge towards which the field points from both sides. The sign of the field
    does not matter.

    Args:
        texels: texels of the surface; their size is the resolution of the picture.
        vectors: at the vertices (interpolated linearly) or the faces, in space; the part along the normals is left out.
        length: how far stream lines are followed each way, in sides of texels.
        seed: seed of the noise. With the same seed, pictures of two time steps differ only where the directions differ.

    Returns:
        Values from 0 to 1 with mean about 1/2; 1/2 where the field has no direction.

    Raises:
        ValueError: If the vectors fit neither the vertices nor the faces.

    Example:
        >>> import numpy as np
        >>> from gaugenet.geometry import TriangleMesh
        >>> from gaugenet.viz import Texels, line_integral_convolution
        >>> mesh = TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> line_integral_convolution(Texels.of(mesh, 100), np.array([[1.0, 0.0, 0.0]] * 3)).shape
        (100,)
    """
    mesh = texels.mesh
    if vectors.shape not in ((mesh.num_vertices, 3), (mesh.num_faces, 3)):
        raise ValueError(
            f"Expected `vectors` of shape ({mesh.num_vertices}, 3) or ({mesh.num_faces}, 3), got {vectors.shape}."
        )
    on_faces = len(vectors) != mesh.num_vertices
    corners = np.repeat(vectors[:, None], 3, axis=1) if on_faces else vectors[mesh.faces]
    flat, rates = _in_the_plane(mesh, np.nan_to_num(corners, nan=0.0, posinf=0.0, neginf=0.0))
    noise = np.random.default_rng(seed).random(int(texels.start[-1]))
    face, weights = texels.centers()
    blurred = _convolve(
        face, weights, flat, rates, _neighbors(mesh), mesh.faces, texels.divisions, texels.start, noise,
        0.5 * texels.side, max(2, round(2 * length)),
    )  # fmt: skip
    known = np.isfinite(blurred)
    if not known.any():
        return np.full(len(noise), 0.5)
    spread = max(float(blurred[known].std()), 1e-9)
    contrast = 0.5 + (blurred - blurred[known].mean()) / (4 * spread)
    return np.where(known, np.clip(contrast, 0, 1), 0.5)


def _in_the_plane(
    mesh: TriangleMesh, corners: Float[ndarray, "faces 3 3"]
) -> tuple[Float[ndarray, "faces 3 2"], Float[ndarray, "faces 3 2"]]:
    """Return the vectors at the corners of each face, and the gradients of its barycentric weights, in its plane."""
    a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
    first = b - a
    base = np.linalg.norm(first, axis=1)
    first = first / np.maximum(base, 1e-300)[:, None]
    second = np.cross(mesh.face_normals, first)
    x, y = ((c - a) * first).sum(1), ((c - a) * second).sum(1)
    area = base * y
    usable = area > 1e-12 * (base**2 + x**2 + y**2)
    inverse = np.divide(1.0, area, out=np.zeros_like(area), where=usable)
    about_b, about_c = (
        np.stack([y, -x], -1) * inverse[:, None],
        np.stack([np.zeros_like(y), base], -1) * inverse[:, None],
    )
    flat = np.einsum("fcd,kfd->fck", corners, np.stack([first, second]))
    return flat * usable[:, None, None], np.stack([-about_b - about_c, about_b, about_c], axis=1)


def _neighbors(mesh: TriangleMesh) -> Int[ndarray, "faces 3"]:
    """Return the opposite halfedge of the edge across from each corner; -1 if there is not exactly one."""
    other = np.full(3 * mesh.num_faces, -1)
    pairs = mesh.edge_face_count == 2
    starts = np.cumsum(mesh.edge_face_count) - mesh.edge_face_count
    one, two = mesh.halfedges_by_edge[starts[pairs]], mesh.halfedges_by_edge[starts[pairs] + 1]
    other[one], other[two] = two, one
    return other.reshape(-1, 3)[:, [1, 2, 0]]  # the edge from corner 1 to 2 is across from corner 0


# Compiled, because every stream line crosses its own sequence of faces.
@njit(cache=True, nogil=True)
def _convolve(
    face: ndarray, weights: ndarray, flat: ndarray, rates: ndarray, across: ndarray, faces: ndarray,
    divisions: ndarray, start: ndarray, noise: ndarray, step: float, count: int,
) -> ndarray:  # pragma: no cover - compiled  # fmt: skip
    result = np.empty(len(face))
    w, rate, ahead_of, sums = np.empty(3), np.empty(3), np.empty(3), np.empty(2)
    for texel in range(len(face)):
        sums[:] = 0.0
        for sign in (1.0, -1.0):
            f, left, crossings = face[texel], count * step, 0
            for k in range(3):
                w[k] = weights[texel, k]
            while left > 1e-9 * step and crossings < 4 * count:
                if not _direction(flat, rates, f, w, sign, rate):
                    break
                edge, gone = _advance(flat, rates, f, w, sign, rate, ahead_of, min(step, left))
                sums[0] += gone * noise[_texel(divisions, start, f, w)]
                sums[1] += gone
                left -= gone
                if edge < 0:
                    continue
                halfedge = across[f, edge]
                if halfedge < 0:
                    break
                f = _cross(faces, f, edge, halfedge, w)
                crossings += 1
                # Where the field of the next face leads back over the same edge, the stream line ends.
                if not _direction(flat, rates, f, w, sign, rate) or rate[(halfedge + 2) % 3] <= 0:
                    break
        result[texel] = sums[0] / sums[1] if sums[1] > 0 else np.nan
    return result


@njit(cache=True, nogil=True)
def _advance(
    flat: ndarray, rates: ndarray, f: int, w: ndarray, sign: float, rate: ndarray, middle: ndarray, ahead: float
) -> tuple[int, float]:  # pragma: no cover - compiled
    """Move by the midpoint rule, at most to an edge. Return the corner across from it, or -1, and the distance."""
    inside = True
    for k in range(3):
        middle[k] = w[k] + 0.5 * ahead * rate[k]
        inside = inside and middle[k] >= 0
    if inside:
        _direction(flat, rates, f, middle, sign, rate)
    edge = -1
    for k in range(3):
        if w[k] + ahead * rate[k] < 0:
            ahead, edge = max(-w[k] / rate[k], 0.0), k
    for k in range(3):
        w[k] = max(w[k] + ahead * rate[k], 0.0)
    return edge, ahead


@njit(cache=True, nogil=True)
def _cross(faces: ndarray, f: int, edge: int, halfedge: int, w: ndarray) -> int:  # pragma: no cover - compiled
    """Express a point on an edge in the weights of the face behind it, whichever way that face is oriented."""
    g, h = halfedge // 3, halfedge % 3
    one, first, second = faces[f, (edge + 1) % 3], w[(edge + 1) % 3], w[(edge + 2) % 3]
    same = faces[g, h] == one
    w[h], w[(h + 1) % 3], w[(h + 2) % 3] = (first, second, 0.0) if same else (second, first, 0.0)
    return g


@njit(cache=True, nogil=True)
def _texel(divisions: ndarray, start: ndarray, f: int, w: ndarray) -> int:  # pragma: no cover - compiled
    """Return the index that `Texels.at` gives."""
    n = divisions[f]
    column = min(int(w[1] * n), n - 1)
    row = min(int(w[2] * n), n - 1 - column)
    reversed_ = 1 if n * (w[1] + w[2]) - column - row > 1 and column + row < n - 1 else 0
    return int(start[f] + n * n - (n - row) ** 2 + 2 * column + reversed_)


@njit(cache=True, nogil=True)
def _direction(
    flat: ndarray, rates: ndarray, f: int, w: ndarray, sign: float, rate: ndarray
) -> bool:  # pragma: no cover - compiled
    """Write the rates of the weights along the field per unit of length. Return false where the field vanishes."""
    x = w[0] * flat[f, 0, 0] + w[1] * flat[f, 1, 0] + w[2] * flat[f, 2, 0]
    y = w[0] * flat[f, 0, 1] + w[1] * flat[f, 1, 1] + w[2] * flat[f, 2, 1]
    size = np.sqrt(x * x + y * y)
    if not size > 1e-30:
        return False
    for k in range(3):
        rate[k] = sign * (rates[f, k, 0] * x + rates[f, k, 1] * y) / size
    return True
