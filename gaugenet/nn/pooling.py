"""Pooling and unpooling along the levels of a hierarchy, with transport between frames."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.engines import engine_for
from gaugenet.nn.precision import check_features


class _Transfer(nn.Module):
    """out(p) = sum over edges q -> p of w_e rho(transporter_e) x(q), from one level to the next."""

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type

    def extra_repr(self) -> str:
        return str(self.in_type)


class Pool(_Transfer):
    """Area-weighted mean of the transported features around each point of the next coarser level.

    Shapes:
        x: features on level `level - 1` -> features on `level` of the graph; on an `Icosphere`, features of that
        icosphere -> of `icosphere.coarser()`, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: features of another size or level.
    """

    def forward(self, x: Float[Tensor, "fine size"], domain: Domain, *, level: int = 1) -> Float[Tensor, "coarse size"]:
        """`domain` is the whole hierarchy."""
        check_features(self, x)
        return engine_for(domain).pool(self.in_type, x, domain, level)


class Unpool(_Transfer):
    """Interpolation of the transported features of the coarser points around each point of the next finer level.

    Shapes:
        x: features on level `level` -> features on `level - 1` of the graph; on an `Icosphere`, features of
        `icosphere.coarser()` -> of that icosphere, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: features of another size or level.
    """

    def forward(self, x: Float[Tensor, "coarse size"], domain: Domain, *, level: int = 1) -> Float[Tensor, "fine size"]:
        """`domain` is the whole hierarchy."""
        check_features(self, x)
        return engine_for(domain).unpool(self.in_type, x, domain, level)
