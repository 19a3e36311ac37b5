"""Other meshes of the same surfaces: the surface stays, the triangles change, labels follow."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data import (
    AnisotropicRemeshing,
    Cut,
    Decimation,
    GraphCache,
    Holes,
    IsotropicRemeshing,
    LabelledMeshFolder,
    RemeshedMeshes,
    Subdivision,
    VertexNoise,
)
from gaugenet.geometry import Icosphere, MeshError, TriangleMesh
from gaugenet.geometry.mesh.closest import closest_points
from gaugenet.groups import SO2
from gaugenet.tasks import DataOptions, TaskError
from gaugenet.tasks.mesh.augmentation import build_remeshings
from tests.tasks.mesh.meshes import write_folder

RULES = [Subdivision(), Decimation(0.5), IsotropicRemeshing(), AnisotropicRemeshing(3.0), VertexNoise(0.01)]


@pytest.fixture(scope="module")
def bumpy() -> TriangleMesh:
    sphere = Icosphere(3)
    pos = sphere.pos.numpy()
    return TriangleMesh(pos * (1 + 0.2 * np.sin(4 * pos[:, :1])) * [1.0, 1.3, 0.8], sphere.face.T)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_surface_stays_and_its_mesh_changes(rule, bumpy):
    found = rule.remeshed(bumpy, np.random.default_rng(0))
    size = np.sqrt(bumpy.area)
    assert abs(found.area / bumpy.area - 1) < 0.03
    assert closest_points(bumpy, found.vertices).distance.max() < 0.01 * size
    assert closest_points(found, bumpy.vertices).distance.max() < 0.03 * size
    assert found.num_vertices - len(found.edges) + found.num_faces == 2, "a sphere, still"
    assert found.vertices.shape != bumpy.vertices.shape or not np.allclose(found.vertices, bumpy.vertices)
    again = rule.remeshed(bumpy, np.random.default_rng(0))
    assert np.array_equal(found.vertices, again.vertices)
    assert np.array_equal(found.faces, again.faces)


@pytest.mark.parametrize("rule", [Cut(0.1), Holes(1, 0.05)], ids=repr)
def test_a_cut_keeps_all_parts_of_a_mesh(rule, bumpy):
    """Eyes are not lost because they are no part of the head; pieces of one part that fall off are."""
    count, small = bumpy.num_vertices, 0.2 * bumpy.vertices
    shifts = np.array([[0.0, 0.0, 0.0], [1.5, 0.3, 0.0], [-1.5, 0.3, 0.0]])
    vertices = np.concatenate([bumpy.vertices, small + shifts[1], small + shifts[2]])
    both = TriangleMesh(vertices, np.concatenate([bumpy.faces + k * count for k in range(3)]))
    for seed in range(5):
        found = rule.remeshed(both, np.random.default_rng(seed))
        assert found.area > 0.89 * both.area - 0.04 * bumpy.area, "a small part may lie beyond the plane"
        assert 2 <= found.vertex_components.max() + 1 <= 3


@pytest.mark.parametrize("rule, value", [(Subdivision, 1.5), (Holes, 2.5), (Subdivision, "2"), (Decimation, "0.5")])
def test_options_of_another_type_are_refused(rule, value):
    """When the rule is made, not hours later in the preparation of the first mesh."""
    with pytest.raises(ValueError, match=f"got {value!r}"):
        rule(value)


def test_numbers_and_shapes_of_triangles(bumpy):
    rng = np.random.default_rng(0)
    assert Subdivision(2).remeshed(bumpy, rng).num_faces == 16 * bumpy.num_faces
    assert Decimation(0.25).remeshed(bumpy, rng).num_vertices == pytest.approx(0.25 * bumpy.num_vertices, abs=2)
    even, uneven = (rule.remeshed(bumpy, rng) for rule in (IsotropicRemeshing(), AnisotropicRemeshing(4.0)))
    for mesh in (even, uneven):
        assert mesh.num_vertices == pytest.approx(bumpy.num_vertices, rel=0.02)
    spread = [m.edge_lengths.std() / m.edge_lengths.mean() for m in (even, uneven)]
    assert spread[0] < 0.3 < 0.4 < spread[1]
    new = closest_points(bumpy, even.vertices).weight.max(axis=1) < 0.999
    assert new.mean() > 0.5, "most vertices are new"


def test_holes_and_cuts_leave_one_open_part(bumpy):
    holes = Holes(4, 0.08).remeshed(bumpy, np.random.default_rng(1))
    cut = Cut(0.2).remeshed(bumpy, np.random.default_rng(1))
    for mesh, lost in ((holes, (0.02, 0.1)), (cut, (0.19, 0.25))):
        assert lost[0] < 1 - mesh.area / bumpy.area < lost[1]
        assert closest_points(bumpy, mesh.vertices).distance.max() < 1e-9
        assert mesh.num_vertices - len(mesh.edges) + mesh.num_faces < 2, "open"


def test_labels_follow_the_surface(tmp_path):
    samples = LabelledMeshFolder(write_folder(tmp_path / "data", train=3, val=1, test=1), "train")
    both = RemeshedMeshes(samples, RULES[:4], SO2())
    assert len(both) == 15 == len(set(both.names))
    assert both.class_values == samples.class_values
    for k, sample in enumerate(both):
        original = samples[k % 3]
        assert sample.name == both.names[k]
        centers = sample.mesh.vertices[sample.mesh.faces].mean(axis=1)
        place = closest_points(original.mesh, centers, sample.mesh.face_normals).face
        assert np.array_equal(sample.face_labels, original.face_labels[place])
    assert np.array_equal(both[-1].mesh.vertices, both[14].mesh.vertices)
    subdivided = both[3]
    assert np.array_equal(subdivided.face_labels, np.tile(samples[0].face_labels, 4)), "each face's own four parts"


def test_copies_are_made_once(tmp_path, caplog):
    made = []

    class Counted(VertexNoise):
        def remeshed(self, mesh, rng):
            made.append(self.size)
            if self.size > 0.5:
                raise MeshError("no such mesh.")
            return super().remeshed(mesh, rng)

    samples = LabelledMeshFolder(write_folder(tmp_path / "data", train=2, val=0, test=0), "train")
    rules = [Counted(0.1), Counted(0.2), Counted(1.0)]
    plain = list(RemeshedMeshes(samples, rules, SO2()))
    assert len(made) == 6
    for _ in range(2):
        cached = list(RemeshedMeshes(samples, rules, SO2(), cache=GraphCache(tmp_path / "cache")))
        assert len(made) == 12, "the second time nothing is made"
        for one, other in zip(plain, cached, strict=True):
            assert one.name == other.name
            assert np.array_equal(one.mesh.vertices, other.mesh.vertices)
            assert np.array_equal(one.mesh.faces, other.mesh.faces)
            assert np.array_equal(one.face_labels, other.face_labels)
    caplog.clear()
    with caplog.at_level("INFO"):
        list(RemeshedMeshes(samples, rules, SO2(), cache=GraphCache(tmp_path / "cache")))
    assert sum("no such mesh" in record.message for record in caplog.records) == 2
    list(RemeshedMeshes(samples, [Counted(0.3)], SO2(), cache=GraphCache(tmp_path / "cache")))
    assert len(made) == 14, "another rule makes its own"


def test_labels_of_vertices_and_repaired_meshes(tmp_path):
    folder = write_folder(tmp_path / "data", train=1, val=0, test=0)
    count = TriangleMesh.load(folder / "train" / "body0.obj").num_vertices
    np.save(folder / "train" / "body0.npy", np.arange(count) % 3)
    samples = LabelledMeshFolder(folder, "train")
    (_, other) = RemeshedMeshes(samples, [Subdivision()], SO2())
    assert np.array_equal(other.vertex_labels[:count], samples[0].vertex_labels)
    middle = other.vertex_labels[count:]
    ends = samples[0].vertex_labels[samples[0].mesh.edges]
    assert (middle[:, None] == ends).any(axis=1).all()


def test_rules_by_name():
    assert repr(build_remeshings(DataOptions(remesh="Decimation(0.5), Holes()"))) == (
        "[Decimation(share=0.5), Holes(count=3, radius=0.05)]"
    )
    with pytest.raises(TaskError, match="Decimation"):
        build_remeshings(DataOptions(remesh="Coarser()"))
    with pytest.raises(TaskError, match="share"):
        build_remeshings(DataOptions(remesh="Decimation(7)"))
    with pytest.raises(TaskError, match=r"data\.inputs"):
        build_remeshings(DataOptions(remesh="Decimation()", inputs={"height": "scalar"}))
