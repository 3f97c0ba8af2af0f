"""Delayed acceptance: exact for the dear oracle whatever the cheap one says, at a small part of the calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cheap_and_dear import BCC, CHEAP, CHEAP_BCC, DEAR, DEAR_BCC, MEV, Watched, exact_of, levels_of

from wanglandau.asked_once import AskedOnce
from wanglandau.command_line import run_program
from wanglandau.commands.metropolis import metropolis
from wanglandau.commands.results import inspect
from wanglandau.configurations import random_configurations
from wanglandau.delayed_acceptance import LENGTHS, DelayedChains, Proposal
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.levels import BOLTZMANN, MEV_PER_RY
from wanglandau.metropolis import MetropolisResult, sample_metropolis
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_file import read_metropolis
from wanglandau.metropolis_settings import MetropolisSettings, ProposalSettings
from wanglandau.metropolis_verdict import judge_metropolis
from wanglandau.oracle import EnergyOracle
from wanglandau.pair_model import PairOracle
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.thermodynamics import thermodynamics
from wanglandau.walkers import make_walkers

TEMPERATURES = np.array([800.0, 1100.0, 2000.0])
SETTINGS = MetropolisSettings(seed=3, precision=1e-6, observables=False, threads=1)


def delayed(
    dear: EnergyOracle = DEAR,
    cheap: EnergyOracle = CHEAP,
    composition: int | None = 16,
    temperatures: np.ndarray = TEMPERATURES,
    settings: MetropolisSettings = SETTINGS,
    trials: int | None = 512,
    rounds: int = 500,
) -> MetropolisResult:
    proposal = Proposal(cheap, ProposalSettings(proposal_trials=trials, proposal_rounds=rounds))
    return sample_metropolis(dear, composition, temperatures, settings, proposal=proposal, progress=False)


def worst_score(result: MetropolisResult, oracle: PairOracle, composition: int) -> float:
    """Largest deviation of energy and heat capacity from exact enumeration, in standard errors."""
    averages = average_all(result.series)
    truth = thermodynamics(levels_of(oracle, composition), result.series.temperatures)
    energy, capacity = averages["energy"], averages["heat_capacity"]
    scores = [(energy.values - truth.internal_energy) / energy.errors]
    scores.append((capacity.values - truth.heat_capacity) / capacity.errors)
    return float(np.abs(scores).max())


def take_all(chains: DelayedChains, log_ratio: np.ndarray) -> np.ndarray:
    return np.ones(len(log_ratio), dtype=bool)


@pytest.mark.compiled
def test_averages_are_those_of_the_dear_oracle() -> None:
    dear = Watched(DEAR)
    result = delayed(dear)
    found = result.proposal
    assert found is not None and worst_score(result, DEAR, 16) < 3.5
    assert found["calls"] == dear.asked and found["requests"] == 24 * 501
    assert found["calls"] < found["requests"] and found["calls"] < found["cheap_trials"] / 500
    assert all(0.3 < rate < 0.999 for rate in found["acceptance"])


@pytest.mark.compiled
def test_without_the_second_stage_the_same_assertion_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DelayedChains, "takes", take_all)
    result = delayed()
    assert worst_score(result, DEAR, 16) > 10


@pytest.mark.compiled
def test_short_chains_with_tempering_are_exact() -> None:
    settings = replace(SETTINGS, tempering=True, tune=False)
    temperatures = np.array([1600.0, 2200.0, 3200.0, 5000.0])
    result = delayed(DEAR_BCC, CHEAP_BCC, 8, temperatures, settings, trials=5, rounds=2000)
    assert worst_score(result, DEAR_BCC, 8) < 3.5
    assert result.exchange is not None and result.exchange.rates.min() > 0.05
    assert result.sweeps == 2000 and result.series.interval == 1


@pytest.mark.compiled
def test_semigrand_averages_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    delta_mu = 120.0
    settings = replace(SETTINGS, ensemble="semigrand", delta_mu=delta_mu)
    temperatures = np.array([2500.0, 5000.0])

    def score() -> float:
        result = delayed(DEAR_BCC, CHEAP_BCC, None, temperatures, settings, trials=64, rounds=1500)
        number = average_all(result.series)["composition"]
        return float(np.abs((number.values - exact_numbers(temperatures, delta_mu / MEV_PER_RY)) / number.errors).max())

    assert score() < 3.5
    monkeypatch.setattr(DelayedChains, "takes", take_all)
    assert score() > 6


def exact_numbers(temperatures: np.ndarray, delta_mu: float) -> np.ndarray:
    rows = [exact_of(DEAR_BCC, n) for n in range(17)]
    numbers = np.repeat(np.arange(17), [len(row) for row in rows])
    energies = np.concatenate([row.energies for row in rows]) - delta_mu * numbers
    ln_g = np.log(np.concatenate([row.degeneracies for row in rows]).astype(np.float64))
    weights = np.exp(ln_g - (energies - energies.min()) / (BOLTZMANN * temperatures[:, None]))
    return weights @ numbers / weights.sum(axis=1)


@pytest.mark.compiled
def test_same_seed_same_result_on_every_path() -> None:
    first = delayed(DEAR_BCC, CHEAP_BCC, 8, trials=20, rounds=200)
    again = delayed(Watched(DEAR_BCC), CHEAP_BCC, 8, settings=replace(SETTINGS, threads=3), trials=20, rounds=200)
    batched = delayed(DEAR_BCC, Watched(CHEAP_BCC), 8, trials=20, rounds=200)
    other = delayed(DEAR_BCC, CHEAP_BCC, 8, settings=replace(SETTINGS, seed=4), trials=20, rounds=200)
    for same in (again, batched):
        assert np.array_equal(same.series.energies, first.series.energies) and same.proposal == first.proposal
    assert not np.array_equal(other.series.energies, first.series.energies)


@pytest.mark.compiled
def test_chain_length_is_chosen_where_none_is_given() -> None:
    result = delayed(trials=None, rounds=200)
    found = result.proposal
    assert found is not None and [length for length, _ in found["lengths"]] == [round(32 * part) for part in LENGTHS]
    scores = dict(found["lengths"])
    assert max(scores.values()) == 1.0 and scores[found["trials"]] >= 0.9
    assert scores[8] < 0.8  # chains this short lead nowhere


@pytest.mark.compiled
def test_every_round_asks_one_batch_and_nothing_twice() -> None:
    dear = Watched(DEAR)
    result = delayed(dear, rounds=200)
    assert len(dear.batches) <= 201 and max(len(batch) for batch in dear.batches) <= 24
    rows = np.concatenate(dear.batches)
    once = AskedOnce(DEAR)
    assert len(set(once.keys(rows))) == len(rows)
    assert result.proposal is not None and result.proposal["calls"] == len(rows)


def test_asked_once_answers_as_the_oracle_does() -> None:
    rows = random_configurations(BCC, 8, 40, np.random.default_rng(0))
    images = rows[:, BCC.symmetry[7]]
    watched = Watched(DEAR_BCC)
    once = AskedOnce(watched)
    assert np.array_equal(once.energies(np.concatenate([rows, images, rows])), np.tile(DEAR_BCC.energies(rows), 3))
    assert once.calls == watched.asked < 40 and once.requests == 120 and len(watched.batches) == 1
    not_alike = Watched(DEAR_BCC)
    not_alike.invariant = False
    once = AskedOnce(not_alike)
    assert np.array_equal(once.energies(np.concatenate([rows, images])), np.tile(DEAR_BCC.energies(rows), 2))
    assert once.calls == len(np.unique(np.concatenate([rows, images]), axis=0))


@pytest.mark.compiled
def test_a_failing_oracle_ends_it_and_leaves_the_walkers_as_they_were() -> None:
    with pytest.raises(OracleError, match="machine is down"):
        delayed(Watched(DEAR, fail_at=7), rounds=200)
    engine = Engine.fastest(CHEAP_BCC)
    walkers = make_walkers(CHEAP_BCC, 8, 4, np.random.SeedSequence(1))
    dear = AskedOnce(Watched(DEAR_BCC, fail_at=1))
    chains = DelayedChains(walkers, np.array([900.0]), dear=dear, rng=np.random.default_rng(1), n_trials=50)
    before = walkers.part(np.arange(4))
    with pytest.raises(OracleError):
        chains.advance(Pool(engine), 50)
    assert np.array_equal(walkers.records, before.records) and np.array_equal(walkers.occupations, before.occupations)
    with pytest.raises(ValueError, match="whole number"):
        chains.advance(Pool(engine), 49)


def test_walkers_hold_dear_energies_of_their_own_states() -> None:
    engine = Engine.fastest(CHEAP)
    walkers = make_walkers(CHEAP, 16, 8, np.random.SeedSequence(1))
    dear = AskedOnce(DEAR)
    chains = DelayedChains(walkers, np.array([900.0]), dear=dear, rng=np.random.default_rng(1), n_trials=100)
    assert isinstance(chains, ThermalChains) and chains.step_trials == 100
    chains.advance(Pool(engine), 3000)
    assert np.array_equal(walkers.records["energy"], DEAR.energies(walkers.occupations))
    assert np.array_equal(chains.cheap_energies, CHEAP.energies(walkers.occupations))
    assert (walkers.occupations.sum(axis=1) == 16).all() and 0 < chains.passed[0] < 240
    assert (np.take_along_axis(walkers.occupations, walkers.sites[:, :16].astype(np.int64), axis=1) == 1).all()


def test_oracles_of_two_lattices_are_refused() -> None:
    with pytest.raises(InputError, match="give two of one lattice"):
        delayed(DEAR, CHEAP_BCC)
    with pytest.raises(InputError, match="proposal_rounds is 5"):
        ProposalSettings(proposal_rounds=5)


@pytest.mark.compiled
def test_a_cheap_oracle_of_no_use_is_named() -> None:
    opposite = PairOracle(DEAR.lattice, [400 * MEV])
    result = delayed(DEAR, opposite, temperatures=np.array([300.0]), trials=3000, rounds=200)
    averages = average_all(result.series)
    verdict = judge_metropolis(result.series, averages, None, 1.0, proposal=result.proposal)
    assert not verdict.trusted and "a walker at 300 K came to another configuration in" in verdict.reasons[0]
    assert not any("--sweeps" in reason for reason in verdict.reasons)


@pytest.mark.compiled
def test_command_writes_and_inspect_shows_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dear.toml").write_text('unlike_bond_energies = [-50.0, 8.0]\nunits = "meV"\n')
    (tmp_path / "cheap.toml").write_text('unlike_bond_energies = [-58.0, 6.0]\nunits = "meV"\n')
    words = ["metropolis", "fept", "--oracle", "pair:dear.toml", "--proposal-oracle", "pair:cheap.toml"]
    words += ["--temperatures", "2200", "3500", "--proposal-rounds", "400", "--proposal-trials", "300", "--seed", "2"]
    commands = {"metropolis": metropolis, "inspect": inspect}
    code = run_program("wanglandau", "test", commands, [*words, "--precision", "2", "--out", "m.h5", "--csv", "m.csv"])
    assert code == 0
    record = read_metropolis("m.h5")
    found = record.diagnostics["proposal"]
    assert found["trials"] == 300 and found["oracle"]["name"] == "pair:cheap.toml"
    assert record.oracle["name"] == "pair:dear.toml" and record.settings["proposal_rounds"] == 400
    capsys.readouterr()
    assert run_program("wanglandau", "test", commands, ["inspect", "m.h5"]) == 0
    text = capsys.readouterr().out
    assert "pair:cheap.toml" in text and f"{found['calls']} energies asked of the oracle" in text
    assert "tau/rounds" in text and "rounds a chain" in text


@pytest.mark.long
def test_errors_claimed_are_errors_made() -> None:
    scores = []
    truth = thermodynamics(levels_of(DEAR, 16), TEMPERATURES)
    for seed in range(24):
        averages = average_all(delayed(settings=replace(SETTINGS, seed=seed), rounds=1000).series)
        scores.append((averages["energy"].values - truth.internal_energy) / averages["energy"].errors)
        scores.append((averages["heat_capacity"].values - truth.heat_capacity) / averages["heat_capacity"].errors)
    found = np.array(scores)
    assert 0.75 < float(np.sqrt(np.mean(found**2))) < 1.3
    assert abs(float(found.mean())) < 0.25


def test_settings_of_proposals_need_what_proposes(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["metropolis", "cuau", "--temperatures", "100", "--proposal-trials", "5"]
    assert run_program("wanglandau", "test", {"metropolis": metropolis}, words) == 2
    assert "go with a cheap --proposal-oracle; name it" in capsys.readouterr().err
