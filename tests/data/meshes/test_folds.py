"""Folds are a partition that keeps groups together, is balanced, and depends on names and seed alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaugenet.data import DataError, LabelledMeshFolder, group_names, split_folds, split_fractions
from tests.tasks.mesh.meshes import ellipsoid, write_obj

few = settings(deadline=None, max_examples=60)
patients = st.lists(st.integers(1, 5), min_size=4, max_size=12).map(
    lambda counts: [f"patient_{p}_scan{k}" for p, n in enumerate(counts) for k in range(n)]
)
plain = st.sets(st.text("abcdef", min_size=1, max_size=6), min_size=8, max_size=40).map(sorted)


@few
@given(patients, st.integers(2, 4), st.integers(0, 5))
def test_every_mesh_is_in_one_fold_and_no_group_in_two(names, folds, seed):
    chosen = split_folds(names, folds, group="patient_*", seed=seed)
    assert chosen.shape == (len(names),)
    assert set(chosen) == set(range(folds)), "no fold is empty"
    of_patient: dict[str, set[int]] = {}
    for name, fold in zip(names, chosen):
        of_patient.setdefault(name.rsplit("_", 1)[0], set()).add(int(fold))
    assert all(len(found) == 1 for found in of_patient.values())
    sizes, largest = np.bincount(chosen), max(Counter(n.rsplit("_", 1)[0] for n in names).values())
    assert sizes.max() - sizes.min() <= largest


@few
@given(plain, st.integers(2, 5), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_names_does_not_matter_and_the_seed_does(names, folds, seed, random):
    by_name = dict(zip(names, split_folds(names, folds, seed=seed)))
    mixed = random.sample(names, len(names))
    assert dict(zip(mixed, split_folds(mixed, folds, seed=seed))) == by_name
    others = [split_folds(names, folds, seed=100 + k) for k in range(8)]
    assert any(dict(zip(names, other)) != by_name for other in others)


@few
@given(plain, st.integers(2, 5), st.integers(1, 4), st.integers(0, 5))
def test_sizes_and_classes_differ_by_one_mesh_at_most(names, folds, classes, seed):
    labels = np.random.default_rng(seed).integers(0, classes, len(names))
    chosen = split_folds(names, folds, labels=labels.tolist(), seed=seed)
    for k in range(classes):
        count = np.bincount(chosen[labels == k], minlength=folds)
        assert count.max() - count.min() <= 1
    count = np.bincount(split_folds(names, folds, seed=seed), minlength=folds)
    assert count.max() - count.min() <= 1


def test_control_without_classes_and_groups_neither_is_kept():
    names = [f"patient_{p}_scan{k}" for p in range(10) for k in range(4)]
    chosen = split_folds(names, 5)
    assert any(len(set(chosen[4 * p : 4 * p + 4])) > 1 for p in range(10))
    labels = np.repeat([0, 1], 20)
    counts = np.bincount(chosen[labels == 0], minlength=5)
    assert counts.max() - counts.min() > 1


@few
@given(patients, st.integers(0, 5))
def test_parts_by_fractions_keep_groups_together(names, seed):
    part = split_fractions(sorted(names), (0.6, 0.2, 0.2), group="patient_*", seed=seed)
    by_patient: dict[str, set[int]] = {}
    for name, k in zip(sorted(names), part):
        by_patient.setdefault(name.rsplit("_", 1)[0], set()).add(int(k))
    assert all(len(found) == 1 for found in by_patient.values())
    assert set(part) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("patient_*", ["patient_07", "patient_07", "patient_8"]),
        ("*", ["patient", "patient", "patient"]),
        ("patient_?7", None),
        (r"patient_(\d+)", ["07", "07", "8"]),
        (r"_\d+", ["_07", "_07", "_8"]),
        ("patient_0*, patient_8*", ["patient_07", "patient_07", "patient_8"]),
        ("patient_[0-9]*", ["patient_07", "patient_07", "patient_8"]),
        (lambda name: name[-1], ["l", "r", "l"]),
    ],
)
def test_patterns_tell_groups(group, expected):
    names = ["patient_07_l", "patient_07-r", "patient_8.l"]
    if expected is None:
        with pytest.raises(DataError, match="does not match 1 of 3 names, such as patient_8"):
            group_names(names, group)
    else:
        assert group_names(names, group) == expected


def test_a_glob_is_not_a_regular_expression():
    assert group_names(["a.b_1", "a.b_2"], "a.b") == ["a.b", "a.b"]
    with pytest.raises(DataError, match="matches none of the 1 names, such as axb"):
        group_names(["axb"], "a.b")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"folds": 1}, "at least 2 `folds`"),
        ({"folds": 9}, "the 6 meshes cannot be split into 9 folds"),
        ({"folds": 3, "group": "p*"}, "2 groups of 6 meshes cannot be split into 3 folds"),
        ({"folds": 2, "group": "x*"}, "matches none"),
        ({"folds": 2, "group": "p0*"}, "does not match 3 of 6 names"),
        ({"folds": 2, "group": "(p"}, "regular expression"),
        ({"folds": 2, "labels": [0]}, "one label for each of the 6 names, got 1"),
    ],
    ids=str,
)
def test_bad_input_is_named(arguments, words):
    names = [f"p{k}_{m}" for k in range(2) for m in "abc"]
    with pytest.raises(ValueError, match=words):
        split_folds(names, **arguments)
    with pytest.raises(ValueError, match="more than once"):
        split_folds(["a", "a", "b"], 2)
    with pytest.raises(ValueError, match="sum 1"):
        split_fractions(names, (0.5, 0.6))


def test_a_folder_split_at_random_keeps_groups_together(tmp_path):
    vertices, faces, labels = ellipsoid(0)
    for patient in range(6):
        for scan in "ab":
            write_obj(tmp_path / f"p{patient}_{scan}.obj", vertices, faces)
            np.save(tmp_path / f"p{patient}_{scan}.npy", labels)
    parts = {
        split: {name.split("_")[0] for name in LabelledMeshFolder(tmp_path, split, group="p*").names}
        for split in ("train", "val", "test")
    }
    assert sum(map(len, parts.values())) == 6
    alone = [{n.split("_")[0] for n in LabelledMeshFolder(tmp_path, s).names} for s in ("train", "val", "test")]
    assert sum(map(len, alone)) > 6, "control"
