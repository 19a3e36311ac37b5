"""Animals as numbers: proportions of a species, of one animal of it, and a pose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Leg:
    """One pair of legs: lengths in body units, angles in degrees, radii at hip, knee, hock and foot.

    `offset` (to the side) and `drop` (down) of the hip are fractions of the girth there.
    """

    length: float
    radii: tuple[float, float, float, float]
    shares: tuple[float, float, float] = (0.5, 0.29, 0.21)
    swings: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spreads: tuple[float, float, float] = (4.0, 0.0, 0.0)
    offset: float = 0.6
    drop: float = 0.35
    foot: tuple[float, float] = (0.03, 0.03)
    flat: float = 0.8


@dataclass(frozen=True)
class Ears:
    """A pair of flattened cones on the head: ears, horns, tusks.

    `out`, `up`, `back` give their direction, `apart`, `above`, `ahead` where they sit, in units of the skull;
    `face` says along which axis of the head they are broad.
    """

    length: float
    radii: tuple[float, float]
    out: float = 0.5
    up: float = 1.0
    back: float = 0.2
    face: str = "side"
    deep: float = 0.5
    apart: float = 0.6
    above: float = 0.62
    ahead: float = -0.15


@dataclass(frozen=True)
class Animal:
    """Proportions of a species; lengths in body units (about a body length), angles in degrees."""

    torso: float = 0.36
    girth: tuple[float, float, float] = (0.105, 0.115, 0.115)
    wide: float = 0.85
    upright: float = 0.0
    neck: float = 0.24
    neck_pitch: float = 50.0
    neck_radii: tuple[float, float] = (0.085, 0.05)
    skull: float = 0.06
    face: float = 0.15
    muzzle: float = 0.038
    head_pitch: float = -35.0
    head_wide: float = 0.85
    trunk: float = 0.0
    ears: Ears | None = None
    horns: tuple[Ears, ...] = ()
    front: Leg = field(default_factory=lambda: Leg(0.42, (0.065, 0.04, 0.03, 0.028)))
    hind: Leg = field(default_factory=lambda: Leg(0.44, (0.09, 0.05, 0.032, 0.028), swings=(18.0, -28.0, 4.0)))
    tail: float = 0.3
    tail_radii: tuple[float, float] = (0.03, 0.02)
    tail_pitch: float = -50.0
    tail_curl: float = -15.0
    tuft: float = 0.0
    stride: float = 18.0
    sway: float = 8.0


@dataclass(frozen=True)
class AnimalPose:
    """Joint angles in degrees, added to those at rest."""

    bend: float
    arch: float
    neck: tuple[float, float]
    head: tuple[float, float]
    legs: tuple[tuple[float, float], ...]
    tail: tuple[float, float, float]


def draw_animal_pose(animal: Animal, rng: np.random.Generator) -> AnimalPose:
    """A walking, trotting or standing pose, with the head and tail anywhere comfortable."""
    stride = animal.stride * rng.uniform(0.3, 1.25)
    phase = rng.uniform(0, 2 * np.pi)
    legs = []
    for shift in (0.0, np.pi, np.pi * rng.uniform(0.8, 1.2), rng.normal(0, 0.4)):  # front left, right, hind ...
        swing = stride * np.sin(phase + shift) + rng.normal(0, 3)
        legs.append((float(swing), float(max(0.0, 1.2 * stride * np.cos(phase + shift)) + abs(rng.normal(0, 4)))))
    return AnimalPose(
        bend=float(rng.normal(0, animal.sway)),
        arch=float(rng.normal(0, 4)),
        neck=(float(rng.normal(0, 11)), float(rng.normal(0, 14))),
        head=(float(rng.normal(0, 9)), float(rng.normal(0, 14))),
        legs=tuple(legs),
        tail=(float(rng.normal(0, 14)), float(rng.normal(0, 9)), float(rng.normal(0, 15))),
    )


def vary(animal: Animal, rng: np.random.Generator, *, spread: float = 0.1) -> Animal:
    """Another animal of the species: every length and thickness changed by a factor around 1."""

    def factor(scale: float = 1.0) -> float:
        return float(np.exp(spread * scale * np.clip(rng.normal(), -2, 2)))

    stout, leggy = factor(), factor()
    legs = [
        replace(leg, length=leg.length * leggy, radii=_scaled(leg.radii, factor(0.7) * stout**0.5))
        for leg in (animal.front, animal.hind)
    ]
    ears = animal.ears and replace(animal.ears, length=animal.ears.length * factor(1.5))
    return replace(
        animal,
        torso=animal.torso * factor(),
        girth=_scaled(animal.girth, stout),
        neck=animal.neck * factor(),
        neck_radii=_scaled(animal.neck_radii, stout**0.7),
        skull=animal.skull * factor(0.7),
        face=animal.face * factor(),
        front=legs[0],
        hind=legs[1],
        ears=ears,
        horns=tuple(replace(h, length=h.length * factor(1.5)) for h in animal.horns),
        tail=animal.tail * factor(1.5),
        tail_radii=_scaled(animal.tail_radii, factor(0.7)),
    )


def _scaled(values: tuple[float, ...], factor: float) -> Any:
    return tuple(v * factor for v in values)
