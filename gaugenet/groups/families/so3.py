"""SO(3): rotations of space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.group import StructureGroup, is_orthogonal
from gaugenet.groups.representations.base import Representation, trivial
from gaugenet.groups.representations.spherical import wigner
from gaugenet.groups.representations.wigner_coupling import wigner_coupling


class SO3(StructureGroup):
    """Rotations of R^3 :cite:`weiler2018threed`.

    Irreps: `l` = 0, 1, 2, ... of dimension 2 l + 1, all of real type; `1` is the matrix itself. An irrep acts on the
    real spherical harmonics about the z axis, see `spherical_harmonics`.

    Example:
        >>> from gaugenet.groups import SO3
        >>> vectors = SO3().irrep(1)
        >>> vectors.tensor(vectors).decompose().labels
        ['0', '1', '2']
    """

    d = 3
    name = "SO(3)"
    orientation_preserving = True

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        return is_orthogonal(g, atol) & (determinant(g) > 0)

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        q = torch.randn(*size, 4, generator=generator, dtype=torch.float64)
        return from_quaternion(torch.nn.functional.normalize(q, dim=-1))

    def generators(self) -> Tensor:
        return torch.zeros(0, 3, 3, dtype=torch.float64)

    def lie_algebra(self) -> Tensor:
        """Return infinitesimal rotations about x, y and z."""
        x = torch.zeros(3, 3, 3, dtype=torch.float64)
        for axis in range(3):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            x[axis, a, b], x[axis, b, a] = -1.0, 1.0
        return x

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        if not text.isdigit():
            allowed = "an order 0, 1, 2, ..., `standard` or `trivial`"
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        return spherical_irrep(self, str(int(text)), int(text))

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        if max_order is None:
            raise ValueError("SO(3) has infinitely many irreps: pass `max_order`.")
        return [self.irrep(order) for order in range(max_order + 1)]

    def couple(self, first: Representation, second: Representation, target: Representation) -> Tensor:
        return coupled(first, second, target, allowed=True)

    def standard(self) -> Representation:
        return self.irrep(1)


def spherical_irrep(group: StructureGroup, name: str, order: int, *, pseudo: bool = False) -> Representation:
    """Return D^l, by which harmonic polynomials of degree l transform, times the determinant if `pseudo`."""
    if order == 0 and not pseudo:
        return trivial(group)

    def matrix(g: Tensor) -> Tensor:
        d = wigner(g, order)
        return d * determinant(g)[..., None, None] if pseudo else d

    return Representation(group, name, 2 * order + 1, matrix, order=order)


def coupled(first: Representation, second: Representation, target: Representation, *, allowed: bool) -> Tensor:
    """Return the intertwiner first x second -> target of irreps, its first non-zero entry 1; none if not `allowed`."""
    a, b, c = first.order or 0, second.order or 0, target.order or 0
    if not allowed or not abs(a - b) <= c <= a + b:
        return torch.zeros(0, target.dim, first.dim * second.dim, dtype=torch.float64)
    found = wigner_coupling(a, b, c).flatten()
    leading = found[found.abs() > 1e-9][0]
    return (found / leading).view(1, target.dim, first.dim * second.dim)


def determinant(g: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return det g as the triple product of the columns: a polynomial, exact for signed permutations."""
    a, b, c = g.unbind(-1)
    return typed_tensor((a * torch.linalg.cross(b, c)).sum(-1))


def from_quaternion(q: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation v -> q v q^-1 of a unit quaternion (w, x, y, z)."""
    w, x, y, z = q.unbind(-1)
    rows = (
        torch.stack([w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z], -1),
    )
    return torch.stack(rows, -2)
