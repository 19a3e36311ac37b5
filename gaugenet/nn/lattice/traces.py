"""Layers made of traces: activation, normalization, readout."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._validation import positive_number
from gaugenet.groups import DirectProduct, FieldType, real_fields
from gaugenet.nn.lattice.fields import channels_of, direction_of, matrices, need_matrices, spatial_part
from gaugenet.nn.nonlinearity import activation_function
from gaugenet.nn.precision import check_features


class TraceActivation(nn.Module):
    """Gates by traces: W_i(x) -> act(a_i Re tr W_i(x) / N + b_i) W_i(x), with learned a and b.

    The activation of :cite:`favoni2022lattice`, Eq. 11.

    Shapes:
        x: `(B, in_type.size, *shape)` -> the same.

    Equivariance: exact; 1e-15 relative in float64.

    Args:
        in_type: `matrix` fields without directions. The trace of a matrix of `vector*matrix` changes its sign under
            reflections; `LatticeBilinear` multiplies such fields.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import TraceActivation, matrix_type
        >>> fields = matrix_type(SU(2), 3)
        >>> TraceActivation(fields)(torch.rand(1, fields.size, 4, 4)).shape
        torch.Size([1, 24, 4, 4])
    """

    def __init__(
        self,
        in_type: FieldType,
        *,
        activation: str = "gelu",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_matrices("in_type", in_type)
        self.in_type = self.out_type = in_type
        self.activation, self._function = activation, activation_function(activation)
        self.slope = nn.Parameter(torch.empty(channels_of(in_type), device=device, dtype=dtype))
        self.shift = nn.Parameter(torch.empty(channels_of(in_type), device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.slope)
        nn.init.zeros_(self.shift)

    def forward(self, x: Float[Tensor, "batch size *shape"]) -> Float[Tensor, "batch size *shape"]:
        w = matrices(self.in_type, x, self.slope)
        trace = w.diagonal(dim1=-2, dim2=-1).mean(-1).real.movedim(1, -1)
        gate = self._function(self.slope * trace + self.shift).movedim(-1, 1)
        return real_fields(gate[..., None, None] * w, 2)

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}"


class TraceNorm(nn.Module):
    """Normalization: W -> W / sqrt(mean of tr(W W^+) / N + eps), the mean over fields and sites of each configuration.

    Repeated products of matrices make the features of deep networks explode or vanish. This layer keeps their size
    at 1. A normalization by traces is proposed in :cite:`huang2025learning`.

    Shapes:
        x: `(B, in_type.size, *shape)` -> the same.

    Equivariance: exact; 1e-15 relative in float64. Not local: a configuration's sites share one number.

    Args:
        in_type: `matrix` fields, also with directions.
        eps: added under the root.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import TraceNorm, matrix_type
        >>> fields = matrix_type(SU(2), 3)
        >>> small = TraceNorm(fields)(1e-3 * torch.ones(1, fields.size, 4, 4))
        >>> torch.allclose(small, TraceNorm(fields)(torch.ones(1, fields.size, 4, 4)))
        True
    """

    def __init__(self, in_type: FieldType, *, eps: float = 1e-12) -> None:
        super().__init__()
        self.size = need_matrices("in_type", in_type, directions=True).d
        self.in_type = self.out_type = in_type
        self.eps = positive_number("eps", eps)

    def forward(self, x: Float[Tensor, "batch size *shape"]) -> Float[Tensor, "batch size *shape"]:
        check_features(self, x)
        entries = 2 * self.size  # tr(W W^+) / N is the sum of squares divided by N: 2 N times their mean
        square = entries * x.flatten(1).square().mean(1)
        return x / (square + self.eps).sqrt().view(-1, *[1] * (x.dim() - 1))

    def extra_repr(self) -> str:
        return f"{self.in_type}, eps={self.eps}"


class TraceReadout(nn.Module):
    """The invariant traces at each site: W_i -> (Re tr W_i / N, Im tr W_i / N).

    Shapes:
        x: `(B, in_type.size, *shape)` -> `(B, out_type.size, *shape)`; for C fields without directions `2 C` channels,
            first all real parts, then all imaginary parts.

    Equivariance: exact, the output is invariant under gauge transformations. Fields of `vector*matrix` become fields of
        `vector*0`.

    Args:
        in_type: `matrix` fields, also with directions.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import TraceReadout, matrix_type
        >>> fields = matrix_type(SU(2), 3)
        >>> TraceReadout(fields)(torch.rand(1, fields.size, 4, 4)).shape
        torch.Size([1, 6, 4, 4])
        >>> from gaugenet.groups import DirectProduct, FieldType, Hypercubic
        >>> TraceReadout(FieldType(DirectProduct(Hypercubic(2), SU(2)), "3xvector*matrix")).out_type
        FieldType(B_2×SU(2), '6xvector*0')
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__()
        need_matrices("in_type", in_type, directions=True)
        group = in_type.group
        self.in_type = in_type
        if isinstance(group, DirectProduct):
            invariant = group.internal.trivial()
            parts = [(group.product(spatial_part(b), invariant), 2 * b.multiplicity) for b in in_type.blocks]
            self.out_type = FieldType(group, parts)
        else:
            self.out_type = FieldType(group, {"0": 2 * channels_of(in_type)})

    def forward(self, x: Float[Tensor, "batch size *shape"]) -> Float[Tensor, "batch traces *shape"]:
        trace = matrices(self.in_type, x).diagonal(dim1=-2, dim2=-1).mean(-1)
        counts = [(direction_of(b), b.multiplicity) for b in self.in_type.blocks]
        parts = []
        for count, part in zip(counts, trace.split([m * k for m, k in counts], 1), strict=True):
            z = torch.unflatten(part, 1, count)
            parts.append(torch.cat([z.real, z.imag], 2).flatten(1, 2))
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}"


__all__ = ["TraceActivation", "TraceNorm", "TraceReadout"]
