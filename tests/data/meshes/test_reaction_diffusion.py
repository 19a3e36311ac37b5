"""Finite elements on surfaces, checked against spherical harmonics and conservation laws."""

from __future__ import annotations

import math

import numpy as np

from gaugenet.data.meshes.reaction_diffusion import Equation, bumps_of_mass, bumpy_sphere, solve


def test_heat_on_the_sphere_decays_like_a_harmonic():
    """x y has eigenvalue 6; the error falls as the square of the edge length."""
    errors = []
    for level in (3, 4):
        surface = bumpy_sphere(level, 0, radius=0.4, bumps=0.0)
        x, y, _ = surface.mesh.vertices.T
        equation = Equation(diffusion=1.0, reaction=0.0, advection=0.0)
        found = solve(surface, x * y, equation, step=0.01, steps=20)[-1]
        exact = x * y * math.exp(-6 * 0.2)
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert errors[1] < 5e-3
    assert math.log2(errors[0] / errors[1]) > 1.7


def test_a_flow_around_an_axis_rotates_the_state_and_keeps_its_mass():
    surface = bumpy_sphere(4, 0, radius=0.3, bumps=0.0)
    u = bumps_of_mass(surface, 0)
    states = solve(surface, u, Equation(diffusion=0.0, reaction=0.0), step=0.01, steps=50)
    mass = states @ (surface.mass @ np.ones(len(u)))
    assert np.allclose(mass, mass[0], rtol=1e-9)
    normal = surface.mesh.vertices / np.linalg.norm(surface.mesh.vertices, axis=1, keepdims=True)
    axis = np.linalg.lstsq(
        np.cross(np.eye(3)[None], normal[:, None]).transpose(0, 2, 1).reshape(-1, 3), surface.flow.ravel(), rcond=None
    )[0]
    t, speed = 0.5, np.linalg.norm(axis)
    k = axis / speed
    p = surface.mesh.vertices  # where the state came from: rotated back by the time
    angle = -t * speed
    back = p * np.cos(angle) + np.cross(k, p) * np.sin(angle) + np.outer(p @ k, k) * (1 - np.cos(angle))
    rng = np.random.default_rng(100)
    centres = rng.normal(size=(3, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    square = ((back[:, None] - centres) ** 2).sum(-1)
    expected = (rng.uniform(0.3, 0.8, 3) * np.exp(-square / 0.4)).sum(1)
    assert np.linalg.norm(states[-1] - expected) < 0.02 * np.linalg.norm(expected)
    assert np.linalg.norm(states[0] - expected) > 0.2 * np.linalg.norm(expected)


def test_reaction_grows_like_the_logistic_equation():
    surface = bumpy_sphere(3, 1, radius=0.4)
    u = np.full(surface.mesh.num_vertices, 0.1)
    found = solve(surface, u, Equation(advection=0.0, reaction=2.0), step=0.05, steps=20)[-1]
    assert np.allclose(found, 1 / (1 + 9 * math.exp(-2.0)), rtol=1e-3)


def test_refined_elements_are_more_accurate_at_the_same_vertices():
    errors = []
    for refinements in (0, 1, 2):
        surface = bumpy_sphere(3, 0, radius=0.4, bumps=0.0, refinements=refinements)
        x, y, _ = surface.fine.vertices.T
        equation = Equation(diffusion=1.0, reaction=0.0, advection=0.0)
        found = solve(surface, x * y, equation, step=0.01, steps=20)[-1]
        exact = surface.mesh.vertices[:, 0] * surface.mesh.vertices[:, 1] * math.exp(-6 * 0.2)
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
        assert np.array_equal(surface.fine.vertices[: len(found)], surface.mesh.vertices)
        assert surface.fine.num_faces == 4**refinements * surface.mesh.num_faces
    assert errors[1] < 0.35 * errors[0]
    assert errors[2] < 0.35 * errors[1]
