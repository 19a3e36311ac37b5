"""Fields in space and in frames: components transform as their irreps, augmentations move fields with the mesh."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from gaugenet.data import (
    DataError,
    HeatKernelSignature,
    InputFeatures,
    MeshSample,
    RandomMirror,
    RandomRotation,
    RandomScale,
    prepare_meshes,
)
from gaugenet.data.fields.on_graph import FieldInput, components, in_space, on_vertices
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.statistics import fit_fields
from gaugenet.data.fields.values import FieldValues
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import O2, SO3, FieldType
from tests.data.fields.field_files import sphere

KINDS = ("scalar", "tangent_vector", "space_vector", "tensor")
VERTICES, FACES = sphere(2)
VERTICES = VERTICES * (1.0, 0.8, 0.6)
MESH = TriangleMesh(VERTICES, FACES)
GENERATOR = torch.Generator().manual_seed(0)


def frames(n: int) -> torch.Tensor:
    return SO3().random_element(n, generator=GENERATOR)[:, :, :2]


def values(kind: str, n: int) -> torch.Tensor:
    if kind == "scalar":
        return torch.randn(n, generator=GENERATOR, dtype=torch.float64)
    if kind == "tensor":
        a = torch.randn(n, 3, 3, generator=GENERATOR, dtype=torch.float64)
        return a + a.mT
    return torch.randn(n, 3, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_components_transform_by_the_irreps_of_their_kind(kind):
    frame, field = frames(20), values(kind, 20)
    g = O2().random_element(20, generator=GENERATOR)
    assert (torch.linalg.det(g) < 0).any()
    field_type = FieldType(O2(), [(label, 1) for label in FieldSpec("f", kind).irreps])
    moved = components(field, frame @ g.mT, kind)
    torch.testing.assert_close(moved, field_type.transform(g, components(field, frame, kind)))
    if kind != "scalar":
        with pytest.raises(AssertionError):  # control: another gauge is another row
            torch.testing.assert_close(moved, components(field, frame, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_components_hold_all_that_the_kind_keeps(kind):
    frame, field = frames(20), values(kind, 20)
    back = in_space(components(field, frame, kind), frame, kind)
    along = frame @ frame.mT
    kept = {"tangent_vector": lambda: (along @ field[..., None])[..., 0], "tensor": lambda: along @ field @ along}
    torch.testing.assert_close(back, kept.get(kind, lambda: field)())
    torch.testing.assert_close(components(back, frame, kind), components(field, frame, kind))


def sample(**fields: np.ndarray) -> MeshSample:
    return MeshSample("m", MESH, fields=fields)


def prepared(one: MeshSample, *specs: FieldSpec):
    features = InputFeatures([HeatKernelSignature(4), *(FieldInput(spec) for spec in specs)])
    (graph,) = prepare_meshes([one], O2(), features, n_jobs=1, levels=1, dtype=torch.float64)
    return features, graph


@pytest.mark.parametrize("move", ["rotation", "mirror"])
@pytest.mark.parametrize("kind", KINDS)
def test_moving_the_graph_is_moving_the_mesh_and_its_fields(move, kind):
    """The graph of a moved mesh with moved fields, compared without frames: in space."""
    spec, field = FieldSpec("f", kind, scale=2.0, mean=0.0), values(kind, len(VERTICES))
    features, graph = prepared(sample(f=field.numpy()), spec)
    if move == "rotation":
        torch.manual_seed(3)
        matrix = RandomRotation().draw()
        torch.manual_seed(3)
        moved = RandomRotation()(graph)
    else:
        matrix = torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))
        moved = RandomMirror(features).mirror(graph)
    torch.testing.assert_close(moved.pos, graph.pos @ matrix.T)
    expected = {0: lambda: field, 1: lambda: field @ matrix.T, 2: lambda: matrix @ field @ matrix.T}[field.ndim - 1]()
    torch.testing.assert_close(moved[spec.key], expected)
    before, after = (components(g[spec.key], g.frame, kind) for g in (graph, moved))
    if move == "rotation":
        torch.testing.assert_close(after, before)
        if kind != "scalar":
            assert not torch.allclose(components(graph[spec.key], moved.frame, kind), before), "control"


def test_scaling_follows_the_power_of_the_length():
    spec = FieldSpec("distance", "scalar", length_power=1.0, scale=1.0, mean=0.0)
    _, graph = prepared(sample(distance=np.ones(len(VERTICES))), spec)
    scaled = RandomScale(3.0, 3.0, powers={spec.key: spec.length_power})(graph)
    torch.testing.assert_close(scaled[spec.key], torch.full_like(scaled[spec.key], 3.0))
    torch.testing.assert_close(RandomScale(3.0, 3.0)(graph)[spec.key], graph[spec.key])


def test_inputs_are_normalized_equivariantly_and_missing_values_are_told():
    field = values("space_vector", len(VERTICES)).numpy()
    field[5] = np.nan
    (spec,) = fit_fields([FieldSpec("v", "space_vector")], [sample(v=field)], role="input", n_jobs=1)
    known = np.delete(field, 5, axis=0)
    np.testing.assert_allclose(spec.scale, np.sqrt((known**2).mean()))
    assert spec.mean == 0.0
    assert spec.missing
    features, graph = prepared(sample(v=field), spec)
    assert features.in_type(O2()) == FieldType(O2(), "5x0 + 1x0- + 1x1")
    x = features(graph).x
    assert not x[5, [4, 5, 6, 7]].any()
    assert (np.delete(x[:, 4].numpy(), 5) == 1).all()
    back = in_space(x[:, [5, 6, 7]], graph.frame, "space_vector") * spec.scale
    np.testing.assert_allclose(np.delete(back.numpy(), 5, axis=0), known, atol=1e-12)


def test_the_data_settle_the_kind_of_a_vector_and_what_has_it(caplog):
    normals = MESH.vertex_normals
    field = values("space_vector", len(VERTICES)).numpy()
    tangent = field - (field * normals).sum(1, keepdims=True) * normals
    for given, kind in ((tangent, "tangent_vector"), (field, "space_vector"), (normals, "space_vector")):
        (spec,) = fit_fields([FieldSpec("v", "vector")], [sample(v=given)], role="target", n_jobs=1)
        assert (spec.kind, spec.on) == (kind, "vertex")
    with caplog.at_level(logging.WARNING):
        (spec,) = fit_fields([FieldSpec("v", "tangent_vector")], [sample(v=field)], role="target", n_jobs=1)
    assert "normal to the surface is dropped" in caplog.text
    np.testing.assert_allclose(spec.scale, np.sqrt((tangent**2).sum(1).mean() / 2))


def test_scalars_are_standardised_on_what_is_known():
    one, two = np.arange(len(VERTICES), dtype=float), np.ones(len(FACES))
    one[3] = np.nan
    samples = [sample(p=one), sample(p=two)]
    (spec,) = fit_fields([FieldSpec("p")], samples, role="input", n_jobs=1)
    both = np.concatenate([np.delete(one, 3), two])
    np.testing.assert_allclose((spec.mean, spec.scale), (both.mean(), both.std()))
    with pytest.raises(DataError, match="'p' has values on face and vertex in different"):
        fit_fields([FieldSpec("p")], samples, role="target", n_jobs=1)


def test_values_of_faces_come_to_vertices_by_area():
    flat = TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 2, 0], [-3, 0, 0]], [[0, 1, 2], [0, 2, 3]])
    found = on_vertices(FieldValues(np.array([1.0, 5.0]), "face"), flat)
    np.testing.assert_allclose(found, [(1 * 1 + 3 * 5) / 4, 1, (1 * 1 + 3 * 5) / 4, 5])
    missing = on_vertices(FieldValues(np.array([1.0, np.nan]), "face"), flat)
    np.testing.assert_allclose(missing, [1, 1, 1, np.nan])


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ([{"f": np.ones(len(VERTICES))}], "scalar", "is constant"),
        ([{"f": np.full(len(VERTICES), np.nan)}], "scalar", "missing \\(NaN\\) or masked everywhere"),
        ([{"f": np.arange(len(VERTICES))}, {}, {}], "scalar", "2 of 3 training meshes lack usable targets"),
        ([{"f": MESH.vertex_normals}], "tangent_vector", "choose space_vector"),
        ([{"f": np.ones(3)}], "tangent_vector", "no tangent plane"),
    ],
)
def test_fields_that_teach_nothing_are_refused(fields, kind, message):
    with pytest.raises(DataError, match=message):
        fit_fields([FieldSpec("f", kind)], [sample(**one) for one in fields], role="target", n_jobs=1)
