"""Differential operators of tensor calculus on meshes, points, manifolds and grids."""

from gaugenet.operators.as_matrix import as_matrix
from gaugenet.operators.domains import operator_graph
from gaugenet.operators.matrix import OperatorMatrix
from gaugenet.operators.spin import eth, ethbar
from gaugenet.operators.symbolic import apply_operator
from gaugenet.operators.tensor_calculus import covariant_derivative, curl, divergence, gradient, hessian, laplacian

__all__ = [
    "OperatorMatrix",
    "apply_operator",
    "as_matrix",
    "covariant_derivative",
    "curl",
    "divergence",
    "eth",
    "ethbar",
    "gradient",
    "hessian",
    "laplacian",
    "operator_graph",
]
