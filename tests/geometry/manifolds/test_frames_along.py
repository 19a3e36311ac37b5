"""Frames along vector fields are orthonormal, point where the field does, and agree with closed forms."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import (
    SPD,
    Euclidean,
    GStructure,
    Hyperbolic,
    KleinBottle,
    ManifoldError,
    MobiusStrip,
    ProjectiveSpace,
    PuncturedPlane,
    Rotations,
    Sphere,
    frames_along,
    from_metric,
)
from gaugenet.groups import SO2, Trivial
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
POLES = torch.stack([UP, -UP])


def north(p: torch.Tensor) -> torch.Tensor:
    return UP.expand_as(p)


def some(manifold, size: int = 60) -> torch.Tensor:
    return manifold.random_points(size, generator=torch.Generator().manual_seed(0))


def test_the_sphere_along_its_meridians():
    p = some(Sphere(2))
    frame = frames_along(Sphere(2), north)(p)
    east = torch.nn.functional.normalize(torch.linalg.cross(UP.expand_as(p), p), dim=-1)
    assert relative(frame[..., 0], torch.linalg.cross(p, east)) < EXACT
    assert relative(frame[..., 1], -east) < EXACT  # counter-clockwise from north, seen from outside: west


def test_the_punctured_plane_along_its_rays():
    p = some(PuncturedPlane())
    assert relative(frames_along(PuncturedPlane(), torch.clone)(p), PuncturedPlane.polar_frames(p)) < EXACT


def test_coordinates_of_the_half_plane_are_its_horocyclic_frames():
    plane = Hyperbolic(2)
    assert relative(frames_along(plane)(some(plane)), plane.frame_at(some(plane))) < EXACT


def test_coordinates_that_are_not_orthogonal():
    """The first axis is kept, the others are made orthogonal by the metric."""
    skew = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    space = from_metric(lambda p: skew * torch.exp(p[0]), dim=2, steps=2)
    p = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frame = frames_along(space)(p)
    metric = skew * torch.exp(p[:, 0])[:, None, None]
    assert relative(frame.mT @ metric @ frame, torch.eye(2, dtype=torch.float64).expand(20, 2, 2)) < EXACT
    assert frame[:, 1, 0].abs().max() == 0
    assert frame[:, 0, 1].abs().min() > 0.1  # the control: the second is no longer an axis


@pytest.mark.parametrize("manifold", [Sphere(2), Rotations(), SPD(2), Euclidean(3)], ids=str)
def test_frames_are_orthonormal_and_completed_by_the_orientation(manifold):
    p = some(manifold)
    fields = [lambda p, s=s: torch.roll(p, s, -1) + s for s in range(1, manifold.dim)]
    frame = frames_along(manifold, *fields)(p)
    gram = torch.stack([torch.stack([manifold.inner(p, a, b) for b in frame.unbind(-1)], -1) for a in frame.unbind(-1)])
    assert relative(gram.transpose(0, 1), torch.eye(manifold.dim, dtype=torch.float64).expand(60, -1, -1)) < EXACT
    assert relative(manifold.to_tangent(p, frame[..., 0]), frame[..., 0]) < EXACT
    assert manifold.orientation(p, frame).min() > 0


def test_a_structure_from_a_vector_field():
    points = some(Sphere(2), 200)
    structure = GStructure(Trivial(2), frames_along(Sphere(2), north), "trivial", singular_points=POLES)
    graph = Sphere(2).gauge_graph(points, radius=0.4, structure=structure)
    assert torch.equal(graph.transporter, torch.eye(2).expand_as(graph.transporter))
    with pytest.raises(ManifoldError, match="point 200, vector field 0 vanishes"):
        frames_along(Sphere(2), north)(torch.cat([points, POLES]))


@pytest.mark.parametrize("manifold", [MobiusStrip(4.0), KleinBottle(2.0, 1.5), ProjectiveSpace(2)], ids=str)
def test_what_has_no_orientation_gives_none(manifold):
    with pytest.raises(ManifoldError, match="has no orientation"):
        frames_along(manifold, lambda p: torch.ones_like(p))(some(manifold, 5))
    with pytest.raises(ManifoldError, match="not orientable: it has no SO\\(2\\)-structure"):
        manifold.gauge_graph(some(manifold), SO2(), radius=0.4)


def test_numbers_of_fields_are_checked():
    with pytest.raises(ValueError, match="Expected 3 vector fields"):
        frames_along(Euclidean(3), torch.clone)
    with pytest.raises(ValueError, match="not coordinates of a chart"):
        frames_along(Sphere(2))
