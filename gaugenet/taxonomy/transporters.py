"""Transporters given by geometry, and transporters that are the variables: one layer, on a mesh and on a lattice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gaugenet.geometry import GaugeGraph, Icosphere, LatticeGaugeField
from gaugenet.groups import SO2, SU, FieldType
from gaugenet.kernels import Shifts
from gaugenet.nn import GaugeConv

TransporterSpace = GaugeGraph | LatticeGaugeField


def geometric_transporters() -> tuple[TransporterSpace, GaugeConv, Tensor]:
    """Return a mesh of the sphere, a layer and features: transporters follow from the geometry."""
    group = SO2()
    fields = FieldType(group, "2x0 + 2x1")
    space = Icosphere(2).gauge_graph(group, dtype=torch.float64)
    layer = GaugeConv(fields, fields, dtype=torch.float64)
    return space, layer, torch.randn(space.num_nodes, fields.size, dtype=torch.float64)


def dynamical_transporters() -> tuple[TransporterSpace, GaugeConv, Tensor]:
    """Return links of SU(2) on a lattice, a layer and features: transporters are the links."""
    group = SU(2)
    fields = FieldType(group, "2xmatrix + 2xfundamental")
    space = LatticeGaugeField.random(group, (6, 6))
    layer = GaugeConv(fields, fields, kernel=Shifts(2), dtype=torch.float64)
    return space, layer, torch.randn(1, fields.size, *space.shape, dtype=torch.float64)


@dataclass(frozen=True)
class TransporterKind:
    """One of the two ways in which transporters are given.

    Attributes:
        name: of the configuration.
        configure: returns a space, a `GaugeConv` on it and features, at most ten lines.
        given: where the transporters come from.
        fibre: what the structure group acts on.
        gauge: what a gauge transformation changes.
        kernels: functions of what.
        trained: whether the transporters can be variables of a training or of a simulation.

    Example:
        >>> from gaugenet.taxonomy import TRANSPORTERS
        >>> [kind.name for kind in TRANSPORTERS]
        ['geometric_transporters', 'dynamical_transporters']
        >>> space, layer, x = TRANSPORTERS[1].configure()
        >>> layer(x, space).shape
        torch.Size([1, 24, 6, 6])
    """

    name: str
    configure: Callable[[], tuple[TransporterSpace, GaugeConv, Tensor]]
    given: str
    fibre: str
    gauge: str
    kernels: str
    trained: str


TRANSPORTERS = (
    TransporterKind(
        "geometric_transporters", geometric_transporters,
        "computed from the geometry: parallel transport along the geodesic from q to p",
        "tangent vectors, and so on kernels", "frames, log maps, transporters and features",
        "functions of the log map, `K(g v) = ρ(g) K(v) ρ(g)⁻¹`", "no: they follow from positions and frames",
    ),
    TransporterKind(
        "dynamical_transporters", dynamical_transporters,
        "independent variables: the links U_μ(x) of a lattice gauge field",
        "an internal fibre C^N; directions do not change", "links and features",
        "an intertwiner for each displacement", "yes: `LinkUpdate`, gradients with respect to links, sampling",
    ),
)  # fmt: skip
"""Geometric and dynamical transporters, the two columns of the row in docs/taxonomy.md."""


def gauge_error(kind: TransporterKind, *, transform_space: bool = True, seed: int = 0) -> float:
    """Return how far a layer with random weights is from commuting with a random gauge transformation.

    Every point gets its own random element g_p of the structure group. Features become rho(g_p) f(p), transporters
    g_p U g_q^-1. The error is relative to the largest output.

    Args:
        kind: whose configuration is tried.
        transform_space: the control if false: features change, but transporters do not.
        seed: of weights, features and group elements.

    Example:
        >>> from gaugenet.taxonomy import TRANSPORTERS, gauge_error
        >>> all(gauge_error(kind) < 1e-12 for kind in TRANSPORTERS)
        True
        >>> all(gauge_error(kind, transform_space=False) > 0.1 for kind in TRANSPORTERS)
        True
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        space, layer, x = kind.configure()
        group = layer.in_type.group
        points = x.shape[:1] if isinstance(space, GaugeGraph) else (space.batch_size, *space.shape)
        g = group.random_element(tuple(points), dtype=torch.float64)
        there = space.gauge_transform(g) if transform_space else space
        found = layer(layer.in_type.transform(g, x), there)
        expected = layer.out_type.transform(g, layer(x, space))
    return float((found - expected).abs().max() / expected.abs().max())


def transporter_section() -> str:
    """Return the section of docs/taxonomy.md: the row as a table of two columns, and both configurations."""
    cells = [
        ("Transporters", [k.given for k in TRANSPORTERS]),
        ("G acts on", [k.fibre for k in TRANSPORTERS]),
        ("A gauge transformation changes", [k.gauge for k in TRANSPORTERS]),
        ("Kernels", [k.kernels for k in TRANSPORTERS]),
        ("Variables", [k.trained for k in TRANSPORTERS]),
        ("Configuration", [f"`{k.name}`" for k in TRANSPORTERS]),
    ]
    table = "\n".join(f"| {name} | {left} | {right} |" for name, (left, right) in cells)
    code = [f"<!-- not run -->\n```python\n{inspect.getsource(kind.configure)}```\n" for kind in TRANSPORTERS]
    return _SECTION.format(table=table, geometric=code[0], dynamical=code[1])


_SECTION = """
## Geometric transporters, dynamical transporters

In all rows of the table transporters follow from the geometry. In physics they are variables of their own: the links
U_μ(x) of a [lattice gauge field](lattice.md). The convolution is the same, out(p) = K_self f(p) + Σ K ρ(U_pq) f(q),
and so is the layer, `GaugeConv`.

| | Geometric transporters | Dynamical transporters |
| --- | --- | --- |
{table}

{geometric}
{dynamical}
Both layers commute with independent elements of the group at every point. If the space keeps its old transporters,
they do not:

```python
from gaugenet.taxonomy import TRANSPORTERS, gauge_error

for kind in TRANSPORTERS:
    space, layer, x = kind.configure()
    y = layer(x, space)  # the same call on a mesh and on a lattice
    assert gauge_error(kind) < 1e-12
    assert gauge_error(kind, transform_space=False) > 0.1
```
"""

__all__ = [
    "TRANSPORTERS",
    "TransporterKind",
    "dynamical_transporters",
    "gauge_error",
    "geometric_transporters",
    "transporter_section",
]
