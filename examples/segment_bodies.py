"""Train a gauge-equivariant network to segment the bodies of this repository, with a plain PyTorch loop.

    python examples/segment_bodies.py                 about one minute of training, writes segment_bodies.png
    python examples/segment_bodies.py --epochs 60     better

`gaugenet train` has more: validation, resuming, schedules, logs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch_geometric.loader import DataLoader

from gaugenet.data import (
    GaugeDataset,
    HeatKernelSignature,
    InputFeatures,
    LabelledMeshFolder,
    ShapeOperator,
    vertex_to_face,
)
from gaugenet.groups import SO2
from gaugenet.models import MeshUNet
from gaugenet.viz import MeshView, render_meshes

BODIES = Path(__file__).resolve().parents[1] / "meshes" / "bodies"


def prepared(split: str, meshes: int | None) -> GaugeDataset:
    """Return the gauge graphs of a split, with three levels for pooling, features and labels."""
    samples = LabelledMeshFolder(BODIES, split)
    samples.paths = samples.paths[:meshes]
    features = InputFeatures([HeatKernelSignature(), ShapeOperator()])
    return GaugeDataset(samples, SO2(), features, levels=3, mean_neighbors=16, max_neighbors=64)


def train(model: MeshUNet, data: GaugeDataset, epochs: int) -> None:
    """Minimize the cross-entropy on vertices; the target is the distribution of classes in the adjacent faces."""
    loader = DataLoader(data, batch_size=4, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * len(loader))
    model.train()
    for epoch in range(epochs):
        start, total = time.perf_counter(), 0.0
        for batch in loader:
            loss = cross_entropy(model(batch.x, batch), batch.y_soft)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:3d}  loss {total / len(loader):.3f}  {time.perf_counter() - start:.1f} s")


@torch.no_grad()
def segment(model: MeshUNet, data: GaugeDataset) -> tuple[float, list[MeshView]]:
    """Return the accuracy on all faces, and the meshes with prediction and truth."""
    model.eval()
    right, faces, views = 0, 0, []
    for graph in data:
        label = vertex_to_face(model(graph.x, graph).softmax(-1), graph.face).argmax(-1)
        right += int((label == graph.face_y).sum())
        faces += len(label)
        mesh = {"name": graph.name, "vertices": graph.pos, "faces": graph.face.T, **upright(graph.name)}
        views.append(MeshView(**mesh, prediction=label, truth=graph.face_y))
    return right / faces, views


def upright(name: str) -> dict[str, list[float]]:
    """Return the upright view of a test mesh, whose rotation is in the manifest."""
    meshes = json.loads((BODIES / "manifest.json").read_text())["meshes"]
    _, side, up = zip(*meshes[f"test/{name}.ply"]["rotation"], strict=True)
    return {"up": list(up), "front": [-s for s in side]}


def main() -> None:
    """Train, and draw predictions on test meshes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--meshes", type=int, default=None, help="use only so many meshes of each split")
    parser.add_argument("--out", type=Path, default=Path("segment_bodies.png"))
    options = parser.parse_args()
    torch.manual_seed(0)
    classes = LabelledMeshFolder(BODIES, "train").class_names
    data = prepared("train", options.meshes)
    model = MeshUNet(str(data.in_type), len(classes), group="SO(2)", width=12)
    print(f"{len(data)} meshes, {sum(p.numel() for p in model.parameters())} parameters")
    train(model, data, options.epochs)
    accuracy, views = segment(model, prepared("test", options.meshes))
    print(f"{100 * accuracy:.1f} % of the faces of {len(views)} test meshes are right")
    render_meshes(options.out, views[:6], class_names=classes, columns=2)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
