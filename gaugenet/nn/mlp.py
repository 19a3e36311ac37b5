"""EquivariantMLP: a perceptron of any group, at each point or on plain vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from gaugenet.groups import FieldType
from gaugenet.nn.activations import make_nonlinearity
from gaugenet.nn.linear import EquivariantLinear


class EquivariantMLP(nn.Sequential):
    r"""Linear, nonlinearity, linear, ..., linear: `f(rho_in(g) x) = rho_out(g) f(x)` for every g in the group.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels. Points are
            independent, so the rows may be points of a graph or a batch of plain vectors.

    Equivariance: exact except with `fourier`, 3e-7 relative in float32.

    Args:
        in_type, out_type: field types of one group.
        hidden: type of each hidden layer.
        act: `gated`, `norm`, `fourier`, `pointwise` (regular and quotient fields) or `tensor_product`.
        options: options of the nonlinearity, e.g. `activation="relu"`.

    Raises:
        ValueError: If the types belong to different groups, or the nonlinearity does not exist for a hidden type.

    Example:
        >>> import torch
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.nn import EquivariantMLP
        >>> vectors, scalars = FieldType(O3(), "2x1o"), FieldType(O3(), "3x0e")
        >>> mlp = EquivariantMLP(vectors, scalars, hidden=FieldType(O3(), "8x0e + 4x1o"))
        >>> mlp(torch.rand(10, 6)).shape
        torch.Size([10, 3])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        hidden: FieldType | Sequence[FieldType],
        act: str = "gated",
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        types = [hidden] if isinstance(hidden, FieldType) else list(hidden)
        acts = [make_nonlinearity(act, t, **options) for t in types]
        factory = {"device": device, "dtype": dtype}
        last = in_type
        for layer in acts:
            self.extend([EquivariantLinear(last, layer.in_type, **factory), layer.to(**factory)])
            last = layer.out_type
        self.append(EquivariantLinear(last, out_type, **factory))

    def reset_parameters(self) -> None:
        for layer in self:
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
