"""Input features: gauge equivariance for every group, rigid motions, closed forms."""

from __future__ import annotations

import copy
import importlib

import numpy as np
import pytest
import torch

from gaugenet.data import (
    Curvatures,
    HeatKernelSignature,
    InputFeatures,
    Normals,
    Positions,
    ShapeOperator,
    TangentAxes,
    TangentGradient,
    VertexDegree,
    WaveKernelSignature,
)
from gaugenet.data.meshes.curvature_measures import shape_measure
from gaugenet.data.meshes.features import mesh_of
from gaugenet.data.meshes.laplacian import frame_sides
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Reflection, Trivial
from tests.data.meshes.graphs import simple_graph
from tests.data.meshes.helpers import grid, icosphere, torus

HKS = HeatKernelSignature(4, num_eigenvectors=16)
FEATURES = [
    HKS,
    WaveKernelSignature(3, num_eigenvectors=16),
    Positions(),
    Normals(),
    TangentAxes(),
    Curvatures(),
    ShapeOperator(),
    Curvatures(radius=0.1),
    ShapeOperator(radius=0.1),
    TangentGradient(HKS),
    VertexDegree(),
    InputFeatures([HKS, Normals(), TangentAxes(), ShapeOperator(), TangentGradient(HKS), Curvatures()]),
]
GROUPS = [SO2(), O2(), Cyclic(2), Cyclic(4), Cyclic(5), Dihedral(2), Dihedral(4), Reflection(), Trivial()]


@pytest.fixture(scope="module")
def mesh() -> TriangleMesh:
    bumpy = torus(14, 9)
    noise = np.random.default_rng(1).standard_normal(bumpy.vertices.shape)
    return TriangleMesh(bumpy.vertices + 0.03 * noise, bumpy.faces)


def values(feature, graph):
    return feature(graph).x if isinstance(feature, InputFeatures) else feature.compute(graph)


def type_of(feature, group) -> FieldType:
    whole = feature if isinstance(feature, InputFeatures) else InputFeatures([feature])
    return whole.in_type(group)


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: type(f).__name__)
def test_features_are_fields_of_their_type(feature, group, mesh):
    graph = simple_graph(mesh, structure=group.name)
    g = group.random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(3))
    expected = type_of(feature, group).transform(g, values(feature, graph))
    assert torch.allclose(values(feature, graph.gauge_transform(g)), expected, atol=1e-10)


@pytest.mark.parametrize("feature", [Normals(), Curvatures(), ShapeOperator()])
def test_features_notice_a_reflection_that_the_group_does_not_allow(feature, mesh):
    graph = simple_graph(mesh)
    g = O2().random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(3))
    as_if = type_of(feature, SO2()).transform(g, values(feature, graph))
    assert not torch.allclose(values(feature, graph.gauge_transform(g)), as_if, atol=1e-3)


def test_order_two_is_not_order_one(mesh):
    graph = simple_graph(mesh)
    g = SO2().random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(3))
    wrong = FieldType(SO2(), "1x0 + 1x1").transform(g, ShapeOperator().compute(graph))
    assert not torch.allclose(ShapeOperator().compute(graph.gauge_transform(g)), wrong, atol=1e-3)


def test_types_of_subgroups_spell_the_same_columns():
    features = InputFeatures([HKS, Normals(), TangentAxes(), ShapeOperator()])
    spelled = {g.name: str(features.in_type(g)) for g in GROUPS}
    assert spelled["SO(2)"] == "8x0 + 3x1 + 1x2"
    assert spelled["O(2)"] == "4x0 + 4x0- + 3x1 + 1x2"
    assert spelled["C_4"] == "8x0 + 3x1 + 2x2"
    assert spelled["Trivial"] == "16x0"
    assert {features.in_type(g).size for g in GROUPS} == {16}
    with pytest.raises(ValueError, match="order 2 is not a direct sum of irreps of C_3"):
        features.in_type(Cyclic(3))
    assert str(InputFeatures([HKS, TangentAxes()]).in_type(Cyclic(3))) == "4x0 + 3x1"


