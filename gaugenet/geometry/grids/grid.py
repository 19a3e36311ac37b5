"""Grid: pixels and voxels as a domain of convolutions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry._signature import preserves
from gaugenet.geometry.domain import single_sample
from gaugenet.geometry.grids.stencil import BallStencil, Boundary, Sliding, centred_indices, frame_coordinates, mirror
from gaugenet.groups import StructureGroup, Trivial
from gaugenet.groups.group import check_group

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

AxisLengths = float | Sequence[float]
Counts = int | Sequence[int]


@dataclass(frozen=True)
class Grid:
    r"""A flat box of pixels with parallel frames, in 1 to 4 dimensions.

    Features are `(B, size, *shape)`. Frame axes: **x along the last array axis, y against the second last** (up, as
    rows run downwards), z along the third last. So `torch.rot90(image, 1, (-2, -1))` rotates space counter-clockwise
    by 90 degrees: a field x becomes `rho(R) torch.rot90(x, 1, (-2, -1))` with R = [[0, -1], [1, 0]].

    The neighbours of a point are the pixels within `radius`, which may be given by `kernel_size`. Their weights are
    their volumes divided by the volume of the neighbourhood, as on meshes, so learned weights have the same meaning on
    grids of any spacing.

    Beyond the border, features are 0 (`zeros`), continue at the other side (`periodic`), or are reflected at the
    outermost pixels (`reflect`). A reflection s transforms features by rho(s), so it must lie in the structure group
    unless all fields are scalars. All three boundaries keep the symmetries of the box exactly.

    Args:
        shape: number of pixels along each array axis.
        spacing: distance of neighbouring pixels, one length or one for each array axis.
        boundary: `zeros`, `reflect` or `periodic`.
        group: structure group of `gauge_graph()`, by default trivial. Fields of this and of larger groups can be used.
        kernel_size: odd number of pixels along each axis of the window of neighbours. The radius is half of it, in
            pixels: the largest ball in the window. Default 5.
        radius: geodesic radius of the neighbourhoods, a length in the units of `spacing`, which determines the window;
            with `kernel_size`, the ball is cut off by the window.
        dilation: use every `dilation`-th pixel of a window that is larger by this factor.
        stride: the output has one pixel for `stride` pixels, those of `strided(stride)`. They lie symmetrically about
            the middle, so the symmetries of the box are kept: with stride 2 and an even size half way between pixels,
            see `GridConv`. Fields of the trivial group have no symmetry to keep: every `stride`-th pixel from the
            first.
        padding: number of pixels by which neighbourhoods may reach beyond the border; the output is computed where
            they do not reach further. Default: not limited, so there is an output at every pixel.
        transposed: the transposed convolution, from the coarser grid, where the output of a convolution lies, to this
            grid. It keeps the same symmetries.
        signature: (p, q): the metric is +1 on the first p frame axes and -1 on the other q, in the units of length
            given by `spacing`. With (2, 1), x and y are positive, and time, the third frame axis, is the *first* array
            axis, `(time, rows, columns)`. With (1, 2), time, the first frame axis, is the *last* array axis. Fields
            must belong to a group that preserves the metric. The window is a Euclidean ball in all cases. Default: no
            metric is checked.

    Raises:
        ValueError: If an option is not valid, or the window does not fit into the box.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Grid
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> scalars, vectors = FieldType(Cyclic(4), "1x0"), FieldType(Cyclic(4), "2x1")
        >>> GaugeConv(scalars, vectors)(torch.rand(1, 1, 32, 32), Grid((32, 32), kernel_size=5)).shape
        torch.Size([1, 4, 32, 32])
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    boundary: Boundary
    group: StructureGroup
    kernel_size: tuple[int, ...]
    radius: float
    dilation: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    transposed: bool
    signature: tuple[int, int] | None
    sliding: Sliding = dataclasses.field(repr=False, compare=False)
    """How the window moves over the array."""

    def __init__(
        self,
        shape: Sequence[int],
        spacing: AxisLengths = 1.0,
        boundary: str = "zeros",
        group: StructureGroup | None = None,
        *,
        kernel_size: Counts | None = None,
        radius: float | None = None,
        dilation: Counts = 1,
        stride: Counts = 1,
        padding: Counts | None = None,
        transposed: bool = False,
        signature: tuple[int, int] | None = None,
    ) -> None:
        shape = tuple(int(n) for n in shape)
        d = len(shape)
        if d not in (1, 2, 3, 4) or min(shape) < 1:
            raise ValueError(f"Expected `shape` of 1 to 4 positive sizes, got {shape}.")
        check_boundary(boundary)
        step = _axis_lengths("spacing", spacing, d)
        dilation = counts("dilation", dilation, d)
        sizes, support_radius = _neighbourhood(kernel_size, radius, tuple(h * n for h, n in zip(step, dilation)))
        values = {
            "shape": shape,
            "spacing": step,
            "boundary": cast(Boundary, boundary),
            "group": Trivial(d) if group is None else group,
            "kernel_size": sizes,
            "radius": support_radius,
            "dilation": dilation,
            "stride": counts("stride", stride, d),
            "padding": half_widths(sizes, dilation) if padding is None else counts("padding", padding, d, least=0),
            "transposed": bool(transposed),
            "signature": None if signature is None else _checked_signature(signature, d),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "sliding", self._sliding())
        self._check()

    def _check(self) -> None:
        check_group(self.group)
        if self.group.d != self.d:
            raise ValueError(f"Expected a group acting on R^{self.d}, got {self.group.name} on R^{self.group.d}.")
        self.check_metric(self.group)
        if self.transposed and self.d > 3:
            raise ValueError("Expected at most 3 dimensions for a transposed convolution, got 4.")
        if self.transposed and self.boundary != "zeros":
            raise ValueError(f"Expected boundary='zeros' for a transposed convolution, got {self.boundary!r}.")
        check_padding(self.shape, self.padding, self.boundary)
        if min(self.sliding.coarse(self.shape)) < 1:
            raise ValueError(
                f"A window of {self.kernel_size} pixels (dilation {self.dilation}) does not fit into {self.shape} "
                f"pixels with padding {self.padding}: use a smaller kernel or more padding."
            )

    def check_metric(self, group: StructureGroup) -> None:
        """Check that a group preserves the metric of the grid, if it has a `signature`.

        Raises:
            ValueError: If an element of the group changes the metric.
        """
        if self.signature is None:
            return
        p, q = self.signature
        if not preserves(group, (1.0,) * p + (-1.0,) * q):
            raise ValueError(
                f"Expected fields of a group that preserves the metric of the grid, signature {self.signature}, got "
                f"{group.name}: use {f'`PseudoOrthogonal({p}, {q})`' if p and q else f'a subgroup of O({self.d})'}, or "
                "a grid of another signature."
            )

    # --- neighbourhoods -----------------------------------------------------------------------------------------

    @property
    def d(self) -> int:
        """Dimension of space."""
        return len(self.shape)

    @property
    def stencil(self) -> BallStencil:
        """The window of neighbours that kernels are sampled on."""
        return _stencil(self.kernel_size, tuple(h * n for h, n in zip(self.spacing, self.dilation)), self.radius)

    def _sliding(self) -> Sliding:
        forward = Sliding(self.stencil, self.stride, self.padding, self.dilation, self.boundary)
        if not self.transposed:
            return forward
        restored = forward.fine(forward.coarse(self.shape))
        missing = tuple(n - m for n, m in zip(self.shape, restored))
        return dataclasses.replace(forward, output_padding=missing)

    def replace(self, **options: Any) -> Grid:
        """Return this grid with other options, e.g. `grid.replace(kernel_size=3, stride=2)`."""
        keep = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.compare}
        if self.padding == half_widths(self.kernel_size, self.dilation):
            keep["padding"] = None
        if options.keys() & {"kernel_size", "spacing", "dilation"}:
            keep["radius"] = None
        elif "radius" in options:
            keep["kernel_size"] = None
        return Grid(**{**keep, **options})

    def strided(self, stride: Counts) -> Grid:
        """Return the coarser grid of `conv(x, self.replace(stride=stride))`, with windows of equally many pixels."""
        steps = counts("stride", stride, self.d)
        return self.replace(
            shape=self.replace(stride=steps).sliding.coarse(self.shape),
            spacing=tuple(h * s for h, s in zip(self.spacing, steps)),
            radius=self.radius * steps[0] if len(set(steps)) == 1 else None,
            stride=1,
            transposed=False,
        )

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Spatial shape of the input of a convolution."""
        return self.sliding.coarse(self.shape) if self.transposed else self.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Spatial shape of the output of a convolution."""
        return self.shape if self.transposed else self.sliding.coarse(self.shape)

    # --- points -------------------------------------------------------------------------------------------------

    @property
    def num_nodes(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def structures(self) -> frozenset[str]:
        """Name of the structure group."""
        return frozenset([self.group.name])

    def areas(self, x: Tensor) -> None:
        """Return `None`: all pixels have the same area."""
        return None

    def membership(self) -> tuple[Int[Tensor, "nodes"], int]:
        """Return the membership of the pixels: one image is one sample."""
        return single_sample(self.num_nodes)

    @cached_property
    def pos(self) -> Float[Tensor, "nodes d"]:
        """Pixel centres (x, y, z) in row-major order; the origin is the middle of the box. float64."""
        return frame_coordinates(centred_indices(self.shape), self.spacing)

    def gauge_graph(self, *, dtype: torch.dtype = torch.float64) -> GaugeGraph:
        """Return the same space as a gauge graph: points in row-major order, with `x.flatten(2)[b].T` as features.

        The transporter is the reflection along edges through a reflecting border, elsewhere the identity. `stride` and
        `padding` are ignored: there is an output at every pixel.
        """
        from gaugenet.geometry.gauge_graph import GaugeGraph

        source, target, cell, transporter = self._edges()
        if self.boundary == "reflect" and not has_mirrors(self.group):
            raise ValueError(
                f"Expected a `group` with the reflections of the axes for boundary='reflect', got {self.group.name}: "
                "pass a larger `group`."
            )
        stencil = self.stencil
        return GaugeGraph(
            edge_index=torch.stack([source, target]),
            log_map=stencil.lengths[cell].to(dtype),
            transporter=transporter.to(dtype),
            weight=stencil.weights[cell].to(dtype),
            frame=torch.eye(self.d, dtype=dtype).repeat(self.num_nodes, 1, 1),
            pos=self.pos.to(dtype),
            mass=torch.full((self.num_nodes,), math.prod(self.spacing), dtype=dtype),
            radius=torch.tensor([self.radius], dtype=dtype),
            structure=self.group.name,
        )

    def _edges(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the source, target, cell of the window and transporter of all edges, sorted by target."""
        offset = centred_indices(self.kernel_size).long() * torch.tensor(self.dilation)
        cells = self.stencil.inside.nonzero().squeeze(1)
        points = (centred_indices(self.shape) + (torch.tensor(self.shape) - 1) / 2).long()
        sizes = torch.tensor(self.shape)
        index = points[:, None] + offset[cells]  # (targets, neighbours, d)
        beyond = (index < 0) | (index >= sizes)
        keep = torch.ones(beyond.shape[:-1], dtype=torch.bool)
        transporter = torch.eye(self.d, dtype=torch.float64).expand(*keep.shape, self.d, self.d)
        if self.boundary == "zeros":
            keep = ~beyond.any(-1)
        elif self.boundary == "periodic":
            index = index % sizes
        else:
            index = torch.where(index >= sizes, 2 * (sizes - 1) - index, index.abs())
            signs = torch.where(beyond, -1.0, 1.0).double().flip(-1)  # a reflection for each border that was crossed
            transporter = torch.diag_embed(signs)
        target = torch.arange(self.num_nodes)[:, None].expand_as(keep)
        strides = torch.tensor([math.prod(self.shape[k + 1 :]) for k in range(self.d)])
        source = (index * strides).sum(-1)
        return source[keep], target[keep], cells.expand_as(keep)[keep], transporter[keep]


_stencil = lru_cache(maxsize=1024)(BallStencil)
"""One object for equal stencils: compilers compare objects."""


def _neighbourhood(
    kernel_size: Counts | None, radius: float | None, spacing: tuple[float, ...]
) -> tuple[tuple[int, ...], float]:
    """Return the window and the radius, given one of them."""
    if radius is not None and not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"Expected a positive `radius`, got {radius}.")
    if kernel_size is None and radius is not None:
        if radius < min(spacing):
            raise ValueError(f"Expected a `radius` of at least the spacing of the pixels ({spacing}), got {radius}.")
        return tuple(2 * math.floor(radius / h + 1e-9) + 1 for h in spacing), float(radius)
    sizes = odd("kernel_size", 5 if kernel_size is None else kernel_size, len(spacing))
    if radius is not None:
        return sizes, float(radius)
    if not isinstance(kernel_size, Sequence) and len(set(spacing)) > 1:
        raise ValueError(
            f"A window of {sizes[0]} pixels along each axis is not a ball with the spacing {spacing}: pass "
            "`radius`, or one `kernel_size` for each axis."
        )
    return sizes, min(k * h for k, h in zip(sizes, spacing)) / 2


def half_widths(kernel_size: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """Return how many pixels a window reaches beyond its middle."""
    return tuple(n * (k // 2) for n, k in zip(dilation, kernel_size))


def _checked_signature(signature: Sequence[int], d: int) -> tuple[int, int]:
    """Return (p, q) with p + q = d."""
    found = tuple(signature) if isinstance(signature, Sequence) else ()
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) and n >= 0 for n in found)
    if len(found) != 2 or not whole or sum(found) != d:
        raise ValueError(
            f"Expected `signature` (p, q) of non-negative numbers with p + q = {d}, the number of axes, got "
            f"{signature!r}."
        )
    return int(found[0]), int(found[1])


def check_boundary(boundary: str) -> None:
    if boundary not in get_args(Boundary):
        raise ValueError(f"Expected `boundary` to be one of {', '.join(get_args(Boundary))}, got {boundary!r}.")


def check_padding(shape: Sequence[int], padding: Sequence[int], boundary: str) -> None:
    """Raise `ValueError` if the padding is too large for the boundary of a field of this shape."""
    for n, p in zip(shape, padding, strict=True):
        if (boundary == "reflect" and p >= n) or (boundary == "periodic" and p > n):
            raise ValueError(
                f"Neighbourhoods reach {p} pixels beyond the border, too far for an axis of {n} pixels with "
                f"boundary={boundary!r}: use a smaller kernel, less padding, or `zeros`."
            )


def has_mirrors(group: StructureGroup) -> bool:
    """Return whether a group contains the reflections of all array axes."""
    return all(bool(group.contains(mirror(axis, group.d))) for axis in range(group.d))


def counts(name: str, value: Counts, d: int, *, least: int = 1) -> tuple[int, ...]:
    """Return one integer for each of d axes."""
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * d
    if len(values) != d or not all(isinstance(v, Integral) and v >= least for v in values):
        raise ValueError(f"Expected `{name}` with one whole number of at least {least}, or {d} of them, got {value!r}.")
    return tuple(int(v) for v in values)


def odd(name: str, value: Counts, d: int) -> tuple[int, ...]:
    """Return one odd positive integer for each of d axes."""
    values = counts(name, value, d)
    if any(v % 2 == 0 for v in values):
        raise ValueError(
            f"Expected an odd `{name}`, got {value}: an even window has no middle pixel, so rotations would not be "
            f"exact. Use {min(v for v in values if v % 2 == 0) + 1}."
        )
    return values


def _axis_lengths(name: str, value: AxisLengths, d: int) -> tuple[float, ...]:
    """Return one positive length for each of d axes."""
    values = [float(value)] * d if isinstance(value, (int, float)) else [float(v) for v in value]
    if len(values) != d or not all(math.isfinite(v) and v > 0 for v in values):
        raise ValueError(f"Expected `{name}` with one positive length, or {d}, got {value}.")
    return tuple(values)


__all__ = ["Boundary", "Grid"]
