"""A user's own groups: their elements, irreps by Peter and Weyl, and that these never change."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import torch

from gaugenet.groups import O3, SO2, SO3, Cyclic, FieldType, MatrixGroup, Polyhedral, group_from_name, intertwiners
from gaugenet.groups.intertwiners.closure import closure
from gaugenet.groups.intertwiners.intertwiner import averaged_intertwiners, solve_intertwiners
from gaugenet.groups.intertwiners.peter_weyl import canonical_basis
from tests.groups.cases import BINARY_TETRAHEDRAL, PERMUTATIONS, QUATERNIONS, SU2, elements, left
from tests.tolerances import SOLVED, TOL

EXACT = TOL[torch.float64]
OWN = [QUATERNIONS, BINARY_TETRAHEDRAL, PERMUTATIONS]


@pytest.mark.parametrize(
    ("group", "order", "dims", "types"),
    [
        (QUATERNIONS, 8, [1, 1, 1, 1, 4], "real real real real quaternionic"),
        (BINARY_TETRAHEDRAL, 24, [1, 2, 3, 4, 4], "real complex real complex quaternionic"),
        (PERMUTATIONS, 24, [1, 1, 2, 3, 3], "real real real real real"),
    ],
    ids=str,
)
def test_irreps_of_textbook_groups(group, order, dims, types):
    irreps = sorted(group.irreps(), key=lambda rho: (rho.dim, rho.type))
    assert group.order == order
    assert [rho.dim for rho in irreps] == dims
    assert sorted(rho.type for rho in irreps) == sorted(types.split())
    assert sum(rho.dim**2 // len(rho.endomorphisms) for rho in irreps) == order
    assert not group.irreps()[-1].tensor(group.standard()).is_irreducible  # control


@pytest.mark.parametrize("symbol", ["T", "O", "I", "T_d", "T_h", "O_h", "I_h"])
def test_they_are_equivalent_to_those_that_harmonics_give(symbol):
    """Two ways to the same irreps: equal characters, up to names."""
    known = Polyhedral(symbol)
    own = MatrixGroup(known.generators(), name="mine")
    g = known.elements()

    def characters(group):
        rows = [rho(g).diagonal(dim1=-2, dim2=-1).sum(-1) for rho in group.irreps()]
        return sorted(tuple(row.round(decimals=6).add(0.0).tolist()) for row in rows)

    assert own.order == known.order
    assert characters(own) == characters(known)


def test_irreps_of_su2_are_the_spins():
    """Half-integer spins are quaternionic of dimension 2 (2 s + 1), integer ones real of dimension 2 s + 1."""
    assert [(rho.name, rho.dim, rho.type) for rho in SU2.irreps(4)] == [
        ("0", 1, "real"),
        ("1", 4, "quaternionic"),
        ("2", 3, "real"),
        ("3", 8, "quaternionic"),
        ("4", 5, "real"),
    ]
    assert SU2.irrep(2).tensor(SU2.irrep(2)).decompose().labels == ["0", "2", "4"]


def test_an_infinite_group_with_components():
    """O(3) from the inversion and two infinitesimal rotations: the third is their bracket."""
    own = MatrixGroup(O3().generators(), lie_algebra=O3().lie_algebra()[:2], name="mine")
    g, h = elements(O3()), elements(own)
    assert own.contains(g).all()
    assert O3().contains(h).all()
    assert own.order is None
    assert not own.orientation_preserving
    assert [rho.dim for rho in own.irreps(2)] == [1, 3, 3, 5]
    rotations = MatrixGroup([], lie_algebra=SO3().lie_algebra(), name="turns")
    assert rotations.orientation_preserving
    assert not rotations.contains(O3().generators()).any()
    assert own.quotient(rotations).dim == 2


def test_a_torus_with_three_components():
    """Rotations of three planes, and the cyclic permutation of the planes: its square is no generator."""
    rotation = SO2().lie_algebra()[0]
    generators = torch.stack([torch.block_diag(*(rotation * (k == i) for k in range(3))) for i in range(3)])
    swap = torch.kron(torch.eye(3).roll(1, 0), torch.eye(2)).double()
    group = MatrixGroup(swap[None], lie_algebra=generators, name="cyclic_torus")
    torus = MatrixGroup([], lie_algebra=generators, name="torus")
    assert group.quotient(torus).dim == 3
    assert group.quotient(torus).permutation
    assert [rho.dim for rho in torus.irreps(1)] == [1, 2, 2, 2]
    assert [(rho.dim, rho.type) for rho in group.irreps(1)] == [(1, "real"), (6, "complex")]


def test_what_is_outside_is_outside():
    assert not SU2.contains(torch.linalg.qr(torch.randn(8, 4, 4, dtype=torch.float64))[0]).any()
    assert SU2.contains(SU2.random_element(32)).all()
    assert not QUATERNIONS.contains(left(0.5, 0.5, 0.5, 0.5))
    assert BINARY_TETRAHEDRAL.contains(QUATERNIONS.elements()).all()
    assert BINARY_TETRAHEDRAL.quotient(QUATERNIONS).dim == 3


PROGRAM = """
import torch
from tests.groups.cases import PERMUTATIONS, BINARY_TETRAHEDRAL, SU2
from gaugenet.groups import Polyhedral
if SEED:
    SU2.irreps(2); Polyhedral("I").irrep("G"); torch.manual_seed(3)
