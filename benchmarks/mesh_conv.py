"""Gauge-equivariant mesh convolution: CPU time and memory on one thread, side by side in one run.

    python benchmarks/mesh_conv.py [--mesh FILE] [--repeats 9]

For one convolution 16x(0+1+2) -> 16x(0+1+2), one-ring and 32 neighbours, and for a complete segmentation network, the
script prints CPU milliseconds forward and forward + backward (the least of the repeats), the extra peak memory of a
training step, and ratios. The peers are implemented here in plain PyTorch from their papers:

- `per edge`: basis and weights applied on every edge, then a sum :cite:`dehaan2021gauge`.
- `DiffusionNet`: 4 blocks of 128 channels, 128 eigenvectors :cite:`sharp2022diffusionnet`.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from diffusion_net import DiffusionNet
from torch import Tensor, nn

from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels.basis import unit
from gaugenet.models import MeshUNet
from gaugenet.nn import GaugeConv

TYPE = "16x0 + 16x1 + 16x2"


def sphere_mesh(rows: int = 42) -> TriangleMesh:
    """Return a bumpy sphere of about 4 rows^2 vertices, by default 6,722."""
    import trimesh

    mesh = trimesh.creation.uv_sphere(radius=1.0, count=[rows, 2 * rows])
    vertices = mesh.vertices * (1 + 0.2 * torch.sin(torch.tensor(4 * mesh.vertices)).numpy().prod(1, keepdims=True))
    return TriangleMesh(vertices, mesh.faces)


class PerEdge(nn.Module):
    """The same convolution on edges: the precomputed basis and the weights are applied on every edge, then a sum."""

    def __init__(self, conv: GaugeConv, graph) -> None:
        super().__init__()
        self.conv = conv
        v = graph.log_map / graph.edge_radius()[:, None]
        radial = conv.kernels.radial(v.norm(dim=-1)) * graph.weight[:, None]
        self.tables = []
        for pair in conv.kernels.pairs:
            transport = pair.source.representation(graph.transporter)
            angular = pair.basis.sample(unit(v)) @ transport[:, None]
            self.tables.append(torch.einsum("ek,eboi->ekboi", radial[:, list(pair.rings)], angular).contiguous())

    def forward(self, x: Tensor, graph) -> Tensor:
        conv, (source, target) = self.conv, graph.edge_index
        outputs = []
        for block in conv.kernels.out_type.blocks:
            message: Tensor | float = 0.0
            for pair, table in zip(conv.kernels.pairs, self.tables, strict=True):
                if pair.target is block:
                    neighbours = pair.source.split(x)[source]
                    applied = torch.einsum("ekboi,eiv->eokbv", table, neighbours).flatten(2)
                    message = message + applied @ pair.weight(conv.weight).permute(0, 1, 3, 2).flatten(0, 2)
            outputs.append(message.flatten(1))
        out = x.new_zeros(len(x), conv.out_type.size).index_add(0, target, torch.cat(outputs, 1))
        return conv.bias(out + conv.self_interaction(x))


def diffusion_operators(mesh: TriangleMesh, graph, count: int = 128) -> dict[str, Tensor]:
    """Return operators of the correct size and sparsity; their values do not matter for the time."""
    n, (source, target) = mesh.num_vertices, graph.edge_index
    indices = torch.stack([torch.cat([target, torch.arange(n)]), torch.cat([source, torch.arange(n)])])
    generator = torch.Generator().manual_seed(0)

    def sparse() -> Tensor:
        return torch.sparse_coo_tensor(
            indices, torch.randn(indices.shape[1], generator=generator) * 0.1, (n, n)
        ).coalesce()

    return {
        "vectors": torch.linalg.qr(torch.randn(n, count, generator=generator))[0],
        "values": torch.arange(count, dtype=torch.float32),
        "mass": torch.ones(n),
        "grad_x": sparse(),
        "grad_y": sparse(),
    }


def cases(mesh: TriangleMesh) -> dict[str, Callable[[], Callable[[], Tensor]]]:
    """Return for each name a function that prepares a case and returns its forward pass."""
    field_type = FieldType(SO2(), TYPE)

    def conv(kind: str, **neighborhood) -> Callable[[], Callable[[], Tensor]]:
        def prepare() -> Callable[[], Tensor]:
            torch.manual_seed(0)
            graph = mesh.gauge_graph(SO2(), **neighborhood)
            layer = GaugeConv(field_type, field_type)
            module = layer if kind == "gaugenet" else PerEdge(layer, graph)
            x = torch.randn(mesh.num_vertices, field_type.size, requires_grad=True)
            return lambda: module(x, graph)

        return prepare

    def network(kind: str) -> Callable[[], Callable[[], Tensor]]:
        def prepare() -> Callable[[], Tensor]:
            torch.manual_seed(0)
            x = torch.randn(mesh.num_vertices, 16)
            if kind == "DiffusionNet":
                net = DiffusionNet(16, 8)
                operators = diffusion_operators(mesh, mesh.gauge_graph(SO2(), neighborhood="one_ring"))
                return lambda: net(x, operators)
            unet = MeshUNet("16x0", 8)
            graph = hierarchy(mesh, SO2(), levels=3)
            return lambda: unet(x, graph)

        return prepare

    radius32 = (32 * mesh.area / mesh.num_vertices / torch.pi) ** 0.5
    return {
        "conv one-ring: gaugenet": conv("gaugenet", neighborhood="one_ring"),
        "conv one-ring: per edge": conv("per edge", neighborhood="one_ring"),
        "conv 32 neighbours: gaugenet": conv("gaugenet", radius=4 * radius32, max_neighbors=32),
        "conv 32 neighbours: per edge": conv("per edge", radius=4 * radius32, max_neighbors=32),
        "network: gaugenet MeshUNet": network("gaugenet"),
        "network: DiffusionNet 4x128": network("DiffusionNet"),
    }


def measure(forward: Callable[[], Tensor], repeats: int) -> tuple[float, float, float]:
    """Return CPU milliseconds forward and forward + backward, and extra peak memory of a training step in MiB."""
    with torch.no_grad():
        forward()
    before = peak_memory()
    forward().sum().backward()
    memory = peak_memory() - before
    forwards, both = [], []
    for _ in range(repeats):
        with torch.no_grad():
            forwards.append(cpu_time(forward))
        both.append(cpu_time(lambda: forward().sum().backward()))
    return min(forwards) * 1e3, min(both) * 1e3, memory


def cpu_time(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a function."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_memory() -> float:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table, or measure a single case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", help="a mesh file; default: a bumpy sphere of 6,722 vertices")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    mesh = TriangleMesh.load(args.mesh) if args.mesh else sphere_mesh()
    if args.case:
        print(*measure(cases(mesh)[args.case](), args.repeats))
        return
    print(f"{platform.machine()}, {cpu_name()}, one thread, torch {torch.__version__}, {mesh}")
    print(f"{'':32}{'forward ms':>12}{'+ backward':>12}{'MiB':>8}{'ratio':>16}")
    previous: tuple[float, ...] = ()
    for index, name in enumerate(cases(mesh)):
        # one process for each case, to measure its peak memory
        command = [sys.executable, __file__, "--case", name, "--repeats", str(args.repeats)]
        command += ["--mesh", args.mesh] if args.mesh else []
        row = tuple(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
        ratio = f"{row[0] / previous[0]:7.1f} x {row[1] / previous[1]:5.1f} x" if index % 2 else ""
        print(f"{name:32}{row[0]:12.1f}{row[1]:12.1f}{row[2]:8.0f}{ratio:>16}", flush=True)
        previous = row


def cpu_name() -> str:
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
