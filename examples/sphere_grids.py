"""One convolution on five grids: HEALPix, reduced Gaussian, latitude-longitude, scattered points, icosphere.

    python examples/sphere_grids.py [--size 12] [--radius 0.5] [--out sphere_grids.png]

The same weights are applied to the same weather, a pressure and a wind that crosses the poles, on every grid. The
outputs agree up to the discretization error. The script prints their difference from the output on the icosphere,
everywhere and near the poles.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from gaugenet.geometry import HEALPix, Icosphere, LatLonSphere, ReducedGaussian, Regridder, SphereDomain, SpherePoints
from gaugenet.groups import SO2, FieldType
from gaugenet.nn import GaugeConv
from gaugenet.viz import SpherePanel, draw_spheres, nearest_point

FIELDS, OUT = FieldType(SO2(), "1x0 + 1x1"), FieldType(SO2(), "1x0 + 1x1")


def grids(size: int) -> dict[str, SphereDomain]:
    """Return four grids of about 12 size^2 points; scattered points are denser in the north."""
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(40 * size**2, 3, generator=generator, dtype=torch.float64)
    random = torch.nn.functional.normalize(random)
    keep = torch.rand(len(random), generator=generator) < 0.3 + 0.2 * random[:, 2]
    return {
        "HEALPix, ring order": HEALPix(size, order="ring"),
        "reduced Gaussian, octahedral": ReducedGaussian(3 * size // 2),
        "latitude-longitude with poles": LatLonSphere.regular(3 * size + 1, 6 * size),
        "scattered points": SpherePoints(random[keep]),
    }


def weather(grid: SphereDomain | Icosphere) -> Tensor:
    """Return pressure and wind in the frames of the grid: waves, and a rotation about an axis near the equator."""
    x, y, z = grid.pos.T
    axis = torch.tensor([0.8, 0.5, 0.3], dtype=torch.float64)
    wind = torch.linalg.cross(axis.expand_as(grid.pos), grid.pos) * (1 + x * y)[:, None]
    pressure = x * y * z + z**3 - 0.5 * x**2
    return torch.cat([pressure[:, None], torch.einsum("ndi,nd->ni", grid.frame, wind)], 1)


def main() -> None:
    """Convolve, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=12, help="nside of HEALPix; the other grids are about as fine")
    parser.add_argument("--radius", type=float, default=0.5, help="of the neighbourhoods, radians")
    parser.add_argument("--out", default="sphere_grids.png", help="the picture")
    options = parser.parse_args()

    torch.manual_seed(0)
    conv = GaugeConv(FIELDS, OUT).double()
    sphere = Icosphere(4)
    with torch.no_grad():
        graph = sphere.gauge_graph(SO2(), connection="levi_civita", radius=options.radius)
        reference = conv(weather(sphere), graph)

    display = LatLonSphere.regular(181, 360)
    low, high = torch.quantile(reference[:, 0], torch.tensor([0.01, 0.99], dtype=torch.float64)).tolist()
    panels = []
    print(f"{'grid':32s} points   difference of scalars, of vectors, of vectors within 10 degrees of a pole")
    for name, grid in grids(options.size).items():
        with torch.no_grad():
            y = conv(weather(grid), grid.gauge_graph(radius=options.radius))
        expected = Regridder(sphere, grid, method="linear")(reference, OUT)
        scale = expected.square().mean(0).sqrt()
        error, length = y - expected, scale[1:].norm()
        polar = grid.lat.abs() > 80
        scalar = float(error[:, 0].square().mean().sqrt() / scale[0])
        vector, near = (float(e[:, 1:].square().sum(1).mean().sqrt() / length) for e in (error, error[polar]))
        print(f"{name:32s} {grid.num_nodes:6d}   {scalar:.4f}   {vector:.4f}   {near:.4f}")
        shown = Regridder(grid, display, method="nearest")(y[:, 0])
        caption = f"{name}: {grid.num_nodes} points"
        panels.append(SpherePanel(name=caption, scalar=shown.numpy(), limits=(low, high)))
    title = "One convolution with the same weights on four grids"
    draw_spheres(options.out, panels, nearest_point(display.pos.numpy()), columns=2, width=640, title=title)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
