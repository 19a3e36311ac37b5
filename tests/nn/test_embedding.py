"""Harmonic embeddings of vectors: closed forms, equivariance, completeness."""

from __future__ import annotations

import pytest
import torch
from scipy.special import eval_legendre

from gaugenet.groups import O2, O3, SO2, SO3, Dihedral, FieldType, Reflection, Trivial
from gaugenet.kernels import Rings
from gaugenet.nn import HarmonicEmbedding
from tests.groups.cases import elements
from tests.tolerances import TOL, relative


def test_in_the_plane_it_is_radial_times_cosine_and_sine():
    layer = HarmonicEmbedding(SO2(), vectors=2, max_frequency=2, radial=3, radius=2.0)
    assert layer.out_type == FieldType(SO2(), "6x0 + 6x1 + 6x2")
    v = torch.randn(7, 2, 2, dtype=torch.float64)  # (points, components, vectors)
    y = layer(v.flatten(1))
    r, t = v.norm(dim=1) / 2, torch.atan2(v[:, 1], v[:, 0])
    phi = Rings(3)(r)
    for j, block in enumerate(layer.out_type.blocks):
        waves = [torch.cos(j * t), torch.sin(j * t)] if j else [torch.ones_like(t)]
        expected = torch.stack([(w[..., None] * phi).flatten(1) for w in waves], 1)
        assert relative(block.split(y), expected) < TOL[torch.float64]


def test_in_space_its_inner_products_are_legendre_polynomials():
    """The addition theorem, by scipy: an oracle that knows no basis."""
    layer = HarmonicEmbedding(SO3(), max_frequency=4, radial=Rings(1), radius=2.0).double()
    v = torch.nn.functional.normalize(torch.randn(30, 3, dtype=torch.float64))  # on the ring's peak
    for j, block in enumerate(layer.out_type.blocks):
        y = block.split(layer(v))[..., 0]
        expected = torch.from_numpy(eval_legendre(j, (v @ v.T).clamp(-1, 1).numpy()))
        assert (y @ y.T - expected).abs().max() < 1e-12


@pytest.mark.parametrize("group", [SO2(), O2(), Dihedral(3), Reflection(), Trivial(), SO3(), O3()], ids=str)
def test_equivariance(group):
    layer = HarmonicEmbedding(group, vectors=3, max_frequency=3, radius=2.0).double()
    x, g = torch.randn(40, 3 * group.d, 2, 2, dtype=torch.float64), elements(group, 40)
    got = layer(layer.in_type.transform(g, x))
    assert relative(got, layer.out_type.transform(g, layer(x))) < TOL[torch.float64]
    if group != Trivial():
        assert relative(got, layer(x)) > 0.1


def test_it_is_continuous_where_a_direction_does_not_exist():
    layer = HarmonicEmbedding(O3(), radius=1.0).double()
    x = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    assert (layer(x) == 0).all()
    assert layer(x + 1e-9).abs().max() < 1e-7
    layer(x).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_wrong_arguments(radius):
    with pytest.raises(ValueError, match="positive `radius`"):
        HarmonicEmbedding(SO2(), radius=radius)
