"""Subgroups of O(3) with one axis: a planar group on (x, y), and its action on z."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.group import StructureGroup, tolerance
from gaugenet.groups.representations.base import Representation


class Axial(StructureGroup):
    """A planar group G acting on the first two axes of R^3, and on the third by a sign.

    ================= ================================ ===========================================================
    `third`           acts on z by                     Schoenflies symbols, for G = C_n, D_n, SO(2), O(2)
    ================= ================================ ===========================================================
    `trivial`         1                                C_n, C_nv, C_inf, C_inf_v
    `det`             det of the planar matrix         C_n, D_n, C_inf, D_inf: rotations, e.g. O(2) <= SO(3)
    `mirror`          1 and -1, independently          C_nh, D_nh, C_inf_h, D_inf_h
    a sign irrep of G that irrep                       S_n for C_n (`"n/2"`), D_(n/2)d for D_n (`"n/2"`, `"n/2-"`)
    ================= ================================ ===========================================================

    Irreps are the irreps of G. With `mirror` each exists twice: `0z`, `1z`, ... are odd under the mirror z -> -z.

    Args:
        planar: `SO2()`, `O2()`, `Cyclic(n)`, `Dihedral(n)`, `Reflection()` or `Trivial()`.
        third: how the group acts on the third axis, see the table.

    Raises:
        ValueError: If `planar` does not act on the plane, or `third` is not in the table.

    Example:
        >>> import torch
        >>> from gaugenet.groups import O2, Axial
        >>> group = Axial(O2(), "det")  # the rotations of an axis that may be turned upside down
        >>> bool(group.contains(torch.diag(torch.tensor([1.0, -1.0, -1.0]))))
        True
        >>> bool(group.contains(torch.diag(torch.tensor([1.0, -1.0, 1.0]))))
        False
    """

    d = 3

    def __init__(self, planar: StructureGroup, third: str = "trivial") -> None:
        if planar.d != 2:
            raise ValueError(f"Expected a `planar` group acting on R^2, got {planar.name} on R^{planar.d}.")
        self.planar = planar
        self.third = _normalized(planar, str(third))
        self.name = f"Axial({planar.name},{self.third})"
        rotations = {"trivial": planar.orientation_preserving, "det": True}
        self.orientation_preserving = rotations.get(self.third, False)

    @property
    def _mirror(self) -> bool:
        return self.third == "mirror"

    def _sign(self, h: Tensor) -> Tensor:
        """Return the factor by which z is multiplied, without the mirror."""
        if self.third in ("trivial", "mirror"):
            return torch.ones_like(h[..., 0, 0])
        return self.planar.irrep("0-" if self.third == "det" else self.third)(h)[..., 0, 0]

    def _embed(self, h: Float[Tensor, "*batch 2 2"], mirrored: bool | Tensor = False) -> Float[Tensor, "*batch 3 3"]:
        g = h.new_zeros(*h.shape[:-2], 3, 3)
        g[..., :2, :2] = h
        sign = self._sign(h)
        g[..., 2, 2] = torch.where(torch.as_tensor(mirrored), -sign, sign)
        return g

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        atol = tolerance(g) if atol is None else atol
        h, z = g[..., :2, :2], g[..., 2, 2]
        z = z.abs() if self._mirror else z
        off = torch.maximum(g[..., :2, 2].abs().amax(-1), g[..., 2, :2].abs().amax(-1))
        return self.planar.contains(h, atol) & (off <= atol) & ((z - self._sign(h)).abs() <= atol)

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        h = self.planar.random_element(size, generator=generator)
        mirrored = torch.rand(h.shape[:-2], generator=generator) < 0.5
        return self._embed(h, mirrored & self._mirror)

    def generators(self) -> Tensor:
        generators = self._embed(self.planar.generators())
        mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))[None]
        return torch.cat([generators, mirror]) if self._mirror else generators

    def lie_algebra(self) -> Tensor:
        planar = self.planar.lie_algebra()
        x = planar.new_zeros(len(planar), 3, 3)
        x[:, :2, :2] = planar
        return x

    @property
    def order(self) -> int | None:
        order = self.planar.order
        return order and order * (2 if self._mirror else 1)

    def elements(self) -> Tensor:
        if self.order is None:
            return super().elements()
        g = self._embed(self.planar.elements())
        return torch.cat([g, self._embed(self.planar.elements(), True)]) if self._mirror else g

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        odd = text.endswith("z") and self._mirror
        try:
            rho = self.planar.irrep(text[:-1] if odd else text)
        except ValueError as error:
            more = ", each also with the suffix `z`" if self._mirror else ""
            raise ValueError(
                f"Unknown representation {label!r} of {self.name}: expected those of {self.planar.name}{more} ({error})"
            ) from error
        if rho.is_trivial and not odd:
            return self.trivial()

        def matrix(g: Tensor) -> Tensor:
            value = rho(g[..., :2, :2])
            return value * g[..., 2:, 2:] if odd else value

        return Representation(self, rho.name + "z" * odd, rho.dim, matrix, order=rho.order)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        names = [rho.name for rho in self.planar.irreps(max_order)]
        suffixes = ["", "z"] if self._mirror else [""]
        return [self.irrep(name + suffix) for name in names for suffix in suffixes]


def _normalized(planar: StructureGroup, third: str) -> str:
    """Return one spelling for each action on the third axis."""
    if third in ("trivial", "mirror", "0"):
        return "trivial" if third == "0" else third
    if third in ("det", "0-"):
        return "trivial" if planar.orientation_preserving else "det"
    signs = [rho.name for rho in planar.irreps(None if planar.order else 0) if rho.dim == 1 and not rho.is_trivial]
    if third not in signs:
        raise ValueError(
            f"Expected `third` to be `trivial`, `det`, `mirror` or a sign irrep of {planar.name} "
            f"({', '.join(signs) or 'it has none'}), got {third!r}."
        )
    return third
