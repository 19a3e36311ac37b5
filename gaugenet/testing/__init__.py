"""Checks that the library's own tests use, shipped so that a user's layer or manifold can be tested too."""

from gaugenet.testing.gauge import GaugeReport, assert_gauge_equivariant

__all__ = ["GaugeReport", "assert_gauge_equivariant"]
