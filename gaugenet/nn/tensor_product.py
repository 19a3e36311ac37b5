"""TensorProductNonlinearity: products of fields by Clebsch-Gordan coefficients, exact for every group."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups import FieldType, Representation, clebsch_gordan, intertwiners
from gaugenet.nn.linear import EquivariantLinear
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule, equal_irreps_together


class TensorProductNonlinearity(TableModule):
    r"""y = W (U x * V x, x) + b, where `*` are all equivariant products of the fields of a channel.

    U and V are equivariant maps to `channels` fields of every representation of `in_type`. In each channel, the
    products of a field of U x and a field of V x are decomposed into irreps by Clebsch-Gordan coefficients, for all
    pairs of representations and all irreps in `out_type` (:cite:`kondor2018clebsch`). The equivariant map W mixes
    them. With enough channels, every equivariant polynomial of degree two has this form.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels.

    Equivariance: exact; 5e-7 relative in float32.

    Args:
        in_type, out_type: fields of one group; if it is compact, with orthogonal representations. `out_type` is
            `in_type` by default.
        channels: number of products; by default the largest multiplicity in `in_type`.

    Raises:
        ValueError: If the types belong to different groups; in `forward`, if the features have another size.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, FieldType
        >>> from gaugenet.nn import TensorProductNonlinearity
        >>> fields = FieldType(SO3(), "4x0 + 2x1")
        >>> TensorProductNonlinearity(fields)(torch.rand(10, fields.size)).shape
        torch.Size([10, 10])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType | None = None,
        *,
        channels: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, in_type if out_type is None else out_type
        self.channels = max((b.multiplicity for b in in_type.blocks), default=1) if channels is None else channels
        factors = list(dict.fromkeys(b.representation for b in in_type.blocks))
        hidden = FieldType(in_type.group, [(rho, self.channels) for rho in factors])
        self._pairs: list[tuple[int, int]] = []
        irreps: list[tuple[Representation, int]] = []
        for i, j, found, basis in _products(factors, self.out_type):
            self.add_table(f"_coupling_{len(self._pairs)}", basis, device=device, dtype=dtype)
            self._pairs.append((i, j))
            irreps += [(rho, copies * self.channels) for rho, copies in found]
        self.left = EquivariantLinear(in_type, hidden, bias=False, device=device, dtype=dtype)
        self.right = EquivariantLinear(in_type, hidden, bias=False, device=device, dtype=dtype)
        terms = FieldType(in_type.group, irreps) + in_type
        self.mix = EquivariantLinear(terms, self.out_type, device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw weights that map inputs of unit variance to outputs of about unit variance."""
        for module in (self.left, self.right, self.mix):
            module.reset_parameters()

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        blocks = self.left.out_type.blocks
        left, right = ([b.split(y) for b in blocks] for y in (self.left(x), self.right(x)))
        parts = []
        for k, (i, j) in enumerate(self._pairs):
            product = (left[i].unsqueeze(2) * right[j].unsqueeze(1)).flatten(1, 2)  # (N, dim_i dim_j, channels, ...)
            coupled = getattr(self, f"_coupling_{k}").T.to(product.dtype) @ product.flatten(2)
            parts.append(coupled.unflatten(2, product.shape[2:]).flatten(1, 2))
        return typed_tensor(self.mix(torch.cat([*parts, x], 1)))

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, channels={self.channels}"


def _products(
    factors: list[Representation], out_type: FieldType
) -> Iterator[tuple[int, int, list[tuple[Representation, int]], Tensor]]:
    """Yield pairs i <= j, the irreps in their product that `out_type` has, and the columns that embed them."""
    for i, a in enumerate(factors):
        for j, b in enumerate(factors[i:], i):
            if not out_type.group.compact:
                maps = {o.representation: intertwiners(a.tensor(b), o.representation) for o in out_type.blocks}
                fields = [(rho, len(m)) for rho, m in maps.items() if len(m)]
                if fields:
                    yield i, j, fields, torch.cat([m.permute(2, 1, 0).flatten(1) for m in maps.values() if len(m)], 1)
                continue
            found = clebsch_gordan(a, b)
            wanted = [any(len(intertwiners(rho, o.representation)) for o in out_type.blocks) for rho in found.irreps]
            irreps, basis = equal_irreps_together(
                [rho for rho, w in zip(found.irreps, wanted) if w], found.basis[:, _selected(found.irreps, wanted)]
            )
            if irreps:
                yield i, j, irreps, basis


def _selected(irreps: list[Representation], wanted: list[bool]) -> Tensor:
    return torch.cat([torch.full((rho.dim,), w) for rho, w in zip(irreps, wanted, strict=True)])
