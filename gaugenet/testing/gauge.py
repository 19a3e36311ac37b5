"""assert_gauge_equivariant: test that a layer does not depend on the frames in which features are given."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.groups import FieldType, StructureGroup

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest relative error of an exactly equivariant layer, by the precision of its features."""

_CONTROL = 1e-3
"""Smallest relative error that the negative control must show."""


class FramedDomain(Protocol):
    """A space whose frames can be changed, e.g. a `GaugeGraph`."""

    log_map: Tensor

    @property
    def num_nodes(self) -> int | None:
        """Number of points."""
        ...

    def gauge_transform(self, g: Float[Tensor, "points d d"]) -> Any:
        """Return the same space with frames that are changed by g."""
        ...


@dataclass(frozen=True)
class GaugeReport:
    """The change of a layer's output under gauge transformations, relative to its largest entry.

    Attributes:
        error: change under random elements of the structure group; rounding errors for an equivariant layer.
        control: change under elements outside the group; `None` without the negative control.
        tolerance: largest allowed `error`.
        worst_point: row of the output with the largest error.
        worst_field: the block of the output type with the largest error, e.g. `"8x1"`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> from gaugenet.testing import assert_gauge_equivariant
        >>> layer = GaugeConv(FieldType(SO2(), "2x0"), FieldType(SO2(), "2x1"))
        >>> graph = PointCloud(torch.rand(50, 2)).gauge_graph(SO2(), neighbors=10)
        >>> report = assert_gauge_equivariant(layer, graph)
        >>> report.tolerance, report.worst_field
        (1e-05, '2x1')
    """

    error: float
    control: float | None
    tolerance: float
    worst_point: int
    worst_field: str


def assert_gauge_equivariant(
    module: nn.Module,
    domain: FramedDomain,
    *,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    x: Float[Tensor, "vertices in"] | None = None,
    seed: int = 0,
    atol: float | None = None,
    control: bool = True,
) -> GaugeReport:
    """Test `module(rho_in(g) x, g domain) = rho_out(g) module(x, domain)` for an independent random g at every point.

    This is the definition of gauge equivariance :cite:`cohen2019gauge`, tested up to rounding errors.

    Args:
        module: called as `module(x, domain)`, or as `module(x)` if its `forward` takes one argument.
        domain: a space with `num_nodes` and `gauge_transform(g)`, e.g. a `GaugeGraph`.
        in_type: field type of `x`; by default `module.in_type`.
        out_type: field type of the output; by default `module.out_type`. The output of a module without `out_type`
            must be invariant.
        x: features; by default standard normal in the precision of the module's weights (of the domain if it has none).
        seed: of features, group elements, and of the module's own randomness, so that dropout draws one mask.
        atol: largest relative error; by default from the precision of `x` (see `TOLERANCE`).
        control: also require that elements *outside* the group change the result (reflections for SO(2), rotations
            for finite groups, shears for O(2)), so that a layer with constant output does not pass. Use `False` for
            layers that are equivariant under more than their group, such as norms.

    Returns:
        The measured errors.

    Raises:
        AssertionError: If the layer depends on the gauge (the message says by how much, where, and in which field), its
            output is not finite, or elements outside the group change nothing.
        ValueError: If `in_type` is neither given nor an attribute of the module.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> from gaugenet.testing import assert_gauge_equivariant
        >>> layer = GaugeConv(FieldType(SO2(), "2x0"), FieldType(SO2(), "2x1"))
        >>> graph = PointCloud(torch.rand(50, 2)).gauge_graph(SO2(), neighbors=10)
        >>> report = assert_gauge_equivariant(layer, graph)
        >>> report.error < 1e-5, report.control > 0.1  # rotations, and reflections as the negative control
        (True, True)
    """
    in_type = in_type or getattr(module, "in_type", None)
    out_type = out_type or getattr(module, "out_type", None)
    if in_type is None:
        raise ValueError(f"Expected `in_type`: {type(module).__name__} has no attribute of that name.")
    generator, num_points = torch.Generator().manual_seed(seed), domain.num_nodes or 0
    if x is None:
        x = torch.randn(num_points, in_type.size, generator=generator, dtype=_precision(module, domain))
    trial = _Trial(module, domain, in_type, out_type, x, seed)
    tolerance = TOLERANCE[x.dtype] if atol is None else atol
    group = in_type.group if out_type is None else out_type.group  # the group of the output may be smaller
    g = group.random_element(num_points, generator=generator)
    difference = trial.difference(g)
    error, point, field = trial.largest(difference)
    outside = None
    if control:
        outside = trial.largest(trial.difference(outside_elements(group, num_points, generator)))[0]
    if not error <= tolerance:
        raise AssertionError(
            f"{type(module).__name__} depends on the gauge: under random elements of {group.name} its output moves by "
            f"{error:.1e} relative to its largest entry (allowed: {tolerance:.0e}), most at point {point} in {field}. "
            "Look for biases or pointwise functions on nontrivial components, and for types that the weights ignore."
        )
    if outside is not None and not outside > _CONTROL:
        raise AssertionError(
            f"The negative control found nothing: under elements outside of {group.name} the output of "
            f"{type(module).__name__} moves by {outside:.1e} only. Either it is equivariant under a larger group "
            "(then pass `control=False`), or its output does not depend on the input."
        )
    return GaugeReport(error, outside, tolerance, point, field)


