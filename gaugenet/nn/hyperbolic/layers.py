"""Gauge-equivariant layers for hyperbolic features on any base space."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.conv import GaugeConv
from gaugenet.nn.hyperbolic.features import LorentzType
from gaugenet.nn.linear import EquivariantLinear
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import samples_of
from gaugenet.nn.tables import TableModule, along_channels


class LorentzEmbedding(nn.Module):
    """The exponential map at the apex: ordinary features as vectors there, mapped to points.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with one more channel, the first.

    Equivariance: exact; 3e-7 relative in float32.

    Vectors longer than about 45 sqrt(k) in float32 and 355 sqrt(k) in float64 overflow, to infinity or NaN.

    Args:
        out_type: hyperbolic features; `in_type` is its space part.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzEmbedding, LorentzType
        >>> LorentzEmbedding(LorentzType(FieldType(SO2(), "2x0 + 1x1")))(torch.rand(10, 4)).shape
        torch.Size([10, 5])
    """

    def __init__(self, out_type: LorentzType) -> None:
        super().__init__()
        self.hyperbolic = out_type
        self.in_type, self.out_type = out_type.space, out_type.field_type

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        return self.hyperbolic.exp(x)


class LorentzLog(nn.Module):
    """The inverse of `LorentzEmbedding`: points as vectors at the apex, for layers of ordinary features.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> with one channel less.

    Equivariance: exact.

    Args:
        in_type: hyperbolic features; `out_type` is its space part.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzEmbedding, LorentzLog, LorentzType
        >>> points, x = LorentzType(FieldType(SO2(), "2x0 + 1x1")), torch.rand(10, 4)
        >>> torch.allclose(LorentzLog(points)(LorentzEmbedding(points)(x)), x, atol=1e-4)
        True
    """

    def __init__(self, in_type: LorentzType) -> None:
        super().__init__()
        self.hyperbolic = in_type
        self.in_type, self.out_type = in_type.field_type, in_type.space

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        return self.hyperbolic.log(x)


class LorentzLinear(nn.Module):
    r"""y_s = A (t, s) + b, y_t = sqrt(|y_s|^2 + k), with `rho_out(g) A = A (1 + rho_in)(g)` and b invariant.

    This is the Lorentz fully connected layer (:cite:`chen2022fully`, in the form of :cite:`bdeir2024fully`) with an
    intertwiner as its matrix. The time t is invariant, so it contributes to the scalars of the output.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `out_type.size` channels.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        in_type, out_type: hyperbolic features of one group.
        bias: add b.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzEmbedding, LorentzLinear, LorentzType
        >>> points, out = LorentzType(FieldType(SO2(), "2x0 + 1x1")), LorentzType(FieldType(SO2(), "4x0"))
        >>> LorentzLinear(points, out)(LorentzEmbedding(points)(torch.rand(10, 4))).shape
        torch.Size([10, 5])
    """

    def __init__(self, in_type: LorentzType, out_type: LorentzType, *, bias: bool = True, **factory: Any) -> None:
        super().__init__()
        self.hyperbolic = out_type
        self.in_type, self.out_type = in_type.field_type, out_type.field_type
        self.linear = EquivariantLinear(self.in_type, out_type.space, bias=bias, **factory)

    def reset_parameters(self) -> None:
        self.linear.reset_parameters()

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        return self.hyperbolic.lift(self.linear(x))


class LorentzConv(nn.Module):
    r"""y_s(p) = K_self x(p) + sum over edges q -> p of w_e K(log_map_e) rho_in(transporter_e) x(q) + b; y_t follows.

    Every neighbour, seen from p, is mapped by a Lorentz linear map, and the results are added in space coordinates. K
    is steerable from (trivial + rho_in) to rho_out, so the layer works on any base space, with any structure group and
    engine. :cite:`bdeir2024fully` concatenates the neighbours before one linear map. That adds the space parts in the
    same way, but has one time for all neighbours, whereas here each neighbour contributes its own time.

    Shapes:
        x: as in `GaugeConv`, with points of the hyperboloid.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        in_type, out_type: hyperbolic features of one group.
        options: options of `GaugeConv`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzConv, LorentzEmbedding, LorentzType
        >>> points = LorentzType(FieldType(SO2(), "2x0 + 1x1"))
        >>> x = LorentzEmbedding(points)(torch.rand(42, 4))
        >>> LorentzConv(points, points)(x, Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 5])
    """

    def __init__(self, in_type: LorentzType, out_type: LorentzType, **options: Any) -> None:
        super().__init__()
        self.hyperbolic = out_type
        self.in_type, self.out_type = in_type.field_type, out_type.field_type
        self.conv = GaugeConv(self.in_type, out_type.space, **options)

    def reset_parameters(self) -> None:
        self.conv.reset_parameters()

    def forward(self, x: Float[Tensor, "points in *spatial"], domain: Domain) -> Float[Tensor, "points out *spatial"]:
        return self.hyperbolic.lift(self.conv(x, domain))


class LorentzActivation(nn.Module):
    """An equivariant nonlinearity of the space part; the time t is computed from the result.

    Pointwise functions are for representations that permute their components, `GatedNonlinearity` and
    `NormNonlinearity` for all.

    Args:
        nonlinearity: a layer with `in_type` and `out_type`, e.g. `GatedNonlinearity(FieldType(group, "8x0 + 4x1"))`.
        k: -1 / curvature.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzActivation, LorentzEmbedding, LorentzType, NormNonlinearity
        >>> fields = FieldType(SO2(), "2x0 + 1x1")
        >>> x = LorentzEmbedding(LorentzType(fields))(torch.rand(10, 4))
        >>> LorentzActivation(NormNonlinearity(fields))(x).shape
        torch.Size([10, 5])
    """

    def __init__(self, nonlinearity: nn.Module, *, k: float = 1.0) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity
        self.takes, self.hyperbolic = LorentzType(nonlinearity.in_type, k), LorentzType(nonlinearity.out_type, k)  # type: ignore[arg-type]
        self.in_type, self.out_type = self.takes.field_type, self.hyperbolic.field_type

    def forward(self, x: Float[Tensor, "points in *spatial"]) -> Float[Tensor, "points out *spatial"]:
        check_features(self, x)
        return self.hyperbolic.lift(self.nonlinearity(x[:, 1:]))


class LorentzBatchNorm(TableModule):
    r"""Batch normalization: the centroid moves to the apex, the mean square distance becomes 1, then scale and centre.

    The scale and the centre are learned. The centroid of :cite:`bdeir2024fully` over points of the base space has no
    meaning where features are given in unrelated frames. Here it is the centroid of all features in all frames, which
    lies in the invariant part. So the boosts to and from it commute with the group.

    Shapes:
        x: `(N, size)`, domain: a `GaugeGraph` (or none: N plain points) -> the same; or
        x: `(B, size, *spatial)`, domain: a grid, or none -> the same.

    Equivariance: exact, in training and in eval; 3e-7 relative in float32.

    Args:
        field_type: hyperbolic features.
        eps: added to the variance.
        momentum: share of a new batch in the running statistics.

    Raises:
        ValueError: If `momentum` is not between 0 and 1.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzBatchNorm, LorentzEmbedding, LorentzType
        >>> points = LorentzType(FieldType(SO2(), "2x0 + 1x1"))
        >>> LorentzBatchNorm(points)(LorentzEmbedding(points)(torch.rand(10, 4))).shape
        torch.Size([10, 5])
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        field_type: LorentzType,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise ValueError(f"Expected a momentum 0 < m <= 1, got {momentum}.")
        self.hyperbolic, self.eps, self.momentum = field_type, eps, momentum
        self.in_type = self.out_type = field_type.field_type
        basis = invariant_basis(field_type.space)
        self._basis: Tensor
        self.add_table("_basis", basis, device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.ones((), device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(len(basis), device=device, dtype=dtype))
        self.register_buffer("running_mean", torch.zeros_like(self.bias.data))
        self.register_buffer("running_var", torch.ones_like(self.weight.data))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        if not x.shape[0]:
            return x
        space = self.hyperbolic
        flat = x.flatten(2) if x.dim() > 2 else x
        samples = samples_of(x, domain) if self.training else None
        mean = self.running_mean if samples is None else self._centroid(samples.batch_mean(flat))
        v = space.log(space.translate_back(flat, self._point(mean, flat)))
        var = self.running_var
        if samples is not None:
            var = samples.batch_mean(v.square().sum(1, keepdim=True)).mean()
            self._update(mean, var)
        v = v * (self.weight * torch.rsqrt(var + self.eps)).to(v.dtype)
        return space.translate(space.exp(v), self._point(self.bias, flat)).view(x.shape)

    def _centroid(self, mean: Float[Tensor, "size *one"]) -> Float[Tensor, "invariants"]:
        """Return the coefficients of the logarithm of the centroid of all features in all frames."""
        mean = mean.flatten().to(self._basis.dtype)
        invariant = torch.cat([mean[:1], (mean[1:] @ self._basis.T) @ self._basis])
        return self.hyperbolic.log(self.hyperbolic.mean_to_point(invariant[None]))[0] @ self._basis.T

    def _point(self, coefficients: Float[Tensor, "invariants"], like: Tensor) -> Float[Tensor, "1 size *one"]:
        point = self.hyperbolic.exp((coefficients.to(self._basis) @ self._basis)[None])
        return point.to(like.dtype).view(1, -1, *[1] * (like.dim() - 2))

    def _update(self, mean: Tensor, var: Tensor) -> None:
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(var.to(self.running_var.dtype), self.momentum)

    def extra_repr(self) -> str:
        return f"{self.hyperbolic.space}, k={self.hyperbolic.k}, eps={self.eps}, momentum={self.momentum}"


class LorentzMLR(TableModule):
    r"""Signed distances to hyperplanes: multinomial logistic regression of points (:cite:`bdeir2024fully`).

    The hyperplane of class c is at distance a_c from the apex, with normal z_c there. The logit of the class is
    sqrt(k) |z| asinh((cosh(a') z . s - sinh(a') |z| t) / (sqrt(k) |z|)) with a' = a / sqrt(k). The normals lie in the
    invariant part of the space part, so logits do not depend on the frame. The other fields contribute only by t.

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `classes` channels, logits.

    Equivariance: invariant, exactly.

    Args:
        in_type: hyperbolic features with some scalars (or other invariants) in the space part.
        classes: number of classes.

    Raises:
        ValueError: If there is no invariant in the space part.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import LorentzEmbedding, LorentzMLR, LorentzType
        >>> points = LorentzType(FieldType(SO2(), "2x0 + 1x1"))
        >>> LorentzMLR(points, classes=3)(LorentzEmbedding(points)(torch.rand(10, 4))).shape
        torch.Size([10, 3])
    """

    def __init__(
        self,
        in_type: LorentzType,
        classes: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        basis = invariant_basis(in_type.space)
        if not len(basis):
            raise ValueError(
                f"Expected invariant fields, such as scalars, in the space part, got {in_type.space}: the normals of "
                "the hyperplanes are invariant. Add scalars to the type."
            )
        self.hyperbolic, self.in_type = in_type, in_type.field_type
        self.out_type = FieldType(in_type.space.group, [("trivial", classes)])
        self._basis: Tensor
        self.add_table("_basis", basis, device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.empty(classes, len(basis), device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(classes, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.weight.shape[1]))
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points classes *spatial"]:
        check_features(self, x)
        root = math.sqrt(self.hyperbolic.k)
        length = (self.weight.square().sum(1) + 1e-12).sqrt()
        offset = self.bias / root
        normal = (offset.cosh() / length)[:, None] * (self.weight @ self._basis)
        matrix = torch.cat([-offset.sinh()[:, None], normal], 1).to(x.dtype)
        alpha = torch.einsum("ci,ni...->nc...", matrix, x) / root
        return along_channels(root * length, x).to(x.dtype) * alpha.asinh()

    def extra_repr(self) -> str:
        return f"{self.hyperbolic.space}, k={self.hyperbolic.k} -> {self.out_type.size} classes"


def invariant_basis(space: FieldType) -> Float[Tensor, "invariants size"]:
    """Return an orthonormal basis of the invariant vectors."""
    rows = [torch.zeros(0, space.size, dtype=torch.float64)]
    for b in space.blocks:
        vectors = b.representation.invariants
        if len(vectors):
            vectors = torch.linalg.qr(vectors.T).Q.T
            row = torch.einsum("cd,uv->cudv", vectors, torch.eye(b.multiplicity, dtype=torch.float64))
            rows.append(F.pad(row.flatten(2).flatten(0, 1), (b.start, space.size - b.stop)))
    return torch.cat(rows)


__all__ = [
    "LorentzActivation",
    "LorentzBatchNorm",
    "LorentzConv",
    "LorentzEmbedding",
    "LorentzLinear",
    "LorentzLog",
    "LorentzMLR",
]
