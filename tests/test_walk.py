"""One walk: how its grid grows, what production forgets and keeps, and when weights are fixed or freed again."""

from __future__ import annotations

import numpy as np
import pytest
from exact_weights import FULL, WIDTH, bcc_oracle, binned, exact_fcc_error, fcc_oracle, fcc_walkers, freeze
from known_levels import UNLIKE_BONDS

from wanglandau import kernels
from wanglandau.energy_grid import MAX_BINS, EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.schedule import SETTLED_STAGES, OneOverT, Stage
from wanglandau.settings import WangLandauSettings
from wanglandau.walk import Walk, make_walk, wider
from wanglandau.walkers import Window, make_walkers

NARROW = EnergyGrid.covering(-110.0, -92.0, WIDTH)
EXACT = WangLandauSettings()


def narrow_walk(window: Window = Window(), n_walkers: int = 3) -> Walk:  # noqa: B008 (frozen)
    return make_walk(fcc_walkers(n_walkers, 4, NARROW), NARROW, 9, window, EXACT)


def advance_until(walk: Walk, trials: int) -> None:
    engine = Engine.fastest(fcc_oracle())
    while walk.trials < trials:
        walk.advance(engine, 500)
        walk.extend_range()
        walk.schedule.meet_new_bins(walk.weights)
        if walk.schedule.stage_is_over(walk.weights):
            walk.schedule.next_stage(walk.weights)


@pytest.mark.compiled
def test_the_grid_grows_by_whole_bins_and_walkers_stay_in_theirs() -> None:
    walk = narrow_walk()
    advance_until(walk, 300_000)
    assert walk.extended_at
    assert walk.first_bin == round((walk.grid.start - FULL.start) / WIDTH) < 9
    assert (walk.grid.start - NARROW.start) % WIDTH == 0
    records, control = walk.walkers.records, walk.weights.control[0]
    assert np.array_equal(records["bin"], walk.grid.index(records["energy"]))
    seen = np.flatnonzero(walk.weights.bins["seen"])
    assert (control["lowest_seen"], control["highest_seen"]) == (seen[0], seen[-1])
    assert (control["start"], control["energy_bins"]) == (walk.grid.start, walk.grid.n_bins)
    assert control["bins_seen"] == len(seen)
    levels = {-float(unlike) for unlike in UNLIKE_BONDS}
    assert set(walk.grid.centres[seen].tolist()) <= levels


def test_what_was_recorded_moves_with_the_grid() -> None:
    walk = narrow_walk()
    walk.advance(Engine.fastest(fcc_oracle()), 1000)
    before, start = walk.weights.bins.copy(), walk.grid.start
    assert walk.extend_range()
    below = round((start - walk.grid.start) / WIDTH)
    assert np.array_equal(walk.weights.bins[below : below + len(before)], before)
    rest = np.delete(walk.weights.bins, slice(below, below + len(before)))
    assert not rest["seen"].any() and not rest["visits"].any()
    assert not walk.extend_range()  # nothing was refused since


@pytest.mark.compiled
def test_rows_of_compositions_grow_alike() -> None:
    engine = Engine.fastest(bcc_oracle())
    walkers = make_walkers(engine.oracle, None, 4, np.random.SeedSequence(3))
    low, high = walkers.records["energy"].min(), walkers.records["energy"].max()
    grid = EnergyGrid.covering(low, high, WIDTH)
    walk = make_walk(walkers, grid, 0, Window(), WangLandauSettings(ensemble="semigrand"))
    walk.advance(engine, 2000)
    before, start = walk.weights.bins.reshape(17, -1).copy(), walk.grid.start
    assert walk.extend_range()
    below = round((start - walk.grid.start) / WIDTH)
    after = walk.weights.bins.reshape(17, -1)
    assert np.array_equal(after[:, below : below + grid.n_bins], before)
    assert walk.weights.control["row_length"][0] == walk.grid.n_bins == after.shape[1]
    expected = walkers.records["composition"] * walk.grid.n_bins + walk.grid.index(walkers.records["energy"])
    assert np.array_equal(walkers.records["bin"], expected)
    for _ in range(40):
        walk.advance(engine, 2000)
        walk.extend_range()
    rows, places = np.nonzero(walk.weights.bins["seen"].reshape(17, -1))
    corner = rows[:, None] - np.arange(9)  # atoms on centres if so many are on corners
    possible = np.where((corner >= 0) & (corner <= 8), np.arange(9) * (8 - corner) + corner * (8 - np.arange(9)), -1)
    assert all(-walk.grid.centres[place] in row for place, row in zip(places, possible, strict=True))


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("low", "high", "levels"),
    [(-116.5, -89.5, (-116.0, -90.0)), (-117.9, -88.1, (-116.0, -90.0)), (-118.0, -90.0, (-118.0, -90.0))],
)
def test_the_grid_never_grows_beyond_its_window(low: float, high: float, levels: tuple[float, float]) -> None:
    walk = narrow_walk(Window(low, high))
    advance_until(walk, 400_000)
    seen = walk.grid.centres[walk.weights.bins["seen"] == 1]
    assert (seen[0], seen[-1]) == levels
    assert walk.window.holds(walk.walkers.records["lowest"]).all()
    assert walk.window.holds(walk.walkers.records["highest"]).all()


