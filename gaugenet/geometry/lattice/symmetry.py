"""Rotations and reflections of the lattice: their action on sites, links and features."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.lattice.paths import Path, shifted
from gaugenet.groups import DirectProduct, FieldType


def moved_sites(x: Tensor, h: Float[Tensor, "d d"], *, first: int) -> Tensor:
    """Return y(h x) = x(x): values at the images of sites under a signed permutation h of the axes about the site 0.

    `first` is the dimension of the axis 0 in `x`. Components do not change.
    """
    axes, signs = signed_permutation(h)
    d = len(axes)
    order = sorted(range(d), key=lambda mu: axes[mu])  # the axis mu of x becomes the axis axes[mu]
    lead, tail = range(first), range(first + d, x.dim())
    x = x.permute(*lead, *(first + mu for mu in order), *tail)
    for mu in range(d):
        if signs[mu] < 0:
            x = torch.roll(x.flip(first + axes[mu]), 1, first + axes[mu])
    return x


def moved_links(links: Complex[Tensor, "batch d *shape n n"], h: Float[Tensor, "d d"]) -> Complex[Tensor, "..."]:
    """Return the links between the images of sites: the transporter from h (x + mu) to h x is U_mu(x)."""
    axes, signs = signed_permutation(h)
    moved: list[Tensor] = [links] * len(axes)
    for mu, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        u = moved_sites(links[:, mu], h, first=1)
        moved[axis] = u if sign > 0 else shifted(u.mH, axis, 1)  # U_(-axis)(x) = U_axis(x - axis)^+
    return torch.stack(moved, 1)


def rotated_features(
    field_type: FieldType, x: Float[Tensor, "batch size *shape"], h: Float[Tensor, "d d"]
) -> Float[Tensor, "batch size *shape"]:
    """Return y(h x) = rho(h) x(x): features of `LatticeGaugeField.rotate(h)`.

    rho is the action on directions of a type of a `DirectProduct`. Other types have no directions, and their components
    do not change.

    Raises:
        ValueError: If h is not a signed permutation of the axes, or not in the group of the type.

    Example:
        >>> import torch
        >>> from gaugenet.geometry.lattice.symmetry import rotated_features
        >>> from gaugenet.groups import SU, DirectProduct, FieldType, Hypercubic
        >>> vectors = FieldType(DirectProduct(Hypercubic(2), SU(2)), "vector*0")
        >>> x = torch.zeros(1, 2, 4, 4)
        >>> x[0, 0, 1, 0] = 1  # at the site (1, 0), along the axis 0
        >>> quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> rotated_features(vectors, x, quarter_turn).nonzero().tolist()  # at the site (0, 1), along the axis 1
        [[0, 1, 0, 1]]
    """
    group, y = field_type.group, moved_sites(x, h, first=2)
    if not isinstance(group, DirectProduct):
        field_type.check(x)
        return y
    if not bool(group.spatial.contains(h)):
        raise ValueError(
            f"Expected `h` in {group.spatial.name}, which acts on the directions of {field_type}, got {h}."
        )
    g = group.element(h, group.internal.identity().to(h.device))
    return field_type.transform(g, y)


def moved_path(path: Path, h: Float[Tensor, "d d"]) -> Path:
    """Return the image of a path."""
    axes, signs = signed_permutation(h)
    return tuple((axes[mu], signs[mu] * k) for mu, k in path)


def signed_permutation(h: Float[Tensor, "d d"], d: int | None = None) -> tuple[list[int], list[int]]:
    """Return for each axis mu the axis and the sign of its image h e_mu; d is the number of axes.

    Raises:
        ValueError: If h is not a signed permutation of the axes.
    """
    if not isinstance(h, Tensor) or h.dim() != 2:
        raise ValueError(f"Expected `h` as a matrix, an element of `Hypercubic(d)`, got {h!r}.")
    n = h.shape[-1] if d is None else d
    ones = torch.ones(n, dtype=h.dtype, device=h.device)
    inside = h.shape == (n, n) and bool(((h.abs() - 1).abs().minimum(h.abs()) < 1e-6).all())
    rounded = h.round()
    if not inside or not (torch.equal(rounded.abs().sum(0), ones) and torch.equal(rounded.abs().sum(1), ones)):
        raise ValueError(f"Expected `h` as a signed permutation of {n} axes, an element of `Hypercubic({n})`, got {h}.")
    axes = rounded.abs().argmax(0)
    return axes.tolist(), [int(s) for s in rounded.sum(0).tolist()]


__all__ = ["moved_links", "moved_path", "moved_sites", "rotated_features", "signed_permutation"]
