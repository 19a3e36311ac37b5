"""Constructor calls as text: what `repr` writes is read back, and nothing else is run."""

from __future__ import annotations

import pytest

import gaugenet.data as data
from gaugenet.tasks.mesh.augmentation import build_augmentation
from gaugenet.tasks.mesh.data_options import DataOptions, subclasses_in
from gaugenet.tasks.training.expressions import build, build_all
from gaugenet.tasks.training.options import TaskError

FEATURES = subclasses_in(data, data.InputFeature)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_the_repr_of_every_feature_is_read_back(name):
    feature = FEATURES[name](data.HeatKernelSignature()) if name == "TangentGradient" else FEATURES[name]()
    assert repr(build(repr(feature), FEATURES)) == repr(feature)


def test_several_calls_nested_ones_and_bare_names():
    found = build_all("Positions, TangentGradient(of=HeatKernelSignature(), squash=False), Normals()", FEATURES)
    assert [type(f).__name__ for f in found] == ["Positions", "TangentGradient", "Normals"]
    assert found[1].squash is False
    assert build_all("", FEATURES) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Colour()", "Unknown 'Colour'"),
        ("__import__('os').system('true')", "plain values|Unknown"),
        ("Positions(normalize=open('x'))", "Unknown 'open'"),
        ("Positions(", "Could not read"),
        ("Positions(scale=3)", "Could not make"),
        ("Positions(normalize=1 + x)", "plain values"),
        ("TangentGradient(of=1)", "Expected a feature such as"),
        ("1", r"constructor calls such as \w+\(\), got 1"),
        ("'Positions()'", r"got 'Positions\(\)'"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(TaskError, match=message):
        build(text, FEATURES)


@pytest.mark.parametrize("feature", [data.ShapeOperator, "ShapeOperator()", 1], ids=repr)
def test_features_are_objects(feature):
    with pytest.raises(ValueError, match="Expected features such as `ShapeOperator"):
        data.InputFeatures([feature])


def test_augmentations_by_name_and_the_mirror_knows_the_features():
    options = DataOptions(augment="RandomRotation(axis='z'), RandomMirror(p=1.0)", random_gauge=True)
    features = options.input_features()
    moves, rotations = build_augmentation(options, features)
    assert [type(m).__name__ for m in moves] == ["RandomRotation", "RandomMirror"]
    assert moves[1].features is features
    assert [type(t).__name__ for t in rotations] == ["RandomGauge"]
    with pytest.raises(TaskError, match="Unknown 'RandomGauge'"):
        build_augmentation(DataOptions(augment="RandomGauge()"), features)


def test_options_survive_being_written_down():
    options = DataOptions(features="Positions()", noise=0.1, holdout="scape*")
    assert DataOptions.from_dict(options.as_dict()) == options
