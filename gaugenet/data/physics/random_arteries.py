"""Random arteries: a curved main branch with narrowings, and side branches."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.physics.arteries import Artery, Branch, Opening

_STEP = 0.1
_BEYOND = 2.5
"""Length by which a tube is continued beyond its opening, in radii."""


def tube(
    path: Float[ndarray, "n 3"], radius: float | Float[ndarray, "n"], *, open_start: bool = True
) -> tuple[Branch, list[Opening]]:
    """Return a branch that is continued straight beyond its openings, and the openings.

    Args:
        path: centerline in equal steps, mm.
        radius: radius at each of its points, mm.
        open_start: whether the start is an opening; otherwise it is inside another branch.
    """
    radii = np.broadcast_to(np.asarray(radius, dtype=float), len(path))
    step = np.linalg.norm(path[1] - path[0])
    openings, before = [], np.zeros((0, 3))
    last = path[-1] - path[-2]
    if open_start:
        first = path[1] - path[0]
        openings.append(Opening(path[0], -first / np.linalg.norm(first), float(radii[0])))
        more = np.arange(np.ceil(_BEYOND * radii[0] / step), 0, -1)
        before = path[0] - more[:, None] * first
    openings.append(Opening(path[-1], last / np.linalg.norm(last), float(radii[-1])))
    after = path[-1] + np.arange(1, np.ceil(_BEYOND * radii[-1] / step) + 1)[:, None] * last
    whole = np.concatenate([before, path, after])
    return Branch(whole, np.pad(radii, (len(before), len(after)), mode="edge")), openings


def random_artery(seed: int) -> Artery:
    """Return a main branch of 20 to 26 mm with one or two side branches; inlet radius 1.1 to 1.5 mm.

    Radii follow Murray's law at the junctions. Each branch is narrowed by 10 to 35 % over a few mm. The radii of
    curvature of centerlines are at least 12 mm.

    Example:
        >>> from gaugenet.data.physics.random_arteries import random_artery
        >>> artery = random_artery(0)
        >>> len(artery.openings) == len(artery.branches) + 1  # one inlet, one outlet per branch
        True
    """
    rng = np.random.default_rng(seed)
    for _ in range(100):
        artery = _draw(rng)
        if _apart(artery):
            return artery
    raise ValueError(f"No artery without touching branches was found for the seed {seed}: use another seed.")


def _draw(rng: np.random.Generator) -> Artery:
    length, inlet = rng.uniform(20, 26), rng.uniform(1.1, 1.5)
    s = np.arange(0, length, _STEP)
    path = _curve(np.zeros(3), _unit(rng.normal(size=3)), s, rng)
    forks = [rng.uniform(0.28, 0.4)] if rng.random() < 0.5 else [rng.uniform(0.22, 0.3), rng.uniform(0.52, 0.62)]
    ratio = rng.uniform(0.68, 0.8, len(forks))
    radius = np.full(len(s), inlet)
    children = []
    tangent = np.gradient(path, _STEP, axis=0)
    for fork, share in zip(forks, ratio):
        i = int(fork * len(s))
        at, child = float(radius[i]), float(radius[i] * share)
        after = (at**3 - child**3) ** (1 / 3)
        radius = radius + (after - at) * 0.5 * (1 + np.tanh((s - s[i] - 0.5 * at) / at))
        tilt, side = np.deg2rad(rng.uniform(45, 65)), _unit(np.cross(tangent[i], rng.normal(size=3)))
        heading = np.cos(tilt) * tangent[i] + np.sin(tilt) * side
        along = np.arange(0, rng.uniform(9, 12), _STEP)
        start = path[i] + 0.4 * at * side
        children.append(
            tube(
                _curve(start, heading, along, rng, start_straight=3.0), child * _narrowing(along, rng), open_start=False
            )
        )
    main, openings = tube(path, radius * _narrowing(s, rng))
    return Artery([main, *[b for b, _ in children]], [*openings, *[o for _, found in children for o in found]])


def _curve(
    start: ndarray, heading: ndarray, s: ndarray, rng: np.random.Generator, *, start_straight: float = 1.5
) -> Float[ndarray, "n 3"]:
    """Return a curve whose curvature is a smooth random function, zero at both ends."""
    side = _unit(np.cross(heading, rng.normal(size=3)))
    other, length = np.cross(heading, side), float(s[-1])
    window = _ramp((s - start_straight / 2) / start_straight) * _ramp((length - s - 1.0) / 1.5)
    bends = [
        window * rng.uniform(0.02, 0.06) * np.sin(rng.uniform(0, 2 * np.pi) + s * 2 * np.pi / rng.uniform(14, 30))
        for _ in range(2)
    ]
    tangent, frame = np.empty((len(s), 3)), [heading, side, other]
    for i in range(len(s)):
        t, a, b = frame
        tangent[i] = t
        t = _unit(t + _STEP * (bends[0][i] * a + bends[1][i] * b))
        a = _unit(a - (a @ t) * t)
        frame = [t, a, np.cross(t, a)]
    return typed_array(start + _STEP * (np.cumsum(tangent, axis=0) - tangent[0]))


def _narrowing(s: ndarray, rng: np.random.Generator) -> Float[ndarray, "n"]:
    """Return the factor of the radius for one narrowing away from the ends."""
    length = float(s[-1])
    where, width = rng.uniform(0.42, 0.72) * length, rng.uniform(1.5, 2.5)
    return typed_array(1 - rng.uniform(0.1, 0.35) * np.exp(-(((s - where) / width) ** 2)))


def _apart(artery: Artery) -> bool:
    """Return whether branches are apart outside of their junctions."""
    main, *sides = artery.branches
    for k, side in enumerate(sides):
        past = slice(int(4.5 * side.radius[0] / _STEP), None)
        pairs = [(main, past), *((other, slice(None)) for other in sides[:k])]
        for other, part in pairs:
            if (other.nearest(side.path[part])[0] < side.radius[part] + 1.2 * artery.blend).any():
                return False
    return True


def _ramp(x: ndarray) -> ndarray:
    x = np.clip(x, 0, 1)
    return typed_array(x * x * (3 - 2 * x))


def _unit(v: ndarray) -> ndarray:
    return typed_array(v / np.linalg.norm(v))
