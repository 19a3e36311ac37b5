"""The spectrum of the Laplacian for heat kernel signatures: coarse to fine, next to shift-invert Lanczos.

    python benchmarks/spectrum.py [--sizes 7000 41000 164000] [--exact-up-to 41000]

CPU seconds of `laplacian_spectrum` with 128 pairs on jittered tori, on one thread, and the largest difference of the
logarithms of the heat kernel signatures over all vertices and times, on the eigenpairs that both have.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from log_map import build, timed
from mesh_conv import cpu_name

from gaugenet.data.meshes.spectral import HeatKernelSignature, Spectrum, laplacian_spectrum


def difference(one: Spectrum, other: Spectrum) -> float:
    """Return the largest difference of logarithmic signatures."""
    count = min(len(one.values), len(other.values))
    cut = [Spectrum(s.values[:count], s.functions[:, :count]) for s in (one, other)]
    feature = HeatKernelSignature()
    weights = feature.weights(cut[0].values)  # the same times for both
    logs = [np.log(np.square(s.functions) @ weights.T) for s in cut]
    return float(np.abs(logs[0] - logs[1]).max())


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[7_000, 41_000, 164_000])
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--exact-up-to", type=int, default=41_000, help="largest mesh for Lanczos")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{cpu_name()}, {options.pairs} pairs")
    laplacian_spectrum(build("torus jittered", 6_000)[0], options.pairs)  # compiles the loops
    print(f"{'vertices':>10}{'coarse to fine':>16}{'Lanczos':>10}{'ratio':>8}{'log signature':>15}{'peak GiB':>10}")
    for size in options.sizes:
        mesh = build("torus jittered", size)[0]
        ours, cost = timed(lambda mesh=mesh: laplacian_spectrum(mesh, options.pairs))
        line = f"{mesh.num_vertices:10,d}{cost.cpu:14.2f} s"
        if size <= options.exact_up_to:
            exact, slow = timed(lambda mesh=mesh: laplacian_spectrum(mesh, options.pairs, exact=True))
            line += f"{slow.cpu:8.2f} s{slow.cpu / cost.cpu:8.1f}{difference(ours, exact):15.1e}"
        else:
            line += f"{'':33}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{line}{peak:10.2f}", flush=True)


if __name__ == "__main__":
    main()
