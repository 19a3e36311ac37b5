"""Inference with a trained network: class probabilities on the faces and vertices of the original meshes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet.data import RandomRotation
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.assignment import one_to_one
from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions, Repair
from gaugenet.tasks.mesh.field_inputs import in_file_units, parse_units
from gaugenet.tasks.mesh.label_flow import flow_of, flowed
from gaugenet.tasks.mesh.likeness import Likeness, summary_of
from gaugenet.tasks.mesh.outputs import Items, log_probabilities
from gaugenet.tasks.mesh.preparation import Preparation, Prepared
from gaugenet.tasks.training.options import check, device_of
from gaugenet.tasks.training.run import Which, load_run

logger = logging.getLogger(__name__)

_SEEDING = Lock()
"""Held while random rotations are drawn: threads share PyTorch's generator."""


@dataclass(frozen=True)
class Probabilities:
    """Class probabilities on one original mesh, as it was before repairs.

    Attributes:
        face: `(F, K)`, `None` if not requested.
        vertex: `(V, K)`, `None` if not requested.
        mesh: `(K,)`, only for a network that labels whole meshes.

    Rows are NaN where a face or vertex was dropped in a repair and has no finite position.
    """

    face: Float[ndarray, "faces classes"] | None = None
    vertex: Float[ndarray, "vertices classes"] | None = None
    mesh: Float[ndarray, "classes"] | None = None

    def labels(self, items: str, *, different: bool = False) -> Any:
        """Return the likeliest class of each item, or the likeliest one-to-one with `different`; -1 where unknown."""
        values = getattr(self, items)
        if different:
            return one_to_one(values)
        values = values[None] if items == "mesh" else values
        known = np.isfinite(values).all(axis=1)
        return np.where(known, values.argmax(axis=1), -1)


@dataclass(frozen=True)
class GaugeCheck:
    """How much a random frame at every vertex changed the scores of one mesh.

    Attributes:
        relative_change: largest change of a score, divided by the largest score.
        flipped: number of items (faces, vertices or the mesh) whose predicted class changed.
        items: number of items.
    """

    relative_change: float
    flipped: int
    items: int


class Predictor:
    """Loads a run once and labels prepared meshes.

    Args:
        run: folder of the run.
        weights: `"best"` or `"last"`.
        label_flow: as in `OptimOptions`; by default as in the training.
        tta: number of poses to average over: the given pose and `tta - 1` random rotations of it. The average is
            skipped where all inputs are invariant under rotations, since it has no effect there.
        device: where the network runs; by default a GPU if there is one.
        feature: the user's feature classes that the run needs, as `module:Class`, since a run cannot name code.
        unit: units of the files for inputs that were trained with units, as `NAME=UNIT`.

    Raises:
        RunError: If the run is not complete.
        TaskError: If a feature class is not given, or a unit does not fit.
    """

    def __init__(
        self,
        run: str | Path,
        *,
        weights: Which = "best",
        tta: int = 0,
        label_flow: float | None = None,
        device: str | None = None,
        feature: Sequence[str] = (),
        unit: Sequence[str] = (),
    ) -> None:
        check(tta >= 0, "tta", "at least 0", tta)
        self.device = device_of(device)
        model, self.description = load_run(run, weights=weights)
        self.model = model.to(self.device)
        trained = self.description.label_flow
        self.label_flow = flow_of(self.description.items, trained if label_flow is None else label_flow)
        values = dict(self.description.data)
        self.geometry = GeometryOptions(**values.pop("geometry"))
        self.data = DataOptions.from_dict(values)
        self.likeness = Likeness.from_dict(self.description.likeness)
        units = parse_units(unit, list(self.data.inputs or ()))
        self.data = replace(self.data, inputs=in_file_units(self.data.inputs, units))
        self.features = self.data.input_features(feature)
        if tta > 1 and all(feature.intrinsic for feature in self.features.features):
            logger.info("All inputs are invariant under rotations: averaging over rotations would change nothing.")
            tta = 0
        self.rotations = max(0, tta - 1)

    def preparation(self, *, repair: Repair, cache: Path | None = None, n_jobs: int = -1) -> Preparation:
        """Return how meshes must be prepared for this network."""
        return Preparation(self.features, self.geometry, repair, cache, n_jobs, resample=True)

    def __call__(self, prepared: Prepared, *items: Items) -> Probabilities:
        """Return probabilities on the faces or vertices of the original mesh, or of the whole mesh.

        Args:
            prepared: the mesh, see `preparation`.
            *items: `"face"`, `"vertex"` or both; by default the items that had labels in training. Ignored by a network
                that labels whole meshes.
        """
        native: Any = self.description.items
        asked = [native] if native == "mesh" or not items else list(items)
        scores = [self._scores(graph) for graph in self._rotated_graphs(prepared)]
        corners: Any = self.description.corners
        found: dict[str, Any] = {}
        for site in asked:
            surface: Any = prepared.graph
            at = scores
            if prepared.given is not None and site != "mesh":
                surface, at = prepared.given, [prepared.given.interpolated(s) for s in scores]
            log_prob = [log_probabilities(s, surface, site, corners=corners) for s in at]
            mean = _mean_probability(log_prob)
            if site == "face" and self.label_flow:
                mean = flowed(mean, prepared.surface, width=self.label_flow)
            values = prepared.on_original(mean, site)
            found[site] = values[0] if site == "mesh" else values
        return Probabilities(**found)

    def distance(self, prepared: Prepared) -> float | None:
        """Return how far the inputs of a mesh are from those of the training; about 1 for the training meshes.

        `None` for runs that do not tell, see `Likeness`.
        """
        if self.likeness is None:
            return None
        return self.likeness.distance(summary_of(prepared.graph, self.features))

    def gauge_check(self, prepared: Prepared, *, seed: int = 0) -> GaugeCheck:
        """Compare the scores before and after a random gauge transformation at every vertex."""
        graph = self.features(prepared.graph)
        group = group_from_name(self.geometry.group)
        generator = torch.Generator().manual_seed(seed)
        g = group.random_element(int(graph.num_nodes), generator=generator, dtype=torch.float64).to(graph.pos)
        rotated = graph.gauge_transform(g)
        rotated.x = self.features.in_type(group).transform(g, graph.x)
        before, after = self._run(graph), self._run(rotated)
        change = float((after - before).abs().max() / before.abs().max().clamp(min=torch.finfo(before.dtype).tiny))
        items: Any = self.description.items
        labels = [log_probabilities(s, graph, items).argmax(1) for s in (before, after)]
        return GaugeCheck(change, int((labels[0] != labels[1]).sum()), len(labels[0]))

    def _rotated_graphs(self, prepared: Prepared) -> list[Any]:
        graphs = [prepared.graph]
        with _SEEDING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            graphs += [RandomRotation()(prepared.graph) for _ in range(self.rotations)]
        return graphs

    def _scores(self, graph: Any) -> Tensor:
        return self._run(self.features(graph))

    @torch.inference_mode()
    def _run(self, graph: Any) -> Tensor:
        graph = graph.to(self.device)
        scores: Tensor = self.model(graph.x, graph)
        return scores.cpu()


def _mean_probability(log_prob: list[Tensor]) -> Float[ndarray, "items classes"]:
    total = log_prob[0].double().exp()
    for other in log_prob[1:]:
        total = total + other.double().exp()
    return (total / len(log_prob)).numpy()
