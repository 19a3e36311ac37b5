"""OperatorMatrix: a linear differential operator on the points of a graph, as a sparse matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.operators.domains import check_numbers
from gaugenet.operators.neighborhoods import GraphJets, graph_jets

Action = Callable[[Float[Tensor, "rows d d"]], Float[Tensor, "rows in in"]]
"""How a transporter acts on the components of a field."""


@dataclass(frozen=True)
class OperatorMatrix:
    """A sparse matrix of blocks: out(target) = sum over rows of value[row] f(source).

    Attributes:
        value: `(rows, out, in)`, including the transport, float64.
        source, target: indices of points.
        num_points: number of points.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import SO2
        >>> from gaugenet.operators import as_matrix, gradient
        >>> graph = PointCloud(torch.rand(100, 2)).gauge_graph(SO2(), neighbors=20)
        >>> matrix = as_matrix(gradient, graph)
        >>> matrix(torch.rand(100, 3)).shape  # three scalars to three vectors
        torch.Size([100, 6])
        >>> matrix.to_torch().shape
        torch.Size([200, 100])
    """

    value: Float[Tensor, "rows out in"]
    source: Int[Tensor, "rows"]
    target: Int[Tensor, "rows"]
    num_points: int

    def __call__(self, f: Float[Tensor, "points in_channels"]) -> Float[Tensor, "points out_channels"]:
        """Apply the operator to several channels: components are the outer index, channels the inner one.

        Differentiable in `f`, and computed in its precision.
        """
        check_numbers(f)
        _, outputs, inputs = self.value.shape
        if f.dim() != 2 or f.shape[0] != self.num_points or f.shape[1] % inputs:
            raise ValueError(
                f"Expected `f` of shape ({self.num_points}, {inputs} C): one row a point and {inputs} components of C "
                f"channels, got {tuple(f.shape)}."
            )
        channels = f.reshape(self.num_points, inputs, f.shape[1] // inputs)[self.source]
        terms = torch.einsum("roi,ric->roc", self.value.to(f), channels)
        return f.new_zeros(self.num_points, outputs, channels.shape[2]).index_add(0, self.target, terms).flatten(1)

    def to_scipy(self) -> Any:
        """Return the matrix on one channel as a `scipy.sparse.csr_array`, components being the inner index."""
        from scipy.sparse import coo_array

        row, column, shape = self._entries()
        return coo_array((self.value.flatten().cpu().numpy(), (row.cpu().numpy(), column.cpu().numpy())), shape).tocsr()

    def to_torch(self) -> Tensor:
        """Return the matrix of `to_scipy` as a sparse tensor of PyTorch, coalesced COO, float64."""
        row, column, shape = self._entries()
        index = torch.stack([row, column])
        return torch.sparse_coo_tensor(index, self.value.flatten(), shape, check_invariants=True).coalesce()

    def _entries(self) -> tuple[Tensor, Tensor, tuple[int, int]]:
        _, outputs, inputs = self.value.shape
        i, j = (torch.arange(n, device=self.source.device) for n in (outputs, inputs))
        row = (self.target[:, None, None] * outputs + i[:, None]).expand_as(self.value)
        column = (self.source[:, None, None] * inputs + j).expand_as(self.value)
        return row.flatten(), column.flatten(), (self.num_points * outputs, self.num_points * inputs)


def operator_matrix(
    graph: GaugeGraph,
    coefficients: Float[Tensor, "monomials out in"],
    *,
    order: int,
    degree: int,
    action: Action | None = None,
    uniform: bool = False,
) -> OperatorMatrix:
    """Return the matrix of D = sum_a C_a d^a for symmetrized covariant derivatives d^a in the frames of the graph.

    Args:
        graph: the domain.
        coefficients: C_a for all multi-indices a up to `order`, lowest order first.
        order: order of the operator.
        degree: degree of the polynomials that are fitted to the field around each point, at least `order`.
        action: how transporters act on the field; `None` for scalars.
        uniform: fit all neighbours with one weight, for frames that are not orthonormal.

    Raises:
        ValueError: If most neighbourhoods do not determine derivatives of that order; see also `graph_jets`.
    """
    if degree < order:
        raise ValueError(f"Expected `degree` of at least the order {order} of the operator, got {degree}.")
    jets: GraphJets = graph_jets(graph, degree, uniform=uniform)
    jets.jets.require(order)
    table = coefficients.to(jets.rows)
    value = torch.einsum("ra,aoi->roi", jets.rows[:, : len(table)], table)
    if action is not None:
        value = value @ action(jets.transporter).to(value)
    return OperatorMatrix(value, jets.source, jets.target, jets.num_points)


__all__ = ["Action", "OperatorMatrix", "operator_matrix"]
