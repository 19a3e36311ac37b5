"""Points that are not on a manifold are refused, with the first one, before a graph is made of them."""

import pytest
import torch

from gaugenet.geometry import (
    SPD,
    Cylinder,
    Euclidean,
    FlatTorus,
    Hyperbolic,
    KleinBottle,
    ManifoldError,
    MobiusStrip,
    Product,
    ProjectiveSpace,
    Rotations,
    Sphere,
    from_charts,
    from_embedding,
    from_metric,
)
from gaugenet.groups import O2, O3

GROUP = {2: O2(), 3: O3()}
PLANE, BALL = Hyperbolic(2), Hyperbolic(2).ball()


def identity(p):
    return torch.eye(2, dtype=p.dtype)


def some(space, count=30):
    return space.random_points(count, generator=torch.Generator().manual_seed(0))


def with_first(points, row):
    return torch.cat([torch.as_tensor(row, dtype=torch.float64)[None], points[1:]])


def mirrored(space):
    p = some(space)
    return with_first(p, -p[0])


CASES = [
    (Sphere(2), lambda s: with_first(some(s), [0, 0, 1.1]), "vectors of length 1"),
    (ProjectiveSpace(2), lambda s: 2 * some(s), "30 of 30"),
    (PLANE, lambda s: with_first(some(s), [0.3, -1.0]), "half-space"),
    (BALL, lambda s: with_first(some(s), [0.8, 0.8]), r"ball\(\), in the coordinates of"),
    (Rotations(), mirrored, "rotation matrix"),
    (SPD(2), mirrored, "positive definite"),
    (Product(PLANE, Euclidean(1)), lambda s: with_first(some(s), [0.3, -1.0, 0.0]), "half-space"),
    (from_charts([identity] * 2, {}, dim=2), lambda s: torch.tensor([[0.0, 0, 0], [2.0, 0, 0]]), "point 1"),
    (from_metric(lambda p: torch.stack([p * 0 + 1, p * 0 + 0.9]).triu(), dim=2), lambda s: torch.eye(2), "symmetric"),
    (FlatTorus(1.0, 1.0), lambda s: 3 * some(s) - 1, "nearest representatives"),
    (Cylinder(1.0), lambda s: some(s) * torch.tensor([3.0, 1.0]), "nearest representatives"),
    (MobiusStrip(1.0), lambda s: some(s) * torch.tensor([4.0, 1.0]), "nearest representatives"),
    (KleinBottle(1.0, 1.0), lambda s: some(s) + torch.tensor([0.0, 5.0]), "nearest representatives"),
]


@pytest.mark.parametrize("space, points, reason", CASES, ids=lambda case: repr(case) if hasattr(case, "dim") else "")
def test_points_outside_are_refused(space, points, reason):
    with pytest.raises(ManifoldError, match=reason):
        space.gauge_graph(points(space), GROUP[space.dim], radius=0.2)


@pytest.mark.parametrize(
    "space",
    [Sphere(2), PLANE, BALL, Rotations(), SPD(2), Euclidean(2), FlatTorus(1.0, 1.0), from_metric(identity, dim=2)],
    ids=repr,
)
def test_points_of_another_number_of_coordinates_are_refused(space):
    for columns in (1, space.ambient_dim + 1):
        with pytest.raises(ValueError, match=rf"shape \(N, {space.ambient_dim}\)"):
            space.gauge_graph(torch.ones(5, columns), GROUP[space.dim], radius=0.2)


def test_an_image_that_is_not_finite_is_refused():
    root = from_embedding(lambda p: torch.stack([p[0], p[1], p[0].sqrt()]), dim=2)
    with pytest.raises(ManifoldError, match="finite metric"):
        root.gauge_graph(torch.tensor([[0.5, 0.5], [-0.5, 0.5]]), O2(), radius=0.2)


@pytest.mark.parametrize(
    "space", [FlatTorus(1.0, 2.0), Cylinder(1.0), MobiusStrip(1.0), KleinBottle(1.0, 1.0)], ids=repr
)
def test_representatives_next_to_the_box_have_the_same_edges(space):
    """Half a length beyond, all neighbours are found: the check refuses no points that the maps can bring together."""
    p = some(space, 40)
    moved = torch.cat([p[:20], torch.stack([g(p[20:]) for g in space.decks[1:]])[0]])
    moved = torch.where((moved - 0.5).abs() < 1, moved, p)
    graphs = [space.gauge_graph(x, O2(), radius=0.2) for x in (p, moved)]
    assert torch.equal(graphs[0].edge_index, graphs[1].edge_index)


def test_the_check_can_be_left_out():
    Sphere(2).gauge_graph(torch.tensor([[0.0, 0.0, 2.0]]), O2(), radius=0.2, check=False)
