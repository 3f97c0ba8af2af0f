"""Metropolis sampling against exact averages, exact weights of configurations and its own rules broken on purpose."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest
from references import ising
from references.alloys import JointTable, alloy_lattice, alloy_oracle, complete_bipartite_table, joint_table
from references.scale import RY_PER_J, kelvin
from scipy import stats

from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN, MEV_PER_RY
from wanglandau.metropolis import MetropolisResult, sample_metropolis
from wanglandau.metropolis_averages import average_all, susceptibility
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.metropolis_verdict import judge_metropolis
from wanglandau.orbits import keys_from_occupations
from wanglandau.pair_model import PairOracle
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.thermal_series import ThermalSeries, equilibration
from wanglandau.walkers import make_snapshots, make_walkers

pytestmark = pytest.mark.compiled

BCC = alloy_oracle(alloy_lattice("bcc", (2, 2, 2)))
FCC = alloy_oracle(alloy_lattice("fcc", (2, 2, 2)))
BCC_TEMPERATURES = np.array([4.0, 5.0, 6.0, 8.0, 12.0])
FCC_TEMPERATURES = np.array([2.0, 2.5, 3.0, 4.0, 6.0])
SETTINGS = MetropolisSettings(sweeps=4000, precision=1e-6, observables=False, seed=5, threads=2)
DELTA_MU = 6.0
"""J"""


class BatchedOnly:
    """The same energies, without the compiled path."""

    def __init__(self, oracle: PairOracle) -> None:
        self.lattice, self.identity = oracle.lattice, oracle.identity
        self.reference_energies, self.invariant = oracle.reference_energies, True
        self.energies = oracle.energies


class Scores(NamedTuple):
    """(sampled - exact) / error by temperature."""

    energy: np.ndarray
    heat_capacity: np.ndarray
    composition: np.ndarray
    composition_variance: np.ndarray

    @property
    def worst(self) -> float:
        return float(max(np.abs(column).max(initial=0.0) for column in self))


@lru_cache
def table_of(oracle: PairOracle) -> JointTable:
    return complete_bipartite_table() if oracle is BCC else joint_table("fcc", (2, 2, 2))


def scores(oracle: PairOracle, result: MetropolisResult) -> Scores:
    """Compare with exact averages; energies of tables count from J * (number of bonds)."""
    series, averages, table = result.series, average_all(result.series), table_of(oracle)
    temperatures = series.temperatures * BOLTZMANN / RY_PER_J
    n_sites = series.n_sites
    if series.composition is not None:
        exact = [table.canonical(series.composition).averages(temperature) for temperature in temperatures]
        energies = [row.energy * n_sites for row in exact]
        capacities = [row.heat_capacity * n_sites for row in exact]
        others = [np.array([])] * 2
    else:
        free = [table.semi_grand(temperature, series.delta_mu / RY_PER_J) for temperature in temperatures]
        energies, capacities = [row.energy for row in free], [row.heat_capacity for row in free]
        number, variance = averages["composition"], averages["composition_variance"]
        others = [
            (number.values - [row.n_second for row in free]) / number.errors,
            (variance.values - [row.n_variance for row in free]) / variance.errors,
        ]
    energy, capacity = averages["energy"], averages["heat_capacity"]
    mixing = (np.array(energies) - table.n_bonds) * RY_PER_J
    return Scores((energy.values - mixing) / energy.errors, (capacity.values - capacities) / capacity.errors, *others)


def canonical(oracle: PairOracle, temperatures: np.ndarray, composition: int, **changes: object) -> MetropolisResult:
    return sample_metropolis(oracle, composition, kelvin(temperatures), replace(SETTINGS, **changes), progress=False)


def semigrand(
    oracle: PairOracle, temperatures: np.ndarray, delta_mu: float = DELTA_MU, **changes: object
) -> MetropolisResult:
    settings = replace(SETTINGS, ensemble="semigrand", delta_mu=delta_mu * RY_PER_J * MEV_PER_RY, **changes)
    return sample_metropolis(oracle, None, kelvin(temperatures), settings, progress=False)


@pytest.mark.parametrize(
    ("oracle", "temperatures", "composition"),
    [(BCC, BCC_TEMPERATURES, 8), (FCC, FCC_TEMPERATURES, 16), (FCC, FCC_TEMPERATURES, 8)],
    ids=["bcc 8/8", "fcc 16/16", "fcc 24/8"],
)
def test_canonical_averages_are_exact(oracle: PairOracle, temperatures: np.ndarray, composition: int) -> None:
    result = canonical(oracle, temperatures, composition)
    assert scores(oracle, result).worst < 3
    assert (result.series.compositions == composition).all()


@pytest.mark.parametrize(
    ("oracle", "temperatures"), [(BCC, BCC_TEMPERATURES), (FCC, FCC_TEMPERATURES)], ids=["bcc", "fcc"]
)
def test_semigrand_averages_are_exact(oracle: PairOracle, temperatures: np.ndarray) -> None:
    found = scores(oracle, semigrand(oracle, temperatures))
    assert len(found.composition) == 5 and found.worst < 3


def reverse_acceptance(chains: ThermalChains) -> None:
    chains.walkers.records["beta"][chains.holders] = -chains.betas
    chains.walkers.records["field"][chains.holders] = -chains.fields


def leave_out_field(chains: ThermalChains) -> None:
    chains.walkers.records["beta"][chains.holders] = chains.betas
    chains.walkers.records["field"][chains.holders] = 0.0


def test_reversed_acceptance_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThermalChains, "assign_temperatures", reverse_acceptance)
    assert scores(BCC, canonical(BCC, BCC_TEMPERATURES, 8, sweeps=1000)).worst > 10


def test_missing_field_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThermalChains, "assign_temperatures", leave_out_field)
    found = scores(BCC, semigrand(BCC, BCC_TEMPERATURES, sweeps=1000))
    assert np.abs(found.composition).min() > 10


def test_susceptibility_is_the_derivative() -> None:
    result = semigrand(BCC, BCC_TEMPERATURES)
    sampled, error = susceptibility(average_all(result.series), result.series.temperatures)
    step = 1e-4
    for temperature, value, sigma in zip(BCC_TEMPERATURES, sampled, error, strict=True):
        low, high = (table_of(BCC).semi_grand(temperature, DELTA_MU + sign * step).n_second for sign in (-1, 1))
        assert abs(value - (high - low) / (2 * step * RY_PER_J)) < 4 * sigma


def visits(composition: int, temperature: float, n_walkers: int, n_snapshots: int, every: int) -> np.ndarray:
    """Return the configurations of bcc 2x2x2 that walkers pass, as keys, ``int64[n_snapshots, n_walkers]``."""
    walkers = make_walkers(BCC, composition, n_walkers, np.random.SeedSequence(3))
    chains = ThermalChains(walkers, np.array([kelvin(temperature)]))
    pool = Pool(Engine.fastest(BCC))
    chains.advance(pool, 100 * BCC.lattice.n_sites)
    snapshots = make_snapshots(walkers, n_snapshots, every)
    chains.advance(pool, n_snapshots * every, snapshots)
    keys = keys_from_occupations(snapshots.occupations.reshape(-1, BCC.lattice.n_sites))
    return keys.astype(np.int64).reshape(n_snapshots, n_walkers)


def boltzmann(composition: int, temperature: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return keys (ascending), energies (Ry) and exact probabilities of all configurations of bcc 2x2x2."""
    every = (np.arange(2**16)[:, None] >> np.arange(16) & 1).astype(np.int8)
    keys = np.flatnonzero(every.sum(axis=1) == composition)
    energies = BCC.energies(every[keys])
    weights = np.exp(-(energies - energies.min()) / (temperature * RY_PER_J))
    return keys, energies, weights / weights.sum()


