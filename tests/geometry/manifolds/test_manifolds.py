"""Every manifold of the library satisfies the contract that it asks of the manifolds of its users."""

from __future__ import annotations

import math

import geoopt
import pytest
import torch

from gaugenet.geometry.manifolds.adapters import from_object
from gaugenet.geometry.manifolds.atlas import from_charts
from gaugenet.geometry.manifolds.composite import ConformalRescale, Product
from gaugenet.geometry.manifolds.euclidean import Euclidean, Minkowski, PseudoEuclidean, PuncturedPlane
from gaugenet.geometry.manifolds.hyperbolic import Hyperbolic
from gaugenet.geometry.manifolds.numeric import from_embedding, from_metric
from gaugenet.geometry.manifolds.quotient import (
    Cylinder,
    FlatTorus,
    KleinBottle,
    LensSpace,
    MobiusStrip,
    ProjectiveSpace,
)
from gaugenet.geometry.manifolds.rotations import Rotations
from gaugenet.geometry.manifolds.spd import SPD
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.geometry.manifolds.surfaces import EmbeddedTorus
from gaugenet.testing import ManifoldContract


def stereographic(x: torch.Tensor) -> torch.Tensor:
    """The metric of the unit sphere."""
    return 4 / (1 + (x * x).sum()) ** 2 * torch.eye(2, dtype=x.dtype)


def inversion(x: torch.Tensor) -> torch.Tensor:
    return x / (x * x).sum()


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


class TestHyperbolicPlane(ManifoldContract):
    manifold = Hyperbolic(2)


class TestHyperbolicSpace(ManifoldContract):
    manifold = Hyperbolic(3)


class TestBall(ManifoldContract):
    manifold = Hyperbolic(2).ball()


class TestHyperboloid(ManifoldContract):
    manifold = Hyperbolic(2).hyperboloid()


def torus(p: torch.Tensor) -> torch.Tensor:
    ring = 2 + torch.cos(p[1])
    return torch.stack([ring * torch.cos(p[0]), ring * torch.sin(p[0]), torch.sin(p[1])])


@pytest.mark.slow
class TestOwnTorus(ManifoldContract):
    manifold = from_embedding(torus, dim=2, euler_characteristic=0, steps=2)
    count, radius, tolerance = 6, 0.3, 1e-7

    def points(self, generator):
        return 2 * math.pi * torch.rand(self.count, 2, generator=generator, dtype=torch.float64)


@pytest.mark.slow
class TestOwnMetric(ManifoldContract):
    """A metric that belongs to no surface that is known."""

    manifold = from_metric(
        lambda p: torch.diag(torch.stack([1 + p[0] ** 2, torch.exp(p[0] - p[1]), 2 + p[2]])), dim=3, steps=2
    )
    count, radius, tolerance = 6, 0.3, 1e-7

    def points(self, generator):
        return torch.rand(self.count, 3, generator=generator, dtype=torch.float64)


class TestProjectivePlane(ManifoldContract):
    manifold = ProjectiveSpace(2)


class TestLensSpace(ManifoldContract):
    manifold = LensSpace(3, 1)


class TestFlatTorus(ManifoldContract):
    manifold = FlatTorus(2.0, 3.0, 1.5)


class TestCylinder(ManifoldContract):
    manifold = Cylinder(2.0, 5.0)


class TestMobiusStrip(ManifoldContract):
    manifold = MobiusStrip(2.0, 1.0)


class TestKleinBottle(ManifoldContract):
    manifold = KleinBottle(2.0, 1.5)


class TestRotations(ManifoldContract):
    manifold = Rotations()


class TestCovariances(ManifoldContract):
    manifold = SPD(2)


class TestLargerCovariances(ManifoldContract):
    manifold = SPD(3)


class TestProduct(ManifoldContract):
    manifold = Product(Sphere(2), Euclidean(1), Hyperbolic(2))


class TestProductWithASmallFactor(ManifoldContract):
    manifold = Product(MobiusStrip(2.0), Sphere(1))


@pytest.mark.slow
class TestTorusInSpace(ManifoldContract):
    manifold = EmbeddedTorus(2.0, 1.0, steps=2)
    count, radius, tolerance = 5, 0.3, 1e-7


@pytest.mark.slow
class TestRescaled(ManifoldContract):
    manifold = ConformalRescale(Hyperbolic(2), lambda p: 0.3 * torch.sin(p[0]), steps=2)
    count, radius, tolerance = 5, 0.2, 1e-7

    def points(self, generator):
        return self.manifold.manifold.random_points(self.count, generator=generator)


class TestPoincareBallOfGeoopt(ManifoldContract):
    manifold = from_object(geoopt.PoincareBall(), dim=2)
    tolerance = 1e-7

    def points(self, generator):
        return 0.6 * (torch.rand(self.count, 2, generator=generator, dtype=torch.float64) - 0.5)


@pytest.mark.slow
class TestTwoCharts(ManifoldContract):
    """The sphere by two stereographic projections; the change of charts is x / |x|^2, which reverses orientation."""

    manifold = from_charts(
        [stereographic, stereographic], {(0, 1): inversion, (1, 0): inversion}, dim=2, steps=2, is_orientable=True
    )
    count, radius, tolerance = 6, 0.3, 1e-7

    def points(self, generator):
        angle, radius = torch.rand(2, self.count, generator=generator, dtype=torch.float64) + 0.5
        x = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], -1)
        return torch.cat([torch.arange(self.count)[:, None] % 2, x], -1)
