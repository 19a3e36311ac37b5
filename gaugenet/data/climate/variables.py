"""The variables of climate files that a network uses: scalars, tangent vectors and labels."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data.climate.axes import cell_name, latitude_name, longitude_name, time_name
from gaugenet.data.climate.channels import channels_of, variable_of
from gaugenet.data.climate.units import canonical_unit, conversion
from gaugenet.data.meshes.sample import DataError

_LABEL_NAMES = ("label", "labels", "LABELS", "LABEL", "class")
_WEAK_NAMES = ("mask",)
_NO_LABEL = re.compile(r"(?i)quality|status[_ ]flag|(^|[_ ])qc($|[_ ])|land|sea[_ ]mask|area_type")
_EASTWARD = r"(?i)u(a|as|bot|geo)?[_-]?\d*(m|hpa)?(_component.*)?|u.*wind.*"
_NORTHWARD = _EASTWARD.replace("u(a", "v(a").replace("|u.", "|v.")
CLIMATENET_CLASSES = ("background", "tropical_cyclone", "atmospheric_river")
_IGNORE_IN_FILES = 255
"""Label of files that is ignored by losses and metrics, as are negative labels and a `_FillValue`."""


@dataclass(frozen=True)
class ClimateVariables:
    """The variables of a set of files.

    Attributes:
        scalars: names of scalar fields; `z@500` is the variable `z` at the level 500.
        vectors: pairs of names, the eastward and the northward component.
        label: name of the label variable, `None` in files without labels.
        units: canonical unit of each scalar and vector component, `None` if the files name none.
        classes: class names; class 0 is the background.
        values: the number of each class in the files.
        ignored: numbers in the files that losses and metrics ignore.
    """

    scalars: tuple[str, ...]
    vectors: tuple[tuple[str, str], ...]
    label: str | None
    units: dict[str, str | None] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    ignored: tuple[int, ...] = (_IGNORE_IN_FILES,)

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs: the scalars, then the components of the vectors."""
        return self.scalars + tuple(name for pair in self.vectors for name in pair)

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as plain lists and strings."""
        return {k: _plain(v) for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ClimateVariables:
        """Return the variables that `as_dict` described."""
        tuples = {k: tuple(values[k]) for k in ("scalars", "classes", "values", "ignored")}
        vectors = tuple((a, b) for a, b in values["vectors"])
        return cls(**tuples, vectors=vectors, label=values["label"], units=dict(values["units"]))


def find_variables(
    dataset: Any,
    *,
    scalars: str = "auto",
    vectors: str = "auto",
    label: str = "auto",
    levels: str = "",
    where: str = "the file",
) -> ClimateVariables:
    """Return the variables of an xarray dataset on latitude and longitude.

    Args:
        dataset: an `xarray.Dataset`.
        scalars: names separated by commas, `""` for none; `auto` takes every floating-point field that is not a wind.
            A single component of a wind is refused.
        vectors: pairs `U850:V850` separated by commas, `""` for none; `auto` pairs the CF standard names `eastward_*`
            and `northward_*` and, without standard names, names that differ only by u and v.
        label: name of the label variable, `""` for none; `auto` takes `label`, or the one field that may be a label:
            with `flag_meanings` or called `mask`, with time if the inputs have time, and not a quality flag.
        levels: `all`, or values separated by commas: each level of a variable is a channel, such as `z@500` and
            `z@850`. By default channels are named one by one.
        where: name of the file in error messages.

    Raises:
        DataError: If a variable is missing, or there are no inputs.

    Example:
        >>> from gaugenet.data import SyntheticWeather, find_variables
        >>> variables = find_variables(SyntheticWeather().dataset(1))
        >>> variables.scalars, variables.vectors, variables.label
        (('tmq',), (('u10', 'v10'),), 'label')
    """
    fields = [str(n) for n in dataset.data_vars if _is_field(dataset[n])]
    found = _find_label(dataset, label, where)
    floats = [n for n in fields if n != found and dataset[n].dtype.kind == "f"]
    pairs = _vector_pairs(dataset, floats) if vectors == "auto" else _parse_pairs(vectors)
    in_pairs = {name for pair in pairs for name in pair}
    plain = [n for n in floats if n not in in_pairs] if scalars == "auto" else _split(scalars)
    for name in map(variable_of, [*plain, *(n for pair in pairs for n in pair)]):
        if name not in dataset.data_vars:
            raise DataError(f"{where} has no variable {name!r}: it has {', '.join(map(str, dataset.data_vars))}.")
        if name not in fields:
            raise DataError(
                f"{where}: {name!r} is not a field on latitude and longitude, or on cells with both "
                f"(dimensions {dataset[name].dims})."
            )
    if not plain and not pairs:
        raise DataError(
            f"{where} has no floating-point variables on latitude and longitude. Fields on cells need both along the "
            "dimension of the cells, or the attributes of a HEALPix grid (healpix_nside, healpix_order)."
        )
    if scalars == "auto":
        _refuse_half_winds(dataset, plain, where)
    plain, pairs = _at_levels(dataset, plain, pairs, levels, where)
    names = [*plain, *(name for pair in pairs for name in pair)]
    units = {n: canonical_unit(dataset[variable_of(n)].attrs.get("units")) for n in names}
    units |= {v: _unit_of_pair(units, u, v, where) for u, v in pairs}
    classes, values, ignored = _classes(dataset, found)
    return ClimateVariables(tuple(plain), tuple(pairs), found, units, classes, values, ignored)


def _at_levels(
    dataset: Any, scalars: list[str], pairs: list[tuple[str, str]], levels: str, where: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the channels of scalars and of pairs at the chosen levels."""

    def channels(name: str) -> list[str]:
        return channels_of(name, dataset[variable_of(name)], levels, where)

    found: list[tuple[str, str]] = []
    for u, v in pairs:
        one, other = channels(u), channels(v)
        if [name.partition("@")[2] for name in one] != [name.partition("@")[2] for name in other]:
            raise DataError(f"{where}: {u!r} and {v!r} are not at the same levels: {one} and {other}.")
        found += zip(one, other)
    return [channel for name in scalars for channel in channels(name)], found


