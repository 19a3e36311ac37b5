"""FieldSpec: the description of a field on meshes in a configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from gaugenet.data.fields.units import check_unit

FieldKind = Literal["scalar", "vector", "tangent_vector", "space_vector", "tensor"]
FieldSite = Literal["auto", "vertex", "face", "mesh"]

FIELD_PREFIX = "field_"
"""Prefix of the names of fields in 3D coordinates in a graph."""

SHAPES: dict[str, tuple[int, ...]] = {"scalar": (), "tensor": (3, 3)}
"""Shape of one value in 3D coordinates, by kind; all other kinds are vectors."""

IRREPS: dict[str, tuple[str, ...]] = {
    "scalar": ("0",),
    "tangent_vector": ("1",),
    "space_vector": ("0-", "1"),
    "tensor": ("0", "2"),
}
"""Irreps of O(2) of a value in a tangent frame. The kind `vector` is decided by the data."""


@dataclass(frozen=True)
class FieldSpec:
    """The description of a field on meshes: its name in the files, its kind, and its fitted normalization.

    Attributes:
        name: name of the field in the files.
        kind: `scalar`; `tangent_vector`, whose normal part is dropped; `space_vector`, which is split into its normal
            and its tangential part; `vector`, one of these two, decided by the training meshes; or `tensor`, a
            symmetric 2-tensor, of which the tangential part is used.
        on: `vertex`, `face` or `mesh`; `auto` decides by the number of values.
        unit: unit of the numbers, such as `mm`; values in other units are converted.
        file_unit: unit of files that name none; by default `unit`.
        mask: name of a scalar field of the same files with the weights of the values; 0 ignores a value.
        length_power: power of the length by which values grow when a mesh is scaled: 1 for a distance, -1 for a
            curvature, 0 for values that do not change.
        mean: value that is subtracted from scalars, 0 for vectors and tensors; fitted if `None`.
        scale: value by which all values are divided; fitted if `None`.
        missing: whether the training part has missing values; an input then has an additional scalar.

    Raises:
        ValueError: If an entry is invalid.

    Example:
        >>> from gaugenet.data import FieldSpec
        >>> FieldSpec("wss", "tangent_vector", unit="Pa").irreps  # order 1
        ('1',)
        >>> FieldSpec("stress", "tensor").shape
        (3, 3)
    """

    name: str
    kind: FieldKind = "scalar"
    on: FieldSite = "auto"
    unit: str | None = None
    file_unit: str | None = None
    mask: str | None = None
    length_power: float = 0.0
    mean: float | None = None
    scale: float | None = None
    missing: bool = False

    def __post_init__(self) -> None:
        for entry, known in (("kind", get_args(FieldKind)), ("on", get_args(FieldSite))):
            if getattr(self, entry) not in known:
                raise ValueError(
                    f"Field {self.name!r}: expected `{entry}` to be one of {', '.join(known)}, "
                    f"got {getattr(self, entry)!r}."
                )
        if self.scale is not None and not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"Field {self.name!r}: expected a positive `scale`, got {self.scale}.")
        if self.mean and self.kind != "scalar":
            raise ValueError(
                f"Field {self.name!r}: a {self.kind} is scaled but not shifted: omit `mean`, got {self.mean}."
            )
        if self.on == "mesh" and self.kind in ("tangent_vector", "tensor"):
            raise ValueError(
                f"Field {self.name!r}: a {self.kind} lies in the tangent plane of a vertex or a face, and a whole mesh "
                "has none: choose kind scalar or space_vector."
            )
        for unit in (self.unit, self.file_unit):
            if unit is not None:
                check_unit(unit, f"the field {self.name!r}")
        if self.file_unit is not None and self.unit is None:
            raise ValueError(f"Field {self.name!r}: `file_unit` is converted to `unit`: set `unit`, too.")

    @property
    def key(self) -> str:
        """Name of the field in a graph; the prefix avoids conflicts with attributes of graphs."""
        return FIELD_PREFIX + hashlib.sha256(self.name.encode()).hexdigest()[:12]

    @property
    def mask_key(self) -> str:
        """Name of the weights of the values in a graph."""
        return f"{self.key}_mask"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one value in 3D coordinates."""
        return SHAPES.get(self.kind, (3,))

    @property
    def irreps(self) -> tuple[str, ...]:
        """Irreps of O(2) of a value in a tangent frame.

        Raises:
            ValueError: If the kind of vector is not decided yet.
        """
        if self.kind not in IRREPS:
            raise ValueError(f"Field {self.name!r} has the undecided kind vector: use `fit_fields` first.")
        return IRREPS[self.kind]

    @property
    def label(self) -> str:
        """Name and unit, for pictures and tables."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def fitted(self, **changes: Any) -> FieldSpec:
        """Return the same field with fitted entries."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the entries that differ from the defaults, in the form of a configuration."""
        defaults = {f.name: f.default for f in fields(self)}
        return {"kind": self.kind} | {k: v for k, v in asdict(self).items() if k != "name" and v != defaults[k]}


def parse_fields(written: Mapping[str, Any] | None, option: str) -> tuple[FieldSpec, ...]:
    """Return the fields of a configuration such as `{wss: vector, pressure: {kind: scalar, unit: Pa}}`.

    Args:
        written: a kind, or the entries of `FieldSpec`, for each name.
        option: name of the option in messages.

    Raises:
        ValueError: If an entry is unknown or invalid.
    """
    if written is None:
        return ()
    if not isinstance(written, Mapping):
        raise ValueError(f"Expected `{option}` to name fields, such as {{wss: vector}}, got {written!r}.")
    return tuple(_parse(str(name), entry, option) for name, entry in written.items())


def _parse(name: str, entry: Any, option: str) -> FieldSpec:
    values: Any = {"kind": entry} if isinstance(entry, str) else entry
    known = [f.name for f in fields(FieldSpec) if f.name != "name"]
    if not isinstance(values, Mapping) or not values:
        raise ValueError(
            f"Expected `{option}.{name}` to be a kind, one of {', '.join(get_args(FieldKind))}, or entries such as "
            f"{{kind: scalar, unit: Pa}}; got {entry!r}."
        )
    if unknown := sorted(set(map(str, values)) - set(known)):
        raise ValueError(f"`{option}.{name}` has the unknown entries {unknown}: expected some of {', '.join(known)}.")
    try:
        return FieldSpec(name, **{str(k): v for k, v in values.items()})
    except TypeError as error:
        raise ValueError(f"`{option}.{name}` is invalid: {error}.") from error


__all__ = ["FIELD_PREFIX", "FieldKind", "FieldSite", "FieldSpec", "parse_fields"]
