"""Means over each sample of a batch: over a graph by area, over the pixels of an image, of a single vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.nn.precision import widest


class Samples(ABC):
    """The samples that the rows of a batch belong to. Values are `(points, *rest)`, on grids `(B, *rest, pixels)`."""

    count: int
    """Number of samples."""

    uniform: bool
    """Whether all points of the batch weigh the same."""

    @abstractmethod
    def means(self, v: Tensor) -> Tensor:
        """Return the mean over each sample, at least float32: `(samples, *rest)`, on grids `(B, *rest, 1)`."""

    @abstractmethod
    def spread(self, values: Tensor) -> Tensor:
        """Return the value of each sample (of the shape of `means`) at each of its points."""

    @abstractmethod
    def present(self) -> Float[Tensor, "samples"]:
        """Return 1 for each sample that has points, 0 for each that has none."""

    def batch_mean(self, v: Tensor) -> Tensor:
        """Return the mean over the samples that have points, each counted once: `(*rest)`, on grids `(*rest, 1)`."""
        means = self.means(v)
        present = self.present().to(means)
        return typed_tensor(torch.tensordot(present, means, 1) / present.sum().clamp(min=1))


def samples_of(x: Tensor, domain: Domain | None) -> Samples:
    """Return the samples in `x`: images if it has spatial dimensions, else graphs; single vectors without a domain."""
    if x.dim() > 2:
        weight = _pixel_weights(x, domain)
        return _Images(weight, x, x.shape[0], weight is None)
    if domain is None:
        return _Vectors(x.new_ones(x.shape[0]), x.shape[0])
    areas, (batch, count) = domain.areas(x), domain.membership()
    areas = x.new_ones(x.shape[0]) if areas is None else areas.to(x.device)
    return _Graphs(areas, batch.to(x.device), count)


def need_samples(x: Tensor, domain: Domain | None) -> Samples:
    """Return `samples_of`; raise `ValueError` if a domain is needed to tell which rows belong together."""
    if x.dim() == 2 and domain is None:
        raise ValueError(
            "Expected a domain with `x` of shape (N, channels): it tells which points belong to one graph."
        )
    return samples_of(x, domain)


@dataclass(frozen=True)
class _Graphs(Samples):
    mass: Float[Tensor, "vertices"]
    batch: Int[Tensor, "vertices"]
    count: int
    uniform = False

    def means(self, v: Tensor) -> Tensor:
        """Return the means, summed in float64 in the order of a graph's points.

        They do not depend on the rest of the batch, to the last bit, and are as precise on large meshes as on small
        ones.
        """
        mass = self.mass.double()
        weighted = v.double() * mass.view(-1, *[1] * (v.dim() - 1))
        total = weighted.new_zeros(self.count, *v.shape[1:]).index_add(0, self.batch, weighted)
        area = mass.new_zeros(self.count).index_add(0, self.batch, mass)
        tiny = torch.finfo(torch.float64).tiny
        return (total / area.clamp(min=tiny).view(-1, *[1] * (v.dim() - 1))).to(widest(v))

    def spread(self, values: Tensor) -> Tensor:
        return values[self.batch]

    def present(self) -> Tensor:
        return self.mass.new_zeros(self.count).index_add(0, self.batch, self.mass).sign()


@dataclass(frozen=True)
class _Images(Samples):
    weight: Float[Tensor, "pixels"] | None
    x: Float[Tensor, "images channels *spatial"]
    count: int
    uniform: bool

    def means(self, v: Tensor) -> Tensor:
        v = v.to(widest(v))
        if self.weight is None:
            return typed_tensor(v.sum(-1, keepdim=True) / torch.sym_max(v.shape[-1], 1))
        return (v @ self.weight.to(v)).unsqueeze(-1)

    def spread(self, values: Tensor) -> Tensor:
        return values

    def present(self) -> Tensor:
        return self.x.new_full((self.count,), min(self.x.shape[2:].numel(), 1))


@dataclass(frozen=True)
class _Vectors(Samples):
    ones: Float[Tensor, "points"]
    count: int
    uniform = True

    def means(self, v: Tensor) -> Tensor:
        return v.to(widest(v))

    def spread(self, values: Tensor) -> Tensor:
        return values

    def present(self) -> Tensor:
        return self.ones


def _pixel_weights(x: Tensor, domain: Domain | None) -> Float[Tensor, "pixels"] | None:
    """Return each pixel's share of the area; `None` where all pixels have the same."""
    areas = None if domain is None else domain.areas(x)
    if areas is None:
        return None
    if areas.numel() != x.shape[2:].numel():
        raise ValueError(f"Expected `x` on the {areas.numel()} points of its domain, got {tuple(x.shape[2:])} of them.")
    return (areas.flatten() / areas.sum()).to(x.device)