def configuration_p_value(composition: int, temperature: float) -> float:
    seen = visits(composition, temperature, n_walkers=256, n_snapshots=1000, every=64)
    keys, _, probabilities = boltzmann(composition, temperature)
    counts = np.bincount(np.searchsorted(keys, seen.ravel()), minlength=len(keys))
    expected = probabilities * seen.size
    assert expected.min() > 10
    return float(stats.chisquare(counts, expected).pvalue)


def test_configurations_have_boltzmann_weights() -> None:
    assert 1e-4 < configuration_p_value(8, 20.0) < 1 - 1e-4


def test_wrong_weights_of_configurations_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThermalChains, "assign_temperatures", reverse_acceptance)
    assert configuration_p_value(8, 20.0) < 1e-20


def flows(seen: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Count the steps from each configuration to each other, ``int64[n, n]``."""
    places = np.searchsorted(keys, seen)
    pairs = places[:-1] * len(keys) + places[1:]
    return np.bincount(pairs.ravel(), minlength=len(keys) ** 2).reshape(len(keys), -1)


def balance_p_value(counts: np.ndarray) -> float:
    """Test that there are as many steps there as back; each configuration is left as often as entered, or nearly."""
    there, back = counts[np.triu_indices(len(counts), 1)], counts.T[np.triu_indices(len(counts), 1)]
    used = there + back > 0
    square = ((there - back)[used] ** 2 / (there + back)[used]).sum()
    return float(stats.chi2.sf(square, used.sum() - (len(counts) - 1)))


def test_detailed_balance_holds_between_configurations() -> None:
    temperature = 4.0
    keys, energies, probabilities = boltzmann(2, temperature)
    counts = flows(visits(2, temperature, n_walkers=256, n_snapshots=2000, every=1), keys)
    assert balance_p_value(counts) > 1e-4
    steps = counts.sum()
    swaps = np.bitwise_count(keys[:, None] ^ keys[None, :]) == 2
    rates = np.minimum(1.0, np.exp(-(energies[None, :] - energies[:, None]) / (temperature * RY_PER_J))) / (2 * 14)
    expected = steps * probabilities[:, None] * rates
    assert counts[~swaps].sum() == np.trace(counts)
    score = (counts - expected)[swaps] / np.sqrt(expected[swaps])
    # steps of one walker follow each other, so that counts scatter somewhat more than independent ones
    assert np.mean(score**2) < 1.5 and abs(counts[swaps].sum() / expected[swaps].sum() - 1) < 0.01


def test_drift_breaks_the_balance() -> None:
    keys, _, _ = boltzmann(2, 4.0)
    rng = np.random.default_rng(1)
    drifting = keys[(rng.integers(len(keys), size=256)[None, :] + np.arange(2000)[:, None]) % len(keys)]
    assert balance_p_value(flows(drifting, keys)) < 1e-20


def coverage(z: np.ndarray) -> float:
    return float((np.abs(z) < 1).mean())


def test_error_bars_are_honest() -> None:
    """68 % of 400 short runs lie within one standard error, for the energy and for the heat capacity."""
    n_runs, chains = 80, 8
    many = canonical(BCC, BCC_TEMPERATURES, 8, chains=n_runs * chains, sweeps=500, burn_in=0.2).series
    runs = [some_chains(many, slice(run * chains, (run + 1) * chains)) for run in range(n_runs)]
    every = [scores(BCC, MetropolisResult(run, SETTINGS, 0, 0, np.zeros(5), 0.0)) for run in runs]
    assert 0.60 < coverage(np.array([one.energy for one in every])) < 0.76
    assert 0.60 < coverage(np.array([one.heat_capacity for one in every])) < 0.76


def some_chains(series: ThermalSeries, chosen: slice) -> ThermalSeries:
    names = ("energies", "compositions", "observables")
    return replace(series, **{name: getattr(series, name)[:, chosen] for name in names})


@pytest.mark.long
def test_error_bars_are_honest_from_end_to_end() -> None:
    """Equilibration found and runs ended by the code itself."""
    every = [
        scores(FCC, canonical(FCC, FCC_TEMPERATURES, 16, seed=seed, sweeps=20_000, precision=0.6, chains=4))
        for seed in range(60)
    ]
    assert 0.60 < coverage(np.array([one.energy for one in every])) < 0.76
    assert 0.60 < coverage(np.array([one.heat_capacity for one in every])) < 0.76


def test_ising_square_lattice_at_two() -> None:
    """Exact u and c of L = 16 at T = 2 (B. Kaufman 1949)."""
    settings = replace(SETTINGS, ensemble="semigrand", sweeps=10_000, burn_in=0.3)
    result = sample_metropolis(ising.ising_oracle(16), None, [kelvin(2.0)], settings, progress=False)
    averages = average_all(result.series)
    energy, capacity = averages["energy"], averages["heat_capacity"]
    u = energy.values[0] / RY_PER_J / 256 - 2
    assert abs(u + 1.745530669) < 5 * energy.errors[0] / RY_PER_J / 256
    assert abs(capacity.values[0] / 256 - 0.7255087677) < 5 * capacity.errors[0] / 256
    assert energy.errors[0] / RY_PER_J / 256 < 0.002 and capacity.errors[0] / 256 < 0.03


def same(one: MetropolisResult, other: MetropolisResult) -> bool:
    names = ("energies", "compositions", "observables")
    return all(np.array_equal(getattr(one.series, name), getattr(other.series, name)) for name in names)


@pytest.mark.parametrize("tempering", [False, True])
def test_paths_and_threads_give_the_same_chains(tempering: bool) -> None:
    changes = {"sweeps": 200, "tempering": tempering, "tune": False, "observables": True, "max_records": 100}
    first = canonical(BCC, BCC_TEMPERATURES, 8, threads=1, **changes)
    assert first.series.observables.shape[-1] > 3
    assert same(first, canonical(BCC, BCC_TEMPERATURES, 8, threads=3, **changes))
    assert same(first, canonical(BatchedOnly(BCC), BCC_TEMPERATURES, 8, **changes))
    assert not same(first, canonical(BCC, BCC_TEMPERATURES, 8, seed=6, **changes))
    fewer = semigrand(BCC, BCC_TEMPERATURES, threads=1, **changes)
    assert same(fewer, semigrand(BatchedOnly(BCC), BCC_TEMPERATURES, **changes))


def test_runs_end_when_precise_and_say_so() -> None:
    result = canonical(BCC, BCC_TEMPERATURES, 8, sweeps=1_000_000, precision=1.0, observables=True)
    averages = average_all(result.series)
    verdict = judge_metropolis(result.series, averages, None, 1.0)
    assert result.sweeps < 50_000 and verdict.trusted and verdict.summary.startswith("Trust"), verdict
    assert averages["energy"].errors.max() * MEV_PER_RY / 16 < 1.0
    assert (averages["energy"].r_hats < 1.01).all() and averages["energy"].reliable.all()


def test_frozen_chains_are_not_trusted() -> None:
    """After a quench of a large cell every chain sits among other domain walls; no error bar of its own tells."""
    large = alloy_oracle(alloy_lattice("fcc", (4, 4, 4)))
    settings = replace(SETTINGS, sweeps=400, burn_in=0.5, observables=True)
    result = sample_metropolis(large, 128, [kelvin(0.3)], settings, progress=False)
    verdict = judge_metropolis(result.series, average_all(result.series), None, 1e9)
    assert not verdict.trusted and any("disagree in energy" in reason for reason in verdict.reasons), verdict
    assert verdict.summary.startswith("Do not trust")


def test_interrupted_runs_keep_what_they_have() -> None:
    def stop_later(sweep: int, *_: object) -> None:
        if sweep >= 600:
            raise KeyboardInterrupt

    result = sample_metropolis(BCC, 8, kelvin(BCC_TEMPERATURES), SETTINGS, listener=stop_later, progress=False)
    assert result.interrupted and result.sweeps >= 200 and scores(BCC, result).worst < 5
    verdict = judge_metropolis(result.series, average_all(result.series), None, 1e9, interrupted=True)
    assert not verdict.trusted and "interrupted" in verdict.reasons[0]


def test_equilibration_is_left_out() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(1, 8, 1000))
    decaying = noise + 20 * np.exp(-np.arange(1000) / 50)
    series = ThermalSeries(
        np.array([300.0]), 16, 8, 0.0, noise, np.full(noise.shape, 8.0), (), np.empty((1, 8, 200, 0)), 1, 5
    )
    assert equilibration(series) == 50
    left_out = equilibration(replace(series, energies=decaying))
    assert 200 <= left_out <= 400
    after = series.after(left_out)
    assert after.n_records == 1000 - left_out and after.observables.shape[2] == 200 - left_out // 5


@pytest.mark.parametrize(
    "changes",
    [{"delta_mu": 5.0}, {"chains": 1}, {"sweeps": 3}, {"burn_in": 0.99}, {"precision": 0.0}, {"exchange_interval": 0}],
    ids=str,
)
def test_impossible_settings_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        MetropolisSettings(**changes)


@pytest.mark.parametrize("temperatures", [[], [0.0], [-5.0, 3.0], [np.nan], [np.inf, 1.0], [300.0, 300.0]], ids=str)
def test_impossible_temperatures_are_refused(temperatures: list[float]) -> None:
    with pytest.raises(InputError, match="temperature"):
        sample_metropolis(BCC, 8, temperatures, SETTINGS)


def test_canonical_sampling_needs_a_composition() -> None:
    with pytest.raises(InputError, match="composition"):
        sample_metropolis(BCC, None, [300.0], SETTINGS)
    with pytest.raises(InputError, match="composition 16"):
        sample_metropolis(BCC, 16, [300.0], SETTINGS)
