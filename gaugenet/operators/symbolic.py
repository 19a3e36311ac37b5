"""Operators given by their coefficients, applied by jets on graphs and by finite differences on grids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.grids.grid import Grid
from gaugenet.groups import FieldType, group_from_name
from gaugenet.kernels import DifferentialSpace
from gaugenet.kernels._symbols import indices_up_to
from gaugenet.operators.differences import on_grid
from gaugenet.operators.domains import Space, as_given, as_rows, check_numbers, operator_graph
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
        needs_lengths: whether it is another operator in an indefinite metric.
    """

    name: str
    d: int
    order: int
    terms: dict[tuple[int, ...], Float[Tensor, "out in"]]
    action: Action | None = None
    needs_lengths: bool = False

    @property
    def coefficients(self) -> Float[Tensor, "monomials out in"]:
        """C_a for all multi-indices up to the order."""
        zero = torch.zeros_like(next(iter(self.terms.values())))
        return torch.stack([self.terms.get(a, zero) for a in indices_up_to(self.d, self.order)])


def matrix_of(symbol: Symbol, domain: Space, degree: int | None = None) -> OperatorMatrix:
    """Return the sparse matrix of an operator on a graph, computed once per graph."""
    _check_lengths(symbol, domain)
    graph = operator_graph(domain)
    default = _SCALAR_DEGREE if symbol.action is None else _FIELD_DEGREE
    chosen = max(default, symbol.order) if degree is None else degree

    def build() -> OperatorMatrix:
        return operator_matrix(graph, symbol.coefficients, order=symbol.order, degree=chosen, action=symbol.action)

    return graph.cached(("operator", symbol.name, chosen), graph.geometry_tensors(), build)


def differentiate(
    symbol: Symbol, f: Tensor, domain: Space, *, degree: int | None = None, accuracy: int | None = None
) -> Tensor:
    """Return D f on a graph or a grid."""
    check_numbers(f)
    _check_lengths(symbol, domain)
    if isinstance(domain, Grid):
        chosen = _accuracy_of_grid(degree, accuracy)
        return on_grid(f, domain, symbol.terms, accuracy=chosen, action=symbol.action)
    _check_graph_options(accuracy)
    outputs, inputs = next(iter(symbol.terms.values())).shape
    return as_given(matrix_of(symbol, domain, degree)(as_rows(f, domain, inputs)), f, domain, inputs, outputs)


def _check_lengths(symbol: Symbol, domain: Space) -> None:
    """Raise `ValueError` if a grid has a metric in which the operator is another one."""
    signature = domain.signature if isinstance(domain, Grid) else None
    if symbol.needs_lengths and signature is not None and signature[1]:
        raise ValueError(
            f"Expected a grid with a positive metric for the {symbol.name}, got the signature {signature}: use "
            f"`apply_operator` with a `DifferentialSpace` of a group that preserves it, `PseudoOrthogonal{signature}`."
        )


def _accuracy_of_grid(degree: int | None, accuracy: int | None) -> int:
    if degree is not None:
        raise ValueError("Expected `accuracy` for a Grid, got `degree`, which is for graphs.")
    return _ACCURACY if accuracy is None else accuracy


def _check_graph_options(accuracy: int | None) -> None:
    if accuracy is not None:
        raise ValueError("Expected `degree` for a graph, got `accuracy`, which is for finite differences on a Grid.")


def apply_operator(
    space: DifferentialSpace,
    weight: Float[Tensor, "weights"],
    f: Float[Tensor, "points in *spatial"],
    domain: Space,
    *,
    degree: int | None = None,
    accuracy: int | None = None,
) -> Float[Tensor, "points out *spatial"]:
    """Return D f for the operator of a `DifferentialSpace` with these weights, in units of length (no factors R^n).

    Differentiable in `f` and in the weights. Source: :cite:`jenner2022steerable`.

    Args:
        space: the operators between two field types.
        weight: weights of the operators, see `DifferentialSpace.operators` for their names.
        f: features of `space.in_type`, in a layout of the domain.
        domain: see `gradient`; its transporters must act on `space.in_type`.
        degree: degree of the polynomials fitted to the field on a graph, by default `max(2, space.max_order)`.
        accuracy: order of the error on a grid, 2 (default), 4 or 6.

    Raises:
        ValueError: If the features, the group or the options do not fit the domain; see also `gradient`.

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
    check_numbers(f)
    space.in_type.check(f, "f")
    table, rho = space.coefficient_matrices(weight.double()), space.in_type.representation()
    if isinstance(domain, Grid):
        domain.check_metric(space.in_type.group)
        terms = dict(zip(space.indices, table, strict=True))
        return on_grid(f, domain, terms, accuracy=_accuracy_of_grid(degree, accuracy), action=rho)
    _check_graph_options(accuracy)
    graph, order = operator_graph(domain), space.max_order
    check_structure(space.in_type, graph)
    chosen = max(_FIELD_DEGREE, order) if degree is None else degree
    matrix = operator_matrix(
        graph, table, order=order, degree=chosen, action=rho, uniform=not space.in_type.group.compact
    )
    rows = matrix(as_rows(f, domain, space.in_type.size))
    return as_given(rows, f, domain, space.in_type.size, space.out_type.size)


def check_structure(field_type: FieldType, graph: GaugeGraph) -> None:
    """Raise `ValueError` unless the transporters of a graph act on a field type."""
    structure = graph.structure
    for name in {structure} if isinstance(structure, str) else set(structure):
        field_type.group.check_subgroup(group_from_name(name, graph.log_map.shape[1]))


__all__ = ["Symbol", "apply_operator", "check_structure", "differentiate", "matrix_of"]
