"""StanfordPanoramas: color, depth and semantic labels of the 2D-3D-S panoramas at the vertices of an icosphere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from torch import Tensor

from gaugenet._caching import BoundedCache
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.regrid import bilinear_matrix, nearest_cells
from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError
from gaugenet.geometry.icosphere.icosphere import Icosphere

CLASSES = (
    "beam", "board", "bookcase", "ceiling", "chair", "clutter", "column", "door", "floor", "sofa", "table", "wall",
    "window",
)  # fmt: skip
"""The classes of 2D-3D-S; labels are indices into it."""

FOLDS = (("5a", "5b"), ("2", "4"), ("1", "3", "6"))
"""Test areas of each of the three folds of the published protocol; the other areas are for training."""

UNITS_PER_METRE = 512
_MISSING_DEPTH = 2**16 - 1
_MISSING_LABEL = 0x0D0D0D
_LABEL_FILE = "semantic_labels.json"
_UNKNOWN = "<UNK>"
_ENDING = "_frame_equirectangular_domain_"


@dataclass(frozen=True)
class Panorama:
    """A panorama at the V vertices of an icosphere.

    Attributes:
        name: `area_1/camera_UUID_ROOM`.
        rgb: `(3, V)` in [0, 1].
        depth: `(V,)` distance from the camera in metres, 0 where it is not known.
        has_depth: `(V,)` whether the depth is known.
        labels: `(V,)` int64, indices into `CLASSES`, `IGNORE_LABEL` where missing or unknown.
    """

    name: str
    rgb: Float[Tensor, "3 vertices"]
    depth: Float[Tensor, "vertices"]
    has_depth: Bool[Tensor, "vertices"]
    labels: Int[Tensor, "vertices"]

    @property
    def x(self) -> Float[Tensor, "4 vertices"]:
        """Color and depth: four scalars, `"4x0"`."""
        return torch.cat([self.rgb, self.depth[None]])


class StanfordPanoramas(Sequence[Panorama]):
    """The equirectangular images of 2D-3D-S :cite:`armeni2017joint`, each read when it is indexed.

    The layout is the one of the published data: `area_*/pano/{rgb,depth,semantic}/` with files called
    `camera_UUID_ROOM_frame_equirectangular_domain_{rgb,depth,semantic}.png`, and `semantic_labels.json` in `root` or
    `root/assets`. Depth is in units of 1/512 m, 65535 where missing; the color of a semantic image is an index into
    `semantic_labels.json`, 0x0D0D0D where missing.

    Up is +z. The middle of the image is at longitude 0 and its left half at positive longitudes: the sphere seen from
    its centre, without reflection. Color and depth are interpolated bilinearly. Depth uses only known pixels, and is
    unknown if these have less than half of the weight. Labels come from the nearest pixel.

    Args:
        root: the folder of the areas.
        sphere: the icosphere at whose vertices the images are sampled.
        areas: e.g. `("1", "5a")`; by default all areas in the folder.

    Raises:
        DataError: If there are no panoramas, a depth or semantic image is missing, or label names are missing or
            invalid. When a panorama is read: if an image cannot be read, is not a 2:1 panorama, or has another size,
            another pixel format, or unknown labels. The message names the file.
    """

    def __init__(self, root: str | Path, sphere: Icosphere, *, areas: Sequence[str] | None = None) -> None:
        self.root, self.sphere = Path(root), sphere
        self.paths = _find(self.root, areas)
        self._label_file = _label_file(self.root)
        self._class_of = _classes(self._label_file)
        self._samplings: BoundedCache[tuple[csr_array, ndarray]] = BoundedCache()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Panorama:  # type: ignore[override]
        path = self.paths[index]
        rgb = _read(path, ("RGB", "RGBA"))
        height, width = rgb.shape[:2]
        if width != 2 * height:
            raise DataError(f"{path}: expected a panorama, twice as wide as high, got {width} x {height} pixels.")
        bilinear, nearest = self._sampling(height, width)
        depth, has_depth = _known_depth(_read(_partner(path, "depth"), ("I;16", "I"), (height, width)), bilinear)
        return Panorama(
            name=f"{path.parents[2].name}/{path.name.partition(_ENDING)[0]}",
            rgb=torch.from_numpy((bilinear @ (_row(rgb[..., :3]) / np.float32(255))).T.astype(np.float32)),
            depth=torch.from_numpy(depth),
            has_depth=torch.from_numpy(has_depth),
            labels=torch.from_numpy(self._labels(_partner(path, "semantic"), (height, width))[nearest]),
        )

    def _labels(self, path: Path, size: tuple[int, int]) -> Int[ndarray, "pixels"]:
        color = _row(_read(path, ("RGB", "RGBA"), size)[..., :3]).astype(np.int64)
        index = color @ np.array([2**16, 2**8, 1])
        missing = index == _MISSING_LABEL
        if wrong := index[~missing & (index >= len(self._class_of))].tolist():
            raise DataError(
                f"{path}: label {wrong[0]} in {len(wrong)} pixels, but {self._label_file} has {len(self._class_of)} "
                "names: check that the file belongs to this data, and that the image is in `semantic`, not "
                "`semantic_pretty`."
            )
        return np.where(missing, IGNORE_LABEL, self._class_of[np.where(missing, 0, index)])

    def _sampling(self, height: int, width: int) -> tuple[csr_array, Int[ndarray, "vertices"]]:
        """Return bilinear weights and nearest pixels of images in the order of `_row`; cached for each size."""

        def sampling() -> tuple[csr_array, Int[ndarray, "vertices"]]:
            lat = 90 - (np.arange(height) + 0.5) * 180 / height
            grid = LatLonGrid(lat, (np.arange(width) + 0.5) * 360 / width - 180)
            points = self.sphere.pos.numpy()
            return bilinear_matrix(grid, points), nearest_cells(grid, points)

        return self._samplings.get((height, width), sampling)


def _find(root: Path, areas: Sequence[str] | None) -> list[Path]:
    """Return the color images, each with its depth and semantic image."""
    found = []
    for area in ["*"] if areas is None else areas:
        images = sorted(root.glob(f"area_{area}/pano/rgb/*{_ENDING}rgb.png"))
        if not images:
            raise DataError(f"No panoramas {root / f'area_{area}'}/pano/rgb/camera_*{_ENDING}rgb.png.")
        found += images
    missing = [p for path in found for p in (_partner(path, "depth"), _partner(path, "semantic")) if not p.is_file()]
    if missing:
        raise DataError(
            f"No file {missing[0]}, which belongs to a color image ({len(missing)} such files are missing)."
        )
    return found


def _partner(path: Path, domain: str) -> Path:
    return path.parents[1] / domain / (path.name.removesuffix("rgb.png") + f"{domain}.png")


def _label_file(root: Path) -> Path:
    for path in (root / _LABEL_FILE, root / "assets" / _LABEL_FILE):
        if path.is_file():
            return path
    raise DataError(f"No file {root / _LABEL_FILE}, nor in {root / 'assets'}: it is part of the tools of 2D-3D-S.")


def _classes(path: Path) -> Int[ndarray, "names"]:
    """Return the class of each name of the label file, such as `chair_3_office_12_1`."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a list of names as JSON ({error}).") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: expected a list of names as JSON, got {type(names).__name__}.")
    number = {_UNKNOWN: IGNORE_LABEL, **{name: k for k, name in enumerate(CLASSES)}}
    classes = [name.split("_")[0] for name in names]
    if unknown := sorted(set(classes) - set(number)):
        raise DataError(f"{path}: unknown classes {', '.join(unknown)}: expected {', '.join(CLASSES)} or {_UNKNOWN}.")
    return np.array([number[name] for name in classes], dtype=np.int64)


