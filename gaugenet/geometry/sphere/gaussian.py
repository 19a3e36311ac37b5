"""ReducedGaussian: the grids of spectral weather models, with fewer points in rows near the poles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gaugenet._validation import positive
from gaugenet.geometry.sphere.rows import Rows, RowSphere

_CLASSIC: dict[int, str] = {
    32: "20 27 36 40 45 50 60 64 72 75 80 90x2 96 100 108x2 120x3 128x12",
    48: "20 25 36 40 45 50 60x2 72 75 80 90 96 100 108 120x3 128 135 144x2 160x5 180x5 192x16",
    80: "18 25 36 40 45 54 60 64 72x2 80 90 96 100 108 120x2 128 135 144x2 150 160x2 180x3 192x2 200x2 216x3 "
    "225x2 240x3 256x4 288x9 300x4 320x24",
    128: "18 25 36 40 45 50 60 64 72x2 80 90x2 100 108 120x2 125 128 144x2 150 160x2 180x3 192x2 200 216x3 225 "
    "240x3 250x2 256 270x2 288x3 300x2 320x4 324 360x7 375x4 384x2 400x4 405 432x7 450x5 480x10 486x3 500x7 "
    "512x26",
}
"""Points on the rows from the north pole to the equator, `count x rows`: the classic grids as ECMWF defines them."""


class ReducedGaussian(RowSphere):
    """A Gaussian grid: 2 N rows at the nodes of Gauss-Legendre quadrature, from north to south.

    The areas of the cells are the Gaussian weights. Integrals of spherical harmonics are exact up to degree 4 N - 1 if
    their order is below the number of points of every row where they do not vanish.

    Args:
        name: `"O32"`, octahedral: 20, 24, 28, ... points in the rows from the pole; `"N32"`, a classic reduced grid
            (N = 32, 48, 80 or 128); `"F32"`, full: 4 N points in every row. A number N is the octahedral grid.
        counts: number of points of each row, of the northern half or of the whole globe, such as the field `pl` of a
            GRIB file. Then `name` is N.

    Raises:
        ValueError: If the name is unknown or `counts` does not fit N.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import ReducedGaussian
        >>> grid = ReducedGaussian("O32")
        >>> grid.num_nodes
        5248
        >>> abs(float(grid.integral(grid.pos[:, 2] ** 2)) - 4 * torch.pi / 3) < 1e-12
        True
    """

    def __init__(self, name: str | int, *, counts: Sequence[int] | None = None) -> None:
        from scipy.special import roots_legendre

        kind, self.n = _name(name)
        north = _counts(kind, self.n) if counts is None else _given(counts, self.n)
        self.name = f"{kind}{self.n}" if counts is None else f"N{self.n}, own counts"
        z, weight = roots_legendre(2 * self.n)
        z, weight = (z - z[::-1])[::-1] / 2, (weight + weight[::-1]) / 2
        edges = 1.0 - np.concatenate([[0.0], np.cumsum(weight)])
        edges[self.n], edges[-1] = 0.0, -1.0
        self.rows = Rows(np.degrees(np.arcsin(z)), edges, north, np.zeros(2 * self.n))

    def __repr__(self) -> str:
        return f"ReducedGaussian({self.name!r})"


def _name(name: str | int) -> tuple[str, int]:
    text = name if isinstance(name, str) else f"O{positive('name', name)}"
    kind, number = text[:1].upper(), text[1:]
    if kind not in ("O", "N", "F") or not number.isdigit() or int(number) < 1:
        raise ValueError(f"Expected `name` such as 'O32', 'N32' or 'F32', or the number N, got {name!r}.")
    return kind, int(number)


def _counts(kind: str, n: int) -> np.ndarray:
    if kind == "O":
        half = 20 + 4 * np.arange(n)
    elif kind == "F":
        half = np.full(n, 4 * n)
    elif n in _CLASSIC:
        runs = [(*run.split("x"), "1")[:2] for run in _CLASSIC[n].split()]
        half = np.repeat([int(count) for count, _ in runs], [int(times) for _, times in runs])
    else:
        raise ValueError(
            f"Expected a classic grid N32, N48, N80 or N128, got N{n}: pass `ReducedGaussian({n}, counts=pl)`."
        )
    return np.concatenate([half, half[::-1]])


def _given(counts: Sequence[int], n: int) -> np.ndarray:
    given = np.asarray(counts)
    whole = np.concatenate([given, given[::-1]]) if given.shape == (n,) else given
    if whole.shape != (2 * n,) or whole.dtype.kind not in "iu" or not (whole > 0).all():
        raise ValueError(
            f"Expected `counts` as {n} or {2 * n} positive integers, the points on each row, got shape {given.shape}."
        )
    return whole.astype(np.int64)


__all__ = ["ReducedGaussian"]
