"""Readers of molecules: what is written is read, in published layouts; bad files are named with what is wrong."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from gaugenet.data import (
    DataError,
    Molecule,
    MoleculeSet,
    random_parts,
    read_extended_xyz,
    read_indices,
    read_md17,
    read_molecules,
    read_qm9,
    write_extended_xyz,
    write_md17,
)
from gaugenet.data.molecules.elements import atomic_masses, atomic_number, symbol_of
from tests.data.molecules.published import HYDROGEN, METHANE, md17_file


@pytest.mark.parametrize("revised", [False, True])
def test_md17_and_its_revision(tmp_path, revised):
    found = read_md17(md17_file(tmp_path / "water.npz", revised=revised))
    first = found[0]
    assert len(found) == 7
    assert first.formula == "H2O"
    assert first.species.tolist() == [8, 1, 1]
    assert first.forces.shape == (3, 3)
    assert abs(first.energy + 47000) < 10
    assert (found.energy_unit, found.unit_of("forces")) == ("kcal/mol", "kcal/mol/Angstrom")
    assert found[-1].name == "water 6"
    assert found[2:4][0].energy == found[2].energy


def test_md17_of_positions_alone(tmp_path):
    molecule = read_md17(md17_file(tmp_path / "water.npz", E=None, F=None))[0]
    assert molecule.energy is None
    assert molecule.forces is None


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("Ang", "Angstrom"), ("Angstrom", "Angstrom"), ("bohr", "Bohr"), ("au", "Bohr"), ("nm", "nm")],
)
def test_units_of_lengths(tmp_path, unit, expected):
    """An atomic unit was taken for a Hartree, and any text for a length."""
    pos = np.random.default_rng(0).normal(size=(2, 3, 3))
    arrays = {"z": np.array([8, 1, 1]), "R": pos, "E": np.arange(2.0), "F": pos}
    np.savez(tmp_path / "own.npz", **arrays, r_unit=np.array(unit))
    assert read_md17(tmp_path / "own.npz").length_unit == expected
    write_md17(tmp_path / "again.npz", *arrays.values(), length_unit=expected)
    assert read_md17(tmp_path / "again.npz").length_unit == expected
    np.savez(tmp_path / "odd.npz", **arrays, r_unit=np.array("furlong"))
    with pytest.raises(DataError, match=r"odd\.npz: expected one of the lengths Ang, .* as r_unit, got 'furlong'"):
        read_md17(tmp_path / "odd.npz")


def test_md17_is_written_with_its_units(tmp_path):
    pos = np.random.default_rng(0).normal(size=(2, 3, 3))
    write_md17(tmp_path / "own.npz", np.array([8, 1, 1]), pos, np.arange(2.0), -pos, energy_unit="eV")
    found = read_molecules(tmp_path / "own.npz")
    assert found.energy_unit == "eV"
    assert np.array_equal(found[1].forces, -pos[1])
    assert found[1].energy == 1.0
    with np.load(tmp_path / "own.npz") as arrays:
        assert str(arrays["r_unit"]) == "Ang"
        assert arrays["E"].shape == (2, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z": None}, "expected the arrays R and z"),
        ({"z": np.array([8, 1])}, r"shape \(conformations, 2, 3\) for 2 atoms in z, got \(7, 3, 3\)"),
        ({"F": np.zeros((7, 3, 2))}, r"expected F of shape \(7, 3, 3\), got \(7, 3, 2\)"),
        ({"E": np.zeros(6)}, "expected 7 energies in E"),
        ({"E": np.array([0.0] * 3 + [np.nan] * 4)}, "E is NaN or infinite in 4 of 7 rows, the first is 3"),
        ({"R": np.full((7, 3, 3), np.inf)}, "R is NaN or infinite in 7 of 7 rows"),
        ({"R": np.array([{"a": 1}], dtype=object)}, "Python objects"),
    ],
)
def test_bad_npz(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        read_md17(md17_file(tmp_path / "water.npz", **changes))


def test_a_file_that_is_not_npz(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="not an npz file"):
        read_md17(tmp_path / "text.npz")


def qm9_folder(tmp_path):
    folder = tmp_path / "qm9"
    folder.mkdir()
    (folder / "dsgdb9nsd_000001.xyz").write_text(METHANE)
    (folder / "dsgdb9nsd_000007.xyz").write_text(HYDROGEN)
    return folder


def test_qm9_as_folder_archive_and_file(tmp_path):
    folder = qm9_folder(tmp_path)
    with tarfile.open(tmp_path / "dsgdb9nsd.xyz.tar.bz2", "w:bz2") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, arcname=file.name)
    for path in (folder, tmp_path / "dsgdb9nsd.xyz.tar.bz2"):
        found = read_molecules(path)
        assert [m.formula for m in found] == ["CH4", "H2"]
        assert found[0].energy == found[0].target("U0") == -40.47893
        assert found[0].target("Cv") == 6.469
        assert found.unit_of("mu") == "Debye"
        assert found.unit_of("energy") == "Hartree"
        assert found[0].pos[3, 2] == -0.87664  # -8.7664*^-1
        assert len(read_molecules(path, limit=1)) == 1
    assert read_molecules(folder / "dsgdb9nsd_000007.xyz")[0].name == "dsgdb9nsd_000007"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("\t6.469", ""), "15 properties in line 2, got 16 entries"),
        (lambda t: t.replace("gdb", "pdb"), "expected 'gdb'"),
        (lambda t: t.replace("5\ngdb", "50\ngdb"), "expected 50 lines"),
        (lambda t: t.replace("H\t 1.01", "Q\t 1.01"), "symbol of an element"),
        (lambda t: t.replace("6.469", "six"), "could not convert"),
        (lambda t: t.replace("13.21", "nan"), "finite number as alpha"),
        (lambda t: "", "expected the number of atoms"),
    ],
)
def test_bad_qm9(tmp_path, change, message):
    (tmp_path / "dsgdb9nsd_000001.xyz").write_text(change(METHANE))
    with pytest.raises(DataError, match=message):
        read_qm9(tmp_path)


def test_a_damaged_archive(tmp_path):
    (tmp_path / "dsgdb9nsd.xyz.tar.bz2").write_bytes(b"BZh91AY")
    with pytest.raises(DataError, match="damaged"):
        read_molecules(tmp_path / "dsgdb9nsd.xyz.tar.bz2")


def test_an_unknown_property_lists_what_there_is(tmp_path):
    with pytest.raises(DataError, match="no property 'dipole': there is energy, A, B, C, mu"):
        read_qm9(qm9_folder(tmp_path))[0].target("dipole")


def test_extended_xyz_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    molecules = [
        Molecule([8, 1, 1], rng.normal(size=(3, 3)), -1.25, rng.normal(size=(3, 3)), properties={"charge": 1.0}),
        Molecule([18, 18], rng.normal(size=(2, 3)), cell=np.diag([3.0, 4, 5]), periodic=(True, True, False)),
    ]
    write_extended_xyz(tmp_path / "two.xyz", molecules)
    for a, b in zip(molecules, read_extended_xyz(tmp_path / "two.xyz"), strict=True):
        assert np.array_equal(a.pos, b.pos)
        assert a.species.tolist() == b.species.tolist()
        assert a.energy == b.energy
        assert a.periodic == b.periodic
        assert dict(a.properties) == dict(b.properties)
        assert (a.forces is None) == (b.forces is None)
        assert (a.cell is None) == (b.cell is None)
        assert a.forces is None or np.array_equal(a.forces, b.forces)


def test_extended_xyz_names_units_that_are_not_the_usual_ones(tmp_path):
    atoms = [Molecule([18], [[0.0, 0.0, k]], energy=-1.5 - k) for k in range(2)]
    write_extended_xyz(tmp_path / "a.xyz", MoleculeSet(atoms, energy_unit="kcal/mol", length_unit="Bohr"))
    found = read_molecules(tmp_path / "a.xyz")
    assert (found.energy_unit, found.length_unit) == ("kcal/mol", "Bohr")
    assert [m.energy for m in read_molecules(tmp_path)] == [-1.5, -2.5], "a folder"
    assert read_molecules(tmp_path).length_unit == "Bohr"
    assert not found[0].properties, "units are no properties"
    write_extended_xyz(tmp_path / "b.xyz", MoleculeSet(atoms, energy_unit="eV"))
    assert "unit" not in (tmp_path / "b.xyz").read_text()
    with pytest.raises(DataError, match="the same units for all molecules, got eV, Angstrom and kcal/mol, Bohr"):
        read_molecules(tmp_path)
    (tmp_path / "c.xyz").write_text("".join((tmp_path / f"{name}.xyz").read_text() for name in "ab"))
    with pytest.raises(DataError, match=r"c.xyz: expected the same units"):
        read_extended_xyz(tmp_path / "c.xyz")


def test_extended_xyz_of_other_programs(tmp_path):
    """Columns in another order, further columns, quotes, and a file without keys."""
    text = (
        "2\nLattice='5 0 0 0 5 0 0 0 5' Properties=pos:R:3:species:S:1:magmoms:R:1:force:R:3 "
        'Energy=-2e1 config_type="bulk a" pbc="F F F"\n0 0 0 Si 1 .1 .2 .3\n1 1 1 Si 1 -.1 -.2 -.3\n'
        "\n1\nwater without keys\nO 0 0 0 7.5\n"
    )
    (tmp_path / "other.extxyz").write_text(text)
    silicon, oxygen = read_molecules(tmp_path / "other.extxyz")
    assert silicon.energy == -20.0
    assert silicon.forces[0].tolist() == [0.1, 0.2, 0.3]
    assert silicon.periodic == (False, False, False)
    assert oxygen.formula == "O"
    assert oxygen.energy is None
    assert len(read_molecules(tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two\n", "line 1: expected the number of atoms, got 'two'"),
        ("3\ncomment\nO 0 0 0\n", "a comment and 3 lines"),
        ("1\nProperties=species:S:1:pos:R\nO 0 0 0\n", "triples"),
        ("1\nProperties=species:S:1\nO\n", "expected species and pos"),
        ("1\nc\nO 0 0\n", "expected 4 columns"),
        ("1\nc\nO 0 0 x\n", "could not convert"),
        ('1\nLattice="1 0 0"\nO 0 0 0\n', "cannot reshape"),
        ("1\nc\nO 0 0 nan\n", "NaN or infinite"),
        ("\n", "no atoms"),
    ],
)
def test_bad_extended_xyz(tmp_path, text, message):
    (tmp_path / "bad.xyz").write_text(text)
    with pytest.raises(DataError, match=message):
        read_extended_xyz(tmp_path / "bad.xyz")


def test_paths_that_hold_no_molecules(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        read_molecules(tmp_path / "missing.npz")
    with pytest.raises(DataError, match="neither dsgdb9nsd"):
        read_molecules(tmp_path)
    (tmp_path / "table.csv").write_text("1")
    with pytest.raises(DataError, match=r"to be \.npz, \.xyz"):
        read_molecules(tmp_path / "table.csv")


def test_bad_molecules():
    with pytest.raises(DataError, match="atomic numbers"):
        Molecule([0], [[0, 0, 0]])
    with pytest.raises(DataError, match=r"`forces` of shape \(1, 3\), got \(2, 3\)"):
        Molecule([1], [[0, 0, 0]], forces=np.zeros((2, 3)))
    with pytest.raises(DataError, match="atomic numbers"):
        Molecule([], np.zeros((0, 3)))
    with pytest.raises(DataError, match=r"atomic numbers .* not symbols"):
        Molecule(["H"], [[0, 0, 0]])  # numpy compared them with numbers, and failed
    with pytest.raises(DataError, match="finite number as energy"):
        Molecule([1], [[0, 0, 0]], energy=float("nan"))


def test_parts_are_disjoint_and_repeatable():
    one, two = (random_parts(100, [50, 30], seed=3) for _ in range(2))
    assert one == two
    assert not set(one[0]) & set(one[1])
    assert [len(p) for p in one] == [50, 30]
    assert random_parts(100, [50, 30], seed=4) != one
    with pytest.raises(DataError, match="at most 10"):
        random_parts(10, [8, 3])


def test_published_indices(tmp_path):
    path = tmp_path / "index_train_01.csv"
    path.write_text("5\n0\n3\n")
    assert read_indices(path, 6) == [5, 0, 3]
    for text, count, message in (
        ("5\n0\n", 5, "from 0 to 4, got 5"),
        ("1\n1\n", 5, "repeated"),
        ("a\n", 5, "whole numbers"),
        ("", 5, "none"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_indices(path, count)
    with pytest.raises(DataError, match="indices from 0 to 0"):
        MoleculeSet([Molecule([1], [[0, 0, 0]])]).subset([0, 1])


def test_elements():
    assert [symbol_of(z) for z in (1, 6, 18, 79, 118)] == ["H", "C", "Ar", "Au", "Og"]
    assert atomic_number("Cl") == 17
    assert atomic_masses(np.array([6, 1])).tolist() == [12.011, 1.008]
    with pytest.raises(DataError, match="pass masses"):
        atomic_masses(np.array([79]))
