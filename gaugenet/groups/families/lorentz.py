"""O(p, q), SO(p, q) and SO+(p, q): matrices that preserve an indefinite inner product, e.g. Lorentz transformations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.groups.families.tensor_group import TensorGroup
from gaugenet.groups.group import tolerance

_PARTS = ("O", "SO", "SO+")


class PseudoOrthogonal(TensorGroup):
    """Matrices g with g^T eta g = eta, where eta = diag(1, ..., 1, -1, ..., -1) with p ones and q minus ones.

    Irreps: `0`; `k` = 1, 2, ... (traceless symmetric tensors of rank k; `1` is the matrix itself); and signs that
    distinguish the components of the group. `time` is the sign of the determinant of the p x p block (for p = 1,
    whether time is reversed), `space` the sign for the q x q block, and `det` their product. SO(p, q) has only `time`,
    SO+(p, q) has none. Networks for the Lorentz group: :cite:`bogatskiy2020lorentz`.

    Random elements are rotations and reflections times boosts of rapidity at most one in every plane: a bounded set
    that generates the group.

    Args:
        positive_dims, negative_dims: p and q, at least 1; positive directions come first.
        part: `"O"`: all; `"SO"`: determinant one; `"SO+"`: the connected component of the identity.

    Raises:
        ValueError: If p or q is not a positive integer, or `part` is unknown.

    Example:
        >>> from gaugenet.groups import PseudoOrthogonal
        >>> group = PseudoOrthogonal(1, 2)
        >>> group.irreps(max_order=1)
        [O(1,2):0, O(1,2):time, O(1,2):space, O(1,2):det, O(1,2):1]
        >>> boost, eta = group.boost(0.5), group.metric
        >>> bool((boost.T @ eta @ boost - eta).abs().max() < 1e-12)
        True
    """

    def __init__(self, positive_dims: int, negative_dims: int, *, part: str = "O") -> None:
        self.p, self.q = positive("positive_dims", positive_dims), positive("negative_dims", negative_dims)
        if part not in _PARTS:
            raise ValueError(f"Expected `part` to be one of {_PARTS}, got {part!r}.")
        self.d, self.part = self.p + self.q, part
        self.name = f"{part}({self.p},{self.q})"
        self.orientation_preserving = part != "O"

    @property
    def metric(self) -> Tensor:
        return torch.diag(torch.tensor([1.0] * self.p + [-1.0] * self.q, dtype=torch.float64))

    @property
    def characters(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        time, space = self._time, self._space
        known = {"time": time, "space": space, "det": lambda g: time(g) * space(g)}
        return {name: known[name] for name in {"O": ("time", "space", "det"), "SO": ("time",), "SO+": ()}[self.part]}

    def _time(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        return typed_tensor(torch.linalg.det(g[..., : self.p, : self.p].detach()).sign())

    def _space(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch"]:
        return typed_tensor(torch.linalg.det(g[..., self.p :, self.p :].detach()).sign())

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Return whether each matrix lies in the group, up to `atol` relative to the square of its largest entry."""
        eta = self.metric.to(g)
        scale = g.abs().amax((-2, -1)).square().clamp(min=1)
        error = (g.mT @ eta @ g - eta).abs().amax((-2, -1)) / scale
        inside = error <= (tolerance(g) if atol is None else atol)
        if self.part == "O":
            return inside
        time, space = self._time(g), self._space(g)
        return inside & (time == space) & ((time > 0) | (self.part == "SO"))

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Draw from a bounded set: the Haar measure is infinite."""
        rotation = torch.zeros(*size, self.d, self.d, dtype=torch.float64)
        blocks = slice(0, self.p), slice(self.p, self.d)
        time, space = torch.rand(2, *size, generator=generator) < 0.5
        signs = {"O": (time, space), "SO": (time, time), "SO+": (time & False, time & False)}[self.part]
        for block, flip in zip(blocks, signs, strict=True):
            n = block.stop - block.start
            q = torch.linalg.qr(torch.randn(*size, n, n, generator=generator, dtype=torch.float64)).Q
            wrong = (torch.linalg.det(q) < 0) ^ flip
            rotation[..., block, block] = torch.cat(
                [torch.where(wrong[..., None, None], -q, q)[..., :1], q[..., 1:]], -1
            )
        rapidity = 2 * torch.rand(*size, self.p, self.q, generator=generator, dtype=torch.float64) - 1
        mixed = torch.zeros_like(rotation)
        mixed[..., blocks[0], blocks[1]], mixed[..., blocks[1], blocks[0]] = rapidity, rapidity.mT
        return typed_tensor(rotation @ torch.linalg.matrix_exp(mixed))

    def boost(self, rapidity: float, axes: tuple[int, int] | None = None) -> Float[Tensor, "d d"]:
        """Return the boost that mixes a positive and a negative direction; by default the first and the last."""
        i, j = (0, self.d - 1) if axes is None else axes
        if not (0 <= i < self.p <= j < self.d):
            raise ValueError(f"Expected `axes` of a positive and a negative direction of {self.name}, got {(i, j)}.")
        mixed = torch.zeros(self.d, self.d, dtype=torch.float64)
        mixed[i, j] = mixed[j, i] = rapidity
        return typed_tensor(torch.linalg.matrix_exp(mixed))

    def generators(self) -> Tensor:
        flips = torch.eye(self.d, dtype=torch.float64).repeat(2, 1, 1)
        flips[0, 0, 0] = flips[1, -1, -1] = -1
        return {"O": flips, "SO": flips[:1] @ flips[1:], "SO+": flips[:0]}[self.part]

    def lie_algebra(self) -> Tensor:
        rows, eta = [], self.metric
        for i in range(self.d):
            for j in range(i + 1, self.d):
                x = torch.zeros(self.d, self.d, dtype=torch.float64)
                x[i, j], x[j, i] = 1, -eta[i, i] * eta[j, j]
                rows.append(x)
        return torch.stack(rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self.p, self.q, self.part)


def Lorentz(dim: int = 4, *, part: str = "SO") -> PseudoOrthogonal:
    """Return SO(1, d - 1), acting on `Minkowski(d)`: time first. With `part="O"` all Lorentz transformations.

    Args:
        dim: d, the dimension of space-time, at least 2.
        part: as in `PseudoOrthogonal`.

    Example:
        >>> from gaugenet.groups import Lorentz
        >>> [(rho.name, rho.dim) for rho in Lorentz(4).irreps(max_order=2)]
        [('0', 1), ('time', 1), ('1', 4), ('2', 9)]
    """
    return PseudoOrthogonal(1, positive("dim", dim) - 1, part=part)


def _remake(p: int, q: int, part: str) -> PseudoOrthogonal:
    return PseudoOrthogonal(p, q, part=part)


__all__ = ["Lorentz", "PseudoOrthogonal"]
