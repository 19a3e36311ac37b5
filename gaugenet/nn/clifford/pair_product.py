"""PairProduct: the geometric product of pairs of multivectors, the nonlinearity between two convolutions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.groups import FieldType, multivector
from gaugenet.groups.clifford.algebra import coefficient_table
from gaugenet.groups.clifford.fields import algebra_of, grades_of
from gaugenet.groups.clifford.xor_product import xor_product
from gaugenet.nn.clifford.geometric_product import grade_paths
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule


class PairProduct(TableModule):
    r"""Geometric products of pairs: (a, b) -> u a + W(a b), with a weight for each path of grades and each pair.

    In each grade the first half of the fields belongs to a, the second half to b. A convolution before the layer makes
    both factors, so each factor sees a neighbourhood, such as in u . grad s. `GeometricProduct` makes its factors by
    linear maps at each point.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with `out_type.size` channels; `in_type` has twice
            the multivectors of `out_type`.

    Equivariance: exact; 3e-7 relative in float32 under rotations, more under boosts, which enlarge rounding.

    Args:
        out_type: multivectors of all grades, as `multivector(group, multiplicity=C)`.

    Raises:
        ValueError: If `out_type` is another type, or the group has no metric; in `forward`, if `x` has another size.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3, multivector
        >>> from gaugenet.nn import PairProduct
        >>> layer = PairProduct(multivector(SO3(), multiplicity=2))
        >>> layer(torch.rand(10, layer.in_type.size)).shape
        torch.Size([10, 16])
    """

    def __init__(
        self, out_type: FieldType, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        grades_of(out_type)
        self.algebra = algebra_of(out_type.group)
        self.channels = out_type.blocks[0].multiplicity if out_type.blocks else 0
        if not self.channels or out_type != multivector(out_type.group, multiplicity=self.channels):
            raise ValueError(
                f"Expected `out_type` to be multivectors of all grades, got {out_type}: use `multivector(group, "
                "multiplicity=...)`, or a `GeometricProduct`."
            )
        self.in_type, self.out_type = multivector(out_type.group, multiplicity=2 * self.channels), out_type
        grades, cpu = self.algebra.grades, torch.device("cpu")
        self.add_table("_signs", coefficient_table(self.algebra.p, self.algebra.q, "geometric", torch.float64, cpu))
        self.register_buffer("_path", grade_paths(grades, self.algebra.n), persistent=False)
        self.register_buffer("_grade", torch.tensor(grades), persistent=False)
        paths = int(self._path.max()) + 1  # type: ignore[operator]
        self.weight = nn.Parameter(torch.empty(paths, self.channels, device=device, dtype=dtype))
        self.linear = nn.Parameter(torch.empty(self.algebra.n + 1, self.channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that map inputs of unit variance to outputs of about unit variance."""
        nn.init.normal_(self.weight, 0, 0.5 ** (self.algebra.n / 2))  # each component is a sum of 2^n products
        nn.init.constant_(self.linear, 0.5)

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        a, b = x.unflatten(1, (self.algebra.dim, 2, self.channels)).movedim(2, 0).movedim(2, 1)  # blades come first
        spatial = (1,) * (x.dim() - 2)
        weight = (self._signs.unsqueeze(-1) * self.weight[self._path]).to(x.dtype)  # type: ignore[index, operator]
        linear = self.linear[self._grade].to(x.dtype).view(-1, 1, self.channels, *spatial)  # type: ignore[index]
        out: Tensor = xor_product(a, b, weight.view(*weight.shape[:2], 1, self.channels, *spatial)) + linear * a
        out = out.movedim(0, 1).flatten(1, 2)
        return out

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}"


__all__ = ["PairProduct"]
