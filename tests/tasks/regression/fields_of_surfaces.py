"""A small data set of ellipsoids with fields in closed form, each a function of position and normal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from numpy import ndarray

from gaugenet.geometry import TriangleMesh
from tests.data.fields.field_files import write_ply


def ellipsoid(seed: int, subdivisions: int = 2, *, noise: float = 0.0) -> TriangleMesh:
    """A rotated ellipsoid. Noise breaks the ties between equal distances, which rounding would decide."""
    rng = np.random.default_rng(seed)
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions)
    q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    q *= np.sign(np.linalg.det(q))
    noisy = sphere.vertices + noise * rng.standard_normal(sphere.vertices.shape)
    return TriangleMesh(noisy * rng.uniform(0.7, 1.4, 3) @ q.T, sphere.faces)


def fields(mesh: TriangleMesh) -> dict[str, ndarray]:
    """Fields that follow the mesh: of a scalar input `height`, which is a coordinate along its longest axis."""
    x = mesh.vertices - mesh.vertices.mean(axis=0)
    axis = np.linalg.svd(x, full_matrices=False)[2][0]
    axis = axis * (1.0 if (x @ axis > 0).sum() >= len(x) / 2 else -1.0)
    height, normal = x @ axis, mesh.vertex_normals
    gradient = axis - (normal @ axis)[:, None] * normal
    centre = x[mesh.faces].mean(axis=1)
    return {
        "height": height,
        "pressure": 100 + 3 * height**2,
        "wss": 2.0 * gradient,
        "force": 2.0 * gradient + 3.0 * normal,
        "stress": gradient[:, :, None] * gradient[:, None, :],
        "load": centre @ axis,
        "total": np.array([mesh.area]),
    }


def write_set(root: Path, *, train: int = 4, val: int = 1, test: int = 2, subdivisions: int = 2) -> Path:
    """A folder of PLY files, with `height`, `pressure` and `wss` as properties and all else next to them."""
    seed = 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for k in range(count):
            mesh = ellipsoid(seed := seed + 1, subdivisions)
            found = fields(mesh)
            columns = {"height": found["height"], "pressure": found["pressure"], "red": np.arange(mesh.num_vertices)}
            columns |= {f"wss_{axis}": found["wss"][:, i] for i, axis in enumerate("xyz")}
            path = write_ply(root / split / f"body{k}.ply", mesh.vertices, mesh.faces, columns)
            rest = {name: found[name] for name in ("force", "stress", "load", "total")}
            np.savez(path.with_suffix(".npz"), **rest)
    return root
