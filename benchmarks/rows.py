"""The rows of `run.py`: what is measured, with which functions of the other scripts, and the goal.

A row is one function and one entry of `ROWS`. It runs in a process of its own, on one thread, and returns cases. A case
without a peer that is not installed is left out.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from log_map import build, timed

from gaugenet.geometry import Icosphere, TriangleMesh
from gaugenet.groups import SO2, Cyclic, FieldType


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: what was measured.
        seconds: CPU seconds.
        note: the same as a rate or a ratio, or what else was found.
    """

    name: str
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table: what is measured, the goal, and the function that yields its cases (quickly: tiny ones)."""

    what: str
    goal: str
    cases: Callable[[bool], Iterator[Case]]


def installed(name: str) -> bool:
    """Return whether an optional peer is installed."""
    return importlib.util.find_spec(name) is not None


def spectrum(quick: bool) -> Iterator[Case]:
    """128 eigenpairs on jittered tori."""
    from gaugenet.data.meshes.spectral import laplacian_spectrum

    laplacian_spectrum(build("torus jittered", 6_000)[0], 128)  # compiles the loops
    for size in [1_000] if quick else [7_000, 41_000, 164_000]:
        mesh = build("torus jittered", size)[0]
        cost = timed(lambda mesh=mesh: laplacian_spectrum(mesh, 128))[1]
        yield Case(f"{mesh.num_vertices:,} vertices", cost.cpu)


def _surfaces(quick: bool) -> Iterator[tuple[str, TriangleMesh]]:
    for name in ["sphere"] if quick else ["sphere", "torus", "torus jittered"]:
        yield name, build(name, 1_000 if quick else 40_000)[0]


def levels(quick: bool) -> Iterator[Case]:
    """Three levels, 16 neighbours."""
    from gaugenet.geometry import hierarchy

    hierarchy(build("torus", 1_000)[0], SO2(), levels=3)
    for name, mesh in _surfaces(quick):
        cost = timed(lambda mesh=mesh: hierarchy(mesh, SO2(), levels=3))[1]
        yield Case(
            f"{name}, {mesh.num_vertices:,} vertices", cost.cpu, f"{1e6 * cost.cpu / mesh.num_vertices:.0f} us a vertex"
        )


def log_maps(quick: bool) -> Iterator[Case]:
    """Gauge graphs with 33 neighbours."""
    build("torus", 1_000)[0].gauge_graph(SO2(), mean_neighbors=32)
    for name, mesh in _surfaces(quick):
        cost = timed(lambda mesh=mesh: mesh.gauge_graph(SO2(), mean_neighbors=32))[1]
        yield Case(
            f"{name}, {mesh.num_vertices:,} vertices",
            cost.cpu,
            f"{mesh.num_vertices / cost.cpu:,.0f} vertices a second",
        )
    if installed("potpourri3d"):
        yield _potpourri3d(2_500)


def _potpourri3d(size: int) -> Case:
    import potpourri3d

    mesh = build("sphere", size)[0]
    solver, setup = timed(lambda: potpourri3d.MeshVectorHeatSolver(mesh.vertices, mesh.faces))
    solver.compute_log_map(0, strategy="AffineLocal")
    some = 10
    cost = timed(lambda: [solver.compute_log_map(p, strategy="AffineLocal") for p in range(some)])[1]
    rate = 1 / (setup.cpu / mesh.num_vertices + cost.cpu / some)
    return Case(f"potpourri3d, {some} of {mesh.num_vertices:,} vertices", cost.cpu, f"{rate:,.0f} vertices a second")


def large_graph(quick: bool) -> Iterator[Case]:
    """The gauge graph of a large torus, 34 neighbours."""
    build("torus", 1_000)[0].gauge_graph(SO2(), mean_neighbors=32)
    mesh = build("torus", 2_500 if quick else 1_000_000)[0]
    yield Case(
        f"torus, {mesh.num_vertices:,} vertices", timed(lambda: mesh.gauge_graph(SO2(), mean_neighbors=32))[1].cpu
    )


def convolution(quick: bool) -> Iterator[Case]:
    """One convolution 16x(0+1+2) on a bumpy sphere."""
    from mesh_conv import cases, measure, sphere_mesh

    mesh = sphere_mesh(10 if quick else 42)
    for name in ("conv one-ring: gaugenet", "conv 32 neighbours: gaugenet"):
        forward, both, _ = measure(cases(mesh)[name](), 3 if quick else 9)
        yield Case(f"{name.split(':')[0]}, {mesh.num_vertices:,} vertices", both / 1e3, f"forward {forward:.1f} ms")


def training_step(quick: bool) -> Iterator[Case]:
    """A step of the segmentation network of `gaugenet train`, on the bodies that come with the library."""
    from training_step import measured

    from gaugenet.datasets import bodies

    for name, seconds in measured(Path(bodies()), None, 2 if quick else 20).items():
        yield Case(name, seconds)


def grid(quick: bool) -> Iterator[Case]:
    """The convolutions of networks on images and volumes, a training step, in turns with their peers."""
    from grid_networks import NETWORKS, times

    for name in list(NETWORKS)[: 1 if quick else None]:
        found = times(name, 1 if quick else 5, quick=quick)
        peers = [peer for peer in ("conv", "escnn") if peer in found]
        note = ", ".join(f"{found[f'{peer} ratio']:.2f} x {peer}" for peer in peers)
        yield Case(name, found["gaugenet"], note)
        for peer in peers:
            yield Case(f"{name}, {peer}", found[peer])


def icosphere(quick: bool) -> Iterator[Case]:
    """96 channels, regular fields of C_6 and scalars, batch 4, forward and backward pass, in turns with peers."""
    from icosphere import cases, times

    for level in [3] if quick else [5, 6, 7]:
        made = cases(Icosphere(level), FieldType(Cyclic(6), {"regular": 16}), 1 if quick else 4)
        names = [name for name in ("conv2d", "gaugenet", "scalars", "DISCO") if name in made]
        best = times({name: made[name]() for name in names}, 1 if quick else 5)
        ratio = {name: both / best["conv2d"][1] for name, (_, both) in best.items()}
        yield Case(f"level {level}", best["gaugenet"][1] / 1e3, f"{ratio['gaugenet']:.2f} x conv2d")
        note = f", {ratio['scalars'] / ratio['DISCO']:.2f} x DISCO" if "DISCO" in ratio else ""
        yield Case(f"level {level}, scalars", best["scalars"][1] / 1e3, f"{ratio['scalars']:.2f} x conv2d{note}")


def points(quick: bool) -> Iterator[Case]:
    """A convolution of 80 channels on points, 16 neighbours."""
    from point_conv import groups, measure, prepare

    count = 200 if quick else 2_000
    for name in groups():
        forward, both, _ = measure(prepare(name, "gaugenet", count, 16), 2 if quick else 9)
        yield Case(f"{name}, {count:,} points", both / 1e3, f"forward {forward:.1f} ms")


def start(quick: bool) -> Iterator[Case]:
    """New processes, with numba's cache filled."""
    from start import MESH, ROWS, seconds

    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in list(ROWS.items())[: 1 if quick else None]:
            yield Case(name, min(seconds(arguments, folder)[1] for _ in range(1 if quick else 3)))
        if not quick:
            predict = ["-m", "gaugenet", "predict", "human_seg", str(MESH), "--overwrite", "--out", f"{folder}/out"]
            yield Case("gaugenet predict, empty cache of numba", seconds(predict, folder)[1])
            yield Case("gaugenet predict", min(seconds(predict, folder)[1] for _ in range(3)))


