"""The same SU(2) field in two gauges: links and features change, densities and norms do not.

    python examples/lattice_gauges.py [--extent 10] [--flow 2] [--picture gauges.png]

A field in four dimensions is drawn by heat bath, and transformed by an independent random element at every site. Both
are shown on one plane. Links and the components of a feature depend on the gauge. The feature starts at one site and is
carried to others by `GaugeConv`s, so its norm is invariant. So are the density of the plaquettes and that of the
topological charge, which is visible only after the gradient flow :cite:`luscher2010properties` has smoothed the field.
The script fails if an invariant panel changes, or a panel that depends on the gauge does not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from gaugenet import FieldType, GaugeConv
from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU
from gaugenet.kernels import Shifts

GROUP = SU(2)
MATTER = FieldType(GROUP, "1xfundamental")
Panels = dict[str, tuple[Tensor, bool]]
"""Values at all sites by title, and whether they are gauge invariant."""


def sample(extent: int, beta: float) -> LatticeGaugeField:
    sampler = HeatBath(GROUP, (extent,) * 4, beta, seed=3, overrelaxation=2)
    sampler.update(40)
    return sampler.field


def transported(x: Tensor, field: LatticeGaugeField, layers: int = 4) -> Tensor:
    """Return features after some convolutions with weights that do not depend on the gauge."""
    torch.manual_seed(0)
    for _ in range(layers):
        x = GaugeConv(MATTER, MATTER, kernel=Shifts(4), bias=False, dtype=torch.float64)(x, field)
    return x.detach()


def smoothed(field: LatticeGaugeField, time: float) -> LatticeGaugeField:
    smooth = field.gradient_flow(time, steps=int(10 * time) + 1)
    charges = field.topological_charge().item(), smooth.topological_charge().item()
    print(f"topological charge {charges[0]:+.3f}, after the flow {charges[1]:+.3f}", flush=True)
    return smooth


def panels(field: LatticeGaugeField, smooth: LatticeGaugeField, x: Tensor) -> Panels:
    planes = [(mu, nu) for mu in range(4) for nu in range(mu)]
    action = torch.stack([1 - field.wilson_loop(mu, nu, 1, 1).real for mu, nu in planes]).mean(0)
    y = transported(x, field)
    return {
        "Re tr U / 2 of a link": (field.links[0, 0].diagonal(dim1=-2, dim2=-1).mean(-1).real, False),
        "a component of the feature": (y[0, 0], False),
        "norm of the feature": (y[0].norm(dim=0), True),
        "1 - Re tr P / 2": (action[0], True),
        "charge density": (field.topological_density()[0], True),
        "charge density, smoothed": (smooth.topological_density()[0], True),
    }


def check(first: Panels, second: Panels) -> None:
    """Print how much each panel changes, and raise if that is not what it should be."""
    for title, (values, invariant) in first.items():
        change = ((second[title][0] - values).abs().max() / values.abs().max()).item()
        print(f"{title}: changes by {change:.1e} of its maximum", flush=True)
        if invariant != (change < 1e-10):
            raise RuntimeError(
                f"Expected `{title}` {'not ' * invariant}to depend on the gauge, it changes by {change}."
            )


def draw(path: Path, rows: list[Panels], z: int, t: int) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(rows[0]), figsize=(3 * len(rows[0]), 5.6), layout="constrained")
    for row, one in enumerate(rows):
        for axis, (title, (values, invariant)) in zip(axes[row], one.items(), strict=True):
            plane, reference = values[:, :, z, t], rows[0][title][0][:, :, z, t]
            limit, signed = reference.abs().max().item(), bool((reference < 0).any())
            low, colors = (-limit, "RdBu") if signed else (0.0, "magma")
            shown = axis.imshow(plane.numpy(), cmap=colors, vmin=low, vmax=limit)
            axis.set(title=title if row == 0 else "", xticks=[], yticks=[])
            figure.colorbar(shown, ax=axis, shrink=0.7)
            axis.set_xlabel("the same" if invariant and row else "")
        axes[row, 0].set_ylabel(["a gauge", "another gauge"][row])
    figure.savefig(path, dpi=64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extent", type=int, default=10)
    parser.add_argument("--beta", type=float, default=2.4)
    parser.add_argument("--flow", type=float, default=2.0, help="time, in units of the squared lattice spacing")
    parser.add_argument("--picture", type=Path, default=Path("gauges.png"))
    arguments = parser.parse_args()
    field = sample(arguments.extent, arguments.beta)
    omega = field.random_gauge(generator=torch.Generator().manual_seed(1))
    smooth = smoothed(field, arguments.flow)
    center = torch.unravel_index(smooth.topological_density()[0].abs().argmax(), field.shape)  # where charge is
    x = torch.zeros(1, MATTER.size, *field.shape, dtype=torch.float64)
    x[(0, 0, *center)] = 1
    moved = field.gauge_transform(omega)
    first = panels(field, smooth, x)
    second = panels(moved, smoothed(moved, arguments.flow), MATTER.transform(omega, x))
    check(first, second)
    draw(arguments.picture, [first, second], int(center[2]), int(center[3]))


if __name__ == "__main__":
    main()
