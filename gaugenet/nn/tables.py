"""What layers share: fixed tables that keep full precision, and numbers along the channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


def along_channels(values: Float[Tensor, "channels"], x: Tensor) -> Tensor:
    """One number a channel, shaped so that it broadcasts over the spatial dimensions of `x`, `(N, size, *spatial)`."""
    return values.view(-1, *[1] * (x.dim() - 2))


class TableModule(nn.Module):
    """A module with tables: non-persistent buffers, in the precision of the layer, that are cast from float64.

    A plain buffer made in float32 would stay rounded after `.double()`, and float64 gauge invariance with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, Tensor] = {}

    def add_table(
        self, name: str, table: Tensor, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        """Register a float64 table as a buffer of the layer's precision."""
        self._exact[name] = table
        self.register_buffer(name, table.to(device, dtype or torch.get_default_dtype()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        super()._apply(fn, recurse)
        for name, table in self._exact.items():
            buffer = getattr(self, name)
            setattr(self, name, table.to(buffer.device, buffer.dtype))
        return self
