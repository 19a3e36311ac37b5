"""The augmentations of a training, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from gaugenet._pyg import BaseTransform
from gaugenet.tasks.mesh.data_options import DataOptions, subclasses_in
from gaugenet.tasks.training.expressions import build_all
from gaugenet.tasks.training.options import TaskError

if TYPE_CHECKING:
    from gaugenet.data import InputFeatures, Remeshing
    from gaugenet.data.fields.spec import FieldSpec


class FeatureNoise(BaseTransform):
    """A transform that adds normal noise to the features, equally in every component of a field, hence equivariant.

    Args:
        std: standard deviation.
    """

    def __init__(self, std: float) -> None:
        self.std = std

    def forward(self, graph: Any) -> Any:
        graph.x = graph.x + self.std * torch.randn_like(graph.x)
        return graph

    def __repr__(self) -> str:
        return f"FeatureNoise(std={self.std})"


def build_remeshings(options: DataOptions) -> list[Remeshing]:
    """Return the rules that make further training meshes.

    Raises:
        TaskError: If a rule is unknown or does not take its arguments, or fields of the files are inputs.
    """
    import gaugenet.data as data

    available = subclasses_in(data, data.Remeshing)
    rules = build_all(options.remesh, available)
    if rules and options.inputs:
        raise TaskError("`data.remesh` makes other vertices, and the fields of `data.inputs` are not moved to them.")
    return rules


def build_augmentation(
    options: DataOptions, features: InputFeatures, targets: Sequence[FieldSpec] = ()
) -> tuple[list[BaseTransform], list[BaseTransform]]:
    """Return the augmentations before the features are assembled (they move the mesh), and after (they rotate frames).

    Raises:
        TaskError: If an augmentation is unknown, or does not take its arguments.
    """
    import gaugenet.data as data

    available = {n: c for n, c in subclasses_in(data, BaseTransform).items() if n.startswith("Random")}
    available.pop("RandomGauge")  # has an option of its own
    moves = build_all(options.augment, available)
    for move in moves:
        if isinstance(move, data.RandomMirror):
            move.features = features
        if isinstance(move, data.RandomScale):
            move.powers = {spec.key: spec.length_power for spec in (*features.field_specs, *targets)}
    return moves, [data.RandomGauge(features)] if options.random_gauge else []
