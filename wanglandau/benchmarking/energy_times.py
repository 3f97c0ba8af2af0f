"""Wall time of energies: of one configuration asked for alone, and of each in a batch."""

from __future__ import annotations

import numpy as np

from wanglandau.benchmarking.contest import Advance, clocked
from wanglandau.benchmarking.work import Work
from wanglandau.configurations import random_configurations

BATCH_SIZES = (1, 32, 1024)
"""Configurations asked for in one call."""


def energy_callers(work: Work) -> dict[int, Advance]:
    """Return one contestant for each size of the batch; its unit of work is one call."""
    rng = np.random.default_rng(0)
    return {size: _caller(work, size, rng) for size in BATCH_SIZES}


def _caller(work: Work, size: int, rng: np.random.Generator) -> Advance:
    rows = random_configurations(work.oracle.lattice, work.composition, size, rng)

    def call(n: int) -> None:
        for _ in range(n):
            work.oracle.energies(rows)

    return clocked(call)
