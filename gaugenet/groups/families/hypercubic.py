"""Hypercubic: the rotations and reflections of the lattice Z^d."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet._validation import positive
from gaugenet.groups.families.tensor_powers import TensorPowerGroup
from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.exterior import minors


class Hypercubic(FiniteGroup, TensorPowerGroup):
    r"""The hyperoctahedral group B_d of all 2^d d! signed permutations of the axes of R^d, d = 2, 3, 4.

    In d = 2 these are the symmetries of a square, in d = 3 the symmetries of a cube. Representations by name, in
    addition to irreps that are named by the tensor power in which they first occur (`2.1`, `2.2`, ...):

    - `vector`: the matrix itself.
    - `bivector`: its 2 x 2 minors, how antisymmetric tensors on the planes mu < nu transform.
    - `axes`: absolute values of `vector`, a permutation of the d axes without orientation.
    - `planes`: absolute values of `bivector`, a permutation of the d (d - 1) / 2 planes without orientation.

    Args:
        d: dimension of the lattice.

    Raises:
        ValueError: If d is not 2, 3 or 4.

    Example:
        >>> from gaugenet.groups import Hypercubic
        >>> [Hypercubic(d).order for d in (2, 3, 4)]
        [8, 48, 384]
        >>> [(rho.name, rho.dim) for rho in Hypercubic(2).irreps()]
        [('0', 1), ('vector', 2), ('bivector', 1), ('2.1', 1), ('2.2', 1)]
        >>> Hypercubic(4).representation("planes").dim
        6
    """

    orientation_preserving = False
    known_orders = 1

    def __init__(self, d: int) -> None:
        self.d = positive("d", d)
        if d not in (2, 3, 4):
            raise ValueError(f"Expected `d` = 2, 3 or 4, the dimensions of lattices, got {d}.")
        self.name = f"B_{d}"

    def generators(self) -> Float[Tensor, "count d d"]:
        """Return the cyclic permutation of the axes, the exchange of the first two, and a reflection."""
        eye = torch.eye(self.d, dtype=torch.float64)
        swap = [1, 0, *range(2, self.d)]
        mirror = eye.clone()
        mirror[0, 0] = -1
        return torch.stack([eye.roll(1, 0), eye[swap], mirror])

    def _make_elements(self) -> Float[Tensor, "order d d"]:
        return _signed_permutations(self.d)

    def irrep(self, label: int | str) -> Representation:
        level = {"0": 0, "1": 1, "vector": 1, "bivector": 2}.get(str(label).strip())
        if level is None:
            return super().irrep(label)
        return self._named(level)[0] if level else self.trivial()

    def representation(self, label: int | str | Representation) -> Representation:
        if label in ("axes", "planes"):
            return self._permutation(str(label))
        return super().representation("bivector" if label == "exterior(2)" else label)

    def exterior(self, grade: int) -> Representation:
        return self.irrep("bivector") if grade == 2 else super().exterior(grade)

    def standard(self) -> Representation:
        return self._faithful()

    def _faithful(self) -> Representation:
        return Representation(self, "vector", self.d, lambda g: g, order=1)

    def _named(self, k: int) -> list[Representation]:
        if k == 1:
            return [self._faithful()]
        pairs = self.d * (self.d - 1) // 2
        return [Representation(self, "bivector", pairs, lambda g: minors(g, 2), order=2)] if k == 2 else []

    def _permutation(self, name: str) -> Representation:
        """Return `vector` or `bivector` without signs; in the plane `planes` is the trivial representation."""
        signed = self.irrep("vector" if name == "axes" else "bivector")
        if signed.dim == 1:
            return self.trivial()
        return Representation(self, name, signed.dim, lambda g: signed(g).abs(), permutation=True)

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (self.d,)


@cached
def _signed_permutations(d: int) -> Float[Tensor, "order d d"]:
    eye = torch.eye(d, dtype=torch.float64)
    signs = torch.tensor(list(itertools.product([1.0, -1.0], repeat=d)), dtype=torch.float64)
    return torch.cat([signs[:, :, None] * eye[list(order)] for order in itertools.permutations(range(d))])


__all__ = ["Hypercubic"]