def million(quick: bool) -> Iterator[Case]:
    """`gaugenet predict human_seg` on a large jittered torus."""
    import contextlib
    import io

    from gaugenet.cli import main
    from gaugenet.viz import write_ply

    with tempfile.TemporaryDirectory() as folder:
        mesh = build("torus jittered", 2_500 if quick else 1_000_000)[0]
        path = Path(folder) / "torus.ply"
        write_ply(path, mesh.vertices, mesh.faces)
        arguments = ["predict", "human_seg", str(path), "--out", f"{folder}/out"]
        with contextlib.redirect_stdout(io.StringIO()):
            status, cost = timed(lambda: main(arguments))
        if status:
            raise RuntimeError(f"gaugenet predict ended with status {status}.")
        yield Case(f"{mesh.num_vertices:,} vertices", cost.cpu, "with reading and writing")


ROWS = {
    "spectrum": Row("spectrum, 128 pairs", "3 s at 164k", spectrum),
    "levels": Row("hierarchy of levels, 16 neighbours", "30 us a vertex", levels),
    "log_maps": Row("log maps, 33 neighbours", "60k / 45k a second", log_maps),
    "large_graph": Row("log maps of a million vertices", "25 s, 2.5 GiB", large_graph),
    "convolution": Row("convolution 16x(0+1+2), forward + backward", "27 ms", convolution),
    "training_step": Row("training step, `gaugenet train segmentation`", "120 ms", training_step),
    "grid": Row("networks on grids, training step", "C8: escnn / 1.1; others: escnn / 1.2", grid),
    "icosphere": Row("icosphere, 96 channels, forward + backward", "1.10 x conv2d; scalars below DISCO", icosphere),
    "points": Row("points, 80 channels, forward + backward", "", points),
    "start": Row("start of a process", "2.5 s warm, 8 s cold", start),
    "million": Row("`gaugenet predict` on a million vertices", "120 s, 8 GiB", million),
}
