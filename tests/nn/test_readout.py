"""Invariants: scalars, maxima over the group, norms; and their means over samples."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import O3, SO2, Dihedral, FieldType
from gaugenet.nn import GlobalPool, GroupPool, InvariantReadout, NormPool
from tests.groups.cases import elements


def test_readout_reads_scalars_norms_and_maxima():
    layer = InvariantReadout(FieldType(SO2(), "1x0 + 1x1"))
    assert torch.allclose(layer(torch.tensor([[-2.0, 3.0, 4.0]])), torch.tensor([[-2.0, 5.0]]))
    assert layer.out_type == FieldType(SO2(), "2x0")


def test_group_pool_is_the_maximum_or_the_mean_over_the_group():
    field_type = FieldType(Dihedral(4), "2xregular + 3xquotient(C_2) + 1x0")
    x = torch.randn(5, field_type.size, 3, 2, dtype=torch.float64)
    regular, quotient, scalar = (b.split(x) for b in field_type.blocks)
    assert torch.equal(GroupPool(field_type)(x), torch.cat([regular.amax(1), quotient.amax(1), scalar[:, 0]], 1))
    expected = torch.cat([regular.mean(1), quotient.mean(1), scalar[:, 0]], 1)
    assert torch.equal(GroupPool(field_type, reduce="mean")(x), expected)
    g = elements(Dihedral(4), 30).view(5, 3, 2, 2, 2)
    assert torch.equal(GroupPool(field_type)(field_type.transform(g, x)), GroupPool(field_type)(x))
    control = x.flip(1)  # no element of the group orders the channels like this
    assert not torch.allclose(GroupPool(field_type)(control), GroupPool(field_type)(x))


def test_norm_pool_is_the_norm_also_of_scalars():
    layer = NormPool(FieldType(O3(), "1x0o + 1x1o"))
    assert torch.allclose(layer(torch.tensor([[-3.0, 2.0, 3.0, 6.0]])), torch.tensor([[3.0, 7.0]]))
    assert layer.out_type == FieldType(O3(), "2x0")


def test_global_pool_of_images_and_spheres():
    scalars = FieldType(SO2(), "3x0")
    x = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    assert torch.allclose(GlobalPool(scalars)(x), x.mean((2, 3, 4)))
    sphere = Icosphere(1)
    heights = sphere.pos[:, 2].expand(2, 3, -1).square()
    mean = GlobalPool(scalars)(heights, sphere)
    assert torch.allclose(
        mean, (sphere.mass * sphere.pos[:, 2].square()).sum() / sphere.mass.sum() * torch.ones_like(mean)
    )
    assert torch.allclose(GlobalPool(scalars)(sphere.to_charts(heights), sphere), mean)
    assert torch.allclose(GlobalPool(scalars)(heights[0].T, sphere), mean[:1])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="not invariant under"):
        GroupPool(FieldType(SO2(), "1x1"))
    with pytest.raises(ValueError, match="`max` or `mean`"):
        GroupPool(FieldType(SO2(), "1x0"), reduce="min")
    with pytest.raises(ValueError, match="Expected a domain"):
        GlobalPool(FieldType(SO2(), "1x0"))(torch.zeros(3, 1))
