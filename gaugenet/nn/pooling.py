"""Pooling and unpooling along the levels of a hierarchy, with transport between frames."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.nn.engines import engine_for
from gaugenet.nn.precision import check_features


class _Transfer(nn.Module):
    """A transfer from one level to another: out(p) = sum over edges q -> p of w_e rho(transporter_e) x(q)."""

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = self.out_type = field_type

    def extra_repr(self) -> str:
        return str(self.in_type)


class Pool(_Transfer):
    """The area-weighted mean of the transported features around each point of the next coarser level.

    Shapes:
        x: features on level `level - 1` -> features on `level` of the graph; on an `Icosphere`, its features ->
            features of `icosphere.coarser()`, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: If the features have another size or belong to another level.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import Pool
        >>> Pool(FieldType(Cyclic(6), "1xregular"))(torch.rand(162, 6), Icosphere(2)).shape
        torch.Size([42, 6])
    """

    def forward(self, x: Float[Tensor, "fine size"], domain: Domain, *, level: int = 1) -> Float[Tensor, "coarse size"]:
        """Return the features on the other level; `domain` is the whole hierarchy."""
        check_features(self, x)
        return engine_for(domain).pool(self.in_type, x, domain, level)


class Unpool(_Transfer):
    """The interpolation of the transported features of coarser points at each point of the next finer level.

    Shapes:
        x: features on level `level` -> features on `level - 1` of the graph; on an `Icosphere`, features of
            `icosphere.coarser()` -> features of the icosphere, in the same layout.

    Equivariance: exact; 3e-7 relative in float32.

    Raises:
        ValueError: If the features have another size or belong to another level.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import Unpool
        >>> Unpool(FieldType(Cyclic(6), "1xregular"))(torch.rand(42, 6), Icosphere(2)).shape
        torch.Size([162, 6])
    """

    def forward(self, x: Float[Tensor, "coarse size"], domain: Domain, *, level: int = 1) -> Float[Tensor, "fine size"]:
        """Return the features on the other level; `domain` is the whole hierarchy."""
        check_features(self, x)
        return engine_for(domain).unpool(self.in_type, x, domain, level)
