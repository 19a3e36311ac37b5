"""Normalizations that do not depend on the gauge: over a point's channels, over each sample, or over the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import apply_function, typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.groups import Block, FieldType
from gaugenet.nn.compiled import by_channel
from gaugenet.nn.compiled.eager import array, field_table, has_loops, needs_plain, over_rows, plain_gradients, threads
from gaugenet.nn.compiled.threads import in_parallel
from gaugenet.nn.precision import check_features
from gaugenet.nn.samples import Samples, need_samples, samples_of
from gaugenet.nn.tables import TableModule, along_channels, need_orthogonal


@dataclass(frozen=True)
class _Part:
    """A block, with the positions of its fields among all fields and of its invariants among all invariants.

    The rows of `basis` span the invariant part, and the rows of `dual` give the coefficients of a vector in it. For
    scalars both are 1, for regular fields (1, ..., 1) and the mean. Nontrivial irreps have no invariant part. `None`
    means 1.
    """

    block: Block
    fields: slice
    invariants: slice
    basis: Float[Tensor, "count dim"] | None
    dual: Float[Tensor, "count dim"] | None

    @property
    def has_mean(self) -> bool:
        return bool(self.invariants.stop > self.invariants.start)

    @property
    def is_permuted(self) -> bool:
        """Whether the invariant part is (1, ..., 1): scalars, functions on a group or on a quotient."""
        rho = self.block.representation
        return rho.permutation and len(rho.invariants) == 1

    def coefficients(self, v: Float[Tensor, "points dim *rest"]) -> Float[Tensor, "points count *rest"]:
        """Return the coefficients of the invariant part of v."""
        return v if self.dual is None else torch.einsum("cd,nd...->nc...", self.dual.to(v), v)

    def vectors(self, c: Float[Tensor, "points count *rest"]) -> Float[Tensor, "points dim *rest"]:
        """Return the invariant vectors with these coefficients."""
        return c if self.basis is None else torch.einsum("cd,nc...->nd...", self.basis.to(c), c)

    def shift(self, numbers: Float[Tensor, "all"]) -> Float[Tensor, "1 dim multiplicity"]:
        """Return the invariant vectors of this block from the numbers of all blocks."""
        return self.vectors(numbers[self.invariants].view(1, -1, self.block.multiplicity))


class _FieldNorm(TableModule):
    """A normalization followed by a learned scale of every field and a learned shift in the invariant part."""

    def __init__(
        self,
        field_type: FieldType,
        *,
        eps: float,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_orthogonal(field_type, self)
        self.in_type = self.out_type = field_type
        self.eps = eps
        for k, b in enumerate(field_type.blocks):
            basis = b.representation.invariants
            if len(basis) and not b.representation.is_trivial:
                self.add_table(f"_basis_{k}", basis, device=device, dtype=dtype)
                self.add_table(f"_dual_{k}", torch.linalg.pinv(basis).T.contiguous(), device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.ones(field_type.num_fields, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(field_type.invariant_dim(), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def _parts(self) -> Iterator[_Part]:
        field = invariant = 0
        for k, b in enumerate(self.in_type.blocks):
            count = len(b.representation.invariants) * b.multiplicity
            basis, dual = getattr(self, f"_basis_{k}", None), getattr(self, f"_dual_{k}", None)
            fields, invariants = slice(field, field + b.multiplicity), slice(invariant, invariant + count)
            yield _Part(b, fields, invariants, basis, dual)
            field, invariant = fields.stop, invariants.stop

    def _applied(self, x: Tensor, samples: Any) -> Tensor:
        """Normalize, scale and shift; statistics are taken over `samples`, or the channels of a point if `None`."""
        return self._affine(x, samples, self.weight, self.bias)

    def _affine(self, x: Tensor, samples: Any, weight: Tensor, bias: Tensor) -> Tensor:
        flat = x.flatten(2) if x.dim() > 2 else x
        parts = [
            self._scaled(part, part.block.split(flat), samples, weight, bias).flatten(1, 2) for part in self._parts()
        ]
        if not parts:
            return x
        y = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        return y.to(x.dtype).view(x.shape)

    def _scaled(self, part: _Part, v: Tensor, samples: Any, weight: Tensor, bias: Tensor) -> Tensor:
        y = self._normalized(part, v, samples) * along_channels(weight[part.fields], v[:, 0])
        if not part.has_mean:
            return y
        shift = part.shift(bias)
        return y + (shift if v.dim() == 3 else shift.unsqueeze(-1))

    def _normalized(self, part: _Part, v: Tensor, samples: Any) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.in_type}, eps={self.eps}"


class FieldLayerNorm(_FieldNorm):
    r"""Layer norm at every point: the invariant part of each block is centred, then the block has unit mean square.

    So scalars get mean 0 and variance 1 over the channels, as in :cite:`ba2016layer`: use at least two, since a single
    one would become zero. Regular fields get mean 0 over channels and group. Nontrivial fields keep their directions.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact; 3e-7 relative in float32. Points are independent, hence samples as well.

    Args:
        field_type: fields with orthogonal representations.
        eps: added to the variance; fields much smaller than its root stay small.

    Raises:
        ValueError: If a representation is not orthogonal.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import FieldLayerNorm
        >>> y = FieldLayerNorm(FieldType(SO2(), "8x0 + 4x1"))(torch.rand(10, 16))
        >>> torch.allclose(y[:, :8].mean(1), torch.zeros(10), atol=1e-5)
        True
    """

    def __init__(self, field_type: FieldType, *, eps: float = 1e-4, **factory: Any) -> None:
        super().__init__(field_type, eps=eps, **factory)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        if x.dim() == 2 and self._is_simple() and has_loops(x, self.weight, self.bias):
            return typed_tensor(apply_function(_LayerNorm, self, x, self.weight, self.bias))
        return self._applied(x, None)

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self._affine(x, None, weight, bias)

    def _is_simple(self) -> bool:
        """Return whether all blocks are scalars or have no invariant part, as irreps."""
        return all(part.basis is None for part in self._parts())

    def _normalized(self, part: _Part, v: Tensor, samples: Any) -> Tensor:
        if part.has_mean:
            v = v - part.vectors(part.coefficients(v.mean(2, keepdim=True)))
        return v * torch.rsqrt(v.square().mean((1, 2), keepdim=True) + self.eps)


class _LayerNorm(torch.autograd.Function):
    """The layer norm of points, each of which is read once."""

    @staticmethod
    def forward(ctx: Any, layer: FieldLayerNorm, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        from gaugenet.nn.compiled.loops import layer_norm

        ctx.layer = layer
        ctx.save_for_backward(x, weight, bias)
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        over_rows(layer_norm, [array(x), array(weight), array(bias), *_norm_tables(layer, x)], [array(out)], len(x))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from gaugenet.nn.compiled.loops import layer_norm_adjoint

        layer, (x, weight, bias) = ctx.layer, ctx.saved_tensors
        if needs_plain(grad):
            return None, *plain_gradients(layer._plain, [x, weight, bias], grad)
        gx = torch.empty_like(x, memory_format=torch.contiguous_format)
        shares = [torch.zeros(threads(len(x)), len(t), dtype=torch.float64) for t in (weight, bias)]
        inputs, outputs = [array(grad), array(x), array(weight), *_norm_tables(layer, x)], [array(s) for s in shares]

        def work(begin: int, end: int, thread: int) -> None:
            layer_norm_adjoint(*inputs, begin, end, array(gx), *(share[thread] for share in outputs))  # type: ignore[call-arg]

        in_parallel(work, 0, len(x), threads(len(x)))
        return None, gx, *(share.sum(0).to(x.dtype) for share in shares)


def _norm_tables(layer: FieldLayerNorm, x: Tensor) -> tuple[np.ndarray, np.ndarray, np.floating]:
    """Return the blocks, the first bias of each or -1, and the smallest variance in the precision of x."""
    shifts = [part.invariants.start if part.has_mean else -1 for part in layer._parts()]
    table = field_table(layer.in_type.blocks)
    return table, np.array(shifts, dtype=np.int64), array(x).dtype.type(layer.eps)


class FieldInstanceNorm(_FieldNorm):
    r"""Instance norm over each graph or image: the invariant part is centred, then each field has unit mean square.

    For scalars this is :cite:`ulyanov2016instance`.

    Shapes:
        x: `(N, field_type.size)`, domain: a `GaugeGraph` with `mass` (and `batch`) -> the same; or
        x: `(B, field_type.size, *spatial)`, domain: a grid, or none -> the same.

    Equivariance: exact; 3e-7 relative in float32. Statistics on graphs are weighted by `mass`, so they do not depend on
    the triangulation.

    Args:
        field_type: fields with orthogonal representations.
        eps: added to the variance; fields much smaller than its root stay small.

    Raises:
        ValueError: If a representation is not orthogonal; in `forward`, if the graph is missing.
    """

    def __init__(self, field_type: FieldType, *, eps: float = 1e-4, **factory: Any) -> None:
        super().__init__(field_type, eps=eps, **factory)

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        return self._applied(x, need_samples(x, domain))

    def _normalized(self, part: _Part, v: Tensor, samples: Samples) -> Tensor:
        if part.has_mean:
            v = v - samples.spread(part.vectors(part.coefficients(samples.means(v))))
        variance = samples.means(v.square().mean(1, keepdim=True))
        return v * samples.spread(torch.rsqrt(variance + self.eps))


class FieldBatchNorm(_FieldNorm):
    r"""Batch norm: the invariant part is centred, then each field has unit mean square; in eval by running statistics.

    Means are taken of the invariant part only, mean squares of whole fields (:cite:`weiler2019general`). So scalars
    have the statistics of `torch.nn.BatchNorm2d`, and regular fields share theirs over the group. Nontrivial fields
    are not centred, because the mean over points of vectors in unrelated frames has no meaning.

    Shapes:
        x: `(N, field_type.size)`, domain: a `GaugeGraph` (or none: N plain vectors) -> the same; or
        x: `(B, field_type.size, *spatial)`, domain: a grid, or none -> the same.

    Equivariance: exact, in training and in eval; 3e-7 relative in float32. All graphs of a batch have equal weight,
    their points are weighted by `mass`.

    Args:
        field_type: fields with orthogonal representations.
        eps: added to the variance.
        momentum: share of a new batch in the running statistics.

    Raises:
        ValueError: If a representation is not orthogonal, or `momentum` is not between 0 and 1.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import FieldBatchNorm
        >>> norm = FieldBatchNorm(FieldType(Cyclic(4), "2xregular"))
        >>> norm(torch.rand(3, 8, 9, 9)).shape
        torch.Size([3, 8, 9, 9])
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, field_type: FieldType, *, eps: float = 1e-5, momentum: float = 0.1, **factory: Any) -> None:
        super().__init__(field_type, eps=eps, **factory)
        if not 0 < momentum <= 1:
            raise ValueError(f"Expected a momentum 0 < m <= 1, got {momentum}.")
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros_like(self.bias.data))
        self.register_buffer("running_var", torch.ones_like(self.weight.data))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)

    def forward(
        self, x: Float[Tensor, "points size *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        if self.training:
            samples = samples_of(x, domain)
            return self._by_channel(x) if samples.uniform and by_channel.serves(x) else self._applied(x, samples)
        scale, shift = self.affine()
        if x.dim() == 2:
            return torch.addcmul(shift, scale, x).to(x.dtype)
        return F.batch_norm(x, torch.zeros_like(shift), torch.ones_like(scale), scale, shift, eps=0.0)

    def affine(self) -> tuple[Float[Tensor, "size"], Float[Tensor, "size"]]:
        """Scale and shift of each channel in eval mode."""
        factors = self.weight * torch.rsqrt(self.running_var + self.eps)
        scales, shifts = [], []
        for part in self._parts():
            scale = factors[part.fields].expand(1, part.block.representation.dim, -1)
            shift = torch.zeros_like(scale)
            if part.has_mean:
                shift = part.shift(self.bias) - part.shift(self.running_mean) * scale
            scales.append(scale.flatten())
            shifts.append(shift.flatten())
        return (torch.cat(scales), torch.cat(shifts)) if scales else (factors, factors)

    def _by_channel(self, x: Tensor) -> Tensor:
        y, mean, var = by_channel.normalize(x, self.weight, self.bias, self._batch_affine)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            for part in self._parts():
                centre, second = self._moments(part, mean, var)
                count = x.numel() // x.shape[1] * part.block.representation.dim
                present = x.new_ones(())
                self._update(self.running_mean[part.invariants], centre, present)
                self._update(self.running_var[part.fields], second * (count / max(count - 1, 1)), present)
        return y

    def _batch_affine(self, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of each channel for a batch whose channels have these means and variances."""
        scales, shifts = [], []
        for part in self._parts():
            centre, second = self._moments(part, mean, var)
            scale = weight[part.fields] * torch.rsqrt(second + self.eps).expand(1, part.block.representation.dim, -1)
            shift = torch.zeros_like(scale)
            if part.has_mean:
                shift = part.shift(bias) - part.vectors(centre) * scale
            scales.append(scale.flatten())
            shifts.append(shift.flatten())
        return torch.cat(scales), torch.cat(shifts)

    def _moments(self, part: _Part, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Return coefficients of the mean of each field and mean square about it, from the moments of its channels."""
        m, v = part.block.split(mean[None]), part.block.split(var[None])
        centre = part.coefficients(m) if part.has_mean else m[:, :0]
        about = m - part.vectors(centre) if part.has_mean else m
        return centre, (v + about.square()).mean(1, keepdim=True)

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the equal layer in eval mode for features like `x`: a `BatchNorm1d`, `2d` or `3d` of the channels."""
        kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
        plain = kinds[x.dim()](self.in_type.size, eps=0.0, device=x.device, dtype=self.weight.dtype).eval()
        scale, shift = self.affine()
        plain.load_state_dict({"weight": scale, "bias": shift}, strict=False)  # of mean 0 and variance 1
        return plain.requires_grad_(False)

    def _normalized(self, part: _Part, v: Tensor, samples: Samples) -> Tensor:
        present = samples.present().sum().clamp(max=1)  # an empty batch changes nothing
        if part.has_mean:
            mean = part.coefficients(samples.batch_mean(v)[None])
            self._update(self.running_mean[part.invariants], mean, present)
            v = v - part.vectors(mean)
        variance = samples.batch_mean(v.square().mean(1, keepdim=True))
        count = v.numel() // part.block.multiplicity
        self._update(self.running_var[part.fields], variance * (count / max(count - 1, 1)), present)
        return v * torch.rsqrt(variance + self.eps)

    def _scaled(self, part: _Part, v: Tensor, samples: Samples, weight: Tensor, bias: Tensor) -> Tensor:
        """Scale and shift; on grids by PyTorch's kernel, with the group as one more dimension of the statistics."""
        if not (part.is_permuted and samples.uniform and v.dim() == 4 and v[:, :, 0].numel() > 1):
            return super()._scaled(part, v, samples, weight, bias)
        # Copies: autograd keeps its inputs, and the next block writes into the same buffers.
        mean, var = self.running_mean[part.invariants].clone(), self.running_var[part.fields].clone()
        scale, shift = weight[part.fields], bias[part.invariants]
        y = F.batch_norm(v.flatten(0, 1), mean, var, scale, shift, True, self.momentum, self.eps).view_as(v)
        with torch.no_grad():
            self.running_mean[part.invariants], self.running_var[part.fields] = mean, var
        return y

    def _update(self, running: Tensor, new: Tensor, present: Tensor) -> None:
        with torch.no_grad():
            running.lerp_(new.flatten().to(running.dtype), (self.momentum * present).to(running.dtype))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, momentum={self.momentum}"
