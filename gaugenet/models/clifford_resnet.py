"""CliffordResNet: a residual network of convolutions between multivector fields."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType, StructureGroup, group_from_name, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import EquivariantLinear, GaugeConv, InvariantGate, MultivectorNorm, PairProduct


class CliffordBlock(nn.Module):
    """A residual block x + conv(act(norm(conv(norm(x))))), with products as nonlinearity; or with gates in two places.

    Shapes:
        x: fields of type `field_type` on the domain -> the same.

    Args:
        field_type: multivectors of all grades.
        kernel: family of the kernels.
        product: the first convolution makes pairs of multivectors, which a `PairProduct` multiplies. `False`: gates,
            which scale each field by a function of its own square, after both norms.
        norm: `points` or `fields`, over which `MultivectorNorm` takes its means.
    """

    def __init__(self, field_type: FieldType, kernel: Clifford, *, product: bool = True, norm: str = "points") -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        self.act: PairProduct | InvariantGate
        self.first_gate: nn.Module
        if product:
            self.act, self.first_gate = PairProduct(field_type), nn.Identity()
        else:
            self.act, self.first_gate = InvariantGate(field_type), InvariantGate(field_type)
        self.first_norm = MultivectorNorm(field_type, over=norm)
        self.first_conv = GaugeConv(field_type, self.act.in_type, kernel=kernel)
        self.second_norm = MultivectorNorm(self.act.in_type, over=norm)
        self.second_conv = GaugeConv(field_type, field_type, kernel=kernel)

    def forward(self, x: Float[Tensor, "points size *spatial"], domain: Domain) -> Tensor:
        y = self.first_conv(self.first_gate(self.first_norm(x, domain)), domain)
        out: Tensor = x + self.second_conv(self.act(self.second_norm(y, domain)), domain)
        return out


class CliffordHead(nn.Module):
    """The last map of a network: linear at each point, with a norm and a gate before it in networks of gates.

    Shapes:
        x: fields of type `in_type` on the domain -> `out_type`.

    Args:
        in_type, out_type: types of multivectors.
        product, norm: see `CliffordBlock`.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, *, product: bool, norm: str) -> None:
        super().__init__()
        self.in_type, self.out_type = in_type, out_type
        if product:
            self.norm = self.gate = None
        else:
            self.norm, self.gate = MultivectorNorm(in_type, over=norm), InvariantGate(in_type)
        self.read = EquivariantLinear(in_type, out_type)

    def forward(self, x: Float[Tensor, "points in *spatial"], domain: Domain) -> Float[Tensor, "points out *spatial"]:
        if self.norm is not None and self.gate is not None:
            x = self.gate(self.norm(x, domain))
        out: Tensor = self.read(x)
        return out


class CliffordResNet(nn.Module):
    """A residual network for multivector fields on any domain: by default 8 blocks of 2 convolutions.

    The architecture of :cite:`zhdanov2024clifford` with complete kernels: a convolution, residual blocks, a linear map
    at each point. The blocks differ from the paper: products of multivectors are their nonlinearity, and norms are
    taken over the points of a sample. With `product=False, norm="fields"` they have gates, and norms at each point.
    Time steps are either channels (4 frames of velocity are 4 vectors) or an axis of a grid with a `signature`.

    Weights of Clifford kernels are larger than those of `torch.nn.Conv2d`, about 0.4, because kernels contain the
    weights of a quadrature over the neighbourhood. Adam changes all weights by the same amount, so it needs larger
    rates here, 0.03 to 0.1.

    Shapes:
        x: `(N, in_type.size)` on graphs, `(B, in_type.size, *spatial)` on grids -> with `out_type.size` channels.

    Equivariance: exact under changes of frames; on grids exact under the symmetries that map the grid to itself.

    Args:
        in_type, out_type: types of multivectors of one group, or their specifications, such as `"4x0 + 4x1"`.
        group: group of the specifications, or its name; not needed with field types.
        channels: number of hidden multivectors.
        blocks: number of residual blocks.
        rings: radial functions of the kernels.
        complete: use all steerable kernels; `False`: only those of the paper.
        product: products of pairs of multivectors as the nonlinearity of the blocks; `False`: gates.
        norm: `points` of a sample or `fields` at a point, over which `MultivectorNorm` takes its means. With `points`
            all results depend on the whole sample.

    The arguments are stored as `config`: `CliffordResNet(**model.config)` is the same network.

    Raises:
        ValueError: If a block of a type is not an exterior power, a size is not positive, or `norm` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Grid
        >>> from gaugenet.models import CliffordResNet
        >>> network = CliffordResNet("4x0 + 4x1", "1x0 + 1x1", group="O(2)", channels=4, blocks=1)
        >>> network(torch.rand(1, 12, 16, 16), Grid((16, 16))).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        in_type: FieldType | str,
        out_type: FieldType | str,
        *,
        group: StructureGroup | str | None = None,
        channels: int = 48,
        blocks: int = 8,
        rings: int = 4,
        complete: bool = True,
        product: bool = True,
        norm: str = "points",
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = field_types(in_type, out_type, group)
        self.config: dict[str, Any] = {
            "in_type": str(self.in_type),
            "out_type": str(self.out_type),
            "group": self.in_type.group.name,
            "channels": channels,
            "blocks": blocks,
            "rings": rings,
            "complete": complete,
            "product": product,
            "norm": norm,
        }
        hidden = multivector(self.in_type.group, multiplicity=positive("channels", channels))
        kernel = Clifford(rings, complete)
        self.embed = GaugeConv(self.in_type, hidden, kernel=kernel)
        self.blocks = nn.ModuleList(
            CliffordBlock(hidden, kernel, product=product, norm=norm) for _ in range(positive("blocks", blocks))
        )
        self.head = CliffordHead(hidden, self.out_type, product=product, norm=norm)

    def forward(self, x: Float[Tensor, "points in *spatial"], domain: Domain) -> Float[Tensor, "points out *spatial"]:
        x = self.embed(x, domain)
        for block in self.blocks:
            x = block(x, domain)
        out: Tensor = self.head(x, domain)
        return out


def field_types(
    in_type: FieldType | str, out_type: FieldType | str, group: StructureGroup | str | None
) -> tuple[FieldType, FieldType]:
    """Return both types, of one group.

    Raises:
        ValueError: If a specification is given without a group.
    """
    found = next((t.group for t in (in_type, out_type) if isinstance(t, FieldType)), None)
    structure = group_from_name(group) if isinstance(group, str) else group or found
    if structure is None:
        raise ValueError(f"Expected `group` with the specification {in_type!r}: pass `group`, or field types.")
    types = [t if isinstance(t, FieldType) else FieldType(structure, t) for t in (in_type, out_type)]
    return types[0], types[1]


__all__ = ["CliffordBlock", "CliffordHead", "CliffordResNet", "field_types"]
