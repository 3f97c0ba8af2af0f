"""From the walks of all processes to one density of states: gather, average teams, join windows, normalise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wanglandau.bin_averages import BinAverages
from wanglandau.calculation import Calculation
from wanglandau.density_of_states import DensityOfStates, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.ground_state import GroundState, count_ground_states
from wanglandau.joining import Joined, join
from wanglandau.joint_histogram import JointHistogram
from wanglandau.transition_matrix import fit_transitions
from wanglandau.walk import Walk

_FIELDS = ("visits", "energy_sum", "energy_square_sum")


class Table(NamedTuple):
    """What all walks have recorded, on one grid; rows are compositions where these have bins of their own.

    Attributes
    ----------
    grid : EnergyGrid
    ln_g : float64[n_walks, n_rows, n_bins]
        Estimate of each walk, up to a constant; -inf in bins it never visited.
    visits : int64[n_walks, n_rows, n_bins]
    energy_sum, energy_square_sum : float64[n_walks, n_rows, n_bins]
        Of the deviation from the bin centre, Ry and Ry^2.
    """

    grid: EnergyGrid
    ln_g: np.ndarray
    visits: np.ndarray
    energy_sum: np.ndarray
    energy_square_sum: np.ndarray


@dataclass(frozen=True, eq=False)
class Combined:
    """Densities of states of all runs.

    Attributes
    ----------
    grid : EnergyGrid
    densities : dict of int or None to DensityOfStates
        By composition; one entry, None where it is free, unless compositions have bins of their own.
    visits : int64[n_runs, n_rows, n_bins]
    seams : list of Joined
        Of every run with several windows.
    seam_weights : float64[n_runs, n_windows, n_bins]
        Visits that the windows were joined with; empty with one window.
    row_residual : float64[n_runs]
        ln of the number of states at each composition as the walk found it against the known one, rms over the
        compositions; 0 where there is one row only.
    """

    grid: EnergyGrid
    densities: dict[int | None, DensityOfStates]
    visits: np.ndarray
    seams: list[Joined]
    seam_weights: np.ndarray
    row_residual: np.ndarray


def gather_table(calculation: Calculation) -> Table:
    """Gather the records of the walks of all processes; all of them get the same table."""
    walks, ranks = calculation.walks, calculation.ranks
    own = np.array([[walk.first_bin, walk.first_bin + walk.grid.n_bins, walk.n_rows] for walk in walks], np.int64)
    spans = ranks.gather(own.reshape(-1, 3))
    first, last, n_rows = int(spans[:, 0].min()), int(spans[:, 1].max()), int(spans[0, 2])
    base = calculation.grid
    grid = EnergyGrid(base.start + first * base.width, base.width, last - first)
    shape = (len(walks), n_rows, grid.n_bins)
    ln_g, visits, sums = np.full(shape, -np.inf), np.zeros(shape, np.int64), np.zeros((2, *shape))
    for number, walk in enumerate(walks):
        inside = slice(walk.first_bin - first, walk.first_bin - first + walk.grid.n_bins)
        bins = walk.weights.bins.reshape(n_rows, -1)
        ln_g[number, :, inside] = walk.estimate().reshape(n_rows, -1)
        visits[number, :, inside] = bins["visits"]
        sums[0, number, :, inside], sums[1, number, :, inside] = bins["energy_sum"], bins["energy_square_sum"]
    return Table(grid, *(ranks.gather(part) for part in (ln_g, visits, sums[0], sums[1])))


def combine(calculation: Calculation, table: Table | None = None) -> Combined:
    """Make densities of states of what the walks have recorded so far.

    Raises
    ------
    InputError
        If windows have no visited bin in common.
    """
    if table is None:
        table = gather_table(calculation)
    runs, windows, teams = calculation.layout
    shape = (runs, windows, teams, *table.visits.shape[1:])
    visits = table.visits.reshape(shape)
    pieces = _average_teams(table.ln_g.reshape(shape), visits)
    window_visits = visits.sum(axis=2)
    seams: list[Joined] = []
    if windows > 1:
        weights = np.where(np.isfinite(pieces), np.maximum(window_visits, 1), 0)[:, :, 0].astype(np.float64)
        seams = [join(pieces[run, :, 0], weights[run]) for run in range(runs)]
        run_ln_g = np.array([joined.ln_g for joined in seams])[:, None, :]
    else:
        weights = np.zeros((runs, 0, table.grid.n_bins))
        run_ln_g = pieces[:, 0]
    mean, variance = _bin_energies(table)
    densities, residual = _densities(calculation, table.grid, run_ln_g, mean, variance)
    return Combined(table.grid, densities, window_visits.sum(axis=1), seams, weights, residual)


def _average_teams(ln_g: np.ndarray, visits: np.ndarray) -> np.ndarray:
    """Average over the teams of each window (third axis), each aligned to the first and weighted by its visits."""
    if ln_g.shape[2] == 1:
        return ln_g[:, :, 0]
    seen = np.isfinite(ln_g)
    weights = np.where(seen, np.maximum(visits, 1), 0).astype(np.float64)
    values = np.where(seen, ln_g, 0.0)
    common = seen.all(axis=2, keepdims=True)
    share = np.where(common, weights[:, :, :1], 0.0)
    total = np.maximum(share.sum(axis=(-2, -1), keepdims=True), 1e-300)
    level = (share * values).sum(axis=(-2, -1), keepdims=True) / total
    aligned = values - level + level[:, :, :1]
    weight = weights.sum(axis=2)
    mean = (weights * aligned).sum(axis=2) / np.where(weight > 0, weight, 1.0)
    return np.where(weight > 0, mean, -np.inf)


def _bin_energies(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the energy in each bin, ``float64[n_rows, n_bins]``."""
    counts = np.maximum(table.visits.sum(axis=0), 1)
    mean, square = table.energy_sum.sum(axis=0) / counts, table.energy_square_sum.sum(axis=0) / counts
    return table.grid.centres + mean, np.maximum(square - mean**2, 0.0)


