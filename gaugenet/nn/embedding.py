"""HarmonicEmbedding: vectors as fields of all frequencies."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType, Representation, StructureGroup
from gaugenet.groups.representations.spherical import coupling, harmonics_up_to
from gaugenet.kernels.basis import unit
from gaugenet.kernels.harmonics import harmonic_dim, harmonics_of
from gaugenet.kernels.radial import RadialBasis, Rings
from gaugenet.nn.precision import check_features, widest
from gaugenet.nn.tables import TableModule


class HarmonicEmbedding(TableModule):
    r"""v -> phi_k(|v| / radius) Y_j(v / |v|) for every vector, radial function phi_k and frequency j = 0 ... J.

    Y_j are circular harmonics for groups acting on R^2, spherical harmonics for groups acting on R^3 and beyond. The
    layer turns coordinates about a centre, normals or forces into features for a linear layer: with enough of them,
    a linear map approximates any continuous function of one vector. See also :cite:`thomas2018tensor`.

    Shapes:
        x: `(N, d vectors)` or `(B, d vectors, *spatial)`, first components of all vectors, then second ones, ...
            -> with `out_type.size` channels: one block for each frequency, with the radial functions of each vector.

    Equivariance: exact; 1e-6 relative in float32. Continuous also at v = 0, which has no direction: there phi_k is 0.

    Args:
        group: a compact group acting on R^d.
        vectors: number of vectors at each point.
        max_frequency: J.
        radial: the functions phi_k, or a number of `Rings`.
        radius: support of the radial functions, in the unit of the vectors.

    Raises:
        ValueError: If `radius` is not positive, or the group is not compact.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3
        >>> from gaugenet.nn import HarmonicEmbedding
        >>> embed = HarmonicEmbedding(SO3(), max_frequency=2, radial=4)
        >>> embed.out_type
        FieldType(SO(3), '4x0 + 4x1 + 4x2')
        >>> embed(torch.rand(10, 3)).shape
        torch.Size([10, 36])
    """

    def __init__(
        self,
        group: StructureGroup,
        *,
        vectors: int = 1,
        max_frequency: int = 2,
        radial: RadialBasis | int = 3,
        radius: float = 1.0,
    ) -> None:
        super().__init__()
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f"Expected a positive `radius`, got {radius}.")
        self.radial = radial if isinstance(radial, RadialBasis) else Rings(radial)
        self.radius = float(radius)
        self.frequencies = [j for j in range(max_frequency + 1) if harmonic_dim(group.d, j)]
        self.in_type = FieldType(group, [("standard", vectors)])
        count = vectors * self.radial.count
        self.out_type = FieldType(group, [(_harmonic(group, j), count) for j in self.frequencies])

        if group.d == 3:
            for order in range(1, max_frequency + 1):
                self.add_table(f"_coupling_{order}", coupling(order))

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        v = self.in_type.blocks[0].split(x.to(widest(x)) / self.radius).movedim(1, -1)
        phi = self.radial(torch.linalg.vector_norm(v, dim=-1))
        # (points, vectors, *spatial, dim, radial) -> (points, dim, vectors, radial, *spatial)
        parts = [
            (y.unsqueeze(-1) * phi.unsqueeze(-2)).movedim((-2, -1), (1, 3)).flatten(1, 3)
            for y in self._harmonics(unit(v))
        ]
        return torch.cat(parts, 1).to(x.dtype)

    def _harmonics(self, direction: Float[Tensor, "*points d"]) -> list[Float[Tensor, "*points dim"]]:
        if self.in_type.group.d != 3:
            return harmonics_of(direction, self.frequencies)
        tables = [getattr(self, f"_coupling_{order}") for order in self.frequencies[1:]]
        return harmonics_up_to(direction, len(tables), tables)

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, radial={self.radial}, radius={self.radius:g}"


def _harmonic(group: StructureGroup, j: int) -> Representation:
    """Return the representation by which Y_j transforms, as a named irrep where it is one."""
    rho = group.harmonic(j)
    g = group.random_element(4, generator=torch.Generator().manual_seed(0))
    for irrep in group.irreps(j):
        if irrep.dim == rho.dim and (irrep(g) - rho(g)).abs().max() < 1e-9:
            return irrep
    return rho
