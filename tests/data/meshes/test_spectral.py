"""Spectra against closed forms, signatures against isometries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data import HeatKernelSignature, WaveKernelSignature
from gaugenet.data.meshes import _eigenpairs
from gaugenet.data.meshes.spectral import Spectrum, laplacian_spectrum
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.graphs import simple_graph
from tests.data.meshes.helpers import grid, icosphere, torus

SIGNATURES = [HeatKernelSignature(8, num_eigenvectors=48), WaveKernelSignature(8, num_eigenvectors=48)]


def signature(feature, mesh):
    return feature.signature(laplacian_spectrum(mesh, feature.num_eigenvectors, laplacian=feature.laplacian))


def both(mesh_a, mesh_b):
    """Two meshes in one."""
    faces = np.concatenate([mesh_a.faces, mesh_b.faces + mesh_a.num_vertices])
    return TriangleMesh(np.concatenate([mesh_a.vertices, mesh_b.vertices]), faces)


def test_spectrum_of_the_sphere():
    spectrum = laplacian_spectrum(icosphere(4), 9)
    expected = 4 * np.pi * np.array([0, 2, 2, 2, 6, 6, 6, 6, 6])
    np.testing.assert_allclose(spectrum.values, expected, rtol=0.01, atol=1e-6)


@pytest.mark.parametrize("copies", [1, 20])
def test_sparse_solver_misses_no_function_of_an_eigenspace(copies, monkeypatch):
    monkeypatch.setattr(_eigenpairs, "_DENSE_BELOW", 0)
    one = icosphere(3) if copies == 1 else icosphere(1)
    many = TriangleMesh(
        np.concatenate([one.vertices + 3 * i for i in range(copies)]),
        np.concatenate([one.faces + i * one.num_vertices for i in range(copies)]),
    )
    found = laplacian_spectrum(many, 9 if copies == 1 else 4 * copies).values
    monkeypatch.setattr(_eigenpairs, "_DENSE_BELOW", 10**6)
    np.testing.assert_allclose(found, laplacian_spectrum(many, len(found)).values, rtol=1e-7, atol=1e-7)


def test_spectrum_of_a_rectangle():
    mesh = grid(41, 21)
    expected = np.sort([np.pi**2 * (a**2 / 40**2 + b**2 / 20**2) * 800 for a in range(5) for b in range(3)])[:8]
    np.testing.assert_allclose(laplacian_spectrum(mesh, 8).values, expected, rtol=0.01, atol=1e-6)


@pytest.mark.parametrize("dense", [True, False])
def test_functions_are_orthonormal_on_area_one(dense, monkeypatch):
    monkeypatch.setattr(_eigenpairs, "_DENSE_BELOW", 10**6 if dense else 0)
    mesh = torus(24, 12)
    spectrum = laplacian_spectrum(mesh, 10)
    assert spectrum.functions.shape[1] == 9  # the tenth would be one of a pair
    gram = spectrum.functions.T @ (spectrum.functions * (mesh.vertex_areas / mesh.area)[:, None])
    np.testing.assert_allclose(gram, np.eye(9), atol=1e-8)


def test_each_part_has_its_constant_and_isolated_vertices_none():
    mesh = both(icosphere(2), torus(16, 8))
    alone = TriangleMesh(np.concatenate([mesh.vertices, [[5.0, 5.0, 5.0]]]), mesh.faces)
    spectrum = laplacian_spectrum(alone, 6)
    np.testing.assert_allclose(spectrum.values[:2], 0, atol=1e-8)
    assert spectrum.values[2] > 1
    assert (spectrum.functions[-1] == 0).all()
    for feature in SIGNATURES:
        values = signature(feature, alone)
        assert np.isfinite(values).all()
        assert (values[-1] == 0).all()


def test_a_loose_fragment_does_not_change_the_heat_elsewhere():
    body, crumb, heat = torus(32, 16), icosphere(1), HeatKernelSignature()
    mesh, n = both(body, TriangleMesh(0.01 * crumb.vertices + 9, crumb.faces)), body.num_vertices
    alone, values = signature(heat, body), signature(heat, mesh)
    assert np.abs(values[:n] - alone).max() < 0.002
    assert np.isfinite(values).all()
    found = laplacian_spectrum(mesh, heat.num_eigenvectors)
    over_all = heat.signature(Spectrum(found.values, found.functions))  # the mean counts the constants of both parts
    assert np.abs(over_all[:n] - alone).max() > 0.5


@pytest.mark.parametrize("fragments", [1, 20, 70])
@pytest.mark.parametrize("kind", [HeatKernelSignature, WaveKernelSignature])
def test_constants_of_loose_fragments_take_no_pairs_from_the_rest(kind, fragments):
    """They did: the rest was left with 64 - fragments pairs, and from 64 fragments on with its constant."""
    feature, body, crumb = kind(8, num_eigenvectors=64), torus(32, 16), icosphere(0)
    shift = 3 * np.arange(1, fragments + 1)[:, None, None] + np.zeros(3)
    crumbs = TriangleMesh(
        (0.001 * crumb.vertices + shift).reshape(-1, 3),
        (crumb.faces + crumb.num_vertices * np.arange(fragments)[:, None, None]).reshape(-1, 3),
    )
    alone, mesh = laplacian_spectrum(body, 64), both(body, crumbs)
    found = laplacian_spectrum(mesh, 64)
    kept = min(fragments, 63)  # only the 64 largest parts are included
    np.testing.assert_allclose(found.values[: kept + 1], 0, atol=1e-6)
    np.testing.assert_allclose(found.values[kept:], alone.values, rtol=3e-4, atol=1e-6)  # the area is larger
    assert np.abs(signature(feature, mesh)[: body.num_vertices] - signature(feature, body)).max() < 2e-4


@pytest.mark.parametrize("height", [1e-9, 1e-11, 1e-13])
def test_a_loose_sliver_is_left_out(height):
    """Rounding errors gave noise there, or a singular matrix and a RuntimeError."""
    sliver = TriangleMesh([[5.0, 0.0, 0.0], [5.1, 0.0, 0.0], [5.2, height, 0.0]], [[0, 1, 2]])
    ball = icosphere(3)
    x = ball.vertices * [1.0, 1.3, 0.8]
    body = TriangleMesh(x * (1 + 0.2 * np.sin(3 * x[:, :1])), ball.faces)
    for feature in (HeatKernelSignature(), *SIGNATURES):
        alone, together = signature(feature, body), signature(feature, both(body, sliver))
        np.testing.assert_allclose(together[: body.num_vertices], alone, atol=1e-6)
        assert not together[body.num_vertices :].any()


def test_fewer_vertices_than_eigenvectors():
    assert laplacian_spectrum(icosphere(0), 128).values.shape == (12,)
    assert np.isfinite(signature(HeatKernelSignature(), icosphere(0))).all()
    points = TriangleMesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=int))
    np.testing.assert_array_equal(signature(HeatKernelSignature(4), points), np.zeros((3, 4)))


def test_heat_kernel_signature_of_a_sphere_is_zero_and_of_a_torus_is_not():
    assert np.abs(signature(HeatKernelSignature(), icosphere(4))).max() < 0.011
    assert np.abs(signature(HeatKernelSignature(), torus(32, 16))).max() > 0.1


@pytest.mark.parametrize("feature", SIGNATURES, ids=lambda f: type(f).__name__)
def test_signatures_do_not_notice_motions_scale_and_order(feature, rng):
    mesh = torus(25, 12, minor=0.3)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    order = rng.permutation(mesh.num_vertices)
    inverse = np.argsort(order)
    moved = TriangleMesh(7 * mesh.vertices[order] @ rotation.T + [1, 2, 3], inverse[mesh.faces][:, [1, 2, 0]])
    np.testing.assert_allclose(signature(feature, moved), signature(feature, mesh)[order], atol=1e-6)


@pytest.mark.parametrize("feature", SIGNATURES, ids=lambda f: type(f).__name__)
def test_signatures_do_not_notice_bending(feature):
    """A sheet rolled into half a cylinder along its grid lines is isometric to the flat one, face by face."""
    flat = grid(25, 13)
    step = np.pi / 24
    radius = 1 / (2 * np.sin(step / 2))  # chords of length 1
    angle = flat.vertices[:, 0] * step
    rolled = TriangleMesh(
        np.stack([radius * np.cos(angle), flat.vertices[:, 1], radius * np.sin(angle)], axis=-1), flat.faces
    )
    np.testing.assert_allclose(signature(feature, rolled), signature(feature, flat), atol=1e-6)
    stretched = TriangleMesh(flat.vertices * [1.5, 1, 1], flat.faces)
    assert np.abs(signature(feature, stretched) - signature(feature, flat)).max() > 0.05


def test_robust_laplacian_agrees_where_the_mesh_is_good():
    pytest.importorskip("robust_laplacian")
    mesh = icosphere(3)
    robust = laplacian_spectrum(mesh, 9, laplacian="robust")
    np.testing.assert_allclose(robust.values, laplacian_spectrum(mesh, 9).values, rtol=0.02, atol=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match="got 0 and 128"):
        HeatKernelSignature(0)
    with pytest.raises(ValueError, match="'cotan' or 'robust'"):
        HeatKernelSignature(laplacian="graph")


def test_signature_as_a_transform():
    feature = SIGNATURES[0]
    graph = feature(simple_graph(icosphere(1), dtype=torch.float32))
    assert graph[feature.key].dtype == torch.float32
    assert graph[feature.key].shape == (42, 8)
