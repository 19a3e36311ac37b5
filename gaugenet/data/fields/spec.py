"""FieldSpec: what a field on meshes is, as a user writes it in a configuration."""

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
"""Under names that begin so a graph holds fields in coordinates of space."""

SHAPES: dict[str, tuple[int, ...]] = {"scalar": (), "tensor": (3, 3)}
"""Shape of one value in space, by kind; all other kinds are vectors."""

IRREPS: dict[str, tuple[str, ...]] = {
    "scalar": ("0",),
    "tangent_vector": ("1",),
    "space_vector": ("0-", "1"),
    "tensor": ("0", "2"),
}
"""Irreps of O(2) that a value consists of, seen from a tangent frame. `vector` is settled by the data."""


@dataclass(frozen=True)
class FieldSpec:
    """What a field on meshes is: its name in the files, its kind, and what was fitted on the training part.

    Attributes:
        name: what the field is called in the files.
        kind: `scalar`; `tangent_vector`, whose part normal to the surface is dropped; `space_vector`, which is split
            into its normal and its tangential part; `vector`, either of the two, as the training meshes need it; or
            `tensor`, a symmetric 2-tensor, whose tangential part counts.
        on: what has a value: `vertex`, `face` or `mesh`; `auto` is settled by the number of values.
        unit: unit of the numbers, such as `mm`; files that name another unit are converted.
        file_unit: unit of the files that name none; by default `unit`.
        mask: name of a scalar field of the same files: 0 leaves a value out, other positive numbers weigh it.
        length_power: the values grow with this power of the length when a mesh is scaled: 1 for a distance, -1 for a
            curvature, 0 for what does not follow.
        mean: what is subtracted from scalars, for vectors and tensors always 0; `None` is fitted.
        scale: what all values are divided by; `None` is fitted.
        missing: whether some values of the training part are missing, which an input tells the network.

    Raises:
        ValueError: If an entry is not one of these.
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
            raise ValueError(f"Field {self.name!r}: a {self.kind} is only scaled; leave out `mean`, got {self.mean}.")
        if self.on == "mesh" and self.kind in ("tangent_vector", "tensor"):
            raise ValueError(
                f"Field {self.name!r}: a {self.kind} lies in the tangent plane of a vertex or a face, and a whole mesh "
                "has none: choose kind scalar or space_vector."
            )
        for unit in (self.unit, self.file_unit):
            if unit is not None:
                check_unit(unit, f"the field {self.name!r}")
        if self.file_unit is not None and self.unit is None:
            raise ValueError(f"Field {self.name!r}: `file_unit` is converted to `unit`: give that, too.")

    @property
    def key(self) -> str:
        """Under which name a graph holds the field. The name itself could mean something to a graph."""
        return FIELD_PREFIX + hashlib.sha256(self.name.encode()).hexdigest()[:12]

    @property
    def mask_key(self) -> str:
        """Under which name a graph holds the weights of the values."""
        return f"{self.key}_mask"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one value in coordinates of space."""
        return SHAPES.get(self.kind, (3,))

    @property
    def irreps(self) -> tuple[str, ...]:
        """Irreps of O(2) that a value consists of.

        Raises:
            ValueError: If it is not settled yet which kind of vector the field is.
        """
        if self.kind not in IRREPS:
            raise ValueError(f"Field {self.name!r} is a vector of a kind that is not settled: fit it on data first.")
        return IRREPS[self.kind]

    @property
    def label(self) -> str:
        """Name and unit, for pictures and tables."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def fitted(self, **changes: Any) -> FieldSpec:
        """Return the same field with entries that were fitted."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the entries that differ from the defaults, as a configuration holds them."""
        defaults = {f.name: f.default for f in fields(self)}
        return {"kind": self.kind} | {k: v for k, v in asdict(self).items() if k != "name" and v != defaults[k]}


def parse_fields(written: Mapping[str, Any] | None, option: str) -> tuple[FieldSpec, ...]:
    """Return the fields that a configuration names, such as `{wss: vector, pressure: {kind: scalar, unit: Pa}}`.

    Args:
        written: for each name a kind, or the entries of `FieldSpec`.
        option: what the configuration is called in messages.

    Raises:
        ValueError: If an entry is unknown, or its value cannot be used.
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
        raise ValueError(f"`{option}.{name}` cannot be used: {error}.") from error


__all__ = ["FIELD_PREFIX", "FieldKind", "FieldSite", "FieldSpec", "parse_fields"]
