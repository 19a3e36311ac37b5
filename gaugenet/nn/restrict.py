"""Layers that change the type of features but keep their information: a smaller group, another basis."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import Block, FieldType, StructureGroup
from gaugenet.nn.precision import check_dtype, check_features
from gaugenet.nn.tables import TableModule, equal_irreps_together


class Restrict(nn.Module):
    """The same features as fields of a subgroup, so that the following layers need fewer symmetries.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same.

    Equivariance: exact under the subgroup.

    Args:
        in_type: type of the features.
        subgroup: a subgroup of its group.

    Raises:
        ValueError: If `subgroup` is not a subgroup.

    Example:
        >>> from gaugenet.groups import SO2, Cyclic, FieldType
        >>> from gaugenet.nn import Restrict
        >>> Restrict(FieldType(SO2(), "4x0 + 2x1"), Cyclic(4)).out_type
        FieldType(C_4, '4x0 + 2x1')
    """

    def __init__(self, in_type: FieldType, subgroup: StructureGroup) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, in_type.restrict(subgroup)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        return x

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the identity."""
        return nn.Identity()

    def extra_repr(self) -> str:
        return f"{self.in_type}, {self.in_type.group.name} -> {self.out_type.group.name}"


class ToIrreps(TableModule):
    """Every field in a basis of irreps: an orthogonal change of basis, `rho(g) = Q (+)_i rho_i(g) Q^T`, x -> Q^T x.

    Kernels between irreps are sparser than kernels between restricted or regular representations, and equivalent.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same, of type `out_type`: irreps, equal ones of a
            block together.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        in_type: fields with orthogonal representations.

    Example:
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import ToIrreps
        >>> ToIrreps(FieldType(Cyclic(4), "2xregular")).out_type
        FieldType(C_4, '2x0 + 2x1 + 2x2')
    """

    def __init__(
        self, in_type: FieldType, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        pairs = []
        for k, b in enumerate(in_type.blocks):
            if b.representation.is_irreducible:
                pairs.append((b.representation, b.multiplicity))
                continue
            found = b.representation.decompose()
            irreps, basis = equal_irreps_together(found.irreps, found.basis)
            pairs += [(rho, copies * b.multiplicity) for rho, copies in irreps]
            self.add_table(f"_basis_{k}", basis, device=device, dtype=dtype)
        self.in_type, self.out_type = in_type, FieldType(in_type.group, pairs)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        parts = [self._irreps(k, b, x) for k, b in enumerate(self.in_type.blocks)]
        return torch.cat(parts, 1) if parts else x

    def inverse(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        """Return features of `out_type` as features of `in_type`."""
        self.out_type.check(x)
        check_dtype(x, next(self.buffers(), None))
        parts = [self._irreps(k, b, x, back=True) for k, b in enumerate(self.in_type.blocks)]
        return torch.cat(parts, 1) if parts else x

    def _irreps(self, k: int, block: Block, x: Tensor, *, back: bool = False) -> Tensor:
        basis = getattr(self, f"_basis_{k}", None)
        if basis is None:
            return x[:, block.slice]
        basis = basis.T if back else basis
        return torch.einsum("ni,pn...->pi...", basis, block.split(x)).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}"
