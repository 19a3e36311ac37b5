"""Invalid input of lattice layers: precisions, batches, extents, groups, domains and displacements."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import SO2, SU, FieldType
from gaugenet.kernels import Shifts
from gaugenet.nn import (
    GaugeConv,
    LatticeBilinear,
    LatticeBlock,
    LatticePool,
    LatticeUnpool,
    LinkUpdate,
    LoopFeatures,
    TraceActivation,
    TraceNorm,
    TraceReadout,
    blocked,
    matrix_type,
    use_engine,
)
from tests.geometry.lattice.cases import random_field

FIELD = random_field(SU(2), (4, 6))
FIELDS = matrix_type(SU(2), 2)
X = torch.randn(2, FIELDS.size, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LAYERS = {
    "conv": lambda: GaugeConv(FIELDS, FIELDS, kernel=Shifts(2)),
    "block": lambda: LatticeBlock(FIELDS, FIELDS, d=2),
    "pool": lambda: LatticePool(FIELDS),
    "symmetric pool": lambda: LatticePool(FIELDS, symmetric=True),
    "unpool": lambda: LatticeUnpool(FIELDS),
    "symmetric unpool": lambda: LatticeUnpool(FIELDS, symmetric=True),
    "update": lambda: LinkUpdate(FIELDS, d=2),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def features(name: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    x = X[:, :, :2, :3] if "unpool" in name else X
    return x.to(dtype)


def result(layer, x, field):
    y = layer(x, field)
    return y if isinstance(y, torch.Tensor) else y.links


@every_layer
def test_domains_and_shapes(name):
    layer, x = LAYERS[name]().double(), features(name)
    assert result(layer, x, FIELD).isfinite().all()
    for domain, given, message in [
        (FIELD, x[:1], "one configuration of links for each entry of the batch"),
        (FIELD, x[..., :2], "Expected `x` of shape"),
        (FIELD, torch.randn(2, 16, 4, 4, 4).double(), "Expected `x` of shape"),
        (FIELD, x[:, :5], "16 channels"),
        (random_field(SU(3), (4, 6)), x, r"SU\(3\)"),
        (random_field(SU(2), (4, 6, 4)), x, "2 dimensions|Expected `x` of shape"),
        (FIELD.links, x, "got Tensor|type Tensor"),
        (FIELD.gauge_graph(), x, "one row per point|type LatticeGraph"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer(given, domain)


@every_layer
def test_precisions(name):
    """Double features need double links. Single features on double links, and half precision, give single results."""
    double, single = LAYERS[name]().double(), LAYERS[name]().float()
    x = features(name)
    with pytest.raises(ValueError, match=r"links of dtype torch.complex128 for features of torch.float64, got .*64"):
        double(x, FIELD.to(torch.complex64))
    for dtype in (torch.complex128, torch.complex64):
        layer = double if dtype == torch.complex128 else single
        with pytest.raises(ValueError, match="real features"):
            layer(x.to(dtype), FIELD.to(dtype))
    with pytest.raises(ValueError, match="int64"):
        double(x.long(), FIELD)
    if list(double.parameters()):
        with pytest.raises(ValueError, match=r"torch\.float64 like the weights"):
            double(x.float(), FIELD)
        with pytest.raises(ValueError, match=r"torch\.float32 like the weights"):
            single(x, FIELD)
    torch.manual_seed(0)
    exact = result(single, x.float(), FIELD)
    assert exact.dtype in (torch.float32, torch.complex128)
    assert (result(single, x.float(), FIELD.to(torch.complex64)) - exact).abs().max() < 1e-5
    half = result(single, x.to(torch.bfloat16), FIELD)
    assert half.dtype == exact.dtype
    assert (half - exact).abs().max() < 0.1 * exact.abs().max()


def test_site_layers():
    bilinear = LatticeBilinear(FIELDS, FIELDS, FIELDS).double()
    for call, message in [
        (lambda: bilinear(X, X[:1]), "at the same sites"),
        (lambda: bilinear(X, X[..., :3]), "at the same sites"),
        (lambda: bilinear(X, X.float()), "torch.float64 like the weights"),
        (lambda: LatticeBilinear("2xmatrix", FIELDS, FIELDS), "`first_type` as a FieldType"),
        (lambda: TraceActivation(FIELDS)(X), "torch.float32 like the weights"),
        (lambda: TraceActivation(FIELDS, activation="step"), "Unknown activation 'step'"),
        (lambda: TraceNorm(FIELDS)(X.long()), "int64"),
        (lambda: TraceReadout(FIELDS)(X.to(torch.complex128)), "real features"),
        (lambda: LoopFeatures(SU(2), 5), "`d` as 2, 3 or 4"),
        (lambda: LoopFeatures(SU(2), 1), "`d` as 2, 3 or 4"),
        (lambda: LoopFeatures(SU(2), 2)(FIELD.links), "type Tensor"),
        (lambda: LinkUpdate(FIELDS, d=5), "`d` as 2, 3 or 4"),
        (lambda: LatticeBlock(FIELDS, FieldType(SU(3), "1xmatrix"), d=2), "one structure group"),
        (lambda: LatticeBlock(FIELDS, FIELDS, d=2, steps=0), "steps"),
        (lambda: LatticeBlock(FIELDS, FIELDS, d=2, hidden=0), "matrix fields"),
        (lambda: matrix_type(SU(2), -1), "non-negative"),
        (lambda: matrix_type(SO2(), 1), r"'matrix' of SO\(2\)"),
        (lambda: blocked(FIELD.links), "got an object of type Tensor"),
        (lambda: blocked(FIELD), "at least 6"),
        (lambda: LatticeUnpool(FIELDS)(X[:, :, :2, :3], random_field(SU(2), (5, 6))), "even extents"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("engine", [None, "graph", "reference"])
def test_kernels_need_paths_to_all_their_displacements(engine):
    """A weight without a path would have no effect: the domain must have the steps of the kernel."""
    far, near = (GaugeConv(FIELDS, FIELDS, kernel=Shifts(2, steps=k), dtype=torch.float64) for k in (2, 1))

    def run(layer, field):
        if engine is None:
            return layer(X, field)
        with use_engine(engine):
            return layer(X, field)

    with pytest.raises(ValueError, match=r"paths to the displacements \[\(2, 0\), .*with_paths\(steps"):
        run(far, FIELD)
    with pytest.raises(ValueError, match="displacements"):
        run(near, FIELD.with_paths(steps=2))
    assert run(far, FIELD.with_paths(steps=2)).shape == X.shape


@pytest.mark.parametrize("layer", [LatticePool, LatticeUnpool])
def test_pools_need_a_field_type(layer):
    with pytest.raises(TypeError, match="Expected `in_type` as a field type, got '2xmatrix'"):
        layer("2xmatrix")
