"""Walkers whose trials are evaluated together walk, bit for bit, as walkers evaluated one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numba import njit

from wanglandau import kernels
from wanglandau.engine import Engine
from wanglandau.errors import OracleError
from wanglandau.intrinsics import COMPILED
from wanglandau.oracle import CompiledOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.range_search import make_grid, search_range
from wanglandau.systems import System
from wanglandau.walkers import Window, boltzmann_weights, flat_weights, make_snapshots, make_walkers

N_ROUNDS, N_SEARCH = (300, 3000) if COMPILED else (30, 60)


@pytest.fixture(scope="module")
def oracle(cuau: System) -> CompiledOracle:
    return load_oracle("surrogate:dense", cuau)


def state_after(
    engine: Engine, composition: int | None, n_walkers: int, weight: str, counting: bool
) -> tuple[np.ndarray, ...]:
    """Everything a walk leaves behind: walkers, histogram and snapshots."""
    found = search_range(engine, composition, N_SEARCH, np.random.SeedSequence(1))
    walkers = make_walkers(engine.oracle, composition, n_walkers, np.random.SeedSequence(2))
    if weight == "boltzmann":
        weights = boltzmann_weights(walkers, np.linspace(0.0, 2000.0, n_walkers), 0.1)
    else:
        grid = make_grid(found, 40, None, Window(), 1.0)
        weights = flat_weights(grid, walkers, 0.01, by_composition=composition is None, counting=counting)
        weights.control["gain"] = kernels.ONE_OVER_T
    kept = make_snapshots(walkers, 4, 7 * N_ROUNDS // 30)
    for _ in range(2):
        engine.advance(walkers, weights, N_ROUNDS // 2)
    engine.advance(walkers, weights, N_ROUNDS, kept)
    return (
        walkers.occupations,
        walkers.sites,
        walkers.records,
        weights.bins,
        weights.control,
        weights.proposals,
        kept.occupations,
        kept.records,
    )


@pytest.mark.parametrize("weight", ["flat", "boltzmann"])
@pytest.mark.parametrize("composition", [16, 1, None])
@pytest.mark.parametrize(("n_walkers", "counting"), [(2, False), (19, True)])
def test_the_walk_is_the_same_together_and_one_by_one(
    oracle: CompiledOracle, composition: int | None, n_walkers: int, counting: bool, weight: str
) -> None:
    compiled = oracle.compiled()
    assert compiled.trials is not None
    together = state_after(Engine(oracle, compiled), composition, n_walkers, weight, counting)
    alone = Engine(oracle, dataclasses.replace(compiled, trials=None))
    for one, other in zip(together, state_after(alone, composition, n_walkers, weight, counting), strict=True):
        np.testing.assert_array_equal(one, other)
    assert 0 < together[2]["accepted"].sum() < 2 * N_ROUNDS * n_walkers


def test_the_walk_is_that_of_batched_energies(oracle: CompiledOracle) -> None:
    together = state_after(Engine.fastest(oracle), 16, 3, "flat", True)
    for one, other in zip(together, state_after(Engine(oracle), 16, 3, "flat", True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_energy_given_to_the_wrong_walker_would_be_noticed(oracle: CompiledOracle) -> None:
    compiled = oracle.compiled()
    trials = compiled.trials

    @njit
    def misplaced(parameters, occupations, cache, flips, energies):  # type: ignore[no-untyped-def]
        trials(parameters, occupations, cache, flips, energies)
        energies[0], energies[1] = energies[1], energies[0]

    wrong = Engine(oracle, dataclasses.replace(compiled, trials=misplaced))
    with pytest.raises(OracleError, match="drifted"):
        state_after(wrong, 16, 2, "boltzmann", False)
