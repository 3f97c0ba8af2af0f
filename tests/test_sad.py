"""SAD: how the range of interest grows and where it ends, ln f by hand, and the result against exact levels."""

from __future__ import annotations

import numpy as np
import pytest
from exact_weights import FULL, binned, fcc_oracle, fcc_walkers
from known_levels import UNLIKE_BONDS

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN
from wanglandau.range_search import sampled_range
from wanglandau.sad import StochasticApproximation, bounded_weights, unbounded_estimate
from wanglandau.sampling import sample_density
from wanglandau.schedule import Stage
from wanglandau.settings import WangLandauSettings
from wanglandau.verdict import judge
from wanglandau.walk import make_walk
from wanglandau.walkers import Weights, Window

SLOPE = 0.5


def weights(visits: list[int], ln_g: list[float], trials: int = 1000) -> Weights:
    bins = np.zeros(len(visits), dtype=kernels.BIN)
    bins["visits"], bins["histogram"], bins["ln_g"], bins["seen"] = visits, visits, ln_g, np.array(visits) > 0
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["trials"], control["ln_f"] = trials, 1.0
    return Weights(1.0, bins, control, np.zeros((0, 1), dtype=np.int64))


def sad() -> StochasticApproximation:
    return StochasticApproximation(SLOPE, Stage(1, 0.5))


def test_the_range_begins_at_the_bin_of_most_visits() -> None:
    state, schedule = weights([5, 30, 10, 20], [1.0, 2.0, 3.0, 4.0]), sad()
    schedule.meet_new_bins(state)
    control = state.control[0]
    assert (control["low_end"], control["high_end"], control["bounded"], control["gain"]) == (1, 1, 1, kernels.SAD)
    assert (control["sad_width"], control["sad_trials"], control["slope"]) == (0.0, 1000, SLOPE)


def test_the_range_grows_to_bins_visited_more_often_than_any_inside() -> None:
    state, schedule = weights([5, 30, 10, 20, 8], [1.0, 2.0, 3.0, 4.0, 5.0]), sad()
    schedule.meet_new_bins(state)
    state.control["trials"] = 2000
    state.bins["visits"] = [29, 30, 10, 20, 8]
    schedule.meet_new_bins(state)
    assert (state.control["low_end"], state.control["high_end"], state.control["sad_trials"]) == (1, 1, 1000)
    state.bins["visits"] = [29, 30, 10, 31, 8]
    schedule.meet_new_bins(state)
    assert (state.control["low_end"], state.control["high_end"], state.control["sad_trials"]) == (1, 3, 2000)
    assert state.control["sad_width"] == 2 * SLOPE
    assert state.bins["ln_g"].tolist() == [1.0, 2.0, 2.0, 2.0, 5.0]  # above the range the weight was that of its end
    state.bins["visits"] = [32, 30, 10, 31, 8]
    schedule.meet_new_bins(state)
    assert (state.control["low_end"], state.control["high_end"]) == (0, 3)
    assert state.bins["ln_g"][0] == 2.0 - SLOPE  # below it, that of the lowest temperature
    schedule.meet_new_bins(state)
    assert (state.control["low_end"], state.control["high_end"]) == (0, 3)


def test_weights_outside_the_range_are_those_of_temperatures() -> None:
    state = weights([1] * 6, [9.0, 9.0, 3.0, 4.0, 9.0, 9.0])
    control = state.control[0]
    control["bounded"], control["low_end"], control["high_end"], control["slope"] = 1, 2, 3, SLOPE
    expected = [2.0, 2.5, 3.0, 4.0, 4.0, 4.0]
    assert bounded_weights(state).tolist() == expected
    assert [kernels.weight_of(state.bins, control, index) for index in range(6)] == expected


def test_ln_f_follows_the_formula() -> None:
    state = weights([1], [0.0])
    control = state.control[0]
    control["gain"], control["sad_width"], control["sad_bins"], control["sad_trials"] = kernels.SAD, 20.0, 40, 1000
    for trials, by_hand in ((1000, 21 / 45), (4000, 24 / 420), (100_000, 120 / 250_020)):
        control["trials"] = trials
        kernels.begin_round(control)
        assert control["ln_f"] == pytest.approx(by_hand, rel=1e-12)


def test_late_ln_f_is_bins_of_interest_over_trials() -> None:
    state = weights([1], [0.0])
    control = state.control[0]
    control["gain"], control["sad_width"], control["sad_bins"], control["sad_trials"] = kernels.SAD, 20.0, 40, 1000
    control["trials"] = 10**10
    kernels.begin_round(control)
    assert control["ln_f"] == pytest.approx(40 / 10**10, rel=1e-4)