@dataclass(frozen=True)
class _Trial:
    module: nn.Module
    domain: FramedDomain
    in_type: FieldType
    out_type: FieldType | None
    x: Tensor
    seed: int

    def run(self, x: Tensor, domain: FramedDomain) -> Tensor:
        arguments = (x, domain) if _takes_domain(self.module) else (x,)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return typed_tensor(self.module(*arguments))

    def difference(self, g: Tensor) -> Tensor:
        """Return the error relative to the largest entry."""
        expected = self.run(self.x, self.domain)
        if not bool(expected.isfinite().all()):
            raise AssertionError(f"The output of {type(self.module).__name__} is not finite.")
        if self.out_type is not None and not self.out_type.is_invariant:
            expected = self.out_type.transform(g, expected)
        got = self.run(self.in_type.transform(g, self.x), self.domain.gauge_transform(g))
        scale = expected.abs().amax() if expected.numel() else expected.new_ones(())
        return (got - expected).abs().double() / scale.double().clamp(min=1e-30)

    def largest(self, difference: Tensor) -> tuple[float, int, str]:
        """Return the largest entry, its point and its field."""
        if difference.numel() == 0:
            return 0.0, -1, "nothing: the output is empty"
        error = difference.max().item()
        point, channel = (*map(int, torch.unravel_index(difference.argmax(), difference.shape)), 0)[:2]
        blocks = self.out_type.blocks if self.out_type is not None else ()
        names = [f"{b.multiplicity}x{b.representation.name}" for b in blocks if b.start <= channel < b.stop]
        return error, point, names[0] if names else f"channel {channel}"


def outside_elements(
    group: StructureGroup, size: int, generator: torch.Generator | None = None
) -> Float[Tensor, "size d d"]:
    """Return random matrices outside a group: rotations unless it contains all, else reflections, else shears."""
    d = group.d
    rotations = torch.linalg.qr(torch.randn(size, d, d, generator=generator, dtype=torch.float64)).Q
    rotations[..., 0] *= torch.linalg.det(rotations).sign()[:, None]
    mirror, shear = torch.eye(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64)
    mirror[-1, -1] = -1
    shear[0] = torch.linspace(1.5, 0.5, d)
    for g in (rotations, rotations @ mirror, rotations @ shear):
        # A random rotation may be in a finite group by chance, but most are not.
        if int(group.contains(g).sum()) * 2 <= size:
            return typed_tensor(g)
    raise ValueError(f"Expected a group of orthogonal matrices, got {group.name}: pass `control=False`.")


def _takes_domain(module: nn.Module) -> bool:
    parameters = inspect.signature(module.forward).parameters.values()
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


def _precision(module: nn.Module, domain: FramedDomain) -> torch.dtype:
    return next((p.dtype for p in module.parameters()), domain.log_map.dtype)


__all__ = ["GaugeReport", "assert_gauge_equivariant", "outside_elements"]
