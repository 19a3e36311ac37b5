"""Gauge graphs of small meshes with a plain one-ring connection, enough for what data transforms look at."""

from __future__ import annotations

import numpy as np
import torch

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.helpers import tangent_frames


def simple_graph(mesh: TriangleMesh, *, seed: int | None = None, structure="SO(2)", dtype=torch.float64) -> GaugeGraph:
    """One-ring edges and a coarser level of every third point; frames rotated at random if a seed is given."""
    frame = tangent_frames(mesh)
    edges = np.concatenate([mesh.edges, mesh.edges[:, ::-1]])
    edges = edges[np.lexsort((edges[:, 0], edges[:, 1]))]
    source, target = edges.T
    offset = np.einsum("eda,ed->ea", frame[target], mesh.vertices[source] - mesh.vertices[target])
    u, _, v = np.linalg.svd(np.einsum("eda,edb->eab", frame[target], frame[source]))
    coarse = np.arange(0, mesh.num_vertices, 3)
    graph = GaugeGraph(
        edge_index=torch.from_numpy(edges.T.copy()),
        log_map=torch.from_numpy(offset),
        transporter=torch.from_numpy(u @ v),
        weight=torch.from_numpy(mesh.vertex_areas[source]),
        frame=torch.from_numpy(frame),
        pos=torch.from_numpy(mesh.vertices),
        mass=torch.from_numpy(mesh.vertex_areas),
        radius=torch.tensor([mesh.edge_lengths.mean()]),
        face=torch.from_numpy(mesh.faces.T.copy()),
        structure=structure,
        l1_node_index=torch.from_numpy(coarse),
        l1_pos=torch.from_numpy(mesh.vertices[coarse]),
        l1_frame=torch.from_numpy(frame[coarse]),
        l1_mass=torch.from_numpy(mesh.vertex_areas[coarse]),
        l1_radius=torch.tensor([2 * mesh.edge_lengths.mean()]),
        l1_edge_index=torch.zeros(2, 0, dtype=torch.long),
        l1_log_map=torch.zeros(0, 2, dtype=torch.float64),
        l1_transporter=torch.zeros(0, 2, 2, dtype=torch.float64),
        l1_weight=torch.zeros(0, dtype=torch.float64),
    )
    if seed is not None:
        from gaugenet.groups import group_from_name

        generator = torch.Generator().manual_seed(seed)
        graph = graph.gauge_transform(group_from_name(structure).random_element(mesh.num_vertices, generator=generator))
    return graph.astype(dtype)
