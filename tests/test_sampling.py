"""Whole calculations against exact tables: all ensembles, windows, teams, crowds, and what ends or upsets them."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from exact_weights import FULL, Uncompiled, bcc_oracle, bcc_table, binned, fcc_oracle
from known_levels import UNLIKE_BONDS

from wanglandau import calculation as calculation_module
from wanglandau import sampling
from wanglandau.calculation import Calculation, plan
from wanglandau.density_of_states import DensityOfStates
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import EnergyOracle
from wanglandau.range_search import EnergyRange
from wanglandau.ranks import OneProcess
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.verdict import judge


def run(oracle: EnergyOracle, composition: int | None, **choices: object) -> SampledDensity:
    settings = WangLandauSettings(**({"precision": 1e-6, "threads": 1} | choices))  # type: ignore[arg-type]
    return sample_density(oracle, composition, settings, progress=False)


def rms(density: DensityOfStates, table: dict[int, int]) -> float:
    exact = binned(table, density.grid)
    assert np.array_equal(density.visited, np.isfinite(exact)), "bins that hold no level, or levels not found"
    seen = density.visited
    return float(np.sqrt(np.mean((density.ln_g[seen] - exact[seen]) ** 2)))


@pytest.mark.compiled
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"windows": 2},
        {"windows": 3, "max_trials": 1_200_000},
        {"teams": 2},
        {"windows": 2, "teams": 2, "max_trials": 1_500_000},
        {"walkers": 20, "max_trials": 700_000},
        {"walkers": 130, "max_trials": 1_500_000},
        {"production": 0.0},
        {"schedule": "halving"},
    ],
    ids=str,
)
def test_sampling_reproduces_the_exact_table(choices: dict) -> None:
    sampled = run(fcc_oracle(), 16, **({"runs": 2, "max_trials": 700_000} | choices))
    assert rms(sampled.density, UNLIKE_BONDS) < 0.2  # 0.01 in the long test
    assert np.logaddexp.reduce(sampled.density.ln_g) == pytest.approx(np.log(601080390.0))
    assert sampled.produced == (choices.get("production") != 0.0)
    assert sampled.layout == (2, choices.get("windows", 1), choices.get("teams", 1))
    if sampled.produced:
        assert sampled.transition_mismatch < 0.3
        assert sampled.transition_ln_g is not None
        exact = binned(UNLIKE_BONDS, sampled.density.grid)
        seen = sampled.density.visited
        assert np.sqrt(np.mean((sampled.transition_ln_g[:, seen] - exact[seen]) ** 2)) < 0.2
    if sampled.layout[1] > 1:
        assert sampled.exchange.min() > 0.1
        assert sampled.mismatch.max() < 0.4


@pytest.mark.long
@pytest.mark.parametrize("choices", [{}, {"windows": 2}, {"windows": 3, "teams": 2}, {"walkers": 1000}], ids=str)
def test_long_runs_come_close_to_the_exact_table(choices: dict) -> None:
    sampled = run(fcc_oracle(), 16, runs=4, max_trials=20_000_000, **choices)
    assert rms(sampled.density, UNLIKE_BONDS) < 0.01
    assert judge(sampled).trusted, judge(sampled).reasons
    assert sampled.transition_mismatch < 0.05


@pytest.mark.compiled
def test_transition_matrix_is_an_estimate_of_its_own() -> None:
    sampled = run(bcc_oracle(), 8, runs=2, max_trials=1_000_000)
    exact = binned(bcc_table().at_composition(8), sampled.density.grid)
    seen = sampled.density.visited
    assert sampled.transition_ln_g is not None
    assert np.sqrt(np.mean((sampled.transition_ln_g[:, seen] - exact[seen]) ** 2)) < 0.05
    assert not np.array_equal(sampled.transition_ln_g, sampled.density.run_ln_g)


@pytest.mark.compiled
def test_all_compositions_at_zero_field() -> None:
    sampled = run(bcc_oracle(), None, runs=2, max_trials=1_000_000, ensemble="zero-field")
    assert list(sampled.densities) == [None]
    assert rms(sampled.density, bcc_table().over_compositions()) < 0.05
    assert np.logaddexp.reduce(sampled.density.ln_g) == pytest.approx(16 * np.log(2.0))


@pytest.mark.compiled
def test_every_composition_of_a_semigrand_run() -> None:
    sampled = run(bcc_oracle(), None, runs=2, max_trials=2_000_000, ensemble="semigrand")
    assert list(sampled.densities) == list(range(17))
    errors = [rms(density, bcc_table().at_composition(n)) for n, density in sampled.densities.items()]  # type: ignore[arg-type]
    assert max(errors) < 0.1
    assert sampled.row_residual.max() < 0.1  # compositions come out in the right proportion though none is told them
    assert sampled.visits.shape[:2] == (2, 17)
    assert sampled.transition_ln_g is None


@pytest.mark.compiled
@pytest.mark.parametrize("ends", [(-116.5, -95.5), (-117.9, -94.1)])
def test_energy_window_is_normalised_to_its_share(ends: tuple[float, float]) -> None:
    low, high = (edge * units.Ry * 1000 / 32 for edge in ends)
    sampled = run(fcc_oracle(), 16, runs=2, max_trials=500_000, energy_range=(low, high))
    density = sampled.density
    assert density.mean_energy[density.visited][[0, -1]] == pytest.approx([-116.0, -96.0])
    exact = binned(UNLIKE_BONDS, density.grid)
    assert np.sqrt(np.mean((density.ln_g - exact)[density.visited] ** 2)) < 0.05
    share = sum(count for unlike, count in UNLIKE_BONDS.items() if 96 <= unlike <= 116) / 601080390
    assert density.coverage == pytest.approx(share, abs=0.01)


def test_semigrand_runs_have_no_energy_window() -> None:
    with pytest.raises(InputError, match="energy_range"):
        WangLandauSettings(ensemble="semigrand", energy_range=(-1.0, 1.0))


def test_seed_decides_the_result() -> None:
    first, again, other = (run(bcc_oracle(), 8, runs=1, max_trials=50_000, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.density.run_ln_g, again.density.run_ln_g)
    assert np.array_equal(first.records, again.records)
    assert not np.array_equal(first.density.run_ln_g, other.density.run_ln_g)


@pytest.mark.parametrize("choices", [{}, {"windows": 2}, {"walkers": 20, "max_trials": 20_000}], ids=str)
def test_threads_change_nothing(choices: dict) -> None:
    one, three = (
        run(fcc_oracle(), 8, **({"runs": 3, "max_trials": 100_000, "threads": threads} | choices)) for threads in (1, 3)
    )
    assert np.array_equal(one.density.run_ln_g, three.density.run_ln_g)
    assert np.array_equal(one.histogram, three.histogram)
    assert np.array_equal(one.records, three.records)


def test_batched_and_compiled_energies_give_the_same_result() -> None:
    compiled, batched = (
        run(oracle, 16, runs=1, max_trials=20_000, walkers=5) for oracle in (fcc_oracle(), Uncompiled(fcc_oracle()))
    )
    assert np.array_equal(compiled.density.run_ln_g, batched.density.run_ln_g)
    assert np.array_equal(compiled.visits, batched.visits)


@pytest.mark.compiled
def test_precision_ends_a_calculation_early() -> None:
    sampled = run(bcc_oracle(), 8, runs=4, max_trials=50_000_000, precision=0.02)
    assert sampled.produced
    assert (sampled.trials < 5_000_000).all()
    assert rms(sampled.density, bcc_table().at_composition(8)) < 0.06


@pytest.mark.compiled
def test_range_that_the_search_missed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    missed = EnergyRange(-110.0, -92.0, 1, 1, 0, 2.0, 5.0)
    monkeypatch.setattr(calculation_module, "search_range", lambda *_: missed)
    sampled = run(fcc_oracle(), 16, runs=2, max_trials=1_000_000)
    assert (sampled.walks["extended"] > 0).all()
    assert (sampled.walks["first_bin"] <= -9).all()  # nine levels lie below what the search found
    assert rms(sampled.density, UNLIKE_BONDS) < 0.1


@pytest.mark.compiled
def test_production_begins_again_when_a_bin_is_found_late(monkeypatch: pytest.MonkeyPatch) -> None:
    found = EnergyRange(-122.0, -64.0, 1, 1, 0, 2.0, 5.0)  # without the 42 ground states
    monkeypatch.setattr(calculation_module, "search_range", lambda *_: found)
    settings = WangLandauSettings(runs=1, precision=1e-6, max_trials=3_000_000, seed=3, threads=1)
    calculation = plan(Engine.fastest(fcc_oracle()), 16, settings, OneProcess())
    walk = calculation.walks[0]
    while not walk.producing:
        walk.advance(calculation.engine, 700)
        walk.walkers.records["lowest_refused"] = np.inf  # as if no walker had come to the edge yet
        sampling._review(calculation)
    assert walk.grid.start == -123.0
    while walk.producing:
        walk.advance(calculation.engine, 700)
        sampling._review(calculation)
    assert walk.extended_at and walk.trials_before == 0
    assert walk.grid.start == -129.0
    assert not calculation.measurement.averages
    assert walk.weights.control["trials"] == walk.trials > walk.extended_at[-1] - 1
    while not walk.producing:
        walk.advance(calculation.engine, 700)
        sampling._review(calculation)
    assert walk.weights.bins["seen"][0] == 1
    walk.advance(calculation.engine, 300_000)
    seen = walk.weights.bins["seen"] == 1
    exact = binned(UNLIKE_BONDS, FULL)[seen]
    difference = walk.estimate()[seen] - exact
    assert difference.std() < 0.3


@pytest.mark.compiled
def test_teams_that_found_different_bins_do_not_wait_for_each_other() -> None:
    settings = WangLandauSettings(runs=1, teams=2, max_trials=1_000_000, production=False, threads=1)
    calculation = plan(Engine.fastest(bcc_oracle()), 8, settings, OneProcess())
    first, second = calculation.walks
    for walk in calculation.walks:
        walk.advance(calculation.engine, 2000)
    first.schedule.phase = 2
    first.weights.control["bins_found"] = 0
    second.weights.control["ln_f"] = 0.25
    for _ in range(50):
        second.advance(calculation.engine, 500)
        sampling._review(calculation)
    assert second.ln_f < 0.25


def test_a_budget_below_one_round_is_no_interrupt() -> None:
    sampled = run(bcc_oracle(), 8, runs=1, max_trials=1)
    assert not sampled.interrupted
    assert sampled.trials[0] == 4


@pytest.mark.parametrize("composition", [0, 16, -1, 40])
def test_composition_without_swaps_is_refused(composition: int) -> None:
    with pytest.raises(InputError, match="choose 1 to 15"):
        run(bcc_oracle(), composition, runs=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"runs": 0},
        {"max_trials": 0},
        {"bins": 1},
        {"bin_width": -1.0},
        {"energy_range": (2.0, 1.0)},
        {"seed": -1},
        {"precision": float("nan")},
        {"walkers": 0},
        {"windows": 0},
        {"teams": 0},
        {"overlap": 0.95},
        {"exchange_interval": 0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=r"allowed|above"):
        WangLandauSettings(**wrong)


def test_window_without_configurations_is_refused() -> None:
    with pytest.raises(InputError, match="widen"):
        run(fcc_oracle(), 16, runs=1, energy_range=(1.0, 2.0))


def test_more_processes_than_walks_are_refused() -> None:
    class Many(OneProcess):
        size = 5

    with pytest.raises(InputError, match="at most 4"):
        plan(Engine.fastest(bcc_oracle()), 8, WangLandauSettings(runs=2, windows=2), Many())


class Failing(Uncompiled):
    """Gives a number that is none, after a while."""

    def __init__(self, oracle: EnergyOracle, good_calls: int) -> None:
        super().__init__(oracle)
        self.left, self._good = good_calls, oracle.energies
        self.energies = self._energies  # type: ignore[method-assign]

    def _energies(self, occupations: np.ndarray) -> np.ndarray:
        self.left -= 1
        energies = self._good(occupations)
        return energies if self.left > 0 else np.where(np.arange(len(energies)) == 0, np.nan, energies)


@pytest.mark.compiled
@pytest.mark.parametrize("good_calls", [50, 1500])
def test_an_energy_that_is_no_number_is_an_error_and_no_rejection(good_calls: int) -> None:
    with pytest.raises(OracleError, match="finite"):
        run(Failing(fcc_oracle(), good_calls), 16, runs=1, max_trials=100_000)


@pytest.mark.compiled
def test_interrupt_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = []
    review = sampling._review

    def interrupt(calculation: Calculation) -> None:
        reviews.append(1)
        if len(reviews) > 40:
            raise KeyboardInterrupt
        review(calculation)

    monkeypatch.setattr(sampling, "_review", interrupt)
    sampled = run(bcc_oracle(), 8, runs=2)
    assert sampled.interrupted
    assert (sampled.trials > 0).all()
    assert sampled.density.visited.sum() == 5
    assert "interrupted" in judge(sampled).summary
