"""Channels of climate variables: `z@500` names the variable `z` at the level 500."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data.climate.axes import cell_name, latitude_name, longitude_name, time_name
from gaugenet.data.meshes.sample import DataError


def variable_of(channel: str) -> str:
    """Return the name of the variable of a channel: `z` for `z@500`."""
    return channel.partition("@")[0]


def further_dimensions(variable: Any) -> list[str]:
    """Return the dimensions other than latitude, longitude, cells and time, such as a level or an ensemble member."""
    known = (latitude_name(variable), longitude_name(variable), time_name(variable), cell_name(variable))
    return [str(name) for name in variable.dims if name not in known]


def places_of(channel: str, variable: Any, where: Any) -> dict[str, int]:
    """Return the index in each further dimension that a channel names.

    The name of the variable is followed by `@VALUE` for each further dimension larger than one, in the order of the
    file, or by `@DIMENSION=VALUE` in any order. A value is a coordinate, or an index if there are no coordinates.

    Args:
        channel: such as `z@500`, or `t@level=500@number=3`.
        variable: `xarray.DataArray`.
        where: name of the file in error messages.

    Raises:
        DataError: If a level must be chosen, or is not in the file.
    """
    _, *chosen = channel.split("@")
    dimensions = further_dimensions(variable)
    single = {name: 0 for name in dimensions if variable.sizes[name] == 1}
    found: dict[str, int] = {}
    for text in chosen:
        name, _, value = (part.strip() for part in text.rpartition("="))
        if not name:
            waiting = [one for one in dimensions if one not in found and one not in single]
            waiting += [one for one in single if one not in found and _has(variable, one, value)]
            name = waiting[0] if waiting else name
        if name not in dimensions or name in found:
            raise DataError(
                f"{where}: {channel!r} names a level, but the further dimensions of {variable_of(channel)!r} are "
                f"{dimensions or 'none'}."
            )
        found[name] = _place(variable, name, value, channel, where)
    found = single | found
    missing = [name for name in dimensions if name not in found]
    if missing:
        raise DataError(_choose(channel, variable, missing[0], where))
    return found


def channels_of(channel: str, variable: Any, levels: str, where: Any) -> list[str]:
    """Return the channels of a variable at several levels.

    A channel that names a level, or whose variable has no levels, is returned unchanged.

    Args:
        channel: name of a variable, or a channel.
        variable: `xarray.DataArray`.
        levels: `all`, values separated by commas, or `""` to choose none.
        where: name of the file in error messages.

    Raises:
        DataError: If none of the levels is in the file.
    """
    large = [name for name in further_dimensions(variable) if variable.sizes[name] > 1]
    if "@" in channel or not large or not levels:
        return [channel]
    wanted = [text.strip() for text in levels.split(",") if text.strip()]
    chosen: list[list[str]] = []
    for name in large:
        known = _values(variable, name)
        here = known if wanted == ["all"] else [text for text in wanted if _has(variable, name, text)]
        if not here:
            raise DataError(
                f"{where}: {channel!r} has none of the levels {levels} in its dimension {name!r}, which holds "
                f"{_shown(known)}."
            )
        chosen.append(here)
    return ["@".join([channel, *values]) for values in product(*chosen)]


def _place(variable: Any, name: str, text: str, channel: str, where: Any) -> int:
    for index, known in enumerate(_values(variable, name)):
        if _same(known, text):
            return index
    raise DataError(
        f"{where}: {channel!r} names {text!r}, which is not in the dimension {name!r}: it holds "
        f"{_shown(_values(variable, name))}."
    )


def _has(variable: Any, name: str, text: str) -> bool:
    return any(_same(known, text) for known in _values(variable, name))


def _values(variable: Any, name: str) -> list[str]:
    """Return the coordinates of a dimension as text; indices if it has none."""
    if name not in variable.coords:
        return [str(index) for index in range(variable.sizes[name])]
    values: ndarray = np.atleast_1d(variable.coords[name].values)
    return [f"{value:.10g}" if values.dtype.kind in "iuf" else str(value) for value in values]


def _same(known: str, text: str) -> bool:
    try:
        return bool(np.isclose(float(known), float(text)))
    except ValueError:
        return known == text


def _choose(channel: str, variable: Any, name: str, where: Any) -> str:
    known = _values(variable, name)
    return (
        f"{where}: {channel!r} has the further dimension {name!r} of size {variable.sizes[name]} ({_shown(known)}): "
        f"choose, e.g. `{channel}@{known[0]}` in --data.scalars or --data.vectors, or --data.levels {known[0]} "
        "(or all) for every variable; in Python, in `scalars=`, `vectors=` or `levels=`."
    )


def _shown(values: list[str]) -> str:
    return ", ".join(values if len(values) <= 8 else [*values[:4], "...", *values[-3:]])
