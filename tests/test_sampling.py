"""The sampler against exact counts, and broken samplers that these checks must catch."""

from __future__ import annotations

import numpy as np
import pytest
from known_levels import UNLIKE_BONDS as FCC_HALF
from numba import njit

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import EnergyOracle
from wanglandau.pair_model import PairOracle
from wanglandau.range_search import make_grid, search_range
from wanglandau.sampling import SampledDensity, sample_density, standard_error_rms
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System, load_system
from wanglandau.verdict import judge
from wanglandau.walkers import Engine, Walkers, Weights, Window, flat_weights, make_walkers
from wanglandau.wang_landau import advance_run, make_run

FLATNESS_TOLERANCE = 0.02
"""Of a histogram of 4e7 trials under exact weights; its statistical scatter is a quarter of this."""


@pytest.fixture(scope="module")
def cuau() -> System:
    return load_system("cuau")


@pytest.fixture(scope="module")
def pair(cuau: System) -> PairOracle:
    return PairOracle(cuau.lattice, [-1.0])


def exact_ln_g(energies: np.ndarray) -> np.ndarray:
    return np.log([float(FCC_HALF[round(-energy)]) for energy in energies])


def rms_error(sampled: SampledDensity) -> float:
    visited = sampled.density.visited
    difference = sampled.density.ln_g[visited] - exact_ln_g(sampled.density.mean_energy[visited])
    return float(np.sqrt(np.mean(difference**2)))


class Uncompiled:
    """The same energies as another oracle without its compiled form."""

    def __init__(self, oracle: EnergyOracle) -> None:
        self.lattice, self.reference_energies = oracle.lattice, oracle.reference_energies
        self.identity, self.invariant, self.energies = oracle.identity, oracle.invariant, oracle.energies


def test_wang_landau_reproduces_the_exact_table(pair: PairOracle) -> None:
    sampled = sample_density(pair, 16, WangLandauSettings(runs=2, max_trials=5_000_000, precision=1e-6), progress=False)
    assert sampled.density.visited.sum() == len(FCC_HALF)
    assert rms_error(sampled) < 0.04
    assert all(run.schedule.phase == 2 for run in sampled.runs)
    assert np.allclose(np.logaddexp.reduce(sampled.density.ln_g), np.log(601080390.0))


def test_energy_window_is_normalised_to_its_share(pair: PairOracle, cuau: System) -> None:
    from ase import units

    low, high = (edge * units.Ry * 1000 / cuau.lattice.n_sites for edge in (-116.5, -95.5))
    settings = WangLandauSettings(runs=2, max_trials=2_000_000, precision=1e-6, energy_range=(low, high))
    sampled = sample_density(pair, 16, settings, progress=False)
    assert sampled.density.mean_energy.min() == pytest.approx(-116.0)
    assert rms_error(sampled) < 0.05


@pytest.mark.parametrize("n_walkers", [1, 5])
def test_fused_and_batched_rounds_walk_through_the_same_states(pair: PairOracle, n_walkers: int) -> None:
    states = []
    for engine in (Engine.fastest(pair), Engine(pair)):
        walkers = make_walkers(pair, 16, n_walkers, np.random.SeedSequence(3), Window(-112.5, -95.5))
        weights = flat_weights(EnergyGrid.covering(-112.0, -96.0, 2.0), walkers, 1.0)
        weights.control["one_over_t"] = 1
        engine.advance(walkers, weights, 3000)
        states.append((walkers, weights))
    (fused, fused_weights), (batched, batched_weights) = states
    assert np.array_equal(fused.occupations, batched.occupations)
    assert np.array_equal(fused.records, batched.records)
    assert np.array_equal(fused_weights.bins, batched_weights.bins)
    assert np.array_equal(fused_weights.control, batched_weights.control)
    assert fused_weights.control["out_of_range"] > 0


def test_result_does_not_depend_on_the_number_of_threads(pair: PairOracle) -> None:
    results = [
        sample_density(pair, 8, WangLandauSettings(runs=3, max_trials=200_000, threads=threads), progress=False)
        for threads in (1, 3)
    ]
    assert np.array_equal(results[0].density.run_ln_g, results[1].density.run_ln_g)
    assert np.array_equal(results[0].histogram, results[1].histogram)


def test_seed_decides_the_result(pair: PairOracle) -> None:
    first, again, other = (
        sample_density(pair, 8, WangLandauSettings(runs=1, max_trials=50_000, seed=seed), progress=False)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first.density.run_ln_g, again.density.run_ln_g)
    assert not np.array_equal(first.density.run_ln_g, other.density.run_ln_g)


def exact_weights(walkers: Walkers, low: float, high: float) -> Weights:
    """Fixed exact weights over part of the spectrum."""
    weights = flat_weights(EnergyGrid.covering(low, high, 2.0), walkers, 0.0)
    centres = EnergyGrid.covering(low, high, 2.0).centres
    for index, centre in enumerate(centres):
        if round(-centre) in FCC_HALF:
            weights.bins["ln_g"][index] = np.log(float(FCC_HALF[round(-centre)]))
            weights.bins["seen"][index] = 1
    return weights


