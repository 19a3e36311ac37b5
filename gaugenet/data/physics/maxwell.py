"""PeriodicMaxwell: electromagnetic waves in a periodic box, with charges that move in it, exact in Fourier space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive, positive_number
from gaugenet.data.physics.charges import MovingCharges
from gaugenet.data.physics.fourier import FourierSpace, check_state
from gaugenet.geometry import Grid
from gaugenet.groups import CliffordAlgebra, faraday

_NODES = 3
"""Nodes of Gauss and Legendre for the current in each step: errors of order six."""


@dataclass(frozen=True)
class MaxwellState:
    """Electromagnetic fields at one time, for c = 1.

    Attributes:
        electric: `(B, d, *spatial)`, components along the frame axes of the grid.
        magnetic: `(B, 3, *spatial)`, or in the plane `(B, 1, rows, columns)`, the normal component.
        time: the time.
    """

    electric: Float[Tensor, "fields d *spatial"]
    magnetic: Float[Tensor, "fields axial *spatial"]
    time: float = 0.0


class ChargeSource(Protocol):
    """Charges and currents that conserve charge, as Fourier coefficients."""

    def density(self, space: FourierSpace, time: float) -> Complex[Tensor, "fields 1 *half"]:
        """Return the coefficients of the density of charge."""
        ...

    def current(self, space: FourierSpace, time: float) -> Complex[Tensor, "fields 3 *half"]:
        """Return the coefficients of the density of current, with d density / dt + div current = 0."""
        ...


@dataclass(frozen=True)
class ChargeClouds:
    """Charges on the paths of `MovingCharges`, each a Gaussian cloud that moves rigidly; in the plane lines of charge.

    The current is velocity times density, so charge is conserved exactly. Outside the cloud of a charge at rest its
    field is the field of a point.

    Args:
        charges: the charges of each sample.
        width: standard deviation of the clouds. A field on a grid resolves 1.5 spacings to 1e-5, two to 1e-9.

    Raises:
        ValueError: If there is no sample, a sample is not `MovingCharges`, or `width` is not positive.
    """

    charges: Sequence[MovingCharges]
    width: float

    def __post_init__(self) -> None:
        if isinstance(self.charges, MovingCharges) or not all(isinstance(c, MovingCharges) for c in self.charges):
            raise ValueError("Expected a list of `MovingCharges`, one for each sample.")
        if not self.charges:
            raise ValueError("Expected the charges of at least one sample, got none.")
        positive_number("width", self.width)

    def density(self, space: FourierSpace, time: float) -> Complex[Tensor, "fields 1 *half"]:
        """See `ChargeSource`."""
        parts = [self._clouds(space, one, time)[0] for one in self.charges]
        return torch.stack([part.sum(0, keepdim=True) for part in parts])

    def current(self, space: FourierSpace, time: float) -> Complex[Tensor, "fields 3 *half"]:
        """See `ChargeSource`."""
        parts = []
        for one in self.charges:
            clouds, velocity = self._clouds(space, one, time)
            parts.append(torch.einsum("cx,c...->x...", velocity.to(clouds.dtype), clouds))
        return torch.stack(parts)

    def _clouds(self, space: FourierSpace, charges: MovingCharges, time: float) -> tuple[Tensor, Tensor]:
        """Return the density of each charge, and the velocities `(C, 3)`."""
        t = torch.full((len(charges.charge),), time, dtype=torch.float64)
        place, velocity, _ = charges.path(t)
        d = space.grid.d
        if d == 2 and bool((torch.stack([place, velocity])[..., 2] != 0).any()):
            raise ValueError("Expected charges in the plane z = 0 on a grid of two axes: use `planar=True`.")
        phase = torch.einsum("cx,x...->c...", place[:, :d].to(torch.float64) - space.grid.pos[0], space.k)
        size = charges.charge.to(torch.float64) / (space.grid.num_nodes * math.prod(space.grid.spacing))
        shape = torch.exp(-0.5 * self.width**2 * space.k2) * space.below(1.0)
        return size.view(-1, *[1] * d) * shape * torch.exp(-1j * phase), velocity.to(torch.float64)


class PeriodicMaxwell:
    r"""Maxwell's equations in a periodic box of two or three dimensions, for c = 1.

    .. math::
        \partial_t \mathbf E = \nabla \times \mathbf B - 4 \pi \mathbf J, \qquad
        \partial_t \mathbf B = -\nabla \times \mathbf E, \qquad
        \nabla \cdot \mathbf E = 4 \pi \rho, \qquad \nabla \cdot \mathbf B = 0,

    in the units of `MovingCharges`. Each plane wave rotates by its frequency, so in vacuum steps of any length are
    exact :cite:`vay2013domain`. The current is integrated along each step, with errors of order six in the step. In
    the plane fields do not depend on z, E is in the plane and B is normal to it. A total charge is neutralized by a
    uniform background, and waves at the limit of the grid are removed.

    Args:
        grid: a periodic grid of two or three axes.
        source: charges and currents, such as `ChargeClouds`, for each of the fields or one for all; `None` for vacuum.

    Raises:
        ValueError: If the grid has borders, another number of axes, or an axis of time, or the source is not one.

    Example:
        >>> import torch
        >>> from gaugenet.data import ChargeClouds, PeriodicMaxwell
        >>> from gaugenet.data.physics.charges import MovingCharges
        >>> from gaugenet.geometry import Grid
        >>> grid = Grid((32, 32), spacing=0.2, boundary="periodic")
        >>> charges = ChargeClouds([MovingCharges.random(3, planar=True, seed=0)], width=0.4)
        >>> solver = PeriodicMaxwell(grid, charges)
        >>> states = list(solver.run(solver.start(), frames=4, every=0.2))
        >>> states[-1].electric.shape, bool(solver.gauss_error(states[-1]) < 1e-8)
        (torch.Size([1, 2, 32, 32]), True)
    """

    def __init__(self, grid: Grid, source: ChargeSource | None = None) -> None:
        self.space, self.source = FourierSpace(grid), source
        if source is not None and not (hasattr(source, "density") and hasattr(source, "current")):
            raise ValueError(f"Expected a `source` such as `ChargeClouds`, got {type(source).__name__}.")
        pad = [torch.zeros_like(self.space.k[:1])] * (3 - grid.d)
        self._k = torch.cat([self.space.k, *pad]).to(torch.complex128)
        self._kept = self.space.below(1.0)
        self._frequency = self.space.k2.sqrt()
        self._direction = self._k * self.space.inverse_k2.sqrt()

    @property
    def grid(self) -> Grid:
        """The grid of all fields."""
        return self.space.grid

    # --- runs ---------------------------------------------------------------------------------------------------

    def start(self, time: float = 0.0) -> MaxwellState:
        """Return the electrostatic field of the charges at a time, without magnetic field and waves.

        Raises:
            ValueError: If there is no source.
        """
        if self.source is None:
            raise ValueError("Expected a `source`: in vacuum, give the fields at the start.")
        density = self.source.density(self.space, time)
        electric = -4j * math.pi * self._k * self.space.inverse_k2 * density
        return self._state(electric, torch.zeros_like(electric), time)

    def run(self, start: MaxwellState, *, frames: int, every: float, steps: int = 4) -> Iterator[MaxwellState]:
        """Yield the fields `frames` times, after each interval `every`, which is divided into `steps`."""
        for _ in range(positive("frames", frames)):
            start = self.advance(start, every, steps)
            yield start

    def advance(self, start: MaxwellState, duration: float, steps: int = 1) -> MaxwellState:
        """Return the fields after a duration, which may be negative in vacuum; in vacuum one step is exact.

        Raises:
            ValueError: If fields do not fit the grid or the number of samples of the source, or are not finite, or the
                duration is not a finite number.
        """
        if not _finite(duration) or (self.source is not None and duration <= 0):
            raise ValueError(f"Expected a finite `duration`, positive with charges, got {duration!r}.")
        if not _finite(start.time):
            raise ValueError(f"Expected a finite `time` of the fields, got {start.time!r}.")
        electric, magnetic = self._coefficients(start)
        dt, time = duration / positive("steps", steps), start.time
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        for _ in range(steps):
            electric, magnetic = self._rotated(electric, magnetic, dt)
            for node, weight in zip(nodes, weights, strict=True) if self.source is not None else ():
                moment = dt * (1 + node) / 2
                change = -4 * math.pi * weight * dt / 2 * self._current(time + moment, len(electric)) * self._kept
                more = self._rotated(change, torch.zeros_like(change), dt - moment)
                electric, magnetic = electric + more[0], magnetic + more[1]
            time += dt
        return self._state(electric, magnetic, start.time + duration)

    def _current(self, time: float, count: int) -> Tensor:
        assert self.source is not None
        return self._of_each(self.source.current(self.space, time), count)

    def _of_each(self, coefficients: Tensor, count: int) -> Tensor:
        """Return coefficients of the source, or raise `ValueError` if it has another number of samples."""
        if len(coefficients) not in (1, count):
            raise ValueError(f"Expected fields of the {len(coefficients)} samples of the source, got {count}.")
        return coefficients

    def _rotated(self, electric: Tensor, magnetic: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """Return the fields in vacuum after a time: each plane wave rotates, parts along k stay."""
        n, angle = self._direction.expand_as(electric), self._frequency * dt
        along = [n * (n * field).sum(1, keepdim=True) for field in (electric, magnetic)]
        turned = [torch.linalg.cross(n, field, dim=1) for field in (electric, magnetic)]
        c, s = angle.cos(), 1j * angle.sin()
        # without a direction (k = 0) the cosine is one: the field stays
        return (
            along[0] + c * (electric - along[0]) + s * turned[1],
            along[1] + c * (magnetic - along[1]) - s * turned[0],
        )

    # --- balances -----------------------------------------------------------------------------------------------

    def energy(self, state: MaxwellState) -> Float[Tensor, "fields"]:
        """Return the energy in the box, the integral of (E^2 + B^2) / 8 pi."""
        self._check(state)
        square = state.electric.square().sum(1) + state.magnetic.square().sum(1)
        return self._volume * self.space.mean(square.to(torch.float64)) / (8 * math.pi)

    def power(self, state: MaxwellState) -> Float[Tensor, "fields"]:
        """Return the work on the charges per time, the integral of J E: minus the change of the energy."""
        self._check(state)
        if self.source is None:
            return torch.zeros(len(state.electric), dtype=torch.float64)
        current = self.space.synthesis(self._current(state.time, len(state.electric)))[:, : self.grid.d]
        return self._volume * self.space.mean((current * state.electric).sum(1))

    def gauss_error(self, state: MaxwellState) -> float:
        """Return the largest |div E - 4 pi rho| and |div B|, relative to the largest derivative of the fields."""
        electric, magnetic = self._coefficients(state)
        found = [1j * (self._k * field).sum(1, keepdim=True) for field in (electric, magnetic)]
        if self.source is not None:
            mean = self.space.k2 > 0  # the background neutralizes the mean
            density = self._of_each(self.source.density(self.space, state.time), len(electric))
            found[0] = found[0] - 4 * math.pi * density * self._kept * mean
        scale = self.space.synthesis(self._frequency * torch.cat([electric, magnetic], 1)).abs().amax()
        worst = max(float(self.space.synthesis(x).abs().amax()) for x in found)
        return worst / max(float(scale), 1e-300)

    @property
    def _volume(self) -> float:
        return self.grid.num_nodes * math.prod(self.grid.spacing)

    # --- fields -------------------------------------------------------------------------------------------------

    def _check(self, state: MaxwellState) -> None:
        d = self.grid.d
        check_state(self.grid, {"electric": (state.electric, d), "magnetic": (state.magnetic, 1 if d == 2 else 3)})

    def _coefficients(self, state: MaxwellState) -> tuple[Tensor, Tensor]:
        """Return three components of both fields, without waves at the limit of the grid."""
        self._check(state)
        electric, magnetic = (self.space.analysis(f) * self._kept for f in (state.electric, state.magnetic))
        if self.grid.d == 2:
            zero = torch.zeros_like(magnetic)
            electric, magnetic = torch.cat([electric, zero], 1), torch.cat([zero, zero, magnetic], 1)
        return electric, magnetic

    def _state(self, electric: Tensor, magnetic: Tensor, time: float) -> MaxwellState:
        fields = self.space.synthesis(electric * self._kept), self.space.synthesis(magnetic * self._kept)
        if self.grid.d == 2:
            fields = fields[0][:, :2], fields[1][:, 2:]
        return MaxwellState(*fields, time)


def space_time_faraday(
    states: Iterable[MaxwellState], algebra: CliffordAlgebra
) -> Float[Tensor, "fields bivectors times *spatial"]:
    """Return the Faraday bivector of states at equal intervals, on a grid with time along the first array axis.

    This is a field of bivectors on `Grid((times, *spatial), signature=(d, 1))`: the frame axes of the grid are those
    of space, then time.

    Args:
        states: the states, in the order of time.
        algebra: Cl(2, 1) or Cl(3, 1).

    Raises:
        ValueError: If there is no state, the times are not at equal intervals, shapes differ, or the algebra does not
            have time last.

    Example:
        >>> import torch
        >>> from gaugenet.data import MaxwellState, space_time_faraday
        >>> from gaugenet.groups import CliffordAlgebra
        >>> states = [MaxwellState(torch.rand(1, 2, 8, 8), torch.rand(1, 1, 8, 8), t) for t in (0.0, 0.5)]
        >>> space_time_faraday(states, CliffordAlgebra(2, 1)).shape
        torch.Size([1, 3, 2, 8, 8])
    """
    found = list(states)
    if not found:
        raise ValueError("Expected at least one state, got none.")
    shapes = {(tuple(s.electric.shape), tuple(s.magnetic.shape)) for s in found}
    if len(shapes) > 1:
        raise ValueError(f"Expected states of one shape, got E and B of the shapes {sorted(shapes)}.")
    times = np.array([s.time for s in found], dtype=np.float64)
    steps = np.diff(times)
    if len(steps) and not (steps[0] > 0 and np.ptp(steps) <= 1e-6 * steps[0]):
        raise ValueError(f"Expected states at equal intervals in the order of time, got the times {times.tolist()}.")
    if algebra.q != 1 or algebra.p != found[0].electric.shape[1]:
        raise ValueError(
            f"Expected the algebra of space-time with time last, Cl({found[0].electric.shape[1]}, 1), got {algebra}."
        )
    each = [faraday(s.electric.movedim(1, -1), s.magnetic.movedim(1, -1), algebra).movedim(-1, 1) for s in found]
    # the frame axes x, y, z are the array axes from the last one; time is the frame axis after them
    return typed_tensor(torch.stack(each, 2).contiguous())


def _finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


__all__ = ["ChargeClouds", "ChargeSource", "MaxwellState", "PeriodicMaxwell", "space_time_faraday"]
