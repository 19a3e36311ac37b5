"""Wall shear stress of the reduced model against closed forms: Poiseuille, a cone, Dean, a bifurcation."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data.physics.arteries import Artery
from gaugenet.data.physics.random_arteries import random_artery, tube
from gaugenet.data.physics.wall_shear import Blood, WallFlow, inflow_distance, murray_flows, wall_flow

STEP, MU = 0.1, Blood().viscosity
S = np.arange(0, 14, STEP)
AXIS = np.array([2.0, -1.0, 2.0]) / 3


def _solved(path, radius, flow):
    branch, openings = tube(path, radius)
    artery = Artery([branch], openings)
    mesh = artery.mesh(0.4, seed=3)
    return artery, mesh, wall_flow(artery, mesh, np.array([-flow, flow]))


def _inside(artery, mesh, margin):
    """Vertices away from the openings, where the flow is not developed."""
    return np.min([np.linalg.norm(mesh.vertices - o.point, axis=1) for o in artery.openings], axis=0) > margin


@pytest.fixture(scope="module")
def straight():
    return _solved(S[:, None] * AXIS, 1.2, 300.0)


def test_a_straight_tube_has_the_stress_of_poiseuille(straight):
    _, mesh, flow = straight
    expected = 4 * MU * 300.0 / (np.pi * 1.2**3)
    along = AXIS - (mesh.vertex_normals @ AXIS)[:, None] * mesh.vertex_normals  # the axis as the mesh's normals see it
    assert np.linalg.norm(flow.shear - expected * along, axis=1).max() < 0.01 * expected
    fall = np.polyfit(mesh.vertices @ AXIS, flow.pressure, 1)[0]
    assert fall == pytest.approx(-8 * MU * 300.0 / (np.pi * 1.2**4), rel=5e-3)


def test_stress_is_tangent_to_the_wall(straight):
    _, mesh, flow = straight
    assert np.abs((flow.shear * mesh.vertex_normals).sum(1)).max() < 1e-12 * np.abs(flow.shear).max()


def test_the_distance_from_the_inlet_is_the_way_along_a_straight_tube(straight):
    artery, mesh, _ = straight
    assert np.abs(inflow_distance(artery, mesh) - mesh.vertices @ AXIS).max() < 0.35


def test_a_gentle_cone_has_the_stress_of_poiseuille_at_each_radius():
    radius = np.linspace(1.4, 0.9, len(S))
    artery, mesh, flow = _solved(S[:, None] * AXIS, radius, 300.0)
    here = np.interp(mesh.vertices @ AXIS, S, radius)
    size, inside = np.linalg.norm(flow.shear, axis=1), _inside(artery, mesh, 2.0)
    ratio = (size / (4 * MU * 300.0 / (np.pi * here**3)))[inside]
    assert np.abs(ratio - 1).max() < 0.03
    assert size[inside].max() > 2.5 * size[inside].min(), "control: it is not one number"


def test_a_bent_tube_has_the_stress_of_dean():
    """tau (1 - 3/4 R/Rc cos theta) along, tau (Re/24) R/Rc sin theta towards the inner bend, up to second order."""
    bend, radius, rate = 25.0, 1.0, 150.0
    angle = S / bend
    path = bend * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], axis=1)  # bends towards y
    artery, mesh, flow = _solved(path, radius, rate)
    ratio, tau = radius / bend, 4 * MU * rate / (np.pi * radius**3)
    from_centre = mesh.vertices - [0, bend, 0]
    outward = from_centre * [1, 1, 0]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    along = np.cross([0.0, 0.0, 1.0], outward)
    cos = (np.linalg.norm(from_centre[:, :2], axis=1) - bend) / radius
    sin = mesh.vertices[:, 2] / radius
    around = -sin[:, None] * outward + cos[:, None] * np.array([0.0, 0.0, 1.0])
    reynolds = 2 * radius * 1e-3 * 1060.0 * (rate / (np.pi * radius**2)) * 1e-3 / MU
    inside = _inside(artery, mesh, 3.0)
    axial, secondary = ((flow.shear * v).sum(1)[inside] / tau for v in (along, around))
    slope = np.polyfit(cos[inside], axial, 1)[0] / ratio
    assert slope == pytest.approx(-0.75, abs=0.08)
    assert abs(slope + 1) > 0.15, "control: the pressure alone has -1"
    assert (secondary @ sin[inside]) / (sin[inside] ** 2).sum() == pytest.approx(reynolds / 24 * ratio, rel=0.1)


def test_flow_is_conserved_at_a_bifurcation():
    """The mean stress around each tube gives its flow, pi R^3 tau / (4 mu), and the flows add up."""
    main, openings = tube(S[:, None] * np.array([1.0, 0, 0]), 1.2)
    heading = np.array([np.cos(0.9), np.sin(0.9), 0.0])
    side, more = tube(np.array([5.0, 0.4, 0]) + np.arange(0, 9, STEP)[:, None] * heading, 0.8, open_start=False)
    artery = Artery([main, side], [*openings, *more])
    mesh = artery.mesh(0.4, seed=0)
    flow = wall_flow(artery, mesh, np.array([-300.0, 200.0, 100.0]))
    x, t = mesh.vertices[:, 0], (mesh.vertices - [5.0, 0.4, 0]) @ heading
    on_side = mesh.vertices[:, 1] > 2.0
    found = [
        _flow_through(flow, chosen, radius, axis)
        for chosen, radius, axis in (
            ((x > 1) & (x < 2.5), 1.2, [1, 0, 0]),
            ((x > 10) & (x < 13) & ~on_side, 1.2, [1, 0, 0]),
            (on_side & (t > 4) & (t < 8), 0.8, heading),
        )
    ]
    np.testing.assert_allclose(found, [300, 200, 100], rtol=0.04)
    assert found[0] == pytest.approx(found[1] + found[2], rel=0.03)


def _flow_through(flow: WallFlow, chosen, radius, axis):
    return np.pi * radius**3 / (4 * MU) * (flow.shear[chosen] @ np.asarray(axis, dtype=float)).mean()


def test_flows_follow_the_law_of_murray():
    artery = random_artery(3)
    flows = murray_flows(artery, 1.0)
    radii = np.array([opening.radius for opening in artery.openings])
    assert flows.sum() == pytest.approx(0, abs=1e-9)
    assert np.abs(4 * MU * flows[0] / (np.pi * radii[0] ** 3)) == pytest.approx(1.0)
    np.testing.assert_allclose(flows[1:] / flows[1], (radii[1:] / radii[1]) ** 3)


def test_more_flow_in_than_out_is_refused(straight):
    artery, mesh, _ = straight
    with pytest.raises(ValueError, match="2 `flows` with the sum 0"):
        wall_flow(artery, mesh, np.array([-2.0, 1.0]))
