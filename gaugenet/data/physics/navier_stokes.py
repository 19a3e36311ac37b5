"""NavierStokes: decaying turbulence in the periodic plane, with smoke that the flow carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive, positive_number
from gaugenet.data.physics.fourier import FourierSpace, check_state
from gaugenet.geometry import Grid

LARGEST_WAVE = 2 / 3
"""Share of the waves of the grid that are kept :cite:`orszag1971dealiasing`."""


@dataclass(frozen=True)
class FlowState:
    """Flows at one time, on the grid of their solver.

    Attributes:
        velocity: `(B, 2, rows, columns)`, components along x (the columns) and y (against the rows).
        smoke: `(B, 1, rows, columns)`, a density; `None` without smoke.
    """

    velocity: Float[Tensor, "flows 2 rows columns"]
    smoke: Float[Tensor, "flows 1 rows columns"] | None = None

    @property
    def fields(self) -> Float[Tensor, "flows channels rows columns"]:
        """Smoke and velocity as channels, in this order: the field type `"1x0 + 1x1"`."""
        return self.velocity if self.smoke is None else torch.cat([self.smoke, self.velocity], 1)


@dataclass(frozen=True)
class _Spectrum:
    """Coefficients of vorticity, and of smoke if there is any; and the mean velocity, which is conserved."""

    coefficients: Complex[Tensor, "flows fields rows half"]
    mean: Float[Tensor, "flows 2"]


class NavierStokes:
    r"""The incompressible Navier-Stokes equations in the periodic plane, and smoke without buoyancy.

    .. math::
        \partial_t w + \nabla \cdot (\mathbf u w) = \nu \Delta w, \qquad
        \partial_t s + \nabla \cdot (\mathbf u s) = \kappa \Delta s, \qquad \nabla \cdot \mathbf u = 0,

    for the vorticity w = d_x v - d_y u. The solver is pseudo-spectral: two thirds of the waves are kept, so products
    have no aliasing errors :cite:`orszag1971dealiasing`. Diffusion is exact, by an integrating factor; advection takes
    classical Runge-Kutta steps of fourth order. Without viscosity energy and enstrophy are conserved up to the error
    of the steps. All flows of a batch take the same steps.

    The equations commute with all rotations and reflections of the plane. The solver commutes with those that map the
    grid to itself, up to rounding.

    Args:
        grid: a periodic grid of two axes, such as `Grid((64, 64), spacing=0.1, boundary="periodic")`.
        viscosity: nu, zero or positive.
        diffusivity: kappa of the smoke, by default `viscosity`.
        courant: length of the steps: the largest speed times the largest wave number times the step.

    Raises:
        ValueError: If the grid does not fit, or a number is out of range.

    Example:
        >>> from gaugenet.data import NavierStokes
        >>> from gaugenet.geometry import Grid
        >>> solver = NavierStokes(Grid((32, 32), spacing=0.2, boundary="periodic"), viscosity=1e-2)
        >>> start = solver.random(2, seed=0)
        >>> (end,) = solver.run(start, frames=1, every=0.5)
        >>> end.velocity.shape, bool((solver.invariants(end)["energy"] < solver.invariants(start)["energy"]).all())
        (torch.Size([2, 2, 32, 32]), True)
    """

    def __init__(self, grid: Grid, *, viscosity: float, diffusivity: float | None = None, courant: float = 0.7) -> None:
        self.space = FourierSpace(grid)
        if grid.d != 2:
            raise ValueError(f"Expected a grid of two axes, got {grid.d}: vorticity is a scalar in the plane only.")
        self.viscosity = _not_negative("viscosity", viscosity)
        self.diffusivity = self.viscosity if diffusivity is None else _not_negative("diffusivity", diffusivity)
        self.courant = positive_number("courant", courant)
        if self.courant > 2.0:
            raise ValueError(f"Expected `courant` of at most 2, where the steps are stable, got {courant}.")

    @property
    def grid(self) -> Grid:
        """The grid of all fields."""
        return self.space.grid

    def __repr__(self) -> str:
        shape, spacing = self.grid.shape, self.grid.spacing
        return f"NavierStokes({shape}, {spacing}, viscosity={self.viscosity}, diffusivity={self.diffusivity})"

    # --- fields -------------------------------------------------------------------------------------------------

    def velocity(self, vorticity: Float[Tensor, "flows 1 rows columns"]) -> Float[Tensor, "flows 2 rows columns"]:
        """Return the velocity without divergence and mean that has this vorticity; its unresolved waves are removed."""
        check_state(self.grid, {"vorticity": (vorticity, 1)})
        return self.space.synthesis(self._velocity(self.space.analysis(vorticity) * self._kept))

    def vorticity(self, velocity: Float[Tensor, "flows 2 rows columns"]) -> Float[Tensor, "flows 1 rows columns"]:
        """Return d_x v - d_y u."""
        check_state(self.grid, {"velocity": (velocity, 2)})
        return self.space.synthesis(self._curl(self.space.analysis(velocity)))

    def divergence(self, velocity: Float[Tensor, "flows 2 rows columns"]) -> Float[Tensor, "flows 1 rows columns"]:
        """Return d_x u + d_y v."""
        check_state(self.grid, {"velocity": (velocity, 2)})
        waves = 1j * self.space.k * self.space.analysis(velocity)
        return self.space.synthesis(waves.sum(1, keepdim=True))

    def invariants(self, state: FlowState) -> dict[str, Float[Tensor, "flows"]]:
        """Return means over the plane: `energy` E = <u^2> / 2, `enstrophy` Z = <w^2> / 2, and `palinstrophy`.

        The last one is P = <|grad w|^2> / 2. Smoke has `smoke` <s>, which is conserved, `variance` <s^2> / 2 and
        `roughness` <|grad s|^2> / 2. The exact balances are dE/dt = -2 nu Z, dZ/dt = -2 nu P, and
        d`variance`/dt = -2 kappa `roughness`.
        """
        check_state(self.grid, parts_of(state))
        w = self.vorticity(state.velocity)
        found = {
            "energy": self._half_square(state.velocity),
            "enstrophy": self._half_square(w),
            "palinstrophy": self._half_square(self._gradient(w)),
        }
        if state.smoke is not None:
            found["smoke"] = self.space.mean(state.smoke)[:, 0]
            found["variance"] = self._half_square(state.smoke)
            found["roughness"] = self._half_square(self._gradient(state.smoke))
        return found

    def _half_square(self, field: Tensor) -> Float[Tensor, "flows"]:
        return self.space.mean(field.to(torch.float64).square().sum(1)) / 2

    def _gradient(self, scalar: Tensor) -> Tensor:
        return self.space.synthesis(1j * self.space.k * self.space.analysis(scalar))

    # --- runs ---------------------------------------------------------------------------------------------------

    def random(
        self, count: int, *, speed: float = 1.0, waves: float = 4.0, smoke: bool = True, seed: int = 0
    ) -> FlowState:
        """Return random flows without preferred place and direction, and clouds of smoke of mean density one.

        The stream function has the spectrum |psi(k)|^2 ~ 1 / (k [1 + (k / waves)^4]) of :cite:`mcwilliams1984`, with
        k in waves on the period. Smoke is the square of a smooth random field.

        Args:
            count: number of flows.
            speed: root of the mean square of the velocity.
            waves: number of waves on the period where the spectrum falls.
            smoke: include smoke.
            seed: seed of the random numbers.

        Raises:
            ValueError: If a number is not positive, or no wave of the flow or of the smoke fits the grid.
        """
        generator = torch.Generator().manual_seed(seed)
        shape = (positive("count", count), 1, *self.grid.shape)
        number = torch.linalg.vector_norm(self.space.waves, dim=0)
        lowest = positive_number("waves", waves)
        stream = (number.clamp(min=1) * (1 + (number / lowest) ** 4)).rsqrt() * (number > 0) * self._kept
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        w = self.space.analysis(noise) * stream * self.space.k2
        velocity = self.space.synthesis(self._velocity(w))
        size = velocity.square().sum(1, keepdim=True).mean((2, 3), keepdim=True).sqrt()
        velocity = velocity * positive_number("speed", speed) / self._not_zero(size, "flow")
        if not smoke:
            return FlowState(velocity)
        # half of the kept waves, so that the square has no wave that is removed
        smooth = torch.exp(-0.5 * (number / (0.5 * lowest)) ** 2) * (number > 0)
        smooth = smooth * self.space.below(LARGEST_WAVE / 2)
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        density = self.space.synthesis(self.space.analysis(noise) * smooth).square()
        return FlowState(velocity, density / self._not_zero(density.mean((2, 3), keepdim=True), "smoke"))

    def _not_zero(self, size: Tensor, name: str) -> Tensor:
        if not bool((size > 0).all() and torch.isfinite(1 / size).all()):
            raise ValueError(
                f"Expected waves of the {name} on the grid, there are none: use more pixels than {self.grid.shape}, or "
                "a larger `waves`."
            )
        return size

    def run(self, start: FlowState, *, frames: int, every: float) -> Iterator[FlowState]:
        """Yield the flows `frames` times, after each interval `every`; waves above two thirds are removed at the start.

        Raises:
            ValueError: If fields do not fit the grid, or a number is not positive.
            FloatingPointError: If a flow is no longer finite.
        """
        spectrum = self._spectrum(start)
        for _ in range(positive("frames", frames)):
            steps = self._num_steps(spectrum, positive_number("every", every))
            spectrum = self._advance(spectrum, every, steps)
            yield self._state(spectrum)

    def advance(self, start: FlowState, time: float, steps: int) -> FlowState:
        """Return the flows after a time, in this number of equal steps.

        Raises:
            ValueError: If fields do not fit the grid, or a number is not positive.
            FloatingPointError: If a flow is no longer finite: use more steps.
        """
        steps = positive("steps", steps)
        return self._state(self._advance(self._spectrum(start), positive_number("time", time), steps))

    def _num_steps(self, spectrum: _Spectrum, time: float) -> int:
        velocity = self._state(spectrum).velocity
        fastest = float(torch.linalg.vector_norm(velocity, dim=1).max()) * float(self._largest)
        return max(1, -int(-time * fastest // self.courant))

    def _advance(self, spectrum: _Spectrum, time: float, steps: int) -> _Spectrum:
        dt, state = time / steps, spectrum.coefficients
        half = torch.exp(-dt / 2 * self._diffusion[: state.shape[1]])
        full = half.square()
        for _ in range(steps):
            one = self._tendency(state, spectrum.mean)
            two = self._tendency(half * (state + dt / 2 * one), spectrum.mean)
            three = self._tendency(half * state + dt / 2 * two, spectrum.mean)
            four = self._tendency(full * state + dt * half * three, spectrum.mean)
            state = full * (state + dt / 6 * one) + dt / 3 * half * (two + three) + dt / 6 * four
        if not bool(torch.isfinite(torch.view_as_real(state)).all()):
            raise FloatingPointError(f"A flow is not finite after a time of {time} in {steps} steps: use more steps.")
        return _Spectrum(state, spectrum.mean)

    def _tendency(self, state: Tensor, mean: Tensor) -> Tensor:
        """Return minus the divergence of the fluxes of vorticity and smoke."""
        fields = self.space.synthesis(torch.cat([self._velocity(state[:, :1]), state], 1))
        velocity = fields[:, :2] + mean[:, :, None, None]
        flux = self.space.analysis(velocity[:, None] * fields[:, 2:, None])  # (flows, fields, xy, rows, half)
        return -1j * self._kept * (self.space.k * flux).sum(2)

    # --- spectra ------------------------------------------------------------------------------------------------

    @cached_property
    def _kept(self) -> Tensor:
        return self.space.below(LARGEST_WAVE)

    @cached_property
    def _largest(self) -> Tensor:
        """The largest wave number that is kept."""
        return typed_tensor((self.space.k2 * self._kept).max().sqrt())

    @cached_property
    def _diffusion(self) -> Float[Tensor, "2 rows half"]:
        return torch.stack([self.viscosity * self.space.k2, self.diffusivity * self.space.k2])

    def _velocity(self, w: Complex[Tensor, "flows 1 rows half"]) -> Complex[Tensor, "flows 2 rows half"]:
        """Return u = d_y psi, v = -d_x psi of the stream function -Laplacian psi = w."""
        kx, ky = self.space.k
        return typed_tensor(1j * torch.stack([ky, -kx]) * (w * self.space.inverse_k2))

    def _curl(self, velocity: Complex[Tensor, "flows 2 rows half"]) -> Complex[Tensor, "flows 1 rows half"]:
        kx, ky = self.space.k
        return typed_tensor(1j * (kx * velocity[:, 1:] - ky * velocity[:, :1]))

    def _spectrum(self, state: FlowState) -> _Spectrum:
        check_state(self.grid, parts_of(state))
        parts = [self._curl(self.space.analysis(state.velocity))]
        parts += [] if state.smoke is None else [self.space.analysis(state.smoke)]
        return _Spectrum(torch.cat(parts, 1) * self._kept, self.space.mean(state.velocity.to(torch.float64)))

    def _state(self, spectrum: _Spectrum) -> FlowState:
        w, smoke = spectrum.coefficients[:, :1], spectrum.coefficients[:, 1:]
        velocity = self.space.synthesis(self._velocity(w)) + spectrum.mean[:, :, None, None]
        return FlowState(velocity, self.space.synthesis(smoke) if smoke.shape[1] else None)


def parts_of(state: FlowState) -> dict[str, tuple[Tensor, int]]:
    """Return each field by its name, with its number of channels."""
    found = {"velocity": (state.velocity, 2)}
    return found if state.smoke is None else found | {"smoke": (state.smoke, 1)}


def _not_negative(name: str, value: float) -> float:
    return float(value) if value == 0 else positive_number(name, value)


__all__ = ["FlowState", "NavierStokes", "parts_of"]
