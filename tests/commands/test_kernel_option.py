"""One option chooses the kernels of a network, from the command line to the exported file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gaugenet.cli import main
from gaugenet.data import Digits
from gaugenet.geometry import Icosphere, TriangleMesh, hierarchy
from gaugenet.groups import SO2
from gaugenet.kernels import kernel_from_text
from gaugenet.models import PlanarCNN
from gaugenet.nn import GaugeConv, prepare_graph, to_torch
from gaugenet.tasks import ImageOptions, fit_images, load_run
from tests.geometry.mesh import surfaces
from tests.tasks.climate.climate_files import write_weather
from tests.tasks.mesh.meshes import write_folder
from tests.tolerances import TOL, relative

OPERATORS = "Differential(max_order=2)"
SUM = "Harmonic(rings=2) + Differential(max_order=2)"
TINY = ["--model.width=2", "--model.blocks=1", "--batch_size=3", "--accelerator=cpu", "--threads=1", "--max_epochs=1"]
MESHES = ["--geometry.levels=2", "--data.features=HeatKernelSignature(),Positions()", "--data.n_jobs=1"]
CLOSE = TOL[torch.float32]


@pytest.fixture(scope="session")
def bodies(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("bodies"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def weather(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weather")
    write_weather(folder / "train.nc", steps=3)
    write_weather(folder / "val.nc", first=20, steps=2)
    return folder


def segment(bodies, cache, out, text):
    files = ["--data", str(bodies), "--out", str(out), "--cache", str(cache)]
    return main(["train", "segmentation", *files, *MESHES, *TINY, f"--model.kernel={text}"])


def saved(run, text):
    """The network of a run, which must have the kernels of the text."""
    network, description = load_run(run)
    assert kernel_from_text(description.arguments["kernel"]) == kernel_from_text(text)
    assert json.loads((run / "run.json").read_text())["arguments"]["kernel"] == text
    convolutions = [m for m in network.modules() if isinstance(m, GaugeConv)]
    family = kernel_from_text(text)
    assert convolutions
    assert all(type(c.kernels) is type(family.space(c.in_type, c.out_type)) for c in convolutions)
    return network


@pytest.mark.parametrize("text", ["Harmonic(rings=2)", OPERATORS, SUM, "Implicit(hidden=4)", "ImplicitPolynomial()"])
def test_meshes(text, bodies, cache, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    assert segment(bodies, cache, run, text) == 0
    assert main(["predict", str(run), str(bodies / "test"), "--out", str(out)]) == 0
    assert np.load(out / "body0.faces.npy").shape == (320,)
    assert saved(run, text)


@pytest.mark.slow
def test_an_exported_network_of_meshes(bodies, cache, tmp_path):
    assert segment(bodies, cache, tmp_path / "run", OPERATORS) == 0
    network, mesh = saved(tmp_path / "run", OPERATORS), surfaces.sphere(4, jitter=0.2)
    graph = hierarchy(TriangleMesh(mesh.vertices, mesh.faces), SO2(), levels=2, mean_neighbors=20)
    x = torch.randn(graph.num_nodes, network.in_type.size)
    prepared = prepare_graph(network, x, graph)
    exported = torch.export.export(network, (x, prepared)).module()
    assert relative(exported(x, prepared), network(x, graph)) < CLOSE


def of_the_globe(weather, folder):
    run, out = folder / "run", folder / "out.nc"
    files = ["--data", str(weather / "train.nc"), "--val", str(weather / "val.nc"), "--out", str(run)]
    options = ["--level=2", "--model.levels=2", f"--model.kernel={OPERATORS}"]
    assert main(["train", "climate", *files, *TINY, *options]) == 0
    assert main(["predict", str(run), str(weather / "val.nc"), "--out", str(out)]) == 0
    assert out.is_file()
    return saved(run, OPERATORS)


def test_the_globe(weather, tmp_path):
    network = of_the_globe(weather, tmp_path)
    assert network(torch.randn(2, network.in_type.size, Icosphere(2).num_vertices)).isfinite().all()


@pytest.mark.long
def test_an_exported_network_of_the_globe(weather, tmp_path):
    network = of_the_globe(weather, tmp_path)
    x = torch.randn(2, network.in_type.size, Icosphere(2).num_vertices)
    exported = torch.export.export(network, (x,)).module()
    assert relative(exported(x), network(x)) < CLOSE


@pytest.mark.parametrize("text", [OPERATORS, "Harmonic(rings=GaussianRings([0.4, 0.8], 0.2), max_frequency=2)", SUM])
def test_images(text, tmp_path):
    random = np.random.default_rng(0)
    digits = Digits(random.integers(0, 256, (20, 28, 28)).astype(np.uint8), random.integers(0, 10, 20))
    model = PlanarCNN(10, group="C_4", width=0.1, kernel=text)
    fit_images(model, digits, tmp_path / "run", ImageOptions(epochs=1, batch_size=10))
    network = saved(tmp_path / "run", text)
    x = torch.randn(3, 1, 28, 28)
    assert relative(network(x), model.eval()(x)) < CLOSE
    plain = to_torch(network, x)
    assert not any(isinstance(m, GaugeConv) for m in plain.modules())
    assert relative(plain(x), network(x)) < CLOSE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Differentail(max_order=2)", "expected one of Clifford, Differential, Harmonic"),
        ("Differential", "The families are Clifford, Differential, Harmonic"),
        ("Differential(order=2)", "Differential takes max_order, degree, discretization, accuracy, width"),
        ("Harmonic(rings=2", "never closed"),
        ("Harmonic(rings=2) + 2", "unsupported operand"),
        ("Differential(max_order=-1)", "at least 0, got -1"),
        ("Differential(max_order=7)", "not determined at"),
        ("Clifford()", "multivectors"),
    ],
)
def test_wrong_texts_say_what_there_is(text, words, bodies, cache, tmp_path, capsys):
    assert segment(bodies, cache, tmp_path / "run", text) == 1
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message
