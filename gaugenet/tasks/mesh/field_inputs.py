"""Fields in the user's files as inputs of a network: fitted when a training starts, read again for predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from gaugenet.tasks.training.options import TaskError

if TYPE_CHECKING:
    from gaugenet.data import MeshSample
    from gaugenet.tasks.mesh.data_options import DataOptions

Options = TypeVar("Options", bound="DataOptions")


def fit_inputs(options: Options, samples: Sequence[MeshSample]) -> Options:
    """Return the options with the normalization of `data.inputs`, fitted on the training meshes.

    Raises:
        ValueError: If an entry of `data.inputs` cannot be used, or the meshes lack a field.
    """
    from gaugenet.data.fields.spec import parse_fields
    from gaugenet.data.fields.statistics import fit_fields

    specs = parse_fields(options.inputs, "data.inputs")
    if not specs:
        return options
    fitted = fit_fields(specs, samples, role="input", n_jobs=options.n_jobs)
    return replace(options, inputs={spec.name: spec.as_dict() for spec in fitted})


def parse_units(texts: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the units of fields from texts such as `inflow_distance=mm`.

    Raises:
        TaskError: If a text is not of this form, or names a field that the network does not know.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, unit = (part.strip() for part in text.partition("="))
        if not equals or not unit:
            raise TaskError(
                f"Expected --unit NAME=UNIT such as --unit {known[0] if known else 'wss'}=Pa, got {text!r}."
            )
        if name not in known:
            raise TaskError(
                f"--unit names the field {name!r}, but the fields of this run are {', '.join(known) or '-'}."
            )
        if name in found:
            raise TaskError(f"--unit names the field {name!r} twice.")
        found[name] = unit
    return found


def in_file_units(written: dict[str, Any] | None, units: dict[str, str]) -> dict[str, Any] | None:
    """Return fields whose files have these units, where they name none themselves.

    Raises:
        TaskError: If a field has no unit of its own, to which numbers could be converted.
    """
    if written is None:
        return None
    found = {name: {"kind": entry} if isinstance(entry, str) else dict(entry) for name, entry in written.items()}
    for name in found.keys() & units.keys():
        if not found[name].get("unit"):
            raise TaskError(
                f"The field {name!r} was trained without a unit, so that {units[name]!r} cannot be converted."
            )
        found[name]["file_unit"] = units[name]
    return found
