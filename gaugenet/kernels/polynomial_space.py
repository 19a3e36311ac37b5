"""PolynomialSpace: the full kernel matrix of every edge from an equivariant network of position and attributes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups import Block, FieldType, Representation
from gaugenet.kernels._attributes import attribute_parts, directions, gaussians, harmonic_parts
from gaugenet.kernels.basis import CachedTensor
from gaugenet.kernels.frequencies import highest_order
from gaugenet.kernels.implicit_space import ConditionalSpace, highest_frequency
from gaugenet.kernels.space import Neighborhood
from gaugenet.kernels.tensor_operators import tensor_operators


@dataclass(frozen=True)
class _Map:
    """Bilinear maps of one hidden field and one input field.

    Attributes:
        first, second, target: index of the hidden irrep, of the input, of the result.
        maps: `(count, target, first, second)`.
        start: index of its first weight in the flat vector.
        shape: shape of its weights: maps, channels of first, second and target.
    """

    first: int
    second: int
    target: int
    maps: CachedTensor
    start: int
    shape: tuple[int, int, int, int]

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    def weight(self, weight: Float[Tensor, "weights"]) -> Tensor:
        return weight[self.start : self.stop].view(self.shape)


class PolynomialSpace(ConditionalSpace):
    r"""Form A: vec K(v, z) = network of [phi(|v|), Y_j(v / |v|), z], of output type rho_out (x) rho_in.

    As published in :cite:`zhdanov2023implicit`, with tensor products as nonlinearities. In each layer a hidden field h,
    with `channels` of every irrep, is multiplied by the inputs u, `h <- W (h (x) u)`, in all ways that the group
    allows. With enough channels, K can be any steerable polynomial of degree up to `depth` + 1 in u. A matrix for each
    edge takes memory O(E C_out C_in), so this space is for small types, and a reference for `ImplicitSpace`.

    Args:
        in_type, out_type: field types of one compact group.
        channels: number of hidden fields of each irrep.
        depth: number of products, at least 1.
        edge_type, node_type: types of attributes of edges and points.
        rings: number of Gaussian functions of the distance.
        max_frequency: highest frequency of the harmonics, see `ImplicitSpace`.
        hidden_order: highest order of hidden irreps. Default: the highest order of inputs and kernels.

    Raises:
        ValueError: If the types belong to different groups, the group is not compact, or a number is not positive.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import PolynomialSpace
        >>> PolynomialSpace(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x1"), edge_type=FieldType(SO2(), "1x2"))
        PolynomialSpace(1x0 -> 1x1, SO(2), channels=4, depth=2, rings=4, max_frequency=2)
    """

    form = "full"

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        channels: int = 4,
        depth: int = 2,
        edge_type: FieldType | None = None,
        node_type: FieldType | None = None,
        rings: int = 4,
        max_frequency: int | None = None,
        hidden_order: int | None = None,
    ) -> None:
        super().__init__(in_type, out_type, edge_type, node_type)
        self._options: dict[str, Any] = {
            "channels": positive("channels", channels),
            "depth": positive("depth", depth),
            "edge_type": edge_type,
            "node_type": node_type,
            "rings": positive("rings", rings),
            "max_frequency": max_frequency,
            "hidden_order": hidden_order,
        }
        self.channels, self.depth, self.rings = channels, depth, rings
        self.max_frequency = highest_frequency(in_type, out_type, self.attribute_type, max_frequency)
        self.inputs = harmonic_parts(self.group, self.max_frequency) + attribute_parts(self.attribute_type)
        self.irreps = self._irreps(hidden_order)
        self._layers = self._make_layers()
        self._last = list(self._last_maps())
        self.factor_keys = (
            f"coefficient polynomial {self.rings} {self.max_frequency}",
            f"transport plain {self.group} {in_type}",
        )

    def _irreps(self, hidden_order: int | None) -> list[Representation]:
        if self.group.order is not None:
            return self.group.irreps()
        blocks = [b.representation for t in (self.in_type, self.out_type, self.attribute_type) for b in t.blocks]
        orders = [highest_order(rho) for rho in blocks + [p.representation for p in self.inputs]]
        return self.group.irreps(max(orders, default=0) if hidden_order is None else hidden_order)

    def _input_fields(self) -> list[tuple[Representation, int]]:
        """Return the functions of the distance, then harmonics and attributes."""
        return [(self.group.trivial(), self.rings), *((p.representation, p.multiplicity) for p in self.inputs)]

    def _make_layers(self) -> list[list[_Map]]:
        """Return one list of maps for each layer; the first multiplies the inputs by one constant."""
        layers, start, constant = [], 0, [(self.group.trivial(), 1)]
        for number in range(self.depth + 1):
            hidden = constant if number == 0 else [(rho, self.channels) for rho in self.irreps]
            layer: list[_Map] = []
            for t, rho in enumerate(self.irreps):
                for i, (a, copies) in enumerate(hidden):
                    for j, (b, fields) in enumerate(self._input_fields()):
                        maps = math.sqrt(rho.dim) * tensor_operators(b, rho, a)
                        if len(maps):
                            shape = (len(maps), copies, fields, self.channels)
                            layer.append(_Map(i, j, t, _fixed(maps), start, shape))
                            start = layer[-1].stop
            layers.append(layer)
        return layers

    def _last_maps(self) -> Iterator[tuple[Block, Block, int, CachedTensor, int, tuple[int, int, int, int]]]:
        start = self._layers[-1][-1].stop
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                for k, rho in enumerate(self.irreps):
                    maps = tensor_operators(source.representation, target.representation, rho)
                    if len(maps):
                        shape = (len(maps), self.channels, target.multiplicity, source.multiplicity)
                        yield target, source, k, _fixed(maps * math.sqrt(target.representation.dim)), start, shape
                        start += math.prod(shape)

    @property
    def num_weights(self) -> int:
        if not self._last:
            return 0
        *_, start, shape = self._last[-1]
        return start + math.prod(shape)

    def initialize(self, weight: Float[Tensor, "weights"], *, generator: torch.Generator | None = None) -> None:
        weight.normal_(generator=generator)
        for layer in self._layers:
            for t in range(len(self.irreps)):
                found = [m for m in layer if m.target == t]
                terms = sum(math.prod(m.shape[:3]) for m in found)
                for m in found:
                    m.weight(weight).mul_(1 / math.sqrt(terms))
        for target, _, _, _, start, shape in self._last:
            found_shapes = [s for b, *_, s in self._last if b is target]
            fan_in = sum(s[0] * s[1] * s[3] for s in found_shapes)
            weight[start : start + math.prod(shape)].mul_(1 / math.sqrt(fan_in))

    # --- the kernel -----------------------------------------------------------------------------------------------

    @property
    def num_columns(self) -> int:
        return 1 + self.rings + sum(p.dim for p in self.inputs if p.frequency is not None)

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        """Return the quadrature weight, functions of the distance, and harmonics."""
        v = neighborhood.log_map
        length = torch.linalg.vector_norm(v, dim=-1)
        return torch.cat(
            [neighborhood.weight[:, None], gaussians(length, self.rings), directions(v, self.max_frequency)], 1
        )

    def matrices(self, weight: Float[Tensor, "weights"], neighborhood: Neighborhood) -> Float[Tensor, "rows out in"]:
        c, z = self.coefficients(neighborhood), neighborhood.attributes
        return self.matrices_from(weight, c, c.new_zeros(len(c), 0) if z is None else z)

    def matrices_from(
        self, weight: Float[Tensor, "weights"], c: Float[Tensor, "rows columns"], z: Float[Tensor, "rows size"]
    ) -> Float[Tensor, "rows out in"]:
        """Return K of every row from its coefficients and attributes."""
        radial, direction = c[:, 1 : 1 + self.rings], c[:, 1 + self.rings :]
        scale = [math.sqrt(p.dim) if p.frequency is not None else 1.0 for p in self.inputs]
        fields = [p.fields(direction, z) * s for p, s in zip(self.inputs, scale, strict=True)]
        u, hidden = [radial.unsqueeze(1), *fields], [torch.ones_like(c[:, :1, None])]
        for layer in self._layers:
            hidden = self._layer(layer, weight, hidden, u)
        full = c.new_zeros(len(c), self.out_type.size, self.in_type.size)
        for target, source, k, maps, start, shape in self._last:
            own = weight[start : start + math.prod(shape)].view(shape)
            part = torch.einsum("pohi,rhc,pcuv->rouiv", maps(c), hidden[k], own).flatten(3).flatten(1, 2)
            rows = slice(target.start, target.stop), slice(source.start, source.stop)
            full[:, rows[0], rows[1]] = full[:, rows[0], rows[1]] + part
        return c[:, :1, None] * full

    def _layer(self, layer: list[_Map], weight: Tensor, hidden: list[Tensor], u: list[Tensor]) -> list[Tensor]:
        found: list[list[Tensor]] = [[] for _ in self.irreps]
        for m in layer:
            pairs = torch.einsum("rac,rbf->rabcf", hidden[m.first], u[m.second])
            products = torch.einsum("ptab,rabcf->rptcf", m.maps(weight), pairs)
            found[m.target].append(torch.einsum("rptcf,pcfw->rtw", products, m.weight(weight)))
        empty = [hidden[0].new_zeros(len(hidden[0]), rho.dim, self.channels) for rho in self.irreps]
        return [sum(parts[1:], parts[0]) if parts else zero for parts, zero in zip(found, empty, strict=True)]

    def __deepcopy__(self, memo: dict[int, Any]) -> PolynomialSpace:
        return self  # immutable

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self.in_type, self.out_type, self._options)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, depth={self.depth}, rings={self.rings}, max_frequency={self.max_frequency}"


def _fixed(table: Tensor) -> CachedTensor:
    return CachedTensor(lambda: table)


def _remake(in_type: FieldType, out_type: FieldType, options: dict[str, Any]) -> PolynomialSpace:
    return PolynomialSpace(in_type, out_type, **options)


__all__ = ["PolynomialSpace"]
