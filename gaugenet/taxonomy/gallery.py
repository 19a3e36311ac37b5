"""The page docs/taxonomy.md, written from the rows."""

from __future__ import annotations

import inspect

from gaugenet.taxonomy.entry import MissingRow, Row, markdown_table
from gaugenet.taxonomy.operators import operators_text
from gaugenet.taxonomy.transporters import transporter_section

HEAD = """\
# The taxonomy of coordinate independent CNNs

Three things determine a convolution on a manifold: the manifold M, the structure group G (its elements relate frames
that count as equal), and the representations of the features. The global symmetry of the network follows from them. It
consists of the isometries of M (with S, also dilations) that map the frames of the G-structure to each other. The table
covers the taxonomy of :cite:`weiler2021coordinate`, from ordinary images to the hyperbolic plane. E_d is flat space,
T_d its translations, S scaling, R a reflection, {e} the trivial group.

Every row links to a configuration that runs, and names two maps of its space to itself. Every network of this kind
commutes with the first (to rounding, 1e-14 in float64), and does not commute with the second. Both are tested.

"""

_USE = """
## Running a row

```python
from gaugenet.taxonomy import row, symmetry_error

entry = row("sphere_rotations")
domain, layer = entry.configure(entry.points())  # points to a domain and a layer on it

assert symmetry_error(entry, entry.example_symmetry) < 1e-11  # a rotation of the sphere
assert symmetry_error(entry, entry.counterexample) > 1e-3  # a reflection: kernels of SO(2) know left from right
```

`symmetry_error` builds a network from scalars to scalars around the layer, with random weights. It compares the outputs
before and after the points, with their values, are moved by a map. You can pass your own map:

```python
import torch
from gaugenet.taxonomy import Transformation

half_rotation = Transformation("180° about z", lambda p: p * torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
assert symmetry_error(row("sphere_polar"), half_rotation) < 1e-11
```

## The configurations

`Configuration` is the pair of domain and layer. Points are drawn on the manifold (`entry.points()`); on lattices
(pixels, icosahedron) they are fixed.

Each picture shows frames drawn at random from the G-structure (first vector orange, second blue, third green). Faint
arrows and circles are the other frames that G relates to them. Discs (balls in three dimensions) show one entry of a
kernel of the layer, from blue (negative) to red (positive). The frames at their centres place the kernel: it is the
same function of logarithmic coordinates everywhere. [Pictures](pictures.md) explains how to draw your own.
"""


def markdown_page(rows: tuple[Row, ...], missing: tuple[MissingRow, ...]) -> str:
    """Return the page: the table, how to run a row, and the source of every configuration."""
    parts = [HEAD, markdown_table(rows, missing), transporter_section(), _USE]
    for entry in rows:
        parts.append(f"\n### {entry.name}\n\n{entry.manifold}, G = {entry.group}: {entry.symmetry}.\n")
        parts.append(f"{operators_text(entry)}\n")
        parts.append(f"\n![{entry.manifold}, G = {entry.group}](images/taxonomy/{entry.name}.png)\n")
        parts.append(f"\n<!-- not run -->\n```python\n{inspect.getsource(entry.configure)}```\n")
    return "".join(parts)


__all__ = ["markdown_page"]
