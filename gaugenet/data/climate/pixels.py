"""HEALPix files: the numbers and the order of their pixels, from the attributes that models and xdggs write."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.meshes.sample import DataError

_PIXEL_NAMES = ("cell", "cells", "pix", "pixel", "healpix", "ncells", "values")
_SIZE_KEYS = ("healpix_nside", "nside")
_LEVEL_KEYS = ("refinement_level", "healpix_level", "level")
_ORDER_KEYS = ("healpix_order", "indexing_scheme", "order", "ordering")


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of a HEALPix file.

    Attributes:
        dimension: name of the dimension of the pixels.
        nside: see `HEALPix`.
        order: `nested` or `ring`.
        numbers: the number of each pixel in this order; `None` if they are 0, 1, 2, ...
    """

    dimension: str
    nside: int
    order: str
    numbers: Int[ndarray, "pixels"] | None

    @property
    def points(self) -> Float[ndarray, "pixels 3"]:
        """Unit vectors of the centres, in the order of the file."""
        from gaugenet.geometry import HEALPix

        points = HEALPix(self.nside, order=self.order).pos.numpy()  # type: ignore[arg-type]
        return typed_array(points if self.numbers is None else points[self.numbers])

    @property
    def mapping(self) -> dict[str, Any]:
        """Attributes of a grid mapping that describes these pixels."""
        return {"grid_mapping_name": "healpix", "healpix_nside": self.nside, "healpix_order": self.order}

    def __str__(self) -> str:
        return f"HEALPix, nside {self.nside}, {self.order} order, {12 * self.nside**2} pixels"


def pixels_of(store: Any, where: Path) -> Pixels | None:
    """Return the pixels of an opened HEALPix file; `None` for another file.

    Raises:
        DataError: If the attributes of a HEALPix file contradict its number of pixels, or do not name its order.
    """
    attributes = _attributes(store)
    if attributes is None:
        return None
    dimension, nside = _size(store, attributes, where)
    order = _order(attributes, where)
    if order == "nested" and nside & (nside - 1):
        raise DataError(f"{where}: nested order needs a power of two as nside, got {nside}: is its order ring?")
    ids = next((store[n] for n in ("cell_ids", "cell", dimension) if n in store.coords), None)
    numbers = None
    if ids is not None and ids.dims == (dimension,) and ids.dtype.kind in "iu":
        numbers = np.asarray(ids.values, dtype=np.int64)
        if not np.array_equal(np.sort(numbers), np.arange(len(numbers))):
            raise DataError(f"{where}: the numbers of the pixels in {ids.name!r} are not 0 to {len(numbers) - 1}.")
    return Pixels(dimension, nside, order, numbers)


def _attributes(store: Any) -> Mapping[str, Any] | None:
    """Return the attributes that describe the pixels; `None` for another file.

    In a file without them, a dimension may be called `healpix`. Then they are the attributes of its coordinate, of the
    dataset, or of a field.
    """
    places = [store.attrs, *(variable.attrs for variable in store.variables.values() if is_healpix(variable.attrs))]
    found: Mapping[str, Any] | None = next(
        (a for a in places if is_healpix(a) or any(key in a for key in _SIZE_KEYS)), None
    )
    name = next((n for n in store.sizes if str(n).lower() == "healpix"), None)
    if found is not None or name is None:
        return found
    own = [store[name].attrs] if name in store.coords else []
    fields = [variable.attrs for variable in store.data_vars.values() if name in variable.dims]
    candidates: list[Mapping[str, Any]] = [*own, store.attrs, *fields]
    return next((a for a in candidates if any(key in a for key in _ORDER_KEYS)), candidates[0])


def _size(store: Any, attributes: Mapping[str, Any], where: Path) -> tuple[str, int]:
    """Return the dimension of the pixels and nside; without nside in the file, it follows from their number.

    Raises:
        DataError: If no dimension has 12 nside^2 pixels.
    """
    nside = _whole(attributes, _SIZE_KEYS, where)
    if nside is None and (level := _whole(attributes, _LEVEL_KEYS, where)) is not None:
        nside = 2 ** min(level, 30)  # larger ones fit no file
    named = {str(n): size for n, size in store.sizes.items() if str(n).lower() in _PIXEL_NAMES}
    if nside is None:
        fitting = [(n, math.isqrt(size // 12)) for n, size in named.items() if 12 * math.isqrt(size // 12) ** 2 == size]
    else:
        fitting = [(str(n), nside) for n, size in store.sizes.items() if size == 12 * nside**2]
    if fitting:
        return min(fitting, key=lambda found: found[0] not in named)
    if nside is not None and named:
        name, size = next(iter(named.items()))
        raise DataError(
            f"{where}: nside {nside} has {12 * nside**2} pixels, but the dimension {name!r} has {size}: expected a "
            "global file."
        )
    found = ", ".join(f"{name!r} of {size}" for name, size in named.items()) or "none"
    raise DataError(
        f"{where} describes a HEALPix grid, but has no dimension of 12 nside^2 pixels: expected one of the names "
        f"{', '.join(_PIXEL_NAMES)}, or the attribute healpix_nside, and a global file; got {found}."
    )


def _whole(attributes: Mapping[str, Any], keys: Sequence[str], where: Path) -> int | None:
    """Return the first of these attributes as an integer of at least zero; `None` if there is none.

    Raises:
        DataError: If it is not such a number.
    """
    key = next((key for key in keys if key in attributes), None)
    if key is None:
        return None
    text = str(attributes[key]).strip()
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number.is_integer() or number < 0:
        raise DataError(f"{where}: expected an integer of at least 0 as the attribute {key!r}, got {text}.")
    return int(number)


def _order(attributes: Mapping[str, Any], where: Path) -> str:
    """Return the order of the pixels, `nested` or `ring`.

    Raises:
        DataError: If it is another one, or the file does not name it: a guess would put pixels in other places.
    """
    key = next((key for key in _ORDER_KEYS if key in attributes), None)
    written = "none" if key is None else str(attributes[key])
    for order, start in (("nested", "nest"), ("ring", "ring")):
        if written.strip().lower().startswith(start):
            return order
    raise DataError(
        f"{where}: expected 'nested' or 'ring' as the order of the HEALPix pixels, in an attribute such as "
        f"healpix_order or indexing_scheme, got {written}."
    )


def is_healpix(attributes: Mapping[str, Any]) -> bool:
    """Return whether attributes describe a HEALPix grid, as models and xdggs write them."""
    return "healpix" in (
        str(attributes.get(k, "")).lower() for k in ("grid_mapping_name", "grid_name", "grid_type")
    ) or ("healpix_nside" in attributes)


def describes_grid(attributes: Mapping[str, Any]) -> bool:
    """Return whether attributes describe a grid, as those of `crs` do."""
    return "grid_mapping_name" in attributes or any(key in attributes for key in (*_SIZE_KEYS, *_LEVEL_KEYS[:2]))
