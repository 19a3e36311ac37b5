"""A tiny labelled set of meshes on disk: bumpy ellipsoids whose faces are labelled by height."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from numpy import ndarray

CLASSES = ("low", "middle", "high")


def ellipsoid(seed: int) -> tuple[ndarray, ndarray, ndarray]:
    """Vertices, faces and face labels."""
    rng = np.random.default_rng(seed)
    sphere = trimesh.creation.icosphere(subdivisions=2)
    vertices = sphere.vertices * rng.uniform(0.6, 1.6, 3) + 0.02 * rng.standard_normal(sphere.vertices.shape)
    height = vertices[sphere.faces].mean(axis=1)[:, 2]
    return vertices, np.asarray(sphere.faces), (height > 0.2).astype(int) + (height > -0.3).astype(int)


def write_obj(path: Path, vertices: ndarray, faces: ndarray) -> None:
    """An OBJ file with all digits."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    path.write_text("\n".join(lines) + "\n")


def write_folder(root: Path, *, train: int = 6, val: int = 2, test: int = 2) -> Path:
    """A folder of labelled meshes with three splits."""
    seed = 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        (root / split).mkdir(parents=True)
        for k in range(count):
            vertices, faces, labels = ellipsoid(seed := seed + 1)
            write_obj(root / split / f"body{k}.obj", vertices, faces)
            np.save(root / split / f"body{k}.npy", labels)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


def write_meshcnn(root: Path, split: str = "test", *, count: int = 2, classes: int = 3) -> Path:
    """A folder in the layout of the MeshCNN benchmarks, classes numbered from 1."""
    for name in (split, "seg", "sseg"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for k in range(count):
        vertices, faces, labels = ellipsoid(100 + k)
        name = f"source__mesh{k}"
        write_obj(root / split / f"{name}.obj", vertices, faces)
        seen: dict[tuple[int, int], int] = {}
        for face, label in zip(faces.tolist(), labels.tolist()):
            for a, b in ((0, 1), (1, 2), (2, 0)):
                seen.setdefault((min(face[a], face[b]), max(face[a], face[b])), label + 1)
        (root / "seg" / f"{name}.eseg").write_text("\n".join(map(str, seen.values())) + "\n")
    (root / "classes.txt").write_text("\n".join(str(k + 1) for k in range(classes)) + "\n")
    return root
