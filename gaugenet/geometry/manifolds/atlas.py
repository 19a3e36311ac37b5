"""Manifolds from several charts with transition maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gaugenet.geometry.manifolds._numbers import batched
from gaugenet.geometry.manifolds.geodesics import jacobian
from gaugenet.geometry.manifolds.manifold import Manifold, refuse_points
from gaugenet.geometry.manifolds.numeric import FromMetric

Metric = Callable[[Tensor], Tensor]
Transition = Callable[[Tensor], Tensor]


class Atlas(Manifold):
    """Charts with metrics, glued by transition maps; see `from_charts`."""

    def __init__(
        self, metrics: Sequence[Metric], transitions: Mapping[tuple[int, int], Transition], dim: int, **known: Any
    ) -> None:
        steps = known.pop("steps", 6)
        self.charts = [FromMetric(g, dim, steps=steps) for g in metrics]
        self.transitions = {key: batched(f) for key, f in transitions.items()}
        self.dim = dim
        for name in ("injectivity_radius", "is_orientable", "euler_characteristic"):
            if name in known:
                setattr(self, name, known.pop(name))
        if known:
            raise TypeError(f"Unknown arguments {sorted(known)}.")

    @property
    def ambient_dim(self) -> int:
        return self.dim + 1

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return self._at_p(p, q, torch.zeros_like(q), lambda chart, a, b, _: chart.log(a, b))

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        return self._at_p(p, q, v, lambda chart, a, b, w: chart.transport(a, b, w))

    def log_and_transport(self, p: Tensor, q: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return both from one geodesic, see `Manifold.log_and_transport`; infinite where no geodesic is found."""

        def both(chart: FromMetric, a: Tensor, b: Tensor, w: Tensor) -> Tensor:
            v, moved = chart.log_and_transport(a, b, w)
            return torch.cat([v.unsqueeze(-1), moved], -1)

        rows = self._rows_at_p(p, q, vectors, both)
        zeros = torch.zeros_like(rows[:, :1])
        log, moved = rows[..., 0], torch.cat([zeros, rows], 1)[..., 1:]
        far = torch.isinf(log).all(-1, keepdim=True)
        return torch.cat([torch.where(far, torch.inf, zeros[..., 0]), log], -1), moved

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        products = self._at_p(p, p, u, lambda chart, a, _, w: (chart.metric(a) @ w.unsqueeze(-1)).squeeze(-1))
        return (products * v)[..., 1:].sum(-1)

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        """Return the end of the geodesic, computed in the chart of `p`, which must contain it."""
        ends = self._at_p(p, p, v, lambda chart, a, _, w: chart.exp(a, w))
        return torch.cat([p[..., :1].expand_as(ends[..., :1]), ends[..., 1:]], -1)

    def distance(self, p: Tensor, q: Tensor) -> Tensor:
        """Return the distance, infinite where no geodesic is found in the chart of p."""

        def measure(chart: FromMetric, a: Tensor, b: Tensor, _: Tensor) -> Tensor:
            v, found = chart.try_log(a, b)
            length = chart.norm(a, torch.where(found[:, None], v, torch.zeros_like(v)))
            return torch.where(found, length, torch.inf)[:, None].expand(-1, self.dim)

        return self._at_p(p, q, torch.zeros_like(q), measure)[..., 1]

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(v[..., :1]), v[..., 1:]], -1)

    def check_points(self, p: Tensor) -> None:
        charts = torch.arange(len(self.charts), dtype=p.dtype)
        refuse_points(self, p, ~torch.isin(p[:, 0], charts), f"the number of a chart, 0 to {len(charts) - 1}, first")

    def gap(self, p: Tensor, q: Tensor) -> Tensor:
        difference = self._at_p(p, q, torch.zeros_like(q), lambda _, a, b, __: a - b)
        return difference.abs().amax(-1)

    def _at_p(self, p: Tensor, q: Tensor, v: Tensor, f: Callable[..., Tensor]) -> Tensor:
        """Return rows (0, `f(chart, p, q, v)`) with all arguments in the chart of p."""
        p, q, v = torch.broadcast_tensors(p, q, v)
        a, b, w = (x.reshape(-1, self.dim + 1) for x in (p, q, v))
        result = self._rows_at_p(a, b, w, f)
        return torch.cat([torch.zeros_like(result[:, :1]), result], -1).reshape(p.shape)

    def _rows_at_p(self, p: Tensor, q: Tensor, v: Tensor, f: Callable[..., Tensor]) -> Tensor:
        """Return `f(chart, p, q, v)` of all rows, with the arguments in the chart of p."""
        index, values = [], []
        for k, a, b, w, where in self._pairs(p, q, v):
            index.append(where)
            values.append(f(self.charts[k], a, b, w))
        return torch.cat(values)[torch.argsort(torch.cat(index))]

    def _pairs(self, p: Tensor, q: Tensor, v: Tensor) -> Iterator[tuple[int, Tensor, Tensor, Tensor, Tensor]]:
        """Yield rows by the charts of p and q, with q and v transformed to the chart of p, and their positions.

        Rows of v are vectors `(B, D)` or matrices of vectors `(B, D, k)`.
        """
        here, there = p[:, 0].round().long(), q[:, 0].round().long()
        for i, j in sorted({*zip(here.tolist(), there.tolist(), strict=True)}):
            where = ((here == i) & (there == j)).nonzero()[:, 0]
            a, b, w = (x[where, 1:] for x in (p, q, v))
            if i != j:
                if (j, i) not in self.transitions:
                    raise ValueError(
                        f"Expected a transition from chart {j} to chart {i}, got {sorted(self.transitions)}."
                    )
                b, slopes = jacobian(self.transitions[j, i], b)
                w = slopes @ w if w.dim() == 3 else (slopes @ w.unsqueeze(-1)).squeeze(-1)
            yield i, a, b, w, where

    def __repr__(self) -> str:
        return f"from_charts({len(self.charts)} charts, dim={self.dim})"


def from_charts(
    metrics: Sequence[Metric], transitions: Mapping[tuple[int, int], Transition], *, dim: int, **known: Any
) -> Manifold:
    """Return an atlas: points are rows (chart, x_1, ..., x_dim), tangent vectors rows (0, v_1, ..., v_dim).

    Pairs of points are computed in the chart of the base point, which must contain both points and the geodesic between
    them. So neighbourhoods must be smaller than the overlaps of the charts.

    Args:
        metrics: the metric of each chart, a function from one point `(dim,)` to a matrix `(dim, dim)`.
        transitions: for `(i, j)` the map of one point from chart i to chart j. Maps may reverse orientation; then the
            transporters do so too.
        dim: number of coordinates of a chart.
        **known: see `gaugenet.geometry.manifolds.numeric.ChartManifold`.

    Raises:
        TypeError: If there are unknown options.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import from_charts
        >>> flat = lambda p: torch.eye(1, dtype=p.dtype)
        >>> around = {(0, 1): lambda x: x - 1.0, (1, 0): lambda x: x + 1.0}
        >>> line = from_charts([flat, flat], around, dim=1)
        >>> p, q = torch.tensor([[0.0, 1.2], [1.0, 0.4]], dtype=torch.float64)
        >>> round(float(line.distance(p, q)), 6)  # q is the point 1.4 of chart 0
        0.2
    """
    return Atlas(metrics, transitions, dim, **known)


__all__ = ["from_charts"]
