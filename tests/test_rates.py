"""Rates to be compared with those of an earlier version: ``make bench-regressions``; not part of the test suite."""

from __future__ import annotations

from typing import Any

import pytest

from wanglandau.benchmarking.work import plan_work
from wanglandau.configurations import random_configurations
from wanglandau.engine import Engine
from wanglandau.oracle import EnergyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.pair_model import PairOracle
from wanglandau.systems import load_system

pytestmark = pytest.mark.benchmark
CASES = [
    ("pair", (2, 2, 2)),
    ("pair", (10, 10, 10)),
    ("surrogate:lattice", (2, 2, 2)),
    ("surrogate:lattice", (7, 7, 7)),
]
CASES += [("surrogate:dense", (2, 2, 2))]


def load(name: str, cells: tuple[int, int, int]) -> EnergyOracle:
    system = load_system("cuau", None if cells == (2, 2, 2) else cells)
    return PairOracle(system.lattice, [-3.7e-3]) if name == "pair" else load_oracle(name, system)


@pytest.mark.parametrize("walkers", [1, 16])
@pytest.mark.parametrize(("name", "cells"), CASES)
def test_fused_trials(benchmark: Any, name: str, cells: tuple[int, int, int], walkers: int) -> None:
    """20,000 trials."""
    oracle = load(name, cells)
    work, engine = plan_work(name, oracle, oracle.lattice.n_sites // 2), Engine.fastest(oracle)
    state = work.walk(walkers)
    benchmark(engine.advance, *state, 20_000 // walkers)
    assert state[1].control["trials"][0] > 0


@pytest.mark.parametrize("name", ["pair", "surrogate:lattice", "surrogate:dense"])
def test_batched_trials(benchmark: Any, name: str) -> None:
    """100 rounds of 64 walkers."""
    oracle = load(name, (2, 2, 2))
    state = plan_work(name, oracle, 16).walk(64)
    benchmark(Engine(oracle).advance, *state, 100)
    assert state[1].control["trials"][0] > 0


@pytest.mark.parametrize("size", [1, 1024])
@pytest.mark.parametrize("name", ["pair", "surrogate:lattice", "surrogate:dense"])
def test_energies(benchmark: Any, name: str, size: int) -> None:
    """One call."""
    import numpy as np

    oracle = load(name, (2, 2, 2))
    rows = random_configurations(oracle.lattice, 16, size, np.random.default_rng(0))
    assert len(benchmark(oracle.energies, rows)) == size
