"""2D-3D-S panoramas on an icosphere, and what is said of files that are not as published. Images are made here."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from gaugenet.data import IGNORE_LABEL, DataError, StanfordPanoramas
from gaugenet.data.images.panoramas import CLASSES
from gaugenet.geometry import Icosphere

SPHERE = Icosphere(3)
HEIGHT, WIDTH = 64, 128
NAMES = ["<UNK>_0_<UNK>_0_0", *[f"{name}_1_office_1_1" for name in reversed(CLASSES)], *["chair_2_office_1_1"] * 300]
STEM = "camera_00d10d86db1e435081a837ced388375f_office_24_frame_equirectangular_domain_"


def directions() -> np.ndarray:
    """Where pixels look: up is +z, the middle column looks along +x, and left of it is +y."""
    polar = (np.arange(HEIGHT) + 0.5) * np.pi / HEIGHT
    azimuth = np.pi - (np.arange(WIDTH) + 0.5) * 2 * np.pi / WIDTH
    polar, azimuth = np.meshgrid(polar, azimuth, indexing="ij")
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)


def colors(index: np.ndarray) -> np.ndarray:
    return np.stack([index >> 16, (index >> 8) % 256, index % 256], -1).astype(np.uint8)


def write(root, *, area="area_1", **changed):
    """An area with one panorama whose color is the direction, whose depth is 3 + z metres, whose labels are caps."""
    d = directions()
    index = np.where(d[..., 2] > 0.5, 10, np.where(d[..., 0] > 0.5, 313, 0))
    images = {
        "rgb": np.round(127.5 * (1 + d)).astype(np.uint8),
        "depth": np.round(512 * (3 + d[..., 2])).astype(np.uint16),
        "semantic": colors(np.where(d[..., 2] < -0.5, 0x0D0D0D, index)),
    }
    for domain, image in {**images, **changed}.items():
        folder = root / area / "pano" / domain
        folder.mkdir(parents=True, exist_ok=True)
        if image is not None:
            Image.fromarray(image).save(folder / f"{STEM}{domain}.png")
    (root / "assets").mkdir(exist_ok=True)
    (root / "assets" / "semantic_labels.json").write_text(json.dumps(NAMES))
    return root


def test_colors_depths_and_labels_are_those_of_the_directions(tmp_path):
    (panorama,) = StanfordPanoramas(write(tmp_path), SPHERE)
    pos = SPHERE.pos
    assert panorama.name == "area_1/camera_00d10d86db1e435081a837ced388375f_office_24"
    assert panorama.x.shape == (4, 642)
    assert panorama.x.dtype == torch.float32
    found = 2 * panorama.rgb.T.double() - 1
    assert (found - pos).abs().max() < 0.02
    mirrored = pos * torch.tensor([1.0, -1.0, 1.0])
    assert (found - mirrored).abs().max() > 1, "control: the view from outside"
    assert (panorama.depth - 3 - pos[:, 2]).abs().max() < 0.01
    assert panorama.has_depth.all()
    for inside, label in ((pos[:, 2] > 0.55, 3), (pos[:, 2] < -0.55, IGNORE_LABEL), (pos[:, 0] > 0.9, 4)):
        assert (panorama.labels[inside] == label).all()
    assert (panorama.labels[(pos[:, 0] < -0.9)] == IGNORE_LABEL).all(), "<UNK>"
    assert CLASSES[3] == "ceiling"
    assert CLASSES[4] == "chair"


def test_readers_travel_to_workers(tmp_path):
    panoramas = StanfordPanoramas(write(tmp_path), SPHERE)
    first = panoramas[0]
    assert torch.equal(pickle.loads(pickle.dumps(panoramas))[0].x, first.x)


def test_missing_depth_is_not_mixed_with_what_is_known(tmp_path):
    depth = np.full((HEIGHT, WIDTH), 1024, np.uint16)
    depth[HEIGHT // 2 :] = 65535
    depth[::7, ::5] = 65535
    (panorama,) = StanfordPanoramas(write(tmp_path, depth=depth), SPHERE)
    z, known = SPHERE.pos[:, 2], panorama.has_depth
    assert not known[z < -0.05].any()
    assert known[z > 0.05].float().mean() > 0.9
    assert (panorama.depth[known] - 2).abs().max() < 1e-5
    assert (panorama.depth[~known] == 0).all()


def test_areas_are_chosen_and_sorted(tmp_path):
    for area in ("area_5b", "area_2", "area_5a"):
        write(tmp_path, area=area)
    assert [p.name[:7] for p in StanfordPanoramas(tmp_path, SPHERE)] == ["area_2/", "area_5a", "area_5b"]
    assert len(StanfordPanoramas(tmp_path, SPHERE, areas=("5a", "5b"))) == 2
    with pytest.raises(DataError, match="area_3"):
        StanfordPanoramas(tmp_path, SPHERE, areas=("2", "3"))


def test_missing_partners_are_named(tmp_path):
    write(tmp_path, depth=None)
    with pytest.raises(DataError, match=f"pano/depth/{STEM}depth.png"):
        StanfordPanoramas(tmp_path, SPHERE)
    (write(tmp_path) / "assets" / "semantic_labels.json").unlink()
    with pytest.raises(DataError, match=r"semantic_labels\.json"):
        StanfordPanoramas(tmp_path, SPHERE)


SMALL = np.zeros((32, 64), np.uint16)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"depth": SMALL}, r"depth\.png: expected 128 x 64 pixels as in the color image, got 64 x 32"),
        ({"semantic": colors(SMALL.astype(int))}, r"semantic\.png: expected 128 x 64 pixels"),
        (
            {"rgb": np.zeros((64, 64, 3), np.uint8)},
            r"rgb\.png: expected a panorama, twice as wide as high, got 64 x 64",
        ),
        ({"depth": np.zeros((64, 128), np.uint8)}, r"depth\.png: expected pixels of kind I;16 or I, got L"),
        ({"semantic": np.zeros((64, 128), np.uint8)}, r"semantic\.png: expected pixels of kind RGB"),
        (
            {"semantic": colors(np.full((64, 128), 314))},
            r"semantic\.png: label 314 in 8192 pixels, but .*has 314 names",
        ),
    ],
)
def test_images_of_another_kind_are_named(tmp_path, changed, message):
    panoramas = StanfordPanoramas(write(tmp_path, **changed), SPHERE)
    with pytest.raises(DataError, match=message):
        panoramas[0]


def test_truncated_images_are_named(tmp_path):
    panoramas = StanfordPanoramas(write(tmp_path), SPHERE)
    path = tmp_path / "area_1" / "pano" / "semantic" / f"{STEM}semantic.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"semantic\.png: cannot be read as an image"):
        panoramas[0]


@pytest.mark.parametrize(
    "text, message",
    [("[", "list of names as JSON"), ("{}", "got dict"), ('["lamp_1_office_1_1"]', "unknown classes lamp")],
)
def test_unusable_label_names_are_refused(tmp_path, text, message):
    (write(tmp_path) / "assets" / "semantic_labels.json").write_text(text)
    with pytest.raises(DataError, match=message):
        StanfordPanoramas(tmp_path, SPHERE)
