"""Heat, wave and Cahn-Hilliard equations on closed meshes: synthetic data by finite elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._validation import positive, positive_number
from gaugenet.data.meshes.laplacian import cotan_laplacian
from gaugenet.geometry import TriangleMesh

Stepper = Callable[[ndarray], ndarray]


class Evolution(Protocol):
    """An equation of evolution on a surface, with linear finite elements and the mass at the vertices."""

    def start(self, mesh: TriangleMesh, seed: int) -> Float[ndarray, "vertices components"]:
        """Return a random state."""
        ...

    def stepper(self, mesh: TriangleMesh, step: float) -> Stepper:
        """Return the map from a state `(V, C)` to the state after `step`."""
        ...


@dataclass(frozen=True)
class Heat:
    """The equation u_t = D lap u, by the rule of Crank and Nicolson. States are `(V, 1)`."""

    diffusion: float = 1.0

    def start(self, mesh: TriangleMesh, seed: int) -> Float[ndarray, "vertices 1"]:
        return _bumps(mesh, seed)

    def stepper(self, mesh: TriangleMesh, step: float) -> Stepper:
        mass, stiffness = _matrices(mesh)
        half = step / 2 * self.diffusion * stiffness
        solve = _inverse(mass + half)
        return lambda u: solve((mass - half) @ u)


@dataclass(frozen=True)
class Wave:
    """The equation u_tt = c^2 lap u, by the trapezoidal rule, which keeps the energy. States `(V, 2)` are u and u_t."""

    speed: float = 1.0

    def start(self, mesh: TriangleMesh, seed: int) -> Float[ndarray, "vertices 2"]:
        u = _bumps(mesh, seed)
        return np.concatenate([u, 0 * u], 1)

    def stepper(self, mesh: TriangleMesh, step: float) -> Stepper:
        mass, stiffness = _matrices(mesh)
        force = (step / 2 * self.speed) ** 2 * stiffness
        solve = _inverse(mass + force)

        def advance(state: ndarray) -> ndarray:
            u, v = state[:, :1], state[:, 1:]
            new = solve((mass - force) @ u + step * (mass @ v))
            return np.concatenate([new, 2 / step * (new - u) - v], 1)

        return advance


@dataclass(frozen=True)
class CahnHilliard:
    """The equation u_t = lap(u^3 - u - w^2 lap u): two phases, u = 1 and u = -1, separate. States are `(V, 1)`.

    The convex part of the energy and the stabilization 2 u are implicit (:cite:`eyre1998unconditionally`), so that the
    energy decreases for steps of any size.

    Args:
        width: w; the boundary between two phases is about 3 w wide.
    """

    width: float = 0.04

    def start(self, mesh: TriangleMesh, seed: int) -> Float[ndarray, "vertices 1"]:
        noise = np.random.default_rng(seed).normal(size=(mesh.num_vertices, 1))
        smooth = Heat().stepper(mesh, self.width**2)(noise)
        state: ndarray = 0.1 * (smooth - smooth.mean()) / smooth.std()
        return state

    def stepper(self, mesh: TriangleMesh, step: float) -> Stepper:
        from scipy.sparse import diags_array

        mass, stiffness = _matrices(mesh)
        flux = step * stiffness @ diags_array(1 / mass.diagonal())
        solve = _inverse(mass + flux @ (self.width**2 * stiffness + 2 * mass))
        return lambda u: solve(mass @ u - flux @ (mass @ (u**3 - 3 * u)))


def evolve(
    mesh: TriangleMesh, equation: Evolution, *, step: float, steps: int, seed: int = 0, substeps: int = 1
) -> Float[ndarray, "snapshots vertices components"]:
    """Return snapshots of a solution with a random start, at the times 0, `step`, ..., `steps * step`.

    Args:
        mesh: a mesh without isolated vertices.
        equation: `Heat`, `Wave`, `CahnHilliard` or an equation of your own.
        step: time between two snapshots.
        steps: number of snapshots after the first.
        seed: of the start.
        substeps: steps of the solver between two snapshots.

    Raises:
        ValueError: If a number is not positive.

    Example:
        >>> from gaugenet.data.meshes.evolution import Heat, evolve
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.geometry import TriangleMesh
        >>> deer = TriangleMesh.load(bodies() / "test" / "deer_0.ply")
        >>> evolve(deer, Heat(), step=1e-3, steps=10).shape
        (11, 1051, 1)
    """
    positive_number("step", step)
    advance = equation.stepper(mesh, step / positive("substeps", substeps))
    return np.stack(list(_snapshots(advance, equation.start(mesh, seed), positive("steps", steps), substeps)))


def _snapshots(advance: Stepper, state: ndarray, steps: int, substeps: int) -> Iterator[ndarray]:
    yield state
    for _ in range(steps):
        for _ in range(substeps):
            state = advance(state)
        yield state


def _bumps(mesh: TriangleMesh, seed: int) -> Float[ndarray, "vertices 1"]:
    """Return three smooth bumps at random vertices, a fifth of the square root of the area wide."""
    rng = np.random.default_rng(seed)
    centres = mesh.vertices[rng.integers(0, mesh.num_vertices, 3)]
    square = ((mesh.vertices[:, None] - centres) ** 2).sum(-1)
    state: ndarray = (rng.uniform(-1, 1, 3) * np.exp(-square / (0.02 * mesh.area))).sum(1, keepdims=True)
    return state


def _matrices(mesh: TriangleMesh) -> tuple[Any, Any]:
    from scipy.sparse import diags_array

    return diags_array(mesh.vertex_areas), cotan_laplacian(mesh).tocsc()


def _inverse(matrix: Any) -> Callable[[ndarray], ndarray]:
    from scipy.sparse.linalg import splu

    solve: Callable[[ndarray], ndarray] = splu(matrix.tocsc()).solve
    return solve


__all__ = ["CahnHilliard", "Evolution", "Heat", "Wave", "evolve"]