def _find_label(dataset: Any, label: str, where: str) -> str | None:
    if label == "":
        return None
    if label != "auto":
        if label not in dataset.data_vars:
            raise DataError(
                f"{where} has no label variable {label!r}: it has {', '.join(map(str, dataset.data_vars))}."
            )
        return label
    fields = [str(n) for n in dataset.data_vars if _is_field(dataset[n])]
    candidates = [n for n in _LABEL_NAMES if n in fields] or [n for n in fields if _may_be_label(dataset, n)]
    if len(candidates) > 1:
        raise DataError(
            f"{where} has several variables that may be the labels, {' and '.join(map(repr, candidates))}: name one "
            "(--data.label of `gaugenet train`, `label=` in Python)."
        )
    return next(iter(candidates), None)


def _may_be_label(dataset: Any, name: str) -> bool:
    """Return whether a field of another name may be a label: not a static mask, and not a quality flag."""
    variable = dataset[name]
    if "flag_meanings" not in variable.attrs and name not in _WEAK_NAMES:
        return False
    text = " ".join([name, *(str(variable.attrs.get(key, "")) for key in ("standard_name", "long_name"))])
    moving = any(time_name(dataset[n]) for n in dataset.data_vars if _is_field(dataset[n]))
    return not _NO_LABEL.search(text) and not (moving and time_name(variable) is None)


def _is_field(variable: Any) -> bool:
    names = {latitude_name(variable), longitude_name(variable)}
    return (None not in names and names <= set(variable.dims)) or cell_name(variable) is not None


def _vector_pairs(dataset: Any, names: list[str]) -> list[tuple[str, str]]:
    """Return pairs by CF standard name, or by u and v in their names if these are missing or not unique."""
    standard = {n: str(dataset[n].attrs.get("standard_name", "")) for n in names}
    pairs = []
    for u in names:
        partners = [re.sub(a, b, u, count=1) for a, b in (("u", "v"), ("U", "V"), ("eastward", "northward"))]
        by_name = [v for v in partners if v != u and v in names]
        twins = [v for v in names if standard[u].startswith("eastward") and standard[v] == _northward(standard[u])]
        both = [v for v in by_name if v in twins] or (twins if len(twins) == 1 else [])
        if not standard[u] and re.fullmatch(_EASTWARD, u):
            both = both or by_name
        if both:
            pairs.append((u, both[0]))
    return pairs


