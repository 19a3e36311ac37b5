"""Baselines that give any plain network a symmetry without steerable kernels: average, augment, canonicalize.

Each takes the actions of the group on the inputs of the network and on its output, see
`gaugenet.geometry.FieldAction`. By default the input is one image or volume of scalars and the output is invariant.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.grids.action import Action, FibreAction, FieldAction
from gaugenet.groups import StructureGroup
from gaugenet.models.canonicalizer import Canonicalizer


class _Wrapped(nn.Module):
    """A network with an action of a group on its inputs and one on its output."""

    def __init__(
        self, module: nn.Module, group: StructureGroup, *, inputs: Sequence[Action] | None, output: Action | None
    ) -> None:
        super().__init__()
        self.module = module
        self.group = group
        self.inputs: tuple[Action, ...] = tuple(inputs) if inputs is not None else (FieldAction(),)
        self.output: Action = output if output is not None else FibreAction()

    def _moved(self, g: Tensor, x: Sequence[Tensor]) -> list[Tensor]:
        if len(x) != len(self.inputs):
            raise ValueError(f"Expected {len(self.inputs)} inputs, one for each action in `inputs`, got {len(x)}.")
        return [act(g, one) for act, one in zip(self.inputs, x)]

    def _seen_from(self, g: Float[Tensor, "*batch d d"], x: Sequence[Tensor]) -> Tensor:
        """Return g . module(g^-1 . x); `g` orthogonal."""
        return self.output(g, self.module(*self._moved(g.mT, x)))

    def extra_repr(self) -> str:
        return f"group={self.group}, inputs={self.inputs}, output={self.output}"


class GroupAveraged(_Wrapped):
    r"""The average over a group, x -> 1/|G| sum_g g . module(g^-1 . x): the projection to an equivariant network.

    Shapes:
        x: the inputs of `module` -> the output of `module`.

    Equivariance: exact for a finite group whose actions are exact (features, positions, rotations of a grid by 90
    degrees), up to interpolation for other angles on grids. An infinite group is averaged over `samples` Haar-random
    elements, drawn in each call: equivariant in the mean, with an error proportional to 1 / sqrt(samples).

    The cost is |G| (or `samples`) times the cost of the network.

    Args:
        module: any network.
        group: symmetry to average over, a subgroup of O(d).
        inputs: one action for each input of `module`; default: one `FieldAction()`, scalars on a grid.
        output: action on the output of `module`; default: invariant.
        samples: number of elements that are drawn from an infinite group.

    Raises:
        ValueError: If the group is infinite without `samples`, or finite with `samples`; in `forward`, if the number
            of inputs differs from the number of actions.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic
        >>> from gaugenet.models import GroupAveraged
        >>> plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 10))
        >>> network, x = GroupAveraged(plain, Cyclic(4)), torch.rand(2, 1, 9, 9)
        >>> torch.allclose(network(x.rot90(1, (2, 3))), network(x), atol=1e-5)
        True
    """

    def __init__(
        self,
        module: nn.Module,
        group: StructureGroup,
        *,
        inputs: Sequence[Action] | None = None,
        output: Action | None = None,
        samples: int | None = None,
    ) -> None:
        super().__init__(module, group, inputs=inputs, output=output)
        if (group.order is None) == (samples is None):
            hint = "is infinite: pass `samples`" if samples is None else "is finite: omit `samples`"
            raise ValueError(f"{group} {hint}, or average over another group.")
        self.samples = None if samples is None else positive("samples", samples)

    def forward(self, *x: Tensor) -> Tensor:
        elements = self.group.elements() if self.samples is None else self.group.random_element(self.samples)
        total = self._seen_from(elements[0], x)
        for g in elements[1:]:
            total = total + self._seen_from(g, x)
        return total / len(elements)


class Augmented(_Wrapped):
    r"""Data augmentation: x -> g . module(g^-1 . x) with a random g in training, module(x) in evaluation.

    The output is transformed back, so labels stay in the pose of the data. With an equivariant `module` nothing
    changes.

    Shapes:
        x: the inputs of `module` -> the output of `module`.

    Equivariance: not enforced. What the network learns of it holds for data like the training data.

    Args:
        module: any network.
        group: random elements are drawn from this group (Haar measure, PyTorch's default generator).
        inputs, output: see `GroupAveraged`.
        per_sample: draw one element for each entry of the first input's first axis, instead of one for each call.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic
        >>> from gaugenet.models import Augmented
        >>> plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 10))
        >>> Augmented(plain, Cyclic(4))(torch.rand(2, 1, 9, 9)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        module: nn.Module,
        group: StructureGroup,
        *,
        inputs: Sequence[Action] | None = None,
        output: Action | None = None,
        per_sample: bool = True,
    ) -> None:
        super().__init__(module, group, inputs=inputs, output=output)
        self.per_sample = per_sample

    def forward(self, *x: Tensor) -> Tensor:
        if not self.training:
            return typed_tensor(self.module(*x))
        size = (len(x[0]),) if self.per_sample else ()
        return self._seen_from(self.group.random_element(size).to(x[0].device), x)


class Canonicalized(_Wrapped):
    r"""Canonicalization: x -> h(x) . module(h(x)^-1 . x), where the pose h(x) is computed from the input.

    Shapes:
        x: the inputs of `module` -> the output of `module`.

    Equivariance: as good as the equivariance of the pose, h(g . x) = g h(x), and of the actions. The network is not
    continuous where the pose is not, and symmetric inputs have no pose (:cite:`kaba2023canonicalization`).

    Args:
        module: any network.
        pose: maps the inputs to elements `(B, d, d)` of its `group`, or `(d, d)` for one cloud of points; see
            `PrincipalAxes` and `ScoreCanonicalizer`.
        inputs, output: see `GroupAveraged`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic
        >>> from gaugenet.models import Canonicalized, PrincipalAxes
        >>> plain = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 10))
        >>> network, x = Canonicalized(plain, PrincipalAxes(Cyclic(4))), torch.rand(2, 1, 9, 9)
        >>> torch.allclose(network(x.rot90(1, (2, 3))), network(x), atol=1e-5)
        True
    """

    def __init__(
        self,
        module: nn.Module,
        pose: Canonicalizer,
        *,
        inputs: Sequence[Action] | None = None,
        output: Action | None = None,
    ) -> None:
        super().__init__(module, pose.group, inputs=inputs, output=output)
        self.pose = pose

    def forward(self, *x: Tensor) -> Tensor:
        return self._seen_from(self.pose(*x), x)
