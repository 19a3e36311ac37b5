"""Checks of the library's own tests, available for testing other layers and manifolds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaugenet._lazy import lazy_exports

if TYPE_CHECKING:
    from gaugenet.testing.gauge import GaugeReport, assert_gauge_equivariant
    from gaugenet.testing.manifold import ManifoldContract
else:
    __getattr__, __dir__ = lazy_exports(__name__)

__all__ = ["GaugeReport", "ManifoldContract", "assert_gauge_equivariant"]
