"""Rows of the taxonomy: a manifold, a structure group, the global symmetry that follows, and a test of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet._deprecation import renamed_attribute
from gaugenet.geometry import GaugeGraph, Grid, Icosphere
from gaugenet.groups import FieldType
from gaugenet.nn import GaugeConv

Domain = GaugeGraph | Grid | Icosphere
Configuration = tuple[Domain, GaugeConv]


@dataclass(frozen=True)
class Transformation:
    """A map of a space to itself.

    Attributes:
        text: what it does.
        map: points `(N, D)` to points `(N, D)`.

    Example:
        >>> import torch
        >>> from gaugenet.taxonomy import Transformation
        >>> half = Transformation("180° about z", lambda p: p * torch.tensor([-1.0, -1.0, 1.0]))
        >>> half.map(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[-1., -2.,  3.]])
    """

    text: str
    map: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One kind of coordinate independent CNN, with a configuration that runs.

    Attributes:
        name: unique, in lower case.
        manifold, group, symmetry, representations: as the table shows them; the global symmetry is the group of
            isometries (with S also dilations) that preserve the G-structure.
        configure: points `(N, D)` to a domain and a layer on it, at most 15 lines. A lattice brings its own points.
        points: `(N, D)`, float64: some to configure it with.
        example_symmetry: one of the symmetries.
        counterexample: a map of the space to itself that is not a symmetry.
        lattice: whether the points are a lattice that each symmetry permutes. Elsewhere a symmetry moves the points.
    """

    name: str
    manifold: str
    group: str
    symmetry: str
    representations: str
    configure: Callable[[Tensor], Configuration]
    points: Callable[[], Tensor]
    example_symmetry: Transformation
    counterexample: Transformation
    lattice: bool = False

    keeps = renamed_attribute("keeps", "example_symmetry")
    breaks = renamed_attribute("breaks", "counterexample")


@dataclass(frozen=True)
class MissingRow:
    """One kind of coordinate independent CNN that this library cannot build yet, and why."""

    manifold: str
    group: str
    symmetry: str
    representations: str
    reason: str


class ScalarNetwork(nn.Module):
    """A network from scalars to scalars around a layer, since every symmetry acts on scalars alike.

    A first layer maps scalars to the layer's input type, and a last one its output to scalars.

    Shapes:
        x: `(N, 2)` -> `(N, 2)`.
    """

    def __init__(self, layer: GaugeConv) -> None:
        super().__init__()
        self.scalars = FieldType(layer.in_type.group, "2x0")
        lift, read = GaugeConv(self.scalars, layer.in_type), GaugeConv(layer.out_type, self.scalars)
        self.layers = nn.ModuleList([lift, layer, read])

    def forward(self, x: Float[Tensor, "points 2"], domain: Domain) -> Float[Tensor, "points 2"]:
        if isinstance(domain, Grid):
            x = x.T.unflatten(1, domain.shape)[None]
        for layer in self.layers:
            x = layer(x, domain)
        return x[0].flatten(1).T if isinstance(domain, Grid) else x


def symmetry_error(row: Row, transformation: Transformation, *, seed: int = 0) -> float:
    """Return how far a random network of a row is from commuting with a map of its space to itself.

    Values move with their points: f'(phi(p)) = f(p). The error is relative to the largest output.

    Args:
        row: whose configuration is tried.
        transformation: e.g. `row.example_symmetry` or `row.counterexample`.
        seed: of weights and features.

    Raises:
        ValueError: If the points are a lattice that is not mapped to itself.

    Example:
        >>> from gaugenet.taxonomy import row, symmetry_error
        >>> rotations = row("plane_rotations")
        >>> symmetry_error(rotations, rotations.example_symmetry) < 1e-11
        True
    """
    points = row.points()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        domain, layer = row.configure(points)
        network = ScalarNetwork(layer).double()
        x = torch.randn(len(points), network.scalars.size, dtype=torch.float64)
        moved = transformation.map(points)
        if row.lattice:
            image = images(points, moved)
            found = network(torch.empty_like(x).index_copy(0, image, x), domain)[image]
        else:
            found = network(x, row.configure(moved)[0])
        expected = network(x, domain)
    return float((found - expected).abs().max() / expected.abs().max())


def images(points: Float[Tensor, "points D"], moved: Float[Tensor, "points D"]) -> Int[Tensor, "points"]:
    """Return the index of the point that each point is moved to.

    Raises:
        ValueError: If the map does not permute the points.
    """
    distance, image = torch.cdist(moved, points).min(1)
    if distance.max() > 1e-6 or len(image.unique()) != len(points):
        raise ValueError(
            f"Expected a map that permutes the points of the lattice, got one {float(distance.max()):.1e} from all."
        )
    return image


def markdown_table(rows: tuple[Row, ...], missing: tuple[MissingRow, ...]) -> str:
    """Return the taxonomy as a table in Markdown, with the missing rows at its end."""
    lines: list[list[Any]] = [
        ["Manifold", "G", "Global symmetry", "Representations", "Configuration", "Commutes with", "Control: not with"],
        ["---"] * 7,
    ]
    for r in rows:
        link = f"[`{r.name}`](#{r.name})"
        lines.append(
            [r.manifold, r.group, r.symmetry, r.representations, link, r.example_symmetry.text, r.counterexample.text]
        )
    for m in missing:
        lines.append([m.manifold, m.group, m.symmetry, m.representations, f"**missing**: {m.reason}", "", ""])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


__all__ = ["MissingRow", "Row", "ScalarNetwork", "Transformation", "images", "markdown_table", "symmetry_error"]
