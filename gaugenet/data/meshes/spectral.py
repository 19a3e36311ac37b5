"""Heat and wave kernel signatures: scalars from the spectrum of the Laplacian, invariant under isometries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.data.meshes.features import SurfaceFeature
from gaugenet.data.meshes.laplacian import cotan_laplacian
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh

_DENSE_BELOW = 400  # vertices; there LAPACK is faster than a sparse shift-invert


@dataclass(frozen=True)
class Spectrum:
    """The smallest eigenpairs `L phi = lambda M phi` of a surface scaled to area 1, `phi^T M phi = 1`.

    Attributes:
        values: `(k,)`, ascending from 0. By Weyl's law the k-th value is about `4 pi k`.
        functions: `(V, k)`, zero at vertices without area.
    """

    values: Float[ndarray, "k"]
    functions: Float[ndarray, "vertices k"]


def laplacian_spectrum(mesh: TriangleMesh, count: int, *, laplacian: str = "cotan") -> Spectrum:
    """Return at most `count` of the smallest eigenpairs of the Laplacian, with complete eigenspaces.

    If the next eigenvalue equals the last ones (symmetric shapes), these are omitted, since single functions of an
    eigenspace are arbitrary. Each connected component adds one constant function of eigenvalue 0. Vertices without area
    are not included.

    Args:
        mesh: a mesh of any kind.
        count: largest number of eigenpairs.
        laplacian: `"cotan"`, or `"robust"` for the tufted intrinsic Delaunay Laplacian :cite:`sharp2020laplacian`,
            which is more accurate for slivers and non-manifold edges and needs the package robust_laplacian.
    """
    used = np.flatnonzero(mesh.vertex_areas > 1e-14 * max(mesh.area, np.finfo(float).tiny))
    if not len(used):
        return Spectrum(np.zeros(0), np.zeros((mesh.num_vertices, 0)))
    stiffness, vertex_area = _matrices(mesh, laplacian)
    available = min(count + 1, len(used))
    values, vectors = _smallest(stiffness[used][:, used], vertex_area[used] / mesh.area, available)
    whole = values < values[-1] * (1 - 1e-5) if available > count else np.full(available, True)
    functions = np.zeros((mesh.num_vertices, int(whole.sum())))
    functions[used] = vectors[:, whole]
    return Spectrum(values[whole], functions)


def _matrices(mesh: TriangleMesh, laplacian: str) -> tuple[Any, ...]:
    """Return the stiffness matrix and lumped masses."""
    if laplacian == "cotan":
        return cotan_laplacian(mesh), mesh.vertex_areas
    try:
        import robust_laplacian
    except ImportError as error:
        raise ImportError("laplacian='robust' needs robust_laplacian: pip install robust_laplacian.") from error
    stiffness, vertex_area = robust_laplacian.mesh_laplacian(mesh.vertices, mesh.faces)
    return stiffness.tocsr(), vertex_area.diagonal()


def _smallest(
    stiffness: Any, vertex_area: Float[ndarray, "n"], count: int
) -> tuple[Float[ndarray, "count"], Float[ndarray, "n count"]]:
    """Return the smallest eigenpairs of `L phi = lambda M phi` for a diagonal M, by `M^-1/2 L M^-1/2`."""
    from scipy.linalg import eigh
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    n = len(vertex_area)
    scale = 1 / np.sqrt(vertex_area)
    symmetric = diags_array(scale) @ stiffness @ diags_array(scale)
    if n <= max(_DENSE_BELOW, 4 * count):
        values, vectors = eigh(symmetric.toarray(), subset_by_index=(0, count - 1))
    else:
        start = np.random.default_rng(0).standard_normal(n)  # the same vector on every run
        # tol=0: otherwise Lanczos may stop before it has found all functions of an eigenspace (icosphere, 1e-9)
        values, vectors = eigsh(symmetric.tocsc(), k=count, sigma=-1e-2, v0=start, tol=0)
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
    return values.clip(min=0), vectors * scale[:, None]


class _SpectralFeature(SurfaceFeature):
    """Base class of the signatures: the spectrum and the range of its eigenvalues."""

    def __init__(self, num_scales: int, num_eigenvectors: int, laplacian: str) -> None:
        if num_scales < 1 or num_eigenvectors < 2:
            raise ValueError(f"Expected at least 1 scale and 2 eigenvectors, got {num_scales} and {num_eigenvectors}.")
        if laplacian not in ("cotan", "robust"):
            raise ValueError(f"Expected `laplacian` 'cotan' or 'robust', got {laplacian!r}.")
        self.num_scales = num_scales
        self.num_eigenvectors = num_eigenvectors
        self.laplacian = laplacian
        self.fields = (("0", num_scales),)

    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices scales"]:
        spectrum = laplacian_spectrum(mesh, self.num_eigenvectors, laplacian=self.laplacian)
        return torch.from_numpy(self.signature(spectrum)).to(graph.pos)

    def signature(self, spectrum: Spectrum) -> Float[ndarray, "vertices scales"]:
        """Return the signature of a surface of area 1."""
        weights = self.weights(spectrum.values)
        mean = weights.sum(axis=1)
        density = np.square(spectrum.functions) @ weights.T
        seen = density.min(axis=1, keepdims=True, initial=np.inf) > 0
        ratio = np.divide(density, mean, out=np.ones_like(density), where=seen & (mean > 0))
        return typed_array(np.log(ratio))

    def weights(self, values: Float[ndarray, "k"]) -> Float[ndarray, "scales k"]:
        """Return the weight of each eigenfunction at each scale."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_scales={self.num_scales}, num_eigenvectors={self.num_eigenvectors}, "
            f"laplacian={self.laplacian!r})"
        )


