"""What a calculation gives: densities of states, averages, and what tells how it went."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from wanglandau.bin_averages import BinAverages
from wanglandau.calculation import COVERAGE_SAMPLE, Calculation
from wanglandau.combination import (
    combine,
    find_ground_state,
    gather_averages,
    gather_joint,
    gather_table,
    transition_estimate,
)
from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.ground_state import GroundState
from wanglandau.joining import SeamSignificance, seam_significance
from wanglandau.joint_histogram import JointHistogram
from wanglandau.kernels import WALKER
from wanglandau.pinned_ends import known_end_bins, pin
from wanglandau.range_search import EnergyRange
from wanglandau.schedule import flatness
from wanglandau.schedule_factories import schedule_name
from wanglandau.settings import WangLandauSettings


@dataclass(frozen=True, eq=False)
class SampledDensity:
    """What a calculation gives.

    Attributes
    ----------
    densities : dict of int or None to DensityOfStates
        By composition; one entry unless compositions had bins of their own.
    visits : int64[n_runs, n_rows, n_bins]
        Visits with the final weights, production only where there was any.
    energy_range : EnergyRange
        Result of the search before the runs.
    settings : WangLandauSettings
    layout : tuple of int
        Runs, windows, teams.
    produced : bool
        Whether ln g comes from production with fixed weights.
    walks : dict of str to ndarray
        By walk, in order of run, window and team: ``trials``, ``ln_f``, ``phase``, ``extended`` (trials at the last
        extension of the range, 0 if there was none), ``first_bin``, ``n_bins``, ``unvisited`` (bins that production did
        not come back to).
    records : WALKER[n_walks, n_walkers]
        Final state of every walker.
    averages : list of BinAverages
        Observables, one accumulator a run; empty if nothing was measured.
    joint : list of JointHistogram
    transition_ln_g : float64[n_runs, n_bins] or None
        ln g from the trials counted from bin to bin.
    transition_chi_square : float64[n_walks] or None
    histogram_ln_g : float64[n_runs, n_bins] or None
        ln g from the histogram before anything known was put in, where there is one density of states only.
    seams : list of SeamSignificance
        One a seam.
    mismatch : float64[n_runs, n_windows - 1]
        rms disagreement of neighbouring windows in ln g.
    exchange : float64[n_windows - 1]
        Accepted part of the exchanges.
    windows : list of (int, int)
        First and last bin of every window on the grid the calculation began with.
    row_residual : float64[n_runs]
        See :class:`wanglandau.combination.Combined`.
    interest : bool[n_bins]
        Bins that matter at the temperatures of interest; all of them where no lowest temperature was given.
    ground_state : GroundState or None
        Number of configurations of lowest energy, counted by symmetry and sampled.
    known : dict of int to int
        Bins in which the configurations were counted by symmetry, with their number, to which ln g was pinned.
    interrupted : bool
        Whether the user stopped the runs (Ctrl-C); what they had found is kept.
    schedule, move : str
        Names of what was used.
    """

    densities: dict[int | None, DensityOfStates]
    visits: np.ndarray
    energy_range: EnergyRange
    settings: WangLandauSettings
    layout: tuple[int, int, int]
    produced: bool
    walks: dict[str, np.ndarray]
    records: np.ndarray
    averages: list[BinAverages] = field(default_factory=list)
    joint: list[JointHistogram] = field(default_factory=list)
    transition_ln_g: np.ndarray | None = None
    transition_chi_square: np.ndarray | None = None
    seams: list[SeamSignificance] = field(default_factory=list)
    mismatch: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    exchange: np.ndarray = field(default_factory=lambda: np.zeros(0))
    windows: list[tuple[int, int]] = field(default_factory=list)
    row_residual: np.ndarray = field(default_factory=lambda: np.zeros(0))
    interest: np.ndarray = field(default_factory=lambda: np.ones(0, dtype=bool))
    ground_state: GroundState | None = None
    interrupted: bool = False
    histogram_ln_g: np.ndarray | None = None
    known: dict[int, int] = field(default_factory=dict)
    schedule: str = ""
    move: str = ""

    @property
    def density(self) -> DensityOfStates:
        """The density of states, where there is only one."""
        (only,) = self.densities.values()
        return only

    @property
    def trials(self) -> np.ndarray:
        """Trials of every run, ``int64[n_runs]``."""
        return self.walks["trials"].reshape(self.layout[0], -1).sum(axis=1)

    @property
    def histogram(self) -> np.ndarray:
        """Visits of every run, ``int64[n_runs, n_rows * n_bins]``."""
        return self.visits.reshape(len(self.visits), -1)

    @property
    def transition_mismatch(self) -> float:
        """Difference of ln g from histogram and from counted trials, rms over runs and bins; nan if not counted."""
        if self.transition_ln_g is None or len(self.densities) != 1:
            return float("nan")
        if self.histogram_ln_g is None:
            return float("nan")
        difference = _difference(self.transition_ln_g, self.histogram_ln_g)
        return float(np.sqrt(np.nanmean(difference**2))) if np.isfinite(difference).any() else float("nan")

    def diagnostics(self) -> dict[str, Any]:
        """Collect what tells how the runs went, ready for JSON but for arrays at the first level."""
        runs = self.layout[0]
        by_run = {name: values.reshape(runs, -1) for name, values in self.walks.items()}
        records = self.records.reshape(runs, -1)
        per_walker = records.shape[1]
        return {
            "schedule": self.schedule,
            "move": self.move,
            "layout": dict(zip(("runs", "windows", "teams"), self.layout, strict=True)),
            "walkers": int(self.records.shape[1]),
            "produced": self.produced,
            "trials": self.trials.tolist(),
            "acceptance": (records["accepted"].sum(axis=1) / np.maximum(self.trials, 1)).tolist(),
            "round_trips": (records["half_trips"] // 2).tolist() if per_walker <= 1000 else [],
            "round_trips_median": self.round_trips,
            "ln_f": by_run["ln_f"].max(axis=1).tolist(),
            "phase": by_run["phase"].min(axis=1).tolist(),
            "flatness": [flatness(row, row > 0) for row in self.histogram],
            "range_extended_at": by_run["extended"].max(axis=1).tolist(),
            "bins_not_revisited": by_run["unvisited"].sum(axis=1).tolist(),
            "lowest_energy": records["lowest"].min(axis=1).tolist(),
            "highest_energy": records["highest"].max(axis=1).tolist(),
            "search": {name: value for name, value in vars(self.energy_range).items() if name != "sample"},
            "standard_error_rms": [standard_error_rms(density, self.interest) for density in self.densities.values()],
            "coverage_standard_error": coverage_error(next(iter(self.densities.values())).coverage),
            "windows": self.windows,
            "exchange_acceptance": self.exchange.tolist(),
            "seam_mismatch": self.mismatch.tolist(),
            "seam_sigma": [seam.sigma for seam in self.seams],
            "transition_matrix_rms": self.transition_mismatch,
            "composition_residual": self.row_residual.tolist(),
            "ground_state": None if self.ground_state is None else _ground_state_values(self.ground_state),
            "pinned": {str(place): count for place, count in self.known.items()},
            "interrupted": self.interrupted,
            "histogram": self.histogram,
        } | ({} if self.transition_ln_g is None else {"transition_ln_g": self.transition_ln_g})

    @property
    def round_trips(self) -> float:
        """Round trips of a walker between the lowest and the highest energy, median."""
        return float(np.median(self.records["half_trips"] // 2))


def conclude(calculation: Calculation, interrupted: bool = False) -> SampledDensity:
    """Collect the result of a calculation from all processes; all of them get it."""
    table = gather_table(calculation)
    combined = combine(calculation, table)
    ranks, walks = calculation.ranks, calculation.walks
    n_windows = calculation.layout.windows
    transitions = None
    counted = calculation.runs_where([bool(walk.weights.control["counting"][0]) for walk in walks], every=True)
    if len(counted) == calculation.layout.runs and len(combined.densities) == 1:
        transitions = transition_estimate(calculation, combined.grid)
    seams: list[SeamSignificance] = []
    if n_windows > 1:
        residuals = np.array([joined.residuals for joined in combined.seams])
        seams = seam_significance(residuals, combined.seam_weights)
    averages = gather_averages(calculation, combined.grid)
    ground_state = None
    if len(combined.densities) == 1:
        ground_state = find_ground_state(calculation, next(iter(combined.densities.values())), averages)
    columns = np.array([_row_of(walk) for walk in walks], dtype=np.float64).reshape(len(walks), len(_COLUMNS))
    table_of_walks = ranks.gather(columns)
    records = np.array([walk.walkers.records for walk in walks], dtype=WALKER).reshape(-1, calculation.n_walkers)
    exchange = calculation.exchange
    densities, histogram_ln_g, known = combined.densities, None, {}
    if len(densities) == 1:
        ((composition, density),) = densities.items()
        histogram_ln_g = density.run_ln_g
        density = _chosen(density, transitions, calculation.settings)
        known = known_end_bins(calculation, density)
        densities = {composition: pin(calculation, density, known)}
    return SampledDensity(
        densities,
        combined.visits,
        calculation.energy_range,
        calculation.settings,
        (calculation.layout.runs, n_windows, calculation.layout.teams),
        calculation.producing,
        dict(zip(_COLUMNS, table_of_walks.T, strict=True)),
        ranks.gather(records),
        averages,
        gather_joint(calculation, combined.grid),
        None if transitions is None else transitions[0],
        None if transitions is None else transitions[1],
        seams,
        np.array([joined.mismatch for joined in combined.seams]),
        exchange.accepted / np.maximum(exchange.tried, 1),
        list(zip(calculation.windows.first, calculation.windows.last, strict=True)),
        combined.row_residual,
        bins_of_interest(calculation, combined.grid),
        ground_state,
        interrupted,
        histogram_ln_g,
        known,
        schedule_name(walks[0].schedule),
        calculation.engine.move_of(walks[0].walkers).name,
    )


def _chosen(
    density: DensityOfStates, transitions: tuple[np.ndarray, np.ndarray] | None, settings: WangLandauSettings
) -> DensityOfStates:
    """Put ln g from counted transitions in the place of that from the histogram, if that was asked for and is there."""
    if transitions is None or settings.estimator != "transitions":
        return density
    if (np.isfinite(density.run_ln_g) & ~np.isfinite(transitions[0])).any():  # bins that no counted trials connect
        return density
    return replace(density, run_ln_g=transitions[0])


_COLUMNS = ("trials", "ln_f", "phase", "extended", "first_bin", "n_bins", "unvisited")


def _row_of(walk: Any) -> list[float]:
    bins = walk.weights.bins
    control, place = walk.weights.control[0], np.arange(len(bins))
    matters = (place >= control["low_end"]) & (place <= control["high_end"]) | (not control["bounded"])
    unvisited = int(((bins["seen"] == 1) & (bins["visits"] == 0) & matters).sum())
    extended = walk.extended_at[-1] if walk.extended_at else 0
    return [walk.trials, walk.ln_f, walk.schedule.phase, extended, walk.first_bin, walk.grid.n_bins, unvisited]


def _ground_state_values(found: GroundState) -> dict[str, Any]:
    return asdict(found) | {"residual": found.residual}


def bins_of_interest(calculation: Calculation, grid: EnergyGrid) -> np.ndarray:
    """Return the bins between the ends of the range of interest of all walks, ``bool[n_bins]``; all without one."""
    if calculation.settings.schedule_name != "sad":
        return np.ones(grid.n_bins, dtype=bool)
    ends = []
    for walk in calculation.walks:
        control = walk.weights.control[0]
        last = walk.grid.n_bins - 1
        low, high = (int(control["low_end"]), int(control["high_end"])) if control["bounded"] else (0, last)
        ends.append([walk.first_bin + low, walk.first_bin + high])
    everywhere = calculation.ranks.gather(np.array(ends, dtype=np.int64).reshape(-1, 2))
    place = np.arange(grid.n_bins) + round((grid.start - calculation.grid.start) / grid.width)
    return (place >= everywhere[:, 0].min()) & (place <= everywhere[:, 1].max())


def standard_error_rms(density: DensityOfStates, interest: np.ndarray) -> float:
    """Return the standard error of ln g, rms over the bins that at least two runs visited; inf if there are none.

    Parameters
    ----------
    density : DensityOfStates
    interest : bool[n_bins]
        Bins that count.
    """
    errors = density.standard_error[np.isfinite(density.standard_error) & interest]
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("inf")


def coverage_error(coverage: float) -> float:
    """Return the standard error of ln g, the same for all bins, from estimating the share of an energy window."""
    return float(np.sqrt((1.0 - coverage) / (coverage * COVERAGE_SAMPLE)))


def _difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    both = np.isfinite(first) & np.isfinite(second)
    return np.where(both, np.where(both, first, 0.0) - np.where(both, second, 0.0), np.nan)
