"""Discovery of a partial differential equation on surfaces, and roll-outs on other surfaces.

    python examples/surface_pde.py [--level 4] [--radius 0.2] [--seeds 3] [--test-levels 4 5] [--out surface_pde.png]

Finite elements solve u_t = D lap u + u (1 - u) - div(u v), with a tangent flow v, on bumpy spheres. One layer of
operators with 7 weights learns the right-hand side on three of them, and is rolled out for 200 steps on two others
with other meshes. `surface_pde_networks.py` trains networks on the same snapshots.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from gaugenet.data.meshes import reaction_diffusion
from gaugenet.data.meshes.reaction_diffusion import Equation, Surface, heun, relative_error
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import Differential
from gaugenet.nn import GaugeConv
from gaugenet.viz import MeshView, render_meshes

STEP, EQUATION, TEST_SEEDS = 0.01, Equation(diffusion=0.05), (20, 21)
FIELDS, SCALAR = FieldType(SO2(), "2x0 + 1x1"), FieldType(SO2(), "1x0")
Snapshots = list[tuple[Surface, Tensor, Tensor]]


def diffusion(model: GaugeConv, radius: float) -> float:
    """Return the coefficient of the Laplacian of u."""
    pair = next(p for p in model.kernels.pairs if p.key == (2, 0))
    return pair.weight(model.kernels.in_units_of_length(model.weight, radius))[0, 0, 0, 0].item()


def surface_of(level: int, seed: int, radius: float) -> Surface:
    """Return a surface, with the finite elements of level 5 or more and at most 120 neighbours."""
    return reaction_diffusion.bumpy_sphere(level, seed, radius=radius, max_neighbors=120, refinements=max(0, 5 - level))


def features(surface: Surface, u: Tensor) -> Tensor:
    """Return u, u^2 and u v in the frames of the graph, `(V, 4)`."""
    v = torch.einsum("nda,nd->na", surface.graph.frame, torch.from_numpy(surface.flow).to(u))
    return torch.cat([u, u**2, u * v], 1)


def states(surface: Surface, seed: int, steps: int) -> Tensor:
    """Return the states `(steps + 1, V, 1)` by finite elements."""
    start = reaction_diffusion.bumps_of_mass(surface, seed)
    found = reaction_diffusion.solve(surface, start, EQUATION, step=STEP, steps=steps, substeps=2)
    return torch.from_numpy(found)[..., None]


def snapshots(level: int, radius: float, run: int, steps: int) -> Snapshots:
    """Return u and u_t on the three surfaces of a training."""
    data = []
    for seed in range(3 * run, 3 * run + 3):
        surface = surface_of(level, seed, radius)
        u = states(surface, seed, steps)
        data += [(surface, u[k], (u[k + 1] - u[k - 1]) / (2 * STEP)) for k in range(1, steps, 10)]
    return data


def learn(model: GaugeConv, data: Snapshots) -> None:
    """Fit the right-hand side to time derivatives, by a method of second order."""
    options = {"max_iter": 200, "tolerance_grad": 1e-12, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS(model.parameters(), **options)

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = sum((model(features(s, u), s.graph) - slope).square().mean() for s, u, slope in data) / len(data)
        total.backward()
        return total

    optimizer.step(loss)


@torch.no_grad()
def rolled_out(model: GaugeConv, surface: Surface, u: Tensor, steps: int) -> Tensor:
    """Return the state after some steps with the learned right-hand side."""
    return heun(lambda x: model(features(surface, x), surface.graph), u, step=STEP, steps=steps)


def main() -> None:
    """Learn, roll out, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, default=4, help="of the icospheres that the meshes come from")
    parser.add_argument("--radius", type=float, default=0.2, help="of the neighbourhoods, the same on every surface")
    parser.add_argument("--seeds", type=int, default=1, help="number of trainings, on other surfaces each")
    parser.add_argument("--test-levels", type=int, nargs="+", default=[4])
    parser.add_argument("--rollout", type=int, default=200)
    parser.add_argument("--out", default="surface_pde.png")
    args = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    models = []
    for run in range(args.seeds):
        torch.manual_seed(run)
        models.append(GaugeConv(FIELDS, SCALAR, kernel=Differential(max_order=2, degree=4)))
        learn(models[run], snapshots(args.level, args.radius, run, args.rollout))
        found = f"diffusion {diffusion(models[run], args.radius):.5f}, true value {EQUATION.diffusion}"
        print(f"{sum(p.numel() for p in models[run].parameters())} weights, {found}", flush=True)
    views: list[MeshView] = []
    for level in args.test_levels:
        errors = []
        for seed in TEST_SEEDS:
            surface = surface_of(level, seed, args.radius)
            u = states(surface, seed, args.rollout)
            ends = [rolled_out(model, surface, u[0], args.rollout) for model in models]
            errors.append([relative_error(surface, end, u[-1]) for end in ends])
            for name, state in (("start", u[0]), ("finite elements", u[-1]), ("learned", ends[0])):
                mesh = {"vertices": surface.mesh.vertices, "faces": surface.mesh.faces, "up": "z", "scalar_name": "u"}
                views.append(MeshView(name=f"level {level}, {name}", scalar=state[:, 0], **mesh))
        shown = " ".join(f"{100 * e:.3f}" for e in np.mean(errors, 0))
        print(f"level {level}: relative error after {args.rollout} steps {shown} %", flush=True)
    render_meshes(args.out, views[:6], columns=3)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
