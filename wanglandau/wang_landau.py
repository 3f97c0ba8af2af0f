"""One independent Wang-Landau run, and the density of states that several of them make.

Every run has walkers, weights and random streams of its own. The grid of a run grows by whole bins
when a trial falls beyond its ends, so that the bins of all runs stay in register.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau import kernels
from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.energy_grid import MAX_BINS, EnergyGrid
from wanglandau.errors import InputError
from wanglandau.schedule import OneOverT, first_ln_f, trials_between_checks
from wanglandau.walkers import Engine, Walkers, Weights, Window, flat_weights, make_walkers

EDGE_TOLERANCE = 1e-6
"""Part of a bin by which an energy may miss the grid without making it grow."""


@dataclass
class WangLandauRun:
    """State of one run, made before it starts and advanced in place.

    Attributes
    ----------
    grid : EnergyGrid
    first_bin : int
        Place of the grid's first bin on the grid the runs began with; below 0 after growth downwards.
    window : Window
        The grid never grows beyond it.
    walkers, weights, schedule
        See their classes.
    extended_at : list of int
        Trials made when the range was extended.
    """

    grid: EnergyGrid
    first_bin: int
    window: Window
    walkers: Walkers
    weights: Weights
    schedule: OneOverT
    extended_at: list[int] = field(default_factory=list)

    @property
    def trials(self) -> int:
        """Trials made by all walkers."""
        return int(self.weights.control["trials"][0])

    @property
    def ln_f(self) -> float:
        """Present ln f."""
        return float(self.weights.control["ln_f"][0])


def make_run(
    engine: Engine,
    composition: int,
    n_walkers: int,
    grid: EnergyGrid,
    window: Window,
    wanted_flatness: float | None,
    seed: np.random.SeedSequence,
) -> WangLandauRun:
    """Prepare a run on random starting configurations."""
    walkers = make_walkers(engine.oracle, composition, n_walkers, seed, window)
    low, high = walkers.records["energy"].min(), walkers.records["energy"].max()
    wide, below = _wider(grid, low, high)
    weights = flat_weights(wide, walkers, first_ln_f(grid.n_bins, n_walkers))
    return WangLandauRun(wide, -below, window, walkers, weights, OneOverT.for_walkers(n_walkers, wanted_flatness))


def advance_run(run: WangLandauRun, engine: Engine, max_trials: int) -> None:
    """Advance a run by the trials between two checks (never beyond ``max_trials`` in all) and review its schedule."""
    n_walkers = run.walkers.n_walkers
    n_trials = min(trials_between_checks(run.grid.n_bins, n_walkers), max_trials - run.trials)
    engine.advance(run.walkers, run.weights, max(n_trials // n_walkers, 1))
    _extend_range(run)
    run.schedule.review(run.weights)


def _wider(grid: EnergyGrid, low: float, high: float) -> tuple[EnergyGrid, int]:
    """Return the grid grown by whole bins to hold both energies, and how many bins were added below."""
    first, last = (int(index) for index in grid.index(np.array([low, high])))
    below, above = max(0, -first), max(0, last - grid.n_bins + 1)
    if grid.n_bins + below + above > MAX_BINS:
        raise InputError(f"energies reach from {low:.6g} to {high:.6g} Ry: more than {MAX_BINS} bins; widen the bins")
    return EnergyGrid(grid.start - below * grid.width, grid.width, grid.n_bins + below + above), below


def _extend_range(run: WangLandauRun) -> None:
    control = run.weights.control[0]
    lowest = max(control["lowest_refused"], run.window.low)
    highest = min(control["highest_refused"], run.window.high)
    control["lowest_refused"], control["highest_refused"] = np.inf, -np.inf
    control["out_of_range"] = 0
    edges, slack, inside = run.grid.edges, EDGE_TOLERANCE * run.grid.width, run.grid.centres[0]
    low = lowest if lowest < edges[0] - slack else inside
    high = highest if highest > edges[-1] + slack else inside
    grid, below = _wider(run.grid, low, high)
    if grid == run.grid:
        return
    run.extended_at.append(run.trials)
    run.weights = _grown(run.weights, grid, below)
    run.walkers.records["bin"] += below
    run.grid, run.first_bin = grid, run.first_bin - below


def _grown(weights: Weights, grid: EnergyGrid, below: int) -> Weights:
    """Copy weights to a wider grid; bins that are new are unvisited."""
    bins = np.zeros(grid.n_bins, dtype=kernels.BIN)
    bins[below : below + len(weights.bins)] = weights.bins
    weights.control["start"] = grid.start
    weights.control["lowest_seen"] += below
    weights.control["highest_seen"] += below
    return Weights(weights.width, bins, weights.control)


def combine_runs(
    runs: list[WangLandauRun], base: EnergyGrid, n_sites: int, composition: int, coverage: float
) -> tuple[DensityOfStates, np.ndarray]:
    """Put the runs on one grid.

    Parameters
    ----------
    base : EnergyGrid
        The grid the runs began with.
    coverage : float
        Part of all configurations inside the energy window.

    Returns
    -------
    density : DensityOfStates
    histogram : int64[n_runs, n_bins]
        Visits of every run.
    """
    first = min(run.first_bin for run in runs)
    last = max(run.first_bin + run.grid.n_bins for run in runs)
    grid = EnergyGrid(base.start + first * base.width, base.width, last - first)
    ln_g = np.full((len(runs), grid.n_bins), -np.inf)
    visits = np.zeros((len(runs), grid.n_bins), dtype=np.int64)
    sums = np.zeros((2, grid.n_bins))
    for row, run in enumerate(runs):
        bins = run.weights.bins
        inside = slice(run.first_bin - first, run.first_bin - first + run.grid.n_bins)
        ln_g[row, inside] = np.where(bins["seen"] == 1, bins["ln_g"], -np.inf)
        visits[row, inside] = bins["visits"]
        sums[:, inside] += bins["energy_sum"], bins["energy_square_sum"]
    mean, square = sums / np.maximum(visits.sum(axis=0), 1)
    return (
        DensityOfStates(
            grid,
            n_sites,
            composition,
            normalised(ln_g, n_sites, composition, coverage),
            grid.centres + mean,
            np.maximum(square - mean**2, 0.0),
            coverage=coverage,
        ),
        visits,
    )
