"""LinkUpdate: multiplication of links by exponentials of matrix fields."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.paths import shifted
from gaugenet.groups import Block, DirectProduct, FieldType, StructureGroup
from gaugenet.nn.lattice.fields import (
    channels_of,
    check_dimension,
    check_field,
    check_sites,
    matrices,
    need_matrices,
    spatial_part,
)


class LinkUpdate(nn.Module):
    r"""New links: U_mu(x) -> exp(sum_i beta_{mu i} [W_i(x)]) U_mu(x), where [W] is the part of W in the Lie algebra.

    [W] is anti-Hermitian, and for SU(N) without trace (:cite:`favoni2022lattice`, Eq. 12). The result is a gauge field
    of the same group and transforms as the links.

    Fields of a `DirectProduct` with one matrix V_mu for each direction update links from both ends, by U_mu(x) ->
    exp(sum_i beta_i [V_{i mu}(x)] / 2) U_mu(x) exp(sum_i beta_i [V_{i mu}(x + mu)] / 2). A reflection exchanges the
    ends and the sign of V_mu, so that this form commutes with the rotations and reflections of the lattice.

    Shapes:
        x: `(B, in_type.size, *shape)`; domain: a `LatticeGaugeField` -> a `LatticeGaugeField`.

    Equivariance: exact; 1e-15 relative in float64.

    Args:
        in_type: `matrix` fields, or `vector*matrix` fields of a `DirectProduct`.
        d: dimension of the lattice.

    Raises:
        ValueError: If the type has other fields; in `forward`, if the links have another group, dimension, or single
            precision next to features of double precision.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LinkUpdate, LoopFeatures
        >>> links, loops = LatticeGaugeField.random(SU(2), (4, 4)), LoopFeatures(SU(2), d=2)
        >>> LinkUpdate(loops.out_type, d=2).double()(loops(links), links).shape
        (4, 4)
        >>> from gaugenet.groups import DirectProduct, FieldType, Hypercubic
        >>> vectors = FieldType(DirectProduct(Hypercubic(2), SU(2)), "3xvector*matrix")
        >>> LinkUpdate(vectors, d=2).beta.shape  # one number for each vector field
        torch.Size([3])
    """

    def __init__(
        self,
        in_type: FieldType,
        *,
        d: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        group = in_type.group
        self.directed = isinstance(group, DirectProduct)
        self.group = need_matrices("in_type", in_type, directions=self.directed)
        self.in_type, self.d = in_type, check_dimension(d)
        if isinstance(group, DirectProduct):
            _need_vectors(in_type, group.spatial, d)
        size = (in_type.num_fields,) if self.directed else (d, channels_of(in_type))
        self.beta = nn.Parameter(torch.empty(size, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights of a small step in a random direction."""
        nn.init.normal_(self.beta, std=0.1 / self.beta.shape[-1] ** 0.5)

    def forward(self, x: Float[Tensor, "batch size *shape"], domain: LatticeGaugeField) -> LatticeGaugeField:
        check_field(domain, self.group, self.d)
        self.in_type.check(x)
        check_sites(self.in_type, x, domain)
        w = matrices(self.in_type, x, self.beta)
        parts = self.group.algebra_part(w).to(domain.links.dtype)
        beta = self.beta.to(parts.dtype)
        if not self.directed:
            steps = torch.einsum("mi,bi...->bm...", beta, parts)
            return domain.with_links(self.group.exp(steps) @ domain.links)
        halves = []
        for block, part, weight in self._blocks(parts, beta):
            vectors = torch.unflatten(part, 1, (self.d, block.multiplicity))
            halves.append(torch.einsum("i,bmi...->bm...", weight / 2, vectors))
        here = self.group.exp(sum(halves[1:], halves[0]))
        there = torch.stack([shifted(here[:, mu], mu, 1) for mu in range(self.d)], 1)
        return domain.with_links(here @ domain.links @ there)

    def _blocks(self, parts: Tensor, beta: Tensor) -> Iterator[tuple[Block, Tensor, Tensor]]:
        blocks = self.in_type.blocks
        counts = [b.multiplicity for b in blocks]
        matrices_of = parts.split([self.d * k for k in counts], 1)
        yield from zip(blocks, matrices_of, beta.split(counts), strict=True)

    def extra_repr(self) -> str:
        return f"{self.in_type}, group={self.group.name}, d={self.d}"


def _need_vectors(in_type: FieldType, spatial: StructureGroup, d: int) -> None:
    """Raise `ValueError` unless all fields have one matrix for each axis, which transform as the axes."""
    if spatial.d != d or any(spatial_part(b) != spatial.standard() for b in in_type.blocks):
        raise ValueError(
            f"Expected `in_type` as 'vector*matrix' fields in {d} dimensions, one matrix for each link of a site, got "
            f"{in_type!r}."
        )


__all__ = ["LinkUpdate"]
