"""GaugeMessagePassing: messages by any equivariant function of both ends of an edge, in one frame."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels import ImplicitSpace
from gaugenet.kernels.attributes import check_attribute, check_rows
from gaugenet.nn.engines.factors import targets, transported
from gaugenet.nn.engines.graph import GraphEngine, edge_factors
from gaugenet.nn.mlp import EquivariantMLP
from gaugenet.nn.precision import check_features


class GaugeMessagePassing(nn.Module):
    r"""x'(p) = update[x(p), sum over edges q -> p of w_e message(x(p), rho(transporter_e) x(q), e)].

    Features of the source are transported to the frame at the target. There the features of both ends, functions of
    the distance, harmonics of the direction and attributes of the edge are one field. `message` is any equivariant
    module on this field, so messages may be nonlinear in the features, as in :cite:`park2023modeling`. A message is
    computed for each edge: memory is O(E C).

    Shapes:
        x: `(N, in_type.size)`; domain: a `GaugeGraph` or any `Domain` that gives one -> `(N, out_type.size)`.
        edge_attr: `(E, edge_type.size)`, in the frame at the target.

    Equivariance: as good as that of `message` and `update`.

    Args:
        in_type, out_type: field types of one group.
        message: module with `in_type` equal to `message_type(...)` and any `out_type`. Default: an `EquivariantMLP`
            with hidden layer and result of type `hidden`.
        update: module from `in_type` followed by the message's `out_type`, to `out_type`. Default: an
            `EquivariantMLP` with hidden layer of type `hidden`.
        hidden: type of messages and hidden layers of the default modules; by default `out_type`.
        edge_type: type of attributes of edges.
        rings: Gaussian functions of the distance.
        max_frequency: highest frequency of the harmonics.

    Raises:
        ValueError: If the types belong to different groups, or a module has another type.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeMessagePassing
        >>> scalars, vectors = FieldType(SO2(), "4x0"), FieldType(SO2(), "4x0 + 2x1")
        >>> layer = GaugeMessagePassing(scalars, vectors)
        >>> layer(torch.rand(42, 4), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 8])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        message: nn.Module | None = None,
        update: nn.Module | None = None,
        hidden: FieldType | None = None,
        edge_type: FieldType | None = None,
        rings: int = 4,
        max_frequency: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_one_group(in_type, out_type)
        self.in_type, self.out_type, self.edge_type = in_type, out_type, edge_type
        self.rings, self.max_frequency = rings, max_frequency
        self.space = ImplicitSpace(in_type, in_type, hidden=1, rings=rings, max_frequency=max_frequency)
        self.message_type = message_type(in_type, edge_type, rings=rings, max_frequency=max_frequency)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        hidden = out_type if hidden is None else hidden
        if message is None:
            message = EquivariantMLP(self.message_type, hidden, hidden=hidden, **factory)
        self.message = message
        _need_types("message", message, self.message_type, None)
        joined = in_type + _type_of(message, "out_type")
        self.update = EquivariantMLP(joined, out_type, hidden=hidden, **factory) if update is None else update
        _need_types("update", self.update, joined, out_type)

    def reset_parameters(self) -> None:
        """Reset both modules, if they have `reset_parameters`."""
        for module in (self.message, self.update):
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()

    def forward(
        self, x: Float[Tensor, "points in"], domain: Domain, *, edge_attr: Float[Tensor, "edges size"] | None = None
    ) -> Float[Tensor, "points out"]:
        check_features(self, x)
        check_attribute("edge_attr", edge_attr, self.edge_type, "edge_type")
        GraphEngine().check(self.in_type, x, domain)
        factors = edge_factors(self.space, domain.gauge_graph(), x.dtype)
        c, target = factors.coefficient, targets(factors)
        parts = [x[target], transported(x[factors.source], factors, self.in_type), c[:, 1:]]
        if edge_attr is not None:
            check_rows("edge_attr", edge_attr, c.shape[0], "edges")
            parts.append(edge_attr.to(x))
        messages = c[:, :1] * self.message(torch.cat(parts, 1))
        total = messages.new_zeros(x.shape[0], messages.shape[1]).index_add(0, target, messages)
        return cast(Tensor, self.update(torch.cat([x, total], 1)))

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, group={self.in_type.group.name}"


def message_type(
    in_type: FieldType, edge_type: FieldType | None = None, *, rings: int = 4, max_frequency: int = 1
) -> FieldType:
    """Return the type of the input of a message.

    It has the features of the target, the transported features of the source, functions of the distance, harmonics of
    frequency 1 up to `max_frequency`, and the attributes of the edge.
    """
    group = in_type.group
    harmonics = [(group.harmonic(j), 1) for j in range(1, max_frequency + 1) if group.d > 1 or j == 1]
    geometry = FieldType(group, [(group.trivial(), rings), *harmonics])
    seen = in_type + in_type + geometry
    return seen if edge_type is None else seen + edge_type


def _type_of(module: nn.Module, name: str) -> FieldType:
    found = getattr(module, name, None)
    if not isinstance(found, FieldType):
        raise ValueError(f"Expected a module with a field type `{name}`, got {type(module).__name__} without one.")
    return found


def _need_types(name: str, module: nn.Module, in_type: FieldType, out_type: FieldType | None) -> None:
    for side, wanted in (("in_type", in_type), ("out_type", out_type)):
        if wanted is not None and _type_of(module, side) != wanted:
            raise ValueError(f"Expected `{name}` with {side} {wanted}, got {_type_of(module, side)}.")


__all__ = ["GaugeMessagePassing", "message_type"]
