"""Gauge-equivariance errors of nonlinearities: the table in their docstrings.

    python benchmarks/nonlinearity.py

Normal coefficients of orders 0 to 2 with standard deviation 0.2, 1 and 10, float64; the error is the
root mean square over random points and rotations, relative to the root mean square of the output.
"""

from __future__ import annotations

import torch

from gaugenet.groups import SO2, SO3, FieldType
from gaugenet.nn import FourierNonlinearity, GatedNonlinearity, NormNonlinearity

POINTS = 2000
SPACES = {
    "circle": (FieldType(SO2(), "4x0 + 4x1 + 4x2"), (5, 7, 15, 21, 31, 61, 101)),
    "sphere": (FieldType(SO3(), "4x0 + 4x1 + 4x2"), (5, 8, 12, 18, 22, 30)),
    "rotations": (FieldType(SO3(), "1x0 + 3x1 + 5x2"), (5, 8, 10, 12, 16, 18)),
}
"""Field types and numbers of samples, by the space of the functions."""


def gauge_error(layer: torch.nn.Module, *, scale: float = 1.0, seed: int = 0) -> float:
    """Return the RMS of layer(g x) - g layer(x), divided by the RMS of layer(x)."""
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(POINTS, layer.in_type.size, generator=generator, dtype=torch.float64)
    g = layer.in_type.group.random_element(POINTS, generator=generator)
    expected = layer.out_type.transform(g, layer(x))
    got = layer(layer.in_type.transform(g, x))
    return ((got - expected).square().mean() / expected.square().mean()).sqrt().item()


def main() -> None:
    """Print the error of each nonlinearity by number of samples."""
    for space, (field_type, counts) in SPACES.items():
        print(f"{space:24}" + "".join(f"{n:>10}" for n in counts) + "  samples")
        for scale in (0.2, 1.0, 10.0):
            for activation in ("relu", "gelu", "silu", "elu", "tanh"):
                layers = [FourierNonlinearity(field_type, activation=activation, samples=n).double() for n in counts]
                errors = "".join(f"{gauge_error(layer, scale=scale):10.1e}" for layer in layers)
                print(f"{f'Fourier {activation}, scale {scale:g}':24}{errors}")
        for exact in (GatedNonlinearity(field_type), NormNonlinearity(field_type).double()):
            print(f"{type(exact).__name__:24}{gauge_error(exact):10.1e}")


if __name__ == "__main__":
    with torch.no_grad():
        main()
