"""Radial profiles computed by a small network of <v, v>, instead of free weights."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gaugenet._validation import positive
from gaugenet.kernels import CliffordSpace
from gaugenet.nn.conv import GaugeConv


class RadialNetwork(nn.Module):
    r"""The weights w_k of all radial functions, computed from those of a few features: w_k = sum_f h_f(s_k) u_f.

    h is a perceptron with one hidden layer. s_k is the value of <v, v> at which radial function k is largest. So every
    profile is a smooth function of <v, v>, as in :cite:`zhdanov2024clifford`, and more radial functions do not need
    more weights. The kernel stays linear in the radial functions, and steerable.

    Args:
        space: the kernels of the layer; all pairs of blocks must have the same radial functions.
        features: number of functions h_f.
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
        with torch.no_grad():  # features that bend inside the neighbourhood
            self.bend.weight.mul_(4)
            self.read.weight.mul_(4)

    def profile(self) -> Float[Tensor, "rings features"]:
        """Return h_f(s_k)."""
        out: Tensor = self.read(torch.nn.functional.silu(self.bend(self.positions.to(self.bend.weight))))
        return out

    def forward(self, original: Float[Tensor, "weights"]) -> Float[Tensor, "all_weights"]:
        """Return the weights of the layer, computed from the weights of the features."""
        return self._mapped(self.profile().to(original), original, self.features)

    def right_inverse(self, weight: Float[Tensor, "all_weights"]) -> Float[Tensor, "weights"]:
        """Return the weights of the features whose profiles are nearest to the profiles `weight`."""
        inverse = torch.linalg.pinv(self.profile().detach().double()).to(weight)
        return self._mapped(inverse, weight, self.rings)

    def _mapped(self, matrix: Float[Tensor, "to from"], x: Tensor, count: int) -> Tensor:
        groups = x.view(-1, sum(self.sizes) * count)
        parts = groups.split([count * size for size in self.sizes], 1)
        return torch.cat([(matrix @ p.unflatten(1, (count, -1))).flatten(1) for p in parts], 1).flatten()


def with_radial_network(conv: GaugeConv, *, features: int = 8, hidden: int = 32) -> GaugeConv:
    """Let a `RadialNetwork` compute the radial profiles of a convolution with Clifford kernels; return `conv` itself.

    The layer learns the weights of the features and of the network. Its profiles start near the previous ones. Save
    it by its `state_dict`: layers of this kind cannot be pickled.

    Args:
        conv: a layer with `kernel=Clifford(rings)` and many rings.
        features: number of features of the network.
        hidden: width of its hidden layer.

    Raises:
        ValueError: If the layer has other kernels, or already has a radial network.

    Example:
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.kernels import Clifford
        >>> from gaugenet.nn import GaugeConv, with_radial_network
        >>> fields = multivector(SO3(), multiplicity=2)
        >>> free = GaugeConv(fields, fields, kernel=Clifford(rings=40))
        >>> shared = with_radial_network(GaugeConv(fields, fields, kernel=Clifford(rings=40)))
        >>> sum(p.numel() for p in shared.parameters()) < sum(p.numel() for p in free.parameters())
        True
    """
    if not isinstance(conv.kernels, CliffordSpace):
        raise ValueError(f"Expected a convolution with `kernel=Clifford(...)`, got {conv.kernels!r}.")
    if parametrize.is_parametrized(conv, "weight"):
        raise ValueError("Expected a convolution without a radial network, got one that already has it.")
    network = RadialNetwork(conv.kernels, features=features, hidden=hidden).to(conv.weight.device)
    parametrize.register_parametrization(conv, "weight", network, unsafe=True)
    return conv


__all__ = ["RadialNetwork", "with_radial_network"]
