"""Accuracy of a trained segmentation on other triangulations of the same surfaces, and on slightly changed surfaces.

    python benchmarks/robustness.py RUN --data DIR --split val [--meshes 'scape__*'] [--every 8]

The network, with the weights of the last epoch, labels every mesh in all `VARIANTS`. Four points of every face of the
original mesh are labelled by the closest face of the variant, so all rows use the same points. `accuracy` is the
fraction of correct labels (on the original mesh, the accuracy by faces), `lost` the difference in percentage points
from the original mesh at the same points (where a part was cut off, at the points that are left), and `changed` the
fraction of labels that differ from the original mesh. `best` is the accuracy if every face of the variant had the label
of most of its points, and `at best` what is lost at the points that are correct then: the part of the loss that is not
due to the size of the faces. `torn` counts meshes that fall into more parts than the original mesh, as thin limbs do
where a simplification does not keep the topology.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from gaugenet.data import (
    IGNORE_LABEL,
    AnisotropicRemeshing,
    Decimation,
    IsotropicRemeshing,
    MeshDataset,
    MeshSample,
    Subdivision,
    VertexNoise,
)
from gaugenet.data.meshes.usable import usable_mesh
from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh.closest import closest_points
from gaugenet.geometry.mesh.repair import repair_mesh
from gaugenet.groups import SO2
from gaugenet.tasks.mesh.data_options import open_dataset
from gaugenet.tasks.mesh.inference import Predictor
from gaugenet.tasks.mesh.preparation import prepare_mesh


@dataclass(frozen=True)
class Variant:
    """Another mesh of a surface, and the original points on it (NaN where it was cut)."""

    mesh: TriangleMesh
    points: np.ndarray


Labeller = Callable[[TriangleMesh], np.ndarray]
"""Returns the class of every face of a mesh."""
Make = Callable[[TriangleMesh, np.ndarray, np.random.Generator], Variant]


def remeshed(change: Callable[[TriangleMesh, np.random.Generator], TriangleMesh]) -> Make:
    return lambda mesh, points, rng: Variant(change(mesh, rng), points)


def simplified(share: float) -> Make:
    """Return a simplification by quadric errors, which preserves the shape and makes uneven triangles."""

    def change(mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        import fast_simplification

        found = fast_simplification.simplify(mesh.vertices.astype("f4"), mesh.faces, 1 - share)
        return repair_mesh(TriangleMesh(*found)).mesh

    return remeshed(change)


def renumbered(mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
    order = rng.permutation(mesh.num_vertices)
    faces = np.argsort(order)[mesh.faces][rng.permutation(mesh.num_faces)]
    return TriangleMesh(
        mesh.vertices[order],
        np.take_along_axis(faces, (rng.integers(3, size=len(faces))[:, None] + np.arange(3)) % 3, 1),
    )


def mirrored(mesh: TriangleMesh, points: np.ndarray, rng: np.random.Generator) -> Variant:
    flip = np.array([-1.0, 1.0, 1.0])
    return Variant(TriangleMesh(mesh.vertices * flip, mesh.faces[:, ::-1]), points * flip)


def in_millimetres(mesh: TriangleMesh, points: np.ndarray, rng: np.random.Generator) -> Variant:
    return Variant(TriangleMesh(mesh.vertices * 1000, mesh.faces), points * 1000)


def cut_off(mesh: TriangleMesh, points: np.ndarray, rng: np.random.Generator) -> Variant:
    """Return an open mesh, without the twelfth of the surface that is farthest along its second longest axis."""
    centre = (mesh.vertex_areas @ mesh.vertices) / mesh.area
    axis = np.linalg.eigh(np.cov((mesh.vertices - centre).T, aweights=mesh.vertex_areas))[1][:, 1]
    height = (mesh.vertices[mesh.faces].mean(axis=1) - centre) @ axis
    order = np.argsort(height)
    limit = height[order[np.searchsorted(np.cumsum(mesh.face_areas[order]), 11 / 12 * mesh.area)]]
    used, faces = np.unique(mesh.faces[height < limit], return_inverse=True)
    kept = (height < limit)[np.repeat(np.arange(mesh.num_faces), len(points) // mesh.num_faces)]
    return Variant(TriangleMesh(mesh.vertices[used], faces.reshape(-1, 3)), np.where(kept[:, None], points, np.nan))


VARIANTS: dict[str, Make] = {
    "as it is": remeshed(lambda mesh, rng: mesh),
    "subdivided x4": remeshed(Subdivision(1).remeshed),
    "subdivided x16": remeshed(Subdivision(2).remeshed),
    "decimated to 1/2": simplified(1 / 2),
    "decimated to 1/4": simplified(1 / 4),
    "to 1/2, topology kept": remeshed(Decimation(1 / 2).remeshed),
    "to 1/4, topology kept": remeshed(Decimation(1 / 4).remeshed),
    "isotropic remeshing": remeshed(IsotropicRemeshing().remeshed),
    "anisotropic remeshing": remeshed(AnisotropicRemeshing().remeshed),
    "noise, 1 % of an edge": remeshed(VertexNoise().remeshed),
    "renumbered": remeshed(renumbered),
    "mirror image": mirrored,
    "inside out": remeshed(lambda mesh, rng: TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])),
    "millimetres": in_millimetres,
    "a limb cut off": cut_off,
}


def usable(sample: MeshSample) -> MeshSample:
    """Return the sample with its repaired mesh, the input of networks."""
    found = usable_mesh(sample.mesh, SO2())
    return MeshSample(sample.name, found.mesh, face_labels=sample.face_labels[found.face_map], path=sample.path)


def num_parts(mesh: TriangleMesh) -> int:
    """Return the number of connected components."""
    return len(np.unique(mesh.vertex_components))


def points_of_faces(mesh: TriangleMesh) -> np.ndarray:
    """Return the centres of the four parts of each face, `(4 F, 3)`."""
    weights = np.array([[4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2]]) / 6
    return (weights @ mesh.vertices[mesh.faces]).reshape(-1, 3)


class RunLabeller:
    """The network of a run, with the weights of its last epoch."""

    def __init__(self, run: Path) -> None:
        self.predictor = Predictor(run, weights="last")
        self.preparation = self.predictor.preparation(repair="lossless", n_jobs=1)

    def __call__(self, mesh: TriangleMesh) -> np.ndarray:
        return self.predictor(prepare_mesh(MeshSample("mesh", mesh), self.preparation), "face").labels("face")


def labels_at(labeller: Labeller, variant: Variant, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and best labels at the points, -1 where the surface was cut."""
    found = labeller(variant.mesh)
    known = np.isfinite(variant.points).all(axis=1)
    labels, best = np.full(len(known), -1), np.full(len(known), -1)
    face = closest_points(variant.mesh, variant.points[known]).face
    votes = np.zeros((variant.mesh.num_faces, truth.max() + 1))
    np.add.at(votes, (face, np.maximum(truth[known], 0)), truth[known] != IGNORE_LABEL)
    labels[known], best[known] = found[face], votes.argmax(axis=1)[face]
    return labels, best


