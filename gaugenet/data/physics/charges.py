"""MovingCharges: the exact electromagnetic field of moving point charges (Lienard-Wiechert), at any event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive, positive_number
from gaugenet.geometry import Grid
from gaugenet.groups import CliffordAlgebra, PseudoOrthogonal, faraday
from gaugenet.groups.clifford.physics import time_axis

NEWTON, DAMPED = 8, 40
_TRIES = 200


@dataclass(frozen=True)
class MovingCharges:
    r"""Charges on the paths r(t) = position + velocity t + amplitude sin(frequency t + phase), for c = 1.

    Their field at an event is a closed form of the retarded time, which is found by Newton's method
    (:cite:`jackson1999electrodynamics`, Eqs. 14.13 and 14.14, in units with E = q n / R^2 at rest):
    E = q [(n - b) / (gamma^2 k^3 R^2) + n x ((n - b) x b') / (k^3 R)], B = n x E, k = 1 - n b. It solves Maxwell's
    equations exactly, without a grid, so it can be evaluated at the events of any observer.

    Args:
        charge: charges `(C,)`.
        position, velocity, amplitude: vectors `(C, 3)`.
        frequency, phase: numbers `(C,)`.

    Raises:
        ValueError: If shapes do not match, numbers are not finite, or a charge could reach the speed of light.

    Example:
        >>> import torch
        >>> from gaugenet.data.physics.charges import MovingCharges
        >>> zero, one = torch.zeros(1, 3), torch.ones(1)
        >>> charge = MovingCharges(2 * one, zero, zero, zero, one, 0 * one)  # at rest in the origin
        >>> electric, magnetic = charge.fields(torch.tensor([[0.0, 0.0, 0.0, 2.0]]))  # at distance 2
        >>> [round(value, 6) for value in electric[0].tolist()]
        [0.0, 0.0, 0.5]
    """

    charge: Float[Tensor, "charges"]
    position: Float[Tensor, "charges 3"]
    velocity: Float[Tensor, "charges 3"]
    amplitude: Float[Tensor, "charges 3"]
    frequency: Float[Tensor, "charges"]
    phase: Float[Tensor, "charges"]

    def __post_init__(self) -> None:
        count = len(self.charge)
        for name, shape in (("position", (count, 3)), ("velocity", (count, 3)), ("amplitude", (count, 3)),
                            ("frequency", (count,)), ("phase", (count,))):  # fmt: skip
            value = getattr(self, name)
            if tuple(value.shape) != shape:
                raise ValueError(f"Expected `{name}` of shape {shape} for {count} charges, got {tuple(value.shape)}.")
        for name in ("charge", "position", "velocity", "amplitude", "frequency", "phase"):
            if not bool(torch.isfinite(getattr(self, name)).all()):
                raise ValueError(f"Expected finite numbers in `{name}`, got NaN or infinite ones.")
        if count and self.max_speed >= 1:
            raise ValueError(
                f"Expected |velocity| + |amplitude| frequency below 1, the speed of light, got {self.max_speed:.3g}."
            )

    @property
    def max_speed(self) -> float:
        """An upper bound of the speeds of the charges."""
        swing = torch.linalg.vector_norm(self.amplitude, dim=1) * self.frequency.abs()
        return float((torch.linalg.vector_norm(self.velocity, dim=1) + swing).max())

    @classmethod
    def random(
        cls,
        count: int,
        *,
        spread: float = 1.0,
        inner: float = 0.0,
        speed: float = 0.3,
        planar: bool = False,
        seed: int | None = None,
    ) -> MovingCharges:
        """Return random oscillating charges of both signs in a ball.

        Args:
            count: number of charges.
            spread: radius of the ball of their mean positions at time 0.
            inner: radius of a smaller ball without charges.
            speed: upper bound of their drift and of their oscillation, below 0.5.
            planar: whether charges are in the plane z = 0.
            seed: seed of the random numbers.
        """
        if not 0 <= speed < 0.5:
            raise ValueError(f"Expected `speed` below one half of the speed of light, got {speed}.")
        generator = None if seed is None else torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            x = torch.randn(*shape, generator=generator, dtype=torch.float64)
            if planar and len(shape) == 2:
                x[:, 2] = 0
            return x

        def uniform() -> Tensor:
            return torch.rand(count, generator=generator, dtype=torch.float64)

        def bounded(limit: Tensor) -> Tensor:
            return limit[:, None] * torch.nn.functional.normalize(normal(count, 3), dim=1)

        positive("count", count)
        frequency = (0.5 + uniform()) * 2 / positive_number("spread", spread)
        return cls(
            charge=normal(count).sign() * (0.5 + uniform()),
            position=bounded(inner + (spread - inner) * uniform()),
            velocity=bounded(speed * uniform()),
            amplitude=bounded(speed * uniform() / frequency),
            frequency=frequency,
            phase=6.283185307179586 * uniform(),
        )

    def path(self, t: Float[Tensor, "*events charges"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return position, velocity and acceleration of every charge at its time."""
        angle = (self.frequency * t + self.phase)[..., None]
        swing = self.frequency[:, None] * self.amplitude
        place = self.position + self.velocity * t[..., None] + self.amplitude * angle.sin()
        return place, self.velocity + swing * angle.cos(), -self.frequency[:, None] * swing * angle.sin()

    def retarded_times(self, events: Float[Tensor, "*events 4"]) -> Float[Tensor, "*events charges"]:
        """Return the times s at which light left each charge to reach the events `(t, x, y, z)`: t - s = |x - r(s)|.

        The residual decreases with s at a rate between 1 - v and 1 + v, so steps of the residual over 1 + v converge.
        Newton's method follows.
        """
        t, x = events[..., :1], events[..., None, 1:]
        now = self.path(t.expand(*t.shape[:-1], len(self.charge)))[0]
        s: Tensor = t - torch.linalg.vector_norm(x - now, dim=-1)
        for step in range(DAMPED + NEWTON):
            place, velocity, _ = self.path(s)
            distance = torch.linalg.vector_norm(x - place, dim=-1)
            along = ((x - place) * velocity).sum(-1) / distance.clamp(min=1e-300)
            slope = 1 - along if step >= DAMPED else torch.full_like(s, 1 + self.max_speed)
            s = s + (t - s - distance) / slope
        return s

    def fields(
        self, events: Float[Tensor, "*events 4"]
    ) -> tuple[Float[Tensor, "*events 3"], Float[Tensor, "*events 3"]]:
        """Return E and B at the events `(t, x, y, z)` in float64.

        Raises:
            ValueError: If `events` do not have four coordinates, or an event is on the path of a charge.
        """
        if events.dim() < 1 or events.shape[-1] != 4:
            raise ValueError(f"Expected `events` (..., 4), time first, got shape {tuple(events.shape)}.")
        events = events.to(torch.float64)
        place, b, acceleration = self.path(self.retarded_times(events))
        difference = events[..., None, 1:] - place
        distance = torch.linalg.vector_norm(difference, dim=-1, keepdim=True)
        if bool((distance < 1e-12).any()):
            raise ValueError("Expected events away from the charges, got one on the path of a charge.")
        n = difference / distance
        k3 = (1 - (n * b).sum(-1, keepdim=True)) ** 3
        near = (n - b) * (1 - b.square().sum(-1, keepdim=True)) / (k3 * distance.square())
        far = torch.linalg.cross(n, torch.linalg.cross(n - b, acceleration)) / (k3 * distance)
        electric = self.charge[:, None] * (near + far)
        return electric.sum(-2), torch.linalg.cross(n, electric).sum(-2)

    def distances(self, events: Float[Tensor, "*events 4"]) -> Float[Tensor, "*events charges"]:
        """Return the distances from the events to the charges at the retarded times."""
        place = self.path(self.retarded_times(events))[0]
        distance: Tensor = torch.linalg.vector_norm(events[..., None, 1:] - place, dim=-1)
        return distance

    def faraday(
        self, events: Float[Tensor, "*events n"], algebra: CliffordAlgebra, boost: Float[Tensor, "n n"] | None = None
    ) -> Float[Tensor, "*events bivectors"]:
        """Return the Faraday bivector at events in the coordinates of a space-time algebra; z = 0 if n = 3.

        With `boost` g it is the field of another observer: F'(x) = Lambda^2(g) F(g^-1 x), exactly.

        Raises:
            ValueError: If the events do not have n coordinates, or n = 3 and a charge leaves the plane.
        """
        if events.shape[-1] != algebra.n:
            raise ValueError(f"Expected `events` with {algebra.n} coordinates for {algebra}, got {events.shape[-1]}.")
        paths = torch.stack([self.position, self.velocity, self.amplitude])
        if algebra.n == 3 and bool((paths[..., 2] != 0).any()):
            raise ValueError("Expected charges in the plane z = 0 for two dimensions of space: use `planar=True`.")
        group = PseudoOrthogonal(algebra.p, algebra.q)
        events = events.to(torch.float64)
        if boost is not None:
            if not bool(group.contains(boost)):
                raise ValueError(f"Expected `boost` to be an element of {group.name}.")
            events = events @ torch.linalg.inv(boost).T
        ordered = _time_first(events, algebra)
        electric, magnetic = self.fields(ordered)
        if algebra.n == 3:
            electric, magnetic = electric[..., :2], magnetic[..., 2:]
        found = faraday(electric, magnetic, algebra)
        return found if boost is None else found @ group.exterior(2)(boost).T


def _time_first(events: Float[Tensor, "*events n"], algebra: CliffordAlgebra) -> Float[Tensor, "*events 4"]:
    """Return coordinates `(t, x, y, z)` of events of a space-time algebra; z = 0 in two dimensions of space."""
    if time_axis(algebra):
        events = events.roll(1, -1)
    return torch.cat([events, torch.zeros_like(events[..., :1])], -1) if algebra.n == 3 else events


def random_charges(
    count: int,
    grid: Grid,
    *,
    charges: int = 3,
    clearance: float | None = None,
    boosts: Sequence[Float[Tensor, "n n"]] = (),
    seed: int = 0,
) -> list[MovingCharges]:
    """Return random charges in the plane, outside of a grid of space-time in 2 + 1 dimensions.

    Args:
        count: number of samples.
        grid: a grid of `signature` (1, 2) or (2, 1).
        charges: number of charges in each sample.
        clearance: least distance of charges from the events, by default the largest spacing; other samples are
            rejected.
        boosts: observers whose events must have this clearance, too.
        seed: seed of the random numbers.

    Raises:
        ValueError: If the signature of the grid is invalid, or charges cannot be placed with this clearance.
    """
    algebra, own = _planar_algebra(grid), grid.pos
    events = [own, *(own @ torch.linalg.inv(g).T for g in boosts)]
    space = own[:, 1:] if time_axis(algebra) == 0 else own[:, :2]
    half = float(torch.linalg.vector_norm(space, dim=1).max())
    least = max(grid.spacing) if clearance is None else clearance
    found: list[MovingCharges] = []
    for attempt in range(_TRIES * positive("count", count)):
        drawn = MovingCharges.random(
            charges, spread=2 * half, inner=1.2 * half, planar=True, seed=seed * 1_000_003 + attempt
        )
        if all(float(drawn.distances(_time_first(e, algebra)).min()) >= least for e in events):
            found.append(drawn)
        if len(found) == count:
            return found
    raise ValueError(f"Found {len(found)} of {count} samples with a `clearance` of {least}: use a smaller one.")


def faraday_fields(
    charges: Sequence[MovingCharges], grid: Grid, *, boost: Float[Tensor, "n n"] | None = None
) -> Float[Tensor, "samples bivectors *shape"]:
    """Return Faraday bivectors on a grid of space-time in 2 + 1 dimensions, for an observer at rest or boosted.

    Args:
        charges: the charges of each sample.
        grid: a grid of `signature` (1, 2) or (2, 1).
        boost: an element of O(p, q) for the exact field of another observer.

    Raises:
        ValueError: If the signature of the grid is invalid, or a charge leaves the plane.
    """
    algebra = _planar_algebra(grid)
    return torch.stack([c.faraday(grid.pos, algebra, boost).T.reshape(-1, *grid.shape) for c in charges])


def _planar_algebra(grid: Grid) -> CliffordAlgebra:
    if grid.signature not in ((1, 2), (2, 1)):
        raise ValueError(f"Expected a grid with `signature` (1, 2) or (2, 1), got {grid.signature}.")
    return CliffordAlgebra(*grid.signature)


__all__ = [
    "MovingCharges",
    "faraday_fields",
    "random_charges",
]
