"""Principal directions of smooth surfaces from coarse noisy meshes: discrete shape operators next to a trained network.

    python benchmarks/shape_operators.py shapes                 operators only
    python benchmarks/shape_operators.py shapes --run run       and the predictions of a run

`run` is trained with `examples/shape_operators.yaml`, and `shapes` is written by `examples/shape_operators.py`. Each
line has the mean angle between estimated and true principal axes in degrees, weighted by the difference of the true
principal values, and the relative L2 error of the tensors. The sizes of the neighborhoods of the discrete operators are
chosen on `train/`, separately for each noise level of the test, by the angle on training surfaces with noise near that
level. So they are at their best.

The operators: one ring (Rusinkiewicz 2004), the measure of Cohen-Steiner and Morvan averaged over a disc by heat
(`ShapeOperator(radius=)`), a quadric fitted to the vertices in a ball, and `principal_curvature` of libigl if it is
installed. Curvatures of trimesh are scalars without directions, so they cannot be compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy import ndarray
from scipy.spatial import cKDTree

from gaugenet.data import FieldMeshFolder, FieldReader, FieldSpec
from gaugenet.data.fields.statistics import tangential_part
from gaugenet.data.meshes.curvature_measures import shape_measure
from gaugenet.data.meshes.laplacian import frame_sides, shape_operator
from gaugenet.data.meshes.smoothing import disk_means
from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.regression.metrics import FieldSums, total

TARGET = FieldSpec("shape_operator", "tensor", on="vertex")
Operator = Callable[[TriangleMesh, float], ndarray]
NOISE = {"0 %": "noise_00", "5 %": "noise_05", "10 %": "", "20 %": "noise_20"}
KNOWN = ("ellipsoid", "bumps", "limbs")


def frames(mesh: TriangleMesh) -> ndarray:
    """Return orthonormal tangent frames `(V, 3, 2)`."""
    n = mesh.vertex_normals
    helper = np.where(np.abs(n[:, :1]) < 0.7, [[1.0, 0, 0]], [[0, 1.0, 0]])
    one = np.cross(helper, n)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    return np.stack([one, np.cross(n, one)], axis=2)


def in_space(frame: ndarray, operator: ndarray) -> ndarray:
    return np.einsum("via,vab,vjb->vij", frame, operator, frame)


def one_ring(mesh: TriangleMesh, size: float) -> ndarray:
    frame = frames(mesh)
    return in_space(frame, shape_operator(mesh, frame))


def measure(mesh: TriangleMesh, size: float) -> ndarray:
    """Return the averaged measure; the trace is averaged apart, as the normal part of a mean of tensors is not 0."""
    frame = frames(mesh)
    side = frame_sides(mesh, frame)
    found = shape_measure(mesh, side)
    parts = np.concatenate([0.5 * np.trace(found, axis1=1, axis2=2)[:, None], found.reshape(-1, 9)], axis=1)
    means = disk_means(mesh, parts, size * np.sqrt(mesh.area), side=side)
    s = np.einsum("via,vij,vjb->vab", frame, means[:, 1:].reshape(-1, 3, 3), frame)
    s += (means[:, 0] - 0.5 * np.trace(s, axis1=1, axis2=2))[:, None, None] * np.eye(2)
    return in_space(frame, s)


def quadric(mesh: TriangleMesh, size: float) -> ndarray:
    """Return the shape operator at the vertex of `z = c + g u + u H u / 2` fitted in a ball of `size` mean edges."""
    frame, normal = frames(mesh), mesh.vertex_normals
    edges = mesh.vertices[mesh.edges]
    radius = size * float(np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1).mean())
    near = cKDTree(mesh.vertices).query_ball_point(mesh.vertices, radius)
    found = np.zeros((mesh.num_vertices, 2, 2))
    for v, around in enumerate(near):
        same_side = [q for q in around if normal[q] @ normal[v] > 0]
        d = mesh.vertices[same_side] - mesh.vertices[v]
        (x, y), z = (d @ frame[v]).T, d @ normal[v]
        c = np.linalg.lstsq(np.stack([np.ones_like(x), x, y, x * x / 2, x * y, y * y / 2], 1), z, rcond=None)[0]
        slope, bend = c[1:3], np.array([[c[3], c[4]], [c[4], c[5]]])
        metric = np.eye(2) + np.outer(slope, slope)
        mixed = -np.linalg.solve(metric, bend) / np.sqrt(1 + slope @ slope)
        found[v] = 0.5 * (mixed + mixed.T)
    return in_space(frame, found)


def libigl(mesh: TriangleMesh, size: float) -> ndarray:
    import igl

    one, two, k1, k2, *_ = igl.principal_curvature(mesh.vertices, mesh.faces.astype(np.int64), int(size), True)
    k1, k2 = (np.asarray(k).reshape(-1, 1, 1) for k in (k1, k2))
    return k1 * one[:, :, None] * one[:, None] + k2 * two[:, :, None] * two[:, None]


OPERATORS: dict[str, tuple[Operator, tuple[float, ...]]] = {
    "one ring": (one_ring, (0,)),
    "measure on a disc": (measure, (0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16)),
    "quadric fit": (quadric, (1.6, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)),
    "libigl": (libigl, (2, 3, 4, 5, 6)),
}


def sums(mesh: TriangleMesh, estimate: ndarray, truth: ndarray) -> FieldSums:
    """Compare two fields of tensors, restricted to the tangent planes of the mesh as in `gaugenet evaluate`."""
    from gaugenet.data.fields.values import FieldValues

    both = [tangential_part(FieldValues(values, "vertex"), mesh) for values in (estimate, truth)]
    return FieldSums.of(both[0], both[1], np.ones(mesh.num_vertices, dtype=bool))


def truth_of(mesh: TriangleMesh, path: Path | None) -> ndarray:
    return FieldReader(mesh, path).read(TARGET).values


def best_size(operator: Operator, sizes: tuple[float, ...], root: Path, noise: float, most: int) -> float:
    """Return the size with the smallest angle on training meshes whose noise is nearest to a level."""
    chosen = sorted(FieldMeshFolder(root, "train"), key=lambda one: abs(noise_of(root, one.name) - noise))[:most]
    truths = [truth_of(one.mesh, one.path) for one in chosen]

    def angle(size: float) -> float:
        found = [sums(one.mesh, operator(one.mesh, size), truth) for one, truth in zip(chosen, truths)]
        return float(total(found).scores()["axis_angle"] or 0.0)

    return min(sizes, key=angle) if len(sizes) > 1 else sizes[0]


def noise_of(root: Path, name: str) -> float:
    """Return the noise of a training mesh, which the example writes next to it."""
    return float((root / "train" / f"{name}.noise.txt").read_text())


def families(found: Mapping[str, FieldSums]) -> dict[str, dict[str, float | int | None]]:
    parts = {"known families": [], "unseen families": []}  # type: dict[str, list[FieldSums]]
    for name, one in found.items():
        parts["known families" if name.split("_")[0] in KNOWN else "unseen families"].append(one)
    return {part: total(some).scores() for part, some in parts.items() if some}


def show(label: str, noise: str, found: Mapping[str, FieldSums]) -> None:
    cells = [f"{s['axis_angle']:6.2f} deg, {s['relative_l2']:.3f}" for s in families(found).values()]
    print(f"| {noise:>4} | {label:<24} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder written by examples/shape_operators.py")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="runs of examples/shape_operators.yaml")
    parser.add_argument("--tuning", type=int, default=9, help="training meshes on which sizes are chosen")
    parser.add_argument("--operators", nargs="*", default=list(OPERATORS), help="some of the operators")
    options = parser.parse_args()
    print("| noise | estimate | known families | unseen families |\n|---|---|---|---|")
    for noise, folder in NOISE.items():
        root = options.data / folder
        samples = list(FieldMeshFolder(root, "test"))
        truths = {one.name: truth_of(one.mesh, one.path) for one in samples}
        for name in options.operators:
            operator, sizes = OPERATORS[name]
            try:
                size = best_size(operator, sizes, options.data, float(noise.split()[0]) / 100, options.tuning)
            except ImportError:
                continue
            found = {one.name: sums(one.mesh, operator(one.mesh, size), truths[one.name]) for one in samples}
            show(f"{name} ({size:g})" if size else name, noise, found)
        for run in options.run:
            from gaugenet.tasks.mesh.preparation import prepare_all
            from gaugenet.tasks.regression.inference import FieldPredictor

            predictor = FieldPredictor(run, device="cpu")
            prepared = prepare_all(FieldMeshFolder(root, "test"), predictor.preparation(repair="lossless", n_jobs=1))
            guesses = {one.sample.name: predictor(one)[0].values for one in prepared}
            found = {one.name: sums(one.mesh, guesses[one.name], truths[one.name]) for one in samples}
            show(f"network ({run.name})", noise, found)


if __name__ == "__main__":
    main()
