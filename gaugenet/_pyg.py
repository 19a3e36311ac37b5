"""What the library uses of PyTorch Geometric, imported without two modules that cost more than a second.

`import torch_geometric` imports all its data sets (with pandas and language models), and torch's compiler, only to
recognize compiled models. Neither is used here. They are imported when somebody first asks for something in them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import torch  # noqa: F401  (before its compiler is deferred: while it is imported itself, it asks for it)


class _Deferred(ModuleType):
    """Stands for a module until an attribute of it is asked for, and imports it then."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _deferred(*names: str) -> Iterator[None]:
    """Defer these modules for imports in this block; later imports find the modules themselves."""
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

# A user may expect `torch_geometric.datasets` after `import torch_geometric`. (`torch._dynamo` torch itself provides.)
vars(torch_geometric).setdefault("datasets", _Deferred("torch_geometric.datasets"))

__all__ = ["BaseTransform", "Batch", "Compose", "Data", "DataLoader"]
