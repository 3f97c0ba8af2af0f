"""Exchange between windows: who meets whom, what travels, even histograms, and no dependence on how work is shared."""

from __future__ import annotations

from threading import BrokenBarrierError

import numpy as np
import pytest
from exact_weights import FULL, WIDTH, Uncompiled, fcc_oracle, fcc_weights, worst_deviation
from thread_ranks import run_on

from wanglandau import replica_exchange
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.ranks import OneProcess, Ranks, share_of
from wanglandau.replica_exchange import Exchange, Layout, average_teams
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.starting import starting_walkers
from wanglandau.walk import Walk, make_walk
from wanglandau.walkers import Window

LOWEST = [-118.0, -112.0, -106.0]
"""Lowest levels of windows of six levels each that share three with the next."""


@pytest.mark.parametrize("layout", [Layout(2, 2, 1), Layout(1, 3, 2), Layout(3, 5, 4), Layout(2, 1, 3)])
@pytest.mark.parametrize("parity", [0, 1])
def test_partners_are_mutual_neighbours_of_the_same_run(layout: Layout, parity: int) -> None:
    for shift in range(layout.teams):
        partners = layout.partners(parity, shift)
        paired = np.flatnonzero(partners >= 0)
        assert np.array_equal(partners[partners[paired]], paired)
        met = set()
        for walk in paired.tolist():
            run, window, team = layout.place(walk)
            other_run, other, other_team = layout.place(int(partners[walk]))
            assert (run, abs(window - other)) == (other_run, 1)
            assert min(window, other) % 2 == parity
            if window < other:
                assert other_team == (team + shift) % layout.teams
                met.add((run, window))
        assert len(met) == layout.runs * len(range(parity, layout.windows - 1, 2))
        assert len(paired) == 2 * len(met) * layout.teams


def test_places_and_numbers_belong_together() -> None:
    layout = Layout(2, 3, 4)
    places = [layout.place(walk) for walk in range(layout.size)]
    assert len(set(places)) == layout.size == 24
    assert [layout.number(*place) for place in places] == list(range(24))


def windowed_walks(layout: Layout, n_walkers: int, exact: bool = True) -> list[Walk]:
    engine, walks = Engine.fastest(fcc_oracle()), []
    for number in range(layout.size):
        low = LOWEST[layout.place(number)[1]]
        grid = EnergyGrid.covering(low, low + 10.0, WIDTH)
        window = Window(low - 0.5, low + 10.5)
        walkers = starting_walkers(engine, 16, n_walkers, window, FULL, np.random.SeedSequence([number, 7]))
        walkers.records["replica"] = number * n_walkers + np.arange(n_walkers)
        walk = make_walk(walkers, grid, round((low + 128.0) / WIDTH), window, WangLandauSettings())
        if exact:
            walk.weights = fcc_weights(walkers, grid)
        walks.append(walk)
    return walks


def deviation_after_exchanges(n_windows: int, n_exchanges: int, n_walkers: int = 256) -> tuple[float, np.ndarray]:
    layout, engine = Layout(1, n_windows, 1), Engine.fastest(fcc_oracle())
    walks, exchange = windowed_walks(layout, n_walkers), Exchange(layout, seed=3)
    for _ in range(n_exchanges):
        for walk in walks:
            engine.advance(walk.walkers, walk.weights, 4)
        exchange.perform(walks, OneProcess())
    return max(worst_deviation(walk.weights) for walk in walks), exchange.accepted / exchange.tried


@pytest.mark.compiled
@pytest.mark.parametrize(("n_windows", "n_exchanges", "tolerance"), [(2, 1200, 0.02), (3, 600, 0.03)])
def test_windows_are_flat_under_exact_weights(n_windows: int, n_exchanges: int, tolerance: float) -> None:
    deviation, accepted = deviation_after_exchanges(n_windows, n_exchanges)
    assert deviation < tolerance  # 1 % in the long test
    assert (accepted > 0.1).all()


@pytest.mark.long
def test_windows_are_flat_within_one_per_cent() -> None:
    assert deviation_after_exchanges(3, 20_000)[0] < 0.01


@pytest.mark.compiled
def test_one_estimate_in_place_of_both_is_not_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    both = replica_exchange._gains

    def of_the_lower_window(walks: list, own: range, records: np.ndarray, partners: np.ndarray) -> np.ndarray:
        gains = both(walks, own, records, partners)
        for row, number in enumerate(own):
            if 0 <= partners[number] < number:
                gains[row, np.isfinite(gains[row])] = 0.0
        return gains

    monkeypatch.setattr(replica_exchange, "_gains", of_the_lower_window)
    assert deviation_after_exchanges(2, 300)[0] > 0.06


