"""Networks of all layers compile to one graph and can be exported, with links as an argument."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, DirectProduct, FieldType, Hypercubic
from gaugenet.kernels import Shifts
from gaugenet.nn import (
    GaugeConv,
    LatticeBlock,
    LatticePool,
    LatticeUnpool,
    LinkUpdate,
    LoopFeatures,
    TraceActivation,
    TraceNorm,
    TraceReadout,
)
from tests.compilers import cheap_first, newer_than_torch_2_6
from tests.geometry.lattice.cases import random_field
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


class Plain(nn.Module):
    """Loops, a block, an activation, a norm, new links, coarse and fine lattices, traces."""

    def __init__(self):
        super().__init__()
        self.loops = LoopFeatures(SU(2), 2, polyakov=True)
        hidden = FieldType(SU(2), "2xmatrix")
        self.block = LatticeBlock(self.loops.out_type, hidden, d=2)
        self.sites = nn.Sequential(TraceActivation(hidden), TraceNorm(hidden))
        self.update, self.pool, self.unpool = LinkUpdate(hidden, d=2), LatticePool(hidden), LatticeUnpool(hidden)
        self.coarse, self.readout = GaugeConv(hidden, hidden, kernel=Shifts(2)), TraceReadout(hidden)

    def forward(self, links):
        field = LatticeGaugeField(links, SU(2), check=False)
        x = self.sites(self.block(self.loops(field), field))
        field = self.update(x, field)
        y = self.coarse(self.pool(x, field), field.blocked())
        return self.readout(x + self.unpool(y, field)), field.links


class Directed(nn.Module):
    """The layers for fields with directions."""

    def __init__(self):
        super().__init__()
        group = DirectProduct(Hypercubic(2), SU(2))
        vectors = FieldType(group, "2xvector*matrix")
        self.loops = LoopFeatures(group, 2)
        self.block, self.norm = LatticeBlock(self.loops.out_type, vectors, d=2), TraceNorm(vectors)
        self.update, self.readout = LinkUpdate(vectors, d=2), TraceReadout(vectors)
        self.pool, self.unpool = LatticePool(vectors, symmetric=True), LatticeUnpool(vectors, symmetric=True)

    def forward(self, links):
        field = LatticeGaugeField(links, SU(2), check=False)
        x = self.norm(self.block(self.loops(field), field))
        x = x + self.unpool(self.pool(x, field), field)
        return self.readout(x), self.update(x, field).links


@newer_than_torch_2_6
@pytest.mark.parametrize("network", cheap_first([Plain, Directed], [Plain]))
@pytest.mark.parametrize("how", ["compiled", "exported"])
def test_networks_compile_and_export(network, how):
    """The network has not run before: all tables must be known when it is built."""
    torch.manual_seed(0)
    network = network().double().eval()
    links, other = random_field(SU(2), (6, 6)).links, random_field(SU(2), (6, 6), seed=7).links
    with torch.no_grad():
        if how == "compiled":
            torch._dynamo.reset()
            changed = torch.compile(network, fullgraph=True, backend="eager")
        else:
            changed = torch.export.export(network, (links,)).module()
        for u in (links, other):
            for a, b in zip(changed(u), network(u), strict=True):
                assert relative(a, b) < EXACT
        assert relative(changed(links)[0], changed(other)[0]) > 1e-3  # control: links are no constants


@newer_than_torch_2_6
def test_gradients_with_respect_to_links_compile():
    torch.manual_seed(0)
    network = Directed().double()
    links = random_field(SU(2), (4, 4)).links
    torch._dynamo.reset()
    found = []
    for f in (torch.compile(network, fullgraph=True, backend="eager"), network):
        u = links.clone().requires_grad_()
        found.append(torch.autograd.grad(f(u)[0].square().sum(), u)[0])
    assert relative(found[0], found[1]) < EXACT
