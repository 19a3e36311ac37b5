"""Classify clouds of points in the layout of ModelNet: trained upright, tested upright and rotated.

    python meshes/make_shapes.py --out shapes
    python examples/classify_points.py --data shapes [--epochs 40] [--points 256] [--seeds 0] [--out FILE.png]

Four networks differ in their group: no symmetry, rotations about the vertical axis, all rotations, and rotations with
reflections. They have about the same number of weights. DIR/CLASS/{train,test}/*.off may be ModelNet10 or ModelNet40.
"""

from __future__ import annotations

import argparse
import time

import torch
from matplotlib import pyplot as plt
from torch import Tensor, nn

from gaugenet.data import ModelNetPoints
from gaugenet.geometry import PointCloud
from gaugenet.groups import O3, SO2, SO3, Axial, FieldType, StructureGroup, Trivial
from gaugenet.nn import FieldBatchNorm, GatedNonlinearity, GaugeConv, InvariantReadout

NETWORKS: dict[str, tuple[StructureGroup, str]] = {
    "trivial": (Trivial(3), "23x0"),
    "axial SO(2)": (Axial(SO2()), "18x0 + 8x1 + 4x2"),
    "SO(3)": (SO3(), "20x0 + 16x1 + 10x2"),
    "O(3)": (O3(), "22x0 + 17x1o + 11x2e"),
}


class Classifier(nn.Module):
    """Two convolutions on all points, two on the first quarter of each cloud (points have no order), and means."""

    def __init__(self, group: StructureGroup, hidden: str, num_classes: int) -> None:
        super().__init__()
        self.group, act = group, GatedNonlinearity(FieldType(group, hidden))
        types = [FieldType(group, "1x0"), *[act.out_type] * 3]
        self.convs = nn.ModuleList(GaugeConv(kind, act.in_type, rings=3, max_frequency=2) for kind in types)
        self.norms = nn.ModuleList(FieldBatchNorm(act.in_type) for _ in types)
        self.act, self.read = act, InvariantReadout(act.out_type)
        self.classify = nn.Linear(act.out_type.num_fields, num_classes)

    def forward(self, pos: Tensor) -> Tensor:
        """Return logits `(B, classes)` of clouds `(B, P, 3)`."""
        x = pos.new_ones(pos.shape[:2]).reshape(-1, 1)
        for stage, radius in enumerate((0.2, 0.4)):
            if stage:
                x = x.reshape(*pos.shape[:2], -1)[:, : pos.shape[1] // 4].flatten(0, 1)
                pos = pos[:, : pos.shape[1] // 4]
            batch = torch.arange(len(pos)).repeat_interleave(pos.shape[1])
            cloud = PointCloud(pos.flatten(0, 1))
            graph = cloud.gauge_graph(self.group, radius=radius, batch=batch, isolated=True)
            for number in (2 * stage, 2 * stage + 1):
                x = self.act(self.norms[number](self.convs[number](x, graph), graph))
        return self.classify(self.read(x).reshape(len(pos), pos.shape[1], -1).mean(1))


def rotations(kind: str, count: int) -> Tensor:
    if kind == "upright":
        return torch.eye(3).expand(count, 3, 3)
    group = Axial(SO2()) if kind == "about z" else SO3()
    return torch.stack([group.random_element() for _ in range(count)]).float()


def stacked(data: ModelNetPoints) -> tuple[Tensor, Tensor]:
    clouds = [data[i] for i in range(len(data))]
    return torch.stack([cloud.pos for cloud in clouds]), torch.cat([cloud.y for cloud in clouds])


def accuracy(network: Classifier, pos: Tensor, label: Tensor, kind: str) -> float:
    torch.manual_seed(1)
    turned = pos @ rotations(kind, len(pos)).mT
    with torch.no_grad():
        found = torch.cat([network(part).argmax(1) for part in turned.split(32)])
    return 100 * (found == label).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    for name, default in (("--epochs", 40), ("--points", 256)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", default="classify_points.png")
    args = parser.parse_args()
    if args.points < 4:
        parser.error("expected at least 4 points: the last convolutions have a quarter of them")
    parts = {part: ModelNetPoints(args.data, part, num_points=args.points) for part in ("train", "test")}
    (pos, label), held_out = stacked(parts["train"]), stacked(parts["test"])
    print(f"{len(pos)} training clouds, {len(held_out[0])} test clouds, {len(parts['train'].class_names)} classes")
    print(f"{'network':14}{'seed':>5}{'weights':>9}{'upright':>9}{'about z':>9}{'all':>9}   CPU s", flush=True)
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for column, (name, (group, hidden)) in enumerate(NETWORKS.items()):
        for seed in args.seeds:
            torch.manual_seed(seed)
            network, start = Classifier(group, hidden, len(parts["train"].class_names)), time.process_time()
            optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
            for _ in range(args.epochs):
                for index in torch.randperm(len(pos)).split(16):
                    moved = pos[index] + 0.01 * torch.randn_like(pos[index])
                    loss = nn.functional.cross_entropy(network(moved), label[index], label_smoothing=0.1)
                    optimizer.zero_grad(), loss.backward(), optimizer.step()
                schedule.step()
            network.eval()
            weights = sum(p.numel() for p in network.parameters())
            scores = [accuracy(network, *held_out, kind) for kind in ("upright", "about z", "all")]
            row = "".join(f"{score:9.1f}" for score in scores)
            print(f"{name:14}{seed:5}{weights:9}{row}{time.process_time() - start:8.0f}", flush=True)
            place, first = [x + 0.1 * column for x in range(3)], seed == args.seeds[0]
            axes.plot(place, scores, "o", color=f"C{column}", alpha=0.6, label=name if first else None)
    axes.set_xticks(range(3), ("upright", "rotated about z", "rotated at random"))
    axes.legend(ncols=2), axes.set_ylim(0, 130)
    axes.set_ylabel("accuracy, %")
    figure.savefig(args.out, dpi=120)


if __name__ == "__main__":
    main()
