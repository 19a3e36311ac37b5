"""Curved space-times by their metric: de Sitter's hyperboloid is the closed form."""

import pytest
import torch

from gaugenet.geometry import GStructure, ManifoldError, Minkowski, from_metric
from gaugenet.groups import O2, SO2, Cyclic, PseudoOrthogonal, Trivial

ETA = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))


def de_sitter():
    """ds^2 = cosh(t)^2 dx^2 - dt^2, in coordinates (t, x): one positive square, one negative."""

    def g(p):
        return torch.diag(torch.stack([-torch.ones_like(p[0]), torch.cosh(p[0]) ** 2]))

    return from_metric(g, dim=2)


def on_the_hyperboloid(p):
    """(sinh t, cosh t cos x, cosh t sin x) in R^3, where -X0^2 + X1^2 + X2^2 = 1."""
    t, x = p.unbind(-1)
    return torch.stack([t.sinh(), t.cosh() * x.cos(), t.cosh() * x.sin()], -1)


def points(count: int = 60):
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5


def test_de_sitter_has_a_graph_with_boosts_as_transporters():
    p = points()
    graph = de_sitter().gauge_graph(p, structure=GStructure(PseudoOrthogonal(1, 1)), radius=0.35, dtype=torch.float64)
    assert graph.edge_index.shape[1] > 3 * len(p)
    g = graph.transporter
    assert (g.mT @ ETA @ g - ETA).abs().max() < 1e-9
    assert (g - torch.eye(2, dtype=g.dtype)).abs().max() > 1e-3  # curved: coefficients do change


def test_squares_of_log_maps_are_those_of_the_hyperboloid():
    """<X, Y> = cos(s) for s^2 > 0 and cosh(|s|) for s^2 < 0: independent of any frame."""
    p = points()
    graph = de_sitter().gauge_graph(p, PseudoOrthogonal(1, 1), radius=0.35, dtype=torch.float64)
    q, at = graph.edge_index
    square = (graph.log_map[:, None] @ ETA @ graph.log_map[..., None])[:, 0, 0]
    x, y = on_the_hyperboloid(p[at]), on_the_hyperboloid(p[q])
    product = (x * y).sum(-1) - 2 * x[:, 0] * y[:, 0]
    root = square.abs().sqrt()
    expected = torch.where(square > 0, root.cos(), root.cosh())
    assert (square < -1e-3).any()
    assert (square > 1e-3).any()
    torch.testing.assert_close(product, expected, rtol=0, atol=1e-8)
    assert (product - (1 - graph.log_map.square().sum(-1) / 2)).abs().max() > 1e-2  # the control: a positive metric


def test_a_metric_that_changes_its_signature_is_refused():
    metric = from_metric(lambda p: torch.diag(torch.stack([torch.ones_like(p[0]), -p[0]])), dim=2)
    with pytest.raises(ManifoldError, match=r"0 negative squares .* one signature"):
        metric.gauge_graph(points(), PseudoOrthogonal(1, 1), radius=0.2)


@pytest.mark.parametrize("group", [SO2(), O2(), Cyclic(4)], ids=lambda group: group.name)
def test_rotations_are_not_a_structure_of_a_space_time(group):
    """They mix time and space: their frames are not orthonormal, even where transporters are the identity."""
    for space in (Minkowski(2), from_metric(lambda p: ETA, dim=2)):
        with pytest.raises(ManifoldError, match=r"preserves the metric .*PseudoOrthogonal\(1, 1\)"):
            space.gauge_graph(points(), group, radius=0.35)


@pytest.mark.parametrize("group", [PseudoOrthogonal(1, 1), Trivial(2), Cyclic(2)], ids=lambda group: group.name)
def test_groups_that_preserve_the_metric_are_structures_of_a_space_time(group):
    assert Minkowski(2).gauge_graph(points(), group, radius=0.35).structure == group.name
