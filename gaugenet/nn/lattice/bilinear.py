"""LatticeBilinear: products of matrix fields at each site."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import DirectProduct, FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels import Shifts
from gaugenet.nn.conv import GaugeConv
from gaugenet.nn.lattice.couplings import Coupling, coupled, couplings
from gaugenet.nn.lattice.fields import channels_of, matrices, matrix_features, need_matrices
from gaugenet.nn.precision import widened


class LatticeBilinear(nn.Module):
    r"""Products of matrix fields: W''_i(x) = sum alpha_{ijk} W_j(x) W'_k(x), extended by W^+, W'^+ and unit matrices.

    Products with the unit matrix are linear terms and a bias (:cite:`favoni2022lattice`, Eq. 10). alpha is complex.

    For fields with directions, such as `vector*matrix` of a `DirectProduct`, i, j and k also count components. Then
    alpha is a sum of the intertwiners from the product of two representations of directions to the third, each with a
    complex weight.

    Shapes:
        x: `(B, first_type.size, *shape)`, y: `(B, second_type.size, *shape)` -> `(B, out_type.size, *shape)`.

    Equivariance: exact; 1e-15 relative in float64.

    Args:
        first_type, second_type, out_type: `matrix` fields of one group, also with directions.

    Raises:
        ValueError: If a type has other fields.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LatticeBilinear, matrix_type
        >>> two, three = matrix_type(SU(2), 2), matrix_type(SU(2), 3)
        >>> x = torch.rand(1, two.size, 4, 4)
        >>> LatticeBilinear(two, two, three)(x, x).shape == (1, three.size, 4, 4)
        True
    """

    def __init__(
        self,
        first_type: FieldType,
        second_type: FieldType,
        out_type: FieldType,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("first_type", first_type), ("second_type", second_type), ("out_type", out_type)):
            need_matrices(name, value, directions=True)
            need_one_group(first_type, value)
        self.in_type, self.second_type, self.out_type = first_type, second_type, out_type
        self._couplings: list[Coupling] | None = None
        if isinstance(out_type.group, DirectProduct):
            self._couplings = couplings(out_type, first_type, second_type)
            shape: tuple[int, ...] = (self._couplings[-1].stop if self._couplings else 0, 2)
        else:
            shape = (*self._sizes, 2)
        self.alpha = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """Numbers of matrices: of the result, and of the extended factors."""
        first, second = channels_of(self.in_type), channels_of(self.second_type)
        return channels_of(self.out_type), 2 * first + 1, 2 * second + 1

    def reset_parameters(self) -> None:
        """Draw weights that map unitary matrices to outputs of about unit variance."""
        _, first, second = self._sizes
        nn.init.normal_(self.alpha, std=(2 * first * second) ** -0.5)

    def coefficients(self) -> Complex[Tensor, "out first second"]:
        """Return alpha for all components."""
        alpha = torch.complex(*widened(self.alpha).unbind(-1))
        return alpha if self._couplings is None else coupled(alpha, self._couplings, self._sizes)

    def forward(
        self, x: Float[Tensor, "batch first *shape"], y: Float[Tensor, "batch second *shape"]
    ) -> Float[Tensor, "batch out *shape"]:
        if x.shape[:1] != y.shape[:1] or x.shape[2:] != y.shape[2:]:
            raise ValueError(
                f"Expected `x` and `y` at the same sites, got shapes {tuple(x.shape)} and {tuple(y.shape)}."
            )
        first = _extended(matrices(self.in_type, x, self.alpha)).movedim(1, -3)  # (B, *shape, channels, N, N)
        second = _extended(matrices(self.second_type, y, self.alpha)).movedim(1, -3)
        alpha = self.coefficients()
        n = first.shape[-1]
        mixed = alpha.flatten(0, 1) @ second.flatten(-2)
        mixed = mixed.reshape(*mixed.shape[:-2], *alpha.shape[:2], n, n)
        # sum_j W_j T_ij as one product of an (N, channels N) and a (channels N, N) matrix
        rows = first.transpose(-3, -2).flatten(-2)
        columns = mixed.flatten(-3, -2)
        out = rows.unsqueeze(-3) @ columns
        return matrix_features(self.out_type, out.movedim(-3, 1))

    def extra_repr(self) -> str:
        return f"{self.in_type}, {self.second_type} -> {self.out_type}, group={self.out_type.group.name}"


class LatticeBlock(nn.Module):
    """A convolution and the products of its result with its input: W'' = bilinear(W, conv(W)).

    From plaquettes, one block with K steps makes loops of two plaquettes that are up to K steps apart. Each further
    block doubles the area again (:cite:`favoni2022lattice`).

    Shapes:
        x: `(B, in_type.size, *shape)`; domain: a `LatticeGaugeField` -> `(B, out_type.size, *shape)`.

    Equivariance: exact; 1e-15 relative in float64.

    Args:
        in_type, out_type: `matrix` fields of one group, also with directions.
        d: dimension of the lattice.
        hidden: result of the convolution: its type, or a number of `matrix` fields; by default `out_type`.
        steps: see `Shifts`.
        symmetric: see `Shifts`.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LatticeBlock, LoopFeatures, matrix_type
        >>> links = LatticeGaugeField.random(SU(2), (4, 4))
        >>> loops = LoopFeatures(SU(2), d=2)
        >>> block = LatticeBlock(loops.out_type, matrix_type(SU(2), 2), d=2).double()
        >>> block(loops(links), links).shape
        torch.Size([1, 16, 4, 4])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        d: int,
        hidden: int | FieldType | None = None,
        steps: int = 1,
        symmetric: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_type, self.out_type = in_type, out_type
        middle = out_type if hidden is None else hidden
        if not isinstance(middle, FieldType):
            middle = FieldType(in_type.group, {"matrix": middle})
        kernel = Shifts(d, steps=steps, symmetric=symmetric)
        self.conv = GaugeConv(in_type, middle, kernel=kernel, bias=False, **factory)
        self.bilinear = LatticeBilinear(in_type, middle, out_type, **factory)

    def forward(
        self, x: Float[Tensor, "batch in *shape"], domain: LatticeGaugeField
    ) -> Float[Tensor, "batch out *shape"]:
        y: Tensor = self.bilinear(x, self.conv(x, domain))
        return y


def _extended(w: Complex[Tensor, "batch channels *shape n n"]) -> Complex[Tensor, "batch extended *shape n n"]:
    unit = torch.eye(w.shape[-1], dtype=w.dtype, device=w.device).expand_as(w[:, :1])
    return torch.cat([w, w.mH, unit], 1)


__all__ = ["LatticeBilinear", "LatticeBlock"]
