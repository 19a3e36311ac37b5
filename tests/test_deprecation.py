"""Names of version 0.1 still work: each warns and is the new object; run files written with them are read."""

from __future__ import annotations

import importlib
import warnings

import pytest

from gaugenet._deprecation import RENAMED, current_name, renamed_arguments
from gaugenet.geometry import Sphere
from gaugenet.tasks.mesh.data_options import DataOptions
from gaugenet.taxonomy import row
from gaugenet.viz import SurfacePicture

FORMER_FEATURE = ("Valence", "VertexDegree")
PAIRS = [(package, old, new) for package, names in RENAMED.items() for old, new in names.items()]


@pytest.mark.parametrize(("package", "old", "new"), PAIRS)
def test_a_former_name_warns_and_is_the_new_object(package, old, new):
    module = importlib.import_module(package)
    with pytest.warns(DeprecationWarning, match=f"`{package}.{old}` is now called `{new}`"):
        found = getattr(module, old)
    assert found is getattr(module, new)
    assert new in module.__all__
    assert old not in module.__all__, "control: only the new name is public"


@pytest.mark.parametrize("package", RENAMED)
def test_new_names_do_not_warn_and_unknown_ones_are_attribute_errors(package):
    module = importlib.import_module(package)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in module.__all__:
            getattr(module, name)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_features_in_run_files_may_have_their_former_names():
    old, new = (DataOptions(features=f"{name}(low=3), TangentAxes()").input_features() for name in FORMER_FEATURE)
    assert repr(old) == repr(new)
    assert "VertexDegree(low=3" in repr(old)


def test_current_names_leave_others_alone():
    assert current_name("gaugenet.data", "Valence") == "VertexDegree"
    assert current_name("gaugenet.data", "Curvatures") == "Curvatures"


def test_former_arguments_warn_and_do_the_same():
    with pytest.warns(DeprecationWarning, match="`place` .* is now called `immersion`"):
        old = SurfacePicture(Sphere(2), place=lambda p: 2 * p)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        new = SurfacePicture(Sphere(2), immersion=lambda p: 2 * p)
    assert (old.surface.mesh.vertices == new.surface.mesh.vertices).all()


def test_an_argument_by_both_of_its_names_is_refused():
    @renamed_arguments(before="after")
    def twice(*, after: int) -> int:
        return 2 * after

    assert twice(after=2) == 4
    with pytest.raises(TypeError, match="got `after` twice: leave out its former name `before`"):
        twice(after=2, before=2)


def test_former_attributes_warn_and_are_the_new_ones():
    entry = row("sphere_rotations")
    with pytest.warns(DeprecationWarning, match="`Row.keeps` is now called `example_symmetry`"):
        assert entry.keeps is entry.example_symmetry
    with pytest.warns(DeprecationWarning, match="`Row.breaks` is now called `counterexample`"):
        assert entry.breaks is entry.counterexample
