"""CliffordResNet: a residual network of convolutions between multivector fields."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType, StructureGroup, group_from_name, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import EquivariantLinear, GaugeConv, GeometricProduct, InvariantGate, MultivectorNorm


class CliffordBlock(nn.Module):
    """A residual block x + conv(gate(norm(conv(gate(norm(x)))))), with a product instead of the second gate if asked.

    Shapes:
        x: fields of type `field_type` on the domain -> the same.

    Args:
        field_type: a type of multivectors.
        kernel: family of the kernels.
        product: use a `GeometricProduct` instead of the second gate.
    """

    def __init__(self, field_type: FieldType, kernel: Clifford, *, product: bool = False) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type
        self.first = nn.Sequential(MultivectorNorm(field_type), InvariantGate(field_type))
        self.first_conv = GaugeConv(field_type, field_type, kernel=kernel)
        middle = GeometricProduct(field_type) if product else InvariantGate(field_type)
        self.second = nn.Sequential(MultivectorNorm(field_type), middle)
        self.second_conv = GaugeConv(field_type, field_type, kernel=kernel)

    def forward(self, x: Float[Tensor, "points size *spatial"], domain: Domain) -> Tensor:
        y = self.first_conv(self.first(x), domain)
        out: Tensor = x + self.second_conv(self.second(y), domain)
        return out


class CliffordResNet(nn.Module):
    """A residual network for multivector fields on any domain: by default 8 blocks of 2 convolutions.

    The architecture of :cite:`zhdanov2024clifford` with complete kernels: a linear map at each point, residual blocks,
    a linear map. Time steps are either channels (4 frames of velocity are 4 vectors) or an axis of a grid with a
    `signature`.

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
        product: use geometric products in the blocks.

    The arguments are stored as `config`: `CliffordResNet(**model.config)` is the same network.

    Raises:
        ValueError: If a block of a type is not an exterior power, or a size is not positive.

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
        product: bool = False,
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
        }
        hidden = multivector(self.in_type.group, multiplicity=positive("channels", channels))
        kernel = Clifford(rings, complete)
        self.embed = GaugeConv(self.in_type, hidden, kernel=kernel)
        self.blocks = nn.ModuleList(
            CliffordBlock(hidden, kernel, product=product) for _ in range(positive("blocks", blocks))
        )
        self.norm = MultivectorNorm(hidden)
        self.gate = InvariantGate(hidden)
        self.read = EquivariantLinear(hidden, self.out_type)

    def forward(self, x: Float[Tensor, "points in *spatial"], domain: Domain) -> Float[Tensor, "points out *spatial"]:
        x = self.embed(x, domain)
        for block in self.blocks:
            x = block(x, domain)
        out: Tensor = self.read(self.gate(self.norm(x)))
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


__all__ = ["CliffordBlock", "CliffordResNet", "field_types"]
