"""Wall shear stress of arteries: `MeshUNet` next to a one-ring GEM-CNN and DiffusionNet on coordinates.

    python examples/arteries.py --out arteries --count 44
    python benchmarks/arteries.py arteries [--epochs 20] [--seeds 0 1] [--networks ...] [--mirror] [--ema 0.99]

All networks have about the same number of weights, and the same training meshes, steps, schedule of the learning rate,
loss (the mean square of the error vector, in units of the stress of the training part), mirror images (`--mirror`) and
average of the weights (`--ema`). For each one the script prints the weights, CPU seconds of the training, and the NMAE
of the test arteries: as they are, rotated at random, and meshed again (`remeshed/`), with the ratio of the last and the
first.

- `MeshUNet`: geodesic neighborhoods, three levels; inputs are the distance from the inlet, curvatures and the shape
  operator.
- `GEM-CNN, one ring`: the same layers and inputs on neighbors along edges, on one level :cite:`dehaan2021gauge`.
- `DiffusionNet, xyz`: coordinates and the distance from the inlet as inputs, a vector in space as output, projected to
  the surface :cite:`sharp2022diffusionnet`; trained on the meshes as they stand, and (`rotated`) on random rotations.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusion_net import DiffusionNet, follow, mirrored, operators
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from gaugenet.data import FieldMeshFolder, FieldReader, FieldSpec, MeshSample, RandomMirror
from gaugenet.data.fields.statistics import fit_fields
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2
from gaugenet.models import MeshUNet
from gaugenet.tasks.mesh.data_options import GeometryOptions
from gaugenet.tasks.mesh.preparation import Preparation, prepare_mesh
from gaugenet.tasks.mesh.scale import fixed_lengths
from gaugenet.tasks.regression.metrics import FieldSums, total
from gaugenet.tasks.regression.options import RegressionData

STRESS = FieldSpec("wss", "tangent_vector", on="vertex")
INFLOW = FieldSpec("inflow_distance", "scalar", on="vertex")
EIGENVECTORS = 96
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


class OnGraphs:
    """Gauge-equivariant networks: the meshes as graphs, with inputs that do not depend on the pose."""

    def __init__(self, train: Sequence[MeshSample], inflow: FieldSpec, **options) -> None:
        geometry = GeometryOptions(**options)
        if geometry.neighborhood == "geodesic":
            geometry = fixed_lengths(geometry, train, repair="lossless", n_jobs=1)
        data = RegressionData(features="Curvatures(), ShapeOperator()", inputs={inflow.name: inflow.as_dict()})
        self.features = data.input_features()
        self.how = Preparation(self.features, geometry, n_jobs=1)
        self.levels = geometry.levels

    def network(self, width: int, blocks: int) -> nn.Module:
        size = {"width": width, "blocks": blocks, "levels": self.levels, "dropout": 0.0}
        return MeshUNet(str(self.features.in_type(SO2())), "1x1", **size)

    def read(self, sample: MeshSample):
        return self.features(prepare_mesh(sample, self.how).graph)

    def mirrored(self, sample: MeshSample):
        graph = prepare_mesh(sample, self.how).graph
        return self.features(RandomMirror(self.features, axis="x").mirror(graph))

    def __call__(self, network: nn.Module, graph, rotation: np.ndarray | None) -> Tensor:
        return torch.einsum("nij,nj->ni", graph.frame.float(), network(graph.x, graph))


class OnCoordinates:
    """DiffusionNet: coordinates as inputs, and a vector in space as output, which is projected to the surface."""

    def __init__(self, train: Sequence[MeshSample], inflow: FieldSpec) -> None:
        self.inflow = inflow
        self.unit = float(np.std(np.concatenate([s.mesh.vertices - s.mesh.vertices.mean(0) for s in train])))

    def network(self, width: int, blocks: int) -> nn.Module:
        return DiffusionNet(4, 3, width=width, blocks=blocks)

    def read(self, sample: MeshSample) -> dict[str, Tensor]:
        mesh = sample.mesh
        values = FieldReader(mesh, sample.path, sample.fields).read(self.inflow).values
        return operators(mesh, EIGENVECTORS) | {
            "pos": torch.from_numpy((mesh.vertices - mesh.vertices.mean(0)) / self.unit).float(),
            "normal": torch.from_numpy(mesh.vertex_normals).float(),
            "inflow": torch.from_numpy((values - (self.inflow.mean or 0)) / (self.inflow.scale or 1)).float(),
        }

    def mirrored(self, sample: MeshSample) -> dict[str, Tensor]:
        read = self.read(sample)
        return mirrored(read) | {"pos": read["pos"] @ MIRROR, "normal": read["normal"] @ MIRROR}

    def __call__(self, network: nn.Module, read: dict[str, Tensor], rotation: np.ndarray | None) -> Tensor:
        """Return the prediction for the mesh as it stands, computed in the rotated position."""
        turn = torch.eye(3) if rotation is None else torch.from_numpy(rotation).float()
        vectors = network(torch.cat([read["pos"] @ turn.T, read["inflow"][:, None]], 1), read) @ turn
        return vectors - (vectors * read["normal"]).sum(1, keepdim=True) * read["normal"]


def rotated(sample: MeshSample, rotation: np.ndarray) -> MeshSample:
    """Return a rotated mesh, with rotated stress; scalars stay."""
    reader = FieldReader(sample.mesh, sample.path)
    fields = {STRESS.name: reader.read(STRESS).values @ rotation.T, INFLOW.name: reader.read(INFLOW).values}
    mesh = TriangleMesh(sample.mesh.vertices @ rotation.T, sample.mesh.faces)
    return replace(sample, mesh=mesh, path=None, fields=fields)


def truth_of(sample: MeshSample) -> np.ndarray:
    return FieldReader(sample.mesh, sample.path, sample.fields).read(STRESS).values


def train(net: nn.Module, how, pairs: list[list[tuple]], options, seed: int, *, turn: bool) -> float:
    """Train with Adam and a cosine schedule on two meshes a step, and return the CPU seconds.

    Args:
        net: the network.
        how: how it reads meshes.
        pairs: for each mesh, the input and the truth, and again for the mirror image, if mirror images are used.
        options: of the command line.
        seed: of the order, the mirror images and the rotations.
        turn: whether each mesh is rotated at random.
    """
    draw, start = np.random.default_rng(seed), time.process_time()
    optimizer, average = torch.optim.Adam(net.parameters(), lr=options.lr), copy.deepcopy(net)
    steps = options.epochs * -(-len(pairs) // 2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.lr, total_steps=steps, pct_start=0.1)
    orders = [draw.permutation(len(pairs)) for _ in range(options.epochs)]
    for step, batch in enumerate(order[k : k + 2] for order in orders for k in range(0, len(order), 2)):
        optimizer.zero_grad()
        for k in batch:
            rotation = Rotation.random(random_state=draw.integers(2**31)).as_matrix() if turn else None
            read, truth = pairs[k][draw.integers(len(pairs[k]))]
            ((how(net, read, rotation) - truth).square().sum(1).mean() / len(batch)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        follow(average, net, step, options.ema)
    for weight, mean in zip(net.parameters(), average.parameters()):
        weight.data = mean.data
    return time.process_time() - start


@torch.no_grad()
def nmae(net: nn.Module, how, samples: Sequence[MeshSample], read: list, scale: float) -> float:
    net.eval()
    sums = []
    for sample, one in zip(samples, read):
        found = how(net, one, None).double().numpy() * scale
        sums.append(FieldSums.of(found, truth_of(sample), np.ones(len(found), dtype=bool)))
    net.train()
    return float(total(sums).scores()["nmae"] or 0.0)


NETWORKS = {
    "MeshUNet": (lambda *a: OnGraphs(*a, mean_neighbors=12), 12, 1, False),
    "GEM-CNN, one ring": (lambda *a: OnGraphs(*a, neighborhood="one_ring", levels=1), 18, 5, False),
    "DiffusionNet, xyz": (OnCoordinates, 72, 4, False),
    "DiffusionNet, xyz, rotated": (OnCoordinates, 72, 4, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder written by examples/arteries.py")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--mirror", action="store_true", help="also train on mirror images")
    parser.add_argument("--ema", type=float, default=0.0, help="decay of the average of the weights; 0 takes the last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train_set = list(FieldMeshFolder(options.data, "train"))
    inflow = fit_fields([INFLOW], FieldMeshFolder(options.data, "train"), role="input", n_jobs=1)[0]
    scale = float(np.sqrt(np.mean(np.concatenate([(truth_of(s) ** 2).sum(1) for s in train_set])) / 2))
    upright = list(FieldMeshFolder(options.data, "test"))
    turns = Rotation.random(len(upright), random_state=0).as_matrix()
    parts = {"upright": upright, "rotated": [rotated(s, m) for s, m in zip(upright, turns)]}
    parts["remeshed"] = list(FieldMeshFolder(options.data / "remeshed", "test"))
    print(f"{len(train_set)} arteries to train on, {options.epochs} epochs, {len(upright)} to test")
    print("| network | weights | CPU s | NMAE % | rotated | remeshed | ratio |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in options.networks:
        build, width, blocks, turn = NETWORKS[name]
        how = build(train_set, inflow)
        truths = [torch.from_numpy(truth_of(sample) / scale).float() for sample in train_set]
        pairs = [[(how.read(sample), truth)] for sample, truth in zip(train_set, truths)]
        for k in range(len(pairs) if options.mirror else 0):
            pairs[k].append((how.mirrored(train_set[k]), truths[k] @ MIRROR))
        tested = {part: [how.read(sample) for sample in samples] for part, samples in parts.items()}
        for seed in options.seeds:
            torch.manual_seed(seed)
            net = how.network(width, blocks)
            seconds = train(net, how, pairs, options, seed, turn=turn)
            found = {part: nmae(net, how, samples, tested[part], scale) for part, samples in parts.items()}
            cells = " | ".join(f"{100 * value:.2f}" for value in found.values())
            count, ratio = sum(p.numel() for p in net.parameters()), found["remeshed"] / found["upright"]
            print(f"| {name} | {count} | {seconds:.0f} | {cells} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
