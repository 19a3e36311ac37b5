"""PeriodicCell: a cell of flat space, of any shape, that repeats along some of its axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_SMALLEST_VOLUME = 1e-9
"""Volume of a cell divided by the product of its edge lengths, below which it counts as flat."""


class PeriodicCell:
    """A parallelepiped in R^d, with any angles, that repeats along some of its axes.

    Args:
        vectors: `(d, d)`, one lattice vector per row, in the unit of the positions; differentiable.
        periodic: the vectors along which space repeats. The vectors of other axes do not matter.

    Raises:
        ValueError: If `vectors` is not a square matrix of finite numbers, or the periodic vectors span no volume.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PeriodicCell
        >>> cell = PeriodicCell(torch.diag(torch.tensor([2.0, 3.0])))
        >>> cell.volume
        tensor(6., dtype=torch.float64)
        >>> inside, steps = cell.wrap(torch.tensor([[2.5, -1.0]], dtype=torch.float64))
        >>> inside, steps
        (tensor([[0.5000, 2.0000]], dtype=torch.float64), tensor([[-1,  1]]))
    """

    def __init__(self, vectors: Float[Tensor, "d d"], *, periodic: bool | Sequence[bool] = True) -> None:
        vectors = torch.as_tensor(vectors).to("cpu", torch.float64)
        if vectors.dim() != 2 or vectors.shape[0] != vectors.shape[1]:
            raise ValueError(
                f"Expected `cell` of shape (d, d), one lattice vector per row, got {tuple(vectors.shape)}: for a box "
                "with right angles pass `torch.diag(lengths)`."
            )
        self.periodic = _axes(periodic, len(vectors))
        self.vectors = _with_volume(vectors, self.periodic)
        self.inverse = torch.linalg.inv(self.vectors)

    @property
    def d(self) -> int:
        return len(self.vectors)

    @property
    def volume(self) -> Float[Tensor, ""] | None:
        """Volume of the cell, `None` unless it repeats along all axes."""
        return torch.linalg.det(self.vectors).abs() if bool(self.periodic.all()) else None

    @property
    def heights(self) -> Float[Tensor, "d"]:
        """Distances between opposite faces; infinite along axes that do not repeat."""
        heights = 1 / torch.linalg.vector_norm(self.inverse.detach(), dim=0)
        return torch.where(self.periodic, heights, math.inf)

    def wrap(self, pos: Float[Tensor, "points d"]) -> tuple[Float[Tensor, "points d"], Int[Tensor, "points d"]]:
        """Return each point's image inside the cell, and the lattice steps from the point to that image."""
        steps = -(pos.detach() @ self.inverse.detach()).floor().long() * self.periodic
        return pos + self.offset(steps), steps

    def offset(self, steps: Int[Tensor, "*count d"]) -> Float[Tensor, "*count d"]:
        """Return the vectors of whole lattice steps."""
        return steps.to(self.vectors.dtype) @ self.vectors

    def minimum_image(self, vector: Float[Tensor, "edges d"]) -> Int[Tensor, "edges d"]:
        """Return the lattice steps that make each vector shortest.

        Rounding the coordinates in the cell is not enough if its angles differ much from right angles. The coordinates
        of the shortest image are at most its length divided by the heights of the cell. These candidates are compared.
        """
        vector = vector.detach()
        steps: Tensor = -(vector @ self.inverse.detach()).round().long() * self.periodic
        if not len(vector):
            return steps
        rounded = vector + self.offset(steps).detach()
        length = float(torch.linalg.vector_norm(rounded, dim=1).max())
        most = [int(length / h + 0.5 + 1e-9) if math.isfinite(h) else 0 for h in self.heights.tolist()]
        candidates = torch.tensor(list(itertools.product(*(range(-m, m + 1) for m in most))), dtype=torch.int64)
        candidates = candidates[candidates.abs().sum(1).argsort(stable=True)]  # fewest steps first, for equal images
        shortest = torch.full((len(vector),), math.inf, dtype=vector.dtype)
        best = torch.zeros_like(steps)
        for candidate in candidates:
            other = torch.linalg.vector_norm(rounded + self.offset(candidate).detach(), dim=1)
            closer = other < shortest - 1e-12 * length
            shortest = torch.where(closer, other, shortest)
            best[closer] = candidate
        return steps + best

    def images(self, pos: Float[Tensor, "points d"], distance: float) -> tuple[Int[Tensor, "n"], Int[Tensor, "n d"]]:
        """Return the indices and the lattice steps of all images of points within a distance of the cell.

        Args:
            pos: points inside the cell, see `wrap`.
            distance: a length in the unit of `pos`.
        """
        margin = (distance / self.heights).tolist()
        most = [math.floor(m) + 1 if p else 0 for m, p in zip(margin, self.periodic.tolist(), strict=True)]
        fraction = pos.detach() @ self.inverse.detach()
        point, steps = [], []
        for candidate in itertools.product(*(range(-m, m + 1) for m in most)):
            step = torch.tensor(candidate, dtype=torch.int64)
            moved = fraction + step
            slack = torch.tensor(margin, dtype=torch.float64) + 1e-9
            inside = ((moved >= -slack) & (moved <= 1 + slack)) | ~self.periodic
            found = inside.all(1).nonzero().flatten()
            point.append(found)
            steps.append(step.expand(len(found), -1))
        return torch.cat(point), torch.cat(steps)

    def __repr__(self) -> str:
        return f"PeriodicCell({self.vectors.tolist()}, periodic={self.periodic.tolist()})"


def _axes(periodic: bool | Sequence[bool], d: int) -> Bool[Tensor, "d"]:
    axes = torch.as_tensor(periodic, dtype=torch.bool)
    axes = axes.expand(d) if axes.dim() == 0 else axes
    if tuple(axes.shape) != (d,):
        raise ValueError(f"Expected `periodic` as one boolean or one for each of {d} axes, got {periodic}.")
    return axes


def _with_volume(vectors: Tensor, periodic: Tensor) -> Tensor:
    """Return the vectors, with unit vectors orthogonal to all others for axes that do not repeat."""
    if not bool(vectors.isfinite().all()):
        raise ValueError("Expected finite lattice vectors in `cell`, got NaN or infinity.")
    own = vectors[periodic]
    lengths = torch.linalg.vector_norm(own.detach(), dim=1)
    volume = torch.linalg.svdvals(own.detach()).prod() if len(own) else torch.ones(())
    if not bool(volume > _SMALLEST_VOLUME * lengths.prod()) or not bool((lengths > 0).all()):
        raise ValueError(
            f"Expected a `cell` with a volume, got linearly dependent lattice vectors {own.tolist()}: pass one vector "
            "per row, and `periodic=` if space does not repeat along all axes."
        )
    if bool(periodic.all()):
        return vectors
    orthogonal = torch.linalg.qr(own.detach().T, mode="complete").Q[:, len(own) :].T
    full = vectors.clone()
    full[~periodic] = orthogonal
    return full


__all__ = ["PeriodicCell"]
