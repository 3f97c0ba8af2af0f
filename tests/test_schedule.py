"""When ln f falls: the rules of halving and of 1/t, one at a time, and what they come to on an exact case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from exact_weights import FULL, fcc_oracle, fcc_walkers, walk_error

from wanglandau import kernels
from wanglandau.engine import Engine
from wanglandau.schedule import (
    MANY_WALKERS,
    SETTLED_LN_F,
    SETTLED_STAGES,
    Halving,
    OneOverT,
    Stage,
    first_ln_f,
    flatness,
    next_check,
    settled_ln_f,
    trials_between_checks,
)
from wanglandau.settings import WangLandauSettings
from wanglandau.walk import Walk, make_walk
from wanglandau.walkers import Weights, Window

N_BINS = 10


def weights(ln_f: float, trials: int, counts: int = 100) -> Weights:
    """Weights whose bins were all visited equally often in the present stage."""
    bins = np.zeros(N_BINS, dtype=kernels.BIN)
    bins["seen"], bins["histogram"] = 1, counts
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["ln_f"], control["trials"], control["bins_seen"] = ln_f, trials, N_BINS
    return Weights(1.0, bins, control, np.zeros((0, 1), dtype=np.int64))


def one_over_t(n_walkers: int = 1, minimum_count: float = 0.0) -> OneOverT:
    return OneOverT(Stage(n_walkers, 0.5, minimum_count))


def review(schedule: OneOverT | Halving, state: Weights) -> None:
    schedule.meet_new_bins(state)
    if schedule.stage_is_over(state):
        schedule.next_stage(state)


def test_a_flat_histogram_halves_ln_f_and_begins_a_stage() -> None:
    state, schedule = weights(1.0, 60), one_over_t()  # 1/t = 10 / 60 is still below ln f / 2
    review(schedule, state)
    assert (state.control["ln_f"][0], schedule.phase, schedule.stage.start) == (0.5, 1, 60)
    assert schedule.stage.ended == 1
    assert not state.bins["histogram"].any()


def test_an_uneven_histogram_changes_nothing() -> None:
    state, schedule = weights(1.0, 1000), one_over_t()
    state.bins["histogram"][3] = 10
    review(schedule, state)
    assert (state.control["ln_f"][0], schedule.phase) == (1.0, 1)
    assert state.bins["histogram"].sum() == 910


def test_one_over_t_begins_only_at_a_halving() -> None:
    uneven, schedule = weights(1e-3, 100), one_over_t()  # ln f is far below 1/t = 0.1
    uneven.bins["histogram"][0] = 0
    review(schedule, uneven)
    assert (schedule.phase, uneven.control["gain"][0]) == (1, kernels.FIXED)
    flat = weights(1e-3, 100)
    review(schedule, flat)
    assert (schedule.phase, schedule.phase_one_ln_f, flat.control["gain"][0]) == (2, 5e-4, kernels.ONE_OVER_T)
    assert not schedule.stage_is_over(weights(1e-3, 1000))  # no stages any more


def test_ln_f_of_phase_two_is_visited_bins_over_trials_of_all_walkers() -> None:
    state = weights(1e-3, 0)
    state.control["gain"] = kernels.ONE_OVER_T
    for trials in (100, 1000, 12_345):
        state.control["trials"] = trials
        kernels.begin_round(state.control[0])
        assert state.control["ln_f"][0] == N_BINS / trials
    state.control["gain"] = kernels.FIXED
    state.control["trials"] = 10**9
    kernels.begin_round(state.control[0])
    assert state.control["ln_f"][0] == N_BINS / 12_345


def test_a_bin_found_late_returns_to_phase_one() -> None:
    state, schedule = weights(1e-3, 100), one_over_t()
    review(schedule, state)
    schedule.stage.ended = 12
    state.bins["histogram"] = 50
    state.control["ln_f"], state.control["bins_found"], state.control["trials"] = 1e-7, 1, 10**9
    review(schedule, state)
    assert (schedule.phase, state.control["ln_f"][0], state.control["gain"][0]) == (1, 5e-4, kernels.FIXED)
    assert (schedule.stage.start, state.control["bins_found"][0]) == (10**9, 0)
    assert not state.bins["histogram"].any()


def test_a_bin_found_late_has_to_last_through_a_stage_before_weights_are_frozen() -> None:
    state, schedule = weights(SETTLED_LN_F / 2, 10**6), one_over_t()
    schedule.stage.ended = 12
    assert schedule.settled(state)
    state.control["bins_found"] = 1
    review(schedule, state)
    assert not schedule.settled(state)
    state.bins["histogram"] = 100
    state.control["trials"] += 1000
    review(schedule, state)
    assert schedule.settled(state)


@pytest.mark.parametrize("schedule", [one_over_t(), Halving(Stage(1, 0.5))])
def test_weights_are_settled_once_ln_f_is_small_after_some_stages(schedule: OneOverT | Halving) -> None:
    state = weights(8 * SETTLED_LN_F, 10**9)
    for number in range(6):
        assert schedule.settled(state) == (number >= SETTLED_STAGES)
        schedule.next_stage(state)


def test_halving_knows_no_other_phase() -> None:
    state, schedule = weights(1e-6, 10**6), Halving(Stage(1, 0.5))
    for expected in (5e-7, 2.5e-7):
        state.bins["histogram"] = 100
        state.control["trials"] += 1000
        review(schedule, state)
        assert state.control["ln_f"][0] == expected
    assert (schedule.phase, state.control["gain"][0]) == (1, kernels.FIXED)


def test_halving_begins_the_stage_anew_with_a_new_bin() -> None:
    state, schedule = weights(1e-3, 10**6), Halving(Stage(1, 0.5))
    state.control["bins_found"] = 2
    review(schedule, state)
    assert state.control["ln_f"][0] == 1e-3
    assert schedule.stage.start == 10**6
    assert not state.bins["histogram"].any()


def test_a_stage_lasts_fifty_rounds_at_least() -> None:
    state, schedule = weights(1.0, 49 * 64), OneOverT(Stage(64, 0.8))
    review(schedule, state)
    assert state.control["ln_f"][0] == 1.0
    state.control["trials"] = 50 * 64
    review(schedule, state)
    assert state.control["ln_f"][0] == 0.5


def test_a_stage_needs_the_lowest_count() -> None:
    state, schedule = weights(1e-4, 10**6, counts=99), one_over_t(minimum_count=1.0)
    review(schedule, state)
    assert state.control["ln_f"][0] == 1e-4
    state.bins["histogram"] = 101  # 1/sqrt(ln f) = 100
    review(schedule, state)
    assert state.control["ln_f"][0] == 5e-5


def test_flatness_looks_at_visited_bins_only() -> None:
    assert flatness(np.array([5, 0, 10]), np.array([True, False, True])) == pytest.approx(2 / 3)
    assert flatness(np.zeros(3, dtype=int), np.ones(3, dtype=bool)) == 0.0
    assert flatness(np.zeros(3, dtype=int), np.zeros(3, dtype=bool)) == 0.0


def test_many_walkers_begin_gently_and_are_asked_for_more() -> None:
    assert first_ln_f(100, 4) == 1.0
    assert first_ln_f(100, 400) == 0.25
    assert first_ln_f(100, 4, trials_before=10_000) == 0.01
    assert first_ln_f(100, 400, trials_before=100) == 0.25
    assert settled_ln_f(100) == 2e-4 and settled_ln_f(1000) == pytest.approx(4e-5)
    few, many = Stage.for_walkers(MANY_WALKERS, None), Stage.for_walkers(MANY_WALKERS + 1, None)
    assert few.flatness < many.flatness
    assert Stage.for_walkers(1, 0.9).flatness == 0.9
    assert trials_between_checks(1000, 4) > trials_between_checks(10, 4)
    assert trials_between_checks(30, 10_000) == 500_000


class RawTime(OneOverT):
    """1/t with t in trials instead of trials per bin: the wrong unit."""

    def meet_new_bins(self, weights: Weights) -> None:
        super().meet_new_bins(weights)
        weights.control["bins_seen"] = 1


CHECKS = [1_000_000, 5_000_000]


def errors(make_schedule: Callable[[Stage], OneOverT | Halving], seed: int) -> list[float]:
    """Return the errors of ln g of a walk at the trials of :data:`CHECKS`."""
    walkers = fcc_walkers(4, seed)
    walk: Walk = make_walk(walkers, FULL, 0, Window(), WangLandauSettings())
    walk.schedule = make_schedule(Stage.for_walkers(4, None))
    engine, found = Engine.fastest(fcc_oracle()), []
    for trials in CHECKS:
        while walk.trials < trials:
            walk.advance(engine, walk.rounds_between_checks())
            review(walk.schedule, walk.weights)
        found.append(walk_error(walk))
    return found


@pytest.mark.compiled
def test_one_over_t_converges_halving_and_raw_time_do_not() -> None:
    right, halving, raw = (
        np.sqrt(np.mean(np.square([errors(schedule, seed) for seed in (1, 2)]), axis=0))
        for schedule in (OneOverT, Halving, RawTime)
    )
    assert right[1] < 0.6 * right[0]  # five times the trials: 1/sqrt(5) = 0.45
    assert right[1] < 0.04
    assert halving[1] > 0.8 * halving[0]
    assert raw[1] > 0.8 * raw[0]
    assert min(halving[1], raw[1]) > 1.5 * right[1]


def test_looks_become_rarer_but_not_at_first() -> None:
    looks, between = [0], 700
    while looks[-1] < 5 * 10**6:
        looks.append(next_check(looks[-1], between, 4))
    steps = np.diff(looks)
    assert set(steps[:400]) == {between}
    assert (np.diff(steps) >= 0).all() and not (steps % between).any()
    assert steps[-1] == 50_000 // (4 * between) * between
    assert next_check(10**6 * 20_000, 20_000, 4) == (10**6 + 1) * 20_000  # with many bins as before
