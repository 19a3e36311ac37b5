"""Trees in the hyperbolic plane: hierarchical data for examples and tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry import Hyperbolic


@dataclass(frozen=True)
class Tree:
    """A tree with positions of the nodes, which are ordered level by level from the root.

    Attributes:
        points: `(N, 2)` positions in the half-plane.
        drawing: `(N, 2)` positions in the flat plane: the radius is the depth, nodes of a level have equal angles.
        parent: `(N,)` index of the parent; the root is its own parent.
    """

    points: Float[Tensor, "nodes 2"]
    drawing: Float[Tensor, "nodes 2"]
    parent: Int[Tensor, "nodes"]

    def ancestors(self) -> Float[Tensor, "nodes nodes"]:
        """Matrix with 1 if the node of the column is the node of the row or one of its ancestors, else 0."""
        above = torch.eye(len(self.parent), dtype=torch.float64)
        for node in range(1, len(above)):
            above[node] += above[self.parent[node]]
        return above


def regular_tree(depth: int, *, edge: float = 1.5) -> Tree:
    """Return the tree in which every node except the leaves has three neighbours :cite:`sarkar2011low`.

    All edges are geodesics of the same length, and leave their node at equal angles. So distances in the half-plane are
    close to distances in the tree, which is impossible in the flat plane.

    Args:
        depth: number of levels below the root, at least 1.
        edge: length of the edges.

    Example:
        >>> from gaugenet.data.trees import regular_tree
        >>> regular_tree(3).points.shape  # 1 + 3 + 6 + 12 nodes
        torch.Size([22, 2])
    """
    plane, fan = Hyperbolic(2), 3
    p, back = torch.tensor([[0.0, 1.0]], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    points, drawing, parent, first = [p], [torch.zeros(1, 2, dtype=torch.float64)], [torch.zeros(1).long()], 0
    for level in range(1, positive("depth", depth) + 1):
        up = torch.arange(len(p)).repeat_interleave(fan)
        child = torch.arange(len(up)) % fan + (level > 1)  # the first of three directions leads to the parent
        q = plane.exp(p[up], edge * p[up, 1:] * _circle(back[up] + 2 * math.pi / 3 * child))
        home = plane.log(q, p[up])
        parent.append(up + first)
        first += len(p)
        p, back, fan = q, torch.atan2(home[:, 1], home[:, 0]), 2
        points.append(p)
        drawing.append(level * _circle(2 * math.pi * (torch.arange(len(p), dtype=torch.float64) + 0.5) / len(p)))
    return Tree(torch.cat(points), torch.cat(drawing), torch.cat(parent))


def dyadic_intervals(depth: int) -> Float[Tensor, "nodes 2"]:
    """Return centre and length of the dyadic intervals of [0, 1] up to depth `depth`: a binary tree in the half-plane.

    Intervals are ordered level by level. The halves of interval i of a level are 2 i and 2 i + 1 of the next level.
    """
    levels = []
    for level in range(positive("depth", depth) + 1):
        centre = 2.0**-level * (torch.arange(2**level, dtype=torch.float64) + 0.5)
        levels.append(torch.stack([centre, torch.full_like(centre, 2.0**-level)], -1))
    return torch.cat(levels)


def _circle(angle: Float[Tensor, "n"]) -> Float[Tensor, "n 2"]:
    return torch.stack([angle.cos(), angle.sin()], -1)


__all__ = ["Tree", "dyadic_intervals", "regular_tree"]