@pytest.mark.compiled
def test_with_exact_weights_every_exchange_inside_the_overlap_is_accepted() -> None:
    layout = Layout(1, 2, 1)
    walks, exchange = windowed_walks(layout, 64), Exchange(layout, seed=3)
    overlap = np.array(
        [(-112.5 <= walk.walkers.records["energy"]) & (walk.walkers.records["energy"] <= -107.5) for walk in walks]
    )
    exchange.perform(walks, OneProcess())
    assert 0 < exchange.accepted[0] <= overlap.sum(axis=1).min()
    assert exchange.tried[0] == 64
    exchange.perform(walks, OneProcess())  # windows (1, 2) do not exist: nobody meets
    assert exchange.tried[0] == 64


@pytest.mark.compiled
def test_records_and_configurations_travel_together() -> None:
    layout, oracle = Layout(2, 3, 2), fcc_oracle()
    walks, exchange, engine = windowed_walks(layout, 5), Exchange(layout, seed=4), Engine.fastest(oracle)
    streams = np.array([walk.walkers.records["random_state"] for walk in walks])
    for _ in range(6):
        exchange.perform(walks, OneProcess())
    assert exchange.accepted.min() > 0
    assert np.array_equal(streams, [walk.walkers.records["random_state"] for walk in walks])  # these stay
    for _ in range(20):
        exchange.perform(walks, OneProcess())
        for walk in walks:
            walk.advance(engine, 20)
    replicas = np.array([walk.walkers.records["replica"] for walk in walks])
    assert sorted(replicas.ravel()) == list(range(layout.size * 5))
    by_run = replicas.reshape(2, -1)
    assert (by_run[0] < 30).all() and (by_run[1] >= 30).all()
    assert (replicas != np.arange(layout.size * 5).reshape(replicas.shape)).any()
    for walk in walks:
        walkers = walk.walkers
        assert np.array_equal(oracle.energies(walkers.occupations), walkers.records["energy"])
        assert (walkers.occupations.sum(axis=1) == 16).all() and (walkers.records["composition"] == 16).all()
        assert walk.window.holds(walkers.records["energy"]).all()
        assert np.array_equal(walkers.records["bin"], walk.grid.index(walkers.records["energy"]))
        second = np.take_along_axis(walkers.occupations, walkers.sites.astype(np.int64), axis=1)
        assert (second[:, :16] == 1).all() and (second[:, 16:] == 0).all()
        assert (walkers.records["lowest"] <= walkers.records["energy"]).all()
        assert (walkers.records["highest"] >= walkers.records["energy"]).all()


@pytest.mark.compiled
def test_headings_travel_with_the_configuration() -> None:
    layout = Layout(1, 2, 1)
    walks, exchange = windowed_walks(layout, 16), Exchange(layout, seed=5)
    for number, walk in enumerate(walks):
        walk.walkers.records["heading"] = 1 - 2 * number
        walk.walkers.records["half_trips"] = 10 * number + np.arange(16)
    table = {
        int(record["replica"]): (record["heading"], record["half_trips"], record["energy"])
        for walk in walks
        for record in walk.walkers.records.copy()
    }
    exchange.perform(walks, OneProcess())
    assert exchange.accepted[0] > 0
    for walk in walks:
        for record in walk.walkers.records:
            assert table[int(record["replica"])] == (record["heading"], record["half_trips"], record["energy"])


@pytest.mark.compiled
def test_nothing_is_exchanged_with_a_state_that_has_no_weight() -> None:
    layout = Layout(1, 2, 1)
    walks, exchange = windowed_walks(layout, 64), Exchange(layout, seed=5)
    walks[1].weights.bins["seen"] = 0
    before = [walk.walkers.occupations.copy() for walk in walks]
    exchange.perform(walks, OneProcess())
    assert exchange.accepted[0] == 0
    for old, walk in zip(before, walks, strict=True):
        assert np.array_equal(old, walk.walkers.occupations)


def teams_of_one_window() -> tuple[list[Walk], Layout]:
    layout = Layout(1, 1, 3)
    walks = windowed_walks(layout, 2, exact=False)
    rng = np.random.default_rng(1)
    for number, walk in enumerate(walks):
        bins = walk.weights.bins
        bins["seen"], bins["ln_g"] = 1, np.arange(6) + 100.0 * number + rng.normal(size=6)
    walks[2].weights.bins["seen"][0] = 0
    return walks, layout


def test_teams_are_aligned_before_they_are_averaged() -> None:
    walks, layout = teams_of_one_window()
    pieces = np.array([walk.weights.bins["ln_g"][1:] for walk in walks])
    lonely = walks[0].weights.bins["ln_g"][0]
    average_teams(walks, OneProcess(), layout, [0, 1, 2])
    shape = (pieces - pieces.mean(axis=1, keepdims=True)).mean(axis=0)
    for walk, piece in zip(walks, pieces, strict=True):
        mean = walk.weights.bins["ln_g"][1:]
        assert mean == pytest.approx(shape + piece.mean())  # every team keeps its level
    assert walks[0].weights.bins["ln_g"][0] == lonely


