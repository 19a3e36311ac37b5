"""FourierNonlinearity: fields as Fourier coefficients of functions on a circle, a sphere or the rotations of space."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet.groups import FieldType, Representation
from gaugenet.groups.families.so3 import determinant
from gaugenet.groups.representations.spherical import harmonics_up_to, wigner
from gaugenet.nn.nonlinearity import activation_function
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule

_SAMPLES = {"circle": 21, "sphere": 18, "rotations": 8}
"""Default number of points along a great circle."""

_LEBEDEV = (
    3,
    5,
    7,
    9,
    11,
    15,
    17,
    19,
    21,
    23,
    29,
    31,
    35,
    41,
    47,
    53,
    59,
    65,
    71,
    77,
    83,
    89,
    95,
    101,
    107,
    113,
    119,
    125,
    131,
)
"""Degrees of Lebedev's rules with positive weights."""


class FourierNonlinearity(TableModule):
    r"""A pointwise function in the space of functions whose Fourier coefficients are the fields.

    The Fourier series is evaluated at samples, the pointwise function is applied to these values, and the result is
    projected back (:cite:`dehaan2021gauge` on the circle, :cite:`cohen2018spherical` on the sphere and the rotations).
    A gauge transformation rotates the function. The domain of the function follows from the type:

    - circle, groups acting on R^2: orders 0 ... M with equal multiplicity, f(t) = sum_m a_m cos(m t) + b_m sin(m t);
    - sphere, groups acting on R^3: orders 0 ... L of natural parity with equal multiplicity, f(v) = sum_l x_l . Y_l(v);
    - rotations, groups acting on R^3: orders 0 ... L (even ones of O(3)) with multiplicity m (2 l + 1),
      f(R) = sum_l <D^l(R), x_l> / sqrt(2 l + 1), as `m` regular fields of SO(3) would be.

    Shapes:
        x: `(N, field_type.size)` or `(B, field_type.size, *spatial)` -> the same.

    Equivariance: approximate, because a pointwise function creates frequencies that `samples` points alias. Exact for
    a finite group that permutes the samples: on the circle if its number of rotations divides `samples`, on the sphere
    for the octahedral group and its subgroups. RMS error relative to the output, orders 0 to 2, normal coefficients of
    deviation s (benchmarks/nonlinearity.py):

    ========================  =====  =====  =====  =====  =====  =====
    **circle, samples**           5      7     15     21     31     61
    ========================  =====  =====  =====  =====  =====  =====
    GELU, s = 0.2              2e-1   8e-3   4e-6   2e-8  7e-13      0
    GELU, s = 1                3e-1   9e-2   5e-3   7e-4   3e-5   1e-9
    GELU, s = 10               3e-1   9e-2   2e-2   9e-3   4e-3   9e-4
    ReLU, any s                3e-1   9e-2   2e-2   8e-3   4e-3   9e-4
    **sphere, samples**           5      8     12     18     22     30
    GELU, s = 0.2              1e-1   4e-3   6e-5   1e-7  8e-10  5e-13
    GELU, s = 1                2e-1   5e-2   1e-2   9e-4   2e-4   1e-5
    GELU, s = 10               2e-1   6e-2   2e-2   8e-3   5e-3   2e-3
    ReLU, any s                2e-1   6e-2   2e-2   8e-3   5e-3   2e-3
    **rotations, samples**        5      8     10     12     16     18
    GELU, s = 0.2              1e-1   2e-3   2e-4   2e-5   1e-7   9e-9
    GELU, s = 1                2e-1   3e-2   1e-2   4e-3   6e-4   2e-4
    GELU, s = 10               2e-1   5e-2   2e-2   1e-2   6e-3   4e-3
    ReLU, any s                2e-1   5e-2   2e-2   1e-2   6e-3   4e-3
    ========================  =====  =====  =====  =====  =====  =====

    So normalize the features first, or take more samples. `GatedNonlinearity` is exact.

    Args:
        field_type: one of the types above, with ascending orders, each once.
        activation: `gelu`, `relu`, `silu`, `elu` or `tanh`; smooth functions alias much less.
        samples: number n of points along a great circle, at least 2 M + 1 (2 L + 1). Products of two functions of
            degree at most (n - 1) / 2 are projected without error. In all, n angles on the circle, about n^2 / 3
            points on the sphere (Lebedev's rule), n^3 / 3 rotations. Default: 21, 18, 8.

    Raises:
        ValueError: If the type is another one, or there are too few samples.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import FourierNonlinearity
        >>> fields = FieldType(SO2(), "4x0 + 4x1 + 4x2")
        >>> FourierNonlinearity(fields, samples=31)(torch.rand(10, fields.size)).shape
        torch.Size([10, 20])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        activation: str = "gelu",
        samples: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.space = _space(field_type)
        self.samples = _SAMPLES[self.space] if samples is None else samples
        needed = 2 * len(field_type.blocks) - 1
        if self.samples < needed:
            raise ValueError(f"Expected at least {needed} samples for {field_type}, got {samples}.")
        self.in_type = self.out_type = field_type
        self.activation = activation
        self._function = activation_function(activation)
        self._synthesis: Tensor
        self._analysis: Tensor
        synthesis, analysis = _transforms(self.space, len(field_type.blocks) - 1, self.samples)
        self.add_table("_synthesis", synthesis, device=device, dtype=dtype)
        self.add_table("_analysis", analysis, device=device, dtype=dtype)

    def forward(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points size *spatial"]:
        check_features(self, x)
        coefficients = x.unflatten(1, (self._synthesis.shape[1], -1)).flatten(2)
        values = self._function(self._synthesis @ coefficients)
        return (self._analysis @ values).reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.in_type}, activation={self.activation}, space={self.space}, samples={self.samples}"


@cached
def _transforms(
    space: str, max_order: int, samples: int
) -> tuple[Float[Tensor, "samples coefficients"], Float[Tensor, "coefficients samples"]]:
    """Return the maps coefficients -> values and, by quadrature, values -> coefficients, in float64."""
    make = {"circle": _circle, "sphere": _sphere, "rotations": _rotations}[space]
    synthesis, weight = make(max_order, samples)
    analysis = synthesis.T * weight
    # The columns are orthogonal as functions, and so under the quadrature.
    return synthesis, analysis / (analysis @ synthesis).diagonal()[:, None]


def _circle(max_order: int, samples: int) -> tuple[Tensor, Tensor]:
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    rows = [torch.ones_like(angle)]
    for m in range(1, max_order + 1):
        rows += [torch.cos(m * angle), torch.sin(m * angle)]
    return torch.stack(rows, 1), torch.full_like(angle, 1 / samples)


def _sphere(max_order: int, samples: int) -> tuple[Tensor, Tensor]:
    points, weight = _lebedev(samples - 1)
    return torch.cat(harmonics_up_to(points, max_order), 1), weight


def _rotations(max_order: int, samples: int) -> tuple[Tensor, Tensor]:
    """Return maps for rotations F(v) R_z(angle), F(v) takes the z axis to v: Lebedev's rule for v, equal angles."""
    points, weight = _lebedev(samples - 1)
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    c, s, o = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    about_z = torch.stack([c, -s, o, s, c, o, o, o, o + 1], 1).view(-1, 3, 3)
    g = (_to_pole(points).mT[:, None] @ about_z).flatten(0, 1)
    rows = [wigner(g, l).flatten(1) / math.sqrt(2 * l + 1) for l in range(max_order + 1)]
    return torch.cat(rows, 1), weight.repeat_interleave(samples) / samples