def _densities(
    calculation: Calculation, grid: EnergyGrid, run_ln_g: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[dict[int | None, DensityOfStates], np.ndarray]:
    n_sites = calculation.n_sites
    by_row = run_ln_g.shape[1] > 1
    compositions: list[int | None] = list(range(run_ln_g.shape[1])) if by_row else [calculation.composition]
    densities: dict[int | None, DensityOfStates] = {}
    found = np.zeros(run_ln_g.shape[:2])
    for row, composition in enumerate(compositions):
        if not np.isfinite(run_ln_g[:, row]).any(axis=1).all():
            continue  # a composition that not every run has met
        known = normalised(run_ln_g[:, row], n_sites, composition, calculation.coverage)
        found[:, row] = run_ln_g[:, row].max(axis=1) - known.max(axis=1)
        densities[composition] = DensityOfStates(
            grid, n_sites, composition, known, mean[row], variance[row], coverage=calculation.coverage
        )
    rows = [row for row, composition in enumerate(compositions) if composition in densities]
    return densities, found[:, rows].std(axis=1)


def gather_averages(calculation: Calculation, grid: EnergyGrid) -> list[BinAverages]:
    """Gather what was measured, merged to one accumulator a run on the common grid; empty if nothing was."""
    measurement = calculation.measurement
    if not measurement.names or not calculation.producing:
        return []
    padded = [
        measurement.averages[number].grown(*margins(calculation, walk, grid))
        for number, walk in enumerate(calculation.walks)
    ]
    shape = (len(padded), grid.n_bins, len(measurement.names))
    parts = [
        calculation.ranks.gather(np.array([part.count for part in padded], np.int64).reshape(shape[:2])),
        calculation.ranks.gather(np.array([part.total for part in padded]).reshape(shape)),
        calculation.ranks.gather(np.array([part.total_square for part in padded]).reshape(shape)),
    ]
    count, total, square = (part.reshape(calculation.layout.runs, -1, *part.shape[1:]).sum(axis=1) for part in parts)
    return [BinAverages(measurement.names, *sums) for sums in zip(count, total, square, strict=True)]


def find_ground_state(
    calculation: Calculation, density: DensityOfStates, averages: list[BinAverages]
) -> GroundState | None:
    """Count the configurations of lowest energy that were met in measurements; None where that means nothing."""
    oracle, measurement = calculation.engine.oracle, calculation.measurement
    if not averages or not oracle.invariant:
        return None
    looks = np.sum([run.count for run in averages], axis=0)
    found = [measurement.lowest[number] for number in range(len(calculation.walks))]
    return count_ground_states(oracle.lattice, density, looks, found, calculation.ranks)


def gather_joint(calculation: Calculation, grid: EnergyGrid) -> list[JointHistogram]:
    """Gather the joint histograms, one a run on the common grid; empty if none was asked for."""
    histograms = calculation.measurement.histograms
    if calculation.measurement.joint is None or not calculation.producing:
        return []
    padded = [
        histograms[number].grown(*margins(calculation, walk, grid)).counts
        for number, walk in enumerate(calculation.walks)
    ]
    n_values = calculation.measurement.joint_bins
    counts = calculation.ranks.gather(np.array(padded, np.int64).reshape(len(padded), grid.n_bins, n_values))
    by_run = counts.reshape(calculation.layout.runs, -1, *counts.shape[1:]).sum(axis=1)
    low = calculation.measurement.joint_start
    return [JointHistogram(calculation.measurement.joint, *low, counts=run) for run in by_run]


def margins(calculation: Calculation, walk: Walk, grid: EnergyGrid) -> tuple[int, int]:
    """Return how many bins the common grid has below and above those of a walk."""
    below = walk.first_bin - round((grid.start - calculation.grid.start) / grid.width)
    return below, grid.n_bins - walk.grid.n_bins - below


def transition_estimate(calculation: Calculation, grid: EnergyGrid) -> tuple[np.ndarray, np.ndarray]:
    """Estimate ln g of every run from the trials counted from bin to bin, independently of the histogram.

    Returns
    -------
    run_ln_g : float64[n_runs, n_bins]
        Normalised; -inf in bins not connected.
    reduced_chi_square : float64[n_walks]
        How well detailed balance between bins is kept, 1 for independent trials.
    """
    pieces, chi_square = [], []
    for walk in calculation.walks:
        proposals = walk.weights.proposals
        fit = fit_transitions(np.ascontiguousarray(proposals[:, :-1]), proposals.sum(axis=1))
        pieces.append(np.pad(fit.ln_g, margins(calculation, walk, grid), constant_values=-np.inf))
        chi_square.append(fit.reduced_chi_square)
    all_pieces = calculation.ranks.gather(np.array(pieces).reshape(-1, grid.n_bins))
    all_chi_square = calculation.ranks.gather(np.array(chi_square, dtype=np.float64))
    runs, windows, teams = calculation.layout
    per_window = all_pieces.reshape(runs, windows * teams, -1)
    weights = np.isfinite(per_window).astype(np.float64)
    run_ln_g = np.full((runs, grid.n_bins), -np.inf)
    for run in range(runs):
        try:
            run_ln_g[run] = join(per_window[run], weights[run]).ln_g
        except InputError:  # windows without a common bin have no estimate
            continue
    known = np.isfinite(run_ln_g).any(axis=1)
    run_ln_g[known] = normalised(run_ln_g[known], calculation.n_sites, calculation.composition, calculation.coverage)
    return run_ln_g, all_chi_square
