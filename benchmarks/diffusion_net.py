"""Our own version of DiffusionNet :cite:`sharp2022diffusionnet`, and its operators on a mesh, for comparisons."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor, nn

from gaugenet.data.meshes.laplacian import _vertex_average, hat_gradients
from gaugenet.data.meshes.spectral import laplacian_spectrum
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2


class DiffusionNet(nn.Module):
    """Four blocks of learned heat diffusion in the spectral basis, gradient features and a perceptron."""

    def __init__(self, channels_in: int, channels_out: int, width: int = 128, blocks: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(channels_in, width)
        self.times = nn.ParameterList([nn.Parameter(torch.rand(width) * 0.01) for _ in range(blocks)])
        self.real = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in range(blocks)])
        self.imag = nn.ModuleList([nn.Linear(width, width, bias=False) for _ in range(blocks)])
        self.mlp = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Linear(3 * width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
                )
                for _ in range(blocks)
            ]
        )
        self.last = nn.Linear(width, channels_out)

    def forward(self, x: Tensor, operators: dict[str, Tensor]) -> Tensor:
        x = self.first(x)
        for t, real, imag, mlp in zip(self.times, self.real, self.imag, self.mlp, strict=True):
            spectral = operators["vectors"].T @ (x * operators["mass"][:, None])
            spectral = spectral * torch.exp(-operators["values"][:, None] * t.clamp(min=0))
            diffused = operators["vectors"] @ spectral
            gx, gy = operators["grad_x"] @ diffused, operators["grad_y"] @ diffused
            features = torch.tanh(gx * (real(gx) - imag(gy)) + gy * (real(gy) + imag(gx)))
            x = x + mlp(torch.cat([x, diffused, features], 1))
        return self.last(x)


def operators(mesh: TriangleMesh, count: int) -> dict[str, Tensor]:
    """Return eigenpairs, vertex areas and gradients in tangent frames, all of the surface scaled to area 1."""
    spectrum = laplacian_spectrum(mesh, count)
    n, average, gradients = mesh.num_vertices, _vertex_average(mesh), hat_gradients(mesh)
    row, column = np.repeat(np.arange(mesh.num_faces), 3), mesh.faces.reshape(-1)
    axes = [average @ coo_array((gradients[..., d].reshape(-1), (row, column))).tocsr() for d in range(3)]
    frame = mesh.gauge_graph(SO2(), neighborhood="one_ring").frame.numpy() * np.sqrt(mesh.area)
    parts = {}
    for k, name in enumerate(("grad_x", "grad_y")):
        matrix = sum(coo_array((frame[:, d, k], (range(n), range(n)))).tocsr() @ axes[d] for d in range(3)).tocoo()
        index = torch.from_numpy(np.stack([matrix.row, matrix.col]).astype(np.int64))
        values = torch.from_numpy(matrix.data).float()
        parts[name] = torch.sparse_coo_tensor(index, values, (n, n), check_invariants=False).coalesce()
    return parts | {
        "vectors": torch.from_numpy(spectrum.functions).float(),
        "values": torch.from_numpy(spectrum.values).float(),
        "mass": torch.from_numpy(mesh.vertex_areas / mesh.area).float(),
    }


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, step: int, largest: float) -> None:
    """Move averaged weights toward those of a network after a step of the training, as `gaugenet.tasks` does."""
    decay = min(largest, (2 + step) / (11 + step))
    for mean, weight in zip(average.parameters(), net.parameters()):
        mean.lerp_(weight, 1 - decay)


def mirrored(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the operators of the mirror image: its frames have the second vector flipped, to stay right-handed."""
    return found | {"grad_y": -found["grad_y"]}
