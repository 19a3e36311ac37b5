"""The 60 rotations of the icosahedron as exact permutations of the vertices of an icosphere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.geometry.icosphere import _charts
from gaugenet.geometry.icosphere.icosphere import Icosphere, IcosphereConnection, check_connection
from gaugenet.groups.families.cyclic import Cyclic
from gaugenet.groups.representations.field_type import FieldType

NUM_ROTATIONS = 60


@dataclass(frozen=True)
class IcosahedralRotation:
    """A rotation R of space that maps an icosphere to itself.

    The rotated field at vertex `permutation[p]` is `rho(elements[p]) f(p)`::

        rotated[rotation.permutation] = field_type.transform(rotation.elements, x)

    Attributes:
        matrix: `(3, 3)`, R.
        permutation: `(V,)`, the vertex to which R moves each vertex.
        elements: `(V, 2, 2)`: R maps the frame of p to the frame of `permutation[p]` times this element. In the
            hexagonal structure it is in C_6, and the identity at corners, where only invariants exist; with
            `connection="levi_civita"` it is the angle on the round sphere, at corners too.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere, icosahedral_rotation
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> sphere, scalars = Icosphere(1), FieldType(Cyclic(6), "1x0")
        >>> rotation = icosahedral_rotation(sphere, 7)
        >>> torch.allclose(rotation.apply(scalars, sphere.pos[:, 2:]), sphere.pos @ rotation.matrix[:, 2:])
        True
    """

    matrix: Float[Tensor, "3 3"]
    permutation: Int[Tensor, "vertices"]
    elements: Float[Tensor, "vertices 2 2"]

    def apply(self, field_type: FieldType, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the rotated field, in vertex order `(V, C)` or `(B, C, V)`."""
        dim = 0 if x.dim() == 2 else 2
        elements = self.elements if x.dim() == 2 else self.elements[None]
        return torch.empty_like(x).index_copy(dim, self.permutation, field_type.transform(elements, x))


def icosahedral_rotations(
    sphere: Icosphere, connection: IcosphereConnection = "hexagonal"
) -> list[IcosahedralRotation]:
    """Return all 60 rotations, the identity first; see `icosahedral_rotation`.

    Example:
        >>> from gaugenet.geometry import Icosphere, icosahedral_rotations
        >>> len(icosahedral_rotations(Icosphere(1)))
        60
    """
    return [icosahedral_rotation(sphere, k, connection) for k in range(NUM_ROTATIONS)]


def icosahedral_rotation(
    sphere: Icosphere, k: int, connection: IcosphereConnection = "hexagonal"
) -> IcosahedralRotation:
    """Return one of the 60 rotations; 0 is the identity.

    The matrix identifies the images of the vertices; the permutation and the elements of C_6 are exact integers.

    Args:
        sphere: the icosphere.
        k: number of the rotation, from 0 to 59.
        connection: that of the fields, see `Icosphere.gauge_graph`. Vectors turn by multiples of 60 degrees with
            `hexagonal`, and by the angles between the frames on the sphere with `levi_civita`.

    Raises:
        ValueError: If `k` is not from 0 to 59, or the connection is unknown.

    Example:
        >>> from gaugenet.geometry import Icosphere, icosahedral_rotation
        >>> icosahedral_rotation(Icosphere(1), 0).permutation[:5]
        tensor([0, 1, 2, 3, 4])
    """
    if not 0 <= k < NUM_ROTATIONS:
        raise ValueError(f"Expected `k` from 0 to {NUM_ROTATIONS - 1}, got {k}.")
    check_connection(connection)
    matrix = _matrices()[k]
    permutation = _permutation(sphere, matrix)
    if connection == "levi_civita":
        turned = torch.from_numpy(matrix) @ sphere.frame
        return IcosahedralRotation(
            torch.from_numpy(matrix), torch.from_numpy(permutation), sphere.frame[permutation].mT @ turned
        )
    table = _charts.neighbors(sphere.level)
    # Direction 0 at p is mapped to the direction, at the image of p, of the image of the neighbour.
    steps = (table[permutation] == permutation[table[:, 0]][:, None]).argmax(1)
    steps[sphere.corners.numpy()] = 0
    return IcosahedralRotation(
        torch.from_numpy(matrix), torch.from_numpy(permutation), Cyclic(6).elements()[torch.from_numpy(steps)]
    )


def _permutation(sphere: Icosphere, matrix: ndarray) -> Int[ndarray, "vertices"]:
    from scipy.spatial import cKDTree

    pos = sphere.pos.numpy()
    distance, nearest = cKDTree(pos).query(pos @ matrix.T)
    if distance.max() > 0.01 * sphere.spacing or len(np.unique(nearest)) != len(pos):
        raise ValueError("The matrix does not map the icosphere to itself.")
    return typed_array(nearest.astype(np.int64))


@lru_cache(maxsize=1)
def _matrices() -> Float[ndarray, "60 3 3"]:
    """Return one matrix for each corner and neighbour of it, the images of the north pole and its first neighbour."""
    sphere = Icosphere(0)
    pos, table = sphere.pos.numpy(), _charts.neighbors(0)
    north = sphere.num_vertices - 2
    ends = [(a, b) for a in np.roll(np.arange(len(pos)), -north) for b in table[a, :5]]
    bases = np.array([_basis(pos[a], pos[b]) for a, b in ends])
    return bases @ np.linalg.inv(_basis(pos[north], pos[table[north, 0]]))


def _basis(a: ndarray, b: ndarray) -> Float[ndarray, "3 3"]:
    return np.stack([a, b, np.cross(a, b)], 1)
