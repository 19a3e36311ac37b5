"""Frames are a free choice: a random frame at every vertex does not change the output of a network.

    python examples/gauge_equivariance.py             prints the table, writes gauge_equivariance.png

The network, weights and mesh are the same, and the frame at every vertex is rotated by a random angle. Two negative
controls show that the check can fail: frames that are also reflected, which SO(2) does not allow, and a network that
applies a ReLU to the components of vectors.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from gaugenet.data import HeatKernelSignature, InputFeatures, ShapeOperator
from gaugenet.geometry import GaugeGraph, TriangleMesh, hierarchy
from gaugenet.groups import SO2, FieldType
from gaugenet.models import MeshUNet
from gaugenet.nn import GatedNonlinearity
from gaugenet.viz import MeshView, render_meshes

MESH = Path(__file__).resolve().parents[1] / "meshes" / "bodies" / "test" / "bear_0.ply"
GROUP = SO2()


class ReLUOnComponents(nn.Module):
    """A nonlinearity that is not equivariant: the signs of the components of a vector depend on the frame."""

    def __init__(self, gated: GatedNonlinearity) -> None:
        super().__init__()
        self.in_type, self.out_type = gated.in_type, gated.out_type

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.out_type.size].relu()


def spoiled(model: MeshUNet) -> MeshUNet:
    """Return a model with the same weights and every `GatedNonlinearity` replaced."""
    other = copy.deepcopy(model)
    for module in list(other.modules()):
        for name, child in module.named_children():
            if isinstance(child, GatedNonlinearity):
                setattr(module, name, ReLUOnComponents(child))
    return other


@torch.no_grad()
def change(model: MeshUNet, in_type: FieldType, graph: GaugeGraph, g: Tensor) -> Tensor:
    """Return the relative change of the logits of each vertex when features and geometry are given in other frames."""
    before = model(graph.x, graph)
    after = model(in_type.transform(g, graph.x), graph.gauge_transform(g))
    return (after - before).abs().amax(-1) / before.abs().max()


def main() -> None:
    """Compare features before and after a change of frames, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gauge_equivariance.png"))
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    features = InputFeatures([HeatKernelSignature(), ShapeOperator()])
    graph = features(hierarchy(TriangleMesh.load(MESH), GROUP, levels=3, mean_neighbors=16))
    in_type = features.in_type(GROUP)
    model = MeshUNet(str(in_type), out_channels=8).eval()
    rotated = GROUP.random_element(graph.num_nodes, generator=generator)
    reflected = rotated @ torch.tensor([[1.0, 0.0], [0.0, -1.0]], dtype=rotated.dtype)
    cases = {
        "a random frame at every vertex": change(model, in_type, graph, rotated),
        "control: reflected frames": change(model, in_type, graph, reflected),
        "control: ReLU on components": change(spoiled(model), in_type, graph, rotated),
    }
    for name, moved in cases.items():
        print(f"{name:32} logits move by {moved.max().item():.1e} (relative)")
    mesh = {"vertices": graph.pos, "faces": graph.face.T, "up": "standing", "scalar_name": "log10 of the change"}
    views = [MeshView(name=name, scalar=moved.clamp(min=1e-9).log10(), **mesh) for name, moved in cases.items()]
    render_meshes(options.out, views, columns=3)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
