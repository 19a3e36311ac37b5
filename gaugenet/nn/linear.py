"""EquivariantLinear: intertwiners at each point, bias in the invariant part."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import apply_function, typed_tensor
from gaugenet.groups import Block, FieldType, intertwiners
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.nn.compiled.eager import has_loops, needs_plain, plain_gradients
from gaugenet.nn.expansion import Expansion, expansion
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule, along_channels


class EquivariantLinear(TableModule):
    r"""y(p) = A x(p) + b with `rho_out(g) A = A rho_in(g)` and b fixed by every rho_out(g).

    Shapes:
        x: `(N, in_type.size)` or `(B, in_type.size, *spatial)` -> the same with `out_type.size` channels.

    Equivariance: exact; 3e-7 relative in float32.

    Args:
        in_type, out_type: field types of one group.
        bias: add a bias to the invariant part of the output.

    Raises:
        ValueError: If the types belong to different groups; in `forward`, if the features have another size.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import EquivariantLinear
        >>> vectors = FieldType(SO2(), "4x1")
        >>> linear = EquivariantLinear(vectors, FieldType(SO2(), "8x1"))
        >>> linear(torch.rand(10, vectors.size)).shape  # vectors at 10 points, or of a grid: (B, 8, *spatial)
        torch.Size([10, 16])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_one_group(in_type, out_type)
        self.in_type, self.out_type = in_type, out_type
        self._pairs = _pairs(in_type, out_type)
        for k, (a, b, _, _) in enumerate(self._pairs):
            self.add_table(f"_basis_{k}", intertwiners(a.representation, b.representation), device=device, dtype=dtype)
        self.weight = nn.Parameter(torch.empty(_num_weights(self._pairs), device=device, dtype=dtype))
        self.bias = InvariantBias(out_type, device=device, dtype=dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Outputs of unit variance from inputs of unit variance; the bias starts at zero."""
        with torch.no_grad():
            for b in self.out_type.blocks:
                pairs = [(k, p) for k, p in enumerate(self._pairs) if p[1] is b]
                squares = (self._exact[f"_basis_{k}"].square().sum().item() * p[3][2] for k, p in pairs)
                fan_in = sum(squares) / b.representation.dim
                for _, (_, _, start, shape) in pairs:
                    self.weight[start : start + math.prod(shape)].normal_(0, 1 / math.sqrt(max(fan_in, 1.0)))
        if self.bias is not None:
            self.bias.reset_parameters()

    def _basis(self, k: int) -> Tensor:
        return typed_tensor(getattr(self, f"_basis_{k}"))

    def forward(
        self, x: Float[Tensor, "points in *spatial"], *, onto: Float[Tensor, "points out *spatial"] | None = None
    ) -> Float[Tensor, "points out *spatial"]:
        """`onto` is added to the result."""
        check_features(self, x)
        if x.dim() == 2 and self._pairs and has_loops(x, self.weight, onto):
            with torch.autocast("cpu", enabled=False):
                return typed_tensor(apply_function(_Linear, self, x, self.weight, self._vector(), onto))
        return self._plain(x, self.weight, self._vector(), onto)

    def _vector(self) -> Tensor | None:
        return None if self.bias is None else self.bias.vector()

    def _plain(self, x: Tensor, weight: Tensor, vector: Tensor | None, onto: Tensor | None = None) -> Tensor:
        outputs = []
        for b in self.out_type.blocks:
            terms = [
                _mixed(x[:, a.slice], self._mixing(k, weight))
                for k, (a, target, _, _) in enumerate(self._pairs)
                if target is b
            ]
            outputs.append(sum(terms[1:], terms[0]) if terms else x.new_zeros(x.shape[0], b.size, *x.shape[2:]))
        y = torch.cat(outputs, 1) if outputs else x[:, :0]
        y = y if vector is None else y + along_channels(vector, x)
        return y if onto is None else onto + y

    def matrix(self) -> Float[Tensor, "out in"]:
        """A itself, in the layout of the features."""
        full = self.weight.new_zeros(self.out_type.size, self.in_type.size)
        for k, (a, b, _, _) in enumerate(self._pairs):
            full[b.slice, a.slice] = self._mixing(k, self.weight).T
        return full

    def elements(
        self, source: Block, target: Block
    ) -> tuple[Float[Tensor, "basis out in"], Float[Tensor, "basis mult_out mult_in"]] | None:
        """The intertwiners between two blocks in float64, and their weights; `None` where there are none."""
        for k, (a, b, start, shape) in enumerate(self._pairs):
            if (a.start, b.start) == (source.start, target.start):
                weight = self.weight[start : start + math.prod(shape)].view(shape)
                return self._exact[f"_basis_{k}"], weight
        return None

    def _mixing(self, k: int, weight: Float[Tensor, "weights"]) -> Float[Tensor, "block_in block_out"]:
        return _block_matrix(self._pairs[k], self._basis(k), weight)

    def _mixing_adjoint(self, k: int, grad: Float[Tensor, "block_in block_out"]) -> Float[Tensor, "some_weights"]:
        basis, (_, outputs, inputs) = self._basis(k), self._pairs[k][3]
        return torch.einsum("boi,ivou->buv", basis, grad.view(basis.shape[2], inputs, -1, outputs)).flatten()

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, group={self.in_type.group.name}, bias={self.bias is not None}"


def _mixed(
    x: Float[Tensor, "points in *spatial"], matrix: Float[Tensor, "in out"]
) -> Float[Tensor, "points out *spatial"]:
    if x.dim() == 2:
        return x @ matrix
    return typed_tensor((matrix.T @ x.flatten(2)).unflatten(2, x.shape[2:]))


Pair = tuple[Block, Block, int, tuple[int, int, int]]
"""Input block, output block, first weight, and shape of the weights: basis elements, multiplicities out and in."""


def _pairs(in_type: FieldType, out_type: FieldType) -> list[Pair]:
    """Return the pairs of blocks that have intertwiners."""
    found: list[Pair] = []
    for b in out_type.blocks:
        for a in in_type.blocks:
            count = len(intertwiners(a.representation, b.representation))
            if count:
                found.append((a, b, _num_weights(found), (count, b.multiplicity, a.multiplicity)))
    return found


def _num_weights(pairs: list[Pair]) -> int:
    return pairs[-1][2] + math.prod(pairs[-1][3]) if pairs else 0


def _block_matrix(
    pair: Pair, basis: Float[Tensor, "basis out in"], weight: Float[Tensor, "weights"]
) -> Float[Tensor, "block_in block_out"]:
    _, _, start, shape = pair
    part = weight[start : start + math.prod(shape)].view(shape)
    return torch.einsum("boi,buv->ivou", basis, part).flatten(2).flatten(0, 1)


@lru_cache(maxsize=128)
def _expansion(in_type: FieldType, out_type: FieldType) -> Expansion | None:
    """Return the map from the weights to the matrices of all pairs, one after the other."""
    pairs = _pairs(in_type, out_type)
    bases = [intertwiners(a.representation, b.representation) for a, b, _, _ in pairs]

    def entries(weight: Tensor) -> Tensor:
        return torch.cat([_block_matrix(p, basis, weight).flatten() for p, basis in zip(pairs, bases, strict=True)])

    return expansion(entries, _num_weights(pairs))


def _views(layer: EquivariantLinear, entries: Float[Tensor, "entries"]) -> list[Float[Tensor, "block_in block_out"]]:
    """Return the matrix of each pair, as views of the entries of all of them."""
    sizes = [(a.size, b.size) for a, b, _, _ in layer._pairs]
    parts = entries.split([rows * columns for rows, columns in sizes])
    return [part.view(size) for part, size in zip(parts, sizes, strict=True)]


class _Linear(torch.autograd.Function):
    """`EquivariantLinear._plain` for points: products go straight to the columns of their blocks."""

    @staticmethod
    def forward(
        ctx: Any, layer: EquivariantLinear, x: Tensor, weight: Tensor, vector: Tensor | None, onto: Tensor | None
    ) -> Tensor:
        expanded = _expansion(layer.in_type, layer.out_type)
        if expanded is None:
            ctx.matrices = [layer._mixing(k, weight) for k in range(len(layer._pairs))]
        else:
            ctx.matrices = _views(layer, expanded(weight))
        ctx.layer = layer
        ctx.save_for_backward(x, weight, vector)
        fresh = onto is None
        if onto is None:
            out = x.new_empty(x.shape[0], layer.out_type.size)
        else:
            out = onto.clone(memory_format=torch.contiguous_format)
        for b in layer.out_type.blocks:
            columns, overwrite = out[:, b.slice], fresh
            if vector is not None and len(b.representation.invariants):
                columns.copy_(vector[b.slice]) if fresh else columns.add_(vector[b.slice])
                overwrite = False
            terms = [(x[:, a.slice], m) for (a, c, _, _), m in zip(layer._pairs, ctx.matrices, strict=True) if c is b]
            _add_products(columns, terms, overwrite=overwrite)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        layer, (x, weight, vector) = ctx.layer, ctx.saved_tensors
        if needs_plain(grad):
            onto = grad if ctx.needs_input_grad[4] else None
            return None, *plain_gradients(layer._plain, [x, weight, vector], grad), onto
        grad = grad.contiguous()
        gx = _grad_x(layer, ctx.matrices, x, grad) if ctx.needs_input_grad[1] else None
        gweight = _grad_weight(layer, weight, x, grad) if ctx.needs_input_grad[2] else None
        gvector = _grad_vector(layer, vector, grad) if ctx.needs_input_grad[3] else None
        return None, gx, gweight, gvector, grad if ctx.needs_input_grad[4] else None


def _grad_x(layer: EquivariantLinear, matrices: list[Tensor], x: Tensor, grad: Tensor) -> Tensor:
    gx = x.new_empty(x.shape)
    for a in layer.in_type.blocks:
        pairs = zip(layer._pairs, matrices, strict=True)
        terms = [(grad[:, b.slice], m.T) for (c, b, _, _), m in pairs if c is a]
        _add_products(gx[:, a.slice], terms, overwrite=True)
    return gx


def _grad_weight(layer: EquivariantLinear, weight: Tensor, x: Tensor, grad: Tensor) -> Tensor:
    entries = weight.new_empty(sum(a.size * b.size for a, b, _, _ in layer._pairs))
    products = _views(layer, entries)
    for product, (a, b, _, _) in zip(products, layer._pairs, strict=True):
        torch.mm(x[:, a.slice].T, grad[:, b.slice], out=product)
    expanded = _expansion(layer.in_type, layer.out_type)
    if expanded is not None:
        return expanded.adjoint(entries, len(weight))
    return torch.cat([layer._mixing_adjoint(k, product) for k, product in enumerate(products)])


def _grad_vector(layer: EquivariantLinear, vector: Tensor, grad: Tensor) -> Tensor:
    """Where the vector can differ from zero."""
    gvector = torch.zeros_like(vector)
    for b in layer.out_type.blocks:
        if len(b.representation.invariants):
            gvector[b.slice] = grad[:, b.slice].sum(0)
    return gvector


def _add_products(out: Tensor, terms: list[tuple[Tensor, Tensor]], *, overwrite: bool) -> None:
    """Add the sum of the products to `out`, or write it where `out` holds nothing yet."""
    if overwrite and not terms:
        out.zero_()
    for a, b in terms:
        out.addmm_(a, b, beta=0 if overwrite else 1)
        overwrite = False


class InvariantBias(TableModule):
    """x + b with b in the invariant part of the field type: for irreps, the scalars alone.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: exact.
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        rows = []
        for b in field_type.blocks:
            for v in b.representation.invariants:
                row = torch.zeros(b.multiplicity, field_type.size, dtype=torch.float64)
                row[:, b.slice] = torch.einsum("d,uv->udv", v, torch.eye(b.multiplicity, dtype=v.dtype)).flatten(1)
                rows.append(row)
        embedding = torch.cat(rows) if rows else torch.zeros(0, field_type.size, dtype=torch.float64)
        self.add_table("_embedding", embedding, device=device, dtype=dtype)
        self._embedding: Tensor
        self.bias = nn.Parameter(torch.zeros(len(embedding), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        return x + along_channels(self.vector(), x)

    def vector(self) -> Float[Tensor, "size"]:
        """Return b itself, one number a channel."""
        return self.bias @ self._embedding

    def extra_repr(self) -> str:
        return f"{self.in_type}, free={len(self.bias)}"
