"""Theorems about very uneven tessellations: work is bounded by default, and nothing else changes."""

import logging

import numpy as np
import pytest
import torch

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.log_map import local_log_maps
from gaugenet.geometry.mesh.options import NeighborhoodOptions
from gaugenet.groups import SO2
from tests.geometry.mesh import cad
from tests.geometry.mesh.test_numbering import renumbered
from tests.geometry.mesh.test_reciprocity import mismatch

OPTIONS = NeighborhoodOptions(mean_neighbors=16)
WINDOWS = 30_000  # for one target: too few for the whole search, enough for a bounded one


def plate(segments: int = 800) -> TriangleMesh:
    """A plate with a small hole in many segments, cut into needles that meet at the corners."""
    outline = np.array([[0, 0], [4, 0], [4, 2], [0, 2]], float)
    return cad.prism(outline, 0.02, (cad.circle(segments, 0.1) + [1, 1],))


def knob(rings: int = 150) -> TriangleMesh:
    """A long rod of needles; a fine fillet runs around its end."""
    around, profile = 80, [(0.3, 0.0), *((0.3 - 0.05 * a**2, 9 + 0.05 * a) for a in np.linspace(0, 1, rings))]
    angle = 2 * np.pi * np.arange(around) / around
    circles = [np.stack([r * np.cos(angle), r * np.sin(angle), np.full(around, z)], 1) for r, z in profile]
    i = np.arange(around)
    j = (i + 1) % around
    a, b = (np.concatenate([k * around + index for k in range(len(circles) - 1)]) for index in (i, j))
    return TriangleMesh(
        np.concatenate(circles),
        np.concatenate([np.stack([a, b, b + around], 1), np.stack([a, b + around, a + around], 1)]),
    )


def maps_of(mesh, **options):
    targets = np.arange(0, mesh.num_vertices, 7)
    return local_log_maps(HalfedgeSurface.from_mesh(mesh), OPTIONS.radius_on(mesh), targets=targets, **options)


@pytest.mark.parametrize("build", [plate, knob])
def test_work_is_bounded_by_default(build):
    mesh = build()
    bound = OPTIONS.max_neighbors_on(mesh)
    assert bound == 256
    maps = maps_of(mesh, max_neighbors=bound, max_windows=WINDOWS)
    assert np.diff(maps.indptr).max() == bound


@pytest.mark.parametrize("build", [plate, knob])
def test_the_whole_search_needs_more(build):
    """The control."""
    with pytest.raises(MeshError, match=f"more than {WINDOWS} windows"):
        maps_of(build(), max_windows=WINDOWS)


def test_a_shorter_search_finds_the_nearest_neighbours():
    mesh = knob(50)
    surface, some = HalfedgeSurface.from_mesh(mesh), np.arange(0, mesh.num_vertices, 80)
    radius = OPTIONS.radius_on(mesh)
    short = local_log_maps(surface, radius, targets=some, max_neighbors=256)
    whole = local_log_maps(surface, radius, targets=some).nearest(256, surface.mark)
    for one, other in zip(*(np.split(maps.distance, maps.indptr[1:-1]) for maps in (short, whole)), strict=True):
        np.testing.assert_allclose(np.sort(one), np.sort(other), rtol=1e-9)


def test_edges_stay_reciprocal_and_independent_of_the_numbering(caplog):
    mesh = plate(400)
    with caplog.at_level(logging.INFO, logger="gaugenet"):
        graph = mesh.gauge_graph(SO2(), mean_neighbors=16, dtype=torch.float64)
    assert "keep only their 256 nearest neighbours" in caplog.text
    size = mesh.num_vertices
    q, p = graph.edge_index
    both = torch.isin(q * size + p, p * size + q)
    assert mismatch(graph.edge_subgraph(both)) < 1e-6
    other, to = renumbered(mesh, 0)
    moved = other.gauge_graph(SO2(), mean_neighbors=16, dtype=torch.float64)
    q, p = torch.from_numpy(to)[graph.edge_index]
    expected = (p * size + q).sort().values
    torch.testing.assert_close((moved.edge_index[1] * size + moved.edge_index[0]).sort().values, expected)


def test_a_large_number_keeps_all():
    mesh = plate(300)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=16, max_neighbors=10**9)
    assert int(torch.bincount(graph.edge_index[1]).max()) > 256


def test_levels_are_bounded_and_cover_every_point():
    graph = hierarchy(knob(30), SO2(), levels=3, mean_neighbors=16)
    for level in (1, 2):
        coarse = graph.level(level)
        assert int(torch.bincount(coarse.edge_index[1]).max()) <= 256
        fine = graph[f"l{level}_unpool_index"][1]
        assert len(fine.unique()) == graph.level_size(level - 1)
