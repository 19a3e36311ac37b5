"""Pooling transports features between levels: equivariant, area-weighted, exact on parallel fields."""

from __future__ import annotations

import pytest
import torch
import trimesh

from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType
from gaugenet.nn import GlobalPool, Pool, Unpool
from tests.nn.graphs import synthetic_graph
from tests.nn.layers import types
from tests.tolerances import TOL, relative


def defect(layer, graph, level: int, g: torch.Tensor, *, transport: bool = True) -> float:
    """Of equivariance between levels; without `transport` the geometry stays behind when the features transform."""
    down = isinstance(layer, Pool)
    frames = [g]
    for k in range(1, level + 1):
        frames.append(frames[-1][graph[f"l{k}_node_index"]])
    source, target = (frames[level - 1], frames[level])[:: 1 if down else -1]
    x = torch.randn(len(source), layer.in_type.size, generator=torch.Generator().manual_seed(0), dtype=g.dtype)
    expected = layer.out_type.transform(target, layer(x, graph, level=level))
    rotated = graph.gauge_transform(g) if transport else graph
    return relative(layer(layer.in_type.transform(source, x), rotated, level=level), expected)


@pytest.mark.parametrize("group", [SO2(), O2(), Cyclic(4), Dihedral(3)], ids=str)
@pytest.mark.parametrize("make", [Pool, Unpool])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gauge_equivariance(group, make, dtype):
    graph = synthetic_graph(group, 40, levels=3, dtype=dtype)
    layer = make(types(group)[0])
    generator = torch.Generator().manual_seed(0)
    for level in (1, 2):
        g = group.random_element(40, generator=generator, dtype=dtype)
        assert defect(layer, graph, level, g) < TOL[dtype]
        assert defect(layer, graph, level, g, transport=False) > 0.1


def test_on_the_levels_of_a_flat_mesh_parallel_fields_stay_parallel():
    """Constants and parallel vectors survive both ways; without transport they would not."""
    grid = trimesh.creation.box().subdivide().subdivide().subdivide()
    top = grid.submesh([(grid.triangles_center[:, 2] > 0.499).nonzero()[0]], append=True)
    mesh = TriangleMesh(top.vertices, top.faces)
    graph = hierarchy(mesh, SO2(), levels=3, frames="random", seed=0, dtype=torch.float64)
    field_type = FieldType(SO2(), "1x0 + 1x1")
    direction = torch.tensor([0.6, 0.8, 0.0], dtype=torch.float64)

    def parallel(level: int) -> torch.Tensor:
        frame = graph.level(level).frame
        return torch.cat([torch.ones(len(frame), 1, dtype=torch.float64), direction @ frame], 1)

    for level in (1, 2):
        assert relative(Pool(field_type)(parallel(level - 1), graph, level=level), parallel(level)) < 1e-10
        assert relative(Unpool(field_type)(parallel(level), graph, level=level), parallel(level - 1)) < 1e-10
    plain = torch.zeros_like(parallel(1)).index_add(
        0, graph.l1_pool_index[1], graph.l1_pool_weight[:, None] * parallel(0)[graph.l1_pool_index[0]]
    )
    assert relative(plain, parallel(1)) > 0.1


@pytest.mark.parametrize("make", [Pool, Unpool])
def test_gradcheck(make):
    graph = synthetic_graph(SO2(), 9, levels=2)
    layer = make(types(SO2())[0])
    x = torch.randn(graph.level_size(0 if make is Pool else 1), layer.in_type.size, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: layer(x, graph, level=1), (x.requires_grad_(),), fast_mode=True)


def test_global_pool_is_an_area_weighted_mean():
    graph = synthetic_graph(SO2(), 10)
    x = torch.randn(10, 3, dtype=torch.float64)
    expected = (x * graph.mass[:, None]).sum(0) / graph.mass.sum()
    assert torch.allclose(GlobalPool(FieldType(SO2(), "3x0"))(x, graph), expected[None])


def test_global_pool_keeps_its_precision_on_large_meshes():
    graph = synthetic_graph(SO2(), 300_000, degree=0, dtype=torch.float32)
    out = GlobalPool(FieldType(SO2(), "1x0"))(torch.full((300_000, 1), 0.1), graph)
    assert out.item() == pytest.approx(0.1, rel=1e-6)


def test_wrong_arguments():
    graph = synthetic_graph(SO2(), 20, levels=2)
    field_type = types(SO2())[0]
    x = torch.zeros(20, field_type.size, dtype=torch.float64)
    with pytest.raises(ValueError, match="point of its level"):
        Unpool(field_type)(x, graph, level=1)
    with pytest.raises(ValueError, match="channels"):
        Pool(field_type)(x[:, 1:], graph, level=1)
    with pytest.raises(ValueError, match="more than 2 levels, got 2"):
        Pool(field_type)(x, graph, level=2)
    with pytest.raises(ValueError, match="Expected scalars"):
        GlobalPool(field_type)
