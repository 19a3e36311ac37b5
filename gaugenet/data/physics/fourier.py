"""FourierSpace: real fields on a periodic grid as sums of plane waves, with wave vectors in the frame of the grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry import Grid


@dataclass(frozen=True)
class FourierSpace:
    """Fields on a periodic grid of two or three dimensions of space, and their Fourier coefficients, in float64.

    Components of vectors and wave vectors are in the frame of the `Grid`: x along the last array axis, y against the
    second last, z along the third last. Coefficients have half of the last axis, as `torch.fft.rfftn`.

    Args:
        grid: a grid with `boundary="periodic"`, of two or three axes, all of space.

    Raises:
        ValueError: If the grid has borders, another number of axes, or an indefinite metric. In `analysis`, if fields
            are not real, not on this grid, or not on the CPU.
    """

    grid: Grid

    def __post_init__(self) -> None:
        if not isinstance(self.grid, Grid):
            raise ValueError(f"Expected a `Grid`, got an object of type {type(self.grid).__name__}.")
        if self.grid.boundary != "periodic":
            raise ValueError(f"Expected a grid with boundary='periodic', got {self.grid.boundary!r}.")
        if self.grid.d not in (2, 3):
            raise ValueError(f"Expected a grid of two or three axes of space, got {self.grid.d}: time is not an axis.")
        if self.grid.signature is not None and 0 not in self.grid.signature:
            raise ValueError(
                f"Expected a grid of space, got one of space-time, signature {self.grid.signature}: leave the "
                "signature out, the solver computes the steps of time."
            )

    @property
    def axes(self) -> tuple[int, ...]:
        """The array axes of space."""
        return tuple(range(-self.grid.d, 0))

    @cached_property
    def waves(self) -> Float[Tensor, "d *half"]:
        """Whole numbers of waves on the period, one component for each frame axis."""
        *full, last = self.grid.shape
        numbers = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in full]
        numbers.append(torch.fft.rfftfreq(last, 1 / last, dtype=torch.float64))
        x, y, *z = reversed(torch.meshgrid(*numbers, indexing="ij"))
        return torch.stack([x, -y, *z]) + 0.0

    @cached_property
    def k(self) -> Float[Tensor, "d *half"]:
        """Wave vectors: 2 pi times the number of waves over the length of the axis."""
        lengths = [n * h for n, h in zip(self.grid.shape, self.grid.spacing, strict=True)]
        per_wave = torch.tensor([2 * math.pi / length for length in reversed(lengths)], dtype=torch.float64)
        return typed_tensor(self.waves * per_wave.view(-1, *[1] * self.grid.d))

    @cached_property
    def k2(self) -> Float[Tensor, "*half"]:
        """Squares of the wave vectors."""
        return typed_tensor(self.k.square().sum(0))

    @cached_property
    def inverse_k2(self) -> Float[Tensor, "*half"]:
        """One over `k2`; 0 for the mean."""
        return torch.where(self.k2 > 0, 1 / self.k2.clamp(min=1e-300), 0.0)

    def below(self, share: float) -> Bool[Tensor, "*half"]:
        """Return which waves are below a share of the largest number of waves, along every axis."""
        sizes = torch.tensor(self.grid.shape[::-1], dtype=torch.float64).view(-1, *[1] * self.grid.d)
        return typed_tensor((2 * self.waves.abs() < share * sizes - 1e-9).all(0))

    def analysis(self, field: Float[Tensor, "*b *spatial"]) -> Complex[Tensor, "*b *half"]:
        """Return the coefficients of fields on the grid."""
        self._check(field)
        return typed_tensor(torch.fft.rfftn(field.to(torch.float64), dim=self.axes, norm="forward"))

    def synthesis(self, coefficients: Complex[Tensor, "*b *half"]) -> Float[Tensor, "*b *spatial"]:
        """Return the fields on the grid."""
        return typed_tensor(torch.fft.irfftn(coefficients, s=self.grid.shape, dim=self.axes, norm="forward"))

    def _check(self, field: object) -> None:
        if not isinstance(field, Tensor):
            raise ValueError(f"Expected fields as a tensor, got an object of type {type(field).__name__}.")
        if tuple(field.shape[-self.grid.d :]) != self.grid.shape or not field.numel():
            raise ValueError(f"Expected fields on a grid of shape {self.grid.shape}, got shape {tuple(field.shape)}.")
        if field.is_complex():
            raise ValueError(f"Expected real fields, got {field.dtype}: pass the real and imaginary parts separately.")
        if field.device.type != "cpu":
            raise ValueError(f"Expected fields on the CPU, got fields on {field.device}: pass `field.cpu()`.")

    def moved(self, field: Float[Tensor, "*b *spatial"], g: Float[Tensor, "d d"]) -> Float[Tensor, "*b *spatial"]:
        """Return the scalar fields f(g^-1 p) on the grid, for any matrix g: the plane waves at other points, exactly.

        The fields are continued periodically. So they are right everywhere, but not periodic on the box for most g.
        """
        n = torch.stack([w.flatten() for w in self.waves])
        twice = torch.where((n[0] > 0) & (2 * n[0] < self.grid.shape[-1]), 2.0, 1.0)  # waves with a conjugate partner
        places = self.grid.pos @ torch.linalg.inv(g.to(torch.float64)).T - self.grid.pos[0]
        waves = torch.exp(1j * places @ self.k.flatten(1).to(torch.complex128)) * twice
        found = self.analysis(field).flatten(-self.grid.d) @ waves.T
        return typed_tensor(found.real.unflatten(-1, self.grid.shape))

    def mean(self, field: Float[Tensor, "*b *spatial"]) -> Float[Tensor, "*b"]:
        """Return the mean over the grid."""
        return field.mean(self.axes)


def check_state(grid: Grid, fields: Mapping[str, tuple[Tensor, int]]) -> None:
    """Refuse fields that do not fit the grid, have another number of channels, or are not finite.

    Args:
        grid: the grid.
        fields: each field with its number of channels; the first one has the number of samples.

    Raises:
        ValueError: About the field, by its name.
    """
    for name, (field, _) in fields.items():
        if not isinstance(field, Tensor):
            raise ValueError(f"Expected `{name}` as a tensor, got an object of type {type(field).__name__}.")
    count = max(1, len(next(iter(fields.values()))[0]))
    for name, (field, channels) in fields.items():
        shape = (count, channels, *grid.shape)
        if tuple(field.shape) != shape:
            raise ValueError(f"Expected `{name}` of shape {shape} on the grid, got {tuple(field.shape)}.")
        if not bool(torch.isfinite(field).all()):
            raise ValueError(f"Expected finite values in `{name}`, got NaN or infinite ones.")


__all__ = ["FourierSpace", "check_state"]
