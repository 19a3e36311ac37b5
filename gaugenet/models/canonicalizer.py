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
    """The contract of poses: `pose(*inputs)` is an element h of `group`, `(B, d, d)` or `(d, d)`; h(g x) = g h(x)."""

    group: StructureGroup

    @abstractmethod
    def forward(self, *x: Tensor) -> Float[Tensor, "*batch d d"]: ...


class PrincipalAxes(Canonicalizer):
    r"""The principal axes of the covariance, longest first, each with the sign of its third moment.

    For a group without reflections the last axis completes a right-handed frame. For a finite group the frame is
    replaced by the nearest element, so h(g x) = g h(x) stays exact. Compare :cite:`puny2022frame`, which averages over
    all signs of the axes.

    Shapes:
        x: weights `(B, 1, *spatial)` on a grid (negative ones count as 0) -> `(B, d, d)`; or, if `points`,
        positions `(B, N, d)` or `(N, d)` -> `(B, d, d)` or `(d, d)`.

    Equivariance: exact up to rounding if the moments are exact. The moments of an image that is rotated by other angles
    than multiples of 90 degrees change by the error of the interpolation. The pose is undefined if two axes are equally
    long or the third moment along an axis vanishes: near such inputs, small changes change the pose.

    Args:
        group: the symmetry, O(d) or SO(d) or a finite subgroup.
        points: whether the input that gives the pose is a list of positions.
        index: index of the input that gives the pose.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3
        >>> from gaugenet.models import PrincipalAxes
        >>> pose, x = PrincipalAxes(SO3(), points=True), torch.rand(20, 3, dtype=torch.float64)
        >>> g = SO3().random_element()
        >>> torch.allclose(pose(x @ g.T), g @ pose(x))
        True
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
    r"""The element g of a finite group with the largest score(g^-1 . x), for any network `score`.

    Optimization over a group is one of the canonicalizations of :cite:`kaba2023canonicalization`.

    Shapes:
        x: the inputs of `score`, which returns `(B, 1)` or `(B,)` -> `(B, d, d)`.

    Equivariance: exact if the actions are exact, except at ties. The choice has no gradient: train `score` by its own
    loss, or keep it random.

    Args:
        score: any network.
        group: finite.
        inputs: one action for each input; default: one `FieldAction()`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic
        >>> from gaugenet.models import ScoreCanonicalizer
        >>> score = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(81, 1))
        >>> pose, x = ScoreCanonicalizer(score, Cyclic(4)), torch.rand(2, 1, 9, 9)
        >>> pose(x).shape
        torch.Size([2, 2, 2])
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
    """Return the positions of the pixels relative to the centroid, and their weights."""
    if x.shape[1] != 1:
        raise ValueError(
            f"Expected an input of one channel, (B, 1, ...), for the pose, got shape {tuple(x.shape)}: choose another "
            "input by `index`, or another pose."
        )
    pos = frame_coordinates(centred_indices(x.shape[2:]), (1.0,) * (x.dim() - 2))
    return pos.to(x), x.flatten(2)[:, 0].clamp(min=0)


__all__ = ["Canonicalizer", "PrincipalAxes", "ScoreCanonicalizer"]
