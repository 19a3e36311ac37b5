"""Energies and forces through the command line: what is learned, scored, predicted, resumed, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gaugenet.cli import main
from gaugenet.data import (
    AngularLennardJones,
    DataError,
    Molecule,
    read_extended_xyz,
    read_molecules,
    thermal_velocities,
    velocity_verlet,
    write_extended_xyz,
)
from gaugenet.data.molecules.dynamics import write_samples
from gaugenet.data.molecules.elements import atomic_masses
from gaugenet.tasks import MoleculeData, MoleculePredictor, RunDescription, TaskError, train_molecules
from gaugenet.tasks.molecules.statistics import EnergyScale
from tests.data.molecules.published import HYDROGEN, METHANE, md17_file

SPECIES = ["C", "O", "N", "C", "O"]
SMALL = ["--model.channels=8", "--model.depth=2", "--model.products=4", "--model.kernel_width=8", "--accelerator=cpu"]
NETWORK = {"channels": 4, "depth": 1, "products": 0, "kernel_width": 4, "cutoff": 3.0}
QUICK = {"trainer": {"max_epochs": 1, "accelerator": "cpu"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("molecules") / "cluster.npz"
    write_samples(path, AngularLennardJones(SPECIES), count=200)
    return path


def arguments(data: Path, out: Path, *more: str) -> list[str]:
    sizes = ["--data.train_size=120", "--data.val_size=40", "--batch_size=8", "--cutoff=4", "--lr=0.01"]
    return ["train", "molecules", "--data", str(data), "--out", str(out), *sizes, *SMALL, *more]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(arguments(data, out, "--max_epochs=12", "--batch_size=4", "--optim.ema=0.9", "--lr=0.02")) == 0
    return out


def test_forces_are_learned_and_scored_on_molecules_that_were_not_used(run, data, capsys):
    assert main(["evaluate", str(run), "--data", str(data), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["molecules_scored"] == 40
    assert result["forces"]["relative_mae"] < 0.5, "zeros have about .75"
    assert result["force_unit"] == "eV/Angstrom"
    with np.load(run / "predictions_test.npz") as arrays:
        found = arrays["forces/prediction"] - arrays["forces/truth"]
        assert np.abs(found).mean() == pytest.approx(result["forces"]["mae"])
        index = arrays["index"]
        truth = [read_molecules(data)[int(k)].energy for k in index]
        assert np.array_equal(truth, arrays["energy/truth"])
    assert main(["evaluate", str(run), "--data", str(data)]) == 1
    assert "already exists" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--data", str(data), "--overwrite", "--split=val"]) == 0
    assert "relative to the RMS force" in capsys.readouterr().out
    assert main(["view", str(run), "--out", str(run / "copy.png")]) == 0
    assert (run / "parity_test.png").is_file()


def test_the_metrics_of_validation_are_in_the_units_of_the_data(run, data):
    best = RunDescription.load(run).metrics["best"]
    found = main(["evaluate", str(run), "--data", str(data), "--split=val", "--out", str(run / "val")])
    assert found == 0
    result = json.loads((run / "val" / "evaluation_val.json").read_text())
    assert result["forces"]["mae"] == pytest.approx(best["val_force_mae"], rel=1e-3)
    assert result["energy_per_atom"]["mae"] == pytest.approx(best["val_energy_mae"], rel=1e-3)


def test_predictions_are_written_in_two_layouts(run, data, tmp_path, capsys):
    assert main(["predict", str(run), str(data), "--out", str(tmp_path / "out")]) == 0
    assert "200 molecules, energy" in capsys.readouterr().out
    arrays = read_molecules(tmp_path / "out" / "cluster.predicted.npz")
    text = read_extended_xyz(tmp_path / "out" / "cluster.predicted.xyz")
    assert arrays.energy_unit == "eV"
    for k in (0, 199):
        assert text[k].energy == arrays[k].energy != read_molecules(data)[k].energy
        assert np.array_equal(text[k].forces, arrays[k].forces)
    (direct,) = MoleculePredictor(run)([read_molecules(data)[7]])
    assert direct.energy == pytest.approx(arrays[7].energy, rel=1e-6)


@pytest.mark.parametrize(("units", "named"), [({"r_unit": "bohr"}, "Bohr"), ({"e_unit": "kcal/mol"}, "kcal/mol")])
def test_other_units_are_refused(run, data, tmp_path, capsys, units, named):
    other = tmp_path / "other.npz"
    with np.load(data) as arrays:
        np.savez(other, **{**arrays, **units})
    assert main(["evaluate", str(run), "--data", str(other), "--split=all", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert named in error
    assert "convert" in error
    lengths = named == "Bohr"
    assert main(["predict", str(run), str(other), "--out", str(tmp_path / "out")]) == int(lengths)
    assert ("convert the positions" in capsys.readouterr().err) == lengths, "energies are not inputs"


def test_molecules_of_other_sizes_and_elements(run, tmp_path, capsys):
    """Unequal molecules are predicted; a file with an unknown element is named, and the others are done."""
    rng = np.random.default_rng(0)
    sizes = (2, 4, 3)
    write_extended_xyz(
        tmp_path / "some.xyz", [Molecule([6, 8, 7, 6][:n], 1.5 * rng.normal(size=(n, 3))) for n in sizes]
    )
    write_extended_xyz(tmp_path / "gold.xyz", [Molecule([79], np.zeros((1, 3)))])
    files = [str(tmp_path / name) for name in ("some.xyz", "gold.xyz")]
    assert main(["predict", str(run), *files, "--out", str(tmp_path / "out")]) == 1
    message = capsys.readouterr()
    assert "gold.xyz: The network knows the elements [6, 7, 8], got [79]" in message.err
    with np.load(tmp_path / "out" / "some.predicted.npz") as arrays:
        assert arrays["num_atoms"].tolist() == list(sizes)
        assert arrays["forces"].shape == (9, 3)
    assert [len(m) for m in read_extended_xyz(tmp_path / "out" / "some.predicted.xyz")] == list(sizes)


def test_dynamics_with_learned_forces_conserve_energy(run, data):
    potential = AngularLennardJones(SPECIES)
    mass, first = atomic_masses(potential.species), read_molecules(data)[0]
    forces = MoleculePredictor(run).force_function(first.species)
    velocity = thermal_velocities(mass, 100, seed=0)
    spreads = []
    for step in (1.0, 0.5):
        found = velocity_verlet(forces, first.pos, velocity, mass, step=step, steps=int(100 / step))
        spreads.append(np.ptp(found.total))
    assert spreads[0] < 0.05 * np.ptp(found.potential)
    assert spreads[1] < 0.5 * spreads[0], "the error is that of the step, since the forces are a gradient"
    assert forces.searches < 50, "pairs are searched only after atoms have moved"


def test_an_interrupted_training_is_continued_exactly(data, tmp_path):
    for name in ("whole", "parts"):
        assert main(arguments(data, tmp_path / name, "--trainer.limit_train_batches=3", "--max_epochs=2")) == 0
    out = tmp_path / "parts"
    (out / "last.ckpt").unlink()  # as if killed in the second epoch
    assert main(["train", "molecules", "--out", str(out), "--resume"]) == 0
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def qm9(tmp_path: Path, count: int = 6) -> Path:
    folder = tmp_path / "qm9"
    folder.mkdir()
    for k in range(count):
        (folder / f"dsgdb9nsd_{k:06d}.xyz").write_text(METHANE if k % 2 else HYDROGEN)
    return folder


@pytest.mark.parametrize("energy", ["energy", "U0", "alpha"])
def test_properties_of_qm9_without_forces(tmp_path, energy):
    folder = qm9(tmp_path)
    options = MoleculeData(path=str(folder), energy=energy, train_size=4, val_size=2, batch_size=2)
    description = train_molecules(tmp_path / "run", data=options, model=NETWORK, **QUICK)
    assert description.data["units"]["energy"] == ("Bohr^3" if energy == "alpha" else "Hartree")
    assert description.classes == [energy]
    predictor = MoleculePredictor(tmp_path / "run")
    for molecule, found in zip(read_molecules(folder), predictor(read_molecules(folder)), strict=True):
        # two formulas and two elements: the energies of atoms alone are exact
        assert found.energy == pytest.approx(molecule.target(energy), rel=0.05)
        assert (found.forces is None) == (energy == "alpha")


def test_published_indices_choose_the_parts(tmp_path):
    path = md17_file(tmp_path / "rmd17_water.npz", conformations=10, revised=True)
    for name, text in (("train", "4\n1\n7\n"), ("val", "0\n"), ("test", "9\n2\n")):
        (tmp_path / f"index_{name}_01.csv").write_text(text)
    options = MoleculeData(
        path=str(path),
        train_indices=str(tmp_path / "index_train_01.csv"),
        val_indices=str(tmp_path / "index_val_01.csv"),
    )
    train_molecules(tmp_path / "run", data=options, model=NETWORK, **QUICK)
    command = ["evaluate", str(tmp_path / "run"), "--data", str(path)]
    assert main([*command, "--indices", str(tmp_path / "index_test_01.csv")]) == 0
    assert main(command) == 0
    found = {}
    for name in ("index_test_01", "test"):
        with np.load(tmp_path / "run" / f"predictions_{name}.npz") as arrays:
            found[name] = arrays["index"].tolist()
    assert found == {"index_test_01": [9, 2], "test": [2, 3, 5, 6, 8, 9]}


def test_other_data_have_no_parts(run, tmp_path, capsys):
    other = tmp_path / "other.npz"
    write_samples(other, AngularLennardJones(SPECIES), count=200, seed=1)
    command = ["evaluate", str(run), "--data", str(other), "--out", str(tmp_path)]
    assert main(command) == 1
    assert "use --split all" in capsys.readouterr().err
    assert main([*command, "--split=all"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": None}, "pass a file or a folder"),
        ({"energy": "U0"}, "7 of .* cannot be used: .* there is energy"),
        ({"energy": "alpha", "forces": True}, "not of 'alpha'"),
        ({"train_size": 8}, "at most 7"),
        ({"train_size": -1}, "at least 0"),
        ({"val_indices": "a"}, "without `data.train_indices`"),
        ({"train_indices": "a", "train_size": 3}, "choose one of the two"),
    ],
)
def test_bad_options_and_data_are_named_before_anything_is_written(tmp_path, options, message):
    path = str(md17_file(tmp_path / "water.npz"))
    sizes = {} if {"train_indices", "val_indices"} & set(options) else {"train_size": 7}
    with pytest.raises((TaskError, DataError), match=message):
        train_molecules(tmp_path / "run", data=MoleculeData(**{"path": path, **sizes, **options}), model=NETWORK)
    assert not (tmp_path / "run").exists()


def test_forces_that_are_missing_are_named(tmp_path):
    path = str(md17_file(tmp_path / "water.npz", F=None))
    with pytest.raises(DataError, match="5 of 5 molecules have no forces"):
        train_molecules(tmp_path / "run", data=MoleculeData(path=path, train_size=5, forces=True), model=NETWORK)


def test_energies_of_atoms_by_least_squares():
    rng = np.random.default_rng(0)
    energies = {1: -13.6, 6: -1030.0, 8: -2040.0}
    molecules = []
    for _ in range(20):
        species = rng.choice([1, 6, 8], size=rng.integers(2, 9))
        total = sum(energies[int(z)] for z in species)
        molecules.append(Molecule(species, rng.normal(size=(len(species), 3)), total))
    found = EnergyScale.fit(molecules, "energy", forces=False)
    assert found.elements == [1, 6, 8]
    assert np.allclose(found.atomic_energies, list(energies.values()), rtol=1e-9)
