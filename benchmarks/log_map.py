"""Logarithmic maps of all vertices: speed, memory and error, side by side with potpourri3d's AffineLocal.

    python benchmarks/log_map.py [--sizes 2500 40000 160000] [--neighbors 32] [--points 10] [--no-peer]

Errors are relative to solutions of the geodesic equation on the smooth surfaces (`tests/geometry/mesh/surfaces.py`), at
`--points` random vertices, the same for both. potpourri3d solves for one source at a time, so its time for all vertices
is the time per source times their number, plus the factorization.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gaugenet.geometry import GaugeGraph, TriangleMesh
from gaugenet.groups import SO2
from tests.geometry.mesh.comparison import compare, degrees_between, rms, true_frames
from tests.geometry.mesh.surfaces import ImplicitSurface, Saddle, Sphere, Torus, saddle, sphere, torus


@dataclass
class Cost:
    """Wall-clock and CPU seconds."""

    wall: float
    cpu: float


def timed(function):
    """Return the result of a function, and its cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, Cost(time.perf_counter() - wall, time.process_time() - cpu)


def build(name: str, size: int) -> tuple[TriangleMesh, ImplicitSurface]:
    """Return a mesh of about this size, and its smooth surface."""
    jitter = 0.3 if name.endswith("jittered") else 0.0
    if name.startswith("sphere"):
        return sphere(round((size / 10) ** 0.5), 0.8 * jitter), Sphere()
    if name.startswith("torus"):
        around = 2 * round((size / 0.4) ** 0.5 / 2)
        return torus(around, round(0.4 * around), jitter), Torus()
    return saddle(round(size**0.5), jitter), Saddle()


def inner(mesh: TriangleMesh, count: int) -> np.ndarray:
    """Return some vertices away from the boundary."""
    far = (np.abs(mesh.vertices[:, :2]) < 0.9).all(1) | ~mesh.boundary_vertices.any()
    return np.random.default_rng(0).choice(np.flatnonzero(far), count, replace=False)


def peer_errors(mesh, surface, graph: GaugeGraph, targets):
    """Return errors and angles of the logarithmic maps of potpourri3d, and the estimated seconds for all vertices."""
    import potpourri3d

    solver, setup = timed(lambda: potpourri3d.MeshVectorHeatSolver(mesh.vertices, mesh.faces))
    solver.compute_log_map(int(targets[0]), strategy="AffineLocal")
    frames = true_frames(surface, mesh.vertices, np.stack(solver.get_tangent_frames()[:2], axis=-1))
    vectors, angles, spent = [], [], 0.0
    for p in targets:
        log_map, cost = timed(lambda p=p: solver.compute_log_map(int(p), strategy="AffineLocal"))
        spent += cost.cpu
        q = graph.edge_index[0][graph.edge_index[1] == p].numpy()
        expected = surface.log(mesh.vertices[np.full(len(q), p)], mesh.vertices[q]) @ frames[p]
        vectors.append(np.linalg.norm(log_map[q] - expected, axis=1) / float(graph.radius))
        angles.append(degrees_between(log_map[q], expected))
    return np.concatenate(vectors), np.concatenate(angles), setup.cpu + spent / len(targets) * mesh.num_vertices


def row(name: str, size: int, neighbors: float, points: int, peer: bool) -> str:
    """Return a line of the table."""
    mesh, surface = build(name, size)
    mesh = TriangleMesh(mesh.vertices, mesh.faces)
    graph, cost = timed(lambda: mesh.gauge_graph(SO2(), mean_neighbors=neighbors, frames="first_edge"))
    count = graph.edge_index.shape[1] / mesh.num_vertices
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    text = f"{name:16s}{mesh.num_vertices:9d}{count:6.1f}{cost.wall:8.2f}{cost.cpu:8.2f}{memory:7.2f}"
    text += f"{mesh.num_vertices / cost.cpu:10.0f}"
    if points:
        targets = inner(mesh, points)
        exact = mesh.gauge_graph(SO2(), mean_neighbors=neighbors, dtype=torch.float64)
        errors = compare(exact, surface, targets)
        text += f"{100 * np.abs(errors.distance).mean():9.4f}{rms(errors.vector):10.1e}"
        text += f"{np.abs(errors.angle).mean():9.4f}{np.abs(errors.transport).mean():9.4f}"
        if peer:
            vectors, angles, seconds = peer_errors(mesh, surface, exact, targets)
            text += f"{rms(vectors):10.1e}{np.abs(angles).mean():9.4f}{seconds:9.0f}{seconds / cost.cpu:8.0f}"
            text += f"{rms(vectors) / rms(errors.vector):7.1f}"
    return text


OURS = "  wall s   CPU s    GiB   V/CPU-s   dist %  vector/R    angle  transp."
PEER = "  peer v/R    angle    CPU s  time x  err x"
HEAD = f"{'surface':16s}{'V':>9s}{'nbrs':>6s}" + OURS + PEER


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2500, 40000])
    parser.add_argument(
        "--surfaces", nargs="+", default=[f"{s}{j}" for s in ("sphere", "torus", "saddle") for j in ("", " jittered")]
    )
    parser.add_argument("--neighbors", type=float, default=32)
    parser.add_argument("--points", type=int, default=10, help="vertices at which errors are measured; 0 for none")
    parser.add_argument("--no-peer", dest="peer", action="store_false")
    options = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, numpy {np.__version__}")
    print("peak memory is that of the process so far; angles in degrees; 'x': peer / ours")
    torus(10, 4).gauge_graph(SO2(), mean_neighbors=8)  # compile
    torus(10, 4).gauge_graph(SO2(), mean_neighbors=8, dtype=torch.float64)
    print(HEAD)
    for size in options.sizes:
        for name in options.surfaces:
            print(row(name, size, options.neighbors, options.points, options.peer), flush=True)


if __name__ == "__main__":
    main()
