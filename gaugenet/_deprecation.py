"""Names of earlier versions: each gives the new object, with a `DeprecationWarning` that tells its new name."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

RENAMED: dict[str, dict[str, str]] = {
    "gaugenet.data": {"Valence": "VertexDegree", "prepare": "prepare_meshes"},
    "gaugenet.kernels": {"CovariantKernelSpace": "CovariantSpace"},
    "gaugenet.models": {"BestScore": "ScoreCanonicalizer", "Pose": "Canonicalizer", "plain_twin": "matched_baseline"},
    "gaugenet.nn": {"Disentangle": "ToIrreps", "Gated": "GatedNonlinearity", "prepare": "prepare_graph"},
    "gaugenet.tasks": {"GaugeTask": "MeshLabelModule", "ScoreKeeper": "MetricAccumulator"},
    "gaugenet.taxonomy": {"Move": "Transformation"},
    "gaugenet.viz": {"GlobePanel": "SpherePanel", "draw_globes": "draw_spheres"},
}
"""Exported names of version 0.1, by package: old to new. They work in 0.2 and 0.3."""


def current_name(package: str, name: str) -> str:
    """Return the current form of an exported name, for example of one in a run file, without a warning."""
    return RENAMED[package].get(name, name)


def renamed_arguments(**names: str) -> Callable[[Function], Function]:
    """Decorate a function so that it also accepts keyword arguments under their former names.

    Args:
        **names: former name to new name.

    Raises:
        TypeError: If a call gives an argument under both of its names.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def accept(*args: Any, **kwargs: Any) -> Any:
            for old, new in names.items():
                if old not in kwargs:
                    continue
                if new in kwargs:
                    raise TypeError(f"{function.__qualname__} got `{new}` twice: leave out its former name `{old}`.")
                warnings.warn(
                    f"The argument `{old}` of {function.__qualname__} is now called `{new}`.",
                    DeprecationWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return accept  # type: ignore[return-value]

    return decorate


def renamed_attribute(old: str, new: str) -> Any:
    """Return a property that reads the attribute `new` under its former name."""

    def read(self: Any) -> Any:
        warnings.warn(
            f"`{type(self).__name__}.{old}` is now called `{new}`: the old name goes with the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(self, new)

    return property(read, doc=f"Former name of `{new}`.")


__all__ = ["RENAMED", "current_name", "renamed_arguments", "renamed_attribute"]
