"""Wang-Landau trials per second of every oracle and every way to run it, measured one after the other.

Only ratios of rates from one run mean anything: absolute figures change with the machine and its load.
"""

from __future__ import annotations

import math
import platform
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle, ModelOracle
from wanglandau.oracle_registry import load_oracle, oracle_names
from wanglandau.pair_model import PairOracle
from wanglandau.provenance import versions
from wanglandau.range_search import make_grid, search_range
from wanglandau.systems import System
from wanglandau.walkers import Engine, Window, flat_weights, make_walkers

SEARCH_TRIALS = 20_000
LN_F = 1e-3
"""Constant during the measurement: what a trial costs does not depend on it."""
WALKER_COUNTS = {"fused": (1, 4), "batched": (1, 64)}


@dataclass(frozen=True)
class Rate:
    """How fast one oracle is one way.

    Attributes
    ----------
    oracle : str
    engine : str
        ``fused`` kernel, ``batched`` energies or the ``Python loop`` that calls the model once per trial.
    walkers : int
    trials_per_second : float
    """

    oracle: str
    engine: str
    walkers: int
    trials_per_second: float


@dataclass(frozen=True)
class Benchmark:
    """Rates, and the ratios that mean something.

    Attributes
    ----------
    rates : list of Rate
    ratios : dict
        Fused kernel over Python loop, by oracle; the fastest number of walkers.
    machine : dict
    """

    rates: list[Rate]
    ratios: dict[str, float]
    machine: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Lay out as a table, ratios first."""
        lines = [f"{name}: fused kernel {ratio:.1f} x the Python loop" for name, ratio in self.ratios.items()]
        lines += ["", f"{'oracle':<20} {'engine':<12} {'walkers':>7} {'trials/s':>12}"]
        lines += [f"{r.oracle:<20} {r.engine:<12} {r.walkers:>7} {r.trials_per_second:>12,.0f}" for r in self.rates]
        lines += ["", ", ".join(f"{name} {value}" for name, value in self.machine.items())]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)


def run_benchmark(
    system: System, seconds: float, composition: int | None, specifications: Sequence[str] | None = None
) -> Benchmark:
    """Measure all oracles that fit the system.

    Parameters
    ----------
    system : System
    seconds : float
        Time given to each measurement.
    composition : int or None
        None: the system's own.
    specifications : sequence of str, optional
        Oracles to measure; by default a pair model and the surrogates shipped for the system.

    Raises
    ------
    InputError
        If the time is not between 0.01 s and an hour.
    """
    if not 0.01 <= seconds <= 3600:
        raise InputError(f"seconds is {seconds}; give 0.01 to 3600")
    n_second = system.composition if composition is None else composition
    chosen = {name: load_oracle(name, system) for name in specifications} if specifications else _shipped(system)
    rates = [rate for name, oracle in chosen.items() for rate in _measure_oracle(name, oracle, n_second, seconds)]
    return Benchmark(rates, _ratios(rates), {"cpu": platform.processor() or platform.machine()} | versions())


def _shipped(system: System) -> dict[str, EnergyOracle]:
    """Load the pair model and every surrogate that is shipped for the system."""
    oracles: dict[str, EnergyOracle] = {"pair (1 shell)": PairOracle(system.lattice, [-1e-3])}
    for specification in ("surrogate:lattice", "surrogate:dense"):
        if specification.partition(":")[0] not in oracle_names():
            continue
        try:
            oracles[specification] = load_oracle(specification, system)
        except InputError:  # none is shipped for this system
            continue
    return oracles


def _measure_oracle(name: str, oracle: EnergyOracle, composition: int, seconds: float) -> list[Rate]:
    engines = {"fused": Engine.fastest(oracle), "batched": Engine(oracle)}
    if engines["fused"].compiled is None:
        del engines["fused"]
    rates = [
        Rate(name, way, n_walkers, _rate_of_engine(engine, composition, n_walkers, seconds))
        for way, engine in engines.items()
        for n_walkers in WALKER_COUNTS[way]
    ]
    if isinstance(oracle, ModelOracle):
        rates.append(Rate(name, "Python loop", 1, _rate_of_python_loop(oracle, composition, seconds)))
    return rates


def _ratios(rates: list[Rate]) -> dict[str, float]:
    ratios = {}
    for loop in (rate for rate in rates if rate.engine == "Python loop"):
        fused = [rate.trials_per_second for rate in rates if rate.oracle == loop.oracle and rate.engine == "fused"]
        if fused:
            ratios[loop.oracle] = max(fused) / loop.trials_per_second
    return ratios


def _rate_of_engine(engine: Engine, composition: int, n_walkers: int, seconds: float) -> float:
    search, start = np.random.SeedSequence(0).spawn(2)
    found = search_range(engine, composition, SEARCH_TRIALS, search)
    walkers = make_walkers(engine.oracle, composition, n_walkers, start)
    weights = flat_weights(make_grid(found, 300, None, Window(), 1.0), walkers, LN_F)

    def advance(n_rounds: int) -> None:
        engine.advance(walkers, weights, n_rounds)

    return n_walkers * _calls_per_second(advance, seconds)


def _rate_of_python_loop(oracle: ModelOracle, composition: int, seconds: float) -> float:
    """Time the loop that people write first: one model call per trial, everything else in Python."""
    energy_of = oracle.model_call()
    found = search_range(Engine.fastest(oracle), composition, SEARCH_TRIALS, np.random.SeedSequence(0))
    grid = make_grid(found, 300, None, Window(), 1.0)
    chance = random.Random(0)
    chance.shuffle(sites := list(range(oracle.lattice.n_sites)))
    second, first = sites[:composition], sites[composition:]
    occupations = np.zeros(oracle.lattice.n_sites, dtype=np.int8)
    occupations[second] = 1
    ln_g: dict[int, float] = {}
    state = {"bin": int(grid.index(np.array(energy_of(occupations))))}

    def advance(n_trials: int) -> None:
        for _ in range(n_trials):
            i, j = chance.randrange(len(first)), chance.randrange(len(second))
            occupations[first[i]], occupations[second[j]] = 1, 0
            new = math.floor((energy_of(occupations) - grid.start) / grid.width)
            gain = ln_g.get(state["bin"], 0.0) - ln_g.get(new, 0.0)
            if gain >= 0.0 or chance.random() < math.exp(gain):
                state["bin"] = new
                first[i], second[j] = second[j], first[i]
            else:
                occupations[first[i]], occupations[second[j]] = 0, 1
            ln_g[state["bin"]] = ln_g.get(state["bin"], 0.0) + LN_F

    return _calls_per_second(advance, seconds)


def _calls_per_second(advance: Callable[[int], None], seconds: float) -> float:
    """Return repetitions per second, compilation and a warm-up left out."""
    advance(10)
    n, spent = 10, 0.0
    while spent < seconds / 4:
        n *= 4
        start = time.perf_counter()
        advance(n)
        spent = time.perf_counter() - start
    repeats = max(1, round(seconds / spent))
    start = time.perf_counter()
    for _ in range(repeats):
        advance(n)
    return n * repeats / (time.perf_counter() - start)