HONEST, ALWAYS_ACCEPT, FORGET_REJECTED, FORGET_OUT_OF_RANGE, REVERSED = range(5)


@njit
def faulty_rounds(energy, population, cache, bins, control, composition, n_rounds, fault):  # type: ignore[no-untyped-def]
    """The fused loop with a fault that can be switched on."""
    parameters, trial, commit = energy
    occupations, sites, records = population
    picks, flips = np.empty(2, dtype=np.int32), np.empty(2, dtype=np.int32)
    scalars = control[0]
    for _ in range(n_rounds):
        for walker in range(len(records)):
            record = records[walker]
            kernels.pick_swap(sites[walker], composition, record.random_state, picks, flips)
            proposed = trial(parameters, occupations[walker], cache[walker], flips)
            bits = kernels.next_random(record.random_state)
            refused = scalars.out_of_range
            ratio = 0.0
            new_bin = kernels.bin_of(proposed, scalars)
            if fault == ALWAYS_ACCEPT:
                ratio = 1e6
            if fault == REVERSED and 0 <= new_bin < len(bins):
                ratio = 2.0 * (bins[new_bin].ln_g - bins[record.bin].ln_g)
            if kernels.accept_and_record(record, bins, scalars, bits, proposed, ratio):
                commit(parameters, occupations[walker], cache[walker], flips)
                kernels._exchange(sites[walker], picks)
            elif fault == FORGET_REJECTED or (fault == FORGET_OUT_OF_RANGE and scalars.out_of_range > refused):
                bins[record.bin].histogram -= 1


def worst_deviation_from_flat(pair: PairOracle, fault: int) -> float:
    walkers = make_walkers(pair, 16, 4, np.random.SeedSequence(11), Window(-116.5, -95.5))
    weights = exact_weights(walkers, -116.0, -96.0)
    compiled = pair.compiled()
    cache = np.zeros((4, compiled.cache_size))
    kernels.prepare_all(compiled.parameters, compiled.prepare, walkers.occupations, cache, np.empty(4))
    energy = (compiled.parameters, compiled.trial, compiled.commit)
    faulty_rounds(energy, walkers.population, cache, weights.bins, weights.control, 16, 1_500_000, fault)
    histogram = weights.bins["histogram"]
    return float(np.abs(histogram / histogram.mean() - 1).max())


def test_exact_weights_give_a_flat_histogram(pair: PairOracle) -> None:
    assert worst_deviation_from_flat(pair, HONEST) < FLATNESS_TOLERANCE


@pytest.mark.parametrize("fault", [ALWAYS_ACCEPT, FORGET_REJECTED, FORGET_OUT_OF_RANGE, REVERSED])
def test_broken_rules_are_caught(pair: PairOracle, fault: int) -> None:
    assert worst_deviation_from_flat(pair, fault) > 5 * FLATNESS_TOLERANCE


def test_single_walker_kernel_is_flat_under_exact_weights(pair: PairOracle) -> None:
    walkers = make_walkers(pair, 16, 1, np.random.SeedSequence(12))
    weights = exact_weights(walkers, -128.0, -64.0)
    Engine.fastest(pair).advance(walkers, weights, 10_000_000)
    histogram = weights.bins["histogram"][weights.bins["seen"] == 1]
    assert np.abs(histogram / histogram.mean() - 1).max() < 3 * FLATNESS_TOLERANCE


def test_boltzmann_weight_gives_the_exact_canonical_energy(pair: PairOracle) -> None:
    from wanglandau.walkers import boltzmann_weights

    unlike, count = np.array(list(FCC_HALF)), np.array(list(FCC_HALF.values()), dtype=float)
    beta = 0.5
    boltzmann = count * np.exp(beta * (unlike - 128.0))
    exact = -(unlike * boltzmann).sum() / boltzmann.sum()
    walkers = make_walkers(pair, 16, 8, np.random.SeedSequence(2))
    energies = []
    for _ in range(400):
        Engine.fastest(pair).advance(walkers, boltzmann_weights(beta), 200)
        energies.append(walkers.records["energy"].mean())
    blocks = np.array(energies[40:]).reshape(20, -1).mean(axis=1)
    assert abs(blocks.mean() - exact) < 5 * blocks.std(ddof=1) / np.sqrt(len(blocks))


def test_range_search_finds_both_ends(pair: PairOracle) -> None:
    found = search_range(Engine.fastest(pair), 16, 300_000, np.random.SeedSequence(1))
    assert (found.low, found.high) == (-128.0, -64.0)
    assert found.level_spacing == 2.0
    assert make_grid(found, 300, None, Window()).n_bins == 33