@pytest.mark.parametrize("feature", FEATURES[:-1], ids=lambda f: type(f).__name__)
def test_intrinsic_is_what_rotations_and_scale_leave_alone(feature, mesh):
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    rotation *= torch.linalg.det(rotation)
    graph = simple_graph(mesh, seed=2)
    moved = copy.copy(graph)
    moved.pos = 3 * graph.pos @ rotation.T + 5
    moved.frame = rotation @ graph.frame
    moved.mass = 9 * graph.mass
    same = torch.allclose(values(feature, moved), values(feature, graph), atol=1e-7)
    assert same == feature.intrinsic


def test_curvatures_of_a_sphere_are_one():
    graph = simple_graph(icosphere(3), seed=0)
    curvature = Curvatures(squash=False).compute(graph)
    assert torch.allclose(curvature, torch.ones_like(curvature), atol=0.15)  # Gauss: five-valent vertices
    assert (curvature.mean(0) - 1).abs().max() < 0.01
    shape = ShapeOperator(squash=False).compute(graph)
    assert shape[:, 1:].norm(dim=1).mean() < 0.02
    assert Curvatures().compute(graph).mean(0).numpy() == pytest.approx([np.arcsinh(1)] * 2, abs=0.02)


def test_curvatures_of_a_flat_sheet_vanish_up_to_its_boundary():
    graph = simple_graph(grid(6, 5))
    assert Curvatures().compute(graph).abs().max() < 1e-10
    assert ShapeOperator().compute(graph).abs().max() < 1e-10


def test_curvatures_over_a_disk_are_one_on_a_sphere_and_none_on_a_sheet():
    graph = simple_graph(icosphere(3), seed=0)
    curvature = Curvatures(radius=0.1, squash=False).compute(graph)
    assert torch.allclose(curvature, torch.ones_like(curvature), atol=0.02)
    assert ShapeOperator(radius=0.1, squash=False).compute(graph)[:, 1:].norm(dim=1).mean() < 0.005
    sheet = simple_graph(grid(6, 5))
    assert Curvatures(radius=0.1).compute(sheet).abs().max() < 1e-10
    assert ShapeOperator(radius=0.1).compute(sheet).abs().max() < 1e-10


def test_the_order_of_faces_does_not_decide_at_folds(rng):
    """At a fold a vertex and one of the two faces of an edge look to opposite sides."""
    mesh = icosphere(2)
    folded = TriangleMesh(mesh.vertices + 0.15 * rng.standard_normal(mesh.vertices.shape), mesh.faces)
    frame = folded.gauge_graph(SO2(), neighborhood="one_ring").frame.numpy()
    assert (frame_sides(folded, frame) < 0).any()
    order = rng.permutation(folded.num_faces)
    other = TriangleMesh(folded.vertices, np.roll(folded.faces[order], 1, axis=1))
    found, again = (shape_measure(m, frame_sides(m, frame)) for m in (folded, other))
    np.testing.assert_allclose(again, found, atol=1e-12)


def test_curvature_of_a_cylinder_is_across_its_axis():
    angle, height = np.meshgrid(np.linspace(0, 2 * np.pi, 24, endpoint=False), np.linspace(0, 6, 30))
    vertices = np.stack([np.cos(angle), np.sin(angle), height], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(29) * 24, np.arange(24), indexing="ij")
    a, b = (i + j).ravel(), (i + (j + 1) % 24).ravel()
    mesh = TriangleMesh(vertices, np.concatenate([np.stack([a, b, b + 24], 1), np.stack([a, b + 24, a + 24], 1)]))
    graph = simple_graph(mesh, seed=0)
    inner = np.abs(vertices[:, 2] - 3) < 1.5
    across = np.stack([-vertices[:, 1], vertices[:, 0], np.zeros(len(vertices))], axis=-1)
    x, y = np.einsum("vda,vd->av", graph.frame.numpy(), across)
    unit = np.sqrt(mesh.area / (4 * np.pi))
    expected = 0.5 * unit * np.stack([np.ones(len(x)), 2 * x * y, y**2 - x**2], axis=-1)
    for feature in (ShapeOperator(squash=False), ShapeOperator(radius=0.05, squash=False)):
        assert np.abs(feature.compute(graph).numpy() - expected)[inner].max() < 0.03 * unit


