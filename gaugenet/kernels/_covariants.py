"""Covariants: functions of a tangent vector that transform by a representation of a non-compact group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups import Representation, Scaling, StructureGroup, TensorGroup
from gaugenet.groups.families.tensor_group import symmetric_tensors
from gaugenet.kernels.basis import unit
from gaugenet.kernels.harmonics import harmonic_dim, harmonics

Key = tuple[int, ...]


class Covariant(ABC):
    """Functions h of vectors with `h(g v) = rho(g) h(v)` for all g in G.

    Attributes:
        representation: rho.
        key: identifies the covariant within its group.

    Example:
        >>> import torch
        >>> from gaugenet.groups import GeneralLinear
        >>> from gaugenet.kernels import covariants
        >>> constant, linear, quadratic = covariants(GeneralLinear(2), 2)
        >>> quadratic(torch.rand(10, 2)).shape  # x^2, x y, y^2 up to factors
        torch.Size([10, 3])
    """

    representation: Representation
    key: Key

    @abstractmethod
    def __call__(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim"]:
        """Return h(v)."""


class Polynomials(Covariant):
    """The homogeneous polynomials of one degree; for groups with an inner product, the harmonic ones."""

    def __init__(self, group: TensorGroup, degree: int) -> None:
        self.representation, self.key = group.harmonic(degree), (degree,)
        self._tensors = symmetric_tensors(group, degree) if degree else None

    def __call__(self, v: Tensor) -> Tensor:
        return torch.ones_like(v[..., :1]) if self._tensors is None else self._tensors.polynomials(v)


class ScaleHarmonics(Covariant):
    """Waves in log |v| times harmonics of the direction: (cos, sin)(m phase(|v|)) Y_j(v / |v|), zero at v = 0."""

    def __init__(self, group: Scaling, scale_frequency: int, frequency: int) -> None:
        self.group, self.key = group, (scale_frequency, frequency)
        factors = [group.irrep(f"s{scale_frequency}"), group.harmonic(frequency)]
        self.representation = factors[1] if not scale_frequency else factors[0].tensor(factors[1])

    def __call__(self, v: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(v, dim=-1)
        y = harmonics(unit(v), self.key[1]) * (length > 0).to(v)[..., None]
        if not self.key[0]:
            return typed_tensor(y)
        angle = self.group.phase(length.clamp(min=torch.finfo(v.dtype).tiny), self.key[0])
        wave = torch.stack([angle.cos(), angle.sin()], -1)
        return typed_tensor((wave[..., None] * y[..., None, :]).flatten(-2))


def covariants(group: StructureGroup, limit: int, scale_limit: int = 0) -> list[Covariant]:
    """Return all covariants of a non-compact group up to a limit.

    Args:
        group: O(p, q), GL(d), SL(d) or a scaling, or a subgroup SO(p, q), SO+(p, q).
        limit: highest degree of the polynomials; for scalings the highest angular frequency.
        scale_limit: for scalings the highest frequency of log |v|.

    Raises:
        ValueError: If no covariants are known for the group; compact groups have harmonics instead.

    Example:
        >>> from gaugenet.groups import Lorentz
        >>> from gaugenet.kernels import covariants
        >>> [(h.key, h.representation.dim) for h in covariants(Lorentz(4), 2)]
        [((0,), 1), ((1,), 4), ((2,), 9)]
    """
    if isinstance(group, TensorGroup):
        return [covariant(group, (degree,)) for degree in range(limit + 1)]
    if isinstance(group, Scaling):
        frequencies = [j for j in range(limit + 1) if harmonic_dim(group.d, j)]
        return [covariant(group, (m, j)) for m in range(scale_limit + 1) for j in frequencies]
    raise ValueError(f"Expected O(p, q), GL(d), SL(d) or a scaling, got {group.name}: compact groups have harmonics.")


@lru_cache(maxsize=1024)
def covariant(group: StructureGroup, key: Key) -> Covariant:
    """Return the object for these arguments, made once."""
    return Polynomials(group, *key) if isinstance(group, TensorGroup) else ScaleHarmonics(group, *key)  # type: ignore[arg-type]


__all__ = ["Covariant", "Key", "covariant", "covariants"]
