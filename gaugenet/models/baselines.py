"""Three ways to a symmetry without steerable kernels, around any plain network: average, augment, canonicalize.

Each takes the actions of the group on the inputs of the network and on its output (see
`gaugenet.geometry.FieldAction`); the default is one image or volume of scalars in, invariant numbers out.
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
    """A network between an action on its inputs and one on its output."""

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
    r"""x -> 1/|G| sum_g g . module(g^-1 . x): the projection of a network onto the equivariant ones.

    Shapes:
        x: what `module` takes -> what it returns.

    Equivariance: exact for a finite group whose actions are exact (features, positions, rotations of a grid by 90
    degrees); as good as the interpolation for other angles on grids. An infinite group is averaged over `samples` Haar
    elements drawn at each call: equivariant in the mean, with an error that falls as 1 / sqrt(samples).

    The cost is that of |G| (or `samples`) networks.

    Args:
        module: any network.
        group: symmetry to average over, a subgroup of O(d).
        inputs: one action for each input of `module`; default: one `FieldAction()`, scalars on a grid.
        output: action on what `module` returns; default: invariant.
        samples: elements drawn of an infinite group.

    Raises:
        ValueError: an infinite group without `samples`, or a finite one with.
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
            hint = "is infinite: pass `samples`" if samples is None else "is finite: leave `samples` out"
            raise ValueError(f"{group} {hint}, or average over another group.")
        self.samples = None if samples is None else positive("samples", samples)

    def forward(self, *x: Tensor) -> Tensor:
        elements = self.group.elements() if self.samples is None else self.group.random_element(self.samples)
        total = self._seen_from(elements[0], x)
        for g in elements[1:]:
            total = total + self._seen_from(g, x)
        return total / len(elements)


class Augmented(_Wrapped):
    r"""x -> g . module(g^-1 . x) with a random g in training, module(x) in evaluation: data augmentation.

    The output is rotated back, so that labels stay in the pose of the data; for an equivariant `module` nothing
    changes.

    Shapes:
        x: what `module` takes -> what it returns.

    Equivariance: none is enforced; what the network learns of it holds on data like those it was trained with.

    Args:
        module: any network.
        group: random elements are drawn of it (Haar measure, PyTorch's default generator).
        inputs, output: as for `GroupAveraged`.
        per_sample: draw one element for each entry of the first input's first axis; else one for the call.
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
    r"""x -> h(x) . module(h(x)^-1 . x): the input is brought into a pose of its own before the network sees it.

    Shapes:
        x: what `module` takes -> what it returns.

    Equivariance: as good as that of the pose, h(g . x) = g h(x), and of the actions. It is not continuous where the
    pose is not, and symmetric inputs have no pose (:cite:`kaba2023canonicalization`).

    Args:
        module: any network.
        pose: maps the inputs to elements `(B, d, d)`, or `(d, d)` for one cloud of points; see `PrincipalAxes` and
            `ScoreCanonicalizer`.
        group: the group that `pose` maps into; default `pose.group`.
        inputs, output: as for `GroupAveraged`.
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
