"""GridPool: constants stay, shifts and rotates commute, for even and odd sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry.grids.stencil import mirror
from gaugenet.groups import O2, SO2, SO3, Cyclic, Dihedral, FieldType
from gaugenet.nn import GridPool, grid_pooling, to_torch
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
QUARTER = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def fields(field_type: FieldType, *shape: int) -> torch.Tensor:
    return torch.randn(2, field_type.size, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kind", ["mean", "max"])
@pytest.mark.parametrize("boundary", ["zeros", "periodic"])
@pytest.mark.parametrize(("shape", "stride"), [((8, 9), 2), ((7, 10), 2), ((9, 11), 3), ((10, 8), 3), ((6, 6), 1)])
@pytest.mark.parametrize(("group", "spec"), [(Cyclic(4), "1xregular + 1x1"), (Dihedral(4), "1x0 + 1x1 + 1x2")], ids=str)
def test_rotations_and_flips_are_exact(group, spec, shape, stride, boundary, kind):
    field_type = FieldType(group, spec)
    pool = GridPool(field_type, stride, kind=kind, boundary=boundary, dtype=torch.float64)
    x = fields(field_type, *shape)
    y = pool(x)
    assert y.shape[2:] == tuple(-(-n // stride) for n in shape)
    rotated = pool(field_type.transform(QUARTER, torch.rot90(x, 1, (-2, -1))))
    assert relative(rotated, field_type.transform(QUARTER, torch.rot90(y, 1, (-2, -1)))) < EXACT
    assert relative(rotated, field_type.transform(QUARTER, torch.rot90(y, -1, (-2, -1)))) > 0.1 or shape[0] != shape[1]
    if not group.orientation_preserving:
        s = mirror(0, 2)
        flipped = pool(field_type.transform(s, x.flip(2)))
        assert relative(flipped, field_type.transform(s, y.flip(2))) < EXACT


def test_control_plain_pooling_of_odd_sizes_breaks_rotations():
    x = fields(FieldType(Cyclic(4), "1x0"), 9, 9)
    plain = [F.avg_pool2d(torch.rot90(x, k, (-2, -1)), 2) for k in (0, 1)]
    assert relative(plain[1], torch.rot90(plain[0], 1, (-2, -1))) > 0.1


def test_the_maximum_turns_as_a_vector_field():
    """The greatest vector of a window rotates with the frames, by any angle; channel by channel it would not."""
    field_type = FieldType(SO2(), "2x0 + 3x1")
    pool = GridPool(field_type, kind="max", dtype=torch.float64)
    x = fields(field_type, 8, 8)
    g = SO2().random_element(generator=torch.Generator().manual_seed(1))
    assert relative(pool(field_type.transform(g, x)), field_type.transform(g, pool(x))) < EXACT
    channelwise = [pool.blur(F.max_pool2d(y, 3, 1, 1)) for y in (x, field_type.transform(g, x))]
    assert relative(channelwise[1], field_type.transform(g, channelwise[0])) > 0.1


@pytest.mark.parametrize("shape", [(8, 9), (7, 7)])
def test_constants_stay(shape):
    field_type = FieldType(O2(), "1x0 + 1x1")
    x = fields(field_type, 1, 1).expand(-1, -1, *shape)
    for kind in ("mean", "max"):
        pool = GridPool(field_type, kind=kind, dtype=torch.float64)
        assert relative(pool(x), x[..., : -(-shape[0] // 2), : -(-shape[1] // 2)]) < EXACT


def test_a_shift_by_one_pixel_moves_the_result_little():
    """Waves of pixels: plain strided maxima change altogether, the blurred ones by a few per cent."""
    pool = GridPool(FieldType(Cyclic(4), "1x0"), boundary="periodic", dtype=torch.float64)
    row = torch.arange(32, dtype=torch.float64)
    x = torch.cos(torch.pi * row).view(1, 1, 32, 1).expand(1, 1, 32, 32)
    assert pool(x).abs().max() < 0.05
    assert x[..., ::2, ::2].abs().max() == 1


def test_volumes_lines_precisions_and_copies():
    field_type = FieldType(SO3(), "1x0 + 1x1")
    x = fields(field_type, 5, 6, 4)
    pool = GridPool(field_type, (1, 2, 2), kind="max", dtype=torch.float64)
    assert pool(x).shape == (2, 4, 5, 3, 2)
    single = GridPool(field_type, (1, 2, 2), kind="max")
    assert relative(single(x.float()).double(), pool(x)) < TOL[torch.float32]
    assert relative(single.double()(x), pool(x)) < EXACT
    assert not pool.state_dict()


@pytest.mark.parametrize("boundary", ["zeros", "periodic"])
@pytest.mark.parametrize("shape", [(8, 9), (7, 14)])
def test_matrices_and_convolutions_are_one_blur(shape, boundary, monkeypatch):
    """Small arrays take a matrix for each axis, in either memory format; large ones a convolution of each channel."""
    pool = GridPool(FieldType(Cyclic(4), "3x0"), boundary=boundary, dtype=torch.float64)
    x = fields(pool.in_type, *shape)
    last = pool(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert relative(last, pool(x)) < EXACT
    monkeypatch.setattr(grid_pooling, "MATRIX_PIXELS", 0)
    assert relative(last, pool(x)) < EXACT
    assert relative(last, GridPool(pool.in_type, sigma=0.5, boundary=boundary, dtype=torch.float64)(x)) > 1e-3


def test_a_window_may_reach_around_a_torus_more_than_once():
    """Four pixels and a Gaussian over ten: the same as on the torus unrolled."""
    pool = GridPool(FieldType(Cyclic(4), "2x0"), 2, sigma=3.0, boundary="periodic", dtype=torch.float64)
    for length in (8, 80):
        x = fields(pool.in_type, 4, length)
        expected = pool(x.repeat(1, 1, 20, 1))[:, :, :2]
        assert relative(pool(x), expected) < EXACT
    with pytest.raises(ValueError, match="more than once"):
        to_torch(pool, x)
    assert relative(pool(x[..., :1].expand_as(x)), x[..., :1].expand_as(x)[..., :2, :40]) > 0.1  # control


def test_gradcheck():
    field_type = FieldType(SO2(), "1x0 + 1x1")
    x = fields(field_type, 4, 5).requires_grad_()
    for kind in ("mean", "max"):
        assert torch.autograd.gradcheck(GridPool(field_type, kind=kind, dtype=torch.float64), x, fast_mode=True)


def test_wrong_arguments():
    field_type = FieldType(SO2(), "1x0")
    for message, options in (
        ("`kind`", {"kind": "median"}),
        ("`sigma`", {"sigma": 0.0}),
        ("`stride`", {"stride": 0}),
        ("`boundary`", {"boundary": "circular"}),
    ):
        with pytest.raises(ValueError, match=message):
            GridPool(field_type, **options)
    with pytest.raises(ValueError, match="2 spatial dimensions"):
        GridPool(field_type)(torch.randn(1, 1, 8))
