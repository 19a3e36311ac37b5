"""Forms: the ways to compute a sum over neighbours, by the `form` of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gaugenet.geometry.domain import GraphDomain
from gaugenet.kernels.attributes import Attributes

Form = Callable[[Any, Tensor, Tensor, GraphDomain, Attributes], Tensor]
"""`form(space, weight, x, graph, attributes)`: sum over rows of K_pq rho_in(g_pq) x(q)."""

FORMS: dict[str, Form] = {}
"""The table in which the engine of graphs looks up `KernelSpace.form`; each form adds itself."""

__all__ = ["FORMS", "Form"]
