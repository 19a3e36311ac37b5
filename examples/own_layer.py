"""Your own equivariant layer, and its test.

    python examples/own_layer.py

A layer is an `nn.Module` with an `in_type` and an `out_type`. This one multiplies fields: its outputs are the inner and
the cross product of pairs of tangent vectors, which do not depend on the frame. A second layer makes a common mistake,
and `assert_gauge_equivariant` reports the error, the point and the field.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2, FieldType
from gaugenet.nn import GaugeConv
from gaugenet.testing import assert_gauge_equivariant

MESH = Path(__file__).resolve().parents[1] / "meshes" / "bodies" / "test" / "cat_0.ply"


class VectorProducts(nn.Module):
    """(u_c, v_c) -> (u_c . v_c, u_c x v_c): inner and cross product of `channels` pairs of tangent vectors.

    Shapes:
        x: `(N, 4 channels)`, of type `2 channels x 1` -> `(N, 2 channels)` scalars.

    Equivariance: exact under SO(2). (Under O(2) the cross product changes sign: there its type would be `0-`.)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_type = FieldType(SO2(), {1: 2 * channels})
        self.out_type = FieldType(SO2(), {0: 2 * channels})

    def forward(self, x: Float[Tensor, "vertices in"]) -> Float[Tensor, "vertices out"]:
        self.in_type.check(x)
        # the representation's dimension is the outer index, the multiplicity the inner one
        u, v = self.in_type.blocks[0].split(x).chunk(2, -1)
        inner = (u * v).sum(1)
        cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        return torch.cat([inner, cross], 1)


class BiasOnVectors(nn.Module):
    """A common mistake: a bias on the components of vectors prefers a direction of the frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_type = self.out_type = FieldType(SO2(), {1: channels})
        self.bias = nn.Parameter(torch.full((2 * channels,), 0.1))

    def forward(self, x: Float[Tensor, "vertices in"]) -> Float[Tensor, "vertices in"]:
        return x + self.bias


class Network(nn.Module):
    """The layer between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        products = VectorProducts(8)
        self.in_type, self.out_type = FieldType(SO2(), "4x0"), FieldType(SO2(), "4x1")
        self.first = GaugeConv(self.in_type, products.in_type)
        self.products = products
        self.last = GaugeConv(products.out_type, self.out_type)

    def forward(self, x: Float[Tensor, "vertices 4"], graph) -> Float[Tensor, "vertices 8"]:
        return self.last(self.products(self.first(x, graph)), graph)


def main() -> None:
    """Check the layer and its network, and show a layer that fails."""
    torch.manual_seed(0)
    graph = TriangleMesh.load(MESH).gauge_graph(SO2(), mean_neighbors=16)
    for module in (VectorProducts(8), Network()):
        report = assert_gauge_equivariant(module, graph)
        print(f"{type(module).__name__:15} error {report.error:.1e}, negative control {report.control:.1e}")
    try:
        assert_gauge_equivariant(BiasOnVectors(8), graph)
    except AssertionError as error:
        print(f"\nrefused: {error}")


if __name__ == "__main__":
    main()
