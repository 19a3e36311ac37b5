"""People: proportions, poses and the flesh on their bones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .skeleton import (
    HEAD,
    LOWER_FRONT,
    LOWER_HIND,
    NECK,
    TORSO,
    UPPER_FRONT,
    UPPER_HIND,
    Body,
    Bone,
    direction,
    hanging,
)


@dataclass(frozen=True)
class Person:
    """Proportions, in units of the height of an average grown-up; girths are factors around 1."""

    head: float = 0.066
    neck: float = 0.058
    trunk: float = 0.30
    shoulders: float = 0.112
    hips: float = 0.06
    arm: float = 0.33
    leg: float = 0.46
    torso_girth: float = 1.0
    limb_girth: float = 1.0
    belly: float = 0.0
    bust: float = 0.0
    bun: bool = False


@dataclass(frozen=True)
class PersonPose:
    """Angles in degrees: spine lean and twist, head turn, and per limb (swing, spread, flexion)."""

    lean: float
    turn: float
    arms: tuple[tuple[float, float, float], ...]
    legs: tuple[tuple[float, float, float], ...]


# lean, left arm, right arm, left leg, right leg: (swing forward, spread outward, flexion of elbow or knee)
POSES: dict[str, tuple] = {
    "stand": (0, (5, 22, 15), (5, 22, 15), (0, 6, 4), (0, 6, 4)),
    "spread": (0, (0, 85, 8), (0, 85, 8), (0, 14, 4), (0, 14, 4)),
    "walk": (4, (28, 16, 25), (-28, 16, 18), (-22, 4, 18), (26, 4, 10)),
    "run": (14, (45, 20, 85), (-45, 22, 80), (-30, 4, 65), (52, 4, 55)),
    "wave": (0, (0, 140, 40), (5, 25, 20), (0, 8, 4), (4, 6, 8)),
    "cheer": (-4, (10, 150, 20), (10, 150, 20), (5, 15, 8), (-5, 15, 8)),
    "sit": (2, (45, 18, 45), (45, 18, 45), (85, 9, 88), (85, 9, 88)),
    "lunge": (6, (85, 12, 10), (-30, 25, 15), (62, 8, 70), (-42, 6, 15)),
    "bow": (48, (55, 30, 15), (55, 30, 15), (8, 8, 8), (8, 8, 8)),
    "kick": (-10, (30, 60, 25), (-20, 60, 25), (70, 6, 10), (-5, 6, 10)),
}


def draw_person_pose(rng: np.random.Generator, name: str | None = None) -> PersonPose:
    """One of `POSES` with every joint jittered; left and right change places half the time."""
    name = name or str(rng.choice(sorted(POSES)))
    lean, *limbs = POSES[name]
    limbs = [tuple(float(a + rng.normal(0, s)) for a, s in zip(limb, (7, 5, 7), strict=True)) for limb in limbs]
    limbs = [(swing, spread, max(flex, 2.0)) for swing, spread, flex in limbs]
    if rng.random() < 0.5:
        limbs = [limbs[1], limbs[0], limbs[3], limbs[2]]
    return PersonPose(
        lean=float(lean + rng.normal(0, 4)),
        turn=float(rng.normal(0, 15)),
        arms=(limbs[0], limbs[1]),
        legs=(limbs[2], limbs[3]),
    )


def draw_person(rng: np.random.Generator, kind: str, *, spread: float = 0.1) -> Person:
    """Proportions of a `child`, `woman`, `man`, or of the rarer builds `giant` and `heavy`."""
    bun = bool(rng.random() < 0.6)
    person = {
        "child": Person(0.068, 0.045, 0.215, 0.08, 0.044, 0.23, 0.29, torso_girth=0.84, limb_girth=0.86),
        "woman": Person(shoulders=0.1, hips=0.064, bust=0.043, torso_girth=0.92, limb_girth=0.92, bun=bun),
        "man": Person(shoulders=0.122, torso_girth=1.03, limb_girth=1.05),
        "giant": Person(0.06, 0.075, shoulders=0.135, arm=0.4, leg=0.54, torso_girth=1.05, limb_girth=1.1),
        "heavy": Person(shoulders=0.12, hips=0.075, belly=0.05, torso_girth=1.25, limb_girth=1.25),
    }[kind]
    weight = {"torso_girth": 0.8, "limb_girth": 0.9} | dict.fromkeys(
        ("head", "neck", "trunk", "shoulders", "arm", "leg"), 0.6
    )
    changed = {
        name: getattr(person, name) * float(np.exp(spread * w * np.clip(rng.normal(), -2, 2)))
        for name, w in weight.items()
    }
    return replace(person, **changed)


def build_person(person: Person, pose: PersonPose) -> Body:
    """The flesh of a person in a pose; they look along x, z is up, y is their left."""
    body = Body()
    up = direction(90.0 - pose.lean)
    forward = direction(-pose.lean)
    left = np.array([0.0, 1.0, 0.0])
    top = _add_torso(body, person, up, forward, left)
    _add_head(body, person, pose, top, up)
    for i, side in enumerate((1.0, -1.0)):
        shoulder = top - 0.012 * up + side * person.shoulders * left
        body.limbs.append(_arm(person, shoulder, side, pose.arms[i], up, forward))
    for i, side in enumerate((1.0, -1.0)):
        body.limbs.append(_leg(person, np.array([0.0, side * person.hips, -0.01]), side, pose.legs[i]))
    return body


def _add_torso(body: Body, person: Person, up: np.ndarray, forward: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Pelvis, waist, chest and shoulder girdle; returns the point between the shoulders."""
    g, wide = person.torso_girth, person.shoulders / 0.112
    waist = 0.38 * person.trunk * (0.6 * up + 0.4 * np.array([0.0, 0.0, 1.0]))
    chest = waist + 0.36 * person.trunk * up
    top = waist + 0.62 * person.trunk * up
    hip = person.hips * 0.75 * left
    body.trunk += [
        Bone(-hip, hip, (0.068 * g, 0.068 * g), TORSO, side=tuple(forward), wide=1.0, blend=0.05),
        Bone(np.zeros(3), waist, (0.07 * g, 0.064 * g), TORSO, wide=1.25, deep=0.95, blend=0.06),
        Bone(waist, chest, (0.064 * g, 0.075 * g), TORSO, wide=1.3 * wide, deep=0.95, blend=0.05),
        Bone(chest, top, (0.075 * g, 0.05 * g), TORSO, wide=1.25 * wide, deep=0.85, blend=0.05),
        Bone(
            top - 0.8 * person.shoulders * left, top + 0.8 * person.shoulders * left, (0.043, 0.043), TORSO, blend=0.04
        ),
    ]
    for side in (1.0, -1.0):
        seat = -0.035 * forward + side * 0.7 * person.hips * left - 0.015 * up
        body.trunk.append(Bone(seat, seat + 0.01 * up, (0.062 * g, 0.062 * g), TORSO, blend=0.03))
        if person.bust > 0:
            at = chest + 0.042 * g * forward + side * 0.045 * left + 0.005 * up
            body.trunk.append(Bone(at, at + 0.01 * forward, (person.bust, 0.8 * person.bust), TORSO, blend=0.025))
    if person.belly > 0:
        at = 0.85 * waist + 0.035 * forward
        body.trunk.append(Bone(at, at + 0.01 * up, (0.08 * g, 0.08 * g), TORSO, wide=1.2, blend=0.05))
    return top


