"""Heat, wave and Cahn-Hilliard equations: spherical harmonics, conservation laws, decreasing energy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gaugenet.data.meshes.evolution import CahnHilliard, Heat, Wave, evolve
from gaugenet.data.meshes.laplacian import cotan_laplacian
from tests.geometry.mesh import surfaces


def harmonic(mesh):
    """An eigenfunction of the Laplacian of the unit sphere, for the eigenvalue -6."""
    x, y, _ = mesh.vertices.T
    return (x * y)[:, None]


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def heat(mesh):
    found, advance = harmonic(mesh), Heat(0.5).stepper(mesh, 0.01)
    for _ in range(20):
        found = advance(found)
    return error(found, harmonic(mesh) * math.exp(-6 * 0.5 * 0.2))


def wave(mesh):
    f, advance = harmonic(mesh), Wave(0.5).stepper(mesh, 0.01)
    state, t, omega = np.concatenate([f, 0 * f], 1), 0.8, 0.5 * math.sqrt(6)
    for _ in range(80):
        state = advance(state)
    return error(state, np.concatenate([f * math.cos(omega * t), -omega * f * math.sin(omega * t)], 1))


@pytest.mark.parametrize("equation", [heat, wave])
def test_harmonics_decay_and_oscillate(equation):
    coarse, fine = (equation(surfaces.sphere(n, jitter=0.1)) for n in (8, 16))
    assert fine < 5e-3
    assert fine < 0.4 * coarse


def test_small_states_of_two_phases_grow_at_the_rate_of_the_linear_equation():
    mesh, w = surfaces.sphere(12, jitter=0.1), 0.2
    advance, found = CahnHilliard(w).stepper(mesh, 5e-4), 1e-3 * harmonic(mesh)
    for _ in range(200):
        found = advance(found)
    assert error(found, 1e-3 * harmonic(mesh) * math.exp(6 * (1 - 6 * w**2) * 0.1)) < 1e-2
    assert np.abs(found).max() > 1.4e-3 * np.abs(harmonic(mesh)).max()


def test_waves_keep_their_energy_and_heat_its_mean():
    mesh = surfaces.sphere(8, jitter=0.2)
    stiffness, mass = cotan_laplacian(mesh), mesh.vertex_areas[:, None]
    states = evolve(mesh, Wave(), step=0.05, steps=50, seed=1)
    u, v = states[..., :1], states[..., 1:]
    energy = [float((mass * b**2).sum() + (a * (stiffness @ a)).sum()) for a, b in zip(u, v, strict=True)]
    assert np.allclose(energy, energy[0], rtol=1e-9)
    warm = evolve(mesh, Heat(), step=0.05, steps=50, seed=1)
    assert np.allclose((mass * warm).sum((1, 2)), (mass * warm[0]).sum(), rtol=1e-9)
    assert warm[-1].std() < 0.1 * warm[0].std()


def test_two_phases_separate_and_their_energy_decreases():
    mesh, w = surfaces.sphere(12, jitter=0.1), 0.15
    states = evolve(mesh, CahnHilliard(w), step=0.05, steps=40, substeps=5)[..., 0]
    stiffness, mass = cotan_laplacian(mesh), mesh.vertex_areas
    energy = [w**2 / 2 * u @ (stiffness @ u) + mass @ (u**2 - 1) ** 2 / 4 for u in states]
    assert np.all(np.diff(energy) < 1e-12)
    assert energy[-1] < 0.5 * energy[0]
    assert np.abs(states[-1]).max() == pytest.approx(1, abs=0.1)
    assert np.allclose(states @ mass, states[0] @ mass, atol=1e-9)


def test_starts_depend_on_the_seed_alone():
    mesh = surfaces.sphere(4)
    for equation in (Heat(), Wave(), CahnHilliard()):
        first = equation.start(mesh, 1)
        assert np.array_equal(first, equation.start(mesh, 1))
        assert not np.array_equal(first, equation.start(mesh, 2))
    with pytest.raises(ValueError, match="step"):
        evolve(mesh, Heat(), step=0.0, steps=3)
    with pytest.raises(ValueError, match="substeps"):
        evolve(mesh, Heat(), step=0.1, steps=3, substeps=0)
