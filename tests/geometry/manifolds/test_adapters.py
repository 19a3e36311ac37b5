"""Manifolds of other libraries, and manifolds made from manifolds."""

from __future__ import annotations

import geoopt
import pytest
import torch

from gaugenet.geometry import (
    ConformalRescale,
    Euclidean,
    Hyperbolic,
    ManifoldError,
    MobiusStrip,
    Product,
    Quotient,
    Sphere,
    from_object,
)
from gaugenet.groups import SO2
from tests.tolerances import relative


def some(manifold, size: int) -> torch.Tensor:
    return manifold.random_points(size, generator=torch.Generator().manual_seed(0))


def test_geoopt_hyperboloid_agrees():
    plane = Hyperbolic(2)
    points = plane.to_hyperboloid(some(plane, 40))
    theirs, ours = from_object(geoopt.Lorentz(), dim=2), plane.hyperboloid()
    there, here = (m.gauge_graph(points, SO2(), radius=0.8, dtype=torch.float64) for m in (theirs, ours))
    assert torch.equal(there.edge_index, here.edge_index)
    assert relative(there.log_map.norm(dim=-1), here.log_map.norm(dim=-1)) < 1e-6
    p, q = points[:20], points[20:]
    v = ours.to_tangent(q, torch.ones_like(q))
    assert relative(theirs.transport(p, q, v), ours.transport(p, q, v)) < 1e-6


def test_geoopt_sphere_is_caught_its_transport_is_a_projection():
    with pytest.raises(ManifoldError, match="does not preserve inner products"):
        from_object(geoopt.Sphere(), dim=2).gauge_graph(some(Sphere(2), 100), SO2(), radius=0.3)


class Geomstats:
    """A sphere that is called as geomstats calls its own."""

    dim = 2

    class metric:
        log = staticmethod(lambda point, base_point: Sphere(2).log(base_point, point))
        exp = staticmethod(lambda tangent_vec, base_point: Sphere(2).exp(base_point, tangent_vec))
        inner_product = staticmethod(lambda a, b, base_point: Sphere(2).inner(base_point, a, b))

        @staticmethod
        def parallel_transport(tangent_vec, base_point, direction=None, end_point=None):
            return Sphere(2).transport(end_point, base_point, tangent_vec)

    @staticmethod
    def to_tangent(vector, base_point):
        return Sphere(2).to_tangent(base_point, vector)


def test_geomstats_calls():
    sphere = from_object(Geomstats())
    points = some(Sphere(2), 60)
    ours, theirs = (m.gauge_graph(points, SO2(), radius=0.5, dtype=torch.float64) for m in (Sphere(2), sphere))
    assert torch.equal(ours.edge_index, theirs.edge_index)
    assert relative(theirs.log_map.norm(dim=-1), ours.log_map.norm(dim=-1)) < 1e-12


def test_other_objects_are_refused():
    with pytest.raises(ValueError, match="with five methods"):
        from_object(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="Expected `dim`"):
        from_object(geoopt.PoincareBall())


def test_products_know_their_topology():
    assert Product(Sphere(2), Sphere(2)).euler_characteristic == 4
    assert Product(Sphere(2), Sphere(1)).euler_characteristic == 0
    assert Product(Sphere(2), Euclidean(1)).euler_characteristic is None
    assert Product(Sphere(2), MobiusStrip()).is_orientable is False


def test_a_quotient_by_hand_is_the_ready_made_strip():
    def glide(k: int):
        return lambda p: torch.stack([p[..., 0] + 3.0 * k, (-1) ** k * p[..., 1]], -1)

    own = Quotient(Euclidean(2), [glide(k) for k in (-2, -1, 1, 2)])
    strip = MobiusStrip(3.0, 1.0)
    p, q = some(strip, 40).split(20)
    assert torch.equal(own.log(p, q), strip.log(p, q))
    with pytest.raises(ManifoldError, match="not orientable"):
        own.gauge_graph(some(strip, 200), SO2(), radius=0.4)  # found along the edges: nobody told


def test_rescaling_the_plane_makes_the_sphere():
    """The stereographic projection: e^u = 2 / (1 + |x|^2)."""
    space = ConformalRescale(Euclidean(2), lambda p: torch.log(2 / (1 + (p * p).sum())), steps=4)
    p, q = torch.tensor([[0.1, 0.2], [0.4, -0.3]]).double(), torch.tensor([[0.5, 0.1], [0.2, 0.3]]).double()

    def lifted(x: torch.Tensor) -> torch.Tensor:
        square = (x * x).sum(-1, keepdim=True)
        return torch.cat([2 * x, square - 1], -1) / (1 + square)

    assert relative(space.distance(p, q), Sphere(2).distance(lifted(p), lifted(q))) < 1e-9
    with pytest.raises(ValueError, match="chart coordinates"):
        ConformalRescale(Sphere(2), lambda p: p.sum())


@pytest.mark.parametrize("manifold", [geoopt.CanonicalStiefel(), geoopt.EuclideanStiefel()])
def test_methods_that_geoopt_only_declares_are_refused_when_wrapped(manifold):
    with pytest.raises(ValueError, match=r"Stiefel of geoopt declares .*`logmap`.* does not implement"):
        from_object(manifold, dim=3)
    assert from_object(geoopt.PoincareBall(), dim=2).dim == 2  # the control
