"""LatticeGraph: the gauge graph of a lattice gauge field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.lattice.paths import Path, displacement

if TYPE_CHECKING:
    from gaugenet.geometry.lattice.field import LatticeGaugeField


class LatticeGraph(GaugeGraph):
    """A `GaugeGraph` whose group acts on an internal fibre: transporters are complex, log maps are not transformed.

    Points are the sites of all configurations, one after the other, in row-major order. Every configuration is one
    graph of the batch. Edges of one target have the order of the paths. `log_map` counts steps along the axes, and all
    weights are 1.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> graph = LatticeGaugeField.random(SU(2), (4, 4), batch=3).gauge_graph()
        >>> type(graph).__name__, graph.num_nodes, graph.num_edges
        ('LatticeGraph', 48, 192)
    """

    def gauge_transform(self, g: Complex[Tensor, "points n n"]) -> LatticeGraph:
        """Return the graph with the transporters g_p U g_q^+; log maps and frames do not change."""
        n = self.transporter.shape[-1]
        if g.shape != (self.num_nodes, n, n):
            raise ValueError(f"Expected `g` of shape ({self.num_nodes}, {n}, {n}), got {tuple(g.shape)}.")
        out: LatticeGraph = self.clone()
        source, target = self.edge_index
        g = g.to(self.transporter)
        out.transporter = g[target] @ self.transporter @ torch.linalg.inv(g)[source]
        return out

    def astype(self, dtype: torch.dtype) -> LatticeGraph:
        """Return a new graph in the real precision `dtype`, with transporters in the complex precision for it."""
        high = torch.complex128 if dtype == torch.float64 else torch.complex64
        out: LatticeGraph = self.clone().apply(
            lambda t: t.to(dtype) if t.is_floating_point() else t.to(high) if t.is_complex() else t
        )
        return out


def lattice_graph(field: LatticeGaugeField, paths: Sequence[Path]) -> LatticeGraph:
    """Return the graph with one edge per site and path, from the end of the path to the site."""
    count, batch, shape = len(paths), field.batch_size, field.shape
    sites = torch.arange(batch * field.num_nodes, device=field.links.device).view(batch, *shape)
    offsets = [displacement(path, field.d) for path in paths]
    axes = tuple(range(1, 1 + field.d))
    sources = torch.stack([torch.roll(sites, [-k for k in offset], axes) for offset in offsets], -1)
    transporters = torch.stack([field.transporter(path) for path in paths], 1 + field.d)
    n = field.group.d
    real = field.links.real.dtype
    steps = torch.tensor(offsets, dtype=real, device=sites.device)
    edges = batch * field.num_nodes * count
    eye = torch.eye(field.d, dtype=real, device=sites.device)
    return LatticeGraph(
        edge_index=torch.stack([sources.flatten(), sites.flatten().repeat_interleave(count)]),
        log_map=steps.repeat(edges // count, 1),
        transporter=transporters.reshape(edges, n, n),
        weight=steps.new_ones(edges),
        frame=eye.expand(batch * field.num_nodes, -1, -1).contiguous(),
        pos=site_positions(shape).to(steps).repeat(batch, 1),
        mass=steps.new_ones(batch * field.num_nodes),
        radius=steps.norm(dim=1).max().expand(batch).contiguous(),
        batch=torch.arange(batch, device=sites.device).repeat_interleave(field.num_nodes),
        structure=field.group.name,
        num_nodes=batch * field.num_nodes,
    )


def site_positions(shape: Sequence[int]) -> Float[Tensor, "sites d"]:
    """Return the coordinates of sites along the axes, in row-major order, float64."""
    axes = [torch.arange(extent, dtype=torch.float64) for extent in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


__all__ = ["LatticeGraph", "lattice_graph", "site_positions"]
