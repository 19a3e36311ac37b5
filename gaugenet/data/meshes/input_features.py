"""InputFeatures: several features as one typed field `graph.x`."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from gaugenet._pyg import BaseTransform
from gaugenet.data.fields.on_graph import FieldInput
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.meshes.features import FEATURE_PREFIX, InputFeature, SurfaceFeature, mesh_of
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.groups import O2, FieldType, StructureGroup


class InputFeatures(BaseTransform):
    """A transform that writes `graph.x`: all scalars, then all fields that change sign, then order 1, then order 2.

    Features that the graph already has (see `prepare`) are moved to `x`; the others are computed.

    Args:
        features: e.g. `[HeatKernelSignature(), Positions()]`.

    Raises:
        ValueError: If there are no features, or the same one twice.

    Example:
        >>> from gaugenet.data import HeatKernelSignature, InputFeatures, ShapeOperator
        >>> from gaugenet.groups import SO2
        >>> InputFeatures([HeatKernelSignature(16), ShapeOperator()]).in_type(SO2()).size  # 16 + 1 + 2
        19
    """

    def __init__(self, features: list[InputFeature]) -> None:
        self.features = list(features)
        others = [feature for feature in self.features if not isinstance(feature, InputFeature)]
        if others:
            raise ValueError(f"Expected features such as `ShapeOperator()`, got {others[0]!r}.")
        keys = [feature.key for feature in self.features]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"Expected one or more features, each once, got {self.features}.")

    @property
    def fields(self) -> dict[str, int]:
        """Irreps of O(2) in the order of the columns of `x`, with their multiplicities."""
        total: dict[str, int] = {}
        for feature in self.features:
            for label, multiplicity in feature.fields:
                total[label] = total.get(label, 0) + multiplicity
        return {label: total[label] for label in sorted(total, key=_place)}

    @property
    def field_specs(self) -> tuple[FieldSpec, ...]:
        """The fields from the files of the user."""
        return tuple(feature.spec for feature in self.features if isinstance(feature, FieldInput))

    @property
    def intrinsic(self) -> tuple[InputFeature, ...]:
        """The features that are computed once for each mesh and cached."""
        return tuple(feature for feature in self.features if feature.intrinsic)

    def in_type(self, group: StructureGroup) -> FieldType:
        """Return the type of `graph.x` as a field of `group`, a subgroup of O(2).

        Raises:
            ValueError: If a field is not a direct sum of irreps of the group by columns (order 2 under `C_3`).
        """
        pairs: list[tuple[str, int, int]] = []
        for label, multiplicity in self.fields.items():
            for name, dim in irreps_under(group, label):
                if pairs and pairs[-1][0] == name and dim == 1:
                    name, multiplicity_before, _ = pairs.pop()
                    pairs.append((name, multiplicity_before + multiplicity, dim))
                else:
                    pairs.append((name, multiplicity, dim))
        return FieldType(group, " + ".join(f"{multiplicity}x{name}" for name, multiplicity, _ in pairs))

    def prepare(self, graph: GaugeGraph, mesh: TriangleMesh | None = None) -> GaugeGraph:
        """Return a new graph with the values of all intrinsic features, for a cache.

        Args:
            graph: the graph of one mesh.
            mesh: its surface, if available; all features share it.
        """
        out: GaugeGraph = graph.clone()
        if mesh is None and any(isinstance(feature, SurfaceFeature) for feature in self.intrinsic):
            mesh = mesh_of(out)
        for feature in self.intrinsic:
            out[feature.key] = feature.compute_on(out, mesh)
        return out

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        parts: dict[str, list[Tensor]] = {label: [] for label in self.fields}
        for feature in self.features:
            for label, block in _blocks(feature, feature.value(graph)):
                parts[label].append(block)
        graph.x = torch.cat([torch.cat(blocks, dim=-1).flatten(1) for blocks in parts.values()], dim=-1)
        if not bool(graph.x.isfinite().all()):
            bad = sorted(set((~graph.x.isfinite()).nonzero()[:, 1].tolist()))
            raise ValueError(f"Input features are not finite, in the channels {bad[:10]} of {self!r}: check the mesh.")
        for feature in self.features:
            if feature.key in graph:
                del graph[feature.key]
        return graph

    def __repr__(self) -> str:
        return f"InputFeatures([{', '.join(map(repr, self.features))}])"


def name_in_cache(feature: InputFeature) -> str:
    """Return the name of a feature's values in a cache: its parameters, and its code if it is outside of gaugenet."""
    return f"{feature!r}{_code_of(type(feature))}"


def _code_of(cls: type) -> str:
    """Return the code of a class of the user, which may change between runs; empty for a class of gaugenet."""
    if cls.__module__.split(".")[0] == __name__.split(".")[0]:
        return ""
    try:
        return f" {inspect.getsource(cls)}"
    except (OSError, TypeError):  # typed into an interpreter
        return f" {cls.__module__}"


def irreps_under(group: StructureGroup, label: str) -> list[tuple[str, int]]:
    """Return names and dimensions of the irreps of a subgroup of O(2) in an irrep of O(2), by columns.

    `"1"` is `1` under SO(2), `0, 0` under the trivial group, `0, 0-` under the reflections; values do not change.

    Raises:
        ValueError: If columns would have to be mixed.
    """
    full = O2().irrep(label)
    samples = torch.cat([group.generators(), group.random_element(4, generator=torch.Generator().manual_seed(0))])
    matrices = full(samples)
    candidates = [rho for rho in group.irreps(2) if rho.dim in (1, full.dim)]
    for rho in candidates:
        if rho.dim == full.dim and torch.allclose(rho(samples), matrices):
            return [(rho.name, rho.dim)]
    found = []
    for column in range(full.dim):
        rest = [i for i in range(full.dim) if i != column]
        entry = matrices[:, column, column]
        scalar = [rho for rho in candidates if rho.dim == 1 and torch.allclose(rho(samples)[:, 0, 0], entry)]
        if not scalar or bool(matrices[:, rest, column].abs().gt(1e-9).any()):
            raise ValueError(
                f"A field of order {label} is not a direct sum of irreps of {group.name} by columns: remove the "
                "feature, or choose another group."
            )
        found.append((scalar[0].name, 1))
    return found


def has_features(graph: GaugeGraph) -> bool:
    """Return whether a graph has features that are not assembled into `x` yet."""
    return any(key.startswith(FEATURE_PREFIX) for key in graph.keys())  # noqa: SIM118 (a Data, not a dict)


def _blocks(feature: InputFeature, value: Tensor) -> list[tuple[str, Tensor]]:
    """Return label and values `(N, dim, multiplicity)` of each block of a feature."""
    blocks, start = [], 0
    for label, multiplicity in feature.fields:
        dim = O2().irrep(label).dim
        columns = value[:, start : start + dim * multiplicity]
        blocks.append((label, columns.unflatten(1, (dim, multiplicity))))
        start += dim * multiplicity
    return blocks


def _place(label: str) -> tuple[int, bool]:
    return int(label.rstrip("-")), label.endswith("-")
