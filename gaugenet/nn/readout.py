"""Invariants of fields: numbers that do not change under gauge transformations."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import Block, FieldType
from gaugenet.nn.nonlinearity import safe_norm
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import need_orthogonal


class _Invariants(nn.Module):
    """One invariant of every field.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly; 3e-7 relative in float32.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__()
        need_orthogonal(in_type, self)
        self.in_type = in_type
        self.out_type = FieldType(in_type.group, [("trivial", in_type.num_fields)])

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points fields *spatial"]:
        check_features(self, x)
        parts = [self._invariant(b, b.split(x)) for b in self.in_type.blocks]
        return torch.cat(parts, 1) if parts else x

    def _invariant(
        self, block: Block, v: Float[Tensor, "points dim fields *spatial"]
    ) -> Float[Tensor, "points fields *spatial"]:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.in_type.num_fields} invariants"


class InvariantReadout(_Invariants):
    """One invariant per field: scalars unchanged, the maximum of permuted fields, the norm of all others.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly; 3e-7 relative in float32.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import InvariantReadout
        >>> InvariantReadout(FieldType(SO2(), "1x0 + 1x1"))(torch.tensor([[-2.0, 3.0, 4.0]]))
        tensor([[-2.,  5.]])
    """

    def _invariant(self, block: Block, v: Tensor) -> Tensor:
        return v.amax(1) if block.representation.permutation else safe_norm(v)


class NormPool(_Invariants):
    """The norm of every field, whose representation must be orthogonal.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly; 3e-7 relative in float32.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import NormPool
        >>> NormPool(FieldType(SO2(), "1x1"))(torch.tensor([[3.0, 4.0]]))
        tensor([[5.]])
    """

    def _invariant(self, block: Block, v: Tensor) -> Tensor:
        return safe_norm(v)


class GroupPool(_Invariants):
    """The maximum or mean over the group of functions on the group or a quotient (:cite:`cohen2016group`).

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `in_type.num_fields` channels.

    Equivariance: invariant, exactly.

    Args:
        in_type: fields that the group permutes: regular, quotient, trivial.
        reduce: `max` or `mean`.

    Raises:
        ValueError: If a representation does not permute its components.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GroupPool
        >>> GroupPool(FieldType(Cyclic(4), "1xregular"))(torch.tensor([[1.0, 7.0, 2.0, 5.0]]))
        tensor([[7.]])
    """

    def __init__(self, in_type: FieldType, *, reduce: str = "max") -> None:
        super().__init__(in_type)
        for b in in_type.blocks:
            if not b.representation.permutation:
                raise ValueError(
                    f"A maximum over components is not invariant under {b.representation!r}: use `NormPool` or "
                    "`InvariantReadout`."
                )
        if reduce not in ("max", "mean"):
            raise ValueError(f"Expected `reduce` to be `max` or `mean`, got {reduce!r}.")
        self.reduce = reduce

    def _invariant(self, block: Block, v: Tensor) -> Tensor:
        return v.amax(1) if self.reduce == "max" else v.mean(1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, reduce={self.reduce}"
