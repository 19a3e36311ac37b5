"""DiffusionNet on `human_seg`: trained like the network of docs/results.md, and on other triangulations.

    python benchmarks/diffusion_segmentation.py --data DIR --meshes 'scape__*' 'adobe__*' [--every 8 4] [--epochs 5]

FAUST and MIT are trained on, and the meshes of each pattern are scored apart, with and without the flow of labels, as
`gaugenet train segmentation --config examples/human_seg.yaml` does. Loss, mirror images, optimizer, course of the
learning rate, average of the weights and epochs are the same as there; inputs are its scalars (heat kernel signature
and curvatures), scaled to unit variance over the training meshes. With `--every` a table of `robustness.py` follows for
each pattern, for every n-th of its meshes.
"""

from __future__ import annotations

import argparse
import copy
import time
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from diffusion_net import DiffusionNet, follow, mirrored, operators
from robustness import VARIANTS, print_table
from torch import Tensor, nn

from gaugenet.data import Curvatures, HeatKernelSignature, InputFeatures, MeshCNNSegmentation
from gaugenet.data.meshes.usable import usable_mesh
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2
from gaugenet.tasks import face_log_probabilities
from gaugenet.tasks.mesh.label_flow import flowed
from gaugenet.tasks.mesh.losses import smoothed_nll

FLOW = 0.05
INPUTS = InputFeatures([HeatKernelSignature(), Curvatures(radius=0.05)])
HELD_OUT = ["scape__*", "adobe__*"]


class Labeller:
    """A network with its reader of meshes: returns the class of every face of a mesh."""

    def __init__(self, train_set: MeshCNNSegmentation, options: argparse.Namespace) -> None:
        self.count = options.eigenvectors
        self.mean, self.scale = torch.zeros(1), torch.ones(1)
        samples = [(usable_mesh(sample.mesh, SO2()), sample.face_labels) for sample in train_set]
        self.meshes = [(self.read(found.mesh), torch.from_numpy(y[found.face_map])) for found, y in samples]
        x = torch.cat([read["x"] for read, _ in self.meshes])
        self.mean, self.scale = x.mean(0), x.std(0)
        for read, _ in self.meshes:
            read["x"] = (read["x"] - self.mean) / self.scale
        self.network = DiffusionNet(x.shape[1], train_set.num_classes, options.width, options.blocks)

    def read(self, mesh: TriangleMesh) -> dict[str, Tensor]:
        x = INPUTS(mesh.gauge_graph(SO2(), neighborhood="one_ring")).x.float()
        face = torch.from_numpy(mesh.faces.T.copy())
        return operators(mesh, self.count) | {"x": (x - self.mean) / self.scale, "face": face}

    def scores(self, read: dict[str, Tensor]) -> Tensor:
        """Return log-probabilities of the faces."""
        return face_log_probabilities(self.network(read["x"], read), read["face"])

    @torch.no_grad()
    def __call__(self, mesh: TriangleMesh, *, flow: float = FLOW) -> np.ndarray:
        found = usable_mesh(mesh, SO2())
        probability = self.scores(self.read(found.mesh)).double().exp().numpy()
        if flow:
            probability = flowed(probability, found.mesh, width=flow)
        labels = np.full(mesh.num_faces, -1)
        labels[found.face_map] = probability.argmax(axis=1)
        return labels


def train(labeller: Labeller, options: argparse.Namespace, seed: int) -> float:
    """Train with AdamW and one cycle of the learning rate, and return the CPU seconds."""
    draw, start, net = np.random.default_rng(seed), time.process_time(), labeller.network
    count, size = len(labeller.meshes), options.batch_size
    weights = [[p for p in net.parameters() if p.ndim > 1], [p for p in net.parameters() if p.ndim <= 1]]
    groups = [{"params": weights[0]}, {"params": weights[1], "weight_decay": 0.0}]
    optimizer, average = torch.optim.AdamW(groups, lr=options.lr, weight_decay=0.01), copy.deepcopy(net)
    total = options.epochs * -(-count // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=total, pct_start=0.1)
    orders = [draw.permutation(count) for _ in range(options.epochs)]
    for step, batch in enumerate(order[k : k + size] for order in orders for k in range(0, count, size)):
        optimizer.zero_grad()
        for k in batch:
            read, truth = labeller.meshes[k]
            found = labeller.scores(mirrored(read) if draw.random() < 0.5 else read)
            (smoothed_nll(found, truth, smoothing=0.1).mean() / len(batch)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        follow(average, net, step, 0.995)
    labeller.network = average
    return time.process_time() - start


def accuracy(labeller: Labeller, dataset: MeshCNNSegmentation, pattern: str, flow: float) -> float:
    """Return the percentage of correct faces."""
    samples = [dataset.read(path) for path in dataset.paths if fnmatch(path.stem, pattern)]
    return 100 * float(np.mean(np.concatenate([labeller(s.mesh, flow=flow) == s.face_labels for s in samples])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of human_seg")
    parser.add_argument("--meshes", nargs="+", default=HELD_OUT, help="patterns of held-out meshes")
    parser.add_argument("--every", type=int, nargs="*", default=[], help="for each pattern, to measure the variants")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--eigenvectors", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    train_set, held_out = (MeshCNNSegmentation(options.data, part, holdout=HELD_OUT) for part in ("train", "val"))
    labeller = Labeller(train_set, options)
    seconds = train(labeller, options, options.seed)
    count = sum(p.numel() for p in labeller.network.parameters())
    print(f"{count} parameters, {len(train_set)} meshes, {options.epochs} epochs, {seconds:.0f} CPU seconds")
    for pattern in options.meshes:
        plain, flow = (accuracy(labeller, held_out, pattern, width) for width in (0.0, FLOW))
        print(f"{pattern}: {plain:.2f} %, with the flow {flow:.2f} %", flush=True)
    for pattern, every in zip(options.meshes, options.every):
        chosen = argparse.Namespace(meshes=pattern, every=every, only=list(VARIANTS), json=None)
        print_table(labeller, held_out, chosen)


if __name__ == "__main__":
    main()
