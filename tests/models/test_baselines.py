"""Plain networks made equivariant by averaging or by a canonical pose; augmentation leaves equivariant ones alone."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from gaugenet.geometry.grids.action import FibreAction, FieldAction, PositionAction, move_grid
from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType, StructureGroup, group_from_name
from gaugenet.models import Augmented, Canonicalized, GroupAveraged, PrincipalAxes, ScoreCanonicalizer
from tests.geometry.grids.test_action import blob
from tests.tolerances import STATISTICAL, TOL, relative

EXACT = TOL[torch.float64]


def image_net(out: int = 4, *, dim: int = 2, flat: bool = True) -> nn.Sequential:
    """A plain network without any symmetry: it multiplies by a mask that knows where is up."""
    torch.manual_seed(0)
    conv = nn.Conv2d if dim == 2 else nn.Conv3d
    layers: list[nn.Module] = [conv(1, 5, 3, padding=1), nn.Tanh(), Mask(), conv(5, out, 3, padding=1)]
    if flat:
        layers += [nn.Flatten(2), Mean()]
    return nn.Sequential(*layers).double()


class Mask(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.linspace(0, 1, x[0, 0].numel(), dtype=x.dtype).reshape(x.shape[2:])


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-1)


class PointNet(nn.Module):
    """Features and positions of one cloud to one vector and one scalar."""

    def __init__(self, d: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(2 * d + 1, 16), nn.Tanh(), nn.Linear(16, 1 + d)).double()

    def forward(self, x: Tensor, pos: Tensor) -> Tensor:
        return self.net(torch.cat([x, pos], 1)).mean(0, keepdim=True)


def images(count: int = 2, size: int = 8) -> Tensor:
    return torch.rand(count, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def worst(model: nn.Module, group: StructureGroup, x: list[Tensor], inputs, output, count: int = 6) -> float:
    """Largest relative error of model(g . x) = g . model(x) over random g."""
    errors = []
    for g in group.random_element((count,), generator=torch.Generator().manual_seed(5)):
        moved = [act(g, one) for act, one in zip(inputs, x)]
        errors.append(relative(model(*moved), output(g, model(*x))))
    return max(errors)


# --- averaging --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [Cyclic(2), Cyclic(4), Dihedral(1), Dihedral(4)], ids=str)
def test_average_over_right_angles_is_exact(group):
    inputs = [FieldAction()]
    for net, output in [
        (image_net(), FibreAction()),
        (image_net(flat=False), FieldAction()),
        (image_net(2, flat=False), FieldAction(FieldType(group, [("standard", 1)]))),
        (image_net(2 * group.order), FibreAction(FieldType(group, [("regular", 2)]))),
    ]:
        averaged = GroupAveraged(net, group, inputs=inputs, output=output)
        assert worst(averaged, group, [images()], inputs, output) < EXACT
        assert worst(net, group, [images()], inputs, output) > 1e-3, "control: the plain network"
    wrong = GroupAveraged(image_net(2, flat=False), group, inputs=inputs, output=FieldAction())
    vectors = FieldAction(FieldType(group, [("standard", 1)]))
    assert worst(wrong, group, [images()], inputs, vectors) > 1e-3, "control: averaged as another type"


def test_average_is_a_projection():
    once = GroupAveraged(image_net(), Dihedral(4))
    twice = GroupAveraged(once, Dihedral(4))
    assert relative(twice(images()), once(images())) < EXACT
    assert relative(once.module(images()), once(images())) > 1e-3


def test_average_over_other_angles_is_as_good_as_the_interpolation():
    class Weighted(nn.Module):
        """The integral of a fixed function without symmetry: what averaging over all angles would make radial."""

        def forward(self, x: Tensor) -> Tensor:
            axis = torch.linspace(-1, 1, x.shape[-1], dtype=x.dtype)
            return (x * (2 * axis - axis[:, None] ** 3 + axis * axis[:, None] + 1)).mean((2, 3))

    group = Cyclic(8)
    errors = [
        worst(GroupAveraged(Weighted(), group), group, [blob(n)], [FieldAction()], FibreAction()) for n in (9, 33)
    ]
    assert errors[1] < 3e-4
    assert errors[0] > 3 * errors[1], "finer grids interpolate better"
    assert worst(Weighted(), group, [blob(33)], [FieldAction()], FibreAction()) > 0.05, "control"


@pytest.mark.parametrize("name", ["O", "T_h"])
def test_average_over_volumes(name):
    group = group_from_name(name)
    x = torch.rand(1, 1, 4, 4, 4, dtype=torch.float64)
    net, vectors = image_net(3, dim=3, flat=False), FieldAction(FieldType(group, [("standard", 1)]))
    averaged = GroupAveraged(net, group, output=vectors)
    assert len(group.elements()) == 24
    assert worst(averaged, group, [x], [FieldAction()], vectors) < EXACT
    assert worst(net, group, [x], [FieldAction()], vectors) > 1e-3, "control: the plain network"
    larger = FieldAction(FieldType(O3(), [("standard", 1)]))
    assert move_grid(-torch.eye(3), x).equal(x.flip(2, 3, 4))
    inverted = relative(averaged(x.flip(2, 3, 4)), larger(-torch.eye(3), averaged(x)))
    assert (inverted < EXACT) == (name == "T_h"), "only the pyritohedral group holds the inversion"


def test_average_over_points_with_vectors_in_and_out():
    group = Dihedral(6)
    inputs = [FibreAction(FieldType(group, "1x0 + 1x1")), PositionAction()]
    output = FibreAction(FieldType(group, "1x0 + 1x1"))
    x = [torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)]
    net = PointNet(2)
    averaged = GroupAveraged(net, group, inputs=inputs, output=output)
    assert worst(averaged, group, x, inputs, output) < EXACT
    larger = FibreAction(FieldType(O2(), "1x0 + 1x1"))
    assert worst(averaged, O2(), x, [larger, PositionAction()], larger) > 1e-6, "control: only the group averaged over"
    assert worst(net, group, x, inputs, output) > 1e-3


def test_average_over_an_infinite_group_converges_in_the_mean():
    group = SO2()
    inputs = [FibreAction(FieldType(group, "1x0 + 1x1")), PositionAction()]
    output = FibreAction(FieldType(group, "1x0 + 1x1"))
    x = [torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)]
    torch.manual_seed(0)
    errors = {}
    for samples in (2, 400):
        averaged = GroupAveraged(PointNet(2), group, inputs=inputs, output=output, samples=samples)
        errors[samples] = worst(averaged, group, x, inputs, output, count=2)
    assert errors[400] < 3 / 400**0.5
    assert errors[2] > 3 / 400**0.5, "control: two samples"
    with pytest.raises(ValueError, match="infinite: pass `samples`"):
        GroupAveraged(PointNet(2), group)
    with pytest.raises(ValueError, match="finite: omit `samples`"):
        GroupAveraged(PointNet(2), Cyclic(4), samples=3)


# --- augmentation -----------------------------------------------------------------------------------------------


def test_augmentation_changes_nothing_for_an_equivariant_network():
    group = Cyclic(4)
    vectors = FieldAction(FieldType(group, "1x1"))
    plain = image_net(2, flat=False)
    equivariant = GroupAveraged(plain, group, output=vectors)
    x = images(6)
    torch.manual_seed(0)
    assert relative(Augmented(equivariant, group, output=vectors).train()(x), equivariant(x)) < EXACT
    assert relative(Augmented(plain, group, output=vectors).train()(x), plain(x)) > 1e-3, "control"
    assert torch.equal(Augmented(plain, group, output=vectors).eval()(x), plain(x)), "evaluation sees the data as is"


def test_augmentation_draws_an_element_for_each_sample():
    group = Cyclic(4)
    x = images(1).expand(64, -1, -1, -1)
    torch.manual_seed(0)
    outputs = Augmented(image_net(), group).train()(x)
    assert len({tuple(row) for row in outputs.round(decimals=9).tolist()}) == 4
    together = Augmented(image_net(), group, per_sample=False).train()(x)
    assert len({tuple(row) for row in together.round(decimals=9).tolist()}) == 1


def test_mean_of_the_augmented_is_the_average():
    group, x = Dihedral(4), images(1).expand(4000, -1, -1, -1)
    torch.manual_seed(0)
    mean = Augmented(image_net(), group).train()(x).mean(0)
    assert relative(mean, GroupAveraged(image_net(), group)(x[:1])[0]) < STATISTICAL


# --- canonical pose ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(4)], ids=str)
@pytest.mark.parametrize("kind", ["axes", "score"])
def test_canonical_images_are_exact_at_right_angles(group, kind):
    pose = PrincipalAxes(group) if kind == "axes" else ScoreCanonicalizer(image_net(1), group)
    vectors = FieldAction(FieldType(group, "1x1"))
    net = image_net(2, flat=False)
    assert worst(Canonicalized(net, pose, output=vectors), group, [images(4)], [FieldAction()], vectors) < EXACT
    assert worst(net, group, [images(4)], [FieldAction()], vectors) > 1e-3, "control"


def test_the_pose_of_an_image_turns_with_it():
    pose, x = PrincipalAxes(SO2()), blob(49)
    for g in SO2().random_element((5,), generator=torch.Generator().manual_seed(0)):
        assert (pose(FieldAction(mode="bicubic")(g, x))[0] - g @ pose(x)[0]).abs().max() < 5e-3
    assert (pose(x.flip(2))[0] - torch.diag(torch.tensor([-1.0, 1.0])).double() @ pose(x)[0]).abs().max() > 0.1


@pytest.mark.parametrize("group", [SO2(), O2(), Dihedral(5)], ids=str)
def test_canonical_points_are_exact_at_all_angles(group):
    inputs = [FibreAction(FieldType(group, "1x0 + 1x1")), PositionAction()]
    output = FibreAction(FieldType(group, "1x0 + 1x1"))
    x = [torch.randn(9, 3, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)]
    net = PointNet(2)
    canonical = Canonicalized(net, PrincipalAxes(group, points=True, index=1), inputs=inputs, output=output)
    assert worst(canonical, group, x, inputs, output) < 1e-10  # eigenvectors amplify rounding
    assert worst(net, group, x, inputs, output) > 1e-3, "control"


@pytest.mark.parametrize("group", [SO3(), O3()], ids=str)
def test_canonical_points_in_space(group):
    output = FibreAction(FieldType(group, "1x0 + 1xstandard"))
    inputs = [output, PositionAction()]
    x = [torch.randn(9, 4, dtype=torch.float64), torch.randn(9, 3, dtype=torch.float64)]
    net = PointNet(3)
    canonical = Canonicalized(net, PrincipalAxes(group, points=True, index=1), inputs=inputs, output=output)
    assert worst(canonical, group, x, inputs, output) < 1e-10  # eigenvectors amplify rounding
    assert worst(net, group, x, inputs, output) > 1e-3, "control"


# --- as modules -------------------------------------------------------------------------------------------------


def wrappers() -> list[nn.Module]:
    return [
        GroupAveraged(image_net(), Cyclic(4)),
        Augmented(image_net(), SO2()),
        Canonicalized(image_net(), PrincipalAxes(O2())),
        Canonicalized(image_net(), ScoreCanonicalizer(image_net(1), Cyclic(4))),
    ]


@pytest.mark.parametrize("model", wrappers(), ids=lambda m: type(m).__name__)
def test_wrappers_copy_pickle_and_train(model):
    x = images(3)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.manual_seed(1)
        first = model(x)
        torch.manual_seed(1)
        assert torch.equal(twin(x), first)
    first.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.module.parameters())
    assert {name.split(".")[0] for name in model.state_dict()} <= {"module", "pose"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="Expected 1 inputs"):
        GroupAveraged(image_net(), Cyclic(4))(images(), images())
    with pytest.raises(ValueError, match="one channel"):
        PrincipalAxes(SO2())(torch.randn(1, 2, 5, 5))
    with pytest.raises(ValueError, match="not finite"):
        ScoreCanonicalizer(image_net(1), SO2())
