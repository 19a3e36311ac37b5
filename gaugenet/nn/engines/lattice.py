"""The `lattice` engine: shift whole fields, transport them by links and mix, or compute the same by compiled loops."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import Domain
from gaugenet.geometry.lattice.field import LatticeGaugeField
from gaugenet.geometry.lattice.paths import displacement
from gaugenet.geometry.lattice.transport import transported
from gaugenet.groups import FieldType
from gaugenet.groups.families.direct_product import internal_factor
from gaugenet.kernels.attributes import NO_ATTRIBUTES, Attributes
from gaugenet.kernels.internal_irreps import splits
from gaugenet.kernels.shifts import ShiftSpace
from gaugenet.nn.channel_groups import GroupedLinear, by_group
from gaugenet.nn.engines.graph import GraphEngine
from gaugenet.nn.engines.graph import convolve as aggregate_edges
from gaugenet.nn.engines.protocol import Convolution, Engine, need_no_attributes, no_levels
from gaugenet.nn.linear import EquivariantLinear

LARGEST_TABLE = 2**25
"""Most entries of transport matrices to store for compiled loops over edges: 256 MB in double precision."""


class LatticeEngine(Engine[LatticeGaugeField]):
    """The engine of lattice gauge fields: features are `(B, size, *shape)`.

    On the CPU, with links that need no gradients, the compiled loops of the graph engine take about half the time. They
    are used if the transport matrices, which all layers share, are not too large.
    """

    def check(self, field_type: FieldType, x: Tensor, domain: LatticeGaugeField) -> None:
        expected = (domain.batch_size, field_type.size, *domain.shape)
        if tuple(x.shape) != expected:
            raise ValueError(
                f"Expected `x` of shape {expected} on {domain!r}, one configuration of links for each entry of the "
                f"batch, got {tuple(x.shape)}."
            )
        if not torch.compiler.is_compiling() and internal_factor(field_type.group) != domain.group:
            raise ValueError(
                f"Expected fields of {domain.group.name}, the group of the links, or of its product with rotations, "
                f"got {field_type} of {field_type.group.name}."
            )
        if x.is_complex():
            raise ValueError(f"Expected real features, got {x.dtype}: convert complex fields by `real_fields`.")
        if x.dtype == torch.float64 and domain.links.dtype != torch.complex128:
            raise ValueError(
                f"Expected links of dtype torch.complex128 for features of {x.dtype}, got {domain.links.dtype}: pass "
                "`x.float()`, or project the links in double precision, `group.project(links.to(torch.complex128))`."
            )

    def convolve(
        self,
        convolution: Convolution,
        x: Tensor,
        domain: LatticeGaugeField,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> Tensor:
        need_no_attributes(attributes, domain)
        space = convolution.kernels
        if not isinstance(space, ShiftSpace):
            raise ValueError(
                f"Expected kernels of `Shifts` on a lattice gauge field, got {space}: pass "
                f"`kernel=Shifts({domain.d}, steps=...)`."
            )
        need_displacements(space, domain)
        if not _few_constant_links(space, x, domain):
            return self.shift(convolution, x, domain)
        if splits(space.in_type) or splits(space.out_type):
            return self.split(convolution, x, domain)
        return LatticeOnEdges(GraphEngine()).convolve(convolution, x, domain)

    def shift(self, convolution: Convolution, x: Tensor, domain: LatticeGaugeField) -> Tensor:
        """Return the convolution by shifts of whole fields, differentiable in the links."""
        space, middle = cast(ShiftSpace, convolution.kernels), convolution.self_interaction

        def convolve(part: int, x: Tensor) -> Tensor:
            out = aggregate(space, convolution.group_weights[part], x, domain)
            own = middle[part] if isinstance(middle, GroupedLinear) else middle
            return out if own is None else own(x, onto=out)

        out = convolve(0, x) if convolution.groups == 1 else by_group(convolve, x, convolution)
        return out if convolution.bias is None else convolution.bias(out)

    def split(self, convolution: Convolution, x: Tensor, domain: LatticeGaugeField) -> Tensor:
        """Return the convolution in the irreps of the internal group, by compiled loops over the edges."""
        space, middle = cast(ShiftSpace, convolution.kernels), convolution.self_interaction
        form = space.internal_form(center=middle is not None)
        graph = domain.gauge_graph(center=form.center)

        def convolve(part: int, x: Tensor) -> Tensor:
            own = middle[part] if isinstance(middle, GroupedLinear) else middle
            weight = form.weights(convolution.group_weights[part], cast(EquivariantLinear | None, own))
            rows = form.source.split(x).flatten(2).mT.flatten(0, 1)
            out = aggregate_edges(form.space, weight, rows, graph)
            out = torch.unflatten(torch.unflatten(out, 0, (domain.batch_size, -1)).mT, 2, domain.shape)
            return form.target.join(out)

        out = convolve(0, x) if convolution.groups == 1 else by_group(convolve, x, convolution)
        return out if convolution.bias is None else convolution.bias(out)

    def on_edges(self, engine: Engine[Domain]) -> Engine[LatticeGaugeField]:
        return LatticeOnEdges(engine)

    def pool(self, field_type: FieldType, x: Tensor, domain: LatticeGaugeField, level: int) -> Tensor:
        raise no_levels(domain)

    def unpool(self, field_type: FieldType, x: Tensor, domain: LatticeGaugeField, level: int) -> Tensor:
        raise no_levels(domain)


class LatticeOnEdges(LatticeEngine):
    """An engine of graphs on the gauge graph of the lattice."""

    def __init__(self, engine: Engine[Domain]) -> None:
        self.engine = engine

    def convolve(
        self,
        convolution: Convolution,
        x: Tensor,
        domain: LatticeGaugeField,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> Tensor:
        need_no_attributes(attributes, domain)
        if isinstance(convolution.kernels, ShiftSpace):
            need_displacements(convolution.kernels, domain)
        rows = x.flatten(2).mT.flatten(0, 1)
        out = self.engine.convolve(convolution, rows, domain.gauge_graph())
        return torch.unflatten(torch.unflatten(out, 0, (domain.batch_size, -1)).mT, 2, domain.shape)


def need_displacements(space: ShiftSpace, domain: LatticeGaugeField) -> None:
    """Raise `ValueError` unless the domain has paths to all displacements of the kernel.

    Weights without a path would have no effect and never be trained.
    """
    reached = {displacement(path, domain.d) for path in domain.paths}
    missing = [offset for offset in space.radial.offsets if len(offset) == domain.d and offset not in reached]
    if missing:
        raise ValueError(
            f"Expected paths to the displacements {missing} of the kernel, got a domain with {sorted(reached)} alone: "
            "pass `field.with_paths(steps=...)` with the steps of `Shifts`."
        )


def _few_constant_links(space: ShiftSpace, x: Tensor, domain: LatticeGaugeField) -> bool:
    if torch.compiler.is_compiling() or x.device.type != "cpu" or domain.links.requires_grad:
        return False
    entries = sum(b.representation.dim**2 for b in space.in_type.blocks if not b.representation.is_trivial)
    return entries * len(domain.paths) * domain.batch_size * domain.num_nodes <= LARGEST_TABLE


def aggregate(
    space: ShiftSpace, weight: Float[Tensor, "weights"], x: Float[Tensor, "batch in *shape"], domain: LatticeGaugeField
) -> Float[Tensor, "batch out *shape"]:
    """Return the sum over paths of K_v rho_in(U_path) x(end of the path)."""
    offsets = [displacement(path, domain.d) for path in domain.paths]
    columns = space.columns_at(offsets)
    gathered: list[Tensor | None] = [None] * space.num_columns
    for path, column in zip(domain.paths, columns, strict=True):
        if column >= 0:
            there = domain.neighbor_values(x, path, first=2)
            part = transported(space.in_type, there, domain.transporter(path))
            before = gathered[column]
            gathered[column] = part if before is None else before + part
    outputs = []
    for block, matrix in zip(space.out_type.blocks, space.mixing(weight), strict=True):
        by_column = matrix.view(-1, x.shape[1], block.size)
        terms = [m.mT @ g.flatten(2) for m, g in zip(by_column, gathered, strict=True) if g is not None]
        outputs.append(sum(terms[1:], terms[0]) if terms else x.new_zeros(len(x), block.size, x[0, 0].numel()))
    return torch.unflatten(torch.cat(outputs, 1), 2, domain.shape)
