"""Nonlinearities that commute with gauge transformations: gated, norm, Fourier and pointwise."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import Block, FieldType, Representation
from gaugenet.nn.tables import TableModule, along_channels

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
    "elu": F.elu,
    "tanh": torch.tanh,
}


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The pointwise function of that name; `ValueError` names the ones there are."""
    if name not in ACTIVATIONS:
        raise ValueError(f"Unknown activation {name!r}: expected one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]


def is_pointwise(block: Block) -> bool:
    """Whether a pointwise function of the components commutes with the representation (it permutes them)."""
    return block.representation.permutation


class Gated(nn.Module):
    r"""Scalars s -> act(s); other fields v -> sigmoid(gate) v, one extra scalar gate a field; permuted ones pointwise.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels;
            `in_type` is `out_type` followed by the gates.

    Equivariance: exact; 2e-7 relative in float32.

    Args:
        out_type: type of the result.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`.
    """

    def __init__(self, out_type: FieldType, *, activation: str = "gelu") -> None:
        super().__init__()
        self.out_type = out_type
        self.activation = activation
        self._function = activation_function(activation)
        gates = sum(b.multiplicity for b in out_type.blocks if not is_pointwise(b))
        self.in_type = out_type + FieldType(out_type.group, [("trivial", gates)])

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        self.in_type.check(x)
        gates = torch.sigmoid(x[:, self.out_type.size :])
        parts, start = [], 0
        for b in self.out_type.blocks:
            if is_pointwise(b):
                parts.append(self._function(x[:, b.slice]))
                continue
            gate = gates[:, start : start + b.multiplicity]
            parts.append((b.split(x) * gate.unsqueeze(1)).flatten(1, 2))
            start += b.multiplicity
        return torch.cat(parts, 1) if parts else x

    def extra_repr(self) -> str:
        return f"{self.out_type}, activation={self.activation}"


class NormNonlinearity(nn.Module):
    r"""v -> v act(|v| + b) / |v| for every field, with a learned b; scalars s -> act(s + b).

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact; 3e-7 relative in float32. The representations must be orthogonal, as all irreps here are.
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
        self.in_type = self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)
        self.bias = nn.Parameter(torch.zeros(field_type.num_fields, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        self.in_type.check(x)
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


class FourierNonlinearity(TableModule):
    r"""Pointwise function of f(t) = sum_m a_m cos(m t) + b_m sin(m t), sampled at `samples` angles and projected back.

    Fields of orders 0 ... M with equal multiplicity are the Fourier coefficients of functions on the circle of
    directions; a gauge transformation shifts the circle.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: approximate, since a pointwise function makes frequencies that `samples` points alias; exact for a
    finite group whose number of rotations divides `samples`. RMS error relative to the output, orders 0 to 2, normal
    coefficients of deviation s (benchmarks/nonlinearity.py):

    =============  =====  =====  =====  =====  =====  =====
    samples            5      7     15     21     31     61
    =============  =====  =====  =====  =====  =====  =====
    GELU, s = 0.2   2e-1   8e-3   4e-6   2e-8  7e-13      0
    GELU, s = 1     3e-1   9e-2   5e-3   7e-4   3e-5   1e-9
    GELU, s = 10    3e-1   9e-2   2e-2   9e-3   4e-3   9e-4
    ReLU, any s     3e-1   9e-2   2e-2   8e-3   4e-3   9e-4
    =============  =====  =====  =====  =====  =====  =====

    So normalize before it, or take more samples; `Gated` is exact.

    Args:
        field_type: orders 0 ... M, each once, in this order, with equal multiplicities.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`; smooth ones alias far less.
        samples: number of angles, at least 2 M + 1.
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        activation: str = "gelu",
        samples: int = 21,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        orders = list(range(len(field_type.blocks)))
        counts = {b.multiplicity for b in field_type.blocks}
        if len(counts) != 1 or not all(_is_fourier(b.representation, m) for m, b in enumerate(field_type.blocks)):
            raise ValueError(
                f"Expected orders 0, 1, ..., M of dimensions 1, 2, ..., 2 with equal multiplicities, got {field_type} "
                f"of {field_type.group}: use `Gated` for other types."
            )
        if samples < 2 * len(orders) - 1:
            raise ValueError(f"Expected at least {2 * len(orders) - 1} samples for {field_type}, got {samples}.")
        self.in_type = self.out_type = field_type
        self.activation, self.samples = activation, samples
        self._function = activation_function(activation)
        angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
        rows = [torch.ones_like(angle)]
        for m in orders[1:]:
            rows += [torch.cos(m * angle), torch.sin(m * angle)]
        synthesis = torch.stack(rows, 1)
        analysis = torch.linalg.pinv(synthesis)
        self._synthesis: Tensor
        self._analysis: Tensor
        self.add_table("_synthesis", synthesis, device=device, dtype=dtype)
        self.add_table("_analysis", analysis, device=device, dtype=dtype)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        self.in_type.check(x)
        coefficients = x.unflatten(1, (self._synthesis.shape[1], -1)).flatten(2)
        values = self._function(self._synthesis @ coefficients)
        return (self._analysis @ values).reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}, samples={self.samples}"


class PointwiseNonlinearity(nn.Module):
    """The same function of every component, for representations that permute them (regular, quotient, trivial).

    Equivariance: exact for finite groups.

    Raises:
        ValueError: a representation that does not permute its components.
    """

    def __init__(self, field_type: FieldType, *, activation: str = "gelu") -> None:
        super().__init__()
        for b in field_type.blocks:
            if not is_pointwise(b):
                raise ValueError(
                    f"A pointwise function does not commute with {b.representation!r}: "
                    "use `Gated` or `FourierNonlinearity`."
                )
        self.in_type = self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        self.in_type.check(x)
        return self._function(x)

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}"


def _is_fourier(rho: Representation, m: int) -> bool:
    """Whether rho turns the coefficients of cos(m t), sin(m t) as a shift (or a reflection) of the circle does."""
    return rho.is_trivial if m == 0 else rho.order == m and rho.dim == 2


def safe_norm(v: Float[Tensor, "points dim fields *spatial"]) -> Float[Tensor, "points fields *spatial"]:
    """|v| over the dimension of the representation, with a finite gradient at zero."""
    return (v.square().sum(1) + 1e-12).sqrt()
