"""Physical fields as multivectors: E and B as the Faraday bivector, axial vectors as bivectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.clifford.algebra import CliffordAlgebra


def time_axis(algebra: CliffordAlgebra) -> int:
    """Return the index of the time axis of a space-time: the first of Cl(1, q), the last of Cl(p, 1).

    Raises:
        ValueError: If the algebra is not Cl(1, q) or Cl(p, 1) with two or three dimensions of space.
    """
    p, q = algebra.p, algebra.q
    if (p == 1 or q == 1) and p and q and algebra.n in (3, 4):
        return 0 if p == 1 else p
    raise ValueError(f"Expected the algebra of a space-time, Cl(1, 2), Cl(1, 3), Cl(2, 1) or Cl(3, 1), got {algebra}.")


def faraday(
    electric: Float[Tensor, "*batch space"], magnetic: Float[Tensor, "*batch axial"], algebra: CliffordAlgebra
) -> Float[Tensor, "*batch bivectors"]:
    r"""Return the Faraday bivector F^{\mu\nu}, components F^{\mu\nu} (\mu < \nu) on the blades e_{\mu\nu}, for c = 1.

    F_{\mu\nu} = d_\mu A_\nu - d_\nu A_\mu of the potential A^\mu = (phi, A), indices raised by the metric. With
    signature (+, -, ..., -), time first: F^{0i} = -E_i, F^{ij} = -epsilon_{ijk} B_k, which is E + I B of
    :cite:`hestenes1966spacetime`; with (+, ..., +, -), time last, the signs of all F^{\mu\nu} are opposite.

    Args:
        electric: E, 2 or 3 components.
        magnetic: B, 3 components in space, 1 in the plane (its normal component).
        algebra: Cl(1, 2), Cl(1, 3), Cl(2, 1) or Cl(3, 1).

    Returns:
        The components of grade 2, in the order of blades of the algebra.

    Raises:
        ValueError: If the algebra does not belong to a space-time, or numbers of components do not fit.

    Example:
        >>> import torch
        >>> from gaugenet.groups import CliffordAlgebra, faraday
        >>> electric, magnetic = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
        >>> faraday(electric, magnetic, CliffordAlgebra(1, 3)).tolist()  # on the blades 01, 02, 03, 12, 13, 23
        [-1.0, -2.0, -3.0, -6.0, 5.0, -4.0]
    """
    time, space = time_axis(algebra), algebra.n - 1
    _check_components(electric, space, "electric")
    rotation = axial_to_bivector(magnetic, space)
    if time == 0:
        return -torch.cat([electric, rotation], -1)
    # time last: F^{i t} = -F^{t i} = -E_i; blades (i, j) come in the order of i
    if space == 2:
        return torch.stack([rotation[..., 0], -electric[..., 0], -electric[..., 1]], -1)
    b12, b13, b23 = rotation.unbind(-1)
    e1, e2, e3 = (-electric).unbind(-1)
    return torch.stack([b12, b13, e1, b23, e2, e3], -1)


def electric_magnetic(
    bivector: Float[Tensor, "*batch bivectors"], algebra: CliffordAlgebra
) -> tuple[Float[Tensor, "*batch space"], Float[Tensor, "*batch axial"]]:
    """Return E and B of a Faraday bivector: the inverse of `faraday`.

    Raises:
        ValueError: If the algebra does not belong to a space-time, or the number of components does not fit.

    Example:
        >>> import torch
        >>> from gaugenet.groups import CliffordAlgebra, electric_magnetic
        >>> electric, magnetic = electric_magnetic(torch.rand(10, 6), CliffordAlgebra(1, 3))
        >>> electric.shape, magnetic.shape
        (torch.Size([10, 3]), torch.Size([10, 3]))
    """
    time, space = time_axis(algebra), algebra.n - 1
    _check_components(bivector, algebra.n * space // 2, "bivector")
    if time == 0:
        return -bivector[..., :space], -bivector_to_axial(bivector[..., space:], space)
    mixed = [1, 2] if space == 2 else [2, 4, 5]
    spatial = [0] if space == 2 else [0, 1, 3]
    return -bivector[..., mixed], bivector_to_axial(bivector[..., spatial], space)


def axial_to_bivector(axial: Float[Tensor, "*batch axial"], dim: int) -> Float[Tensor, "*batch bivectors"]:
    """Return the plane of rotation of an axial quantity (magnetic field, vorticity): I times the axial vector.

    In three dimensions w becomes w_3 e12 - w_2 e13 + w_1 e23; in two, the single component is that of e12.

    Raises:
        ValueError: If `dim` is not 2 or 3, or the number of components does not fit.

    Example:
        >>> import torch
        >>> from gaugenet.groups import axial_to_bivector
        >>> spin = torch.tensor([0.0, 0.0, 2.0])
        >>> axial_to_bivector(spin, dim=3)[0].item()  # a rotation in the plane e12
        2.0
    """
    _check_axial(axial, dim, "axial")
    return axial if dim == 2 else axial.flip(-1) * axial.new_tensor([1.0, -1.0, 1.0])


def bivector_to_axial(bivector: Float[Tensor, "*batch bivectors"], dim: int) -> Float[Tensor, "*batch axial"]:
    """Return the axial quantity of a plane of rotation: the inverse of `axial_to_bivector`.

    Raises:
        ValueError: If `dim` is not 2 or 3, or the number of components does not fit.

    Example:
        >>> import torch
        >>> from gaugenet.groups import axial_to_bivector, bivector_to_axial
        >>> w = torch.rand(10, 3)
        >>> torch.equal(bivector_to_axial(axial_to_bivector(w, 3), 3), w)
        True
    """
    _check_axial(bivector, dim, "bivector")
    return bivector if dim == 2 else (bivector * bivector.new_tensor([1.0, -1.0, 1.0])).flip(-1)


def _check_axial(x: Tensor, dim: int, name: str) -> None:
    if dim not in (2, 3):
        raise ValueError(f"Expected `dim` 2 or 3, got {dim!r}: axial vectors exist in space and in the plane.")
    _check_components(x, 1 if dim == 2 else 3, name)


def _check_components(x: Tensor, count: int, name: str) -> None:
    if x.dim() < 1 or x.shape[-1] != count:
        raise ValueError(
            f"Expected `{name}` with {count} components in the last dimension, got shape {tuple(x.shape)}."
        )


__all__ = ["axial_to_bivector", "bivector_to_axial", "electric_magnetic", "faraday", "time_axis"]
