"""Checks that the library's own tests use, shipped so that a user's layer or manifold can be tested too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.testing.gauge import GaugeReport, assert_gauge_equivariant
    from gaugenet.testing.manifold import ManifoldContract
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = ["GaugeReport", "ManifoldContract", "assert_gauge_equivariant"]
