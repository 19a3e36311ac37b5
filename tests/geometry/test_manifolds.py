"""Every manifold of the library satisfies the contract that it asks of the manifolds of its users."""

from __future__ import annotations

from gaugenet.geometry.euclidean import Euclidean, Minkowski, PseudoEuclidean, PuncturedPlane
from gaugenet.geometry.sphere import Sphere
from gaugenet.testing import ManifoldContract


class TestEuclidean(ManifoldContract):
    manifold = Euclidean(3)


class TestMinkowski(ManifoldContract):
    manifold = Minkowski(4)


class TestPseudoEuclidean(ManifoldContract):
    manifold = PseudoEuclidean(2, 2)


class TestPuncturedPlane(ManifoldContract):
    manifold = PuncturedPlane()


class TestCircle(ManifoldContract):
    manifold = Sphere(1)


class TestSphere(ManifoldContract):
    manifold = Sphere(2)


class TestLargeSphere(ManifoldContract):
    manifold = Sphere(2, radius=3.0)


class TestThreeSphere(ManifoldContract):
    manifold = Sphere(3)
