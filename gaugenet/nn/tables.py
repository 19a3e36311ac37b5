"""Helpers of layers: fixed tables that keep full precision, and the layout of channels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType, Representation


def along_channels(values: Float[Tensor, "channels"], x: Tensor) -> Tensor:
    """Return one number per channel, shaped to broadcast over the spatial dimensions of `x`, `(N, size, *spatial)`."""
    return values.view(-1, *[1] * (x.dim() - 2))


def need_orthogonal(field_type: FieldType, layer: object) -> None:
    """Raise `ValueError` unless all representations are orthogonal, so that lengths of features are invariant."""
    for b in field_type.blocks:
        if not (field_type.group.compact or b.representation.is_orthogonal):
            raise ValueError(
                f"{type(layer).__name__} needs lengths, which {b.representation!r} changes: use "
                "`GatedNonlinearity`, or "
                "`TensorProductNonlinearity` to scalars, for fields of a group that is not compact."
            )


def equal_irreps_together(
    irreps: list[Representation], basis: Float[Tensor, "n total"]
) -> tuple[list[tuple[Representation, int]], Float[Tensor, "n total"]]:
    """Return the irreps with their multiplicities, and the columns that embed them by component, then by copy.

    This is the order inside a block, where the representation's dimension is the outer index.
    """
    copies = [(rho, len(list(same))) for rho, same in groupby(irreps)]
    parts = basis.split([count * rho.dim for rho, count in copies], 1)
    columns = [p.unflatten(1, (n, rho.dim)).mT.flatten(1) for p, (rho, n) in zip(parts, copies, strict=True)]
    return copies, torch.cat([basis[:, :0], *columns], 1)


class TableModule(nn.Module):
    """A module with tables: non-persistent buffers in the precision of the layer, cast from float64.

    A plain buffer in float32 would stay rounded after `.double()`, and the layer would lose its float64 accuracy.
    """

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, Tensor] = {}

    def add_table(
        self, name: str, table: Tensor, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        """Register a copy of a float64 table as a buffer in the precision of the layer."""
        self._exact[name] = table
        own = table.to(device, dtype or torch.get_default_dtype(), copy=True)
        self.register_buffer(name, own, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, table in self._exact.items():
            buffer = getattr(self, name)
            setattr(self, name, table.to(buffer.device, buffer.dtype, copy=True))
        return self
