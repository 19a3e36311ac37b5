"""A gauge graph against the geodesics of the smooth surface that its mesh samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from gaugenet.geometry import GaugeGraph
from tests.geometry.mesh.surfaces import ImplicitSurface, complete


@dataclass
class Errors:
    """Relative distance errors, log-map vector errors over the radius, angles in degrees."""

    distance: ndarray
    vector: ndarray
    angle: ndarray
    transport: ndarray


def compare(graph: GaugeGraph, surface: ImplicitSurface, targets: ndarray) -> Errors:
    """Errors of the edges into `targets`; frames are laid into the true tangent planes by their closest rotation."""
    q, p = graph.edge_index.numpy()
    keep = np.isin(p, targets)
    q, p = q[keep], p[keep]
    x, frame = graph.pos.double().numpy(), graph.frame.double().numpy()
    frame = true_frames(surface, x, frame)
    log_map, transporter = graph.log_map.double().numpy()[keep], graph.transporter.double().numpy()[keep]
    velocity = surface.log(x[p], x[q])
    expected = np.einsum("edi,ed->ei", frame[p], velocity)
    arrived = surface.shoot(x[p], velocity, frame[p][:, :, 0])[:, :, 2]  # the first axis at p, transported to q
    there = np.einsum("edi,ed->ei", frame[q], arrived)
    back = np.einsum("eij,ej->ei", transporter, there)  # and transported back by the graph: should be (1, 0)
    length = np.linalg.norm(expected, axis=1)
    return Errors(
        distance=np.linalg.norm(log_map, axis=1) / length - 1,
        vector=np.linalg.norm(log_map - expected, axis=1) / float(graph.radius),
        angle=degrees_between(log_map, expected),
        transport=np.degrees(np.arctan2(back[:, 1], back[:, 0])),
    )


def true_frames(surface: ImplicitSurface, x: ndarray, frame: ndarray) -> ndarray:
    normal = surface.normal(x)
    upright = np.sign((np.cross(frame[:, :, 0], frame[:, :, 1]) * normal).sum(1))
    normal = normal * upright[:, None]
    return complete(frame[:, :, 0] - np.cross(normal, frame[:, :, 1]), normal)


def degrees_between(v: ndarray, w: ndarray) -> ndarray:
    cross = v[:, 0] * w[:, 1] - v[:, 1] * w[:, 0]
    return np.degrees(np.arctan2(cross, (v * w).sum(1)))


def rms(values: ndarray) -> float:
    return float(np.sqrt((values**2).mean()))
