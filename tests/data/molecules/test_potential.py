"""The analytic potential and molecular dynamics: forces are gradients, energies are invariant and conserved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gaugenet.data import AngularLennardJones, langevin_samples, read_molecules, thermal_velocities, velocity_verlet
from gaugenet.data.molecules.dynamics import write_samples
from gaugenet.data.molecules.elements import atomic_masses
from gaugenet.data.molecules.potential import ELEMENTS
from tests.tolerances import TOL

SPECIES = ["C", "C", "O", "N", "C", "O"]


def conformations(potential, count=4, scale=0.1):
    rng = np.random.default_rng(0)
    return potential.minimum(tries=3) + scale * rng.normal(size=(count, len(potential.species), 3))


def definition(pos: torch.Tensor) -> torch.Tensor:
    """The energy by its definition, atom by atom."""
    own = [ELEMENTS[s] for s in SPECIES]
    total = torch.zeros((), dtype=torch.float64)
    count = len(own)
    size = [[(a.size + b.size) / 2 for b in own] for a in own]
    r = [[torch.linalg.vector_norm(pos[j] - pos[i]) for j in range(count)] for i in range(count)]

    def h(i, j):
        gap = r[i][j] - 1.8 * size[i][j]
        return torch.exp(1.2 * size[i][j] / gap) if gap < 0 else torch.zeros((), dtype=torch.float64)

    for i in range(count):
        for j in range(i):
            depth, end = (own[i].depth * own[j].depth) ** 0.5, 2.5 * size[i][j]
            x = ((end - r[i][j]) / (end / 4)).clamp(0, 1)
            q = (size[i][j] / r[i][j]) ** 6
            total = total + 4 * depth * (q**2 - q) * (6 * x**5 - 15 * x**4 + 10 * x**3)
        for j in range(count):
            for k in range(j):
                if i not in (j, k):
                    cosine = (pos[j] - pos[i]) @ (pos[k] - pos[i]) / (r[i][j] * r[i][k])
                    total = total + own[i].stiffness * h(i, j) * h(i, k) * (cosine - own[i].cosine) ** 2
    return total


def test_energy_and_forces_are_those_of_the_definition():
    potential = AngularLennardJones(SPECIES)
    for pos in (*conformations(potential), 2 * conformations(potential)[0]):  # the last one reaches into the switch
        given = torch.tensor(pos, requires_grad=True)
        energy = definition(given)
        (slope,) = torch.autograd.grad(energy, given)
        found, forces = potential(pos)
        assert abs(found - energy.item()) < TOL[torch.float64] * abs(energy.item())
        assert np.abs(forces + slope.numpy()).max() < TOL[torch.float64] * np.abs(forces).max()


def test_control_the_angular_term_matters():
    whole, pairs = AngularLennardJones(SPECIES), AngularLennardJones(SPECIES, angular=0.0)
    pos = conformations(whole)
    assert np.abs(whole(pos)[1] - pairs(pos)[1]).max() > 0.05


def test_batches_rotations_and_mirrors():
    potential = AngularLennardJones(SPECIES)
    pos = conformations(potential)
    energy, forces = potential(pos)
    g = -Rotation.random(random_state=0).as_matrix()
    moved, turned = potential(pos @ g.T + 3)
    assert np.allclose(moved, energy, rtol=1e-12)
    assert np.allclose(turned, forces @ g.T, atol=1e-11)
    assert np.allclose(potential(pos[2])[0], energy[2], rtol=1e-14)
    assert np.abs(forces.sum(1)).max() < 1e-11


def test_the_minimum_has_no_forces():
    potential = AngularLennardJones(SPECIES)
    assert np.abs(potential(potential.minimum())[1]).max() < 1e-3


def test_energy_is_conserved_and_the_error_falls_with_the_square_of_the_step():
    potential = AngularLennardJones(SPECIES)
    mass = atomic_masses(potential.species)
    start, velocity = potential.minimum(tries=3), thermal_velocities(mass, 300, seed=0)
    errors = []
    for step in (2.0, 1.0):
        run = velocity_verlet(potential, start, velocity, mass, step=step, steps=int(200 / step))
        errors.append(np.abs(run.total - run.total[0]).max())
        momentum = (mass[:, None] * run.velocity[-1]).sum(0)
        assert np.abs(momentum).max() < 1e-12
    assert errors[0] < 0.05 * np.ptp(run.potential)
    assert 3 < errors[0] / errors[1] < 5.5
    assert run.drift < 0.01


def test_control_forces_without_a_potential_do_not_conserve_energy():
    potential = AngularLennardJones(SPECIES)
    mass = atomic_masses(potential.species)
    velocity = thermal_velocities(mass, 300, seed=0)

    def wrong(pos):
        energy, forces = potential(pos)
        return energy, forces + 0.1 * np.cross(pos, [0, 0, 1.0])

    run = velocity_verlet(wrong, potential.minimum(tries=3), velocity, mass, steps=200)
    assert np.abs(run.total - run.total[0]).max() > 0.01


def test_langevin_samples_have_the_temperature():
    """Of harmonic oscillators, whose mean potential energy is known: k T / 2 for each coordinate."""
    kT = 8.617333262e-5 * 500

    def springs(pos):
        return 0.5 * (pos**2).sum((-1, -2)), -pos

    found = langevin_samples(
        springs, np.zeros((2, 3)), np.array([12.0, 12.0]), temperature=500, count=4000, walkers=400, every=60
    )
    relative_motion = (found[:, 0] - found[:, 1]) / np.sqrt(2)  # the mean position is taken off
    assert abs((relative_motion**2).mean() / kT - 1) < 0.05


def test_samples_are_written_as_md17(tmp_path):
    potential = AngularLennardJones(SPECIES)
    write_samples(tmp_path / "a.npz", potential, count=30)
    found = read_molecules(tmp_path / "a.npz")
    assert len(found) == 30
    assert found.energy_unit == "eV"
    for molecule in (found[0], found[29]):
        energy, forces = potential(molecule.pos)
        assert energy == pytest.approx(molecule.energy, rel=1e-12)
        assert np.allclose(forces, molecule.forces, atol=1e-12)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"atomic numbers \[79\]"):
        AngularLennardJones([79])
    with pytest.raises(ValueError, match="one of kJ/mol, kcal/mol, eV, Hartree"):
        velocity_verlet(lambda x: x, np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1), energy_unit="erg")
    with pytest.raises(ValueError, match="not finite after 2 fs"):
        velocity_verlet(
            lambda x: (np.zeros(()), np.full_like(x, np.inf if x[0, 0] > 1.5 else 0.0)),
            np.zeros((1, 3)),
            np.array([[1.0, 0, 0]]),
            np.ones(1),
            steps=5,
        )
