"""Covariants: functions of a tangent vector that a group which is not compact mixes among themselves."""

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
        key: what tells it from the others of its group.
    """

    representation: Representation
    key: Key

    @abstractmethod
    def __call__(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim"]:
        """h(v)."""


class Polynomials(Covariant):
    """The homogeneous polynomials of one degree; of a group with an inner product the harmonic ones among them."""

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
    """All covariants of a group up to a degree (or angular frequency), and of a scaling up to a frequency of log |v|.

    Raises:
        ValueError: a group for which none are known.
    """
    if isinstance(group, TensorGroup):
        return [covariant(group, (degree,)) for degree in range(limit + 1)]
    if isinstance(group, Scaling):
        frequencies = [j for j in range(limit + 1) if harmonic_dim(group.d, j)]
        return [covariant(group, (m, j)) for m in range(scale_limit + 1) for j in frequencies]
    raise ValueError(f"Expected O(p, q), GL(d), SL(d) or a scaling, got {group.name}: compact groups have harmonics.")


@lru_cache(maxsize=1024)
def covariant(group: StructureGroup, key: Key) -> Covariant:
    """Made once."""
    return Polynomials(group, *key) if isinstance(group, TensorGroup) else ScaleHarmonics(group, *key)  # type: ignore[arg-type]


__all__ = ["Covariant", "Key", "covariant", "covariants"]
