"""Radial profiles from a small network of <v, v>, in the place of free ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gaugenet._validation import positive
from gaugenet.kernels import CliffordSpace
from gaugenet.nn.conv import GaugeConv


class RadialNetwork(nn.Module):
    r"""Weights of all radial functions from those of a few features: w_k = sum_f h_f(s_k) u_f.

    h is a perceptron with one hidden layer, s_k the value of <v, v> at which radial function k is largest. So every
    profile is a smooth function of <v, v>, as in :cite:`zhdanov2024clifford`, and a fine set of radial functions
    costs no more weights than a coarse one. The kernel stays linear in the radial functions, and steerable.

    Args:
        space: the kernels of the layer, all of whose pairs have the same radial functions.
        features: number of h_f.
        hidden: width of the hidden layer.
    """

    def __init__(self, space: CliffordSpace, *, features: int = 8, hidden: int = 32) -> None:
        super().__init__()
        self.features, self.rings = positive("features", features), space.radial.count
        self.sizes = [(p.stop - p.start) // self.rings for p in space.pairs]
        fraction = (torch.arange(self.rings, dtype=torch.float32) + 0.5) / self.rings
        positions = fraction.square() if space.group.compact else 2 * fraction - 1
        self.positions: Tensor
        self.register_buffer("positions", positions[:, None], persistent=False)
        self.bend = nn.Linear(1, positive("hidden", hidden))
        self.read = nn.Linear(hidden, self.features)
        with torch.no_grad():  # features that bend inside of the neighbourhood
            self.bend.weight.mul_(4)
            self.read.weight.mul_(4)

    def profile(self) -> Float[Tensor, "rings features"]:
        """h_f(s_k)."""
        out: Tensor = self.read(torch.nn.functional.silu(self.bend(self.positions.to(self.bend.weight))))
        return out

    def forward(self, original: Float[Tensor, "weights"]) -> Float[Tensor, "all_weights"]:
        """The weights of the layer from those of the features."""
        return self._mapped(self.profile().to(original), original, self.features)

    def right_inverse(self, weight: Float[Tensor, "all_weights"]) -> Float[Tensor, "weights"]:
        """The weights of the features whose profiles are nearest to given ones."""
        inverse = torch.linalg.pinv(self.profile().detach().double()).to(weight)
        return self._mapped(inverse, weight, self.rings)

    def _mapped(self, matrix: Float[Tensor, "to from"], x: Tensor, count: int) -> Tensor:
        groups = x.view(-1, sum(self.sizes) * count)
        parts = groups.split([count * size for size in self.sizes], 1)
        return torch.cat([(matrix @ p.unflatten(1, (count, -1))).flatten(1) for p in parts], 1).flatten()


def with_radial_network(conv: GaugeConv, *, features: int = 8, hidden: int = 32) -> GaugeConv:
    """Return a convolution with Clifford kernels whose radial profiles come from a `RadialNetwork`: `conv` itself.

    The layer learns the weights of the features and the network. It starts near the profiles it had. Saved by its
    `state_dict`; layers of this kind cannot be pickled.

    Args:
        conv: with `kernel=Clifford(rings)`, many rings.
        features: number of features of the network.
        hidden: width of its hidden layer.

    Raises:
        ValueError: If the layer has other kernels, or a network already.
    """
    if not isinstance(conv.kernels, CliffordSpace):
        raise ValueError(f"Expected a convolution with `kernel=Clifford(...)`, got {conv.kernels!r}.")
    if parametrize.is_parametrized(conv, "weight"):
        raise ValueError("Expected a convolution without a radial network, got one that has one.")
    network = RadialNetwork(conv.kernels, features=features, hidden=hidden).to(conv.weight.device)
    parametrize.register_parametrization(conv, "weight", network, unsafe=True)
    return conv


__all__ = ["RadialNetwork", "with_radial_network"]
