"""Polyhedral and axial groups: orders, character tables and branching rules of the textbooks."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Axial,
    Cyclic,
    Dihedral,
    Polyhedral,
    Reflection,
    Trivial,
    group_from_name,
    intertwiners,
)
from tests.groups.cases import FINITE_AXIAL, POLYHEDRAL, elements
from tests.tolerances import SOLVED, TOL

EXACT = TOL[torch.float64]
PHI = (1 + math.sqrt(5)) / 2
TEXTBOOK = {  # order, dimensions of the real irreps
    "T": (12, [1, 2, 3]),
    "O": (24, [1, 1, 2, 3, 3]),
    "I": (60, [1, 3, 3, 4, 5]),
    "T_d": (24, [1, 1, 2, 3, 3]),
    "T_h": (24, [1, 1, 2, 2, 3, 3]),
    "O_h": (48, [1, 1, 1, 1, 2, 2, 3, 3, 3, 3]),
    "I_h": (120, [1, 1, 3, 3, 3, 3, 4, 4, 5, 5]),
}
ICOSAHEDRAL_CHARACTERS = {  # at the identity and at rotations by 72, 144, 120, 180 degrees
    "0": (1, 1, 1, 1, 1),
    "T1": (3, PHI, 1 - PHI, 0, -1),
    "T2": (3, 1 - PHI, PHI, 0, -1),
    "G": (4, -1, -1, 1, 0),
    "H": (5, 0, 0, -1, 1),
}
BRANCHING = {  # O(3) orders of natural parity -> irreps
    "O": {2: ["E", "T2"], 3: ["A2", "T1", "T2"], 4: ["0", "E", "T1", "T2"], 5: ["E", "T1", "T1", "T2"]},
    "I": {3: ["G", "T2"], 4: ["G", "H"], 5: ["H", "T1", "T2"], 6: ["0", "G", "H", "T1"]},
    "T": {2: ["E", "T"], 3: ["0", "T", "T"], 4: ["0", "E", "T", "T"]},
    "T_d": {1: ["T2"], 2: ["E", "T2"], 3: ["0", "T1", "T2"], 4: ["0", "E", "T1", "T2"]},
    "O_h": {1: ["T1u"], 2: ["Eg", "T2g"], 3: ["A2u", "T1u", "T2u"]},
}


def character(rho, g: torch.Tensor) -> torch.Tensor:
    return rho(g).diagonal(dim1=-2, dim2=-1).sum(-1)


@pytest.mark.parametrize("group", POLYHEDRAL, ids=str)
def test_orders_and_dimensions(group):
    order, dims = TEXTBOOK[group.name]
    assert group.order == order
    assert sorted(rho.dim for rho in group.irreps()) == dims
    assert sum(rho.dim**2 // len(rho.endomorphisms) for rho in group.irreps()) == order
    assert group.irreps()[0] == group.trivial() == group.irrep("0")
    assert torch.equal(group.standard()(group.elements()), group.elements())
    assert group.standard().order == 1


@pytest.mark.parametrize("group", POLYHEDRAL, ids=str)
def test_elements_are_exact(group):
    g = group.elements()
    values = torch.tensor([0, 0.5, PHI / 2, 1 / (2 * PHI), 1], dtype=torch.float64)
    assert ((g.abs()[..., None] - values).abs().amin(-1) <= 1e-16).all()
    assert (g.mT @ g - torch.eye(3, dtype=torch.float64)).abs().max() < 1e-15
    assert group.contains(g[:, None] @ g).all()


def test_character_table_of_the_icosahedral_group():
    group = Polyhedral("I")
    rotations = [(character(group.standard(), group.elements()) - 1) / 2]
    angle = torch.acos(rotations[0].clamp(-1, 1)).rad2deg()
    for label, row in ICOSAHEDRAL_CHARACTERS.items():
        for degrees, value in zip((0, 72, 144, 120, 180), row, strict=True):
            chosen = group.elements()[(angle - degrees).abs() < 1e-4]
            assert (character(group.irrep(label), chosen) - value).abs().max() < EXACT


@pytest.mark.parametrize("name", BRANCHING)
def test_branching_rules(name):
    """What harmonics of one order become, as in tables of crystal and ligand fields."""
    group = group_from_name(name)
    for order, labels in BRANCHING[name].items():
        assert sorted(O3().harmonic(order).restrict(group).decompose().labels) == labels
    wrong = O3().irrep("3e").restrict(Polyhedral("O_h")).decompose().labels
    assert sorted(wrong) != BRANCHING["O_h"][3]


@pytest.mark.parametrize("group", [*POLYHEDRAL, *FINITE_AXIAL], ids=str)
def test_numbers_of_intertwiners_are_those_of_characters(group):
    """dim Hom(rho, sigma) = <chi_rho, chi_sigma>, between restrictions of irreps of O(3)."""
    spheres = [O3().irrep(label).restrict(group) for label in ("1o", "2e", "3o", "2o")]
    g = group.elements()
    for a in spheres:
        for b in [*spheres, group.regular()]:
            assert len(intertwiners(a, b)) == round((character(a, g) * character(b, g)).mean().item())


@pytest.mark.parametrize("order", range(5))
def test_restriction_to_the_axis(order):
    """SO(3) -> SO(2): l = 0 + 1 + ... + l; O(2) as rotations flips z; the mirror gives parities (-1)^(l + m)."""
    labels = [str(m) for m in range(order + 1)]
    assert SO3().irrep(order).restrict(Axial(SO2())).decompose().labels == labels
    pole = "0-" if order % 2 else "0"
    assert SO3().irrep(order).restrict(Axial(O2(), third="det")).decompose().labels == [pole, *labels[1:]]
    mirrored = [f"{m}z" if (order + m) % 2 else str(m) for m in range(order + 1)]
    assert O3().harmonic(order).restrict(Axial(O2(), third="mirror")).decompose().labels == mirrored


def test_axial_groups_are_the_point_groups():
    mirror = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
    half_turn = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    assert Axial(Dihedral(3), third="det").contains(half_turn)
    assert not Axial(Dihedral(3)).contains(half_turn)
    assert Axial(Dihedral(3), third="mirror").order == 12
    assert Axial(Cyclic(2), third="mirror").contains(-torch.eye(3, dtype=torch.float64))
    rotation = Axial(Cyclic(4), third="2").generators()[0]  # S_4: a quarter rotation with a reflection
    assert torch.equal(rotation @ rotation, torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)))
    assert Polyhedral("T_d").contains(rotation)
    assert not Polyhedral("O").contains(rotation)
    assert Axial(Trivial(), third="mirror").contains(mirror)
    assert Axial(Dihedral(4), third="2").order == Axial(Dihedral(4), third="2-").order == 8  # D_2d, two settings
    assert Axial(Cyclic(4), third="det") == Axial(Cyclic(4))
    assert Axial(Dihedral(4), third="mirror").order == 16


def test_wrong_arguments():
    with pytest.raises(ValueError, match="acting on R"):
        Axial(SO3())
    for third in ("1", "free", "0z"):
        with pytest.raises(ValueError, match="`third`"):
            Axial(Cyclic(4), third=third)
    with pytest.raises(ValueError, match="sign irrep"):
        Axial(SO2(), third="1")
    with pytest.raises(ValueError, match="Unknown polyhedral"):
        Polyhedral("C_4")
    with pytest.raises(ValueError, match="T1g"):
        Polyhedral("O_h").irrep("T1")
    with pytest.raises(ValueError, match="suffix"):
        Axial(O2(), third="mirror").irrep("1-")
    with pytest.raises(ValueError, match="Unknown representation"):
        Axial(O2()).irrep("1z")
    with pytest.raises(ValueError, match="Unknown structure group"):
        group_from_name("Axial(C_4)")


def test_a_line_has_a_group_of_two():
    group = Reflection(1)
    assert torch.equal(group.elements().flatten(), torch.tensor([1.0, -1.0], dtype=torch.float64))
    assert group.standard() == group.irrep("0-") == group.harmonic(1)
    assert group.regular().decompose().labels == ["0", "0-"]
    assert Reflection(3).elements()[1].diagonal().tolist() == [1, 1, -1]


def test_canonical_irreps_of_the_cube_are_the_familiar_orbitals():
    """E = (x^2 - y^2, 3 z^2 - r^2) in the basis of the harmonics, T2 = (xy, xz, yz): no noise in the basis."""
    group = Polyhedral("O")
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    assert (group.irrep("E")(quarter) - torch.diag(torch.tensor([-1.0, 1.0]).double())).abs().max() < EXACT
    expected = torch.tensor([[-1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    assert (group.irrep("T2")(quarter) - expected).abs().max() < EXACT
    assert (group.irrep("A2")(quarter) + 1).abs().max() < SOLVED
    assert elements(group).shape == (16, 3, 3)