def _read(path: Path, modes: tuple[str, ...], size: tuple[int, int] | None = None) -> ndarray:
    """Read pixels `(H, W)` or `(H, W, channels)`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode, pixels = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error}).") from error
    if mode not in modes:
        raise DataError(f"{path}: expected pixels of kind {' or '.join(modes)}, got {mode}.")
    if size is not None and pixels.shape[:2] != size:
        raise DataError(
            f"{path}: expected {size[1]} x {size[0]} pixels as in the color image, got {pixels.shape[1]} x "
            f"{pixels.shape[0]}."
        )
    return pixels


def _row(image: ndarray) -> ndarray:
    """Return pixels in the order of the grid: mirrored, since longitude falls to the right when seen from inside."""
    return image[:, ::-1].reshape(-1, *image.shape[2:])


def _known_depth(
    image: Int[ndarray, "height width"], bilinear: csr_array
) -> tuple[Float[ndarray, "vertices"], Bool[ndarray, "vertices"]]:
    raw = _row(image)
    known = (raw != _MISSING_DEPTH).astype(np.float64)
    weight = bilinear @ known
    total = bilinear @ (raw * known / UNITS_PER_METRE)
    has_depth = weight >= 0.5
    return np.divide(total, weight, out=np.zeros_like(total), where=has_depth).astype(np.float32), has_depth
