"""Every row of the taxonomy has the symmetry that it says, not another one; the page says what the entries say."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch

from gaugenet.nn import GaugeConv
from gaugenet.taxonomy import (
    MISSING,
    ROWS,
    TRANSPORTERS,
    ScalarNetwork,
    Transformation,
    gauge_error,
    page,
    row,
    symmetry_error,
    table,
)
from gaugenet.taxonomy.entry import images
from gaugenet.taxonomy.operators import operators_of, operators_text, with_operators

PAGE = Path(__file__).resolve().parents[1] / "docs" / "taxonomy.md"
EXACT = 1e-11
"""Above the table's 1e-12: logarithms of moved points are rounded, and the mesh tracer's are."""

BROKEN = 1e-3
"""Rounding is ten orders of magnitude below."""

every_row = pytest.mark.parametrize("entry", ROWS, ids=lambda r: r.name)


@every_row
def test_the_symmetry_holds_and_the_control_fails(entry):
    assert symmetry_error(entry, entry.example_symmetry) < EXACT
    assert symmetry_error(entry, entry.counterexample) > BROKEN


@every_row
def test_differential_operators_have_the_same_symmetry(entry):
    """Jets on the graphs, Gaussians on the pixels, in the place of the kernels."""
    row = with_operators(entry, max_order=1)
    assert symmetry_error(row, entry.example_symmetry) < EXACT
    assert symmetry_error(row, entry.counterexample) > BROKEN


def test_rows_say_which_operators_they_have():
    assert operators_of(row("sphere_zonal")) == (16, 0, 16)  # scalars: identity and Laplacian, 4 x 4 channels
    assert {entry.name for entry in ROWS if "pointwise maps" in operators_text(entry)} == {
        "line_scaling",
        "plane_scaling",
        "plane_similarities",
    }


@every_row
def test_configurations_are_short(entry):
    assert len(inspect.getsource(entry.configure).splitlines()) <= 15


def test_symmetries_move_something():
    """The identity would pass, so no row may have it; and no network may ignore its neighbours."""
    for entry in ROWS:
        points = entry.points()
        for move in (entry.example_symmetry, entry.counterexample):
            assert (move.map(points) - points).abs().max() > 0.1, (entry.name, move.text)


def test_networks_look_at_neighbours():
    entry = row("sphere_rotations")
    domain, layer = entry.configure(entry.points())
    network = ScalarNetwork(layer).double()
    x = torch.zeros(len(entry.points()), 2, dtype=torch.float64)
    x[3] = 1
    seen = (network(x, domain) - network(torch.zeros_like(x), domain)).abs().amax(1) > 1e-9
    neighbours = domain.edge_index[1][domain.edge_index[0] == 3]
    assert seen[neighbours].all()
    assert not seen.all()


def test_lattices_must_be_mapped_to_themselves():
    entry = row("pixels")
    with pytest.raises(ValueError, match="permutes the points"):
        symmetry_error(entry, Transformation("half a pixel", lambda p: p + 0.5))
    points = entry.points()
    assert torch.equal(images(points, points.flip(0)), torch.arange(len(points)).flip(0))


def test_names_are_unique_and_unknown_ones_are_told():
    assert len({entry.name for entry in ROWS}) == len(ROWS)
    with pytest.raises(ValueError, match="one of pixels, volume"):
        row("sausage")


def test_missing_rows_stand_in_the_table_with_their_reason():
    assert table().count("**missing**") == len(MISSING) > 0
    assert all(m.reason in table() for m in MISSING)


def test_the_page_and_the_entries_agree():
    """If not: `python -m gaugenet.taxonomy > docs/taxonomy.md`."""
    assert PAGE.read_text(encoding="utf-8") == page()


# --- geometric and dynamical transporters -----------------------------------------------------------------------------

every_kind = pytest.mark.parametrize("kind", TRANSPORTERS, ids=lambda k: k.name)


@every_kind
def test_one_layer_commutes_with_gauge_transformations_of_both_kinds_of_transporters(kind):
    space, layer, x = kind.configure()
    assert type(layer) is GaugeConv
    assert layer(x, space).shape == x.shape
    assert len(inspect.getsource(kind.configure).splitlines()) <= 10
    for seed in range(3):
        assert gauge_error(kind, seed=seed) < 1e-12
        assert gauge_error(kind, transform_space=False, seed=seed) > 0.1  # control: the old transporters


def test_only_dynamical_transporters_are_variables():
    """The output has a gradient with respect to links, and changes with them while features stay."""
    space, layer, x = TRANSPORTERS[1].configure()
    links = space.links.clone().requires_grad_()
    layer(x, space.with_links(links)).square().sum().backward()
    assert links.grad.abs().max() > 1e-3
    other = type(space).random(space.group, space.shape)
    assert (layer(x, other) - layer(x, space)).abs().max() > 0.1
    mesh, *_ = TRANSPORTERS[0].configure()
    again, *_ = TRANSPORTERS[0].configure()
    assert torch.equal(mesh.transporter, again.transporter)  # geometry leaves no choice


def test_the_page_shows_both_configurations_side_by_side():
    text = PAGE.read_text(encoding="utf-8")
    assert "| Geometric transporters | Dynamical transporters |" in text
    for kind in TRANSPORTERS:
        assert inspect.getsource(kind.configure) in text
        assert f"`{kind.name}`" in text
