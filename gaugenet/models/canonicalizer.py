"""The pose of an input: a group element h(x) with h(g . x) = g h(x), for `Canonicalized`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.grids.action import Action, FieldAction
from gaugenet.geometry.grids.stencil import centred_indices, frame_coordinates
from gaugenet.groups import StructureGroup


class Canonicalizer(nn.Module):
    """Contract: `pose(*inputs)` is an element of `group`, `(B, d, d)` or `(d, d)`, and moves as the inputs do."""

    group: StructureGroup

    @abstractmethod
    def forward(self, *x: Tensor) -> Float[Tensor, "*batch d d"]: ...


class PrincipalAxes(Canonicalizer):
    r"""The axes of the covariance, longest first, each pointing to the side of positive third moment.

    Of a group without reflections the last axis completes a right-handed frame. For a finite group the frame is
    replaced by the element nearest to it, a choice that moves along with the frame: h(g x) = g h(x) stays exact.

    Shapes:
        x: weights `(B, 1, *spatial)` on a grid (negative ones count as 0) -> `(B, d, d)`; or, if `points`,
        positions `(B, N, d)` or `(N, d)` -> `(B, d, d)` or `(d, d)`.

    Equivariance: exact up to rounding while the moments are; those of an image rotated by another angle than a multiple
    of 90 degrees change by the error of the interpolation. Undefined where two axes are equally long, or
    the third moment along an axis vanishes: there tiny changes change the pose.

    Args:
        group: the symmetry, O(d) or SO(d) or a finite subgroup.
        points: the input that gives the pose is a list of positions.
        index: which input gives the pose.
    """

    def __init__(self, group: StructureGroup, *, points: bool = False, index: int = 0) -> None:
        super().__init__()
        self.group, self.points, self.index = group, points, index

    def forward(self, *x: Tensor) -> Float[Tensor, "*batch d d"]:
        chosen = x[self.index].detach().double()
        if self.points:
            pos, weight = chosen, chosen.new_ones(chosen.shape[:-1])
        else:
            pos, weight = _pixels(chosen)
        frame = self._frame(pos, weight / weight.sum(-1, keepdim=True))
        if self.group.order is None:
            return frame
        return self.group.elements().to(frame)[self.group.element_index(frame)]

    def _frame(
        self, pos: Float[Tensor, "*batch points d"], weight: Float[Tensor, "*batch points"]
    ) -> Float[Tensor, "*batch d d"]:
        pos = pos - (weight[..., None] * pos).sum(-2, keepdim=True)
        covariance = (weight[..., None] * pos).mT @ pos
        axes = torch.linalg.eigh(covariance).eigenvectors.flip(-1)
        skewness = (weight[..., None] * (pos @ axes) ** 3).sum(-2)
        axes = axes * torch.where(skewness < 0, -1.0, 1.0)[..., None, :]
        if not self.group.orientation_preserving:
            return typed_tensor(axes)
        return torch.cat([axes[..., :-1], axes[..., -1:] * torch.linalg.det(axes)[..., None, None].sign()], -1)

    def extra_repr(self) -> str:
        return f"{self.group}" + (", points" if self.points else "")


class ScoreCanonicalizer(Canonicalizer):
    r"""The element g of a finite group for which score(g^-1 . x) is largest, for any network `score`.

    Shapes:
        x: the inputs of `score`, which returns `(B, 1)` or `(B,)` -> `(B, d, d)`.

    Equivariance: exact if the actions are, apart from ties. The choice passes no gradient: train `score` by a loss of
    its own, or leave it at random.

    Args:
        score: any network.
        group: finite.
        inputs: one action for each input, default one `FieldAction()`.
    """

    def __init__(self, score: nn.Module, group: StructureGroup, *, inputs: Sequence[Action] | None = None) -> None:
        super().__init__()
        self.score, self.group = score, group
        self.inputs: tuple[Action, ...] = tuple(inputs) if inputs is not None else (FieldAction(),)
        group.elements()  # raises unless finite

    def forward(self, *x: Tensor) -> Float[Tensor, "batch d d"]:
        elements = self.group.elements()
        scores = [
            self.score(*(act(g.mT, one) for act, one in zip(self.inputs, x))).reshape(len(x[0])) for g in elements
        ]
        return elements.to(x[0].device)[torch.stack(scores).argmax(0)]


def _pixels(x: Float[Tensor, "batch 1 *spatial"]) -> tuple[Float[Tensor, "pixels d"], Float[Tensor, "batch pixels"]]:
    """Positions relative to the middle, and weights."""
    if x.shape[1] != 1:
        raise ValueError(
            f"Expected one channel (B, 1, ...) to find the pose of, got shape {tuple(x.shape)}: choose another input "
            "with `index`, or another pose."
        )
    pos = frame_coordinates(centred_indices(x.shape[2:]), (1.0,) * (x.dim() - 2))
    return pos.to(x), x.flatten(2)[:, 0].clamp(min=0)


__all__ = ["Canonicalizer", "PrincipalAxes", "ScoreCanonicalizer"]
