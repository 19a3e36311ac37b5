"""Predict a vector at every point of a surface, with a plain PyTorch loop: the wall shear stress of arteries.

    python examples/regress_vectors.py                about a minute of training, writes regress_vectors.png
    python examples/regress_vectors.py --epochs 60    better

The inputs of the network are the distance from the inlet and the curvature, the outputs are tangent vectors. The script
checks that a rotation of an artery rotates the vectors. `gaugenet train regression` does the same for files, with
validation and metrics.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch_geometric.loader import DataLoader

from gaugenet.data import ShapeOperator
from gaugenet.data.physics.random_arteries import random_artery
from gaugenet.data.physics.wall_shear import inflow_distance, murray_flows, wall_flow
from gaugenet.geometry import GaugeGraph, TriangleMesh, hierarchy
from gaugenet.groups import SO2
from gaugenet.models import MeshUNet
from gaugenet.viz import FieldMap, MeshView, render_field_maps

SHAPE = ShapeOperator()
IN_TYPE = "2x0 + 1x2"  # a distance, and the shape operator: its trace and its traceless part


def prepared(mesh: TriangleMesh, distance: np.ndarray, shear: np.ndarray) -> GaugeGraph:
    """Return the gauge graph of a mesh: `x` has distance (cm) and shape operator, `y` the shear (Pa) in the frames."""
    graph = hierarchy(mesh, SO2(), levels=3, mean_neighbors=12)
    scalars = torch.from_numpy(distance / 10).float()[:, None]
    graph.x = torch.cat([scalars, SHAPE.compute(graph)], dim=1)
    graph.y = in_frames(torch.from_numpy(shear).float(), graph)
    return graph


def in_frames(vectors: torch.Tensor, graph: GaugeGraph) -> torch.Tensor:
    """Return the components (n, 2) of 3D vectors (n, 3) in the frames (n, 3, 2)."""
    return torch.einsum("nij,ni->nj", graph.frame, vectors)


def in_space(components: torch.Tensor, graph: GaugeGraph) -> torch.Tensor:
    """Return the 3D tangent vectors (n, 3) with components (n, 2)."""
    return torch.einsum("nij,nj->ni", graph.frame, components)


def artery(seed: int, edge: float) -> tuple[TriangleMesh, np.ndarray, np.ndarray]:
    """Return a random artery in mm, the distance from its inlet, and the wall shear stress in Pa."""
    shape = random_artery(seed)
    mesh = shape.mesh(edge, seed=0)
    return mesh, inflow_distance(shape, mesh), wall_flow(shape, mesh, murray_flows(shape, 1.0)).shear


def train(model: MeshUNet, graphs: list[GaugeGraph], epochs: int) -> None:
    """Minimize the mean squared error of the components, which is the same in every frame."""
    loader = DataLoader(graphs, batch_size=2, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * len(loader))
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for batch in loader:
            loss = (model(batch.x, batch) - batch.y).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:3d}  root mean square error {(total / len(loader)) ** 0.5:.3f} Pa")


@torch.no_grad()
def predicted(model: MeshUNet, graph: GaugeGraph) -> torch.Tensor:
    """Return predicted 3D vectors (n, 3)."""
    return in_space(model.eval()(graph.x, graph), graph)


def main() -> None:
    """Train on some arteries, score and draw others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--arteries", type=int, default=24, help="for training; two more are for the test")
    parser.add_argument("--edge", type=float, default=0.6, help="edge length of the meshes, mm")
    parser.add_argument("--out", type=Path, default=Path("regress_vectors.png"))
    options = parser.parse_args()
    torch.manual_seed(0)
    model = MeshUNet(IN_TYPE, "1x1", group="SO(2)", width=12, blocks=1)
    train(model, [prepared(*artery(k, options.edge)) for k in range(options.arteries)], options.epochs)
    maps = []
    for k in (options.arteries, options.arteries + 1):
        mesh, distance, shear = artery(k, options.edge)
        found = predicted(model, prepared(mesh, distance, shear))
        error = np.linalg.norm(found.numpy() - shear, axis=1).mean() / np.linalg.norm(shear, axis=1).max()
        turn = np.linalg.qr(np.random.default_rng(k).normal(size=(3, 3)))[0]
        turn *= np.linalg.det(turn)
        turned = predicted(model, prepared(TriangleMesh(mesh.vertices @ turn.T, mesh.faces), distance, shear @ turn.T))
        moved = (turned - found @ torch.from_numpy(turn.T).float()).norm(dim=1).max() / found.norm(dim=1).max()
        print(f"artery {k}: mean error / largest stress {error:.1%}; rotated artery: {moved:.0e} off rotated vectors")
        view = MeshView(name=f"artery {k}", vertices=mesh.vertices, faces=mesh.faces)
        maps.append(FieldMap(view, "wall shear stress", "Pa", shear, found.numpy()))
    render_field_maps(options.out, maps, title="Wall shear stress on arteries that were not trained on")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
