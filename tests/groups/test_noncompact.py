"""Groups that are not compact: closed, generated, with representations that are homomorphisms and intertwiners."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch

from gaugenet.groups import (
    O2,
    SO2,
    SO3,
    Cyclic,
    FieldType,
    GeneralLinear,
    Lorentz,
    PseudoOrthogonal,
    Scaling,
    SpecialLinear,
    group_from_name,
    intertwiners,
)
from tests.groups.cases import elements
from tests.tolerances import SOLVED, TOL, relative

EXACT = TOL[torch.float64]
PSEUDO = [PseudoOrthogonal(p, q, part=part) for p, q in [(1, 1), (1, 2), (2, 2)] for part in ("O", "SO", "SO+")]
LINEAR = [GeneralLinear(2), GeneralLinear(3), SpecialLinear(2), SpecialLinear(3)]
SCALINGS = [
    Scaling(1),
    Scaling(2),
    Scaling(2, period=2.5, rotations=SO2()),
    Scaling(2, rotations=Cyclic(4)),
    Scaling(3, rotations=SO3()),
]
GROUPS = [*PSEUDO, *LINEAR, *SCALINGS]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


@every_group
def test_products_inverses_and_names_stay_in_the_group(group):
    g, h = elements(group, 64), elements(group, 64, seed=1)
    for inside in (g @ h, torch.linalg.inv(g), group.identity(), group.generators(), g.float()):
        assert group.contains(inside).all()
    assert group.contains(torch.linalg.matrix_exp(0.7 * group.lie_algebra())).all()
    assert group.orientation_preserving == bool((torch.linalg.det(g) > 0).all())
    assert not group.contains(torch.full((group.d, group.d), torch.nan))
    assert not group.contains(torch.zeros(group.d, group.d))
    for same in (group_from_name(group.name, group.d), copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert same == group


def some_representations(group):
    found = [*group.irreps(2), group.standard()]
    found.append(found[-1].tensor(found[-2]))
    return found + ([group.irrep("dual")] if isinstance(group, GeneralLinear) else [])


@every_group
def test_representations_are_homomorphisms(group):
    g, h = elements(group, 16), elements(group, 16, seed=1)
    for rho in some_representations(group):
        assert relative(rho(g @ h), rho(g) @ rho(h)) < 10 * EXACT
        assert relative(rho(group.identity()), torch.eye(rho.dim, dtype=torch.float64)) < EXACT
        assert pickle.loads(pickle.dumps(rho)) == rho


@every_group
def test_intertwiners_commute_and_are_all(group):
    """All: the null space of the equations of many random elements is no larger."""
    representations = some_representations(group)
    g = elements(group, 24)
    for source in representations:
        for target in representations[-3:]:
            if source.dim * target.dim > 150:
                continue  # the equations of 24 elements take seconds
            maps = intertwiners(source, target)
            assert relative(target(g)[:, None] @ maps, maps @ source(g)[:, None]) < SOLVED * 100
            eye_in, eye_out = (torch.eye(r.dim, dtype=torch.float64) for r in (source, target))
            equations = torch.cat(
                [torch.kron(target(x), eye_in) - torch.kron(eye_out, source(x).mT.contiguous()) for x in g]
            )
            values = torch.linalg.svdvals(equations)
            assert len(maps) == int((values < 1e-9 * values[0].clamp(min=1)).sum()), (source, target)


def test_signs_tell_the_components_apart():
    time, space = (torch.diag(torch.tensor(s, dtype=torch.float64)) for s in ([-1.0, 1, 1], [1.0, 1, -1]))
    group = Lorentz(3, part="O")
    signs = {name: [float(group.irrep(name)(g)) for g in (time, space, time @ space)] for name in group.characters}
    assert signs == {"time": [-1, 1, -1], "space": [1, -1, -1], "det": [-1, -1, 1]}
    proper, connected = Lorentz(3), Lorentz(3, part="SO+")
    assert proper.contains(time @ space)
    assert not proper.contains(torch.stack([time, space])).any()
    assert not connected.contains(torch.stack([time, space, time @ space])).any()
    assert group.quotient(connected).dim == 4, "time reversed or not, space reflected or not"


def test_boosts_lie_in_the_group_and_rotations_of_time_do_not():
    group = Lorentz(3)
    for rapidity in (1.0, 4.0, 8.0):
        assert group.contains(group.boost(rapidity))
    rotation = torch.eye(3, dtype=torch.float64)
    rotation[0, 0] = rotation[2, 2] = math.cos(0.3)
    rotation[0, 2], rotation[2, 0] = math.sin(0.3), -math.sin(0.3)
    assert not group.contains(rotation)
    assert not group.contains(1.01 * group.boost(1.0))
    with pytest.raises(ValueError, match="a positive and a negative direction"):
        group.boost(1.0, (1, 2))


def test_traceless_tensors_are_harmonic_and_have_the_dimensions_of_the_compact_form():
    for group, expected in [(Lorentz(2), (2, 2, 2)), (Lorentz(3), (3, 5, 7)), (PseudoOrthogonal(2, 2), (4, 9))]:
        assert tuple(group.irrep(k + 1).dim for k in range(len(expected))) == expected
    v = torch.randn(3, dtype=torch.float64)
    rho, eta = PseudoOrthogonal(1, 2).irrep(2), torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    for k in range(rho.dim):
        hessian = torch.autograd.functional.hessian(lambda v, k=k: rho.polynomials(v)[k], v)
        assert hessian.abs().max() > 0.1
        assert (hessian.diagonal() * eta).sum().abs() < EXACT
    g = elements(rho.group, 5)
    assert relative(rho.polynomials(v @ g.mT), (rho(g) @ rho.polynomials(v))) < 10 * EXACT


def test_gl_has_no_invariant_inner_product_and_sl_two_has_an_area():
    for group, area in ((GeneralLinear(2), 0), (SpecialLinear(2), 1)):
        vector = group.standard()
        assert len(intertwiners(vector, group.irrep("dual"))) == area
        assert len(intertwiners(vector.tensor(vector), group.trivial())) == area
        assert len(intertwiners(vector.tensor(group.irrep("dual")), group.trivial())) == 1
    assert len(intertwiners(*2 * [GeneralLinear(3).standard()])) == 1


def test_frequencies_repeat_with_the_period():
    group = Scaling(2, period=4.0)
    rho = group.irrep("s3")
    eye = torch.eye(2, dtype=torch.float64)
    assert relative(rho(4 * eye), eye) < 10 * EXACT
    assert relative(rho(2 * eye), -eye) < 10 * EXACT
    assert not group.contains(-eye)
    assert Scaling(2, rotations=SO2()).contains(-3 * eye)


@every_group
def test_what_needs_a_compact_group_is_refused(group):
    for ask in (lambda: group.fourier(1), lambda: group.sphere(1), lambda: group.standard().decompose()):
        with pytest.raises(ValueError, match="not compact"):
            ask()
    with pytest.raises(ValueError, match="Unknown representation"):
        group.irrep("nonsense")


def test_arguments():
    for make, message in [
        (lambda: PseudoOrthogonal(0, 2), "positive integer"),
        (lambda: PseudoOrthogonal(1, 2, part="U"), "one of"),
        (lambda: GeneralLinear(1), "at least 2"),
        (lambda: Scaling(2, period=1.0), "above 1"),
        (lambda: Scaling(3, rotations=O2()), "acting on R\\^3"),
        (lambda: Scaling(2, rotations=GeneralLinear(2)), "compact group"),
        (lambda: group_from_name("SL(1)"), "Unknown structure group"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_field_types_turn():
    group = Lorentz(3)
    fields = FieldType(group, "2x0 + 1xtime + 2x1 + 1x2 + 1x(1⊗1)")
    x = torch.randn(4, fields.size, dtype=torch.float64)
    g, h = elements(group, 4), elements(group, 4, seed=1)
    assert relative(fields.transform(g @ h, x), fields.transform(g, fields.transform(h, x))) < 10 * EXACT
