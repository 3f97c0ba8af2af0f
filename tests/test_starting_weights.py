"""ln g estimated from energies at several temperatures, and walks that begin with it."""

from __future__ import annotations

import numpy as np
import pytest
from known_levels import UNLIKE_BONDS
from scipy.special import logsumexp

from wanglandau import kernels
from wanglandau.calculation import MENDING_SHARE, plan
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.pair_model import PairOracle
from wanglandau.range_search import make_grid, search_range
from wanglandau.ranks import OneProcess
from wanglandau.schedule import EXPECTED_ERROR, first_ln_f
from wanglandau.settings import WangLandauSettings
from wanglandau.starting_weights import ExpectedWeights, ThermalSample
from wanglandau.systems import System
from wanglandau.walk import make_walk
from wanglandau.walkers import Window, make_walkers

LEVELS = -np.array(sorted(UNLIKE_BONDS, reverse=True), dtype=np.float64)
LN_G = np.log([float(UNLIKE_BONDS[int(-level)]) for level in LEVELS])
GRID = EnergyGrid.covering(-128.0, -64.0, 2.0)
BETAS = np.linspace(-0.3, 0.5, 17)


def thermal_sample(betas: np.ndarray, n: int = 20_000) -> ThermalSample:
    """Draw energies of the nearest-neighbour model of fcc 16/16 from its exact Boltzmann distributions."""
    rng = np.random.default_rng(1)
    energies = []
    for beta in betas:
        ln_weights = LN_G - beta * LEVELS
        energies.append(rng.choice(LEVELS, n, p=np.exp(ln_weights - logsumexp(ln_weights))))
    return ThermalSample(betas, energies)


def test_equilibrium_energies_give_ln_g() -> None:
    found = thermal_sample(BETAS).expected_weights(GRID, logsumexp(LN_G), 1).ln_g
    assert found[GRID.index(LEVELS)][:-3] == pytest.approx(LN_G[:-3], abs=0.1)  # the highest were hardly met


def test_a_part_of_the_range_is_normalised_to_the_whole() -> None:
    part = EnergyGrid.covering(-110.0, -90.0, 2.0)
    inside = (LEVELS >= -110) & (LEVELS <= -90)
    found = thermal_sample(BETAS).expected_weights(part, logsumexp(LN_G), 1).ln_g
    assert found[part.index(LEVELS[inside])] == pytest.approx(LN_G[inside], abs=0.1)


def test_gaps_are_filled_and_ends_are_not() -> None:
    wide = EnergyGrid.covering(-140.0, -64.0, 2.0)
    expected = thermal_sample(BETAS).expected_weights(wide, logsumexp(LN_G), 1)
    found = expected.ln_g
    assert set(wide.centres[expected.met].tolist()) <= set(LEVELS.tolist()) and expected.met.sum() > 24
    beyond = wide.centres < -129
    assert np.isnan(found[beyond]).all() and np.isfinite(found[~beyond]).all()
    gap = int(wide.index(np.array([-126.0]))[0])  # no level there
    assert min(found[gap - 1], found[gap + 1]) <= found[gap] <= max(found[gap - 1], found[gap + 1])


def test_no_level_has_less_than_one_configuration() -> None:
    """Frozen walkers hold low energies as if they were likely at any temperature."""
    cold = ThermalSample(
        np.array([0.0, 5.0, 10.0]), [thermal_sample(BETAS[6:7]).energies[0], *[np.full(99, -122.0)] * 2]
    )
    found = cold.expected_weights(GRID, logsumexp(LN_G), 1).ln_g
    assert np.nanmin(found) == 0.0


@pytest.mark.compiled
def test_the_search_brings_a_sample(cuau: System) -> None:
    oracle = PairOracle(cuau.lattice, [-1.0])
    assert search_range(Engine.fastest(oracle), 16, 400_000, np.random.SeedSequence(3)).sample is None  # too short
    found = search_range(Engine.fastest(oracle), 16, 1_000_000, np.random.SeedSequence(3))
    assert found.sample is not None and (np.diff(found.sample.betas) > 0).all()
    grid = make_grid(found, None, None, Window(), float(logsumexp(LN_G)))
    ln_g = found.sample.expected_weights(grid, float(logsumexp(LN_G)), 1).ln_g[grid.index(LEVELS)]
    assert np.abs(ln_g - LN_G)[2:-2].max() < 1.5  # short annealings lag behind at both ends


@pytest.mark.compiled
@pytest.mark.parametrize(("max_trials", "windows"), [(10_000_000, 1), (10_000_000, 2), (400_000_000, 1)])
def test_an_estimate_is_mended_in_a_small_part_of_a_walk(cuau: System, max_trials: int, windows: int) -> None:
    settings = WangLandauSettings(runs=1, walkers=1, windows=windows, max_trials=max_trials)
    calculation = plan(Engine.fastest(PairOracle(cuau.lattice, [-1.0])), 16, settings, OneProcess())
    mending = min(calculation.energy_range.trials, MENDING_SHARE * max_trials / windows)
    before = {int(walk.weights.control["trials_before"][0]) for walk in calculation.walks}
    assert before == {int(mending / EXPECTED_ERROR)} and before != {0}


def test_a_walk_begins_with_what_is_expected(cuau: System) -> None:
    oracle = PairOracle(cuau.lattice, [-1.0])
    walkers = make_walkers(oracle, 16, 1, np.random.SeedSequence(1))
    ln_g = np.full(GRID.n_bins, 7.0)
    ln_g[0] = np.nan
    met = np.isin(np.arange(GRID.n_bins), [2, 7])
    walk = make_walk(walkers, GRID, 0, Window(), WangLandauSettings(), expected=ExpectedWeights(ln_g, met, 10**5))
    bins, control = walk.weights.bins, walk.weights.control[0]
    assert walk.ln_f == first_ln_f(GRID.n_bins, 1, 10**5) < 1e-3
    assert bins["expected"].tolist() == [0, 1, 2, 1, 1, 1, 1, 2] + [1] * (GRID.n_bins - 8) and not bins["seen"].any()
    assert kernels.weight_of(bins, control, 3) == kernels.weight_of(bins, control, 0) == 7.0
    kernels.record(walkers.records[0], bins, control, walk.weights.proposals)
    here = int(walkers.records["bin"][0])
    assert bins["ln_g"][here] == 7.0 + walk.ln_f and bins["seen"].sum() == 1
    assert (control["bins_seen"], control["bins_found"]) == (1, 0)  # no news
    bins["seen"][2], bins["histogram"] = 1, 10**6
    assert not walk.schedule.stage_is_over(walk.weights)  # bin 7 holds states and was not visited
    walk.weights.control["trials"] = 10**6
    bins["seen"][7] = 1
    assert walk.schedule.stage_is_over(walk.weights)
    walkers.records["bin"] = 0
    kernels.record(walkers.records[0], bins, control, walk.weights.proposals)
    assert control["bins_found"] == 1
