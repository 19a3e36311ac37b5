"""Nonlinearities by name."""

from __future__ import annotations

from typing import Any

from gaugenet.groups import FieldType
from gaugenet.nn.fourier import FourierNonlinearity
from gaugenet.nn.nonlinearity import GatedNonlinearity, NormNonlinearity, PointwiseNonlinearity
from gaugenet.nn.tensor_product import TensorProductNonlinearity

_NONLINEARITIES: dict[str, Any] = {
    "gated": GatedNonlinearity,
    "norm": NormNonlinearity,
    "fourier": FourierNonlinearity,
    "pointwise": PointwiseNonlinearity,
    "tensor_product": TensorProductNonlinearity,
}


def make_nonlinearity(name: str, field_type: FieldType, **options: Any) -> Any:
    """Return the layer called `name` whose output has the type `field_type`; its `in_type` may be larger (gates).

    Raises:
        ValueError: If `name` is not one of `gated`, `norm`, `fourier`, `pointwise`, `tensor_product`.
    """
    if name not in _NONLINEARITIES:
        raise ValueError(f"Unknown nonlinearity {name!r}: expected one of {', '.join(_NONLINEARITIES)}.")
    return _NONLINEARITIES[name](field_type, **options)
