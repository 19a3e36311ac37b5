"""Checks that the library's own tests use, shipped so that a user's layer or manifold can be tested too."""

from gaugenet.testing.gauge import GaugeReport, assert_gauge_equivariant
from gaugenet.testing.manifold import ManifoldContract

__all__ = ["GaugeReport", "ManifoldContract", "assert_gauge_equivariant"]