def _add_head(body: Body, person: Person, pose: PersonPose, top: np.ndarray, up: np.ndarray) -> None:
    rise = up + 0.5 * np.array([0.0, 0.0, 1.0])
    rise = rise / np.linalg.norm(rise)
    base = top + 0.04 * up
    nape = base + person.neck * rise
    body.trunk.append(Bone(base, nape, (0.042, 0.034), NECK, blend=0.03))
    facing = np.cross(np.array([0.0, 1.0, 0.0]), rise)
    across = np.cross(rise, facing)
    c, s = np.cos(np.radians(pose.turn)), np.sin(np.radians(pose.turn))
    facing, across = c * facing + s * across, c * across - s * facing
    r = person.head
    centre = nape + 0.95 * r * rise + 0.15 * r * facing
    skull = centre + 0.22 * r * rise - 0.15 * r * facing
    chin = centre - 0.62 * r * rise + 0.3 * r * facing
    body.trunk.append(Bone(skull, chin, (r, 0.62 * r), HEAD, side=tuple(across), wide=0.86, blend=0.02))
    nose = centre + 0.85 * r * facing - 0.1 * r * rise
    body.limbs.append([Bone(nose, nose + 0.22 * r * facing - 0.1 * r * rise, (0.2 * r, 0.2 * r), HEAD, blend=0.012)])
    if person.bun:
        bun = skull - 0.95 * r * facing + 0.35 * r * rise
        body.limbs.append([Bone(bun, bun - 0.1 * r * facing, (0.45 * r, 0.42 * r), HEAD, blend=0.012)])