class HeatKernelSignature(_SpectralFeature):
    """The heat that remains at a point after several times, as the logarithm of its ratio to the mean.

    On the surface scaled to area 1 it is `log(sum_k exp(-lambda_k t) phi_k(p)^2 / mean over p)`
    (:cite:`sun2009concise`, Eq. 4). It is zero on a sphere, positive at tips, and invariant under scalings and
    isometries. The times are spaced logarithmically from 0.005 (a patch of 6 % of the area) to 0.3 (almost constant
    heat). They are the same for all meshes and resolutions.

    Args:
        num_scales: number of times.
        num_eigenvectors: number of eigenvectors of the Laplacian; terms beyond 128 are below 4e-4 at all times.
        laplacian: `"cotan"` or `"robust"`, see `laplacian_spectrum`.

    Example:
        >>> from gaugenet.data import HeatKernelSignature, InputFeatures
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> from gaugenet.groups import SO2
        >>> sphere = Icosphere(2)
        >>> graph = TriangleMesh(sphere.pos, sphere.face.T).gauge_graph(SO2(), mean_neighbors=16)
        >>> graph = InputFeatures([HeatKernelSignature(num_scales=8, num_eigenvectors=32)])(graph)
        >>> graph.x.shape
        torch.Size([162, 8])
    """

    def __init__(self, num_scales: int = 16, *, num_eigenvectors: int = 128, laplacian: str = "cotan") -> None:
        super().__init__(num_scales, num_eigenvectors, laplacian)

    def weights(self, values: Float[ndarray, "k"]) -> Float[ndarray, "scales k"]:
        times = np.geomspace(5e-3, 0.3, self.num_scales)
        return typed_array(np.exp(-times[:, None] * values))


class WaveKernelSignature(_SpectralFeature):
    """The mean probability of a quantum particle of given energy at a point, as the logarithm of its ratio to the mean.

    Energies are spaced logarithmically between 10 and 1200 on the surface scaled to area 1, with a log-normal window of
    7 steps (:cite:`aubry2011wave`, Eq. 9). It resolves finer detail than heat.

    Args:
        num_scales: number of energies.
        num_eigenvectors: number of eigenvectors of the Laplacian; the largest energies need about 128.
        laplacian: `"cotan"` or `"robust"`, see `laplacian_spectrum`.
    """

    def __init__(self, num_scales: int = 16, *, num_eigenvectors: int = 128, laplacian: str = "cotan") -> None:
        super().__init__(num_scales, num_eigenvectors, laplacian)

    def weights(self, values: Float[ndarray, "k"]) -> Float[ndarray, "scales k"]:
        energies = np.linspace(np.log(10.0), np.log(1200.0), self.num_scales)
        width = 7 * (energies[-1] - energies[0]) / max(len(energies), 2)
        distance = energies[:, None] - np.log(np.maximum(values, 1e-6))
        return typed_array(np.exp(-0.5 * np.square(distance / width)))
