"""The ends of the energy range, where the number of configurations can be counted, and ln g pinned to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from wanglandau.calculation import Calculation
from wanglandau.combination import margins
from wanglandau.density_of_states import DensityOfStates
from wanglandau.end_bins import count_configurations
from wanglandau.energy_grid import EnergyGrid
from wanglandau.pinning import pinned

MAX_SIGMA = 3.0
"""Standard errors by which ln g may miss a counted number; more tells of an orbit not met, or of a bad walk."""

MEAN_STEPS = 3
"""The mean of several ln g counts too few configurations. To normalise it would move it off what it is pinned to, so
the runs are made to count as many too much as their mean lacks."""


def known_end_bins(calculation: Calculation, density: DensityOfStates) -> dict[int, int]:
    """Count the configurations of the lowest and the highest bin by symmetry; all processes get the same.

    Returns
    -------
    dict of int to int
        Configurations by bin. Without ends that were cut off or had too many configurations, and without those whose
        number lies more than ``MAX_SIGMA`` standard errors from ln g (of one run: by its round trips): there some orbit
        was not met.
    """
    known = {}
    if calculation.measurement.counts_ends and calculation.producing:
        for side in (-1, 1):
            bin_and_count = _count_end(calculation, density.grid, side)
            if bin_and_count is None:
                continue
            place, count = bin_and_count
            if abs(density.ln_g[place] - np.log(count)) <= MAX_SIGMA * _error(calculation, density, place):
                known[place] = count
    return known


def _error(calculation: Calculation, density: DensityOfStates, place: int) -> float:
    """Return the standard error of ln g of a bin at an end, that of a single run as if each round trip were a look."""
    if density.n_runs > 1:
        return float(density.standard_error[place])
    trips = np.array([walk.walkers.records["half_trips"].sum() / 2 for walk in calculation.walks])
    return float(1 / np.sqrt(max(calculation.ranks.gather(trips).sum(), 1.0)))


def _count_end(calculation: Calculation, grid: EnergyGrid, side: int) -> tuple[int, int] | None:
    ranks, lattice = calculation.ranks, calculation.engine.oracle.lattice
    found = []
    for number, walk in enumerate(calculation.walks):
        end = calculation.measurement.ends[number][side]
        whole = np.isinf(walk.window.low if side < 0 else walk.window.high)
        if end.place is not None and whole and not walk.weights.control["bounded"][0]:
            found.append((end.place + margins(calculation, walk, grid)[0], end))
    outermost = ranks.gather(np.array([side * place for place, _ in found], dtype=np.int64))
    if not len(outermost):
        return None
    here = side * int(outermost.max())
    looks = [item for place, end in found if place == here for item in end.looks.items()]
    rows = np.array([np.frombuffer(state, dtype=np.int8) for state, _ in looks], np.int8).reshape(-1, lattice.n_sites)
    counts = np.array([count for _, count in looks], dtype=np.int64)
    total = count_configurations(lattice, ranks.gather(rows), ranks.gather(counts))
    return None if total is None else (here, total)


def pin(calculation: Calculation, density: DensityOfStates, known: dict[int, int]) -> DensityOfStates:
    """Bring ln g of every run into agreement with the known number of configurations of some bins."""
    counted = [bool(walk.weights.control["counting"][0]) for walk in calculation.walks]
    if not known or len(calculation.runs_where(counted, every=True)) < calculation.layout.runs:
        return density
    proposals = np.zeros((density.grid.n_bins, density.grid.n_bins), dtype=np.int64)
    for walk in calculation.walks:
        below, size = margins(calculation, walk, density.grid)[0], walk.grid.n_bins
        proposals[below : below + size, below : below + size] += walk.weights.proposals[:, :size]
    proposals = calculation.ranks.gather(proposals[None]).sum(axis=0)
    values = {place: float(np.log(count)) for place, count in known.items()}
    rows, wanted = density.run_ln_g, logsumexp(density.ln_g)
    total = wanted
    for _ in range(MEAN_STEPS):
        rows = np.array([pinned(row, proposals, values, total) for row in density.run_ln_g])
        total += wanted - logsumexp(rows.mean(axis=0))
    return replace(density, run_ln_g=rows)
