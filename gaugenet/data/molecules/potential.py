"""AngularLennardJones: an analytic potential of clusters of atoms, with forces in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.data.molecules.elements import atomic_number


@dataclass(frozen=True)
class Element:
    """Parameters of the atoms of one element.

    Attributes:
        size: sigma of the pair term, in Angstrom.
        depth: epsilon of the pair term, in eV.
        stiffness: lambda of the angular term, in eV.
        cosine: cosine of the angle at which the angular term is zero.
    """

    size: float
    depth: float
    stiffness: float
    cosine: float


ELEMENTS = {
    "C": Element(1.40, 0.40, 8.0, -1 / 3),
    "N": Element(1.30, 0.35, 6.0, -1 / 3),
    "O": Element(1.25, 0.45, 4.0, -0.25),
}
"""Default parameters: atoms of about the size and the stiffness of the elements, not a model of them."""


class AngularLennardJones:
    r"""A Lennard-Jones potential of pairs, with an angular term of triples: units are eV and Angstrom.

    The energy is the sum over pairs of 4 eps ((sigma/r)^12 - (sigma/r)^6) s(r), and over triples with the centre i of
    lambda_i h(r_ij) h(r_ik) (cos(j i k) - c_i)^2, with h(r) = exp(gamma sigma / (r - a sigma)) inside a sigma. The
    angular term is that of :cite:`stillinger1985computer`. The switch s(r) decreases from 1 to 0 between 0.75 and 1
    times `reach` sigma, twice differentiable. Pairs of different elements have the arithmetic mean of sigma and the
    geometric mean of eps.

    Args:
        species: `(N,)` atomic numbers, or symbols of elements.
        reach: distance at which the pair term ends, in units of sigma.
        elements: parameters by symbol; default `ELEMENTS`.
        angular: factor of the angular term; 0 leaves pairs only.

    Raises:
        ValueError: If an element has no parameters, or `reach` is not positive.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import AngularLennardJones
        >>> pair = AngularLennardJones(["C", "C"])
        >>> energy, forces = pair(np.array([[0, 0, 0], [0, 0, 2 ** (1 / 6) * 1.4]]))  # the minimum
        >>> round(float(energy), 6), bool(abs(forces).max() < 1e-12)
        (-0.4, True)
    """

    energy_unit = "eV"
    decay = 1.2
    angular_reach = 1.8

    def __init__(
        self,
        species: Int[ndarray, "atoms"] | Sequence[str],
        *,
        reach: float = 2.5,
        elements: dict[str, Element] | None = None,
        angular: float = 1.0,
    ) -> None:
        known = {atomic_number(symbol): one for symbol, one in (elements or ELEMENTS).items()}
        numbers = [atomic_number(s) if isinstance(s, str) else int(s) for s in species]
        missing = sorted(set(numbers) - set(known))
        if missing:
            raise ValueError(
                f"Expected elements with parameters, got atomic numbers {missing}: pass `elements={{symbol: ...}}`."
            )
        self.species = np.array(numbers)
        own = [known[z] for z in numbers]
        size, depth = np.array([e.size for e in own]), np.array([e.depth for e in own])
        self._size = (size[:, None] + size) / 2
        self._depth = np.sqrt(depth[:, None] * depth)
        self._cutoff = positive_number("reach", reach) * self._size
        self._stiffness = angular * np.array([e.stiffness for e in own])
        self._cosine = np.array([e.cosine for e in own])
        self._other = ~np.eye(len(numbers), dtype=bool)

    @property
    def cutoff(self) -> float:
        """The largest distance at which two atoms interact, in Angstrom."""
        return float(max(self._cutoff.max(), self.angular_reach * self._size.max()))

    def __call__(
        self, pos: Float[ndarray, "*batch atoms 3"]
    ) -> tuple[Float[ndarray, "*batch"], Float[ndarray, "*batch atoms 3"]]:
        """Return energies in eV and forces in eV/Angstrom."""
        d = pos[..., None, :, :] - pos[..., :, None, :]  # from i to j
        r = np.sqrt((d**2).sum(-1)) + ~self._other
        unit = d / r[..., None]
        pair, slope = self._pair(r)
        angle, along, across = self._angular(r, unit)
        gradient = (slope / 2 + along)[..., None] * unit + across  # of the energy in d
        forces = gradient.sum(-2) - gradient.sum(-3)
        return pair.sum((-1, -2)) / 2 + angle, forces

    def _pair(self, r: ndarray) -> tuple[ndarray, ndarray]:
        """Return the pair term and its derivative for every ordered pair."""
        q = (self._size / r) ** 6
        well, well_slope = 4 * self._depth * (q**2 - q), 4 * self._depth * (6 * q - 12 * q**2) / r
        width = self._cutoff / 4
        x = np.clip((self._cutoff - r) / width, 0, 1)
        s, s_slope = x**3 * (10 - 15 * x + 6 * x**2), -30 * x**2 * (1 - x) ** 2 / width
        return self._other * well * s, self._other * (well_slope * s + well * s_slope)

    def _angular(self, r: ndarray, unit: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Return the angular energy, and its gradient in the vector from i to j: along it, and across it."""
        gap = r - self.angular_reach * self._size
        inside = self._other & (gap < 0)
        gap = np.where(inside, gap, -1.0)
        h = inside * np.exp(self.decay * self._size / gap)
        h_slope = -h * self.decay * self._size / gap**2
        cosine = unit @ np.swapaxes(unit, -1, -2)  # [i, j, k], since unit[i] has the directions from i
        bend = (cosine - self._cosine[:, None, None]) * self._other[None]  # j and k differ
        weight = self._stiffness[:, None] * h
        energy = (weight[..., None] * h[..., None, :] * bend**2).sum((-1, -2, -3)) / 2
        along = self._stiffness[:, None] * h_slope * (bend**2 * h[..., None, :]).sum(-1)
        pull = 2 * weight[..., None] * h[..., None, :] * bend
        across = (pull @ unit - (pull * cosine).sum(-1)[..., None] * unit) / r[..., None]
        return energy, along, across

    def minimum(self, *, seed: int = 0, tries: int = 20) -> Float[ndarray, "atoms 3"]:
        """Return the positions of the lowest of several local minima, found from random positions.

        Args:
            seed: seed of the random positions.
            tries: number of minimizations.
        """
        from scipy.optimize import minimize

        rng, count = np.random.default_rng(seed), len(self.species)
        scale = self._size.mean() * count ** (1 / 3)

        def objective(x: ndarray) -> tuple[float, ndarray]:
            energy, forces = self(x.reshape(count, 3))
            return float(energy), -forces.reshape(-1)

        starts = [_spread(rng, count, scale, 0.8 * self._size.mean()) for _ in range(tries)]
        found = [minimize(objective, x.reshape(-1), jac=True, method="L-BFGS-B") for x in starts]
        best: ndarray = min(found, key=lambda result: result.fun).x.reshape(count, 3)
        return typed_array(best - best.mean(0))


def _spread(rng: np.random.Generator, count: int, scale: float, least: float) -> ndarray:
    """Return random positions in a box with at least a distance between any two."""
    placed: list[ndarray] = []
    while len(placed) < count:
        point = rng.uniform(-scale / 2, scale / 2, 3)
        if all(np.linalg.norm(point - other) > least for other in placed):
            placed.append(point)
        else:
            scale *= 1.001
    return np.array(placed)


__all__ = ["ELEMENTS", "AngularLennardJones", "Element"]
