"""One body from one seed: proportions, pose, skin, rigid placement."""

from __future__ import annotations

import numpy as np

from .animal import draw_animal_pose, vary
from .field import clearance
from .person import build_person, draw_person, draw_person_pose
from .quadruped import build_animal
from .skeleton import Body
from .species import ANIMALS
from .surface import BadSurface, LabelledMesh, mesh_body

PEOPLE = ("child", "woman", "man", "giant", "heavy")


def draw_body(kind: str, rng: np.random.Generator, *, pose: str | None = None, spread: float = 0.1) -> Body:
    """A body of a kind (`ANIMALS` or `PEOPLE`) whose limbs stay clear of each other.

    Raises:
        ValueError: the kind is unknown, or no free pose was found.
    """
    if kind not in ANIMALS and kind not in PEOPLE:
        raise ValueError(f"Unknown kind {kind!r}: choose one of {sorted([*ANIMALS, *PEOPLE])}.")
    for _ in range(200):
        if kind in PEOPLE:
            body = build_person(draw_person(rng, kind, spread=spread), draw_person_pose(rng, pose))
        else:
            animal = vary(ANIMALS[kind], rng, spread=spread)
            body = build_animal(animal, draw_animal_pose(animal, rng))
        if clearance(body) > 0.008:
            return body
    raise ValueError(f"No {kind} keeps its limbs apart: its proportions leave no room.")


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A uniformly random rotation `(3, 3)`, from a unit quaternion."""
    w, x, y, z = (q := rng.normal(size=4)) / np.sqrt((q * q).sum())
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def make_body(
    kind: str, seed: int, *, pose: str | None = None, spread: float = 0.1, turned: bool = True
) -> LabelledMesh:
    """Mesh of one body, of unit surface area, centred at its vertices' mean and turned at random."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        body = draw_body(kind, rng, pose=pose, spread=spread)
        try:
            mesh = mesh_body(body)
        except BadSurface:
            continue
        a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
        area = 0.5 * float(np.sqrt((np.cross(b - a, c - a) ** 2).sum(1)).sum())
        vertices = (mesh.vertices - mesh.vertices.mean(axis=0)) / np.sqrt(area)
        r = random_rotation(rng) if turned else np.eye(3)
        vertices = vertices[:, :1] * r[:, 0] + vertices[:, 1:2] * r[:, 1] + vertices[:, 2:] * r[:, 2]
        return LabelledMesh(vertices, mesh.faces, mesh.labels, r)
    raise ValueError(f"No skin of a {kind} with seed {seed} is a closed manifold: try another seed.")
