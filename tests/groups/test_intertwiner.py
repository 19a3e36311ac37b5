"""Intertwiner bases: right, complete, canonical."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
import torch

from gaugenet.groups import O2, SO2, Cyclic, Dihedral, intertwiners
from gaugenet.groups.intertwiners.intertwiner import null_space, row_echelon
from tests.groups.cases import GROUPS, elements, representations
from tests.tolerances import SOLVED

PAIRS = [pair for group in GROUPS for pair in itertools.product(representations(group)[-5:], repeat=2)]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=str)
def test_they_commute_and_are_all(source, target):
    """Their number is the dimension of the invariants of target (x) source, by averaging over the group."""
    basis = intertwiners(source, target)
    g = elements(source.group, 8)
    defect = target(g)[:, None] @ basis - basis @ source(g)[:, None]
    assert basis.numel() == 0 or defect.abs().max() < SOLVED
    order = source.group.order
    if order:
        h = source.group.elements()
        characters = [rho(h).diagonal(dim1=-2, dim2=-1).sum(-1) for rho in (source, target)]
        assert len(basis) == round((characters[0] * characters[1]).sum().item() / order)


def test_control_other_matrices_do_not_commute():
    rho, g = SO2().irrep(1), elements(SO2())
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    assert (rho(g) @ a - a @ rho(g)).abs().max() > 0.1


def test_they_are_canonical():
    """1 and J for SO(2); weight sharing for permutations; any basis of the space has the same row echelon form."""
    eye, rotation = intertwiners(SO2().irrep(3), SO2().irrep(3))
    assert torch.equal(eye, torch.eye(2, dtype=torch.float64))
    assert torch.equal(rotation.abs(), torch.eye(2, dtype=torch.float64).flip(0))
    shared = intertwiners(Cyclic(4).regular(), Cyclic(4).regular())
    assert ((shared == 0) | (shared == 1)).all()
    assert torch.equal(shared.sum(0), torch.ones(4, 4, dtype=torch.float64))
    rows = shared.flatten(1)
    mixed = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ rows
    assert (row_echelon(mixed) - row_echelon(rows)).abs().max() < SOLVED


PROGRAM = """
import torch
from gaugenet.groups import *
g = Dihedral(4)
reps = [g.regular(), g.quotient(Cyclic(2)), g.irrep(1), g.induced(Cyclic(4), Cyclic(4).irrep(1))]
pairs = [(a, b) for a in reps for b in reps]
for k in torch.randperm(len(pairs), generator=torch.Generator().manual_seed(SEED)).tolist():
    intertwiners(*pairs[k])
result = [x.hex() for p in pairs for x in intertwiners(*p).flatten().tolist()]
"""


def test_another_process_in_another_order_finds_the_same_bits():
    here: dict = {}
    exec(PROGRAM.replace("SEED", "1"), here)
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("SEED", "2") + "print(result)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == str(here["result"])


def test_null_space_of_a_random_matrix_of_known_rank():
    a = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    constraints = a @ torch.randn(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    basis = null_space(constraints)
    assert basis.shape == (3, 6)
    assert (constraints @ basis.T).abs().max() < SOLVED


def test_invariants():
    """A bias may live in scalars, in the constant function on G, and nowhere else."""
    assert torch.equal(Dihedral(3).regular().invariants, torch.ones(1, 6, dtype=torch.float64))
    assert SO2().irrep(0).invariants.shape == (1, 1)
    assert SO2().irrep(1).invariants.shape == (0, 2)
    assert O2().irrep("0-").invariants.shape == (0, 1)
    assert Dihedral(4).quotient(Cyclic(2)).invariants.shape == (1, 4)