def test_a_mean_of_teams_that_are_not_aligned_is_caught() -> None:
    """Where one team lacks a bin, the plain mean over those that have it makes a step there."""
    walks, _ = teams_of_one_window()
    ln_g = np.array([np.where(walk.weights.bins["seen"] == 1, walk.weights.bins["ln_g"], np.nan) for walk in walks])
    plain = np.nanmean(ln_g, axis=0)
    aligned = np.nanmean(ln_g - np.nanmean(ln_g[:, 1:], axis=1, keepdims=True), axis=0)
    assert abs(np.diff(aligned)[0]) < 5.0
    assert abs(np.diff(plain)[0]) > 40.0


def sampled_on(ranks: Ranks, settings: WangLandauSettings, compiled: bool) -> SampledDensity:
    oracle = fcc_oracle() if compiled else Uncompiled(fcc_oracle())
    return sample_density(oracle, 16, settings, progress=False, ranks=ranks)


def assert_identical(first: SampledDensity, second: SampledDensity) -> None:
    assert np.array_equal(first.density.run_ln_g, second.density.run_ln_g)
    assert np.array_equal(first.density.mean_energy, second.density.mean_energy)
    assert np.array_equal(first.visits, second.visits)
    assert np.array_equal(first.records, second.records)
    assert all(np.array_equal(first.walks[name], second.walks[name]) for name in first.walks)
    assert np.array_equal(first.exchange, second.exchange)
    assert np.array_equal(first.mismatch, second.mismatch)
    assert [one.sigma for one in first.seams] == pytest.approx([one.sigma for one in second.seams], nan_ok=True, abs=0)
    assert (first.transition_ln_g is None) == (second.transition_ln_g is None)
    if first.transition_ln_g is not None and second.transition_ln_g is not None:
        assert np.array_equal(first.transition_ln_g, second.transition_ln_g)
    assert len(first.averages) == len(second.averages)
    for one, other in zip(first.averages, second.averages, strict=True):
        assert np.array_equal(one.count, other.count)
        assert np.array_equal(one.total, other.total)
    for left, right in zip(first.joint, second.joint, strict=True):
        assert np.array_equal(left.counts, right.counts)


CASES: dict[str, tuple[dict, bool, int]] = {
    "windows": ({"runs": 2, "windows": 2, "max_trials": 250_000}, True, 3),
    "windows and teams": ({"runs": 1, "windows": 2, "teams": 2, "max_trials": 300_000, "joint": "alpha_1"}, True, 3),
    "teams": ({"runs": 1, "teams": 3, "max_trials": 300_000}, True, 2),
    "runs": ({"runs": 3, "max_trials": 150_000}, True, 2),
    "crowd": ({"runs": 2, "walkers": 80, "max_trials": 60_000}, True, 2),
    "batched": ({"runs": 2, "windows": 2, "walkers": 16, "max_trials": 30_000}, False, 3),
    "sad": ({"runs": 2, "lowest_temperature": 5e5, "max_trials": 150_000}, True, 2),
    "late range": ({"runs": 3, "production": 0.0, "max_trials": 100_000, "bin_width": 20000.0}, True, 3),
}


@pytest.mark.compiled
@pytest.mark.parametrize("case", CASES)
def test_the_number_of_processes_changes_nothing(case: str) -> None:
    choices, compiled, n_ranks = CASES[case]
    settings = WangLandauSettings(precision=1e-6, seed=9, threads=1, **choices)
    alone = sampled_on(OneProcess(), settings, compiled)

    def program(ranks: Ranks) -> SampledDensity:
        return sampled_on(ranks, settings, compiled)

    for shared in run_on(n_ranks, program):
        assert_identical(alone, shared)
    if settings.windows:
        assert alone.exchange.min() > 0.0


def test_ranks_that_go_out_of_step_are_noticed() -> None:
    """The threads that stand for processes refuse what real processes could not do."""

    def program(ranks: Ranks) -> np.ndarray:
        return ranks.gather(np.zeros((1, 1 + ranks.rank)))

    with pytest.raises((AssertionError, BrokenBarrierError)):
        run_on(2, program)


@pytest.mark.parametrize(("n_units", "n_ranks"), [(5, 2), (7, 3), (4, 4), (100, 7)])
def test_shares_are_whole_even_and_in_order(n_units: int, n_ranks: int) -> None:
    class Rank(OneProcess):
        size = n_ranks

    shares = []
    for number in range(n_ranks):
        rank = Rank()
        rank.rank = number
        shares.append(share_of(n_units, rank))
    assert [unit for share in shares for unit in share] == list(range(n_units))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
