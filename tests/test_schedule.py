"""When ln f falls: the rules of the 1/t schedule, one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from wanglandau import kernels
from wanglandau.schedule import OneOverT, first_ln_f, flatness, trials_between_checks
from wanglandau.walkers import Weights

N_BINS = 10


def weights(ln_f: float, trials: int, counts: int = 100) -> Weights:
    """Weights whose bins were all visited equally often in the present stage."""
    bins = np.zeros(N_BINS, dtype=kernels.BIN)
    bins["seen"], bins["histogram"] = 1, counts
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["ln_f"], control["trials"], control["bins_seen"] = ln_f, trials, N_BINS
    return Weights(1.0, bins, control)


def test_a_flat_histogram_halves_ln_f_and_starts_a_stage() -> None:
    state, schedule = weights(1.0, 15), OneOverT(0.5, 1)
    state.control["trials"] = 60  # 1/t = 10 / 60 is still below ln f / 2
    schedule.review(state)
    assert (state.control["ln_f"][0], schedule.phase, schedule.stage_start) == (0.5, 1, 60)
    assert not state.bins["histogram"].any()


def test_an_uneven_histogram_changes_nothing() -> None:
    state, schedule = weights(1.0, 1000), OneOverT(0.5, 1)
    state.bins["histogram"][3] = 10
    schedule.review(state)
    assert (state.control["ln_f"][0], schedule.phase) == (1.0, 1)
    assert state.bins["histogram"].sum() == 910


def test_one_over_t_begins_only_at_a_halving() -> None:
    uneven, schedule = weights(1e-3, 100), OneOverT(0.5, 1)  # ln f is far below 1/t = 0.1
    uneven.bins["histogram"][0] = 0
    schedule.review(uneven)
    assert schedule.phase == 1
    flat = weights(1e-3, 100)
    schedule.review(flat)
    assert (schedule.phase, schedule.phase_one_ln_f, flat.control["one_over_t"][0]) == (2, 5e-4, 1)


def test_a_bin_found_late_returns_to_phase_one() -> None:
    state, schedule = weights(1e-3, 100), OneOverT(0.5, 1)
    schedule.review(state)
    state.control["ln_f"], state.control["bins_found"], state.control["trials"] = 1e-7, 1, 10**9
    schedule.review(state)
    assert (schedule.phase, state.control["ln_f"][0], state.control["one_over_t"][0]) == (1, 5e-4, 0)
    assert (schedule.stage_start, state.control["bins_found"][0]) == (10**9, 0)


def test_a_stage_lasts_fifty_rounds_at_least() -> None:
    state, schedule = weights(1.0, 49 * 64), OneOverT(0.8, 64)
    schedule.review(state)
    assert state.control["ln_f"][0] == 1.0
    state.control["trials"] = 50 * 64
    schedule.review(state)
    assert state.control["ln_f"][0] == 0.5


def test_flatness_looks_at_visited_bins_only() -> None:
    assert flatness(np.array([5, 0, 10]), np.array([True, False, True])) == pytest.approx(2 / 3)
    assert flatness(np.zeros(3, dtype=int), np.ones(3, dtype=bool)) == 0.0


def test_many_walkers_begin_gently_and_are_asked_for_more() -> None:
    assert first_ln_f(100, 4) == 1.0
    assert first_ln_f(100, 400) == 0.25
    assert OneOverT.for_walkers(8, None).flatness < OneOverT.for_walkers(9, None).flatness
    assert trials_between_checks(30, 4) == 30_000
    assert trials_between_checks(30, 10_000) == 500_000
