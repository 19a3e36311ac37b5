"""Write coarse noisy meshes of smooth surfaces with their exact shape operator, for `gaugenet train regression`.

    python examples/shape_operators.py --out shapes             writes train/, val/, test/ and other noise levels
    gaugenet train regression --config examples/shape_operators.yaml --data shapes --out run
    gaugenet evaluate run --data shapes                         axis_angle: error of the principal directions
    python examples/shape_operators.py --draw run               truth, network and one-ring operator: run/axes.png

The network learns the symmetric tensor of the smooth surface from about 500 vertices that are moved at random, by a
part of the length of an edge. It is trained on ellipsoids, waves on spheres and limbs. The test has other surfaces of
these families, and tori and superquadrics, which it has never seen. `noise_00/`, `noise_05/` and `noise_20/` hold the
test surfaces with noise of 0, 5 and 20 % of the mean length of an edge, and `test/` with 10 %.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from gaugenet.data import random_shape
from gaugenet.data.fields.export import write_ply_fields
from gaugenet.data.meshes.laplacian import shape_operator as one_ring_operator
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2
from gaugenet.tasks.regression.metrics import axis_angles
from gaugenet.viz import MeshField, MeshView, render_meshes

KNOWN, UNSEEN = ("ellipsoid", "bumps", "limbs"), ("torus", "superquadric")
TEST_NOISE, OTHER_NOISE = 0.1, (0.0, 0.05, 0.2)
"""Standard deviation of the coordinates of the vertices over the mean length of an edge."""
LARGEST_NOISE = 0.2  # of training meshes, whose noise is random


def write(file: Path, family: str, seed: int, *, count: int, noise: float) -> int:
    """Write one mesh whose area is that of the unit sphere, and return the number of its vertices."""
    shape = random_shape(family, seed)
    mesh = shape.mesh(count, seed=seed, noise=noise)
    truth = shape.shape_operator(shape.closest(mesh.vertices))
    unit = (mesh.area / (4 * np.pi)) ** 0.5
    file.parent.mkdir(parents=True, exist_ok=True)
    scaled = TriangleMesh(mesh.vertices / unit, mesh.faces)
    write_ply_fields(file, scaled, {"vertex": {"shape_operator": truth * unit}})
    file.with_suffix(".noise.txt").write_text(f"{noise}\n")
    return mesh.num_vertices


def jobs(out: Path, train: int, test: int) -> list[tuple[Path, str, int, float]]:
    """Return file, family, seed and noise of all meshes; no two parts share a surface."""
    found, noise = [], np.random.default_rng(0)
    for family in KNOWN:
        for seed in range(train + max(1, train // 8)):
            part = "train" if seed < train else "val"
            found.append((out / part / f"{family}_{seed:03d}.ply", family, seed, noise.uniform(0, LARGEST_NOISE)))
    for family in KNOWN + UNSEEN:
        for seed in range(1000, 1000 + test):
            name = f"{family}_{seed}.ply"
            found.append((out / "test" / name, family, seed, TEST_NOISE))
            found += [(out / f"noise_{round(100 * n):02d}" / "test" / name, family, seed, n) for n in OTHER_NOISE]
    return found


def draw(run: Path) -> None:
    """Draw the first principal directions, and the angle to the true ones, on an unseen surface of each new family."""
    result, views = json.loads((run / "evaluation_test.json").read_text()), []
    with np.load(run / "predictions_test.npz") as arrays:
        for family in UNSEEN:
            entry = next(one for one in result["meshes"] if one["name"].startswith(family))
            mesh = TriangleMesh.load(entry["file"])
            truth, found = (arrays[f"{entry['name']}/shape_operator/{part}"] for part in ("truth", "prediction"))
            frame = mesh.gauge_graph(SO2(), neighborhood="one_ring").frame.numpy()
            ring = np.einsum("via,vab,vjb->vij", frame, one_ring_operator(mesh, frame), frame)
            for name, tensor in (("truth", truth), ("network", found), ("one ring", ring)):
                angle = axis_angles(tensor.reshape(-1, 9), truth.reshape(-1, 9))[0]
                lines = segments(mesh, np.linalg.eigh(tensor)[1], np.linalg.eigvalsh(tensor))
                field = {"angle to the truth": MeshField(angle, unit="degrees", limits=(0.0, 45.0))}
                views.append(MeshView.of(mesh, f"{family}, {name}", fields=field, lines=lines))
    angle = result["fields"]["shape_operator"]["axis_angle"]
    title = f"Principal directions from noisy meshes: {angle:.1f} degrees"
    render_meshes(run / "axes.png", views, panels=["angle to the truth"], title=title, tile=210)
    print(f"{run / 'axes.png'}: {title}")


def segments(mesh: TriangleMesh, directions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return a short line at each vertex along the direction of the largest curvature, above the surface."""
    tangential = np.abs(np.einsum("vij,vi->vj", directions, mesh.vertex_normals)) < 0.5
    largest = np.where(tangential, values, -np.inf).argmax(axis=1)
    axis = np.take_along_axis(directions, largest[:, None, None], axis=2)[..., 0]
    half = 0.35 * np.sqrt(mesh.area / mesh.num_vertices) * axis
    middle = mesh.vertices + 0.01 * mesh.vertex_normals
    return np.stack([middle - half, middle + half], axis=1)


def main() -> None:
    """Write the files, or draw a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("shapes"), help="folder for the files")
    parser.add_argument("--train", type=int, default=20, help="training surfaces of each family")
    parser.add_argument("--test", type=int, default=3, help="test surfaces of each family")
    parser.add_argument("--count", type=int, default=500, help="vertices of a mesh")
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1 uses all cores")
    parser.add_argument("--draw", type=Path, metavar="RUN", help="draw a run that was evaluated, and write no data")
    options = parser.parse_args()
    if options.draw:
        draw(options.draw)
        return
    found = Parallel(n_jobs=options.jobs)(
        delayed(write)(file, family, seed, count=options.count, noise=noise)
        for file, family, seed, noise in jobs(options.out, options.train, options.test)
    )
    print(f"{options.out}: {len(found)} meshes, {sum(found) // len(found)} vertices on average")


if __name__ == "__main__":
    main()
