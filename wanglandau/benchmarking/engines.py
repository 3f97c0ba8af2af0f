"""The ways our sampler can walk, by name: fused kernel, accelerator, batched energies, the Python loop.

A new way is a new entry of :data:`ENGINES`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

import numpy as np

from wanglandau.benchmarking.contest import Advance, clocked
from wanglandau.benchmarking.work import LN_F, Work
from wanglandau.engine import Engine
from wanglandau.oracle import ModelOracle

FUSED, ACCELERATOR, BATCHED, PYTHON_LOOP = "fused", "accelerator", "batched", "Python loop"

EngineMaker = Callable[[Work, int], Advance | None]
"""From the work and a number of walkers to rounds, one trial of each walker; None where it cannot be done this way."""


def _fused(work: Work, n_walkers: int) -> Advance | None:
    compiled = Engine.fastest(work.oracle).compiled
    return None if compiled is None else _rounds(Engine(work.oracle, compiled), work, n_walkers)


def _accelerator(work: Work, n_walkers: int) -> Advance | None:
    engine = Engine.fastest(work.oracle)
    return _rounds(engine, work, n_walkers) if engine.takes_to_device(n_walkers) else None


def _batched(work: Work, n_walkers: int) -> Advance | None:
    return _rounds(Engine(work.oracle), work, n_walkers)


def _rounds(engine: Engine, work: Work, n_walkers: int) -> Advance:
    walkers, weights = work.walk(n_walkers)
    return clocked(lambda n: engine.advance(walkers, weights, n))


def _python_loop(work: Work, n_walkers: int) -> Advance | None:
    """Walk as people write it first: one model call per trial, everything else in Python."""
    if n_walkers != 1 or not isinstance(work.oracle, ModelOracle):
        return None
    energy_of, grid = work.oracle.model_call(), work.grid
    chance = random.Random(0)
    occupations = work.start.copy()
    first, second = (np.flatnonzero(occupations == species).tolist() for species in (0, 1))
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

    return clocked(advance)


ENGINES: Mapping[str, EngineMaker] = {
    FUSED: _fused,
    ACCELERATOR: _accelerator,
    BATCHED: _batched,
    PYTHON_LOOP: _python_loop,
}
"""In the order of the tables."""