def test_a_radius_makes_curvatures_independent_of_the_triangles(mesh):
    import trimesh

    finer = TriangleMesh(*trimesh.remesh.subdivide(mesh.vertices, mesh.faces))
    moved = {}
    for feature in (Curvatures(), Curvatures(radius=0.15), ShapeOperator(), ShapeOperator(radius=0.15)):
        before, after = (feature.compute(simple_graph(m))[: mesh.num_vertices, :2] for m in (mesh, finer))
        moved[feature.key] = float((after - before).norm() / (before - before.mean(0)).norm())
    one_ring, disk, shape_one_ring, shape_disk = moved.values()
    assert disk < 0.25 < one_ring
    assert shape_disk < 0.5 * shape_one_ring


def test_curvatures_over_a_disk_follow_frames_on_a_surface_without_orientation():
    import trimesh

    ring, mobius = 40, []
    for k in range(ring):
        u = 2 * np.pi * k / ring
        for w in np.linspace(-0.4, 0.4, 5):
            mobius.append([(1 + w * np.cos(u / 2)) * np.cos(u), (1 + w * np.cos(u / 2)) * np.sin(u), w * np.sin(u / 2)])
    faces = []
    for k in range(ring):
        for j in range(4):
            a, b = 5 * k + j, 5 * k + j + 1
            c, d = (a + 5, b + 5) if k < ring - 1 else (4 - j, 3 - j)
            faces += [[a, b, d], [a, d, c]]
    band = TriangleMesh(np.array(mobius), np.array(faces))
    assert not trimesh.Trimesh(band.vertices, band.faces, process=False).is_winding_consistent
    graph = band.gauge_graph(O2(), mean_neighbors=8, dtype=torch.float64)
    other = np.random.default_rng(0).random(band.num_faces) < 0.5
    turned = TriangleMesh(band.vertices, np.where(other[:, None], band.faces[:, ::-1], band.faces))
    feature = ShapeOperator(radius=0.1)
    found = feature.compute_mesh(graph, band)
    assert torch.allclose(found, feature.compute_mesh(graph, turned), atol=1e-10)
    assert found.abs().max() > 0.1


def test_valence_counts_the_edges_at_a_vertex():
    sphere = icosphere(2)  # twelve vertices of five edges, all others of six
    assert VertexDegree().compute(simple_graph(sphere)).sum(0).tolist() == [0, 12, len(sphere.vertices) - 12, 0, 0]
    sheet = VertexDegree(low=3, high=5).compute(simple_graph(grid(6, 5)))  # more than five count as five
    assert sheet.sum(1).eq(1).all()
    assert sheet.sum(0)[0] < sheet.sum(0)[2]
    with pytest.raises(ValueError, match="`low` < `high`"):
        VertexDegree(low=5, high=5)


def test_positions_are_centred_and_of_unit_area(mesh):
    graph = simple_graph(TriangleMesh(100 * mesh.vertices + 1000, mesh.faces))
    x = Positions().compute(graph)
    share = graph.mass / graph.mass.sum()
    assert torch.allclose((share[:, None] * x).sum(0), torch.zeros(3, dtype=x.dtype), atol=1e-12)
    assert torch.allclose(x, Positions().compute(simple_graph(mesh)), atol=1e-9)
    assert torch.equal(Positions(normalize=False).compute(graph), graph.pos)