def measure(labeller: Labeller, samples: list[MeshSample], names: list[str]) -> Iterator[dict[str, float | str]]:
    """Return a row for each variant; the first name is `as it is`."""
    first: list[np.ndarray] = []
    for name in names:
        right = before = changed = total = possible = gained = torn = 0
        for k, sample in enumerate(samples):
            points, truth = points_of_faces(sample.mesh), np.repeat(sample.face_labels, 4)
            variant = VARIANTS[name](sample.mesh, points, np.random.default_rng(k))
            labels, best = labels_at(labeller, variant, truth)
            if name == "as it is":
                first.append(labels)
            known = (truth != IGNORE_LABEL) & (labels >= 0)
            right, total = right + (labels == truth)[known].sum(), total + known.sum()
            before += (first[k] == truth)[known].sum()
            pure = known & (best == truth)
            possible += pure.sum()
            gained += (labels == truth)[pure].sum() - (first[k] == truth)[pure].sum()
            torn += num_parts(variant.mesh) > num_parts(sample.mesh)
            changed += (labels != first[k])[known].sum()
        yield {
            "variant": name,
            "accuracy": 100 * right / total,
            "lost": 100 * (before - right) / total,
            "changed": 100 * changed / total,
            "best": 100 * possible / total,
            "at best": -100 * gained / possible,
            "torn": torn,
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which meshes are labelled in which variants."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--meshes", default="*", help="only meshes whose names match this pattern")
    parser.add_argument("--every", type=int, default=1, help="take every n-th of these meshes only")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), help="some of the variants")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")


def print_table(labeller: Labeller, dataset: MeshDataset, options: argparse.Namespace) -> None:
    """Print a table of the variants of the meshes that the options choose."""
    chosen = [path for path in dataset.paths if fnmatch(dataset.name_of(path), options.meshes)][:: options.every]
    samples = [usable(dataset.read(path)) for path in chosen]
    names = ["as it is", *(name for name in options.only if name != "as it is")]
    rows = []
    columns = ("Variant", "accuracy %", "lost", "changed %", "best %", "at best", "torn")
    print(f"{len(samples)} meshes\n| {' | '.join(columns)} |\n{len(columns) * '|---'}|")
    for row in measure(labeller, samples, names):
        rows.append(row)
        numbers = f"{row['accuracy']:.2f} | {row['lost']:.2f} | {row['changed']:.3f} | {row['best']:.1f}"
        numbers += f" | {row['at best']:.2f} | {row['torn']}"
        print(f"| {row['variant']} | {numbers} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a segmentation of faces")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"))
    add_options(parser)
    options = parser.parse_args()
    labeller = RunLabeller(options.run)
    data = replace(labeller.predictor.data, root=options.data)
    print_table(labeller, open_dataset("segmentation", data, options.split), options)


if __name__ == "__main__":
    main()
