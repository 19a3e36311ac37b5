"""ShallowWater and BarotropicVorticity: flows on a rotating sphere, solved by spherical harmonics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.spectral import SphericalHarmonicTransform

GRAVITY = 9.80616
"""Gravity in m s-2, as in :cite:`williamson1992`."""
ROTATION = 7.292e-5
"""Angular velocity of the Earth in s-1."""
RADIUS = 6.37122e6
"""Radius of the Earth in m, as in :cite:`williamson1992`."""
_STABLE = 2.0
"""Largest frequency times the time step; the Runge-Kutta scheme is stable up to 2.83."""


@dataclass(frozen=True)
class Flow:
    """The state of a flow on the grid of its solver.

    Attributes:
        u, v: `(H, W)` eastward and northward velocity in m/s.
        height: `(H, W)` height of the free surface in m; `None` if the flow has no free surface.
    """

    u: Float[ndarray, "height width"]
    v: Float[ndarray, "height width"]
    height: Float[ndarray, "height width"] | None = None


class SphereFlow(ABC):
    r"""Base class of the solvers: the transform, rotation, time steps and diffusion.

    The classical Runge-Kutta scheme of fourth order takes steps that are stable for the fastest wave. After each step
    an implicit diffusion, :math:`\exp(-\Delta t / \tau \\, [n (n + 1) / T (T + 1)]^4)`, damps the smallest scales.

    Args:
        truncation: largest degree T of the spherical harmonics; 21 resolves about 900 km, 42 about 450 km.
        axis: unit vector of the axis of rotation.
        diffusion_hours: e-folding time of the smallest scale; `None` for no diffusion.
        rotation: angular velocity in s-1.
    """

    def __init__(
        self,
        truncation: int,
        *,
        axis: tuple[float, float, float] = (0.0, 0.0, 1.0),
        diffusion_hours: float | None = None,
        rotation: float = ROTATION,
    ) -> None:
        self.transform = SphericalHarmonicTransform(truncation)
        self.axis, self.rotation = np.asarray(axis, dtype=np.float64), rotation
        self.diffusion_hours = None if diffusion_hours is None else positive_number("diffusion_hours", diffusion_hours)
        self.coriolis = 2 * rotation * (self.grid.points @ self.axis)

    @property
    def grid(self) -> LatLonGrid:
        """The Gaussian grid of all fields."""
        return self.transform.grid

    @abstractmethod
    def state(self, flow: Flow) -> Complex[ndarray, "fields orders degrees"]:
        """Return the coefficients of a flow."""

    @abstractmethod
    def flow(self, state: Complex[ndarray, "fields orders degrees"]) -> Flow:
        """Return the flow with these coefficients."""

    @abstractmethod
    def tendency(self, state: Complex[ndarray, "fields orders degrees"]) -> Complex[ndarray, "fields orders degrees"]:
        """Return the derivative of the coefficients in time, in s-1."""

    @abstractmethod
    def invariants(self, state: Complex[ndarray, "fields orders degrees"]) -> dict[str, float]:
        """Return the global means that the equations conserve."""

    @abstractmethod
    def fastest(self, state: Complex[ndarray, "fields orders degrees"]) -> float:
        """Return an upper bound of the frequencies in s-1."""

    def run(self, flow: Flow, *, hours: float, every: float) -> Iterator[Flow]:
        """Yield the flow after each `every` hours, up to `hours`.

        Raises:
            ValueError: If the times are not positive.
            FloatingPointError: If the flow is no longer finite.
        """
        state = self.state(flow)
        for _ in range(math.floor(positive_number("hours", hours) / positive_number("every", every) + 1e-9)):
            state = self.advance(state, every)
            yield self.flow(state)

    def advance(
        self, state: Complex[ndarray, "fields orders degrees"], hours: float
    ) -> Complex[ndarray, "fields orders degrees"]:
        """Return the state after `hours`.

        Raises:
            FloatingPointError: If it is no longer finite.
        """
        seconds = 3600.0 * hours
        steps = int(np.ceil(seconds * self.fastest(state) / _STABLE))
        damping = self._damping(seconds / steps)
        for _ in range(steps):
            state = self._step(state, seconds / steps) * damping
        if not np.isfinite(state).all():
            raise FloatingPointError(f"The flow is not finite after {hours} h: use `diffusion_hours`, or weaker winds.")
        return state

    def _step(self, state: ndarray, dt: float) -> ndarray:
        one = self.tendency(state)
        two = self.tendency(state + dt / 2 * one)
        three = self.tendency(state + dt / 2 * two)
        four = self.tendency(state + dt * three)
        return typed_array(state + dt / 6 * (one + 2 * two + 2 * three + four))

    def _damping(self, dt: float) -> ndarray:
        if self.diffusion_hours is None:
            return np.ones((1, 1))
        share = self.transform.eigenvalues / self.transform.eigenvalues.min()
        return typed_array(np.exp(-dt / (3600.0 * self.diffusion_hours) * share**4))

    # --- winds --------------------------------------------------------------------------------------------------

    @cached_property
    def _cosine(self) -> Float[ndarray, "height one"]:
        return typed_array(np.cos(np.radians(self.grid.lat))[:, None])

    def _flux(self, flow: Flow) -> Float[ndarray, "two height width"]:
        """Return the components on the unit sphere times the cosine of the latitude, in s-1."""
        return typed_array(np.stack([flow.u, flow.v]) * self._cosine / RADIUS)

    def _flow(
        self, flux: Float[ndarray, "two height width"], height: Float[ndarray, "height width"] | None = None
    ) -> Flow:
        u, v = flux / self._cosine * RADIUS
        return Flow(u, v, height)


class BarotropicVorticity(SphereFlow):
    r"""The barotropic vorticity equation :math:`\partial_t \zeta = -\nabla \cdot (\zeta + f) \mathbf u`.

    Vorticity is the only field; the flow has no divergence. Energy and enstrophy are conserved. For the arguments see
    `SphereFlow`.

    Example:
        >>> from gaugenet.data import BarotropicVorticity
        >>> from gaugenet.data.climate.williamson import steady_zonal_flow
        >>> solver = BarotropicVorticity(10)
        >>> start = steady_zonal_flow(solver.grid)  # solid rotation does not change
        >>> (end,) = solver.run(start, hours=24, every=24)
        >>> bool(abs(end.u - start.u).max() < 1e-6)
        True
    """

    def state(self, flow: Flow) -> Complex[ndarray, "fields orders degrees"]:
        """Return the coefficients of the vorticity; divergence is ignored."""
        return typed_array(self.transform.curl(self._flux(flow))[None])

    def flow(self, state: Complex[ndarray, "fields orders degrees"]) -> Flow:
        """See `SphereFlow`."""
        return self._flow(self.transform.wind(state[0], np.zeros_like(state[0])))

    def tendency(self, state: Complex[ndarray, "fields orders degrees"]) -> Complex[ndarray, "fields orders degrees"]:
        """See `SphereFlow`."""
        flux = self.transform.wind(state[0], np.zeros_like(state[0]))
        absolute = self.transform.synthesis(state[0]) + self.coriolis
        return typed_array(-self.transform.divergence(flux * absolute)[None])

    def invariants(self, state: Complex[ndarray, "fields orders degrees"]) -> dict[str, float]:
        """Return the kinetic energy in m2 s-2 and the enstrophy in s-2, both per area."""
        power = self.transform.power(state[0])
        energy = float(-(power * self.transform.inverse_eigenvalues[0]).sum() / 2)
        return {"energy": energy * RADIUS**2, "enstrophy": float(power.sum() / 2)}

    def fastest(self, state: Complex[ndarray, "fields orders degrees"]) -> float:
        """Return the frequency of advection by the strongest wind."""
        flow = self.flow(state)
        return 1.2 * float(np.hypot(flow.u, flow.v).max()) * (self.transform.truncation + 1) / RADIUS + self.rotation


class ShallowWater(SphereFlow):
    r"""The shallow-water equations on a rotating sphere :cite:`williamson1992`, in vorticity and divergence.

    Let h* be the depth of the fluid, b the height of the mountain below it, and h = h* + b the height of its surface:

    .. math::
        \partial_t \zeta &= -\nabla \cdot (\zeta + f) \mathbf u, \\
        \partial_t \delta &= \mathbf k \cdot \nabla \times (\zeta + f) \mathbf u - \nabla^2 (g h + \mathbf u^2 / 2), \\
        \partial_t h^* &= -\nabla \cdot h^* \mathbf u.

    Mass is conserved to rounding. Energy and potential enstrophy are conserved up to truncation.

    Args:
        mountain: `(H, W)` heights b in m on `grid`, `None` for a smooth sphere. Scales below the truncation are lost.
        truncation, axis, diffusion_hours, rotation: see `SphereFlow`.

    Raises:
        ValueError: If the mountain is not on the grid.

    Example:
        >>> from gaugenet.data import ShallowWater
        >>> from gaugenet.data.climate.williamson import steady_zonal_flow
        >>> solver = ShallowWater(10)
        >>> flow = steady_zonal_flow(solver.grid)
        >>> flows = list(solver.run(flow, hours=12, every=6))
        >>> len(flows), flows[-1].height.shape == solver.grid.shape
        (2, True)
        >>> bool(abs(flows[-1].height - flow.height).max() < 1e-3)  # metres, of about 3000
        True
    """

    def __init__(
        self,
        truncation: int,
        *,
        mountain: Float[ndarray, "height width"] | None = None,
        axis: tuple[float, float, float] = (0.0, 0.0, 1.0),
        diffusion_hours: float | None = None,
        rotation: float = ROTATION,
    ) -> None:
        super().__init__(truncation, axis=axis, diffusion_hours=diffusion_hours, rotation=rotation)
        mountain = np.zeros(self.grid.shape) if mountain is None else np.asarray(mountain, dtype=np.float64)
        if mountain.shape != self.grid.shape:
            raise ValueError(
                f"Expected `mountain` of shape {self.grid.shape}, got {mountain.shape}: evaluate it on `grid`."
            )
        self._mountain = self.transform.analysis(mountain)

    @cached_property
    def mountain(self) -> Float[ndarray, "height width"]:
        """Heights of the ground in m, up to the truncation."""
        return self.transform.synthesis(self._mountain)

    def state(self, flow: Flow) -> Complex[ndarray, "fields orders degrees"]:
        """Return the coefficients of vorticity, divergence and depth.

        Raises:
            ValueError: If the flow has no height, or the ground is above the surface.
        """
        if flow.height is None:
            raise ValueError("Expected a flow with `height`, got none: use `balanced` to compute it.")
        if not (flow.height - self.mountain).min() > 0:
            raise ValueError("Expected a surface above the ground everywhere: raise `height`.")
        flux, depth = self._flux(flow), self.transform.analysis(flow.height) - self._mountain
        return np.stack([self.transform.curl(flux), self.transform.divergence(flux), depth])

    def flow(self, state: Complex[ndarray, "fields orders degrees"]) -> Flow:
        """See `SphereFlow`."""
        wind = self.transform.wind(state[0], state[1])
        return self._flow(wind, self.transform.synthesis(state[2] + self._mountain))

    def tendency(self, state: Complex[ndarray, "fields orders degrees"]) -> Complex[ndarray, "fields orders degrees"]:
        """See `SphereFlow`."""
        flux = self.transform.wind(state[0], state[1])
        vorticity, depth = self.transform.synthesis(state[[0, 2]])
        transported = self.transform.divergence(np.stack([flux * (vorticity + self.coriolis), flux * depth]))
        force = self._divergence_tendency(flux, vorticity, GRAVITY / RADIUS**2 * (state[2] + self._mountain))
        return np.stack([-transported[0], force, -transported[1]])

    def _divergence_tendency(self, flux: ndarray, vorticity: ndarray, potential: ndarray) -> ndarray:
        kinetic = (flux**2).sum(0) / self._cosine**2 / 2
        turned = self.transform.curl(flux * (vorticity + self.coriolis))
        return typed_array(turned - self.transform.eigenvalues * (self.transform.analysis(kinetic) + potential))

    def balanced(self, u: Float[ndarray, "height width"], v: Float[ndarray, "height width"], *, mean: float) -> Flow:
        """Return the flow of a wind whose height balances it: divergence and its first derivative in time are zero.

        Args:
            u: eastward wind in m/s; the divergent part of the wind is removed.
            v: northward wind in m/s.
            mean: mean height of the surface in m.
        """
        vorticity = self.transform.curl(self._flux(Flow(u, v)))
        flux = self.transform.wind(vorticity, np.zeros_like(vorticity))
        force = self._divergence_tendency(flux, self.transform.synthesis(vorticity), np.zeros_like(vorticity))
        potential = self.transform.inverse_eigenvalues * force
        height = self.transform.synthesis(potential) * RADIUS**2 / GRAVITY + mean
        return self._flow(flux, height)

    def invariants(self, state: Complex[ndarray, "fields orders degrees"]) -> dict[str, float]:
        """Return the mean depth in m, the energy in m3 s-2 and the potential enstrophy in m-1 s-2, all per area."""
        flow, mean = self.flow(state), self.transform.mean
        vorticity, depth = self.transform.synthesis(state[[0, 2]])
        surface = depth + self.mountain
        energy = depth * (flow.u**2 + flow.v**2) / 2 + GRAVITY / 2 * (surface**2 - self.mountain**2)
        enstrophy = (vorticity + self.coriolis) ** 2 / (2 * depth)
        return {"mass": float(mean(depth)), "energy": float(mean(energy)), "enstrophy": float(mean(enstrophy))}

    def fastest(self, state: Complex[ndarray, "fields orders degrees"]) -> float:
        """Return the frequency of gravity waves on the strongest wind."""
        flow, depth = self.flow(state), self.transform.synthesis(state[2])
        speed = np.hypot(flow.u, flow.v).max() + np.sqrt(GRAVITY * max(float(depth.max()), 0.0))
        return float(1.2 * speed) * (self.transform.truncation + 1) / RADIUS + self.rotation
