"""The page docs/taxonomy.md, written from the rows."""

from __future__ import annotations

import inspect

from gaugenet.taxonomy.entry import MissingRow, Row, markdown_table
from gaugenet.taxonomy.operators import operators_text

HEAD = """\
# The taxonomy of coordinate independent CNNs

A convolution on a manifold is decided by three things: the manifold M, the structure group G (between which frames no
difference is made), and the representations of the features. Which global symmetry the network has follows: the
isometries of M (with S, dilations too) that map the frames of the G-structure to each other. The table goes through the
taxonomy of :cite:`weiler2021coordinate`, from ordinary images to the hyperbolic plane. E_d is flat space, T_d its
translations, S scaling, R a reflection, {e} the trivial group.

Every row links to a configuration that runs, and names two maps of its space to itself: one that every network of this
kind commutes with (to rounding, 1e-14 in float64), and one that it does not commute with. Both are tested.

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

`symmetry_error` builds a network from scalars to scalars around the layer, with random weights, and compares its output
before and after values ride along with their points. It takes any map of yours:

```python
import torch
from gaugenet.taxonomy import Transformation

half_rotation = Transformation("180° about z", lambda p: p * torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
assert symmetry_error(row("sphere_polar"), half_rotation) < 1e-11
```

## The configurations

`Configuration` is the pair of domain and layer. Points are drawn on the manifold (`entry.points()`); lattices (pixels,
icosahedron) bring their own.

Each picture shows frames of the G-structure (first vector orange, second blue, third green), drawn from it at random:
faint arrows and circles are the other frames that G leads to. Discs (balls in three dimensions) are one entry of a
kernel of the layer, from blue (negative) to red (positive), moved over the space by the frames at their centres: the
same function of log coordinates everywhere. [Pictures](pictures.md) tells how to draw your own.
"""


def markdown_page(rows: tuple[Row, ...], missing: tuple[MissingRow, ...]) -> str:
    """The table, how to run a row, and the source of every configuration."""
    parts = [HEAD, markdown_table(rows, missing), _USE]
    for entry in rows:
        parts.append(f"\n### {entry.name}\n\n{entry.manifold}, G = {entry.group}: {entry.symmetry}.\n")
        parts.append(f"{operators_text(entry)}\n")
        parts.append(f"\n![{entry.manifold}, G = {entry.group}](images/taxonomy/{entry.name}.png)\n")
        parts.append(f"\n<!-- not run -->\n```python\n{inspect.getsource(entry.configure)}```\n")
    return "".join(parts)


__all__ = ["markdown_page"]
