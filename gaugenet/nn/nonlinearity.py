"""Nonlinearities that commute with gauge transformations, exactly: gated, norm, pointwise, vector field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import apply_function, typed_tensor
from gaugenet.groups import Block, FieldType
from gaugenet.nn.compiled.eager import array, field_table, has_loops, needs_plain, over_rows, plain_gradients
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule, along_channels, need_orthogonal

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "elu": F.elu,
    "tanh": torch.tanh,
}


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """Return the pointwise function called `name`; raise `ValueError` with a list of all names if it is unknown."""
    if name not in ACTIVATIONS:
        raise ValueError(f"Unknown activation {name!r}: expected one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]


def _is_pointwise(block: Block) -> bool:
    """Return whether the representation permutes the components, so that pointwise functions commute with it."""
    return block.representation.permutation


class GatedNonlinearity(nn.Module):
    r"""Scalars s -> act(s), other fields v -> sigmoid(gate) v with one additional scalar as the gate of each field.

    Fields that the group permutes are treated pointwise, without gates. Gates are due to :cite:`weiler2018threed`.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels;
            `in_type` is `out_type` followed by the gates.

    Equivariance: exact; 2e-7 relative in float32.

    Args:
        out_type: type of the result.
        activation: function of the scalars: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GatedNonlinearity
        >>> gated = GatedNonlinearity(FieldType(SO2(), "8x0 + 4x1"))
        >>> gated.in_type
        FieldType(SO(2), '8x0 + 4x1 + 4x0')
        >>> gated(torch.rand(10, 20)).shape
        torch.Size([10, 16])
    """

    def __init__(self, out_type: FieldType, *, activation: str = "gelu") -> None:
        super().__init__()
        self.out_type = out_type
        self.activation = activation
        self._function = activation_function(activation)
        self._pointwise = [b for b in out_type.blocks if _is_pointwise(b)]
        gated = [b for b in out_type.blocks if not _is_pointwise(b)]
        self._gated = field_table(gated)
        self.in_type = out_type + FieldType(out_type.group, [("trivial", sum(b.multiplicity for b in gated))])

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        if x.dim() == 2 and len(self._gated) and has_loops(x):
            return typed_tensor(apply_function(_GatedNonlinearity, self, x))
        return self._plain(x)

    def _plain(self, x: Tensor) -> Tensor:
        blocks = self.out_type.blocks
        gated = [b.multiplicity for b in blocks if not _is_pointwise(b)]
        *fields, gates = x.split([*(b.size for b in blocks), sum(gated)], 1)  # one pass in the backward direction
        gate_of = iter(torch.sigmoid(gates).split(gated, 1)) if gated else iter(())
        parts = [
            self._function(v)
            if _is_pointwise(b)
            else (v.unflatten(1, (b.representation.dim, b.multiplicity)) * next(gate_of).unsqueeze(1)).flatten(1, 2)
            for b, v in zip(blocks, fields, strict=True)
        ]
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.out_type}, activation={self.activation}"


class _GatedNonlinearity(torch.autograd.Function):
    """The function `GatedNonlinearity._plain` for points, without copies of blocks."""

    @staticmethod
    def forward(ctx: Any, layer: GatedNonlinearity, x: Tensor) -> Tensor:
        from gaugenet.nn.compiled.loops import scale_fields

        size = layer.out_type.size
        x, gates, out = x.contiguous(), torch.sigmoid(x[:, size:]), x.new_empty(x.shape[0], size)
        over_rows(scale_fields, [array(x), array(gates), layer._gated], [array(out)], len(x))
        for b in layer._pointwise:
            out[:, b.slice] = layer._function(x[:, b.slice])
        ctx.layer = layer
        ctx.save_for_backward(x, gates)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from gaugenet.nn.compiled.loops import gate_adjoint

        layer, (x, gates) = ctx.layer, ctx.saved_tensors
        if needs_plain(grad):
            return None, *plain_gradients(layer._plain, [x], grad)
        gx = torch.empty_like(x)
        inputs = [array(grad), array(x), array(gates), layer._gated, layer.out_type.size]
        over_rows(gate_adjoint, inputs, [array(gx)], len(x))
        for b in layer._pointwise:
            with torch.enable_grad():
                part = x[:, b.slice].detach().requires_grad_()
                (gx[:, b.slice],) = torch.autograd.grad(layer._function(part), part, grad[:, b.slice])
        return None, gx


class NormNonlinearity(nn.Module):
    r"""v -> v act(|v| + b) / |v| for every field, with a learned b (:cite:`worrall2017harmonic`); s -> act(s + b).

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        field_type: fields with orthogonal representations, which all irreps of compact groups are here.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Raises:
        ValueError: If a representation is not orthogonal, or `activation` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import NormNonlinearity
        >>> NormNonlinearity(FieldType(SO2(), "2x0 + 4x1"))(torch.rand(10, 10)).shape
        torch.Size([10, 10])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        activation: str = "gelu",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_orthogonal(field_type, self)
        self.in_type = self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)
        self.bias = nn.Parameter(torch.zeros(field_type.num_fields, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        parts, start = [], 0
        for b in self.in_type.blocks:
            bias = along_channels(self.bias[start : start + b.multiplicity], x)
            start += b.multiplicity
            if b.representation.is_trivial:
                parts.append(self._function(x[:, b.slice] + bias))
                continue
            v = b.split(x)
            norm = safe_norm(v)
            parts.append((v * (self._function(norm + bias) / norm).unsqueeze(1)).flatten(1, 2))
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}"


class PointwiseNonlinearity(nn.Module):
    """The same function of every component, for representations that permute the components.

    These are regular, quotient and trivial representations (:cite:`cohen2016group`).

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact for finite groups.

    Args:
        field_type: regular, quotient and trivial fields.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Raises:
        ValueError: If a representation does not permute its components.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import PointwiseNonlinearity
        >>> relu = PointwiseNonlinearity(FieldType(Cyclic(4), "2xregular"), activation="relu")
        >>> relu(torch.randn(10, 8)).min() >= 0
        tensor(True)
    """

    def __init__(self, field_type: FieldType, *, activation: str = "gelu") -> None:
        super().__init__()
        for b in field_type.blocks:
            if not _is_pointwise(b):
                raise ValueError(
                    f"A pointwise function does not commute with {b.representation!r}: use `GatedNonlinearity` or "
                    "`FourierNonlinearity`."
                )
        self.in_type = self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        return self._function(x)

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the equal module of `torch.nn`."""
        kinds: dict[str, type[nn.Module]] = {
            "gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "elu": nn.ELU, "tanh": nn.Tanh,
        }  # fmt: skip
        return kinds[self.activation]()

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}"


class VectorFieldNonlinearity(TableModule):
    r"""Functions f on a group -> vectors: max_g f(g) times g e_1 for the g of the maximum (:cite:`marcos2017rotation`).

    A regular field has a response for each orientation. The vector keeps the largest response and its orientation, in d
    numbers instead of |G|.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels, a vector for each
            field.

    Equivariance: exact where the maximum is unique; at a tie the first element is taken.

    Args:
        in_type: regular fields of a finite group.
        activation: applied to the maximum.

    Raises:
        ValueError: If a field is not regular.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import VectorFieldNonlinearity
        >>> VectorFieldNonlinearity(FieldType(Cyclic(8), "3xregular"))(torch.rand(10, 24)).shape
        torch.Size([10, 6])
    """

    def __init__(
        self,
        in_type: FieldType,
        *,
        activation: str = "relu",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if any(b.representation.name != "regular" for b in in_type.blocks):
            raise ValueError(
                f"Expected regular fields of a finite group, got {in_type}: use `FieldType(group, 'Cxregular')`."
            )
        self.in_type, self.out_type = in_type, FieldType(in_type.group, [("standard", in_type.num_fields)])
        self.activation = activation
        self._function = activation_function(activation)
        self._directions: Tensor
        self.add_table("_directions", in_type.group.elements()[:, :, 0].contiguous(), device=device, dtype=dtype)

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        if not self.in_type.blocks:
            return x
        largest, where = torch.cat([b.split(x) for b in self.in_type.blocks], 2).max(1)
        direction = self._directions.to(x.dtype)[where].movedim(-1, 1)
        return (direction * self._function(largest).unsqueeze(1)).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, activation={self.activation}"


def safe_norm(v: Float[Tensor, "points dim fields *spatial"]) -> Float[Tensor, "points fields *spatial"]:
    """Return |v| over the dimension of the representation, with a finite gradient at zero."""
    return (v.square().sum(1) + 1e-12).sqrt()
