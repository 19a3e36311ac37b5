"""The form of kernels with a full matrix for each edge: for small types."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import GraphDomain
from gaugenet.kernels.attributes import Attributes
from gaugenet.kernels.polynomial_space import PolynomialSpace
from gaugenet.nn.engines.depthwise import row_attributes
from gaugenet.nn.engines.factors import targets, transported
from gaugenet.nn.engines.forms import FORMS
from gaugenet.nn.engines.graph import edge_factors
from gaugenet.nn.precision import widened


def convolve(
    space: PolynomialSpace,
    weight: Float[Tensor, "weights"],
    x: Float[Tensor, "vertices in"],
    domain: GraphDomain,
    attributes: Attributes,
) -> Float[Tensor, "vertices out"]:
    """Return the sum of K_pq rho_in(g_pq) x(q), in memory of O(E C_out C_in)."""
    if not space.num_weights:
        return x.new_zeros(x.shape[0], space.out_type.size)
    with torch.autocast(x.device.type, enabled=False):
        wide = widened(x)
        factors = edge_factors(space, domain, wide.dtype)
        z = row_attributes(space, attributes, domain, factors)
        kernel = space.matrices_from(widened(weight), factors.coefficient, z)
        h = transported(wide[factors.source], factors, space.in_type)
        messages = (kernel @ h.unsqueeze(-1)).squeeze(-1)
        out = wide.new_zeros(x.shape[0], space.out_type.size)
        return out.index_add(0, targets(factors), messages).to(x.dtype)


FORMS["full"] = convolve
