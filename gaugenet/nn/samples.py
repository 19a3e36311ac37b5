"""Means over each sample of a batch: a graph by area, an image over its pixels, a vector by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.nn.engines import Domain, membership


class Samples(ABC):
    """What the rows of a batch belong to. Values are `(points, *rest)`, on grids `(B, *rest, pixels)`."""

    @property
    @abstractmethod
    def uniform(self) -> bool:
        """Whether all points of the batch weigh the same."""

    @abstractmethod
    def means(self, v: Tensor) -> Tensor:
        """The mean over each sample, at least float32: `(samples, *rest)`, on grids `(B, *rest, 1)`."""

    @abstractmethod
    def spread(self, means: Tensor) -> Tensor:
        """Each sample's mean at its points."""

    @abstractmethod
    def present(self) -> Float[Tensor, "samples"]:
        """1 for each sample that has points, 0 for each that has none."""

    def batch_mean(self, v: Tensor) -> Tensor:
        """The mean over the samples that have points, each counted once: `(*rest)`, on grids `(*rest, 1)`."""
        means = self.means(v)
        present = self.present().to(means)
        return torch.tensordot(present, means, 1) / present.sum().clamp(min=1)


def samples_of(x: Tensor, domain: Any) -> Samples:
    """The samples in `x`: images if it has spatial dimensions, else graphs; single vectors if there is no domain."""
    if x.dim() > 2:
        pixels = x.shape[2:].numel()
        return _Images(_pixel_weights(x, domain), x.new_full((x.shape[0],), min(pixels, 1)))
    return _Vectors(x.new_ones(x.shape[0])) if domain is None else _Graphs(domain, *membership(domain))


@dataclass(frozen=True)
class _Graphs(Samples):
    domain: Domain
    batch: Int[Tensor, "vertices"]
    count: int
    uniform = False

    def means(self, v: Tensor) -> Tensor:
        return graph_means(v, self.domain).to(widest(v))

    def spread(self, means: Tensor) -> Tensor:
        return means[self.batch]

    def present(self) -> Tensor:
        mass = self.domain.mass
        return mass.new_zeros(self.count).index_add(0, self.batch, mass).sign()


@dataclass(frozen=True)
class _Images(Samples):
    weight: Float[Tensor, "pixels"] | None
    ones: Float[Tensor, "images"]

    @property
    def uniform(self) -> bool:
        return self.weight is None

    def means(self, v: Tensor) -> Tensor:
        v = v.to(widest(v))
        if v.shape[-1] == 0:
            return v.new_zeros(*v.shape[:-1], 1)
        return v.mean(-1, keepdim=True) if self.weight is None else (v @ self.weight.to(v)).unsqueeze(-1)

    def spread(self, means: Tensor) -> Tensor:
        return means

    def present(self) -> Tensor:
        return self.ones


@dataclass(frozen=True)
class _Vectors(Samples):
    ones: Float[Tensor, "points"]
    uniform = True

    def means(self, v: Tensor) -> Tensor:
        return v.to(widest(v))

    def spread(self, means: Tensor) -> Tensor:
        return means

    def present(self) -> Tensor:
        return self.ones


def graph_means(v: Float[Tensor, "vertices *rest"], domain: Domain) -> Float[Tensor, "graphs *rest"]:
    """The area-weighted mean over each graph of a batch, float64.

    The sum runs over the points of a graph in their order whatever else is in the batch, so that it is the same to the
    last bit; its precision does not depend on the size of the mesh.
    """
    batch, count = membership(domain)
    mass = domain.mass.double()
    weighted = v.double() * mass.view(-1, *[1] * (v.dim() - 1))
    total = weighted.new_zeros(count, *v.shape[1:]).index_add(0, batch, weighted)
    area = mass.new_zeros(count).index_add(0, batch, mass)
    return total / area.clamp(min=torch.finfo(torch.float64).tiny).view(-1, *[1] * (v.dim() - 1))


def _pixel_weights(x: Tensor, domain: Any) -> Float[Tensor, "pixels"] | None:
    """Shares of the area; `None` where all pixels have the same."""
    mass = getattr(domain, "mass", None)
    if mass is None:
        return None
    if mass.numel() != x.shape[2:].numel():
        raise ValueError(f"Expected `x` on the pixels of its domain {tuple(mass.shape)}, got {tuple(x.shape[2:])}.")
    return mass.flatten() / mass.sum()


def widest(v: Tensor) -> torch.dtype:
    """The precision that means of `v` are taken in: at least float32."""
    return torch.float32 if v.dtype in (torch.bfloat16, torch.float16) else v.dtype