def test_tangent_axes_are_the_gradients_of_the_coordinates():
    mesh = grid(6, 5)
    graph = simple_graph(mesh, seed=1)
    from gaugenet.data.meshes.laplacian import vertex_gradient

    gradient = torch.from_numpy(vertex_gradient(mesh, mesh.vertices))
    tangent = torch.einsum("vda,vcd->vac", graph.frame, gradient)
    assert torch.allclose(TangentAxes().compute(graph), tangent.flatten(1), atol=1e-12)


def test_features_leave_the_graph_alone(mesh):
    graph = simple_graph(mesh)
    before = {key: value.clone() for key, value in graph.to_dict().items() if torch.is_tensor(value)}
    for feature in FEATURES:
        out = feature(graph)
        assert out is not graph
        assert set(graph.keys()) == {*before, "structure"}
        if isinstance(feature, InputFeatures):
            feature.prepare(graph)
    assert all(torch.equal(graph[key], value) for key, value in before.items())


def test_all_features_look_at_the_one_mesh_that_they_are_given(mesh, monkeypatch):
    module = importlib.import_module("gaugenet.data.meshes.features")
    features = InputFeatures(
        [HKS, Curvatures(), ShapeOperator(), TangentGradient(WaveKernelSignature(4)), VertexDegree()]
    )
    graph = simple_graph(mesh)
    expected = features.prepare(graph)
    built = []
    monkeypatch.setattr(module, "mesh_of", lambda graph: built.append(graph) or mesh_of(graph))
    found = features.prepare(graph, mesh)
    assert not built
    assert all(torch.equal(found[f.key], expected[f.key]) for f in features.features)
    assert not torch.equal(found[Curvatures().key], features.prepare(graph, flattened(mesh))[Curvatures().key]), (
        "control"
    )
    Curvatures()(graph)
    assert len(built) == 1, "control: a feature alone makes its own mesh"


def flattened(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices * [1.0, 1.0, 0.5], mesh.faces)


def test_every_parameter_shows_in_the_repr_and_the_key():
    variants = [
        HeatKernelSignature(),
        HeatKernelSignature(8),
        HeatKernelSignature(num_eigenvectors=64),
        HeatKernelSignature(laplacian="robust"),
        WaveKernelSignature(),
        Positions(),
        Positions(normalize=False),
        Curvatures(),
        Curvatures(squash=False),
        Curvatures(radius=0.1),
        Curvatures(radius=0.2),
        ShapeOperator(radius=0.1),
        ShapeOperator(),
        ShapeOperator(squash=False),
        TangentGradient(HKS),
        TangentGradient(HKS, squash=False),
        TangentGradient(HeatKernelSignature(5)),
        VertexDegree(),
        VertexDegree(low=3),
    ]
    assert len({repr(v) for v in variants}) == len(variants)
    assert len({v.key for v in variants}) == len(variants)
    assert all(repr(v) in repr(InputFeatures([v])) for v in variants)
    assert HeatKernelSignature().key == HeatKernelSignature().key


def test_prepared_values_are_used_and_removed(mesh):
    features = InputFeatures([HKS, Positions(), ShapeOperator()])
    graph = simple_graph(mesh, dtype=torch.float32)
    prepared = features.prepare(graph)
    assert {HKS.key, ShapeOperator().key} <= set(prepared.keys())
    assert Positions().key not in prepared
    x = features(prepared).x
    assert torch.equal(x, features(graph).x)
    prepared[HKS.key] = prepared[HKS.key] + 1
    assert torch.allclose(features(prepared).x[:, :4], x[:, :4] + 1)
    assert HKS.key not in features(prepared)


def test_bad_uses(mesh):
    graph = simple_graph(mesh)
    with pytest.raises(ValueError, match="each once"):
        InputFeatures([HKS, HeatKernelSignature(4, num_eigenvectors=16)])
    with pytest.raises(ValueError, match="TangentAxes"):
        TangentGradient(Positions())
    with pytest.raises(ValueError, match="scalars"):
        TangentGradient(ShapeOperator())
    del graph.face
    with pytest.raises(ValueError, match=r"graph\.face"):
        HKS(graph)
