"""Differential operators: time of fits and layers, compared with harmonic kernels, and accuracy on a jittered sphere.

    python benchmarks/operators.py [--level 5] [--repeats 9]

The sphere has the vertices of an icosphere of that level, with 20 neighbours each. Prints fitted vertices per second
(one thread) for degrees 2 and 3; CPU milliseconds forward and forward + backward of one convolution with operators up
to order 2, and of harmonic convolutions with fewer and with more columns; and relative errors of gradient and
Laplacian.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from mesh_conv import cpu_name
from scipy.spatial import ConvexHull

from gaugenet.geometry import GaugeGraph, Icosphere, TriangleMesh
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import Differential, Harmonic, KernelFamily
from gaugenet.kernels.jets import local_jets
from gaugenet.nn import GaugeConv
from gaugenet.nn.engines.neighborhoods import rows_of
from gaugenet.operators import gradient, laplacian


def jittered_sphere(level: int) -> TriangleMesh:
    """Return an icosphere whose vertices are moved by a fifth of their spacing, with a new triangulation."""
    p = Icosphere(level).pos.numpy()
    p = p + 0.2 * np.sqrt(4 * np.pi / len(p)) * np.random.default_rng(0).uniform(-1, 1, p.shape)
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    faces = ConvexHull(p).simplices
    a, b, c = p[faces].swapaxes(0, 1)
    inward = (np.cross(b - a, c - a) * a).sum(1) < 0
    return TriangleMesh(p, np.where(inward[:, None], faces[:, ::-1], faces))


def least(run, repeats: int) -> float:
    """Return the CPU milliseconds, the least of the repeats."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        run()
        times.append(1e3 * (time.process_time() - start))
    return min(times[1:])


def layer_times(kernel: KernelFamily, spec: str, graph: GaugeGraph, repeats: int) -> tuple[int, float, float]:
    """Return columns, and milliseconds forward and forward + backward, of one layer."""
    fields = FieldType(SO2(), spec)
    layer = GaugeConv(fields, fields, kernel=kernel, self_interaction=False)
    x = torch.randn(graph.num_nodes, fields.size, requires_grad=True)

    def step() -> None:
        layer(x, graph).square().sum().backward()

    return layer.kernels.num_columns, least(lambda: layer(x, graph), repeats), least(step, repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    graph = jittered_sphere(args.level).gauge_graph(SO2(), mean_neighbors=20)
    print(f"{cpu_name()}, one thread, {graph.num_nodes} vertices, {graph.edge_index.shape[1]} edges")
    near = rows_of(graph, includes_center=True).neighborhood
    for degree in (2, 3):
        ms = least(lambda degree=degree: local_jets(near.log_map, near.indptr, degree=degree), args.repeats)
        print(f"fits of degree {degree}: {1e3 * graph.num_nodes / ms:9.0f} vertices/s")
    for spec in ("16x0 + 16x1 + 16x2", "64x0"):
        for kernel in (Differential(2), Harmonic(1), Harmonic(1, 2), Harmonic(2)):
            columns, forward, both = layer_times(kernel, spec, graph, args.repeats)
            print(f"{spec:20} {type(kernel).__name__:13} {columns:3} columns {forward:8.1f} ms {both:8.1f} ms")
    for level in (3, 4, 5):
        graph = jittered_sphere(level).gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)
        x, y, z = graph.pos.T
        f, slope = (x * y + y * z + z / 2)[:, None], torch.stack([y, x + z, y + 0.5], 1)
        slope, flow = torch.einsum("nda,nd->na", graph.frame, slope), (-6 * (x * y + y * z) - z)[:, None]
        errors = [
            ((a - b).square().mean() / b.square().mean()).sqrt()
            for a, b in ((gradient(f, graph), slope), (laplacian(f, graph), flow))
        ]
        print(f"level {level}: relative error of the gradient {errors[0]:.1e}, of the Laplacian {errors[1]:.1e}")


if __name__ == "__main__":
    main()
