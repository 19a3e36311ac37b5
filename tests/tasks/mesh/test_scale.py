"""The training meshes fix the lengths of a network: the surface decides, not its triangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from gaugenet.data import LabelledMeshFolder
from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh._hierarchy import mesh_hierarchy
from gaugenet.groups import SO2, FieldType
from gaugenet.nn import GaugeConv
from gaugenet.tasks.mesh.data_options import GeometryOptions
from gaugenet.tasks.mesh.scale import fixed_lengths, without_lengths
from tests.tasks.mesh.meshes import ellipsoid, write_folder

BY_COUNT = GeometryOptions(mean_neighbors=12, levels=3)


def finer(mesh: TriangleMesh, times: int = 1) -> TriangleMesh:
    """The same surface with four times the faces; the old vertices come first."""
    vertices, faces = mesh.vertices, mesh.faces
    for _ in range(times):
        vertices, faces = trimesh.remesh.subdivide(vertices, faces)
    return TriangleMesh(vertices, faces)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return LabelledMeshFolder(write_folder(tmp_path_factory.mktemp("set"), train=4, val=1, test=1), "train")


@pytest.fixture(scope="module")
def mesh():
    return TriangleMesh(*ellipsoid(7)[:2])


@pytest.fixture(scope="module")
def fixed(folder):
    return fixed_lengths(BY_COUNT, folder, n_jobs=1)


def test_the_radius_is_that_of_the_median_training_mesh(folder, fixed):
    expected = np.median([BY_COUNT.radius_on(s.mesh) / np.sqrt(s.mesh.area) for s in folder])
    assert fixed.relative_radius == pytest.approx(expected, rel=1e-5)
    assert (fixed.density, fixed.mean_neighbors) == (12, None)
    assert fixed_lengths(fixed, folder, n_jobs=1) == fixed
    assert without_lengths(fixed) == BY_COUNT


def test_a_radius_of_the_users_own_stays_and_its_points_are_counted(folder):
    own = fixed_lengths(GeometryOptions(radius=0.5), folder, n_jobs=1)
    counts = [np.pi * 0.5**2 * s.mesh.num_vertices / s.mesh.area for s in folder]
    assert (own.radius, own.relative_radius) == (0.5, None)
    assert own.density == pytest.approx(np.median(counts), rel=1e-5)
    assert without_lengths(own) == GeometryOptions(radius=0.5)


def test_one_rings_have_no_length_to_fix(folder):
    rings = GeometryOptions(neighborhood="one_ring")
    assert fixed_lengths(rings, folder, n_jobs=1) is rings


def test_levels_have_the_same_radii_and_numbers_of_points_however_fine_the_triangles(mesh, fixed):
    coarse, fine = (mesh_hierarchy(m, SO2(), fixed, dtype=torch.float64) for m in (mesh, finer(mesh)))
    for level in range(3):
        assert float(coarse.level(level).radius) == pytest.approx(float(fine.level(level).radius), rel=1e-9)
    assert [coarse.level_size(k) for k in (1, 2)] == [fine.level_size(k) for k in (1, 2)]
    by_count = mesh_hierarchy(finer(mesh), SO2(), BY_COUNT, dtype=torch.float64)
    assert by_count.level_size(1) > 3 * fine.level_size(1), "control: a size by count follows the triangles"
    assert float(by_count.radius) == pytest.approx(float(fine.radius) / 2, rel=0.05)


def test_units_change_lengths_and_nothing_else(mesh, fixed):
    one, thousand = (
        mesh_hierarchy(m, SO2(), fixed, dtype=torch.float64)
        for m in (mesh, TriangleMesh(1000 * mesh.vertices, mesh.faces))
    )
    for key in ("edge_index", "l1_edge_index", "l2_node_index"):
        assert torch.equal(one[key], thousand[key])
    assert float(thousand.radius) == pytest.approx(1000 * float(one.radius))


def test_convolutions_converge_on_ever_finer_triangles_of_one_surface(mesh, fixed):
    """Waves about as long as the radius, through two convolutions: old vertices get the same at x4 and at x16."""
    torch.manual_seed(0)
    scalars, vectors = FieldType(SO2(), "3x0"), FieldType(SO2(), "6x0 + 6x1")
    first, second = GaugeConv(scalars, vectors).double(), GaugeConv(vectors, scalars).double()

    def outputs(surface: TriangleMesh, options: GeometryOptions) -> torch.Tensor:
        graph = mesh_hierarchy(surface, SO2(), options, dtype=torch.float64)
        with torch.no_grad():
            return second(first(torch.cos(8 * graph.pos), graph), graph)[: mesh.num_vertices]

    def moved(options: GeometryOptions) -> float:
        options = replace(options, levels=1)
        fine, finest = outputs(finer(mesh), options), outputs(finer(mesh, 2), options)
        return float((finest - fine).norm() / (fine - fine.mean(0)).norm())

    assert moved(fixed) < 0.15
    assert moved(BY_COUNT) > 0.3, "control: a radius by count is another one on each mesh"
