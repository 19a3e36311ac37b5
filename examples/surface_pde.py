"""Discovery of a partial differential equation on surfaces, and roll-outs on other surfaces.

    python examples/surface_pde.py [--level 4] [--radius 0.2] [--test-levels 4] [--out surface_pde.png]

Finite elements solve u_t = D lap u + u (1 - u) - div(u v), with a tangent flow v, on bumpy spheres. One layer of
differential operators with 7 weights learns the right-hand side from snapshots on three of them, and is rolled out for
200 steps on other surfaces with other meshes.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from gaugenet.data.meshes.reaction_diffusion import Equation, Surface, bumps_of_mass, bumpy_sphere, solve
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import Differential
from gaugenet.nn import GaugeConv
from gaugenet.viz import MeshView, render_meshes

STEP, EQUATION = 0.01, Equation(diffusion=0.05)
FIELDS, SCALAR = FieldType(SO2(), "2x0 + 1x1"), FieldType(SO2(), "1x0")


class Operators(GaugeConv):
    """One layer of operators up to order 2, the right-hand side of the equation."""

    def __init__(self) -> None:
        super().__init__(FIELDS, SCALAR, kernel=Differential(max_order=2, degree=3))

    def diffusion(self, radius: float) -> float:
        """Return the coefficient of the Laplacian of u."""
        pair = next(p for p in self.kernels.pairs if p.key == (2, 0))
        return pair.weight(self.weight)[0, 0, 0, 0].item() * radius**2


def features(surface: Surface, u: Tensor) -> Tensor:
    """Return u, u^2 and u v in the frames of the graph, `(V, 4)`."""
    v = torch.einsum("nda,nd->na", surface.graph.frame, torch.from_numpy(surface.flow))
    return torch.cat([u, u**2, u * v], 1)


def states(surface: Surface, seed: int, steps: int) -> Tensor:
    """Return the states `(steps + 1, V, 1)` by finite elements."""
    found = solve(surface, bumps_of_mass(surface, seed), EQUATION, step=STEP, steps=steps)
    return torch.from_numpy(found)[..., None]


def learn(model: Operators, data: list[tuple[Surface, Tensor, Tensor]]) -> None:
    """Fit the right-hand side to time derivatives, by a method of second order."""
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12)

    def loss() -> Tensor:
        optimizer.zero_grad()
        terms = [(model(features(s, u), s.graph) - slope).square().mean() for s, u, slope in data]
        total = torch.stack(terms).mean()
        total.backward()
        return total

    optimizer.step(loss)


@torch.no_grad()
def roll_out(model: Operators, surface: Surface, u: Tensor, steps: int) -> Tensor:
    """Return the state after `steps` steps of Heun's method."""
    for _ in range(steps):
        first = model(features(surface, u), surface.graph)
        u = u + STEP / 2 * (first + model(features(surface, u + STEP * first), surface.graph))
    return u


def main() -> None:
    """Learn, roll out, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, default=4, help="of the icospheres that the meshes come from")
    parser.add_argument("--radius", type=float, default=0.2, help="of the neighbourhoods, the same on every surface")
    parser.add_argument("--test-levels", type=int, nargs="+", default=[4])
    parser.add_argument("--rollout", type=int, default=200)
    parser.add_argument("--out", default="surface_pde.png")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    data = []
    for seed in range(3):
        surface = bumpy_sphere(args.level, seed, radius=args.radius)
        u = states(surface, seed, args.rollout)
        data += [(surface, u[k], (u[k + 1] - u[k - 1]) / (2 * STEP)) for k in range(1, args.rollout, 10)]
    model = Operators()
    learn(model, data)
    print(f"{sum(p.numel() for p in model.parameters())} weights", end=", ")
    print(f"diffusion {model.diffusion(args.radius):.5f}, true value {EQUATION.diffusion}")
    views = []
    for level in args.test_levels:
        errors = []
        for seed in (10, 11):
            surface = bumpy_sphere(level, seed, radius=args.radius)
            u, mass = states(surface, seed, args.rollout), surface.graph.mass[:, None]
            found = roll_out(model, surface, u[0], args.rollout)
            errors.append(((mass * (found - u[-1]) ** 2).sum() / (mass * u[-1] ** 2).sum()).sqrt().item())
            for name, state in (("start", u[0]), ("finite elements", u[-1]), ("learned", found)):
                mesh = {"vertices": surface.mesh.vertices, "faces": surface.mesh.faces, "up": "z", "scalar_name": "u"}
                views.append(MeshView(name=f"level {level}, {name}", scalar=state[:, 0], **mesh))
        print(f"level {level}: relative error after {args.rollout} steps {100 * np.mean(errors):.2f} %", flush=True)
    render_meshes(args.out, views, columns=3)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
