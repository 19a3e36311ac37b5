"""The parts of PyTorch Geometric that the library uses, imported without two slow modules (over a second).

`import torch_geometric` imports all its data sets (with pandas and language models), and torch's compiler, only to
recognize compiled models. Neither is used here. They are imported when one of their attributes is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch  # noqa: F401  (before its compiler is deferred, since the import of torch itself uses it)


class _Deferred(ModuleType):
    """A placeholder for a module, which imports it when one of its attributes is first used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _deferred(*names: str) -> Iterator[None]:
    """Defer the import of these modules in this block. Later imports get the real modules."""
    absent = {name: _Deferred(name) for name in names if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name, module in absent.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


with _deferred("torch_geometric.datasets", "torch._dynamo"):
    import torch_geometric
    from torch_geometric.data import Batch, Data
    from torch_geometric.loader import DataLoader
    from torch_geometric.transforms import BaseTransform, Compose

# A user may expect `torch_geometric.datasets` after `import torch_geometric`. (Torch itself provides `torch._dynamo`.)
vars(torch_geometric).setdefault("datasets", _Deferred("torch_geometric.datasets"))

__all__ = ["BaseTransform", "Batch", "Compose", "Data", "DataLoader"]
