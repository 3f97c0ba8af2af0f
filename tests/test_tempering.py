"""Parallel tempering: exact averages, round trips that are counted right, ladders that exchange often enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from references.alloys import alloy_lattice, alloy_oracle
from references.scale import RY_PER_J, kelvin
from scipy.special import erfcinv
from test_metropolis import BCC, BCC_TEMPERATURES, FCC, FCC_TEMPERATURES, canonical, scores, semigrand

from wanglandau import tempering
from wanglandau.annealing import anneal, lowest_distinct
from wanglandau.errors import InputError
from wanglandau.metropolis import sample_metropolis
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_settings import AnnealingSettings, MetropolisSettings
from wanglandau.metropolis_verdict import exchange_faults, judge_metropolis
from wanglandau.ordered_structures import ordered_structure
from wanglandau.temperature_ladder import exchange_lengths, first_ladder, lay_ladder
from wanglandau.tempering import TemperatureExchange, log_exchange_ratio
from wanglandau.thermal_chains import ThermalChains
from wanglandau.walkers import make_walkers

SETTINGS = MetropolisSettings(tempering=True, sweeps=4000, observables=False, precision=1e-6, seed=5, threads=2)
FIXED = {"tempering": True, "tune": False, "exchange_interval": 1}


def some_chains(n_chains: int = 3, temperatures: np.ndarray = BCC_TEMPERATURES, delta_mu: float = 0.0) -> ThermalChains:
    composition = None if delta_mu else 8
    walkers = make_walkers(BCC, composition, n_chains * len(temperatures), np.random.SeedSequence(1))
    return ThermalChains(walkers, kelvin(temperatures), delta_mu)


@pytest.mark.compiled
@pytest.mark.parametrize("case", ["bcc", "fcc"])
def test_canonical_averages_are_exact(case: str) -> None:
    oracle, temperatures, composition = (BCC, BCC_TEMPERATURES, 8) if case == "bcc" else (FCC, FCC_TEMPERATURES, 16)
    result = canonical(oracle, temperatures, composition, sweeps=2000, **FIXED)
    assert scores(oracle, result).worst < 3
    assert result.exchange.rates.min() > 0.1 and np.median(result.exchange.round_trips) > 10


@pytest.mark.compiled
def test_semigrand_averages_are_exact() -> None:
    for delta_mu in (6.0, 40.0):
        found = scores(BCC, semigrand(BCC, BCC_TEMPERATURES, delta_mu, sweeps=2000, seed=8, **FIXED))
        assert len(found.composition) == 5 and found.worst < 3


@pytest.mark.compiled
def test_exchange_of_the_wrong_sign_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = log_exchange_ratio
    monkeypatch.setattr(tempering, "log_exchange_ratio", lambda chains, lower: -right(chains, lower))
    assert scores(BCC, canonical(BCC, BCC_TEMPERATURES, 8, sweeps=2000, **FIXED)).worst > 10


@pytest.mark.compiled
def test_exchange_without_the_composition_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def energy_alone(chains: ThermalChains, lower: np.ndarray) -> np.ndarray:
        energies = chains.walkers.records["energy"][chains.holders]
        return (chains.betas[lower] - chains.betas[lower + 1]) * (energies[:, lower] - energies[:, lower + 1])

    monkeypatch.setattr(tempering, "log_exchange_ratio", energy_alone)
    assert scores(BCC, semigrand(BCC, BCC_TEMPERATURES, 40.0, sweeps=2000, **FIXED)).worst > 10


def test_ratio_is_that_of_the_weights() -> None:
    chains = some_chains(delta_mu=6 * RY_PER_J)
    records, lower = chains.walkers.records[chains.holders], np.array([0, 2])
    exponents = -records["beta"] * records["energy"] + records["field"] * records["composition"]
    exchanged = np.empty((3, 2))
    for column, pair in enumerate(lower):
        cold, hot = records[:, pair], records[:, pair + 1]
        exchanged[:, column] = -cold["beta"] * hot["energy"] + cold["field"] * hot["composition"]
        exchanged[:, column] += -hot["beta"] * cold["energy"] + hot["field"] * cold["composition"]
    before = exponents[:, lower] + exponents[:, lower + 1]
    np.testing.assert_allclose(log_exchange_ratio(chains, lower), exchanged - before, atol=1e-12)


def test_exchange_moves_temperatures_and_leaves_configurations() -> None:
    chains = some_chains()
    exchange = TemperatureExchange(3, 5, seed=4)
    before = chains.walkers.occupations.copy()
    for step in range(20):
        old = chains.holders.copy()
        exchange.perform(chains)
        changed = np.flatnonzero((chains.holders != old).any(axis=0))
        assert set(changed) <= ({0, 1, 2, 3} if step % 2 == 0 else {1, 2, 3, 4})
    assert (np.sort(chains.holders, axis=1) == np.arange(15).reshape(3, 5)).all()
    np.testing.assert_array_equal(chains.walkers.records["beta"][chains.holders], np.tile(chains.betas, (3, 1)))
    np.testing.assert_array_equal(chains.walkers.occupations, before)
    assert exchange.tried.tolist() == [30] * 4 and (exchange.accepted <= 30).all()


def test_round_trips_are_those_of_configurations() -> None:
    """Where every exchange succeeds configurations go up and down the ladder in 2 n steps."""
    chains = some_chains(n_chains=2)
    chains.walkers.records["energy"] = 0.0
    exchange = TemperatureExchange(2, 5, seed=1)
    for _ in range(10 * 2 * 5):
        exchange.perform(chains)
    assert (exchange.accepted == exchange.tried).all()
    assert set(exchange.round_trips.tolist()) <= {9, 10}


def test_length_of_gaussian_energies() -> None:
    """erfc(difference of beta * standard deviation / 2) is the mean exchange probability of neighbours."""
    chains = some_chains(temperatures=np.array([5.0, 6.0]))
    sigma, difference = 12 * RY_PER_J, chains.betas[0] - chains.betas[1]
    normal = np.random.default_rng(2).normal(size=(4000, 3, 2))
    energies = sigma * normal + np.array([-(sigma**2) * difference, 0.0])  # canonical, of constant heat capacity
    lengths = exchange_lengths(chains, energies, np.zeros_like(energies))
    assert lengths[0] == pytest.approx(difference * sigma / 2, rel=0.03)


def test_ladders_keep_fixed_temperatures_and_equal_lengths() -> None:
    temperatures = np.geomspace(100.0, 1600.0, 9)
    lengths = np.full(8, 1.3)
    fixed = np.array([100.0, 317.0, 1600.0])
    laid = lay_ladder(temperatures, lengths, fixed)
    assert set(fixed) <= set(laid) and (np.diff(laid) > 0).all()
    way = np.interp(np.log(laid), np.log(temperatures), np.arange(9) * 1.3)
    place = int(np.flatnonzero(laid == 317.0)[0])
    for part in (np.diff(way[: place + 1]), np.diff(way[place:])):
        np.testing.assert_allclose(part, part[0], rtol=1e-6)
        assert 0.75 * erfcinv(0.3) < part[0] < erfcinv(0.2)
    assert (first_ladder(fixed)[1:] / first_ladder(fixed)[:-1]).max() <= 1.2500001
    assert set(fixed) <= set(first_ladder(fixed))


@pytest.mark.compiled
@pytest.mark.parametrize("ensemble", ["canonical", "semigrand"])
def test_tuned_ladders_exchange_in_20_to_40_per_cent(ensemble: str) -> None:
    large = alloy_oracle(alloy_lattice("fcc", (4, 4, 4)))
    settings = replace(SETTINGS, ensemble=ensemble, sweeps=1500, chains=4)
    result = sample_metropolis(large, 128, kelvin(np.array([2.2, 8.0])), settings, progress=False)
    rates = result.exchange.rates
    assert len(rates) >= 4 and (result.series.temperatures[[0, -1]] == kelvin(np.array([2.2, 8.0]))).all()
    assert 0.17 < rates.min() and rates.max() < 0.43, rates


@pytest.mark.compiled
def test_asked_temperatures_are_kept_unless_only_the_ends_are_wanted() -> None:
    asked = kelvin(np.array([1.2, 2.0, 6.0]))
    with_all = sample_metropolis(FCC, 16, asked, replace(SETTINGS, sweeps=1000), progress=False)
    assert set(asked) <= set(with_all.series.temperatures) and len(with_all.series.temperatures) > 3
    assert scores(FCC, with_all).worst < 4.5
    ends = sample_metropolis(FCC, 16, asked, replace(SETTINGS, sweeps=1000, only_ends=True), progress=False)
    assert asked[1] not in ends.series.temperatures and {asked[0], asked[2]} <= set(ends.series.temperatures)


@pytest.mark.compiled
def test_broken_ladders_are_not_trusted() -> None:
    result = canonical(FCC, np.array([0.5, 20.0]), 16, sweeps=2000, **FIXED)
    verdict = judge_metropolis(result.series, average_all(result.series), result.exchange, 1e9)
    assert not verdict.trusted and any("round trips" in reason for reason in verdict.reasons), verdict
    assert any("exchanged" in reason for reason in exchange_faults(result.exchange))


def test_one_temperature_cannot_exchange() -> None:
    with pytest.raises(InputError, match="at least 2 temperatures"):
        sample_metropolis(BCC, 8, [300.0], SETTINGS)


@pytest.mark.compiled
def test_annealing_finds_the_ordered_structure() -> None:
    settings = AnnealingSettings(kelvin(20.0), kelvin(1.0), sweeps=2000, steps=50, chains=8, keep=3)
    found = anneal(BCC, 8, settings, progress=False)
    assert found.structures[0] == "B2" and found.energies[0] == -128 * RY_PER_J and found.chains_at_lowest > 4
    assert found.orbit_distinct and found.lowest_met == found.energies[0]
    assert (np.diff(found.energies) >= 0).all() and len(found.energies) == 3
    np.testing.assert_array_equal(BCC.energies(found.occupations), found.energies)
    again = anneal(BCC, 8, settings, progress=False)
    np.testing.assert_array_equal(again.occupations, found.occupations)


@pytest.mark.compiled
def test_degenerate_ground_states_are_listed_once_each() -> None:
    """The 42 ground states of fcc 2x2x2 at 16/16 make three orbits, one of them L1_0."""
    settings = AnnealingSettings(kelvin(6.0), kelvin(0.3), sweeps=3000, steps=60, chains=64, keep=10)
    found = anneal(FCC, 16, settings, progress=False)
    lowest = found.energies == found.energies[0]
    assert found.energies[0] == -128 * 2 * RY_PER_J and lowest.sum() == 3 and "L1_0" in found.structures


def test_large_cells_are_told_apart_by_their_occupations() -> None:
    lattice = alloy_lattice("bcc", (2, 2, 10))
    perfect = ordered_structure(lattice, "B2")
    rows = np.array([1 - perfect, perfect, perfect])
    occupations, energies = lowest_distinct(lattice, rows, np.array([2.0, 1.0, 1.0]), 5)
    assert len(occupations) == 2 and energies.tolist() == [1.0, 2.0]
    occupations, energies = lowest_distinct(
        BCC.lattice, rows[:, :16] * 0 + ordered_structure(BCC.lattice, "B2"), energies=np.array([2.0, 1.0, 1.0]), n=5
    )
    assert len(occupations) == 1 and energies.tolist() == [1.0]


def test_annealing_has_to_cool() -> None:
    with pytest.raises(InputError, match="has to end below"):
        AnnealingSettings(from_temperature=100.0, to_temperature=200.0)
