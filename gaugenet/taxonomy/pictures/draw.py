"""A picture of every row: its frames, and a kernel of its layer transported over the space.

Frames are those of the row's own configuration, in gauges drawn at random from the structure group; faint arrows and
circles are the other frames of the G-structure. A trivial structure group has one frame at every point, and the kernel
looks the same in all of them. Kernels are an entry of K(v) of the row's layer, with random weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gaugenet.taxonomy.curved import SPHERE, combed
from gaugenet.taxonomy.entry import Row
from gaugenet.taxonomy.pictures.curved import horocyclic, hyperbolic, icosahedron, polar_sphere, strip, surface, uneven
from gaugenet.taxonomy.pictures.flat import boosted, line, pixels, plane, punctured, scaled_frames
from gaugenet.taxonomy.pictures.space import boosted_pixels, boosted_space, hyperbolic_space, shells, space
from gaugenet.viz.render.picture import Picture

_SIZE = (420, 300)


def _draw_row(row: Row) -> Picture:
    """Return the picture of a row.

    Raises:
        ValueError: If there is no picture of the row.
    """
    if row.name not in _PICTURES:
        raise ValueError(f"Expected a row with a picture, one of {', '.join(_PICTURES)}, got {row.name!r}.")
    return _PICTURES[row.name](row)


def write_pictures(rows: tuple[Row, ...], folder: str | Path) -> None:
    """Write `NAME.png` into a folder for every row."""
    for row in rows:
        _draw_row(row).save(Path(folder) / f"{row.name}.png", size=_SIZE, palette=True)


_PICTURES: dict[str, Callable[[Row], Picture]] = {
    "pixels": pixels(1),
    "volume": space(1),
    "plane_reflection": plane(2),
    "plane_rotations": plane(0),
    "pixels_quarter_turns": pixels(2),
    "plane_rotations_reflections": plane(1),
    "plane_square": plane(3),
    "space_rotations": space(0),
    "space_cube": space(0),
    "space_rotations_reflections": space(2),
    "space_quarter_turns": space(1),
    "space_square": space(1),
    "plane_polar": punctured([(0.95, 8), (1.78, 8)], [(1.36, 8), (2.0, 8)], 0.3, 0.2),
    "plane_log_polar": punctured([(0.5, 8), (1.5, 8)], [(0.9, 8), (2.0, 8)], 0.29, 0.2),
    "shells": shells,
    "line_scaling": line,
    "plane_scaling": scaled_frames(rotate=False),
    "plane_similarities": scaled_frames(rotate=True),
    "minkowski_plane": boosted,
    "minkowski_space": boosted_space,
    "minkowski_grid": boosted_pixels,
    "sphere_rotations": surface(lambda: SPHERE, 0.32, seed=1),
    "sphere_zonal": surface(lambda: SPHERE, 0.32, seed=1),
    "sphere_polar": polar_sphere,
    "icosahedron_hexagonal": icosahedron,
    "icosahedron_charts": icosahedron,
    "mesh": uneven(None),
    "mesh_crosses": uneven(combed),
    "mesh_frames": uneven(combed),
    "mobius_strip": strip,
    "hyperbolic_plane": hyperbolic,
    "hyperbolic_space": hyperbolic_space,
    "horocycles": horocyclic,
}

__all__ = ["write_pictures"]
