"""The factorized form on grids gives the results of sampled kernels, and is chosen where it is faster."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry import Grid
from gaugenet.groups import O2, SO2, SO3, Cyclic, Dihedral, FieldType, PseudoOrthogonal, Trivial, multivector
from gaugenet.kernels import Clifford, Differential
from gaugenet.nn import GaugeConv, GridConv
from gaugenet.nn.engines import _fused, grid_factors
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
LAYERS = {
    "regular": lambda **o: GridConv(FieldType(Cyclic(8), "2xregular"), FieldType(Cyclic(8), "3xregular"), 5, **o),
    "irreps": lambda **o: GridConv(FieldType(SO2(), "2x0 + 3x1 + 1x2"), FieldType(SO2(), "2x2 + 1x0 + 2x1"), 5, **o),
    "mirrors": lambda **o: GridConv(FieldType(O2(), "2x0 + 1x0- + 2x1"), FieldType(O2(), "1x0- + 2x2"), 5, **o),
    "operators": lambda **o: GridConv(
        FieldType(SO2(), "2x0 + 1x1"), FieldType(SO2(), "1x0 + 2x1"), 5, kernel=Differential(max_order=2), **o
    ),
    "no group": lambda **o: GridConv(FieldType(Trivial(2), "2x0"), FieldType(Trivial(2), "3x0"), (3, 5), **o),
    "volume": lambda **o: GridConv(FieldType(SO3(), "2x0 + 1x1"), FieldType(SO3(), "1x1 + 1x2"), 3, **o),
}


def both_forms(monkeypatch, make):
    """Return the results with the factorized form and with the sampled kernel."""
    monkeypatch.setattr(grid_factors, "_MARGIN", 1e12)
    used = []
    slide = grid_factors.slide_factorized
    monkeypatch.setattr(grid_factors, "slide_factorized", lambda *args: used.append(1) or slide(*args))
    factorized = make()
    assert used
    monkeypatch.setattr(grid_factors, "pays", lambda *args: False)
    sampled = make()
    return list(zip(factorized, sampled, strict=True))


def field(layer: GaugeConv, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, layer.in_type.size, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"dilation": 2}, {"padding": 0}, {"boundary": "periodic"}], ids=str
)
@pytest.mark.parametrize("name", LAYERS)
def test_it_is_the_convolution_with_the_sampled_kernel(monkeypatch, name, options):
    """Values and gradients, first and second ones; the last pixels of a strided layer are averaged."""
    layer = with_random_weights(LAYERS[name](dtype=torch.float64, **options))
    x = field(layer, *((7, 6, 9) if name == "volume" else (10, 11)))

    def results():
        weights, inputs = list(layer.parameters()), x.clone().requires_grad_()
        out = layer(inputs)
        first = torch.autograd.grad(out.square().sum(), [inputs, *weights], create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), [inputs, *weights])
        return [out.detach(), *(g.detach() for g in first), *second]

    for ours, theirs in both_forms(monkeypatch, results):
        assert relative(ours, theirs) < 100 * EXACT


def test_kernels_in_the_frame_of_the_edge(monkeypatch):
    """Between irreps of SO(2) features are rotated into the frame of the edge; windows of the `Grid`, with mirrors."""
    for group, boundary in ((SO2(), "zeros"), (O2(), "reflect")):
        types = FieldType(group, "2x0 + 1x1 + 2x2"), FieldType(group, "1x0 + 2x1")
        layer = with_random_weights(GaugeConv(*types, rings=3, dtype=torch.float64))
        assert layer.kernels.aligned
        grid = Grid((6, 7), boundary=boundary, kernel_size=5, group=Dihedral(2) if boundary == "reflect" else None)
        for ours, theirs in both_forms(monkeypatch, lambda: [layer(field(layer, 6, 7), grid)]):  # noqa: B023
            assert relative(ours, theirs) < EXACT
        monkeypatch.undo()


def test_multivectors_of_space_time(monkeypatch):
    fields = multivector(PseudoOrthogonal(1, 1), multiplicity=2)
    layer = with_random_weights(GaugeConv(fields, fields, kernel=Clifford(rings=2), dtype=torch.float64))
    grid = Grid((7, 8), spacing=(0.5, 1.0), signature=(1, 1), radius=1.2)
    for ours, theirs in both_forms(monkeypatch, lambda: [layer(field(layer, 7, 8), grid)]):
        assert relative(ours, theirs) < EXACT


def test_changed_weights_are_noticed_in_evaluation_mode(monkeypatch):
    monkeypatch.setattr(grid_factors, "_MARGIN", 1e12)
    layer = LAYERS["regular"](dtype=torch.float64).eval()
    x = field(layer, 8, 8)
    with torch.no_grad():
        before = layer(x)
        assert torch.equal(layer(x), before)
        for p in layer.parameters():
            p.mul_(2)
        assert relative(layer(x), 2 * before) < EXACT


def test_it_is_chosen_where_it_is_faster():
    """By counting multiply-adds; measured on wide layers, where it takes half the time and less."""
    wide, narrow = (FieldType(Cyclic(8), f"{n}xregular") for n in (48, 2))
    x = torch.randn(4, wide.size, 14, 14)
    layer = GridConv(wide, wide, 5).eval()
    assert grid_factors.pays(layer, x, layer.sliding)
    assert not grid_factors.pays(GridConv(narrow, narrow, 5), x[:, : narrow.size], layer.sliding)
    small, wider = GridConv(wide, wide, 3), GridConv(wide * 2, wide * 2, 3)
    assert not grid_factors.pays(small, x, small.sliding)
    assert grid_factors.pays(wider, torch.cat([x, x], 1), wider.sliding)
    with torch.autocast("cpu", torch.bfloat16):
        assert not grid_factors.pays(layer, x, layer.sliding)


@pytest.mark.parametrize("name", ["regular", "irreps", "volume"])
def test_threads_give_the_same_gradients(monkeypatch, name):
    """Several blocks of pixels, each split over threads whose windows overlap."""
    monkeypatch.setattr(grid_factors, "_MARGIN", 1e12)
    monkeypatch.setattr(_fused, "BLOCK_BYTES", (1 << 14, 1 << 14))
    layer = with_random_weights(LAYERS[name](dtype=torch.float64))
    x = field(layer, *((9, 8, 7) if name == "volume" else (17, 15))).requires_grad_()
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(torch.autograd.grad(layer(x).pow(3).sum(), [x, *layer.parameters()]))
    finally:
        torch.set_num_threads(threads)
    for ours, theirs in zip(*found, strict=True):
        assert relative(ours, theirs) < 10 * EXACT
