"""GridUpsample commutes with the rotations and mirrors of the pixels, for every size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups import SO3, Dihedral, FieldType, Reflection
from gaugenet.nn import GridPool, GridUpsample, to_torch
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GROUP = Dihedral(4)
FIELDS = FieldType(GROUP, "1x0 + 2x1 + 1xregular")


def features(*shape, field_type=FIELDS):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, field_type.size, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("options", [{}, {"align_corners": True}, {"boundary": "periodic"}], ids=str)
@pytest.mark.parametrize(("coarse", "fine"), [(4, 8), (5, 9), (5, 10), (4, 11), (3, 3)])
def test_it_commutes_with_the_symmetries_of_the_pixels(coarse, fine, options):
    if "boundary" in options and fine % coarse:
        pytest.skip("ratios of periodic boxes are whole")
    layer, act = GridUpsample(FIELDS, size=fine, **options), FieldAction(FIELDS)
    x = features(coarse, coarse)
    for g in GROUP.elements():
        assert relative(layer(act(g, x)), act(g, layer(x))) < EXACT
    single = x.float()
    assert relative(layer(act(g.float(), single)), act(g.float(), layer(single))) < 1e-6
    if fine > coarse:
        index = (torch.arange(fine) * coarse) // fine  # control: the pixel to the left, as "nearest" takes it
        nearest = lambda x: F.pad(x[..., index, :][..., :-1], (1, 0))  # noqa: E731
        assert relative(nearest(act(GROUP.elements()[1], x)), act(GROUP.elements()[1], nearest(x))) > 0.1


def test_it_is_the_interpolation_of_torch_and_linear_fields_stay_linear():
    x = features(5, 4)
    layer = GridUpsample(FIELDS, scale=(2, 3))
    expected = F.interpolate(x, (10, 12), mode="bilinear", align_corners=False)
    assert relative(layer(x), expected) < EXACT
    assert relative(to_torch(layer, x)(x), expected) < EXACT
    ramp = torch.arange(5.0, dtype=torch.float64).view(1, 1, 5, 1).expand(1, FIELDS.size, 5, 5)
    fine = GridUpsample(FIELDS, size=9, align_corners=True)(ramp)
    assert relative(fine[0, 0, :, 0], torch.arange(9.0, dtype=torch.float64) / 2) < EXACT


def test_periodic_boxes_shift():
    x, layer = features(4, 6), GridUpsample(FIELDS, scale=3, boundary="periodic")
    assert relative(layer(x.roll((1, 2), (2, 3))), layer(x).roll((3, 6), (2, 3))) < EXACT
    plain = GridUpsample(FIELDS, scale=3)
    assert relative(plain(x.roll(1, 2)), plain(x).roll(3, 2)) > 1e-2  # control


def test_it_is_the_way_back_from_pooling():
    """To the size that was there; smooth fields come back nearly."""
    pool, up = GridPool(FIELDS).double(), GridUpsample(FIELDS)
    for shape in ((32, 33), (31, 40)):
        waves = torch.linspace(0, 3, shape[0]).sin()[:, None] + torch.linspace(0, 2, shape[1]).cos()
        x = waves.double().expand(1, FIELDS.size, *shape)
        assert relative(up(pool(x), shape), x) < 0.05
        assert up(pool(x), shape).shape == x.shape


@pytest.mark.parametrize(("group", "shape"), [(Reflection(1), (5,)), (SO3(), (3, 4, 5))], ids=str)
def test_lines_and_volumes(group, shape):
    fields = FieldType(group, "2x0 + 1xstandard")
    x = features(*shape, field_type=fields)
    y = GridUpsample(fields, scale=2)(x)
    assert y.shape[2:] == tuple(2 * n for n in shape)
    assert relative(GridUpsample(fields, scale=2)(x.flip(2)), y.flip(2)) < EXACT


def test_gradcheck():
    layer, x = GridUpsample(FieldType(GROUP, "1x1"), size=(4, 5)), features(2, 3, field_type=FieldType(GROUP, "1x1"))
    assert torch.autograd.gradcheck(layer, x.requires_grad_())


@pytest.mark.parametrize(
    ("options", "shape", "size", "message"),
    [
        ({"size": 4, "scale": 2}, (3, 3), None, "got both"),
        ({}, (3, 3), None, "Expected a `size` in the call"),
        ({"size": 2}, (3, 3), None, "at least .3, 3., the size of `x`"),
        ({"size": 7, "boundary": "periodic"}, (3, 3), None, "whole ratios"),
        ({"boundary": "periodic", "align_corners": True}, (3, 3), 6, "no corners"),
        ({"scale": 0}, (3, 3), None, "`scale`"),
        ({"scale": 2, "boundary": "mirror"}, (3, 3), None, "`boundary`"),
        ({"scale": 2}, (3,), None, "2 spatial dimensions"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(options, shape, size, message):
    with pytest.raises(ValueError, match=message):
        GridUpsample(FIELDS, **options)(features(*shape), None if size is None else (size, size))