def _bent(along: np.ndarray, towards: np.ndarray, flex: float) -> np.ndarray:
    """`along`, turned by `flex` degrees towards a direction."""
    across = towards - (towards @ along) * along
    across = across / np.linalg.norm(across)
    return np.cos(np.radians(flex)) * along + np.sin(np.radians(flex)) * across


def _arm(
    person: Person,
    shoulder: np.ndarray,
    side: float,
    pose: tuple[float, float, float],
    up: np.ndarray,
    forward: np.ndarray,
) -> list[Bone]:
    swing, spread, flex = pose
    g, length = person.limb_girth, person.arm
    local = hanging(swing, side * spread)
    upper = local[0] * forward + local[2] * up + np.array([0.0, local[1], 0.0])
    lifted = np.clip((spread - 90) / 50, 0.0, 1.0)  # a raised arm bends its elbow upward, a hanging one forward
    lower = _bent(upper, (1 - lifted) * forward + (0.3 + lifted) * up, flex)
    elbow = shoulder + 0.44 * length * upper
    wrist = elbow + 0.40 * length * lower
    palm = wrist + 0.05 * lower
    thumb = wrist + 0.012 * lower + 0.018 * forward
    return [
        Bone(shoulder, elbow, (0.043 * g, 0.031 * g), UPPER_FRONT, bulge=0.003, blend=0.03),
        Bone(elbow, wrist, (0.032 * g, 0.022 * g), LOWER_FRONT, bulge=0.004, blend=0.012),
        Bone(wrist, palm, (0.023, 0.03), LOWER_FRONT, side=tuple(forward), wide=1.15, deep=0.7, blend=0.015),
        Bone(
            palm, palm + 0.03 * lower, (0.03, 0.024), LOWER_FRONT, side=tuple(forward), wide=1.1, deep=0.6, blend=0.012
        ),
        Bone(thumb, thumb + 0.03 * lower + 0.018 * forward, (0.014, 0.012), LOWER_FRONT, blend=0.01),
    ]


def _leg(person: Person, hip: np.ndarray, side: float, pose: tuple[float, float, float]) -> list[Bone]:
    swing, spread, flex = pose
    g, length = person.limb_girth, person.leg
    thigh = hanging(swing, side * spread)
    back = -np.cross(np.array([0.0, 1.0, 0.0]), -thigh)
    shin = _bent(thigh, back, flex)
    toes = _bent(shin, -np.cross(np.array([0.0, 1.0, 0.0]), shin), 88.0)
    knee = hip + 0.5 * length * thigh
    calf = knee + 0.16 * length * shin - 0.01 * toes
    ankle = knee + 0.46 * length * shin
    heel = ankle + 0.03 * shin - 0.018 * toes
    ball = ankle + 0.038 * shin + 0.085 * toes
    flat: dict[str, Any] = {"side": (0.0, 1.0, 0.0), "deep": 0.75}
    return [
        Bone(hip, knee, (0.066 * g, 0.043 * g), UPPER_HIND, bulge=0.003, blend=0.03),
        Bone(knee, calf, (0.042 * g, 0.043 * g), LOWER_HIND, blend=0.015),
        Bone(calf, ankle, (0.043 * g, 0.027 * g), LOWER_HIND, blend=0.02),
        Bone(ankle, heel, (0.027 * g, 0.026), LOWER_HIND, blend=0.01),
        Bone(heel, ball, (0.027, 0.029), LOWER_HIND, **flat, blend=0.015),
    ]
