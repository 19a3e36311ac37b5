"""TensorProduct: all equivariant bilinear maps of two features, with learned or external weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import Block, FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels.tensor_operators import tensor_operators
from gaugenet.nn.precision import check_dtype
from gaugenet.nn.tables import TableModule

Mode = Literal["full", "channels"]


@dataclass(frozen=True)
class ProductPath:
    """The bilinear maps from one block of each factor to one block of the product.

    Attributes:
        first, second, target: the three blocks.
        count: number of independent maps, dim Hom_G(rho_1 x rho_2, rho_out).
        start: position of its weights in the flat vector.
        shape: shape of its weights: maps, channels of the first factor, of the second, in mode `full` of the product.
    """

    first: Block
    second: Block
    target: Block
    count: int
    start: int
    shape: tuple[int, ...]

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    def weight(self, weight: Float[Tensor, "*points weights"]) -> Tensor:
        """Return the weights of this path, a part of the flat vector."""
        return cast(Tensor, weight[..., self.start : self.stop].unflatten(-1, self.shape))


class TensorProduct(TableModule):
    r"""z_w = sum over paths of W C (x_u (x) y_v), where C are Clebsch-Gordan coefficients: bilinear and equivariant.

    For each triple of blocks, C runs over a basis of Hom_G(rho_1 (x) rho_2, rho_out). The representations may be
    reducible and in any basis. In mode `full` every channel of the product depends on all pairs of channels, and every
    equivariant bilinear map has this form. In mode `channels` channel u of the product depends only on channel u of
    the first factor. This needs few weights, for example in messages whose channels an `EquivariantLinear` mixes
    afterwards. For O(3) these are the tensor products of :cite:`thomas2018tensor`.

    Shapes:
        x: `(N, type_1.size)`, y: `(N, type_2.size)` -> `(N, out_type.size)`. Also `(B, size, *spatial)` each.
        weight: `(num_weights,)` or, one for each point, `(N, num_weights)`.

    Equivariance: exact; 4e-7 relative in float32.

    Args:
        type_1, type_2, out_type: field types of one group.
        mode: `"full"` or `"channels"`.
        external: take the weights as a third argument `weight`, for example from a network of the distance.

    Raises:
        ValueError: If the types belong to different groups; if there is no bilinear map between them; in mode
            `channels`, if multiplicities of the product and the first factor differ.

    Example:
        >>> import torch
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.nn import GatedNonlinearity, TensorProduct
        >>> features, harmonics = FieldType(O3(), "16x0e + 8x1o"), FieldType(O3(), "1x0e + 1x1o")
        >>> gate = GatedNonlinearity(features)
        >>> product = TensorProduct(features, harmonics, gate.in_type)
        >>> gate(product(torch.rand(10, 40), torch.rand(10, 4))).shape
        torch.Size([10, 40])
    """

    def __init__(
        self,
        type_1: FieldType,
        type_2: FieldType,
        out_type: FieldType,
        *,
        mode: Mode = "full",
        external: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_one_group(type_1, out_type, ("type_1", "out_type"))
        need_one_group(type_2, out_type, ("type_2", "out_type"))
        if mode not in ("full", "channels"):
            raise ValueError(f"Expected `mode` 'full' or 'channels', got {mode!r}.")
        self.type_1, self.type_2, self.out_type = type_1, type_2, out_type
        self.mode, self.external = mode, external
        self.paths: list[ProductPath] = []
        for path, maps in _paths(type_1, type_2, out_type, mode):
            self.add_table(f"_coupling_{len(self.paths)}", maps, device=device, dtype=dtype)
            self.paths.append(path)
        self._check_not_empty()
        self.register_parameter("weight", None)
        if not external:
            self.weight = nn.Parameter(torch.empty(self.num_weights, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def num_weights(self) -> int:
        return self.paths[-1].stop if self.paths else 0

    def _check_not_empty(self) -> None:
        if self.type_1.size and self.type_2.size and self.out_type.size and not self.paths:
            raise ValueError(
                f"There is no equivariant bilinear map under {self.out_type.group.name} from {self.type_1} and "
                f"{self.type_2} to {self.out_type}"
                + (" with equal multiplicities" if self.mode == "channels" else "")
                + ": the layer would only return zeros. Choose another `out_type`."
            )

    def reset_parameters(self) -> None:
        """Draw weights that map independent inputs of unit variance to outputs of unit variance."""
        if self.weight is not None:
            with torch.no_grad():
                self.weight.copy_(self.weight_scale(self.weight) * torch.randn_like(self.weight))

    def weight_scale(self, like: Tensor) -> Float[Tensor, "weights"]:
        """Return the standard deviation of each weight, learned or external, that gives outputs of unit variance."""
        scale = like.new_zeros(self.num_weights)
        for block in self.out_type.blocks:
            paths = [p for p in self.paths if p.target is block]
            terms = sum(p.count * p.second.multiplicity * self._first_channels(p) for p in paths)
            for p in paths:
                scale[p.start : p.stop] = 1 / math.sqrt(terms)
        return scale

    def _first_channels(self, path: ProductPath) -> int:
        return path.first.multiplicity if self.mode == "full" else 1

    def forward(
        self,
        x: Float[Tensor, "points first *spatial"],
        y: Float[Tensor, "points second *spatial"],
        weight: Float[Tensor, "*points weights"] | None = None,
    ) -> Float[Tensor, "points out *spatial"]:
        self._check(x, y, weight)
        weight = self.weight if weight is None else weight
        spatial = x.shape[2:]
        if spatial:
            x, y = (t.movedim(1, -1).flatten(0, -2) for t in (x, y))
        z = self._product(x, y, weight)
        return z.unflatten(0, (-1, *spatial)).movedim(-1, 1) if spatial else z

    def _product(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        outputs = []
        for block in self.out_type.blocks:
            terms = [self._path(k, p, x, y, weight) for k, p in enumerate(self.paths) if p.target is block]
            shape = (x.shape[0], block.representation.dim, block.multiplicity)
            outputs.append((sum(terms[1:], terms[0]) if terms else x.new_zeros(shape)).flatten(1))
        return torch.cat(outputs, 1) if outputs else x[:, :0]

    def _path(self, k: int, path: ProductPath, x: Tensor, y: Tensor, weight: Tensor) -> Float[Tensor, "points out w"]:
        first, second = path.first.split(x), path.second.split(y)
        pairs = (first[:, :, None, :, None] * second[:, None, :, None, :]).flatten(3).flatten(1, 2)
        maps = getattr(self, f"_coupling_{k}").to(x.dtype)  # (maps, out, first second)
        coupled = (maps.flatten(0, 1) @ pairs).unflatten(1, maps.shape[:2]).unflatten(3, path.shape[1:3])
        own = path.weight(weight).to(x.dtype)
        equation = "npouv,{}puvw->now" if self.mode == "full" else "npouv,{}puv->nou"
        return torch.einsum(equation.format("n" if weight.dim() == 2 else ""), coupled, own)

    def _check(self, x: Tensor, y: Tensor, weight: Tensor | None) -> None:
        self.type_1.check(x, "x")
        self.type_2.check(y, "y")
        for features in (x, y):
            check_dtype(features, self.weight)
        if x.shape[0] != y.shape[0] or x.shape[2:] != y.shape[2:]:
            raise ValueError(
                f"Expected `x` and `y` at the same points, got shapes {tuple(x.shape)} and {tuple(y.shape)}."
            )
        if (weight is None) == self.external:
            raise ValueError(
                "Expected `weight` as the third argument, since `external=True`."
                if self.external
                else "Expected no third argument: pass `external=True` to the constructor to use external weights."
            )
        if weight is not None and tuple(weight.shape) not in ((self.num_weights,), (x.shape[0], self.num_weights)):
            raise ValueError(
                f"Expected `weight` of shape ({self.num_weights},) or ({x.shape[0]}, {self.num_weights}), "
                f"got {tuple(weight.shape)}."
            )
        if weight is not None and weight.dim() == 2 and x.dim() > 2:
            raise ValueError(
                f"Expected one `weight` of shape ({self.num_weights},) for all pixels of a grid, got "
                f"{tuple(weight.shape)}."
            )

    def extra_repr(self) -> str:
        return (
            f"{self.type_1} x {self.type_2} -> {self.out_type}, group={self.out_type.group.name}, mode={self.mode}"
            + (", external=True" if self.external else "")
        )


def _paths(
    type_1: FieldType, type_2: FieldType, out_type: FieldType, mode: str
) -> Iterator[tuple[ProductPath, Float[Tensor, "maps out pairs"]]]:
    """Yield the triples of blocks that have bilinear maps, and these maps, of unit variance on independent inputs."""
    start = 0
    for c in out_type.blocks:
        for a in type_1.blocks:
            if mode == "channels" and a.multiplicity != c.multiplicity:
                continue
            for b in type_2.blocks:
                maps = tensor_operators(b.representation, c.representation, a.representation)
                if not len(maps):
                    continue
                shape = (len(maps), a.multiplicity, b.multiplicity, c.multiplicity)
                path = ProductPath(a, b, c, len(maps), start, shape if mode == "full" else shape[:3])
                start = path.stop
                yield path, (maps * math.sqrt(c.representation.dim)).flatten(2)


__all__ = ["ProductPath", "TensorProduct"]
