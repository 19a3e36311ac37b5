"""Every example runs as it is told to in its first lines, in a reduced setting, and says what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from gaugenet.data import FieldReader, FieldSpec
from gaugenet.geometry import TriangleMesh

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PNG = b"\x89PNG\r\n"


def run(name: str, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested():
    """`segment_panoramas.py` uses `synthetic_rooms.py`, others use `compare_networks.py`."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "arteries.py",
        "boosted_observers.py",
        "bound_balls.py",
        "classify_points.py",
        "compare_networks.py",
        "event_observers.py",
        "forecast_sphere.py",
        "gauge_equivariance.py",
        "hyperbolic_features.py",
        "hyperbolic_horocycles.py",
        "hyperbolic_signals.py",
        "leray_projection.py",
        "lattice_gauges.py",
        "lattice_preconditioner.py",
        "lattice_topology.py",
        "maxwell_waves.py",
        "mesh_rollouts.py",
        "mobius_mnist.py",
        "molecules.py",
        "nbody_charged.py",
        "nbody_springs.py",
        "moving_charges.py",
        "own_layer.py",
        "regress_vectors.py",
        "rotated_mnist.py",
        "segment_bodies.py",
        "segment_panoramas.py",
        "shape_operators.py",
        "spherical_mnist.py",
        "spherical_mnist_irreps.py",
        "sphere_grids.py",
        "surface_pde.py",
        "surface_pde_networks.py",
        "synthetic_rooms.py",
        "synthetic_weather.py",
        "turbulence.py",
        "turbulence_networks.py",
        "wilson_loops.py",
    }


def test_shape_operators_are_those_of_the_smooth_surface(tmp_path):
    """The training and the picture are tested in tests/tasks/regression/test_shape_operators.py."""
    text = run("shape_operators.py", tmp_path, "--train", "1", "--test", "1", "--count", "100", "--jobs", "1")
    assert text.startswith("shapes: 26 meshes, ")
    assert len(list((tmp_path / "shapes" / "noise_20" / "test").glob("*.ply"))) == 5
    for name in ("torus_1000", "ellipsoid_1000"):
        mesh = TriangleMesh.load(tmp_path / "shapes" / "noise_00" / "test" / f"{name}.ply")
        tensor = FieldReader(mesh, mesh_file(tmp_path, name)).read(FieldSpec("shape_operator", "tensor")).values
        trace = np.trace(tensor, axis1=1, axis2=2)
        gauss = (trace**2 - (tensor**2).sum((1, 2))) / 2  # the third eigenvalue is 0
        total = float((gauss * mesh.vertex_areas).sum())
        assert abs(total - (0 if name.startswith("torus") else 4 * np.pi)) < 2.0, "Gauss-Bonnet"


def mesh_file(folder: Path, name: str) -> Path:
    return folder / "shapes" / "noise_00" / "test" / f"{name}.ply"


