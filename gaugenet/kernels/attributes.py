"""Attributes: fields on which kernels may depend in addition to the position of a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType


@dataclass(frozen=True)
class Attributes:
    """Fields on which kernels depend.

    Attributes:
        edge: one row for each edge of the graph, in its order, in the frame at the target.
        node: one row for each point, in its own frame.
    """

    edge: Float[Tensor, "edges size"] | None = None
    node: Float[Tensor, "points size"] | None = None

    def __bool__(self) -> bool:
        return self.edge is not None or self.node is not None


NO_ATTRIBUTES = Attributes()


def check_attribute(name: str, value: Tensor | None, field_type: FieldType | None, option: str) -> None:
    """Check that an attribute is given if and only if kernels have a type for it, and that it has the right size.

    Raises:
        ValueError: If the attribute is missing, not expected, or of another size.
    """
    if field_type is None:
        if value is not None:
            raise ValueError(f"These kernels take no `{name}`: give them its field type, `Implicit({option}=...)`.")
        return
    if value is None:
        raise ValueError(f"Expected `{name}` of type {field_type}, which these kernels depend on: pass `{name}=...`.")
    if value.dim() != 2 or value.shape[1] != field_type.size:
        raise ValueError(
            f"Expected `{name}` with {field_type.size} columns for the field type {field_type}, "
            f"got shape {tuple(value.shape)}."
        )


def check_rows(name: str, value: Tensor, count: int, what: str) -> None:
    """Raise `ValueError` unless there is one row for each edge or point."""
    if value.shape[0] != count:
        raise ValueError(f"Expected `{name}` with one row for each of the {count} {what}, got {value.shape[0]}.")


__all__ = ["Attributes", "NO_ATTRIBUTES", "check_attribute", "check_rows"]
