"""Operators given by their coefficients, applied by jets on graphs and by finite differences on grids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import Domain
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grids.grid import Grid
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType, group_from_name
from gaugenet.kernels import DifferentialSpace
from gaugenet.kernels._symbols import indices_up_to
from gaugenet.operators.differences import on_grid
from gaugenet.operators.matrix import Action, OperatorMatrix, operator_matrix

_FIELD_DEGREE = 2
"""Degree of the polynomials fitted to vectors and tensors: errors of mesh transporters would spoil a higher one."""
_SCALAR_DEGREE = 3
"""Degree of the polynomials fitted to scalars."""
_ACCURACY = 2
"""Order of the error of finite differences."""


@dataclass(frozen=True)
class Symbol:
    """An operator D = sum_a C_a d^a with constant coefficients between fields.

    Attributes:
        name: name for caches and messages.
        d: dimension of the space.
        order: highest order of its derivatives.
        terms: C_a of shape `(out, in)` for every multi-index a.
        action: how transporters, and mirrors of a grid, act on the field; `None` for scalars.
    """

    name: str
    d: int
    order: int
    terms: dict[tuple[int, ...], Float[Tensor, "out in"]]
    action: Action | None = None

    @property
    def coefficients(self) -> Float[Tensor, "monomials out in"]:
        """C_a for all multi-indices up to the order."""
        zero = torch.zeros_like(next(iter(self.terms.values())))
        return torch.stack([self.terms.get(a, zero) for a in indices_up_to(self.d, self.order)])


def matrix_of(symbol: Symbol, domain: Domain, degree: int | None = None) -> OperatorMatrix:
    """Return the sparse matrix of an operator on a graph, computed once per graph."""
    graph = gauge_graph_of(domain)
    default = _SCALAR_DEGREE if symbol.action is None else _FIELD_DEGREE
    chosen = max(default, symbol.order) if degree is None else degree

    def build() -> OperatorMatrix:
        return operator_matrix(graph, symbol.coefficients, order=symbol.order, degree=chosen, action=symbol.action)

    return graph.cached(("operator", symbol.name, chosen), graph.geometry_tensors(), build)


def differentiate(
    symbol: Symbol, f: Tensor, domain: Domain, *, degree: int | None = None, accuracy: int | None = None
) -> Tensor:
    """Return D f on a graph or a grid."""
    if isinstance(domain, Grid):
        if degree is not None:
            raise ValueError("Expected `accuracy` for a Grid, got `degree`, which is for graphs.")
        chosen = _ACCURACY if accuracy is None else accuracy
        return on_grid(f, domain, symbol.terms, accuracy=chosen, action=symbol.action)
    if accuracy is not None:
        raise ValueError("Expected `degree` for a graph, got `accuracy`, which is for finite differences on a Grid.")
    return matrix_of(symbol, domain, degree)(f)


def dimension(domain: Domain) -> int:
    """Return the dimension of a domain's tangent spaces."""
    return domain.d if isinstance(domain, Grid) else int(gauge_graph_of(domain).log_map.shape[1])


def gauge_graph_of(domain: Domain) -> GaugeGraph:
    """Return the gauge graph of a domain.

    Raises:
        ValueError: If `domain` is not a domain, or has several graphs.
    """
    if isinstance(domain, GaugeGraph):
        return domain
    if isinstance(domain, Icosphere):
        raise ValueError(
            "An icosphere has several gauge graphs: pass "
            "`icosphere.gauge_graph(SO2(), connection='levi_civita', mean_neighbors=20)`."
        )
    graph = domain.gauge_graph() if isinstance(domain, Domain) else None
    if isinstance(graph, GaugeGraph):
        return graph
    raise ValueError(
        "Expected a domain, a GaugeGraph (e.g. from `mesh.gauge_graph(SO2(), mean_neighbors=20)`) or a Grid, got "
        f"{type(domain).__name__}."
    )


def apply_operator(
    space: DifferentialSpace,
    weight: Float[Tensor, "weights"],
    f: Float[Tensor, "points in"],
    graph: GaugeGraph,
    *,
    degree: int | None = None,
) -> Float[Tensor, "points out"]:
    """Return D f for the operator of a `DifferentialSpace` with these weights, in units of length (no factors R^n).

    Differentiable in `f` and in the weights. Source: :cite:`jenner2022steerable`.

    Args:
        space: the operators between two field types.
        weight: weights of the operators, see `DifferentialSpace.operators` for their names.
        f: features of `space.in_type`.
        graph: a graph with transporters that act on `space.in_type`.
        degree: degree of the polynomials fitted to the field, by default `max(2, space.max_order)`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import DifferentialSpace
        >>> from gaugenet.operators import apply_operator
        >>> scalars = FieldType(SO2(), "1x0")
        >>> space = DifferentialSpace(scalars, scalars, max_order=2)
        >>> [operator.name for operator in space.operators]
        ['identity', 'laplacian']
        >>> points = torch.rand(100, 2, dtype=torch.float64)
        >>> graph = PointCloud(points).gauge_graph(SO2(), neighbors=20)
        >>> f = points.square().sum(1, keepdim=True)
        >>> out = apply_operator(space, torch.tensor([0.0, 1.0]), f, graph)
        >>> torch.allclose(out, torch.full_like(out, 4.0))  # the Laplacian of x^2 + y^2
        True
    """
    space.in_type.check(f, "f")
    check_structure(space.in_type, graph)
    order = space.max_order
    chosen = max(_FIELD_DEGREE, order) if degree is None else degree
    table, rho = space.coefficient_matrices(weight.double()), space.in_type.representation()
    return operator_matrix(graph, table, order=order, degree=chosen, action=rho)(f)


def check_structure(field_type: FieldType, graph: GaugeGraph) -> None:
    """Raise `ValueError` unless the transporters of a graph act on a field type."""
    structure = graph.structure
    for name in {structure} if isinstance(structure, str) else set(structure):
        field_type.group.check_subgroup(group_from_name(name, graph.log_map.shape[1]))


__all__ = ["Symbol", "apply_operator", "check_structure", "differentiate", "dimension", "gauge_graph_of", "matrix_of"]
