"""One set of options makes the same graph as keywords, as a dataclass and from the description of a run."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
import torch

from gaugenet.geometry import NeighborhoodOptions, hierarchy
from gaugenet.geometry.mesh._hierarchy import mesh_hierarchy
from gaugenet.geometry.mesh.graph import mesh_gauge_graph
from gaugenet.geometry.mesh.options import MEAN_NEIGHBORS, NeighborhoodKeywords
from gaugenet.groups import SO2
from gaugenet.tasks.mesh.data_options import GeometryOptions
from tests.geometry.mesh.surfaces import sphere, torus

KEYWORDS = [
    {"radius": 0.4, "max_neighbors": 9},
    {"mean_neighbors": 8, "lengths": "local", "frames": "random", "seed": 3},
    {"neighborhood": "one_ring", "frames": "principal"},
]


def same(a, b) -> bool:
    return set(a.keys()) == set(b.keys()) and all(
        torch.equal(a[k], b[k]) if torch.is_tensor(a[k]) else a[k] == b[k]
        for k in a.keys()  # noqa: SIM118
    )


@pytest.mark.parametrize("keywords", KEYWORDS, ids=str)
def test_keywords_and_the_dataclass_make_the_same_graph(keywords):
    mesh, options = torus(24, 10, 0.3), NeighborhoodOptions(**keywords)
    assert same(mesh.gauge_graph(SO2(), **keywords), mesh_gauge_graph(mesh, SO2(), options))
    assert same(hierarchy(mesh, SO2(), levels=1, **keywords), mesh_hierarchy(mesh, SO2(), options))
    other = NeighborhoodOptions(mean_neighbors=7)
    assert not same(mesh.gauge_graph(SO2(), **keywords), mesh_gauge_graph(mesh, SO2(), other)), "control"


def test_the_keywords_of_functions_are_the_fields_of_the_dataclass():
    assert list(NeighborhoodKeywords.__annotations__) == [field.name for field in fields(NeighborhoodOptions)]


def test_a_radius_makes_the_levels_of_as_many_neighbours():
    """The coarser levels of the radius that holds 12 points are those of 12 points on average."""
    mesh = sphere(8)
    by_number = NeighborhoodOptions(mean_neighbors=12, levels=3)
    by_radius = NeighborhoodOptions(radius=by_number.radius_on(mesh), levels=3)
    assert by_radius.mean_neighbors_on(mesh) == pytest.approx(12, rel=1e-12)
    one, two = (mesh_hierarchy(mesh, SO2(), o, dtype=torch.float64) for o in (by_number, by_radius))
    wider = mesh_hierarchy(mesh, SO2(), NeighborhoodOptions(radius=0.6, levels=3), dtype=torch.float64)
    for key in ("edge_index", "l1_edge_index", "l2_edge_index", "l2_node_index"):
        assert torch.equal(one[key], two[key])
    assert one.l2_radius == pytest.approx(float(two.l2_radius), rel=1e-12)
    assert wider.l2_edge_index.shape[1] > two.l2_edge_index.shape[1], "control"


def test_a_hierarchy_without_a_size_has_16_neighbours():
    mesh = sphere(6)
    assert same(hierarchy(mesh, SO2()), hierarchy(mesh, SO2(), mean_neighbors=16))
    assert GeometryOptions().mean_neighbors == MEAN_NEIGHBORS
    assert GeometryOptions(radius=0.5).mean_neighbors is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 1.0, "mean_neighbors": 8.0}, "exactly one of `radius`"),
        ({"relative_radius": 0.1, "mean_neighbors": 8.0}, "exactly one of `radius`"),
        ({"relative_radius": -0.1}, "positive `relative_radius`"),
        ({"mean_neighbors": 8.0, "density": 8.0}, "`radius` or `relative_radius` with `density`"),
        ({"levels": 0}, "`levels` of at least 1"),
        ({"ratio": 1.0}, "`ratio` above 1"),
        ({"neighborhood": "two_ring"}, "`neighborhood` 'geodesic' or 'one_ring', got 'two_ring'"),
        ({"lengths": "feet"}, "`lengths` 'metric' or 'local', got 'feet'"),
        ({"max_neighbors": 0}, "positive `max_neighbors`, got 0"),
        ({"radius": -1.0}, "positive `radius`"),
    ],
)
@pytest.mark.parametrize("kind", [NeighborhoodOptions, GeometryOptions])
def test_bad_options_are_refused_when_they_are_written(kind, options, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(") if kind is NeighborhoodOptions else None):
        kind(**options)


def test_geometry_of_old_and_new_runs_loads():
    old = {
        "group": "SO(2)", "levels": 3, "ratio": 4.0, "mean_neighbors": 12.0, "max_neighbors": 64, "frames": "random",
    }  # fmt: skip
    loaded = GeometryOptions(**old)
    assert {name: getattr(loaded, name) for name in old} == old
    assert GeometryOptions(**asdict(loaded)) == loaded
    assert loaded != GeometryOptions(**{**old, "levels": 2}), "control"