def _lebedev(degree: int) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "points"]]:
    """Return points on the sphere and weights of sum 1 that integrate polynomials up to the degree exactly."""
    from scipy.integrate import lebedev_rule

    enough = [d for d in _LEBEDEV if d >= degree]
    if not enough:
        raise ValueError(f"Expected at most {_LEBEDEV[-1] + 1} samples, got {degree + 1}.")
    points, weight = lebedev_rule(enough[0])
    return torch.from_numpy(points.T.copy()), torch.from_numpy(weight / weight.sum())


def _to_pole(v: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3 3"]:
    """Return a rotation whose third row is v."""
    helper = torch.eye(3, dtype=v.dtype)[v.abs().argmin(1)]
    x = torch.nn.functional.normalize(torch.linalg.cross(helper, v), dim=1)
    return torch.stack([x, torch.linalg.cross(v, x), v], 1)


def _space(field_type: FieldType) -> str:
    counts = [b.multiplicity for b in field_type.blocks]
    irreps = [b.representation for b in field_type.blocks]
    if counts and len(set(counts)) == 1:
        if field_type.group.d == 2 and all(_is_circular(rho, m) for m, rho in enumerate(irreps)):
            return "circle"
        if field_type.group.d == 3 and all(_is_wigner(rho, l) for l, rho in enumerate(irreps)):
            return "sphere"
    regular = field_type.group.d == 3 and counts == [counts[0] * (2 * l + 1) for l in range(len(counts))]
    if counts and regular and all(_is_wigner(rho, l, even=True) for l, rho in enumerate(irreps)):
        return "rotations"
    raise ValueError(
        f"Expected orders 0, 1, ..., M with equal multiplicities (or m, 3 m, 5 m, ... in space), got {field_type} of "
        f"{field_type.group.name}: use `GatedNonlinearity` for other types."
    )


def _is_circular(rho: Representation, m: int) -> bool:
    """Return whether rho acts on the coefficients of cos(m t), sin(m t) as a shift or reflection of the circle does."""
    return rho.is_trivial if m == 0 else rho.order == m and rho.dim == 2


def _is_wigner(rho: Representation, order: int, *, even: bool = False) -> bool:
    """Return whether rho is D^l, the irrep of natural (or even) parity, tested at a few elements of the group."""
    if rho.dim != 2 * order + 1:
        return False
    g = rho.group.random_element(4, generator=torch.Generator().manual_seed(0))
    expected = wigner(g * determinant(g)[:, None, None] if even else g, order)
    return bool((rho(g) - expected).abs().max() < 1e-9)
