"""G-structures of groups that are not compact: what is accepted, what is refused and why."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import (
    Euclidean,
    FlatTorus,
    GStructure,
    ManifoldError,
    Minkowski,
    MobiusStrip,
    PuncturedPlane,
    Sphere,
)
from gaugenet.groups import SO2, Cyclic, GeneralLinear, Lorentz, PseudoOrthogonal, Scaling, SpecialLinear
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PLANE = Euclidean(2)


def some(manifold, size: int = 40) -> torch.Tensor:
    return manifold.random_points(size, generator=torch.Generator().manual_seed(0))


def graph(manifold, structure: GStructure, radius: float = 0.6):
    return manifold.gauge_graph(some(manifold), radius=radius, structure=structure, dtype=torch.float64)


def scaled(p: torch.Tensor) -> torch.Tensor:
    """Parallel frames of lengths that vary from point to point."""
    return (0.3 * p[:, 0] + 0.2 * p[:, 1].sin()).exp()[:, None, None] * torch.eye(2, dtype=p.dtype)


def sheared(p: torch.Tensor) -> torch.Tensor:
    """Frames of unit area that are not orthonormal."""
    frames = torch.eye(2, dtype=p.dtype).repeat(len(p), 1, 1)
    frames[:, 0, 1] = p[:, 0]
    return frames


def test_frames_up_to_scale_have_transporters_that_scale():
    found = graph(PLANE, GStructure(Scaling(2), scaled))
    source, target = found.edge_index
    size = found.frame[:, 0, 0]
    expected = (size[source] / size[target])[:, None, None] * torch.eye(2, dtype=torch.float64)
    assert relative(found.transporter, expected) < EXACT
    assert found.structure == "S[4.0]"


@pytest.mark.parametrize("group", [SpecialLinear(2), GeneralLinear(2)], ids=str)
def test_frames_of_unit_area_have_transporters_of_determinant_one(group):
    found = graph(PLANE, GStructure(group, sheared))
    assert relative(torch.linalg.det(found.transporter), torch.ones(len(found.weight), dtype=torch.float64)) < EXACT
    source, target = found.edge_index
    expected = torch.linalg.inv(found.frame)[target] @ found.frame[source]
    assert relative(found.transporter, expected) < EXACT


def test_log_polar_frames_are_a_structure_of_scalings_and_rotations():
    """With the Levi-Civita connection, flat off the origin; the group {e} needs the trivial one."""
    plane, group = PuncturedPlane(), Scaling(2, rotations=SO2())
    found = graph(plane, GStructure(group, plane.log_polar_frames))
    assert group.contains(found.transporter).all()
    assert found.edge_index.shape[1] > 50
    with pytest.raises(ManifoldError, match=r"Levi-Civita is not compatible with this S\[4.0\]-structure"):
        graph(plane, GStructure(Scaling(2), plane.log_polar_frames))


@pytest.mark.parametrize(
    ("group", "frames", "reason"),
    [
        (SO2(), scaled, "not orthonormal"),
        (Scaling(2), sheared, "lie outside S"),
        (SpecialLinear(2), scaled, "lie outside SL"),
        (GeneralLinear(2), lambda p: 0 * sheared(p), "degenerate"),
        (PseudoOrthogonal(1, 1), sheared, "not orthonormal"),
    ],
    ids=["SO(2)", "S", "SL(2)", "GL(2)", "O(1,1)"],
)
def test_controls_frames_that_do_not_fit_are_refused(group, frames, reason):
    with pytest.raises(ManifoldError, match=reason):
        graph(PLANE, GStructure(group, frames))


def test_boosted_frames_of_minkowski_space():
    """A boost at every point is a Lorentz structure; neighbours are those in the ball of each point's own frame."""
    space, group = Minkowski(3), Lorentz(3, part="SO+")
    points = some(space)
    frames = group.random_element(len(points), generator=torch.Generator().manual_seed(1))
    found = space.gauge_graph(points, radius=0.6, structure=GStructure(group, frames), dtype=torch.float64)
    inverse = torch.linalg.inv(frames)
    seen = torch.einsum("pij,pqj->pqi", inverse, points[None] - points[:, None])
    near = (seen.norm(dim=-1) <= 0.6) & ~torch.eye(len(points), dtype=torch.bool)
    expected = torch.stack([near.nonzero()[:, 1], near.nonzero()[:, 0]])
    assert torch.equal(found.edge_index, expected)
    assert relative(found.log_map, seen[near]) < EXACT
    assert relative(found.transporter, inverse[expected[1]] @ frames[expected[0]]) < 10 * EXACT
    rotation = torch.linalg.matrix_exp(torch.tensor([[0.0, 0.4, 0], [-0.4, 0, 0], [0, 0, 0]], dtype=torch.float64))
    with pytest.raises(ManifoldError, match="not orthonormal"):
        space.gauge_graph(points, radius=0.6, structure=GStructure(group, frames @ rotation), dtype=torch.float64)


def test_topology_refuses_fields_of_lines_and_orientations():
    for group in (Scaling(2), Scaling(2, rotations=Cyclic(4)), PseudoOrthogonal(1, 1)):
        with pytest.raises(ManifoldError, match="Euler characteristic 2"):
            graph(Sphere(2), GStructure(group))
    for group in (SpecialLinear(2), Lorentz(2), Scaling(2)):
        with pytest.raises(ManifoldError, match="not orientable"):
            graph(MobiusStrip(4.0), GStructure(group))
    for group in (SpecialLinear(2), GeneralLinear(2), Scaling(2, rotations=SO2())):
        assert graph(Sphere(2), GStructure(group), 0.5).structure == group.name
    for group in (Scaling(2), PseudoOrthogonal(1, 1)):
        assert graph(FlatTorus(3.0, 3.0), GStructure(group), 0.5).structure == group.name
