"""Fixed tables of a layer that keep full precision whatever the layer is cast to on the way."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


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