def test_grid_grows_to_energies_that_the_search_missed(pair: PairOracle, monkeypatch: pytest.MonkeyPatch) -> None:
    from wanglandau import sampling
    from wanglandau.range_search import EnergyRange

    missed = EnergyRange(-110.0, -92.0, 1, 1, 0, 2.0)
    monkeypatch.setattr(sampling, "search_range", lambda *_: missed)
    sampled = sample_density(pair, 16, WangLandauSettings(runs=2, max_trials=5_000_000, precision=1e-6), progress=False)
    assert all(run.extended_at for run in sampled.runs)
    assert all(run.first_bin <= -9 for run in sampled.runs)  # nine levels lie below what the search found
    assert sampled.density.visited.sum() == len(FCC_HALF)
    assert rms_error(sampled) < 0.05


def test_verdict_trusts_a_good_run_and_says_why_not_else(pair: PairOracle) -> None:
    good = sample_density(pair, 8, WangLandauSettings(runs=4, max_trials=2_000_000), progress=False)
    assert judge(good).trusted
    assert judge(good).reasons == []
    poor = sample_density(pair, 16, WangLandauSettings(runs=2, max_trials=2_000), progress=False)
    verdict = judge(poor)
    assert not verdict.trusted
    assert any("--max-trials" in reason for reason in verdict.reasons)
    assert any("--runs" in reason for reason in verdict.reasons)


def test_precision_ends_a_calculation_early(pair: PairOracle) -> None:
    sampled = sample_density(pair, 8, WangLandauSettings(runs=4, max_trials=50_000_000, precision=0.02), progress=False)
    assert sampled.runs[0].trials < 50_000_000
    assert standard_error_rms(sampled.density) < 0.02


@pytest.mark.parametrize("composition", [0, 32, -1, 40])
def test_composition_without_swaps_is_refused(pair: PairOracle, composition: int) -> None:
    with pytest.raises(InputError, match="choose 1 to 31"):
        sample_density(pair, composition, WangLandauSettings(runs=1), progress=False)


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
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match=r"allowed|above"):
        WangLandauSettings(**wrong)


def test_window_without_configurations_is_refused(pair: PairOracle) -> None:
    with pytest.raises(InputError, match="widen"):
        sample_density(pair, 16, WangLandauSettings(runs=1, energy_range=(1.0, 2.0)), progress=False)


class Failing(Uncompiled):
    """Gives a number that is none, after a while."""

    def __init__(self, oracle: EnergyOracle) -> None:
        super().__init__(oracle)
        self.calls = 0
        self.energies = self._energies  # type: ignore[method-assign]
        self._good = oracle.energies

    def _energies(self, occupations: np.ndarray) -> np.ndarray:
        self.calls += 1
        energies = self._good(occupations)
        return energies if self.calls < 50 else np.where(np.arange(len(energies)) == 0, np.nan, energies)


def test_an_energy_that_is_no_number_is_an_error_and_no_rejection(pair: PairOracle) -> None:
    with pytest.raises(OracleError, match="finite"):
        sample_density(Failing(pair), 16, WangLandauSettings(runs=1, max_trials=100_000), progress=False)


def test_interrupt_keeps_what_was_found(pair: PairOracle, monkeypatch: pytest.MonkeyPatch) -> None:
    from wanglandau import sampling

    blocks = []

    def interrupt(*_: object) -> bool:
        blocks.append(1)
        if len(blocks) > 5:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(sampling, "_finished", interrupt)
    sampled = sample_density(pair, 16, WangLandauSettings(runs=4), progress=False)
    assert sampled.interrupted
    assert sampled.runs[0].trials > 0
    assert "interrupted" in judge(sampled).summary


def test_walkers_stay_in_their_bins_when_the_grid_grows(pair: PairOracle) -> None:
    walkers_window = Window(-110.5, -91.5)
    grid = EnergyGrid.covering(-110.0, -92.0, 2.0)
    run = make_run(Engine.fastest(pair), 16, 3, grid, Window(), None, np.random.SeedSequence(4))
    assert walkers_window.holds(run.walkers.records["energy"]).all()
    while not run.extended_at:
        advance_run(run, Engine.fastest(pair), 10**9)
    assert np.array_equal(run.walkers.records["bin"], run.grid.index(run.walkers.records["energy"]))
    assert run.grid.start == grid.start + 2.0 * run.first_bin


def test_every_trial_counts_whether_accepted_or_not(pair: PairOracle) -> None:
    walkers = make_walkers(pair, 16, 3, np.random.SeedSequence(4))
    weights = flat_weights(EnergyGrid.covering(-128.0, -64.0, 2.0), walkers, 1.0)
    Engine.fastest(pair).advance(walkers, weights, 1000)
    assert weights.control["trials"] == weights.bins["visits"].sum() == 3000
    assert 0 < walkers.records["accepted"].sum() < 3000
    assert weights.bins["ln_g"].sum() > 3000  # new bins begin at the lowest ln g there is
