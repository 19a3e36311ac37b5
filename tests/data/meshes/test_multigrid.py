"""Eigenpairs from coarse to fine, against shift-invert Lanczos and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data import HeatKernelSignature
from gaugenet.data.meshes import _eigenpairs
from gaugenet.data.meshes._coarse_points import interpolation
from gaugenet.data.meshes._multigrid import Level
from gaugenet.data.meshes.laplacian import cotan_laplacian
from gaugenet.data.meshes.spectral import Spectrum, laplacian_spectrum
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.helpers import grid, icosphere, torus
from tests.geometry.mesh.surfaces import torus as jittered_torus

COUNT = 100
HEAT = HeatKernelSignature(8, num_eigenvectors=COUNT)


def together(*meshes):
    """Several meshes in one, apart from one another."""
    start = np.cumsum([0, *(mesh.num_vertices for mesh in meshes)])
    vertices = np.concatenate([mesh.vertices + [5.0 * i, 0, 0] for i, mesh in enumerate(meshes)])
    return TriangleMesh(vertices, np.concatenate([mesh.faces + s for mesh, s in zip(meshes, start, strict=False)]))


MESHES = {
    "torus": lambda: jittered_torus(110, 44, 0.3),
    "sheet": lambda: grid(81, 61, jitter=0.3, rng=np.random.default_rng(0)),
    "stretched": lambda: TriangleMesh(torus(110, 44).vertices * [1, 1, 6], torus(110, 44).faces),
    "parts": lambda: together(icosphere(3), jittered_torus(90, 36, 0.3), grid(20, 20)),
}


def exact_and_found(mesh):
    """Both spectra without what only one of them has: eigenspaces that may be cut are told within other tolerances."""
    both = [laplacian_spectrum(mesh, COUNT, exact=exact) for exact in (True, False)]
    count = min(len(spectrum.values) for spectrum in both)
    assert count >= COUNT - 3
    return [Spectrum(spectrum.values[:count], spectrum.functions[:, :count]) for spectrum in both]


@pytest.mark.parametrize("name", MESHES)
def test_the_pairs_are_the_exact_ones(name):
    mesh = MESHES[name]()
    exact, found = exact_and_found(mesh)
    np.testing.assert_allclose(found.values, exact.values, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(HEAT.signature(found), HEAT.signature(exact), atol=5e-3)
    mass = (mesh.vertex_areas / mesh.area)[:, None]
    gram = found.functions.T @ (mass * found.functions)
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-4)  # functions are in float32


def test_without_corrections_they_are_not(monkeypatch):
    mesh = MESHES["torus"]()
    monkeypatch.setattr(Level, "v_cycle", lambda level, b, solve: 0 * b)
    exact, found = exact_and_found(mesh)
    assert (found.values / exact.values.clip(1) - 1).max() > 0.01
    assert np.abs(HEAT.signature(found) - HEAT.signature(exact)).max() > 0.02


def test_signatures_hardly_notice_the_order_of_the_vertices(rng):
    mesh = MESHES["torus"]()
    order = rng.permutation(mesh.num_vertices)
    moved = TriangleMesh(mesh.vertices[order], np.argsort(order)[mesh.faces])
    found = [HEAT.signature(laplacian_spectrum(m, COUNT, exact=False)) for m in (mesh, moved)]
    np.testing.assert_allclose(found[1], found[0][order], atol=3e-3)


def test_every_one_of_many_parts_has_its_constant():
    parts = 300
    mesh = together(*[icosphere(1)] * parts)
    spectrum = laplacian_spectrum(mesh, parts + 10)
    assert spectrum.values.shape == (parts,)  # the next eigenspace has 900 functions
    np.testing.assert_allclose(spectrum.values, 0, atol=0.1)  # the next value is 300 times 25
    np.testing.assert_allclose(np.square(spectrum.functions).sum(1), parts, rtol=1e-3)


def test_a_vertex_coupled_to_all_others():
    """Its neighbours are all left out: too few coarse points, so that the exact solution takes over."""
    rim = 5000
    angle = 2 * np.pi * np.arange(rim) / rim
    vertices = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    faces = np.stack([np.zeros(rim, int), 1 + np.arange(rim), 1 + (np.arange(rim) + 1) % rim], axis=1)
    fan = TriangleMesh(np.concatenate([[[0.0, 0, 0.5]], vertices]), faces)
    found, exact = (laplacian_spectrum(fan, 8, exact=exact).values for exact in (False, True))
    np.testing.assert_allclose(found, exact[: len(found)], rtol=1e-3, atol=1e-3)


def test_what_converges_too_slowly_is_solved_exactly(monkeypatch, caplog):
    mesh = MESHES["torus"]()
    monkeypatch.setattr(Level, "v_cycle", lambda level, b, solve: 1e-6 * b)
    monkeypatch.setattr(_eigenpairs, "_MOST_STEPS", 1)
    found, exact = (laplacian_spectrum(mesh, 8, exact=exact) for exact in (False, True))
    assert "converge slowly" in caplog.text
    np.testing.assert_allclose(found.values, exact.values[: len(found.values)], rtol=1e-9, atol=1e-9)


def test_interpolation_meets_linear_functions_in_a_plane():
    mesh = grid(40, 30, jitter=0.3, rng=np.random.default_rng(1))
    down, coarse = interpolation(cotan_laplacian(mesh), mesh.vertices)
    assert 3 < mesh.num_vertices / len(coarse) < 6
    np.testing.assert_allclose(down.sum(axis=1), 1, atol=1e-12)
    inner = (np.abs(mesh.vertices - [19.5, 14.5, 0]) < [17, 12, 1]).all(axis=1)
    error = np.abs(down @ coarse - mesh.vertices)[inner].max(axis=1)
    assert np.median(error) < 0.02  # in edge lengths; bounded weights allow for more at a few points
    nearest = np.abs(coarse[np.argmax(down.toarray(), axis=1)] - mesh.vertices)[inner].max(axis=1)
    assert np.median(nearest) > 0.3  # a piecewise constant one
