"""Predictions of a trained regression: fields on the given meshes, and the deviation between several networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from gaugenet._typing import typed_array
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.statistics import tangential_part
from gaugenet.data.fields.values import FieldValues
from gaugenet.tasks.mesh.data_options import GeometryOptions, Repair
from gaugenet.tasks.mesh.field_inputs import in_file_units, parse_units
from gaugenet.tasks.mesh.outputs import Items
from gaugenet.tasks.mesh.preparation import Preparation, Prepared
from gaugenet.tasks.mesh.scale import without_lengths
from gaugenet.tasks.regression.options import RegressionData
from gaugenet.tasks.regression.outputs import predicted_fields
from gaugenet.tasks.training.options import TaskError, check, device_of
from gaugenet.tasks.training.run import RunDescription, Which, load_run


@dataclass(frozen=True, eq=False)
class PredictedField:
    """A field on one mesh as it was given, before repairs.

    Attributes:
        spec: the specification of the field.
        values: `(n,)`, `(n, 3)` or `(n, 3, 3)` in coordinates of space, NaN where an item has no finite position.
        deviation: `(n,)` root mean square distance of the members of an ensemble from their mean; `None` for a single
            network.
    """

    spec: FieldSpec
    values: Float[ndarray, "n *shape"]
    deviation: Float[ndarray, "n"] | None = None


class _Member:
    """One network of an ensemble."""

    def __init__(self, run: str | Path, which: Which, device: torch.device, feature: Sequence[str]) -> None:
        model, self.description = load_run(run, weights=which)
        self.model = model.to(device)
        values = dict(self.description.data)
        self.geometry = GeometryOptions(**values.pop("geometry"))
        self.data = RegressionData.from_dict(values)
        self.feature = list(feature)


class FieldPredictor:
    """One or more trained networks that predict fields on prepared meshes; the runs are loaded once.

    Args:
        run: folder of the run.
        weights: `"best"` or `"last"`.
        samples: number of random dropout samples of each run (Monte Carlo dropout, :cite:`gal2016dropout`); 0 turns
            dropout off.
        ensemble: further runs with the same targets, inputs and geometry, such as trainings with other seeds.
        device: device of the networks; by default a GPU if there is one.
        feature: the feature classes of the user that the runs need, as `module:Class`.
        unit: units of fields in the files, as `NAME=UNIT`, for inputs and targets that were trained with units.

    Raises:
        RunError: If a run is not complete.
        TaskError: If the runs do not match, or were trained without dropout but `samples` is positive.
    """

    def __init__(
        self,
        run: str | Path,
        *,
        weights: Which = "best",
        samples: int = 0,
        ensemble: Sequence[str | Path] = (),
        device: str | None = None,
        feature: Sequence[str] = (),
        unit: Sequence[str] = (),
    ) -> None:
        check(samples >= 0, "samples", "at least 0", samples)
        self.device = device_of(device)
        self.samples = samples
        self._members = [_Member(path, weights, self.device, feature) for path in (run, *ensemble)]
        first = self._members[0]
        for path, member in zip(ensemble, self._members[1:]):
            _check_alike(Path(run), first, Path(path), member)
        if samples and not any(_drops(module) for module in first.model.modules()):
            raise TaskError(f"{run} was trained without dropout (model.dropout 0): --samples would all be equal.")
        known = [*(first.data.inputs or ()), *(first.data.targets or ())]
        units = parse_units(unit, known)
        for member in self._members:
            inputs, targets = (in_file_units(written, units) for written in (member.data.inputs, member.data.targets))
            member.data = replace(member.data, inputs=inputs, targets=targets)
        self._features = [member.data.input_features(member.feature) for member in self._members]

    @property
    def description(self) -> RunDescription:
        """Description of the first run."""
        return self._members[0].description

    @property
    def data(self) -> RegressionData:
        """Options of data of the first run."""
        return self._members[0].data

    @property
    def targets(self) -> tuple[FieldSpec, ...]:
        """Predicted fields."""
        return self.data.target_specs()

    @property
    def members(self) -> int:
        """Number of networks."""
        return len(self._members) * max(self.samples, 1)

    def preparation(self, *, repair: Repair, cache: Path | None = None, n_jobs: int = -1) -> Preparation:
        """Return the preparation of meshes for these networks; they see meshes near the density of the training."""
        return Preparation(self._features[0], self._members[0].geometry, repair, cache, n_jobs, resample=True)

    def __call__(self, prepared: Prepared) -> list[PredictedField]:
        """Predict all targets: on the vertices or faces of the original mesh, or for the whole mesh."""
        votes = [self._fields(prepared, member, outputs) for member, outputs in self._outputs(prepared)]
        return [_vote(spec, [vote[spec.name] for vote in votes]) for spec in self.targets]

    def _outputs(self, prepared: Prepared) -> Iterator[tuple[_Member, Tensor]]:
        for member, features in zip(self._members, self._features):
            graph = features(prepared.graph).to(self.device)
            if not self.samples:
                yield member, _applied(member.model, graph)
                continue
            with _with_dropout(member.model), torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                for _ in range(self.samples):
                    yield member, _applied(member.model, graph)

    def _fields(self, prepared: Prepared, member: _Member, outputs: Tensor) -> dict[str, ndarray]:
        """Return the predictions of one network on the mesh as it was given."""
        specs, mesh = member.data.target_specs(), prepared.sample.mesh
        found = {}
        for spec, values in zip(specs, _on_given(outputs.double(), prepared, specs).values()):
            items: Items = spec.on  # type: ignore[assignment]
            original = prepared.on_original(values.reshape(len(values), -1).numpy(), items)
            shaped = original.reshape(len(original), *spec.shape)
            moved = prepared.repairs or prepared.given is not None
            found[spec.name] = _along(shaped, spec, mesh) if moved else shaped
        return found


def _on_given(outputs: Tensor, prepared: Prepared, specs: Sequence[FieldSpec]) -> dict[str, Tensor]:
    """Return the predicted fields on the repaired mesh, interpolated where the network worked on a resampled one."""
    given = prepared.given
    if given is None:
        return predicted_fields(outputs, prepared.graph, specs)
    sites = [replace(spec, on="vertex") if spec.on == "face" else spec for spec in specs]
    found = predicted_fields(outputs, prepared.graph, sites)
    for spec in specs:
        if spec.on != "mesh":
            values = found[spec.name]
            flat = given.interpolated(values.reshape(len(values), -1))
            flat = flat[given.face].mean(dim=0) if spec.on == "face" else flat
            found[spec.name] = flat.reshape(len(flat), *spec.shape)
    return found


def _along(values: ndarray, spec: FieldSpec, mesh: Any) -> ndarray:
    """Restrict averages over the copies of a vertex, or over a triangle of another mesh, to the tangent plane."""
    if spec.kind not in ("tangent_vector", "tensor") or spec.on == "mesh":
        return values
    return tangential_part(FieldValues(values, spec.on), mesh)  # type: ignore[arg-type]


@torch.inference_mode()
def _applied(model: nn.Module, graph: Any) -> Tensor:
    outputs: Tensor = model(graph.x, graph)
    return outputs.cpu()


def _vote(spec: FieldSpec, votes: Sequence[ndarray]) -> PredictedField:
    """Return the mean over all networks, and their deviation from it."""
    if len(votes) == 1:
        return PredictedField(spec, votes[0])
    together = np.stack(votes)
    mean = together.mean(axis=0)
    squares = ((together - mean) ** 2).reshape(len(votes), len(mean), -1).sum(axis=2)
    return PredictedField(spec, mean, typed_array(np.sqrt(squares.mean(axis=0))))


def _drops(module: nn.Module) -> bool:
    return "Dropout" in type(module).__name__ and getattr(module, "p", 0) > 0


@contextmanager
def _with_dropout(model: nn.Module) -> Iterator[None]:
    dropping = [module for module in model.modules() if _drops(module)]
    for module in dropping:
        module.train()
    try:
        yield
    finally:
        for module in dropping:
            module.eval()


def _check_alike(run: Path, first: _Member, other_run: Path, other: _Member) -> None:
    """Raise `TaskError` unless two runs read the same meshes and predict the same fields."""

    def described(member: _Member) -> dict[str, Any]:
        data = member.data
        fields = {f"target {spec.name}": (spec.kind, spec.on, spec.unit) for spec in data.target_specs()}
        inputs = {"inputs": sorted(data.inputs or ()), "features": data.features, "repair": data.repair}
        return {**fields, **inputs, "geometry": without_lengths(member.geometry)}

    one, two = described(first), described(other)
    differing = [name for name in one | two if one.get(name) != two.get(name)]
    if differing:
        raise TaskError(
            f"{run} and {other_run} differ in {', '.join(differing)}: an ensemble needs runs that differ in seeds, "
            "training meshes or network only."
        )
