"""Many walkers on one histogram: even under exact weights, alike on any number of threads, gentle at the start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from exact_weights import FULL, WIDTH, fcc_oracle, fcc_walkers, fcc_weights, walk_error, worst_deviation

from wanglandau import kernels
from wanglandau.crowd import advance_crowd
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.settings import WangLandauSettings
from wanglandau.turns import MAX_GROUPS, ROUNDS_PER_TURN, groups_of, rounds_together
from wanglandau.walk import Walk, make_walk
from wanglandau.walkers import Walkers, Weights, Window, flat_weights, make_snapshots

MIDDLE = EnergyGrid.covering(-106.0, -94.0, WIDTH)


@pytest.mark.compiled
def test_a_crowd_is_flat_under_exact_weights() -> None:
    walkers = fcc_walkers(256, 5, MIDDLE)
    weights = fcc_weights(walkers, MIDDLE)
    advance_crowd(Engine.fastest(fcc_oracle()), walkers, weights, 16_000)
    assert weights.control["trials"] == weights.bins["visits"].sum() == 256 * 16_000
    assert worst_deviation(weights) < 0.01  # scatter 0.25 %


def crowd_after(n_threads: int | None) -> tuple[Walkers, Weights, np.ndarray]:
    walkers = fcc_walkers(150, 6, MIDDLE)
    weights = flat_weights(MIDDLE, walkers, 0.01, counting=True)
    weights.control["gain"] = kernels.ONE_OVER_T
    engine, kept = Engine.fastest(fcc_oracle()), make_snapshots(walkers, 3, 70)
    if n_threads is None:
        advance_crowd(engine, walkers, weights, 230, kept)
    else:
        with ThreadPoolExecutor(n_threads) as engine.executor:
            advance_crowd(engine, walkers, weights, 230, kept)
    return walkers, weights, kept.occupations


@pytest.mark.compiled
def test_threads_change_nothing() -> None:
    (walkers, weights, kept), *others = [crowd_after(n_threads) for n_threads in (None, 1, 3)]
    for other_walkers, other_weights, other_kept in others:
        assert np.array_equal(walkers.records, other_walkers.records)
        assert np.array_equal(walkers.occupations, other_walkers.occupations)
        assert np.array_equal(weights.bins, other_weights.bins)
        assert np.array_equal(weights.control, other_weights.control)
        assert np.array_equal(weights.proposals, other_weights.proposals)
        assert np.array_equal(kept, other_kept)


def test_counters_add_up_and_ln_g_rises_by_whole_counts() -> None:
    walkers = fcc_walkers(130, 7, MIDDLE)
    weights = flat_weights(MIDDLE, walkers, 0.5, counting=True)
    weights.bins["seen"] = 1
    advance_crowd(Engine.fastest(fcc_oracle()), walkers, weights, 100)
    assert weights.control["trials"] == weights.proposals.sum() == 13_000
    assert np.array_equal(weights.bins["ln_g"], 0.5 * weights.bins["visits"])
    assert np.array_equal(walkers.records["energy"], fcc_oracle().energies(walkers.occupations))
    assert walkers.records["out_of_range"].sum() == weights.proposals[:, -1].sum() > 0


def test_new_bins_are_counted_once() -> None:
    walkers = fcc_walkers(100, 8)
    weights = flat_weights(FULL, walkers, 0.01)
    advance_crowd(Engine.fastest(fcc_oracle()), walkers, weights, 200)
    control, seen = weights.control[0], np.flatnonzero(weights.bins["seen"])
    assert control["bins_seen"] == control["bins_found"] == len(seen)
    assert (control["lowest_seen"], control["highest_seen"]) == (seen[0], seen[-1])


def test_snapshots_come_at_their_time() -> None:
    walkers = fcc_walkers(20, 9, MIDDLE)
    weights, engine = fcc_weights(walkers, MIDDLE), Engine.fastest(fcc_oracle())
    kept = make_snapshots(walkers, 2, 120)
    advance_crowd(engine, walkers, weights, 300, kept)
    again = fcc_walkers(20, 9, MIDDLE)
    advance_crowd(engine, again, fcc_weights(again, MIDDLE), 120)
    assert np.array_equal(kept.occupations[0], again.occupations)
    assert np.array_equal(kept.records[0], again.records)
    assert np.array_equal(engine.oracle.energies(kept.occupations[1]), kept.records["energy"][1])


@pytest.mark.parametrize(("n_walkers", "n_rounds"), [(9, 50), (1000, 50), (16 * 4000, 1), (10**6, 1)])
def test_rounds_on_common_weights(n_walkers: int, n_rounds: int) -> None:
    assert rounds_together(n_walkers) == n_rounds <= ROUNDS_PER_TURN
    assert rounds_together(n_walkers, fixed=True) == 4 * n_rounds


@pytest.mark.parametrize(("n_walkers", "groups"), [(64, 1), (65, 2), (256, 4), (10**5, MAX_GROUPS)])
def test_groups_of_a_crowd_are_worth_their_cost(n_walkers: int, groups: int) -> None:
    assert groups_of(n_walkers) == groups


@pytest.mark.parametrize("frozen", [False, True])
def test_turns_are_longer_on_fixed_weights(frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    walkers, rounds = fcc_walkers(100, 8, MIDDLE), []
    weights = flat_weights(MIDDLE, walkers, 0.0 if frozen else 0.01)
    assert weights.fixed == frozen
    monkeypatch.setattr(Engine, "advance", lambda *arguments: rounds.append(arguments[3]))
    advance_crowd(Engine.fastest(fcc_oracle()), walkers, weights, 450)
    assert rounds == (4 * [200] + 2 * [50] if frozen else 18 * [50])


def start_of_a_crowd(ln_f: float | None) -> Walk:
    walkers = fcc_walkers(1024, 10)
    walk = make_walk(walkers, FULL, 0, Window(), WangLandauSettings())
    if ln_f is not None:
        walk.weights.control["ln_f"] = ln_f
    engine = Engine.fastest(fcc_oracle())
    while walk.trials < 3_000_000:
        walk.advance(engine, 200)
        walk.schedule.meet_new_bins(walk.weights)
        if walk.schedule.stage_is_over(walk.weights):
            walk.schedule.next_stage(walk.weights)
    return walk


@pytest.mark.compiled
def test_a_crowd_that_begins_at_ln_f_of_one_overshoots() -> None:
    gentle, rash = start_of_a_crowd(None), start_of_a_crowd(1.0)
    n_together = 1024 * rounds_together(1024)
    assert n_together > MAX_GROUPS
    assert gentle.weights.control["ln_f"] <= FULL.n_bins / n_together
    assert walk_error(gentle) < 1.0
    assert walk_error(rash) > 100.0