result = []
for group in (PERMUTATIONS, BINARY_TETRAHEDRAL, SU2, Polyhedral("I")):
    for rho in group.irreps(3):
        g = (0.1 * torch.arange(group.d**2)).cos().view(group.d, group.d).double()
        result += [group.name, rho.name, *(round(x, 9) for x in rho(g).flatten().tolist())]
"""


def test_another_process_finds_the_same_irreps_in_the_same_basis():
    """Names, order and matrices, at a matrix in general position (irreps are polynomials of its entries)."""
    here: dict = {}
    exec(PROGRAM.replace("SEED", "1"), here)
    program = PROGRAM.replace("SEED", "0") + "print(result)"
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here["result"])


def test_a_basis_depends_on_the_space_alone():
    generator = torch.Generator().manual_seed(0)
    space = torch.linalg.qr(torch.randn(7, 3, dtype=torch.float64, generator=generator))[0]
    mixed = space @ torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))[0]
    basis = canonical_basis(mixed)
    assert (canonical_basis(space) - basis).abs().max() < EXACT
    assert (basis @ basis.T - space @ space.T).abs().max() < EXACT
    assert (space - mixed).abs().max() > 0.1  # control


@pytest.mark.parametrize("group", [*OWN, SU2], ids=str)
def test_pickles_and_names(group):
    for same in (pickle.loads(pickle.dumps(group)), group_from_name(group.name)):
        assert same == group
        assert torch.equal(same.generators(), group.generators())
    field_type = FieldType(group, {group.irreps(2)[-1].name: 3, "0": 1})
    assert pickle.loads(pickle.dumps(field_type)) == field_type


def test_a_representation_of_another_process_brings_its_groups_along():
    """Its name holds that of the subgroup, which a new process has never made."""
    rho = BINARY_TETRAHEDRAL.induced(QUATERNIONS, QUATERNIONS.irrep("2.1"))
    program = "import pickle, sys; rho = pickle.load(sys.stdin.buffer); print(rho.dim, rho.subgroup.order, repr(rho))"
    run = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(rho), capture_output=True, check=True)
    assert run.stdout.decode().strip() == f"3 8 {rho!r}"


def test_equal_names_mean_equal_groups():
    three, four = (MatrixGroup(Cyclic(n).generators(), name="turns") for n in (3, 4))
    assert three != four
    assert three == MatrixGroup(Cyclic(3).generators(), name="turns")


def test_averages_solve_the_same_equations():
    """Two ways to intertwiners, one canonical basis."""
    pairs = [
        (SU2.irrep(1).tensor(SU2.irrep(1)), SU2.irrep(2)),
        (PERMUTATIONS.standard(), PERMUTATIONS.standard().tensor(PERMUTATIONS.standard())),
        (SO2().irrep(1).tensor(SO2().irrep(2)), SO2().irrep(3)),
        (SO3().irrep(2), O3().irrep("3e").restrict(SO3())),
    ]
    for source, target in pairs:
        found = averaged_intertwiners(source, target)
        assert found.shape == intertwiners(source, target).shape
        if found.numel():
            assert (found - solve_intertwiners(source, target)).abs().max() < SOLVED


def test_wrong_arguments():
    rotation = SO2().random_element(generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="at most 100 elements"):
        MatrixGroup([rotation], max_order=100)
    with pytest.raises(ValueError, match="at most 7"):
        closure(Cyclic(8).generators(), max_order=7)
    with pytest.raises(ValueError, match="orthogonal"):
        MatrixGroup([[[2.0, 0.0], [0.0, 0.5]]])
    with pytest.raises(ValueError, match="antisymmetric"):
        MatrixGroup([], lie_algebra=torch.eye(2)[None])
    with pytest.raises(ValueError, match=r"shape \(count, d, d\)"):
        MatrixGroup(torch.eye(3))
    with pytest.raises(ValueError, match="one dimension"):
        MatrixGroup(torch.eye(3)[None], lie_algebra=SO2().lie_algebra())
    with pytest.raises(ValueError, match="one dimension"):
        MatrixGroup([])
    with pytest.raises(ValueError, match="letters"):
        MatrixGroup(Cyclic(3).generators(), name="my group")
    with pytest.raises(ValueError, match=r"expected `0`, `1`, `2.1`"):
        QUATERNIONS.irrep("2")
    with pytest.raises(ValueError, match="max_order"):
        SU2.irreps()
