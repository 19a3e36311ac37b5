"""ForecastStepper: one step in time on the icosphere, x(t + dt) = x(t) + scale * network(x(t), conditions)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry import Icosphere


@dataclass(frozen=True)
class StateLayout:
    """The channels of a state and its conditions: scalars, then first, then second components of the vectors.

    Attributes:
        scalars, pairs: number of scalar and of vector fields that are forecast.
        extra_scalars, extra_pairs: number of scalar and of vector fields in the conditions.
        latitude: whether every wind is given a second time, rotated to the cyclonic side.
    """

    scalars: int
    pairs: int
    extra_scalars: int
    extra_pairs: int
    latitude: bool

    @property
    def channels(self) -> int:
        """Number of channels of a state."""
        return self.scalars + 2 * self.pairs

    @property
    def in_channels(self) -> int:
        """Number of channels of the input of the network."""
        return self.channels + 2 * self.pairs * self.latitude + self.extra_scalars + 2 * self.extra_pairs

    @property
    def in_type(self) -> str:
        """Field type of the input of the network."""
        return _type(self.scalars + self.extra_scalars, self.pairs * (1 + self.latitude) + self.extra_pairs)

    @property
    def out_type(self) -> str:
        """Field type of a state and of its increment."""
        return _type(self.scalars, self.pairs)

    def spread(self, per_field: list[float]) -> list[float]:
        """Repeat values of the fields as values of the channels: both components of a vector get the same value."""
        return [*per_field[: self.scalars], *(2 * per_field[self.scalars :])]

    def join(
        self,
        state: Float[Tensor, "batch channels vertices"],
        condition: Float[Tensor, "batch extra vertices"],
        side: Float[Tensor, "batch vertices"],
    ) -> Float[Tensor, "batch in vertices"]:
        """Return the input of the network."""
        winds = state[:, self.scalars :].unflatten(1, (2, self.pairs))
        vectors = [winds, condition[:, self.extra_scalars :].unflatten(1, (2, self.extra_pairs))]
        if self.latitude:  # the cross product with the outward normal, in a right-handed frame
            vectors.append(torch.stack([-winds[:, 1], winds[:, 0]], 1) * side[:, None, None])
        scalars = [state[:, : self.scalars], condition[:, : self.extra_scalars]]
        return torch.cat([*scalars, torch.cat(vectors, 2).flatten(1, 2)], 1)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class ForecastStepper(nn.Module):
    """A step in time: the network predicts the change of the state, in units of the typical change.

    Vectors have no coefficients at the twelve corners of the icosphere. The channels there stay constant and no network
    sees them. Interpolation uses the mean of the five neighbours.

    Shapes:
        state: `(B, C, V)`, condition: `(B, E, V)`, side: `(B, V)` -> `(B, C, V)`.

    Equivariance: as the network. The state is a field of type `layout.out_type`, before and after.

    Args:
        network: `network(x, sphere)` from `layout.in_type` to `layout.out_type`.
        layout: the channels.
        sphere: the icosphere.
        scale: `(C,)` typical change of each channel in a step.
    """

    scale: Tensor

    def __init__(
        self, network: nn.Module, layout: StateLayout, sphere: Icosphere, scale: Float[Tensor, "channels"]
    ) -> None:
        super().__init__()
        self.network, self.layout, self.sphere = network, layout, sphere
        self.register_buffer("scale", scale.float(), persistent=False)

    def forward(
        self,
        state: Float[Tensor, "batch channels vertices"],
        condition: Float[Tensor, "batch extra vertices"],
        side: Float[Tensor, "batch vertices"],
    ) -> Float[Tensor, "batch channels vertices"]:
        change = self.network(self.layout.join(state, condition, side), self.sphere)
        return typed_tensor(state + self.scale[:, None] * change)

    def roll_out(
        self,
        state: Float[Tensor, "batch channels vertices"],
        conditions: Float[Tensor, "batch steps extra vertices"],
        side: Float[Tensor, "batch vertices"],
    ) -> Iterator[Float[Tensor, "batch channels vertices"]]:
        """Yield the state after each step; each starts where the last one ended."""
        for condition in conditions.unbind(1):
            state = self(state, condition, side)
            yield state


def _type(scalars: int, vectors: int) -> str:
    return " + ".join(f"{count}x{order}" for count, order in ((scalars, 0), (vectors, 1)) if count)
