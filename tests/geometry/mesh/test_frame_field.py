"""Frame fields: orthonormal, tangent, reproducible, and refused where they are none."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh.frame_field import frame_field
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.groups import O2, SO2
from tests.geometry.mesh.surfaces import mobius, saddle, sphere, torus


def frames_of(mesh, frames, **options):
    return frame_field(mesh, HalfedgeSurface.from_mesh(mesh), frames, **options)


@pytest.mark.parametrize("name", ["first_edge", "random", "principal"])
@pytest.mark.parametrize("build", [lambda: torus(30, 12, 0.3), lambda: saddle(12, 0.3), mobius])
def test_columns_are_orthonormal_and_tangent(build, name):
    mesh = build()
    frames = frames_of(mesh, name, seed=0)
    gram = np.einsum("vdi,vdj->vij", frames, frames)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(2), gram.shape), atol=1e-12)
    if build is not mobius:
        normal = np.cross(frames[:, :, 0], frames[:, :, 1])
        np.testing.assert_allclose(normal, mesh.vertex_normals, atol=1e-12)


def test_first_edge_frames_point_along_an_edge():
    mesh = sphere(12)
    surface = HalfedgeSurface.from_mesh(mesh)
    frames = frame_field(mesh, surface, "first_edge")
    first = surface.first
    head = surface.origin[first // 3 * 3 + (first + 1) % 3]
    edge = mesh.vertices[head] - mesh.vertices
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    assert (edge * frames[:, :, 0]).sum(1).min() > 0.98


@pytest.mark.parametrize("name", ["first_edge", "principal"])
def test_frames_move_with_the_surface(name):
    mesh = torus(30, 12, 0.3)
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    q = q * np.linalg.det(q)
    moved = TriangleMesh(mesh.vertices @ q.T + [1.0, 2.0, 3.0], mesh.faces)
    expected = np.einsum("ij,vjk->vik", q, frames_of(mesh, name))
    error = np.abs(frames_of(moved, name) - expected).max((1, 2))
    rotated = np.abs(frames_of(moved, name) + expected).max((1, 2))  # the sign of a principal direction is arbitrary
    assert np.minimum(error, rotated if name == "principal" else np.inf).max() < 1e-6


def test_random_frames_follow_the_seed():
    mesh = torus(30, 12)
    assert np.array_equal(frames_of(mesh, "random", seed=1), frames_of(mesh, "random", seed=1))
    assert not np.allclose(frames_of(mesh, "random", seed=1), frames_of(mesh, "random", seed=2))


def test_principal_frames_of_a_torus_follow_its_meridians():
    """The curvature 1/0.4 around the tube is everywhere the larger one."""
    mesh = torus(80, 32)
    x, y, z = mesh.vertices.T
    u, v = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y) - 1)
    meridian = np.stack([-np.sin(v) * np.cos(u), -np.sin(v) * np.sin(u), np.cos(v)], axis=1)
    along = np.abs((frames_of(mesh, "principal")[:, :, 0] * meridian).sum(1))
    assert along.min() > 0.99
    assert np.abs((frames_of(mesh, "first_edge")[:, :, 0] * meridian).sum(1)).min() < 0.9


def test_isolated_vertices_have_a_frame():
    mesh = torus(30, 12)
    mesh = TriangleMesh(np.concatenate([mesh.vertices, [[5.0, 5.0, 5.0]]]), mesh.faces)
    for name in ("first_edge", "random", "principal"):
        frame = frames_of(mesh, name, seed=0)[-1]
        np.testing.assert_allclose(frame.T @ frame, np.eye(2), atol=1e-12)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f[:-1], r"shape \(360, 3, 2\).*\(359, 3, 2\)"),
        (lambda f: f * np.nan, "NaN"),
        (lambda f: f * 1.5, "orthonormal columns; 360 are not, the first at vertex 0: orthonormalise"),
        (lambda f: np.roll(f, 1, axis=1), "tangent"),
        (lambda f: f[:, :, ::-1], "counter-clockwise about the outward normal.*swap their columns, or use O\\(2\\)"),
        (lambda f: "last_edge", "'last_edge'"),
    ],
)
def test_malformed_frames_are_refused(change, message):
    mesh = torus(30, 12)
    frames = change(frames_of(mesh, "first_edge"))
    with pytest.raises(ValueError, match=message):
        mesh.gauge_graph(SO2(), mean_neighbors=8, frames=frames)


def test_o2_takes_frames_of_either_orientation_and_tensors():
    mesh = torus(30, 12)
    frames = torch.from_numpy(frames_of(mesh, "first_edge")[:, :, ::-1].copy())
    graph = mesh.gauge_graph(O2(), mean_neighbors=8, frames=frames, dtype=torch.float64)
    torch.testing.assert_close(graph.frame, frames)
