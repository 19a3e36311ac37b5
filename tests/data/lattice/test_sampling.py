"""Sampling of lattice gauge fields: exact plaquettes, two algorithms that agree, reversibility, resumed runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import ive

from gaugenet.data import BinnedMean, HeatBath, HybridMonteCarlo, LatticeSampler, binned_mean
from gaugenet.data.lattice._local_updates import sweep
from gaugenet.groups import SU, U1, Cyclic, U

SIGMAS = 4.5
"""Allowed distance of a mean from the exact value, in errors: one of 10^5 tests fails by chance."""


def exact_plaquette(group, beta: float, volume: int) -> float:
    """Of a torus in two dimensions: Z is the sum over irreps of (c_r / d_r)^V, the plaquette d ln Z / (V d beta).

    c_r / d_r is I_n(beta) for the charge n of U(1), and 2 I_n(beta) / beta for the dimension n of SU(2).
    """
    n = np.arange(-60, 61) if group == U1() else np.arange(1, 61)
    value, slope = ive(n, beta), (ive(n - 1, beta) + ive(n + 1, beta)) / 2
    rate = slope / value - (0 if group == U1() else 1 / beta)
    weight = (value / value.max()) ** volume
    return float((weight * rate).sum() / weight.sum())


def test_the_exact_plaquette_of_a_large_torus_is_the_ratio_of_bessel_functions():
    for beta in (0.5, 2.0, 5.0):
        assert exact_plaquette(U1(), beta, 400) == pytest.approx(ive(1, beta) / ive(0, beta), abs=1e-9)
        assert exact_plaquette(SU(2), beta, 400) == pytest.approx(ive(2, beta) / ive(1, beta), abs=1e-9)


@pytest.mark.parametrize("sampler", [HeatBath, HybridMonteCarlo])
@pytest.mark.parametrize(
    ("group", "beta"), [*((U1(), beta) for beta in (0.1, 1.0, 2.5)), *((SU(2), beta) for beta in (0.1, 1.0, 2.5, 6.0))]
)
def test_plaquettes_in_two_dimensions_are_exact(sampler, group, beta):
    """Small and large couplings, where other branches of the heat bath run; on 8 x 8, four chains."""
    chain = sampler(group, (8, 8), beta, chains=4, seed=3)
    chain.update(30)
    found = binned_mean(chain.measure(250))
    exact = exact_plaquette(group, beta, 64)
    assert abs(found.mean - exact) < SIGMAS * found.error, (found, exact)
    assert found.error < 0.01
    assert abs(found.mean - 1.1 * exact) > SIGMAS * found.error or exact < 0.1  # control


def test_a_small_torus_is_not_a_large_one():
    """On 3 x 3 at large beta the sum over charges matters, and the sampler finds it."""
    chain = HeatBath(U1(), (3, 3), 4.0, chains=16, seed=1, overrelaxation=0)
    chain.update(30)
    found = binned_mean(chain.measure(600))
    exact = exact_plaquette(U1(), 4.0, 9)
    assert abs(found.mean - exact) < SIGMAS * found.error
    assert abs(found.mean - ive(1, 4.0) / ive(0, 4.0)) > 2 * SIGMAS * found.error  # control


@pytest.mark.parametrize(("group", "shape", "beta"), [(SU(3), (4, 4, 4), 6.0), (SU(3), (3, 3, 3, 3), 5.0)], ids=str)
def test_heat_bath_and_hybrid_monte_carlo_agree(group, shape, beta):
    """Two algorithms that share no update; a biased action (other beta) is told apart."""
    means = []
    for chain in (
        HeatBath(group, shape, beta, chains=2, seed=1, overrelaxation=2),
        HybridMonteCarlo(group, shape, beta, chains=2, seed=2, steps=12),
        HeatBath(group, shape, 1.1 * beta, chains=2, seed=1),
    ):
        chain.update(40)
        means.append(binned_mean(chain.measure(80)))
    first, second, biased = means
    assert abs(first.mean - second.mean) < SIGMAS * math.hypot(first.error, second.error)
    assert abs(first.mean - biased.mean) > SIGMAS * math.hypot(first.error, biased.error)


@pytest.mark.parametrize("group", [U1(), SU(2)], ids=str)
def test_plaquettes_at_strong_coupling_in_four_dimensions(group):
    """The character expansion: P = u + 2 (d - 2) u^5 + ..., where u is the plaquette in two dimensions.

    The five other faces of a cube close a plaquette, and each plaquette is a face of 2 (d - 2) cubes.
    """
    beta = {U1(): 0.6, SU(2): 1.2}[group]
    u = ive(1, beta) / ive(0, beta) if group == U1() else ive(2, beta) / ive(1, beta)
    chain = HeatBath(group, (5, 5, 5, 5), beta, chains=2, seed=4, overrelaxation=0)
    chain.update(10)
    found = binned_mean(chain.measure(250))
    expected, next_order = u + 4 * u**5, 20 * u**7
    assert abs(found.mean - expected) < SIGMAS * found.error + next_order, (found, expected)
    assert abs(found.mean - u) > SIGMAS * found.error  # control: two dimensions


@pytest.mark.long
def test_published_plaquettes_in_four_dimensions():
    """SU(3) at beta = 6.0: 0.5937 on large lattices; measured on 8^4 within errors and the finite size below 1e-3."""
    chain = HeatBath(SU(3), (8, 8, 8, 8), 6.0, seed=1, start="cold", overrelaxation=2)
    chain.update(60)
    found = binned_mean(chain.measure(100))
    assert abs(found.mean - 0.5937) < SIGMAS * found.error + 5e-4, found


@pytest.mark.parametrize("integrator", ["omelyan", "leapfrog"])
@pytest.mark.parametrize("group", [U1(), SU(2), SU(3), SU(4)], ids=str)
def test_trajectories_are_reversible_and_remain_in_the_group(group, integrator):
    chain = HybridMonteCarlo(group, (4, 4, 4), 3.0, seed=5, steps=7, integrator=integrator)
    start, momenta = chain._links[0].copy(), chain.momenta(0)
    links, p = start.copy(), momenta.copy()
    chain.integrate(links, p, 3.0)
    assert np.abs(links - start).max() > 0.1
    assert group.distance(torch.from_numpy(links)).max() < 1e-12
    p *= -1
    chain.integrate(links, p, 3.0)
    assert np.abs(links - start).max() < 1e-11
    assert np.abs(p + momenta).max() < 1e-11


@pytest.mark.parametrize("integrator", ["omelyan", "leapfrog"])
def test_the_energy_error_falls_with_the_square_of_the_step(integrator):
    """A wrong force would leave an error that does not fall."""
    changes = []
    for steps in (10, 20, 40):
        chain = HybridMonteCarlo(SU(3), (4, 4), 5.0, chains=8, seed=2, steps=steps, integrator=integrator)
        chain.update()
        changes.append(np.abs(chain.energy_changes).mean())
    ratios = [changes[0] / changes[1], changes[1] / changes[2]]
    assert all(3.0 < ratio < 5.5 for ratio in ratios), ratios


def test_the_omelyan_integrator_conserves_more_energy():
    errors = {}
    for integrator in ("omelyan", "leapfrog"):
        chain = HybridMonteCarlo(SU(2), (6, 6), 4.0, chains=8, seed=2, steps=10, integrator=integrator)
        chain.update()
        errors[integrator] = np.abs(chain.energy_changes).mean()
    assert errors["omelyan"] < errors["leapfrog"] / 4


def test_the_mean_of_exp_minus_dh_is_one():
    """In equilibrium, also with steps so coarse that trajectories are rejected."""
    chain = HybridMonteCarlo(U1(), (6, 6), 2.0, chains=16, seed=4, steps=4, length=2.0, integrator="leapfrog")
    chain.update(50)
    values = []
    for _ in range(200):
        chain.update()
        values.append(np.exp(-chain.energy_changes))
    found = binned_mean(np.array(values))
    assert 0.2 < chain.acceptance < 0.95
    assert abs(found.mean - 1) < SIGMAS * found.error
    assert np.array(values).std() > 0.1  # control: it is not one by itself


def test_momenta_have_the_energy_of_their_number():
    chain = HybridMonteCarlo(SU(3), (32, 32), 1.0)
    p = chain.momenta(0)
    kinetic = -np.einsum("xmij,xmji->xm", p, p).real
    assert kinetic.mean() == pytest.approx(4, rel=0.1)  # eight coefficients, one half each
    assert np.abs(p + p.conj().swapaxes(-1, -2)).max() < 1e-14


@pytest.mark.parametrize("group", [U1(), SU(2), SU(3)], ids=str)
def test_overrelaxation_leaves_the_action_and_moves_the_links(group):
    chain = HeatBath(group, (4, 4, 4), 2.0, overrelaxation=1)
    chain.update(3)
    before = chain.field
    sweep(chain._links[0], chain._table, 2.0, False, chain._rng[0])
    after = chain.field
    assert abs(after.action(2.0) - before.action(2.0)) < 1e-9
    assert (after.links - before.links).abs().max() > 0.5
    sweep(chain._links[0], chain._table, 2.0, True, chain._rng[0])
    assert abs(chain.field.action(2.0) - before.action(2.0)) > 1e-3  # control: the heat bath does not


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: HeatBath(SU(2), (4, 5), [1.0, 2.0], chains=2, seed=7, overrelaxation=2),
        lambda: HybridMonteCarlo(U1(), (4, 5), 2.0, chains=2, seed=7, steps=3),
    ],
)
def test_resumed_runs_are_uninterrupted_runs(make, suffix, tmp_path):
    pytest.importorskip("xarray")
    whole, first = make(), make()
    whole.update(9)
    first.update(4)
    first.save(tmp_path / f"run{suffix}")
    resumed = LatticeSampler.load(tmp_path / f"run{suffix}")
    assert type(resumed) is type(first)
    resumed.update(5)
    assert torch.equal(resumed.links, whole.links)
    assert resumed.updates == 9
    other = make()
    other.update(8)
    assert not torch.equal(other.links, whole.links)  # control


def test_chains_are_independent_of_their_number_and_differ():
    one, many = (HeatBath(SU(2), (4, 4), 2.0, chains=n, seed=1) for n in (1, 3))
    one.update(2)
    many.update(2)
    assert torch.equal(one.links[0], many.links[0])
    assert not torch.equal(many.links[0], many.links[1])
    seeded = HeatBath(SU(2), (4, 4), 2.0, seed=2)
    seeded.update(2)
    assert not torch.equal(one.links, seeded.links)


def test_long_runs_remain_in_the_group():
    chain = HeatBath(SU(3), (3, 3), 5.0, overrelaxation=2)
    chain.update(300)
    assert SU(3).distance(chain.links).max() < 1e-12


def autoregressive(tau: float, count: int, chains: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = math.exp(-1 / tau)
    x = [rng.standard_normal(chains)]
    for _ in range(count - 1):
        x.append(a * x[-1] + math.sqrt(1 - a * a) * rng.standard_normal(chains))
    return np.array(x)


def test_binning_finds_the_error_of_a_correlated_series():
    """The variance of the mean of an autoregressive process is 2 tau_int / n, tau_int = coth(1 / (2 tau)) / 2."""
    tau, count = 5.0, 40_000
    found = binned_mean(autoregressive(tau, count, 2))
    time = 0.5 / math.tanh(0.5 / tau)
    expected = math.sqrt(2 * time / (2 * count))
    assert found.error == pytest.approx(expected, rel=0.25)
    assert found.autocorrelation == pytest.approx(time, rel=0.5)
    independent = binned_mean(np.random.default_rng(1).standard_normal(10_000))
    assert independent.error == pytest.approx(0.01, rel=0.2)
    assert str(BinnedMean(0.5, 0.01, 1.0, 4)) == "0.500000 ± 0.010000"


def test_arguments():
    for make, message in [
        (lambda: HeatBath(SU(2), (2, 4), 1.0), "at least 3"),
        (lambda: HeatBath(SU(2), (4, 4), -1.0), "not negative"),
        (lambda: HeatBath(SU(2), (4, 4), math.nan), "finite"),
        (lambda: HeatBath(Cyclic(4), (4, 4), 1.0), r"SU\(N\)"),
        (lambda: HeatBath(U(2), (4, 4), 1.0), r"SU\(N\)"),
        (lambda: HeatBath(SU(2), (4, 4), 1.0, start="warm"), "'hot' or 'cold'"),
        (lambda: HeatBath(SU(2), (4, 4), 1.0, overrelaxation=-1), "overrelaxation"),
        (lambda: HeatBath(SU(2), (4, 4), 1.0, chains=0), "chains"),
        (lambda: HybridMonteCarlo(SU(2), (4, 4), 1.0, integrator="euler"), "leapfrog"),
        (lambda: HybridMonteCarlo(SU(2), (4, 4), 1.0, length=0), "length"),
        (lambda: binned_mean(np.zeros(5)), "at least 32"),
        (lambda: binned_mean(np.full(50, np.nan)), "finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
