"""Every space, and every field type, says what it expects as its group: a name or a class is a common slip."""

import pytest
import torch

from gaugenet.geometry import Grid, GStructure, HEALPix, Icosphere, PointCloud, Sphere, TriangleMesh
from gaugenet.groups import SO2, FieldType

CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
CALLS = {
    "mesh": lambda group: TriangleMesh(CORNERS, torch.tensor([[0, 1, 2]])).gauge_graph(group, radius=2.0),
    "points": lambda group: PointCloud(CORNERS[:, :2]).gauge_graph(group, radius=2.0),
    "hexagonal": lambda group: Icosphere(1).gauge_graph(group),
    "sphere": lambda group: HEALPix(1).gauge_graph(group, mean_neighbors=4),
    "manifold": lambda group: Sphere(2).gauge_graph(Sphere(2).random_points(5), group, radius=0.5),
    "structure": GStructure,
    "grid": lambda group: Grid((5, 5), group=group),
    "fields": lambda group: FieldType(group, "1x0"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    "group, hint", [("SO(2)", "group_from_name"), (SO2, r"write `SO2\(...\)`")], ids=["name", "class"]
)
def test_a_group_is_an_object(call, group, hint):
    with pytest.raises(ValueError, match=f"Expected `group` to be a StructureGroup.*{hint}"):
        call(group)