def test_a_grid_that_would_need_too_many_bins_is_refused() -> None:
    grid = EnergyGrid(0.0, 1e-3, 10)
    assert wider(grid, -0.0005, 0.0105) == (EnergyGrid(-0.001, 1e-3, 12), 1)
    with pytest.raises(InputError, match="widen the bins"):
        wider(grid, 0.0, 2e-3 * MAX_BINS)


def producing_walk() -> Walk:
    walk = make_walk(fcc_walkers(4, 5), FULL, 0, Window(), EXACT)
    freeze(walk.weights, binned(UNLIKE_BONDS, FULL))
    walk.weights.control["ln_f"], walk.weights.control["trials"] = 1e-4, 12_345
    walk.begin_production(transitions=True)
    return walk


def test_production_fixes_the_weights_and_begins_with_empty_records() -> None:
    walk = producing_walk()
    weights = walk.weights.bins["ln_g"].copy()
    assert (walk.ln_f, walk.trials, walk.producing) == (0.0, 12_345, True)
    walk.advance(Engine.fastest(fcc_oracle()), 1000)
    assert np.array_equal(walk.weights.bins["ln_g"], weights)
    assert walk.trials == 12_345 + 4000
    assert walk.weights.bins["visits"].sum() == walk.weights.proposals.sum() == 4000


@pytest.mark.compiled
def test_production_corrects_ln_g_that_is_wrong() -> None:
    walk = producing_walk()
    error = 0.5 * np.random.default_rng(1).normal(size=FULL.n_bins)
    walk.weights.bins["ln_g"] += error
    walk.advance(Engine.fastest(fcc_oracle()), 500_000)
    seen = walk.weights.bins["seen"] == 1
    assert error[seen].std() > 0.4
    assert exact_fcc_error(FULL.centres[seen], walk.estimate()[seen]) < 0.1


def test_a_bin_without_visits_in_production_keeps_its_weight() -> None:
    walk = producing_walk()
    bins = walk.weights.bins
    seen = np.flatnonzero(bins["seen"])
    bins["visits"][seen[1:]] = 70
    estimate = walk.estimate()
    assert estimate[seen[0]] - bins["ln_g"][seen[0]] == pytest.approx(np.log(70 * (len(seen) - 1) / len(seen)))
    assert estimate[seen[1]] - bins["ln_g"][seen[1]] == pytest.approx(np.log(70))
    assert np.isneginf(estimate[bins["seen"] == 0]).all()


def test_production_ends_with_what_it_has_learnt_and_time_goes_on() -> None:
    walk = producing_walk()
    walk.advance(Engine.fastest(fcc_oracle()), 2000)
    corrected = walk.estimate()
    walk.end_production()
    assert np.array_equal(walk.weights.bins["ln_g"], corrected)
    assert (walk.trials, walk.producing, walk.ln_f) == (12_345 + 8000, False, 1e-4)
    assert walk.weights.control["trials"] == walk.trials
    assert not walk.weights.bins["visits"].any()
    assert not walk.schedule.settled(walk.weights)


def test_fixed_weights_notice_a_bin_that_they_know_nothing_of() -> None:
    walk = producing_walk()
    walk.weights.bins["seen"][walk.walkers.records["bin"][0]] = 0
    assert not walk.met_new_bins()
    walk.advance(Engine.fastest(fcc_oracle()), 10)
    assert walk.met_new_bins()


def test_a_walk_in_phase_two_goes_back_to_its_ln_f_of_phase_one() -> None:
    walk = producing_walk()
    walk.schedule = OneOverT(Stage(4, 0.5), phase=2, phase_one_ln_f=3e-4)
    walk.end_production()
    assert (walk.schedule.phase, walk.ln_f) == (1, 3e-4)
    assert walk.weights.control["gain"] == kernels.FIXED


@pytest.mark.parametrize(("n_walkers", "settled"), [(3, True), (20, False)])
def test_a_crowd_has_to_spread_before_its_weights_are_fixed(n_walkers: int, settled: bool) -> None:
    walk = narrow_walk(n_walkers=n_walkers)
    walk.schedule = OneOverT(Stage(n_walkers, 0.5, ended=SETTLED_STAGES))
    walk.weights.control["ln_f"] = 1e-9
    assert walk.settled() == settled
    walk.walkers.records["half_trips"][:15] = 1
    assert walk.settled()
    walk.schedule = OneOverT(Stage(n_walkers, 0.5))
    assert not walk.settled()


def test_crowds_begin_with_a_small_ln_f() -> None:
    few, more, crowd = narrow_walk(), narrow_walk(n_walkers=64), narrow_walk(n_walkers=100)
    assert (few.ln_f, few.crowded, more.crowded, crowd.crowded) == (1.0, False, False, True)
    assert more.ln_f == NARROW.n_bins / 64
    assert crowd.ln_f == NARROW.n_bins / (100 * 50)
