"""MeshField: a scalar or a vector on a mesh, constant or in time steps, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.colors import Colormap, ColorScale

Site = Literal["face", "vertex"]
Drawn = Literal["arrows", "lines", "both"]


@dataclass(frozen=True, eq=False)
class MeshField:
    """A scalar or a vector on the vertices or faces of a mesh. Arrays may be numpy arrays or tensors.

    Scalars are drawn as colors. For vectors, colors show the sizes, and arrows or stream lines the directions.

    Args:
        values: `(n,)` scalars, `(n, 3)` vectors in space or `(n, 2)` tangent vectors in the frames of the `MeshView`,
            with `n` the number of vertices or faces; in time steps `(T, n)`, `(T, n, 3)`, `(T, n, 2)`. Values that are
            not finite are grey.
        unit: unit of the values, such as `"m/s"`.
        limits: values of the first and last color; by default those of `ColorScale.of`, and 0 as the first for vectors.
        colormap: `"viridis"`, `"cividis"` or `"diverging"`; by default `viridis`, and `diverging` where the limits have
            both signs.
        times: names of the time steps, such as `"6 h"`; by default their numbers.
        drawn: how vectors are drawn: `"arrows"`, `"lines"` (line-integral convolution) or `"both"`.
        spacing: distance between arrows, in the units of the mesh; by default 1/18 of the diagonal of the mesh.
        longest: size of a vector whose arrow is as long as `spacing`; arrows of larger vectors are not longer. By
            default the upper limit of the colors.

    Example:
        >>> import numpy as np
        >>> from gaugenet.viz import MeshField
        >>> wind = MeshField(np.zeros((162, 3)), unit="m/s", limits=(0, 40), colormap="cividis", drawn="both")
    """

    values: Any
    unit: str = ""
    limits: tuple[float, float] | None = None
    colormap: Colormap | None = None
    times: Sequence[str] | None = None
    drawn: Drawn = "arrows"
    spacing: float | None = None
    longest: float | None = None

    def on(
        self, mesh: TriangleMesh, where: str, *, name: str, frames: Float[ndarray, "vertices 3 2"] | None = None
    ) -> SurfaceField:
        """Return the field with its values checked against a mesh.

        Args:
            mesh: the surface.
            where: text at the start of error messages.
            name: name of the field.
            frames: tangent frames for values of shape `(n, 2)`.

        Raises:
            ValueError: If the values fit neither the vertices nor the faces, or an option is unknown.
        """
        if self.drawn not in ("arrows", "lines", "both"):
            raise ValueError(f"{where}: expected `drawn` to be 'arrows', 'lines' or 'both', got {self.drawn!r}.")
        values = as_array(self.values).astype(np.float64)
        counts = (mesh.num_vertices, mesh.num_faces)
        plain = values.ndim == 1 or (values.ndim == 2 and self.times is None and _holds_vectors(values.shape, counts))
        steps = values[None] if plain else values
        if not (steps.ndim == 2 or (steps.ndim == 3 and steps.shape[2] in (2, 3))) or steps.shape[1] not in counts:
            raise ValueError(
                f"{where}: values of shape {values.shape} do not fit a mesh of {counts[0]} vertices and {counts[1]} "
                "faces: expected (n,), (n, 3) or (n, 2), or these after a dimension of time steps."
            )
        times = tuple(self.times) if self.times is not None else tuple(str(k) for k in range(len(steps)))
        if len(times) != len(steps) or not times:
            raise ValueError(f"{where}: {len(steps)} time steps of values and {len(times)} names in `times`.")
        if steps.shape[2:] == (2,):
            if frames is None or len(frames) != steps.shape[1]:
                raise ValueError(f"{where}: values of shape {values.shape} are vectors in frames: pass `frames`, too.")
            steps = np.einsum("vdk,tvk->tvd", frames, steps)
        vectors = steps if steps.ndim == 3 else None
        sizes = steps if vectors is None else typed_array(np.linalg.norm(steps, axis=2))
        site: Site = "vertex" if steps.shape[1] == mesh.num_vertices else "face"
        return SurfaceField(name, self, site, sizes, vectors, times)


@dataclass(frozen=True, eq=False)
class SurfaceField:
    """A `MeshField` that fits its mesh.

    Attributes:
        name: name of the quantity.
        options: unit, limits and how it is drawn.
        site: whether the values are on vertices or faces.
        sizes: scalars, or sizes of vectors, by time step.
        vectors: vectors in space, `None` for scalars.
        times: names of the time steps.
    """

    name: str
    options: MeshField
    site: Site
    sizes: Float[ndarray, "times n"]
    vectors: Float[ndarray, "times n 3"] | None
    times: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return name and unit, with bars around the name for sizes of vectors."""
        name = self.name if self.vectors is None else f"|{self.name}|"
        return f"{name} [{self.options.unit}]" if self.options.unit else name

    @property
    def has_arrows(self) -> bool:
        return self.vectors is not None and self.options.drawn != "lines"

    @property
    def has_lines(self) -> bool:
        return self.vectors is not None and self.options.drawn != "arrows"

    def step(self, step: int) -> int:
        """Return the index of a time step, counted from the end if negative; the last one where the field ends."""
        return range(len(self.times))[max(min(step, len(self.times) - 1), -len(self.times))]


def common_scales(fields: Sequence[Mapping[str, SurfaceField]]) -> dict[str, ColorScale]:
    """Return one color scale for each name, so that colors have the same meaning on all meshes.

    Limits and color map are the first ones given for the name.
    """
    scales: dict[str, ColorScale] = {}
    for name in dict.fromkeys(name for one in fields for name in one):
        found = [one[name] for one in fields if name in one]
        limits = next((one.options.limits for one in found if one.options.limits is not None), None)
        colormap = next((one.options.colormap for one in found if one.options.colormap is not None), None)
        values = np.concatenate([one.sizes.reshape(-1) for one in found])
        if limits is None and all(one.vectors is not None for one in found):
            high = ColorScale.of(values).high
            limits = (0.0, high if high > 0 else 1.0)
        scales[name] = ColorScale.of(values, limits=limits, colormap=colormap)
    return scales


def as_array(values: Any) -> ndarray:
    """Return an array, a list or a tensor on any device as a numpy array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def _holds_vectors(shape: tuple[int, ...], counts: tuple[int, int]) -> bool:
    return shape[0] in counts and shape[1] in (2, 3)