def test_phase_two_begins_when_the_range_has_not_grown_for_long_and_is_flat() -> None:
    state, schedule = weights([5, 30, 10], [1.0, 2.0, 3.0]), sad()
    schedule.meet_new_bins(state)
    state.bins["histogram"] = 100
    assert not schedule.stage_is_over(state)
    assert (schedule.phase, schedule.settled(state)) == (1, False)
    state.control["trials"] = 4000
    assert not schedule.stage_is_over(state)
    assert (schedule.phase, schedule.settled(state), state.control["sad_bins"][0]) == (2, True, 1)
    state.bins["visits"][2] = 50
    schedule.meet_new_bins(state)
    assert (schedule.phase, schedule.settled(state)) == (1, False)
    assert not state.bins["histogram"].any()


def test_visits_complete_ln_g_outside_the_range() -> None:
    state = weights([20, 100, 100, 50], [9.0, 3.0, 4.0, 9.0])
    control = state.control[0]
    control["bounded"], control["low_end"], control["high_end"], control["slope"] = 1, 1, 2, SLOPE
    expected = [2.5 + np.log(0.2), 3.0, 4.0, 4.0 + np.log(0.5)]
    assert unbounded_estimate(state) == pytest.approx(expected)


COLD = 3.0 / BOLTZMANN
"""K. Three unlike bonds: ordering begins near 1.7."""


def likeliest_energy(temperature: float) -> float:
    energies = -np.array(list(UNLIKE_BONDS), dtype=float)
    weight = np.log(np.array(list(UNLIKE_BONDS.values()), dtype=float)) - energies / (BOLTZMANN * temperature)
    return float(energies[np.argmax(weight)])


@pytest.mark.compiled
@pytest.mark.parametrize("temperature", [COLD, 2 * COLD])
def test_the_range_of_interest_ends_at_the_likeliest_energies(temperature: float) -> None:
    settings = WangLandauSettings(lowest_temperature=temperature)
    engine = Engine.fastest(fcc_oracle())
    found = sampled_range(engine, 16, np.random.SeedSequence(2))
    grid = EnergyGrid.covering(found.low, found.high, 2.0)
    walk = make_walk(fcc_walkers(4, 3, grid), grid, int(FULL.index(np.array(found.low))), Window(), settings)
    ends = []
    while walk.trials < 2_000_000:
        walk.advance(engine, walk.rounds_between_checks())
        walk.extend_range()
        walk.schedule.meet_new_bins(walk.weights)
        walk.schedule.stage_is_over(walk.weights)
        control = walk.weights.control[0]
        ends.append(walk.grid.centres[[int(control["low_end"]), int(control["high_end"])]])
    low, high = np.array(ends).T
    assert (np.diff(low) <= 0).all() and (np.diff(high) >= 0).all()
    assert low[-1] <= likeliest_energy(temperature) + 2.0
    assert high[-1] >= likeliest_energy(1e9) - 2.0
    assert walk.schedule.phase == 2
    inside = (walk.grid.centres >= low[-1]) & (walk.grid.centres <= high[-1])
    exact, estimate = binned(UNLIKE_BONDS, walk.grid), walk.estimate()
    chosen = inside & np.isfinite(exact) & np.isfinite(estimate)
    difference = estimate[chosen] - exact[chosen]
    assert difference.std() < 0.1


def test_a_colder_walk_reaches_lower() -> None:
    assert likeliest_energy(COLD / 3) < likeliest_energy(COLD) < likeliest_energy(2 * COLD) < likeliest_energy(1e9)


@pytest.mark.compiled
@pytest.mark.parametrize("production", [True, False])
def test_sampling_with_a_lowest_temperature_agrees_with_exact_levels(production: float) -> None:
    settings = WangLandauSettings(
        runs=4, max_trials=1_500_000, lowest_temperature=COLD, precision=1e-6, production=production
    )
    assert settings.schedule_name == "sad"
    sampled = sample_density(fcc_oracle(), 16, settings, progress=False)
    density = sampled.density
    exact = binned(UNLIKE_BONDS, density.grid)
    inside = sampled.interest & density.visited
    assert sampled.produced == (production > 0)
    assert np.abs(density.ln_g[inside] - exact[inside]).max() < 0.1
    assert np.exp(density.ln_g[density.visited] - np.log(601080390.0)).sum() == pytest.approx(1.0)
    assert density.grid.centres[sampled.interest].min() <= likeliest_energy(COLD) + 2.0
    if sampled.produced:
        assert judge(sampled).trusted, judge(sampled).reasons


def test_one_window_only() -> None:
    with pytest.raises(InputError, match="one window"):
        WangLandauSettings(lowest_temperature=300.0, windows=2)