def _refuse_half_winds(dataset: Any, scalars: list[str], where: str) -> None:
    """Refuse a component of a wind as a scalar, since it changes when the globe is rotated.

    Raises:
        DataError: If a scalar is such a component.
    """
    for name in scalars:
        standard = str(dataset[name].attrs.get("standard_name", ""))
        named = re.fullmatch(_EASTWARD, name) or re.fullmatch(_NORTHWARD, name)
        if standard.startswith(("eastward_", "northward_")) or (not standard and named):
            raise DataError(
                f"{where}: {name!r} is one component of a vector, and the other is not found: name the pair "
                "(--data.vectors U:V), or list the scalars without it (--data.scalars). In Python these are `vectors=` "
                "and `scalars=`."
            )


def _unit_of_pair(units: dict[str, str | None], u: str, v: str, where: str) -> str | None:
    """Return the unit of both components of a vector: the unit of the first.

    Raises:
        DataError: If the second cannot be converted to it.
    """
    one, other = units[u], units[v]
    if one != other and (one is None or other is None or conversion(other, one) is None):
        raise DataError(f"{where}: {u!r} is in {one!r} and {v!r} in {other!r}: correct the `units` of the file.")
    return one


def check_same_classes(attributes: Any, variables: ClimateVariables, path: Path) -> None:
    """Refuse a file whose `flag_meanings` contradict the classes of the first file.

    Raises:
        DataError: If a number has another class.
    """
    if "flag_meanings" not in attributes or "flag_values" not in attributes:
        return
    known = dict(zip(variables.values, variables.classes))
    numbered = all(name == "background" or name == f"class_{value}" for value, name in known.items())
    names, values = str(attributes["flag_meanings"]).split(), np.atleast_1d(attributes["flag_values"]).tolist()
    own = {int(v): n for v, n in zip(values, names) if int(v) not in variables.ignored and int(v) >= 0}
    for value, name in ({} if numbered else own).items():
        if known.get(value, name) != name or (name in known.values() and value not in known):
            raise DataError(
                f"{path}: in {variables.label!r} {value} means {name!r}, but the classes are {known}: give both files "
                "the same `flag_values` and `flag_meanings`."
            )


def _northward(standard: str) -> str:
    return standard.replace("eastward", "northward")


def _parse_pairs(text: str) -> list[tuple[str, str]]:
    pairs = [tuple(part.split(":")) for part in _split(text)]
    if any(len(p) != 2 for p in pairs):
        raise DataError(f"Expected `vectors` as pairs U:V separated by commas, got {text!r}.")
    return [(p[0].strip(), p[1].strip()) for p in pairs]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _classes(dataset: Any, label: str | None) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    if label is None:
        return (), (), (_IGNORE_IN_FILES,)
    attributes = dataset[label].attrs
    if "flag_meanings" in attributes and "flag_values" in attributes:
        names = str(attributes["flag_meanings"]).split()
        values = [int(v) for v in np.atleast_1d(attributes["flag_values"])]
        if len(names) != len(values):
            raise DataError(
                f"{label!r} has {len(values)} flag_values but {len(names)} flag_meanings: correct the file."
            )
        ignored = {
            v for n, v in zip(names, values) if v == _IGNORE_IN_FILES or v < 0 or n.lower() in ("ignore", "unknown")
        }
        known = [(n, v) for n, v in zip(names, values) if v not in ignored]
        return tuple(n for n, _ in known), tuple(v for _, v in known), tuple(sorted(ignored | {_IGNORE_IN_FILES}))
    if label == "LABELS":
        return CLIMATENET_CLASSES, (0, 1, 2), (_IGNORE_IN_FILES,)
    return (), (), (_IGNORE_IN_FILES,)


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value
