"""Correspondences of a trained network on other triangulations of the FAUST registrations.

    python benchmarks/correspondence.py RUN --data DIR [--every 4] [--only "IsotropicRemeshing()" "Decimation(0.5)"]

The network, with the weights of the last epoch, finds the place on the template of every vertex of the 20 test meshes
and of other meshes of the same bodies. The true place is the registered vertex that is nearest, as in `RemeshedMeshes`.
`exact` is the percentage of vertices for which it is found. The error is the geodesic distance between both places on
the registration (heat method), in per cent of the square root of its area: `mean`, and the percentage of vertices
`below 5`. These are the measures of Kim et al., Blended intrinsic maps, 2011. Errors are measured at 1,000 random
vertices of each mesh.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from mesh_conv import cpu_name

from gaugenet.data import FaustRegistrations, MeshSample, RemeshedMeshes
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2
from gaugenet.tasks import DataOptions
from gaugenet.tasks.mesh.augmentation import build_remeshings
from gaugenet.tasks.mesh.inference import Predictor
from gaugenet.tasks.mesh.preparation import prepare_mesh

RULES = (
    *("Subdivision(1)", "IsotropicRemeshing(0.75)", "IsotropicRemeshing(1.5)", "AnisotropicRemeshing(3)"),
    *("Decimation(0.5)", "Decimation(0.25)", "VertexNoise(0.01)"),
)
MEASURED = 1000  # vertices of a mesh


class Geodesics:
    """Distances between vertices of a mesh, a source at a time."""

    def __init__(self, mesh: TriangleMesh) -> None:
        import potpourri3d

        self.solver = potpourri3d.MeshHeatMethodDistanceSolver(mesh.vertices, mesh.faces)
        self.unit = np.sqrt(mesh.area) / 100

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the distances between `one[i]` and `other[i]`, in per cent of the square root of the area."""
        out = np.zeros(len(one))
        for source in np.unique(one[one != other]):
            pairs = (one == source) & (other != source)
            out[pairs] = self.solver.compute_distance(source)[other[pairs]] / self.unit
        return out


def measure(predictor: Predictor, sample: MeshSample, distances: Geodesics) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each vertex of a mesh is right, and the errors of random ones."""
    preparation = predictor.preparation(repair="lossless", n_jobs=1)
    found, truth = predictor(prepare_mesh(sample, preparation), "vertex").labels("vertex"), sample.vertex_labels
    chosen = np.random.default_rng(0).permutation(len(found))[:MEASURED]
    return found == truth, distances(found[chosen], truth[chosen])


def main() -> None:
    """Print a line for the registrations, and one for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a training of correspondence")
    parser.add_argument("--data", type=Path, required=True, help="folder of the registrations")
    parser.add_argument("--every", type=int, default=1, help="take every n-th test mesh only")
    parser.add_argument("--only", nargs="*", default=list(RULES), metavar="RULE", help="other meshes, as constructors")
    options = parser.parse_args()
    predictor = Predictor(options.run, weights="last")
    registrations = FaustRegistrations(options.data, "test")
    registrations.paths = registrations.paths[:: options.every]
    rules = build_remeshings(DataOptions(remesh=", ".join(options.only)))
    meshes, count = RemeshedMeshes(registrations, rules, SO2()), len(registrations)
    distances = [Geodesics(sample.mesh) for sample in registrations]
    columns = ("Mesh", "vertices", "exact %", "mean", "below 5, %")
    print(f"{count} test meshes, {cpu_name()}\n| {' | '.join(columns)} |\n{len(columns) * '|---'}|")
    for number, name in enumerate(("as it is", *options.only)):
        samples = (meshes[number * count + k] for k in range(count))
        found = [measure(predictor, one, d) for one, d in zip(samples, distances, strict=True)]
        right, errors = map(np.concatenate, zip(*found, strict=True))
        numbers = f"{100 * right.mean():.2f} | {errors.mean():.2f} | {100 * (errors < 5).mean():.2f}"
        print(f"| {name} | {len(right) // count:,d} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
