"""The flesh of animals with four limbs, from lizard to giraffe, and of those that stand up on two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .animal import Animal, AnimalPose, Ears, Leg
from .skeleton import (
    HEAD,
    LOWER_FRONT,
    LOWER_HIND,
    NECK,
    TAIL,
    TORSO,
    UPPER_FRONT,
    UPPER_HIND,
    Body,
    Bone,
    chain,
    direction,
    hanging,
    tapered,
)


def build_animal(animal: Animal, pose: AnimalPose) -> Body:
    """The flesh of an animal in a pose; it looks along x, z is up."""
    body = Body()
    spine = chain(
        np.zeros(3),
        [
            0.5 * animal.torso * direction(animal.upright + pose.arch, -0.5 * pose.bend),
            0.5 * animal.torso * direction(animal.upright - pose.arch, 0.5 * pose.bend),
        ],
    )
    _add_torso(body, animal, spine)
    _add_head(body, animal, pose, spine)
    _add_legs(body, animal, pose, spine)
    if animal.tail > 0:
        body.limbs.append(_tail(animal, pose, spine[0]))
    return body


def _turned(vector: np.ndarray, yaw: float) -> np.ndarray:
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1], vector[2]])


def _add_torso(body: Body, animal: Animal, spine: list[np.ndarray]) -> None:
    body.trunk += tapered(spine, list(animal.girth), TORSO, wide=animal.wide, blend=0.06)


def _add_head(body: Body, animal: Animal, pose: AnimalPose, spine: list[np.ndarray]) -> None:
    yaw = 0.5 * pose.bend + pose.neck[1]
    pitch = animal.neck_pitch + pose.neck[0]
    start = spine[2] + 0.5 * animal.girth[2] * direction(pitch, yaw)
    points = chain(start, [animal.neck / 3 * direction(pitch + bend, yaw) for bend in (-9.0, 3.0, 9.0)])
    r0, r1 = animal.neck_radii
    radii = [r0, 0.5 * (r0 + r1), 0.25 * r0 + 0.75 * r1, r1]
    body.trunk += tapered(points, radii, NECK, side=(0.0, 1.0, 0.0), wide=0.9, blend=0.05)
    facing = direction(animal.head_pitch + pose.head[0], yaw + pose.head[1])
    left = _turned(np.array([0.0, 1.0, 0.0]), yaw + pose.head[1])
    crown = np.cross(facing, left)
    skull = points[-1] + 0.45 * animal.skull * (facing + crown)
    nose = skull + animal.face * facing - 0.25 * animal.skull * crown
    options: dict[str, Any] = {"side": tuple(left), "wide": animal.head_wide, "blend": 0.03}
    body.trunk.append(
        Bone(skull, skull + 0.3 * animal.face * facing, (animal.skull, 0.8 * animal.skull), HEAD, **options)
    )
    body.trunk.append(Bone(skull, nose, (0.75 * animal.skull, animal.muzzle), HEAD, **options))
    if animal.trunk > 0:
        steps = [0.25 * animal.trunk * direction(p + pose.head[0], yaw + pose.head[1]) for p in (-50, -78, -85, -60)]
        radii = [animal.muzzle * f for f in (1.0, 0.85, 0.72, 0.62, 0.55)]
        body.trunk += tapered(chain(nose, steps), radii, HEAD, blend=0.02)
    for pair in ((animal.ears,) if animal.ears else ()) + animal.horns:
        for side in (1.0, -1.0):
            body.limbs.append([_ear(pair, skull, animal.skull, facing, side * left, crown)])


def _ear(pair: Ears, skull: np.ndarray, size: float, facing: np.ndarray, out: np.ndarray, crown: np.ndarray) -> Bone:
    base = skull + size * (pair.above * crown + pair.apart * out + pair.ahead * facing)
    along = pair.out * out + pair.up * crown - pair.back * facing
    along = along / np.linalg.norm(along)
    broad = {"side": out, "forward": facing, "up": crown}[pair.face]
    return Bone(
        base, base + pair.length * along, pair.radii, HEAD, side=tuple(broad), wide=1.0, deep=pair.deep, blend=0.02
    )


def _add_legs(body: Body, animal: Animal, pose: AnimalPose, spine: list[np.ndarray]) -> None:
    for i, moves in enumerate(pose.legs):
        hind, side = i >= 2, (1.0, -1.0)[i % 2]
        leg, joint, girth = (
            (animal.hind, spine[0], animal.girth[0]) if hind else (animal.front, spine[2], animal.girth[2])
        )
        labels = (UPPER_HIND, LOWER_HIND) if hind else (UPPER_FRONT, LOWER_FRONT)
        yaw = pose.bend * (-0.5 if hind else 0.5)
        out = _turned(np.array([0.0, side * leg.offset * girth * animal.wide, 0.0]), yaw)
        hip = joint + out - np.array([0.0, 0.0, leg.drop * girth])
        body.limbs.append(_leg(leg, hip, side, yaw, moves, labels, bends_back=hind))


def _leg(
    leg: Leg,
    hip: np.ndarray,
    side: float,
    yaw: float,
    pose: tuple[float, float],
    labels: tuple[int, int],
    *,
    bends_back: bool,
) -> list[Bone]:
    swing, flex = pose
    # A hind knee bends back and its hock forward; a front knee bends back and so does what hangs from it.
    swings = (swing + 0.4 * flex, swing - 0.6 * flex, swing - (0.1 if bends_back else 1.2) * flex)
    directions = [
        _turned(hanging(rest + moved, side * spread), yaw)
        for rest, moved, spread in zip(leg.swings, swings, leg.spreads, strict=True)
    ]
    points = chain(hip, [leg.length * s * d for s, d in zip(leg.shares, directions, strict=True)])
    across = tuple(_turned(np.array([0.0, 1.0, 0.0]), yaw))
    bones = [Bone(points[0], points[1], leg.radii[:2], labels[0], side=across, wide=0.85, blend=0.035)]
    bones += tapered(points[1:], list(leg.radii[1:]), labels[1], blend=0.02)
    length, radius = leg.foot
    forward = _turned(np.array([1.0, 0.0, 0.0]), yaw + (25.0 * side if leg.spreads[0] > 30 else 0.0))
    toe = points[-1] + length * forward
    bones.append(Bone(points[-1], toe, (0.95 * radius, radius), labels[1], side=across, deep=leg.flat, blend=0.015))
    return bones


def _tail(animal: Animal, pose: AnimalPose, pelvis: np.ndarray) -> list[Bone]:
    count = 5 if animal.tail > 0.12 else 1
    pitch, yaw = animal.tail_pitch + pose.tail[0], -0.5 * pose.bend
    steps = []
    for i in range(count):
        bend = (animal.tail_curl + pose.tail[1]) * i
        steps.append(-animal.tail / count * direction(-(pitch + bend), yaw + pose.tail[2] * i))
    start = pelvis + np.array([-0.88 * animal.girth[0], 0.0, 0.3 * animal.girth[0]])
    r0, r1 = animal.tail_radii
    radii = [r0 + (r1 - r0) * i / count for i in range(count + 1)]
    bones = tapered(chain(start, steps), radii, TAIL, blend=0.03)
    if animal.tuft > 0:
        end = bones[-1].end
        bones.append(
            Bone(
                end,
                end + 0.18 * animal.tail * (steps[-1] / np.linalg.norm(steps[-1])),
                (animal.tuft, 0.5 * animal.tuft),
                TAIL,
                blend=0.02,
            )
        )
    return bones
