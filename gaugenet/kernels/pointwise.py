"""PointwiseSpace: kernels that are functions of one tangent vector."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.kernels.factorized import FactorizedSpace
from gaugenet.kernels.space import Neighborhood, PixelStencil


class PointwiseSpace(FactorizedSpace):
    r"""Kernels `K(v) = sum of phi_k(v) Y_j(v) A_jb w_jkb`, on a neighbourhood `K_pq = w_pq K(log_pq / radius)`.

    The phi_k are invariant functions of the vector; each Y_j transforms by a representation of the group.
    """

    @abstractmethod
    def invariants(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points rings"]:
        """Return phi_k(v), for v in units of the radius."""

    @abstractmethod
    def covariants(self, v: Float[Tensor, "*points d"]) -> list[Float[Tensor, "*points functions"]]:
        """Return Y_j(v) of each key."""

    @abstractmethod
    def argument(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
        """Return the argument of the bases: the vector itself or its direction."""

    def functions(
        self, v: Float[Tensor, "*points d"], weight: Float[Tensor, "*points"] | None = None
    ) -> Float[Tensor, "*points columns"]:
        """Return phi_k(v) Y_ji(v), times the weight of each point, in the order of the columns."""
        phi = self.invariants(v)
        if weight is not None:
            phi = phi * weight.unsqueeze(-1)
        # Column by column: torch multiplies long rows fast, and arrays of rows of two numbers many times slower.
        rings = phi.unbind(-1)
        columns = [
            rings[k] * function
            for chosen, y in zip(self.rings_of.values(), self.covariants(v), strict=True)
            for k in chosen
            for function in y.unbind(-1)
        ]
        return torch.stack(columns, -1) if columns else phi[..., :0]

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        return self.functions(neighborhood.log_map, neighborhood.weight)

    def stencil_coefficients(self, stencil: PixelStencil) -> Float[Tensor, "cells columns"]:
        return self.functions(stencil.offsets, stencil.weights)

    def evaluate(
        self, weight: Float[Tensor, "weights"], v: Float[Tensor, "*points d"]
    ) -> Float[Tensor, "*points out in"]:
        """Return K(v), for v in units of the radius, directly from the bases of the pairs."""
        phi, argument = self.invariants(v), self.argument(v)
        blocks: dict[tuple[int, int], Tensor] = {}
        for p in self.pairs:
            basis = p.basis.sample(argument)
            part = torch.einsum("...k,...boi,kbuv->...ouiv", phi[..., list(p.rings)], basis, p.weight(weight).to(v))
            part = part.flatten(-4, -3).flatten(-2, -1)
            key = p.target.start, p.source.start
            blocks[key] = blocks[key] + part if key in blocks else part
        rows = [v.new_zeros(*v.shape[:-1], 0, self.in_type.size)]
        for a in self.out_type.blocks:
            zeros = [v.new_zeros(*v.shape[:-1], a.size, b.size) for b in self.in_type.blocks]
            found = [blocks.get((a.start, b.start), z) for b, z in zip(self.in_type.blocks, zeros, strict=True)]
            rows.append(torch.cat([*found, v.new_zeros(*v.shape[:-1], a.size, 0)], -1))
        return torch.cat(rows, -2)

    def matrices(self, weight: Float[Tensor, "weights"], neighborhood: Neighborhood) -> Float[Tensor, "rows out in"]:
        return neighborhood.weight[:, None, None] * self.evaluate(weight, neighborhood.log_map)


__all__ = ["PointwiseSpace"]
