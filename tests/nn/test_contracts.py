"""A new space and a new kind of kernels are one class each: no layer, engine or table knows them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from gaugenet.geometry import Domain, GraphDomain, Grid, Icosphere
from gaugenet.groups import SO2, Cyclic, FieldType
from gaugenet.kernels import Harmonic, HarmonicSpace, KernelFamily, RadialBasis
from gaugenet.nn import (
    FieldBatchNorm,
    FieldInstanceNorm,
    GaugeConv,
    GlobalPool,
    GridConv,
    Pool,
    prepare_graph,
    use_engine,
)
from tests.nn.graphs import features, synthetic_graph
from tests.tolerances import TOL, relative


class Wrapped(Domain):
    """A space that is nothing but its gauge graph."""

    def __init__(self, graph):
        self._graph = graph

    def gauge_graph(self):
        return self._graph


class Squared(RadialBasis):
    count = 1

    def __call__(self, r):
        return (r.square() * (1 - r).clamp(min=0))[..., None]

    def __repr__(self):
        return "Squared()"


@dataclass(frozen=True)
class Smooth(KernelFamily):
    def space(self, in_type, out_type):
        return HarmonicSpace(in_type, out_type, rings=Squared())


@pytest.fixture
def graph():
    return synthetic_graph(SO2(), 9, degree=4, levels=2, seed=3)


FIELDS = FieldType(SO2(), "2x0 + 2x1")
SCALARS = FieldType(SO2(), "3x0")


@pytest.mark.parametrize(
    "layer",
    [GaugeConv(FIELDS, FIELDS), FieldInstanceNorm(FIELDS), FieldBatchNorm(FIELDS), GlobalPool(SCALARS), Pool(FIELDS)],
)
def test_a_new_domain_needs_its_gauge_graph_and_nothing_else(layer, graph):
    layer = layer.double()
    x = features(layer.in_type.size, graph)
    assert torch.equal(layer(x, Wrapped(graph)), layer(x, graph))


def test_the_domains_of_the_library_satisfy_the_contract(graph):
    layer = GaugeConv(FIELDS, FIELDS).double().eval()
    prepared = prepare_graph(layer, features(FIELDS.size, graph), graph)
    for domain in (graph, prepared, Grid((5, 6)), Icosphere(1), Wrapped(graph)):
        assert isinstance(domain, Domain)
        batch, count = domain.membership()
        assert len(batch) == domain.num_nodes
        assert count == 1
        assert isinstance(domain.gauge_graph(), GraphDomain)
    assert not isinstance(torch.zeros(3), Domain)


@pytest.mark.parametrize("wrong", [None, 3, torch.zeros(4, 4), object()])
def test_what_is_not_a_domain_is_refused(wrong, graph):
    with pytest.raises(ValueError, match="Expected a domain to convolve on"):
        GaugeConv(FIELDS, FIELDS)(features(FIELDS.size, graph, dtype=torch.float32), wrong)


def test_a_new_kind_of_kernels_is_a_family(graph):
    layer = GaugeConv(FIELDS, FIELDS, kernel=Smooth()).double()
    x = features(FIELDS.size, graph)
    found = layer(x, graph)
    with use_engine("reference"):
        assert relative(found, layer(x, graph)) < TOL[torch.float64]
    grid = Grid((6, 7), kernel_size=5, group=Cyclic(1))
    image = torch.randn(2, FIELDS.size, 6, 7, dtype=torch.float64)
    on_pixels = layer(image, grid)
    with use_engine("reference"):
        assert relative(on_pixels, layer(image, grid)) < TOL[torch.float64]
    assert GridConv(FIELDS, FIELDS, 5, kernel=Smooth()).weight.shape == layer.weight.shape
    other = GaugeConv(FIELDS, FIELDS).double()  # control: not the default kernels
    assert relative(found, other(x, graph)) > 1e-2


def test_the_short_form_is_the_harmonic_family():
    assert (
        GaugeConv(FIELDS, FIELDS, rings=3).weight.shape
        == GaugeConv(FIELDS, FIELDS, kernel=Harmonic(rings=3)).weight.shape
    )
    assert repr(GaugeConv(FIELDS, FIELDS)) == repr(GaugeConv(FIELDS, FIELDS, kernel=Harmonic()))
    with pytest.raises(ValueError, match="short form of kernel=Harmonic"):
        GaugeConv(FIELDS, FIELDS, kernel=Harmonic(), rings=3)
    with pytest.raises(ValueError, match="Expected `kernel` to be a kernel family"):
        GaugeConv(FIELDS, FIELDS, kernel="Harmonic")
