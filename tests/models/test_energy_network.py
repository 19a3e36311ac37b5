"""Energies are invariant, forces are their gradients and turn with the atoms, distant systems add up; controls fail."""

from __future__ import annotations

import json

import pytest
import torch

from gaugenet.groups import O3, SO3
from gaugenet.models import EnergyNetwork
from tests.tolerances import TOL, relative

EXACT = 100 * TOL[torch.float64]
"""Forces are derivatives through several layers."""
SMALL = {"cutoff": 2.5, "channels": 8, "kernel_width": 8, "products": 4, "neighbors": 4.0}
SPECIES = torch.tensor([6, 6, 8, 1, 1, 7])


def network(**options) -> EnergyNetwork:
    torch.manual_seed(0)
    arguments = {**SMALL, "depth": 2, "order": 1, "atomic_energies": [-1.0, -38.0, -54.0, -75.0], **options}
    model = EnergyNetwork([1, 6, 7, 8], **arguments).double()
    with torch.no_grad():  # away from the first weights, whose biases are zero
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def atoms(count: int = 6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2.2 * torch.rand(count, 3, generator=generator, dtype=torch.float64)


def both(model: EnergyNetwork, species: torch.Tensor, pos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return model.energy_and_forces(species, pos, model.neighbors(pos)[0])


@pytest.mark.parametrize(
    "options",
    [{}, {"order": 2}, {"products": 0}, {"group": "SO(3)"}, {"group": "T_d", "hidden": "8x0 + 4xstandard"}],
)
def test_rotations_mirrors_and_translations(options):
    model = network(**options)
    group = model.layers[0].conv.in_type.group
    pos, g = atoms(), group.random_element(1, generator=torch.Generator().manual_seed(1))[0]
    energy, forces = both(model, SPECIES, pos)
    moved, turned = both(model, SPECIES, pos @ g.T + torch.tensor([1.0, -2, 3]))
    assert relative(moved, energy) < EXACT
    assert relative(turned, forces @ g.T) < EXACT
    assert forces.abs().max() > 1e-3


def test_o3_has_mirror_images_of_equal_energy_and_control_so3_has_not():
    pos = atoms()
    for group, equal in ((O3(), True), (SO3(), False)):
        model = network(group=group.name, order=1)
        energy, mirrored = (both(model, SPECIES, p)[0] for p in (pos, pos * torch.tensor([1, 1, -1.0])))
        assert (relative(mirrored, energy) < EXACT) is equal


def test_control_the_trivial_group_is_not_invariant():
    model = network(group="Trivial", hidden="24x0")
    pos, g = atoms(), SO3().random_element(1, generator=torch.Generator().manual_seed(1))[0]
    difference = (both(model, SPECIES, pos @ g.T)[0] - both(model, SPECIES, pos)[0]).abs()
    assert difference > 1e-3


def test_permutations_of_atoms():
    model, pos = network(), atoms()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    energy, forces = both(model, SPECIES, pos)
    other, permuted = both(model, SPECIES[order], pos[order])
    assert relative(other, energy) < EXACT
    assert relative(permuted, forces[order]) < EXACT
    swapped = SPECIES[torch.tensor([2, 1, 0, 3, 4, 5])]  # control: other species at the same positions
    assert (both(model, swapped, pos)[0] - energy).abs() > 1e-3


def test_energies_of_distant_systems_add_up_and_batches_do_not_mix():
    model, one, two = network(), atoms(), atoms(seed=1)
    parts = [both(model, SPECIES, p) for p in (one, two)]
    together, forces = both(model, SPECIES.repeat(2), torch.cat([one, two + 50]))
    assert relative(together, parts[0][0] + parts[1][0]) < EXACT
    assert relative(forces, torch.cat([parts[0][1], parts[1][1]])) < EXACT
    edges = torch.cat([model.neighbors(one)[0], model.neighbors(two)[0] + 6], 1)
    batch = torch.arange(2).repeat_interleave(6)
    batched, _ = model.energy_and_forces(SPECIES.repeat(2), torch.cat([one, two]), edges, batch=batch, num_systems=2)
    assert relative(batched, torch.cat([p[0] for p in parts])) < EXACT
    near = both(model, SPECIES.repeat(2), torch.cat([one, two + 1.5]))[0]  # control: neighbours do interact
    assert (near - together).abs() > 1e-3


def test_a_single_atom_has_a_constant_energy_without_forces():
    energy, forces = both(network(), torch.tensor([8]), torch.zeros(1, 3, dtype=torch.float64))
    assert energy.isfinite().all()
    assert not forces.any()


def test_forces_are_differences_of_energies():
    model, pos = network(order=2), atoms()
    forces, step = both(model, SPECIES, pos)[1], 1e-5
    for atom, axis in ((0, 0), (3, 2)):
        moved = torch.zeros_like(pos)
        moved[atom, axis] = step
        up, down = (both(model, SPECIES, pos + sign * moved)[0] for sign in (1, -1))
        assert ((down - up) / (2 * step) - forces[atom, axis]).abs() < 1e-7


def test_energy_and_forces_are_continuous_where_a_neighbour_leaves_the_cutoff():
    model = network()
    species, pos = torch.tensor([6, 8]), torch.zeros(2, 3, dtype=torch.float64)
    pos[1, 0] = SMALL["cutoff"] - 1e-5
    energy, forces = both(model, species, pos)
    far, none = both(model, species, pos + torch.tensor([[0.0, 0, 0], [2e-5, 0, 0]]))
    assert (energy - far).abs() < 1e-12
    assert (forces - none).abs().max() < 1e-8


def test_pairs_beyond_the_cutoff_do_not_matter():
    """A list of neighbours with a skin stays valid while atoms move."""
    model, pos = network(), 1.5 * atoms()
    wide = model.neighbors(pos, skin=2.0)[0]
    assert wide.shape[1] > model.neighbors(pos)[0].shape[1]
    energy, forces = both(model, SPECIES, pos)
    other, same = model.energy_and_forces(SPECIES, pos, wide)
    assert relative(other, energy) < EXACT
    assert relative(same, forces) < EXACT


def test_a_crystal_has_the_energy_per_cell_of_its_double():
    model = network()
    cell = torch.tensor([[2.9, 0, 0], [0.4, 3.1, 0], [0.2, -0.3, 3.3]], dtype=torch.float64)
    pos = atoms()
    edges, offset = model.neighbors(pos, cell=cell)
    energy, forces = model.energy_and_forces(SPECIES, pos, edges, offset=offset)
    double = torch.cat([pos, pos + cell[0]])
    edges, offset = model.neighbors(double, cell=cell * torch.tensor([[2.0], [1], [1]]))
    twice, repeated = model.energy_and_forces(SPECIES.repeat(2), double, edges, offset=offset)
    assert relative(twice, 2 * energy) < EXACT
    assert relative(repeated, forces.repeat(2, 1)) < EXACT


def test_a_loss_on_forces_has_exact_gradients():
    """By finite differences of the loss along a random direction of the weights."""
    model, pos = network(), atoms()
    edges = model.neighbors(pos)[0]

    def loss():
        energy, forces = model.energy_and_forces(SPECIES, pos, edges, create_graph=True)
        return forces.square().sum() + 0.1 * energy.square().sum()

    loss().backward()
    parameters = list(model.parameters())
    direction = [torch.randn_like(p) for p in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
    values, step = [], 1e-6
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p.add_(d, alpha=sign * step)
        values.append(loss().detach())
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p.sub_(d, alpha=sign * step)
    assert ((values[0] - values[1]) / (2 * step) - slope).abs() < 1e-5 * slope.abs()


def test_single_precision_and_inference_mode():
    model, pos = network(), atoms()
    energy, forces = both(model, SPECIES, pos)
    edges = model.neighbors(pos)[0]
    model.float()
    with torch.inference_mode():
        found, single = model.energy_and_forces(SPECIES.clone(), pos.float(), edges.clone())
    assert found.dtype == torch.float64
    assert relative(found, energy) < TOL[torch.float32]
    assert relative(single.double(), forces) < 10 * TOL[torch.float32]


def test_the_arguments_make_the_same_network():
    model = network(scale=2.0)
    again = EnergyNetwork(**json.loads(json.dumps(model.config))).double()
    again.load_state_dict(model.state_dict())
    pos = atoms()
    assert torch.equal(both(model, SPECIES, pos)[0], both(again, SPECIES, pos)[0])
    assert not {"known", "atomic_energies"} & set(model.state_dict())


def test_bad_arguments():
    with pytest.raises(ValueError, match="different atomic numbers"):
        EnergyNetwork([1, 1])
    with pytest.raises(ValueError, match="2 `atomic_energies`"):
        EnergyNetwork([1, 6], atomic_energies=[0.0])
    with pytest.raises(ValueError, match="`order` from 0 to 4"):
        EnergyNetwork([1], order=5)
    with pytest.raises(ValueError, match="Expected `hidden`"):
        EnergyNetwork([1], group="T_d")
    with pytest.raises(ValueError, match=r"got \[9, 99\]: train with them"):
        both(network(), torch.tensor([9, 99, 1]), atoms(3))
