"""GL(d) and SL(d): all changes of frame, and those that preserve volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.groups.families.tensor_group import TensorGroup
from gaugenet.groups.group import tolerance
from gaugenet.groups.representations.base import Representation

FACTORS = 2
"""Number of exponentials in a random element: with entries below one half its condition number stays moderate."""


class GeneralLinear(TensorGroup):
    """All invertible d x d matrices: any change of frame.

    Irreps: `0`; `sign` and `det` (the sign of the determinant, and the determinant); `k` = 1, 2, ...: symmetric tensors
    of rank k, where `1` is the matrix itself; `dual`: covectors. Random elements are exponentials of matrices with
    entries below one half, times a reflection: a bounded set that generates the group.

    Args:
        d: dimension, at least 2.

    Raises:
        ValueError: If d is smaller than 2.

    Example:
        >>> import torch
        >>> from gaugenet.groups import GeneralLinear
        >>> group = GeneralLinear(2)
        >>> group.irreps(max_order=1)
        [GL(2):0, GL(2):sign, GL(2):det, GL(2):1]
        >>> group.irrep("det")(2 * torch.eye(2)).item()  # areas
        4.0
    """

    orientation_preserving = False
    metric = None

    def __init__(self, d: int = 2) -> None:
        if positive("d", d) < 2:
            raise ValueError(f"Expected `d` of at least 2, got {d}.")
        self.d = d
        self.name = f"GL({d})"

    @property
    def characters(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {"sign": lambda g: torch.linalg.det(g.detach()).sign(), "det": torch.linalg.det}

    def irrep(self, label: int | str) -> Representation:
        if str(label).strip() == "dual":
            return Representation(self, "dual", self.d, lambda g: torch.linalg.inv(g).mT)
        return super().irrep(label)

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Return whether each matrix is finite, and invertible up to `atol` relative to its largest singular value."""
        values = torch.linalg.svdvals(g.nan_to_num(0, 0, 0))
        invertible = values[..., -1] > (tolerance(g) if atol is None else atol) * values[..., 0]
        return typed_tensor(invertible & g.isfinite().all(-1).all(-1))

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Draw from a bounded set: the Haar measure is infinite."""
        g = self.identity().expand(*size, self.d, self.d)
        for _ in range(FACTORS):
            x = torch.rand(*size, self.d, self.d, generator=generator, dtype=torch.float64) - 0.5
            g = g @ torch.linalg.matrix_exp(self._projected(x))
        if not self.orientation_preserving:
            flip = torch.rand(size, generator=generator) < 0.5
            g = torch.where(flip[..., None, None], g @ self._mirror(), g)
        return g

    def _projected(self, x: Tensor) -> Tensor:
        """Project matrices on the Lie algebra."""
        return x

    def _mirror(self) -> Tensor:
        mirror = self.identity()
        mirror[-1, -1] = -1
        return mirror

    def generators(self) -> Tensor:
        return self._mirror()[None]

    def lie_algebra(self) -> Tensor:
        return torch.eye(self.d**2, dtype=torch.float64).view(-1, self.d, self.d)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.d,)


class SpecialLinear(GeneralLinear):
    """All d x d matrices of determinant one, which preserve volume and orientation.

    Irreps: `0`, and `k` = 1, 2, ...: symmetric tensors of rank k, where `1` is the matrix itself; `dual`: covectors.
    Random elements are made as for `GeneralLinear`, with determinant one.

    Args:
        d: dimension, at least 2.

    Raises:
        ValueError: If d is smaller than 2.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SpecialLinear
        >>> shear = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
        >>> bool(SpecialLinear(2).contains(shear)), bool(SpecialLinear(2).contains(2 * shear))
        (True, False)
    """

    orientation_preserving = True

    def __init__(self, d: int = 2) -> None:
        super().__init__(d)
        self.name = f"SL({d})"

    @property
    def characters(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        return {}

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Return whether each determinant is 1, up to `atol` relative to the product of the lengths of the columns."""
        scale = torch.linalg.vector_norm(g, dim=-2).prod(-1).clamp(min=1)
        return typed_tensor((torch.linalg.det(g) - 1).abs() <= scale * (tolerance(g) if atol is None else atol))

    def _projected(self, x: Tensor) -> Tensor:
        trace = x.diagonal(dim1=-2, dim2=-1).mean(-1)
        return x - trace[..., None, None] * self.identity()

    def generators(self) -> Tensor:
        return self.identity()[None][:0]

    def lie_algebra(self) -> Tensor:
        off = ~torch.eye(self.d, dtype=torch.bool).flatten()
        diagonal = torch.diag_embed(torch.eye(self.d, dtype=torch.float64)[:-1])
        diagonal[:, -1, -1] = -1
        return torch.cat([GeneralLinear.lie_algebra(self)[off], diagonal])


__all__ = ["GeneralLinear", "SpecialLinear"]