def test_segment_bodies_trains_and_draws(tmp_path):
    text = run("segment_bodies.py", tmp_path, "--epochs", "2", "--meshes", "2", "--out", "bodies.png")
    first, second = (float(line.split()[3]) for line in text.splitlines() if line.startswith("epoch"))
    assert second < first, "one epoch of training lowers the loss"
    assert (tmp_path / "bodies.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_surface_pde_finds_the_equation_and_rolls_out(tmp_path):
    text = run("surface_pde.py", tmp_path, "--rollout", "40", "--out", "pde.png")
    assert text.startswith("7 weights")
    assert float(text.split("steps ")[1].split()[0]) < 0.2, "relative L2 error after the roll-out, in per cent"
    assert abs(float(text.split("diffusion ")[1].split(",")[0]) - 0.05) < 0.0005
    assert (tmp_path / "pde.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_networks_learn_the_equation_of_surface_pde(tmp_path):
    small = ["--level", "3", "--radius", "0.35", "--seconds", "2", "--rollout", "20"]
    rows = run("surface_pde_networks.py", tmp_path, *small).splitlines()
    assert [row.split(",")[0] for row in rows] == ["harmonic", "graph"]
    assert all(0 < float(row.split("steps ")[1].split()[0]) < 30 for row in rows), "per cent; the state grows by 20 %"


@pytest.mark.long
def test_roll_outs_on_meshes_make_a_table(tmp_path):
    options = ["--equations", "heat", "--seconds", "2", "--seeds", "1", "--times", "5", "10"]
    rows = [line.split("|") for line in run("mesh_rollouts.py", tmp_path, *options).splitlines()[2:]]
    names = ["Harmonic(rings=2)", "Differential(max_order=2)", "one ring", "graph"]
    assert [row[2].strip() for row in rows] == [name for name in names for _ in range(2)]
    assert all(38_000 < int(row[3].replace(",", "")) < 42_000 for row in rows)
    assert all(0 < float(row[k]) < 50 for row in rows for k in (5, 6))


def test_sphere_grids_agree(tmp_path):
    text = run("sphere_grids.py", tmp_path, "--size", "8", "--out", "grids.png")
    rows = [line.split()[-3:] for line in text.splitlines()[1:5]]
    assert len(rows) == 4
    assert max(float(value) for row in rows for value in row) < 0.1
    assert (tmp_path / "grids.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_wilson_loops_are_exact_and_transfer(tmp_path):
    text = run("wilson_loops.py", tmp_path, "--loops", "1x2", "--seconds", "40", "--ordinary", "1", "--each", "2")
    rows = [[float(line.split(word)[1].split()[0].strip(",")) for word in ("error ", "32x32 ", "gauge ")]
            for line in text.replace("gauge equivariant", "equivariant").splitlines()]  # fmt: skip
    equivariant, ordinary = rows
    assert max(equivariant[:2]) < 1e-12
    assert equivariant[2] < 1e-12
    assert min(ordinary) > 1e-6


@pytest.mark.long
def test_wilson_loops_of_other_groups_and_dimensions(tmp_path):
    """The command for SU(3) in four dimensions, for the smallest loop."""
    text = run(
        "wilson_loops.py", tmp_path, "--group", "SU3", "--lattice", "4x4x4x4", "--large", "6x4x4x4", "--loops", "1x1",
        "--by-matrices", "--ordinary", "0", "--configurations", "1", "--couplings", "2",
    )  # fmt: skip
    assert float(text.split("error ")[1].split()[0]) < 1e-12
    assert float(text.split("6x4x4x4 ")[1].split(",")[0]) < 1e-12


@pytest.mark.slow
def test_invariant_panels_are_the_same_in_two_gauges(tmp_path):
    text = run("lattice_gauges.py", tmp_path, "--extent", "5", "--flow", "1", "--picture", "gauges.png")
    changes = {line.split(":")[0]: float(line.split("by ")[1].split()[0]) for line in text.splitlines() if "by" in line}
    invariant = {title for title, change in changes.items() if change < 1e-12}
    assert invariant == {"norm of the feature", "1 - Re tr P / 2", "charge density", "charge density, smoothed"}
    assert len(changes) == 6
    assert all(changes[title] > 0.5 for title in set(changes) - invariant)
    first, second = (line.split()[-1] for line in text.splitlines() if line.startswith("topological"))
    assert first == second
    assert (tmp_path / "gauges.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_the_topological_charge_is_learned_and_does_not_depend_on_the_gauge(tmp_path):
    text = run("lattice_topology.py", tmp_path, "--seconds", "10", "--configurations", "100", "--picture", "charge.png")
    rows = [line for line in text.splitlines() if "right" in line]
    equivariant, ordinary = ([row for row in rows if name in row] for name in ("equivariant", "ordinary"))
    assert len(equivariant) == len(ordinary) == 3
    assert float(equivariant[0].split("% right")[0].split()[-1]) > 80
    assert max(float(row.split()[-1]) for row in equivariant) < 1e-10
    assert min(float(row.split()[-1]) for row in ordinary) > 0.1
    assert (tmp_path / "charge.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_the_learned_preconditioner_saves_iterations_in_every_gauge(tmp_path):
    options = (
        "--seconds",
        "6",
        "--layers",
        "3",
        "--channels",
        "2",
        "--levels",
        "2",
        "--lattices",
        "8x8",
        "--configurations",
        "2",
    )
    lines = run("lattice_preconditioner.py", tmp_path, *options).splitlines()
    counts = {
        (line[:28].strip(), line[28:53].strip()): [int(n) for n in line.split()[-1].split("-")]
        for line in lines
        if line.startswith(("8x8", "another"))
    }
    for place in ("8x8", "another gauge"):
        assert max(counts[place, "learned"]) < min(counts[place, "no preconditioner"])
        assert max(counts[place, "learned"]) < min(counts[place, "learned, links one"])
    error = next(line for line in lines if line.startswith("gauge error"))
    assert float(error.split()[-1]) < 1e-12


def test_synthetic_weather_is_written_and_drawn(tmp_path):
    text = run("synthetic_weather.py", tmp_path, "--steps", "12", "--height", "19")
    assert "train.nc: 12 steps" in text
    assert {path.name for path in (tmp_path / "weather").iterdir()} == {"train.nc", "val.nc", "test.nc", "weather.png"}
    assert (tmp_path / "weather" / "weather.png").read_bytes().startswith(PNG)
    (tmp_path / "weather" / "train.nc").write_bytes(b"my own data")
    with pytest.raises(AssertionError, match=r"already holds train\.nc.* replace with --overwrite"):
        run("synthetic_weather.py", tmp_path, "--steps", "12", "--height", "19")
    assert (tmp_path / "weather" / "train.nc").read_bytes() == b"my own data"


def test_gauge_equivariance_tells_the_network_from_its_controls(tmp_path):
    lines = run("gauge_equivariance.py", tmp_path).splitlines()
    moved = {
        line.split("  ")[0]: float(line.split("logits move by ")[1].split()[0]) for line in lines if "move" in line
    }
    assert moved.pop("a random frame at every vertex") < 1e-5
    assert len(moved) == 2
    assert min(moved.values()) > 1e-2
    assert (tmp_path / "gauge_equivariance.png").read_bytes().startswith(PNG)


def test_own_layer_is_accepted_and_the_wrong_one_refused(tmp_path):
    text = run("own_layer.py", tmp_path)
    assert text.count("negative control") == 2
    refused = text[text.index("refused:") :]
    assert "BiasOnVectors depends on the gauge" in refused
    assert "8x1" in refused


@pytest.mark.long
def test_rotated_mnist_compares_networks_and_goes_on(tmp_path):
    random = np.random.default_rng(0)
    parts = {f"x_{part}": random.integers(0, 256, (40, 28, 28)).astype(np.uint8) for part in ("train", "test")}
    parts |= {f"y_{part}": random.integers(0, 10, 40) for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", **parts)
    options = ["--data", "mnist.npz", "--networks", "C16", "CNN+aug", "--digits", "30", "20", "10"]
    options += ["--width", "0.06", "--epochs", "2", "--threads", "1", "--out", "run"]
    text = run("rotated_mnist.py", tmp_path, *options)
    table = (tmp_path / "run" / "table.md").read_text()
    assert table in text
    steerable, plain = (line.split("|") for line in table.splitlines()[2:])
    assert steerable[6].strip() == "0.0%", "answers that change when digits turn by 90 degrees"
    assert abs(int(plain[2].replace(",", "")) / int(steerable[2].replace(",", "")) - 1) < 0.1
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(PNG)
    again = run("rotated_mnist.py", tmp_path, *options)
    assert (tmp_path / "run" / "table.md").read_text() == table, "nothing is trained twice, not even the clock moves"
    assert again == text


@pytest.mark.long
def test_mobius_mnist_trains_once(tmp_path):
    random = np.random.default_rng(0)
    parts = {f"x_{part}": random.integers(0, 256, (20, 28, 28)).astype(np.uint8) for part in ("train", "test")}
    parts |= {f"y_{part}": random.integers(0, 10, 20) for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", **parts)
    options = ["--data", "mnist.npz", "--networks", "scalar", "cnn-parameters", "--digits", "20", "20", "--out", "run"]
    options += ["--epochs", "1", "--device", "cpu"]
    first = run("mobius_mnist.py", tmp_path, *options)
    [table] = (tmp_path / "run").glob("*/table.md")
    assert [line.split("|")[1].strip() for line in table.read_text().splitlines()[2:]] == [
        "cnn-parameters, centred",
        "scalar, centred",
    ]
    assert run("mobius_mnist.py", tmp_path, *options) == first == table.read_text(), "nothing is trained twice"
    for picture in ("strip.png", "curves.png"):
        assert (table.parent / picture).read_bytes().startswith(PNG)


def cells(text: str) -> dict[str, list[str]]:
    """The rows of a table in Markdown by their first cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.long
def test_hyperbolic_signals_are_denoised(tmp_path):
    table = cells(run("hyperbolic_signals.py", tmp_path, "--seeds", "1", "--steps", "30", "--depth", "3"))
    found = {name: float(row[1].split(" ")[0]) for name, row in table.items()}
    best, nothing = found.pop("posterior mean, knows the tree"), found.pop("nothing removed")
    assert set(found) == {"hyperbolic plane", "flat drawing"}
    assert all(best < error < nothing for error in found.values())
    assert table["hyperbolic plane"][0] == table["flat drawing"][0], "equal size"


@pytest.mark.long
def test_horocycles_do_not_notice_ax_plus_b(tmp_path):
    table = cells(run("hyperbolic_horocycles.py", tmp_path, "--seeds", "1", "--steps", "40", "--depth", "4"))
    size, trained, moved, rotated = table["horocycles"]
    assert trained == moved != rotated
    assert float(trained.split("%")[0]) > 70
    other, trained, moved, _ = table["flat plane"]
    assert (size, trained) != (other, moved)
    assert size == other


@pytest.mark.long
def test_hyperbolic_features_are_compared_with_flat_ones(tmp_path):
    table = cells(run("hyperbolic_features.py", tmp_path, "--seeds", "1", "--epochs", "1", "--samples", "108"))
    assert set(table) == {"hyperbolic", "flat"}
    assert all(0 <= float(row[1].split("%")[0]) <= 100 and float(row[2].split(" ")[0]) <= 3 for row in table.values())


def write_random_digits(path):
    random = np.random.default_rng(0)
    parts = {f"x_{part}": random.integers(0, 256, (20, 28, 28)).astype(np.uint8) for part in ("train", "test")}
    parts |= {f"y_{part}": random.integers(0, 10, 20) for part in ("train", "test")}
    np.savez(path, **parts)


@pytest.mark.long
def test_spherical_mnist_by_irreps_prints_the_protocol(tmp_path):
    write_random_digits(tmp_path / "mnist.npz")
    options = ["--data", "mnist.npz", "--digits", "20", "20", "--epochs", "1", "--width", "1", "--threads", "1"]
    text = run("spherical_mnist_irreps.py", tmp_path, *options, "--out", "run")
    assert [line.split(":")[0] for line in text.splitlines()[:2]] == ["N/N", "N/R"]
    assert (tmp_path / "run" / "N" / "model.safetensors").exists()
    assert "N/R 69.99" in text


@pytest.mark.long
def test_spherical_mnist_prints_the_protocol(tmp_path):
    write_random_digits(tmp_path / "mnist.npz")
    options = ["--data", "mnist.npz", "--digits", "20", "20", "--epochs", "2", "--level", "1", "--width", "1"]
    options += ["--threads", "1", "--device", "cpu", "--out", "run"]
    text = run("spherical_mnist.py", tmp_path, *options)
    table = (tmp_path / "run" / "table.md").read_text()
    assert table in text
    assert [line.split(":")[0] for line in text.splitlines()[:3]] == ["N/N", "N/R", "R/R"]
    assert "69.99" in table
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(PNG)


def test_arteries_are_written_with_stress_and_distance(tmp_path):
    text = run("arteries.py", tmp_path, "--count", "3", "--edge", "0.7", "--jobs", "1", "--out", "arteries")
    assert "5 meshes" in text
    paths = sorted((tmp_path / "arteries").rglob("*.ply"))
    assert [path.parent.name for path in paths].count("test") == 2, "one artery, meshed twice"
    header = paths[0].read_bytes().split(b"end_header")[0].decode()
    assert all(f"property double {name}" in header for name in ("wss_x", "wss_y", "wss_z", "inflow_distance"))


@pytest.mark.long
def test_regressed_vectors_learn_and_rotate_with_the_artery(tmp_path):
    text = run("regress_vectors.py", tmp_path, "--epochs", "4", "--arteries", "2", "--edge", "0.9", "--out", "v.png")
    errors = [float(line.split()[-2]) for line in text.splitlines() if line.startswith("epoch")]
    assert errors[-1] < 0.8 * errors[0]
    moved = [float(line.split("rotated artery: ")[1].split()[0]) for line in text.splitlines() if "rotated" in line]
    assert len(moved) == 2
    assert max(moved) < 1e-4
    assert (tmp_path / "v.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_examples_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.long
def test_panoramas_are_written_read_and_segmented(tmp_path):
    options = ["--level", "2", "--levels", "2", "--width", "2", "--batch-size", "6", "--epochs", "8", "--device", "cpu"]
    text = run("segment_panoramas.py", tmp_path, *options)
    losses = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("epoch")]
    assert losses[-1] < 0.8 * losses[0]
    assert "areas 5a:" in text
    assert float(text.split("right")[1].split()[0]) > 30, "of 13 classes"
    assert (tmp_path / "runs" / "panoramas" / "panorama.png").read_bytes().startswith(PNG)
    assert len(list((tmp_path / "runs" / "panoramas" / "rooms").glob("area_*/pano/*/*.png"))) == 3 * 36


def test_the_leray_projection_needs_the_complete_kernels(tmp_path):
    """A smaller window: 13 pixels, waves between 4 and 6.5."""
    text = run("leray_projection.py", tmp_path, "--dims", "2", "--window", "13", "--out", "run")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    errors = {row[2]: float(row[4]) for row in rows}
    assert errors["complete"] < 0.05
    assert 0.6 < errors["published span"] < 0.75
    assert errors["published span, two layers"] < 0.1
    assert abs(errors["harmonic"] - errors["complete"]) < 1e-3
    assert (tmp_path / "run" / "leray.png").read_bytes().startswith(PNG)


def test_bound_balls_conserve_their_energy(tmp_path):
    moved, energy = run("bound_balls.py", tmp_path).splitlines()
    assert float(moved.split()[1]) > 0.1
    assert float(energy.split()[3]) < 5e-3 * float(energy.split()[5]), "the steps are of first order, as published"


@pytest.mark.long
def test_nbody_springs_tell_what_a_network_needs(tmp_path):
    """The set is the published one, and the right group with all springs is best after a short training."""
    text = run("nbody_springs.py", tmp_path, "--systems", "100", "--iterations", "60", "--out", "nbody.png")
    first, _, *rows = text.splitlines()
    assert abs(float(first.split()[2].rstrip(",")) - 0.133) < 0.01
    assert abs(float(first.split()[-1]) - 0.0455) < 0.004
    errors = {row[:28].strip(): float(row[38:46]) for row in rows}
    assert len(errors) == 6
    assert 2 * errors["cylinder"] < min(error for name, error in errors.items() if name != "cylinder")
    assert (tmp_path / "nbody.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_nbody_charged_trains(tmp_path):
    first, *epochs = run("nbody_charged.py", tmp_path, "--simulations", "40", "--epochs", "8").splitlines()
    assert 0.03 < float(first.split()[-1]) < 0.3, "the published error of straight lines, for a fitted time, is 0.08"
    assert float(epochs[-1].split()[3]) < float(epochs[0].split()[3])
    assert float(epochs[-1].split()[5]) < 4 * float(epochs[-1].split()[3])


@pytest.mark.long
def test_classify_points_reads_shapes_of_its_own(tmp_path):
    """Rotations of the test clouds change no score that the group of the network promises to keep."""
    ball = trimesh.creation.icosphere(subdivisions=2)
    for number, kind in enumerate(("long", "flat")):
        for part, count in (("train", 4), ("test", 4)):
            (tmp_path / "shapes" / kind / part).mkdir(parents=True)
            for k in range(count):
                axes = np.array([0.3, 0.3, 1]) if number == 0 else np.array([1, 1, 0.3]) * (1 + 0.02 * k)
                mesh = trimesh.Trimesh(ball.vertices * axes, ball.faces, process=False)
                mesh.export(tmp_path / "shapes" / kind / part / f"{k}.off")
    text = run("classify_points.py", tmp_path, "--data", "shapes", "--epochs", "2", "--points", "64")
    rows = {line[:14].strip(): [float(x) for x in line[28:55].split()] for line in text.splitlines()[2:]}
    assert list(rows) == ["trivial", "axial SO(2)", "SO(3)", "O(3)"]
    assert rows["axial SO(2)"][0] == rows["axial SO(2)"][1]
    assert len(set(rows["SO(3)"])) == len(set(rows["O(3)"])) == 1


@pytest.mark.long
def test_moving_charges_are_written_once(tmp_path):
    options = ["--samples", "2", "--shape", "3", "6", "6", "--speeds", "0", "0.3", "--out", "run"]
    first = run("moving_charges.py", tmp_path, *options).splitlines()
    again = run("moving_charges.py", tmp_path, *options).splitlines()
    assert [line.replace("made", "found") for line in first] == again != first
    assert {f.name for f in (tmp_path / "run").iterdir()} == {"observer_0c.nc", "observer_0.3c.nc", "observers.png"}
    other = run("moving_charges.py", tmp_path, *options, "--seed", "1").splitlines()
    assert all("made" in line for line in other), "files of other options are made again"


@pytest.mark.long
def test_turbulence_goes_on_where_it_stopped(tmp_path):
    options = ["--size", "16", "--flows", "17", "0", "1", "--frames", "5", "--viscosity", "0.02", "--out", "run"]
    first = run("turbulence.py", tmp_path, *options).splitlines()
    errors = [float(part.split()[1]) for part in first[-1].removeprefix("balances: ").split(", ")]
    assert max(map(abs, errors)) < 0.05, "of the trapezoidal rule"
    (tmp_path / "run" / "train_01.nc").unlink()
    again = run("turbulence.py", tmp_path, *options).splitlines()
    assert [line.split()[-1] for line in again[:3]] == ["found", "made", "found"]
    assert again[-1] == first[-1]
    assert (tmp_path / "run" / "turbulence.png").read_bytes().startswith(PNG)
    other = run("turbulence.py", tmp_path, *options, "--seed", "1").splitlines()
    assert all("made" in line for line in other[:3]), "files of other options are made again"


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("turbulence.py", ["--frames", "1"], "two frames"),
        ("turbulence.py", ["--flows", "0", "0", "0"], "one flow"),
        ("maxwell_waves.py", ["--samples", "0"], "one sample"),
        ("classify_points.py", ["--data", "none", "--points", "3"], "4 points"),
    ],
)
def test_examples_name_counts_that_are_too_small(script, options, message, tmp_path):
    found = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert message in found.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_maxwell_waves_balance_and_go_on(tmp_path):
    options = ["--samples", "17", "--size", "16", "--frames", "11", "--every", "0.05", "--out", "run"]
    first = run("maxwell_waves.py", tmp_path, *options).splitlines()
    assert [line.split()[-1] for line in first[:2]] == ["made", "made"]
    gauss, energy = (abs(float(part.split()[-1])) for part in first[-1].split(","))
    assert gauss < 1e-6
    assert energy < 0.02, "of the trapezoidal rule"
    (tmp_path / "run" / "waves_01.nc").unlink()
    again = run("maxwell_waves.py", tmp_path, *options).splitlines()
    assert [line.split()[-1] for line in again[:2]] == ["found", "made"]
    assert again[-1] == first[-1]
    assert (tmp_path / "run" / "waves.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_networks_forecast_turbulence_once(tmp_path):
    options = ["--samples", "4", "--steps", "12", "--channels", "2", "--out", "run"]
    rows = cells(run("turbulence_networks.py", tmp_path, *options))
    assert len(rows) == 6
    for name, row in rows.items():
        _, as_it_is, rotated, mirrored = (float(cell) for cell in row[:4])
        assert 0.1 < as_it_is < 3, "in units of the variance of the change, after 12 steps"
        changed = max(abs(rotated / as_it_is - 1), abs(mirrored / as_it_is - 1))
        assert changed > 1e-5 if name == "ResNet" else changed < 1e-4
    first = (tmp_path / "run" / "results.json").read_text()
    run("turbulence_networks.py", tmp_path, *options)
    assert (tmp_path / "run" / "results.json").read_text() == first, "nothing is trained twice"


@pytest.mark.long
def test_observers_of_the_same_events_agree(tmp_path):
    rows = cells(run("event_observers.py", tmp_path, "--samples", "16", "--steps", "20", "--out", "run"))
    _, at_rest, _, _, _, same, difference, *_ = (float(cell) for cell in rows["Clifford"])
    assert 0.05 < at_rest < 1.0, "after 20 steps"
    assert abs(same / at_rest - 1) < 1e-4
    assert difference < 1e-4 < 100 * 1e-4 < float(rows["plain"][6]), "control"


@pytest.mark.long
def test_steerable_kernels_forecast_for_every_observer(tmp_path):
    options = ["--samples", "4", "--size", "11", "--rings", "8", "--noise", "0.005", "--out", "run"]
    text = run("boosted_observers.py", tmp_path, *options)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    errors = {row[1]: [float(cell.split()[0]) for cell in row[3:]] for row in rows}
    assert all(a < b for a, b in zip(errors["complete"], errors["free"], strict=True))
    assert all(a < b for a, b in zip(errors["complete"], errors["the last frame"], strict=True))
    assert (tmp_path / "run" / "table.md").read_text() == text


@pytest.mark.long
def test_forecast_sphere_compares_networks_with_persistence(tmp_path):
    text = run("forecast_sphere.py", tmp_path, "--runs", "1", "--epochs", "1", "--truncation", "6", "--level", "2")
    assert "vectors  persistence      scalars      lat-lon" in text
    error = float(text.partition("rotations of the icosahedron:")[2].split()[0])
    assert error < 1e-4, "the forecast of a rotated planet is the rotated forecast"
    assert (tmp_path / "runs/forecast/forecast.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_molecules_are_learned_and_moved_with_conserved_energy(tmp_path):
    options = ["--train", "60", "--epochs", "3", "--picoseconds", "0.05", "--out", "molecules.png"]
    text = run("molecules.py", tmp_path, *options)
    relative = float(text.split("Angstrom, ")[1].split()[0])
    assert relative < 74, "percent: zeros have about 75"
    learned = next(line for line in text.splitlines() if line.startswith("learned forces"))
    assert float(learned.split("(")[1].split()[0]) < 3, "percent of the range of the potential energy"
    assert (tmp_path / "molecules.png").read_bytes().startswith(PNG)
