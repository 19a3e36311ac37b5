"""Augmentations: the augmented graph is the graph of the augmented mesh."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data import (
    Curvatures,
    HeatKernelSignature,
    InputFeatures,
    Normals,
    Positions,
    RandomGauge,
    RandomJitter,
    RandomMirror,
    RandomRotation,
    RandomScale,
    ShapeOperator,
    TangentAxes,
    TangentGradient,
)
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.groups import O2, SO2
from tests.data.meshes.graphs import simple_graph
from tests.data.meshes.helpers import torus

HKS = HeatKernelSignature(4, num_eigenvectors=16)
FEATURES = InputFeatures(
    [HKS, Positions(), Normals(), TangentAxes(), Curvatures(), ShapeOperator(), TangentGradient(HKS)]
)


@pytest.fixture(scope="module")
def graph():
    mesh = torus(14, 9)
    noise = np.random.default_rng(1).standard_normal(mesh.vertices.shape)
    return simple_graph(TriangleMesh(mesh.vertices + 0.03 * noise, mesh.faces), seed=4)


def edge_vectors(graph):
    """What log maps and frames say together: tangent vectors in space."""
    source, target = graph.edge_index
    return source, torch.einsum("eda,ea->ed", graph.frame[target], graph.log_map)


def space_transport(graph):
    """Transporters as maps between tangent planes in space."""
    source, target = graph.edge_index
    return graph.frame[target] @ graph.transporter @ graph.frame[source].mT


@pytest.mark.parametrize("axis", [None, "y"])
def test_rotated_graph_is_the_graph_of_the_rotated_mesh(graph, axis):
    torch.manual_seed(0)
    out = RandomRotation(axis)(graph)
    rotation = torch.linalg.lstsq(graph.pos, out.pos).solution.T
    assert torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-9)
    assert torch.linalg.det(rotation) == pytest.approx(1)
    assert torch.allclose(edge_vectors(out)[1], edge_vectors(graph)[1] @ rotation.T)
    assert torch.allclose(out.l1_frame, out.frame[out.l1_node_index])
    assert torch.allclose(out.l1_pos, out.pos[out.l1_node_index])
    assert torch.equal(out.log_map, graph.log_map)
    if axis == "y":
        assert torch.allclose(out.pos[:, 1], graph.pos[:, 1])
    assert not torch.allclose(out.pos, graph.pos)


def test_random_rotations_have_no_preferred_direction():
    torch.manual_seed(0)
    mean = torch.stack([RandomRotation().draw() for _ in range(2000)]).mean(0)
    assert mean.abs().max() < 0.06
    small = torch.stack([RandomRotation("z", max_angle=10).draw() for _ in range(200)])
    assert small[:, 0, 0].min() > np.cos(np.deg2rad(10)) - 1e-9


@pytest.mark.parametrize("augmentation", [RandomRotation(), RandomMirror(FEATURES, p=1.0), RandomScale()])
def test_cached_features_after_augmentation_equal_those_of_the_augmented_mesh(graph, augmentation):
    """What makes augmentation cheap is exact: nothing intrinsic needs to be computed again."""
    torch.manual_seed(1)
    out = augmentation(FEATURES.prepare(graph))
    fresh = out.clone()
    for feature in FEATURES.features:
        if feature.key in fresh:
            del fresh[feature.key]
    assert torch.allclose(FEATURES(out).x, FEATURES(fresh).x, atol=1e-8)


def test_mirrored_graph_is_the_graph_of_the_mirrored_mesh(graph):
    out = RandomMirror(axis="x").mirror(graph)
    mirror = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert torch.allclose(out.pos, graph.pos * mirror)
    assert torch.allclose(edge_vectors(out)[1], edge_vectors(graph)[1] * mirror)
    assert torch.allclose(space_transport(out), mirror[:, None] * space_transport(graph) * mirror)
    outward = torch.from_numpy(TriangleMesh(out.pos, out.face.T).vertex_normals)
    assert torch.allclose(Normals().compute(out), outward, atol=1e-9)  # handedness of the frames is kept
    assert SO2().contains(out.transporter).all()
    assert torch.equal(RandomMirror(p=0.0)(graph).pos, graph.pos)


def test_a_chiral_field_notices_the_mirror(graph):
    mirrored = RandomMirror(FEATURES, p=1.0)(FEATURES.prepare(graph))
    key = ShapeOperator().key
    assert not torch.allclose(mirrored[key], FEATURES.prepare(graph)[key], atol=1e-2)
    with pytest.raises(ValueError, match="InputFeatures"):
        RandomMirror(p=1.0)(FEATURES.prepare(graph))


def test_jitter_moves_log_maps_in_no_preferred_direction(graph):
    torch.manual_seed(0)
    graph = graph.clone()
    graph.l1_log_map = torch.randn(500, 2, dtype=torch.float64)  # the coarse level of this small graph has no edges
    out = RandomJitter(0.1)(graph.clone())
    for key in ("log_map", "l1_log_map"):
        draws = torch.stack([RandomJitter(0.1)(graph.clone())[key] for _ in range(20)])
        moved = ((draws - graph[key]) / graph[key].norm(dim=1, keepdim=True)).flatten(0, 1)
        assert moved.std(0).numpy() == pytest.approx([0.1, 0.1], rel=0.1)
        assert (moved.T @ moved / len(moved))[0, 1].abs() < 1e-3
    assert torch.equal(out.transporter, graph.transporter)
    assert torch.equal(RandomJitter(0.0)(graph.clone()).log_map, graph.log_map)
    with pytest.raises(ValueError, match="std"):
        RandomJitter(-1.0)


def test_scaled_graph(graph):
    torch.manual_seed(0)
    out = RandomScale(2.0, 2.0)(graph)
    for key, power in (("pos", 2), ("log_map", 2), ("radius", 2), ("mass", 4), ("l1_pos", 2), ("l1_mass", 4)):
        assert torch.allclose(out[key], power * graph[key])
    assert torch.equal(out.transporter, graph.transporter)
    assert torch.equal(out.weight, graph.weight)


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
def test_random_gauge_moves_features_with_their_frames(graph, group):
    torch.manual_seed(0)
    graph = graph.clone()
    graph.structure = group.name
    out = RandomGauge(FEATURES)(FEATURES(graph))
    assert torch.allclose(out.x, FEATURES(simple_view(out)).x, atol=1e-9)
    assert torch.allclose(space_transport(out), space_transport(graph), atol=1e-9)
    assert not torch.allclose(out.frame, graph.frame)


def simple_view(graph):
    """The graph without its features."""
    out = graph.clone()
    del out.x
    return out


def test_order_of_transforms_is_enforced(graph):
    done = FEATURES(graph)
    for transform in (RandomRotation(), RandomScale(), RandomMirror()):
        with pytest.raises(ValueError, match="before InputFeatures"):
            transform(done)
    with pytest.raises(ValueError, match="after InputFeatures"):
        RandomGauge(FEATURES)(FEATURES.prepare(graph))


def test_reprs_are_complete_and_inputs_stay(graph):
    assert repr(RandomRotation("y", max_angle=30)) == "RandomRotation(axis='y', max_angle=30)"
    assert repr(RandomScale(0.5, 2)) == "RandomScale(low=0.5, high=2)"
    assert repr(RandomMirror(p=0.25)) == "RandomMirror(None, p=0.25, axis='x')"
    assert repr(FEATURES) in repr(RandomGauge(FEATURES))
    before = graph.clone()
    for transform in (RandomRotation(), RandomScale(), RandomMirror(p=1.0), RandomGauge(FEATURES)):
        transform(graph)
    assert all(torch.equal(graph[k], before[k]) for k in before.keys() if torch.is_tensor(before[k]))  # noqa: SIM118


@pytest.mark.parametrize(
    "make",
    [lambda: RandomRotation("w"), lambda: RandomScale(0, 1), lambda: RandomScale(2, 1), lambda: RandomMirror(p=2),
     lambda: RandomMirror(axis="q"), lambda: RandomRotation(max_angle=5)],
)  # fmt: skip
def test_bad_arguments(make):
    with pytest.raises(ValueError):
        make()
