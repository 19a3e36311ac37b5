"""Cross fields: indices, Poincare-Hopf, a flat connection off the singular points, exact equivariance."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from scipy.sparse import diags
from scipy.sparse.linalg import eigsh

from gaugenet.geometry import CrossField, MeshError, TriangleMesh, cross_field
from gaugenet.geometry.mesh._cross_field import _edge_transport
from gaugenet.geometry.mesh._direction_field import connection_laplacian
from gaugenet.geometry.mesh.frame_field import rotations
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Trivial
from gaugenet.nn import GaugeConv
from gaugenet.testing import assert_gauge_equivariant
from tests.geometry.mesh.surfaces import mobius, saddle, sphere, square, torus
from tests.tolerances import TOL, relative

MESHES = {
    "sphere": lambda: sphere(6, 0.1),
    "torus": lambda: torus(30, 12, 0.2),
    "square": lambda: square(9, 0.3),
    "saddle": lambda: saddle(9, 0.3),
}
build = cache(lambda name: MESHES[name]())
field_on = cache(lambda name, n, align=None: cross_field(build(name), n, align=align))


def together(*meshes):
    """One mesh of several components, and which vertices and faces are whose."""
    offsets = np.cumsum([0] + [m.num_vertices for m in meshes])
    vertices = np.concatenate([m.vertices + [10.0 * k, 0, 0] for k, m in enumerate(meshes)])
    return TriangleMesh(vertices, np.concatenate([m.faces + o for m, o in zip(meshes, offsets[:-1], strict=True)]))


def planar_field(mesh, angle, n):
    """Frames of a mesh in the plane z = 0, rotated by an angle."""
    frames = np.zeros((mesh.num_vertices, 3, 2))
    frames[:, :2] = rotations(angle)
    return CrossField(mesh, n, frames)


def round_faces(mesh, graph):
    """Products of the transporters around every face, which transport a vector round it counter-clockwise."""
    source, target = graph.edge_index
    number = torch.full((mesh.num_vertices,) * 2, -1)
    number[source, target] = torch.arange(len(source))
    a, b, c = torch.from_numpy(mesh.faces).T
    t = graph.transporter
    return t[number[c, a]] @ t[number[b, c]] @ t[number[a, b]]


# --- indices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4, 6])
@pytest.mark.parametrize("transport", [-2, 0, 1, 3])
def test_the_index_counts_turns_around_a_point(n, transport):
    """Crosses at angle k theta / n rotate k / n times around the origin, and nowhere else."""
    mesh = square(10)
    x, y, _ = mesh.vertices.T
    field = planar_field(mesh, transport * np.arctan2(y - 0.02, x - 0.01) / n, n)
    inside = {s.face for s in field.singularities}
    assert sum(s.index for s in field.singularities) == Fraction(transport, n)
    centers = mesh.vertices[mesh.faces[sorted(inside)]].mean(axis=1)
    assert np.linalg.norm(centers[:, :2], axis=1).max(initial=0) < 0.6  # the rotates of more than one spread a little
    assert len(inside) == 1 if abs(transport) == 1 else bool(inside) == bool(transport)
    assert set(field.singular_vertices) == set(mesh.faces[sorted(inside)].ravel())
    if abs(transport) == 1:
        nearest = np.argsort(np.linalg.norm(mesh.vertices[:, :2] - [0.01, 0.02], axis=1))[:3]
        assert set(field.singular_vertices) == set(nearest)


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("name, euler", [("sphere", 2), ("torus", 0)])
def test_indices_add_up_to_the_euler_characteristic(name, euler, n):
    assert sum(s.index for s in field_on(name, n).singularities) == euler


@pytest.mark.parametrize("name, euler", [("sphere", 2), ("torus", 0)])
def test_poincare_hopf_holds_for_any_field_but_not_with_one_face_cut_out(name, euler):
    mesh = build(name)
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, mesh.num_vertices)
    index = CrossField(mesh, 4, field_on(name, 4).frames @ rotations(angle)).index
    assert index.sum() == 4 * euler
    assert np.count_nonzero(index) > 10
    wound = int(np.flatnonzero(index)[0])
    assert index.sum() - index[wound] != 4 * euler


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_the_smoothest_field_on_a_sphere_has_2n_singularities(n):
    """No pair of opposite index; where they lie is free on a round sphere."""
    assert [s.index for s in field_on("sphere", n).singularities] == [Fraction(1, n)] * (2 * n)


@pytest.mark.parametrize("n", [1, 4])
def test_energies_on_the_unit_sphere_are_those_of_landau_levels(n):
    """The lowest eigenvalue of the connection Laplacian of degree 2 n is n, 2 n + 1 times; the next one is 3 n + 2."""
    transport = _edge_transport(sphere(8, 0.1))
    laplacian, mass = connection_laplacian(transport, n).tocsc(), diags(transport.mesh.vertex_areas).tocsc()
    energy = np.sort(eigsh(laplacian, 2 * n + 2, mass, sigma=0, return_eigenvectors=False))
    np.testing.assert_allclose(energy[:-1], n, rtol=0.06)
    np.testing.assert_allclose(energy[-1], 3 * n + 2, rtol=0.06)


@pytest.mark.parametrize("n", [1, 4, 6])
def test_a_flat_square_has_parallel_crosses_and_none_singular(n):
    field = field_on("square", n)
    assert field.singularities == []
    assert np.abs(field.frames - field.frames[0]).max() < 1e-6
    x, y, _ = build("square").vertices.T
    assert len(planar_field(build("square"), np.arctan2(y - 0.02, x - 0.01) / n, n).singularities) == 1


def test_every_component_has_its_own_smoothest_field():
    """An eigenvector of the whole would live on one component only."""
    mesh = together(build("torus"), build("sphere"), build("square"), TriangleMesh(np.eye(3), [[0, 1, 2]]))
    index = cross_field(mesh, 4).index
    faces = np.cumsum([build(name).num_faces for name in ("torus", "sphere", "square")])
    assert [part.sum() for part in np.split(index, faces)] == [0, 8, 0, 0]
    np.testing.assert_array_equal(np.split(index, faces)[1], field_on("sphere", 4).index)


def test_the_smoothest_field_is_smoother_than_others():
    mesh = build("sphere")
    graph = field_on("sphere", 4).gauge_graph(neighborhood="one_ring")
    principal = CrossField(mesh, 4, "principal").gauge_graph(neighborhood="one_ring")
    assert graph.ambiguous.sum() < 0.2 * principal.ambiguous.sum()


def test_aligned_crosses_follow_the_meridians_of_a_torus():
    mesh = build("torus")
    x, y, z = mesh.vertices.T
    u, v = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y) - 1)
    meridian = np.stack([-np.sin(v) * np.cos(u), -np.sin(v) * np.sin(u), np.cos(v)], axis=1)

    def along(align):
        across, on = np.einsum("vd,vdi->iv", meridian, field_on("torus", 2, align).frames)
        return np.abs(np.cos(np.arctan2(on, across)))

    assert field_on("torus", 2, "curvature").singularities == []
    assert along("curvature").min() > 0.95  # the first axis, of the larger curvature
    assert along(None).min() < 0.5


# --- the gauge graph ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, n", [("sphere", 4), ("sphere", 6), ("torus", 4), ("saddle", 4)])
def test_the_connection_turns_around_singular_faces_by_their_index_and_is_flat_elsewhere(name, n):
    field = field_on(name, n)
    graph = field.gauge_graph(neighborhood="one_ring", dtype=torch.float64)
    around = round_faces(field.mesh, graph)
    expected = torch.from_numpy(rotations(2 * np.pi * field.index / n))
    torch.testing.assert_close(around, expected, atol=TOL[torch.float64], rtol=0)
    assert Cyclic(n).contains(graph.transporter).all()
    assert graph.structure == f"C_{n}"
    curved = field.mesh.gauge_graph(SO2(), neighborhood="one_ring", frames=field.frames, dtype=torch.float64)
    assert (round_faces(field.mesh, curved) - expected).abs().max() > 1e-2


@pytest.mark.parametrize("n", [4, 6])
def test_another_representative_gives_the_gauge_transformed_graph(n):
    field = field_on("sphere", n)
    graph = field.gauge_graph(mean_neighbors=8, dtype=torch.float64)

    def error(g):
        other = CrossField(field.mesh, n, field.frames @ g.mT.numpy()).gauge_graph(
            mean_neighbors=8, dtype=torch.float64
        )
        moved = graph.gauge_transform(g)
        return max(relative(other[k], moved[k]) for k in ("frame", "log_map", "transporter"))

    generator = torch.Generator().manual_seed(0)
    size = field.mesh.num_vertices
    assert error(Cyclic(n).random_element(size, generator=generator)) < TOL[torch.float64]
    assert error(SO2().random_element(size, generator=generator)) > 0.1


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(4)], ids=repr)
def test_a_convolution_of_regular_fields_is_equivariant(group):
    graph = field_on("sphere", 4).gauge_graph(group, mean_neighbors=8, dtype=torch.float64)
    fields = FieldType(group, "2xregular")
    report = assert_gauge_equivariant(GaugeConv(fields, fields).double(), graph)
    assert report.error < TOL[torch.float64]
    assert report.control > 1e-2


def test_a_network_does_not_notice_rigid_motions():
    mesh = build("sphere")
    mesh = TriangleMesh(mesh.vertices * [1.0, 1.2, 1.5], mesh.faces)
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    moved = TriangleMesh(mesh.vertices @ (q * np.linalg.det(q)).T + [1.0, 2.0, 3.0], mesh.faces)
    mirrored = TriangleMesh(mesh.vertices * [1, 1, -1], mesh.faces[:, ::-1])
    fields = FieldType(Cyclic(4), "1xregular")
    conv = GaugeConv(FieldType(Cyclic(4), "1x0"), fields).double()
    x = torch.randn(mesh.num_vertices, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def invariant(m):
        """The largest over C_4: crosses have no first direction."""
        graph = cross_field(m, 4).gauge_graph(mean_neighbors=8, dtype=torch.float64)
        return conv(x, graph).amax(dim=1)

    assert relative(invariant(moved), invariant(mesh)) < 1e-6
    assert relative(invariant(mirrored), invariant(mesh)) > 1e-3


# --- singular points by name --------------------------------------------------------------------------------------


def test_every_singular_face_has_an_ambiguous_edge_and_they_can_be_dropped():
    field = field_on("sphere", 4)
    ring = field.gauge_graph(neighborhood="one_ring")
    marked = {frozenset(e) for e in ring.edge_index[:, ring.ambiguous].T.tolist()}
    for s in field.singularities:
        a, b, c = field.mesh.faces[s.face].tolist()
        assert marked & {frozenset((a, b)), frozenset((b, c)), frozenset((c, a))}
    whole, dropped = (field.gauge_graph(mean_neighbors=12, singular=s) for s in ("keep", "drop"))
    assert dropped.edge_index.shape[1] == int((~whole.ambiguous).sum()) < len(whole.ambiguous)
    own = [1 - torch.zeros(len(g.pos)).index_add(0, g.edge_index[1], g.weight) for g in (whole, dropped)]
    assert (own[1] >= own[0] - 1e-6).all()  # the share of the centre never shrinks
    assert (own[1] > 0).all()


def test_ambiguous_edges_are_refused_with_the_names_of_the_points():
    field = field_on("sphere", 4)
    with pytest.raises(MeshError) as error:
        field.gauge_graph(mean_neighbors=12, singular="refuse")
    assert all(f"near face {s.face} (index +1/4)" in str(error.value) for s in field.singularities)
    field_on("square", 4).gauge_graph(mean_neighbors=12, singular="refuse")


def test_frames_without_singular_points_are_an_e_structure_and_others_are_refused_by_name():
    graph = field_on("square", 4).gauge_graph(Trivial(2), mean_neighbors=8)
    assert torch.equal(graph.transporter, torch.eye(2).expand_as(graph.transporter))
    field = field_on("sphere", 4)
    with pytest.raises(MeshError, match=r"not a Trivial-structure.*around singular points") as error:
        field.gauge_graph(Trivial(2), mean_neighbors=8)
    assert all(str(s) in str(error.value) for s in field.singularities)


def test_crosses_along_a_vector_field_follow_it_and_are_singular_where_it_vanishes():
    mesh = build("torus")
    around = np.cross([0, 0, 1.0], mesh.vertices)
    field = CrossField.along(mesh, around)
    assert field.singularities == []
    graph = field.gauge_graph(Trivial(2), mean_neighbors=8)
    assert torch.equal(graph.transporter, torch.eye(2).expand_as(graph.transporter))
    along = np.cross(around, field.frames[:, :, 0]) / np.linalg.norm(around, axis=1, keepdims=True)
    assert np.linalg.norm(along, axis=1).max() < 0.1  # up to what is not tangent to the discrete surface
    for n in (1, 4):
        up = CrossField.along(build("sphere"), np.tile([0, 0, 1.0], (build("sphere").num_vertices, 1)), n)
        assert sum(s.index for s in up.singularities) == 2
        assert all(abs(s.pos[2]) > 0.9 for s in up.singularities)  # at both poles
    upright = CrossField.along(build("sphere"), np.tile([0, 0, 1.0], (build("sphere").num_vertices, 1)))
    with pytest.raises(MeshError, match=r"near face \d+ \(index \+1\)"):
        upright.gauge_graph(Trivial(2), mean_neighbors=8, singular="refuse")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: CrossField.along(build("square"), np.ones((3, 3))), r"of shape \(81, 3\)"),
        (
            lambda: CrossField.along(build("square"), np.tile([0, 0, 1.0], (81, 1))),
            "81 have none, the first at vertex 0",
        ),
        (lambda: cross_field(mobius(), 4), "orient"),
        (lambda: cross_field(build("square"), 0), "`n` to be a positive integer, got 0"),
        (lambda: cross_field(build("square"), 4, align="curvature"), "component of vertex 0 is flat"),
        (lambda: cross_field(build("torus"), 3, align="curvature"), "only even `n`"),
        (lambda: cross_field(build("torus"), 4, align="curves"), "'curves'"),
        (lambda: field_on("square", 4).gauge_graph(O2(), mean_neighbors=8), "finite structure group.*got O\\(2\\)"),
        (lambda: field_on("square", 4).gauge_graph(singular="hide", mean_neighbors=8), "'hide'"),
        (lambda: field_on("sphere", 4).gauge_graph(Cyclic(6), mean_neighbors=8), "not a C_6-structure"),
        (lambda: CrossField(build("square"), 4, np.ones((81, 3, 2))), "orthonormal"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()
