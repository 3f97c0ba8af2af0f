"""A density of states from several independent Wang-Landau runs: search the range, choose bins, run, combine.

Runs advance side by side, each on its own, until ln g is precise enough or the budget of trials is
spent. Threads only share out the runs: the result does not depend on their number.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase import units
from tqdm import tqdm

from wanglandau.density_of_states import DensityOfStates
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle
from wanglandau.range_search import EnergyRange, make_grid, random_energies, search_range
from wanglandau.schedule import flatness
from wanglandau.settings import WangLandauSettings
from wanglandau.walkers import Engine, Window
from wanglandau.wang_landau import WangLandauRun, advance_run, combine_runs, make_run

WALKERS_COMPILED = 4
WALKERS_BATCHED = 64
SEARCH_TRIALS = 1_000_000
"""Most trials spent on searching each end of the energy range; never more than a tenth of a run's budget."""
COVERAGE_SAMPLE = 20_000
LOWEST_COVERAGE = 0.01
"""An energy window has to hold at least this part of all configurations, or ln g cannot be normalised."""


@dataclass(frozen=True, eq=False)
class SampledDensity:
    """What a Wang-Landau calculation gives.

    Attributes
    ----------
    density : DensityOfStates
    histogram : int64[n_runs, n_bins]
        Visits of every run to every bin.
    energy_range : EnergyRange
        Result of the search before the runs.
    runs : list of WangLandauRun
        Final states.
    settings : WangLandauSettings
    walkers : int
        Walkers of each run.
    interrupted : bool
        Whether the user stopped the runs (Ctrl-C); what they had found is kept.
    """

    density: DensityOfStates
    histogram: np.ndarray
    energy_range: EnergyRange
    runs: list[WangLandauRun]
    settings: WangLandauSettings
    walkers: int
    interrupted: bool = False

    def diagnostics(self) -> dict[str, Any]:
        """Collect what tells how the runs went, ready for JSON; lists have one entry a run."""
        records = [run.walkers.records for run in self.runs]
        return {
            "walkers": self.walkers,
            "trials": [run.trials for run in self.runs],
            "acceptance": [float(run.walkers.records["accepted"].sum() / max(run.trials, 1)) for run in self.runs],
            "round_trips": [(record["half_trips"] // 2).tolist() for record in records],
            "ln_f": [run.ln_f for run in self.runs],
            "phase": [run.schedule.phase for run in self.runs],
            "flatness": [flatness(run.weights.bins["visits"], run.weights.bins["seen"] == 1) for run in self.runs],
            "range_extended_at": [run.extended_at for run in self.runs],
            "lowest_energy": [float(record["lowest"].min()) for record in records],
            "highest_energy": [float(record["highest"].max()) for record in records],
            "search": asdict(self.energy_range),
            "standard_error_rms": standard_error_rms(self.density),
            "coverage_standard_error": coverage_error(self.density.coverage),
            "interrupted": self.interrupted,
        }


def sample_density(
    oracle: EnergyOracle, composition: int, settings: WangLandauSettings, progress: bool = True
) -> SampledDensity:
    """Estimate the density of states of one composition.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int
        Number of second-species atoms, 1 to n_sites - 1.
    settings : WangLandauSettings
    progress : bool
        Show a bar (only ever on a terminal).

    Raises
    ------
    InputError
        If composition, window or bins are impossible for this oracle.
    OracleError
        If an energy cannot be had.
    """
    engine = Engine.fastest(oracle)
    n_walkers = settings.walkers or (WALKERS_COMPILED if engine.compiled else WALKERS_BATCHED)
    search_seed, coverage_seed, *run_seeds = np.random.SeedSequence(settings.seed).spawn(2 + settings.runs)
    window = _window(settings, oracle.lattice.n_sites)
    coverage = _coverage(engine, composition, window, coverage_seed)
    budget = min(SEARCH_TRIALS, settings.max_trials // 10)
    found = search_range(engine, composition, budget, search_seed)
    grid = make_grid(found, settings.bins, _bin_width(settings), window)
    runs = [make_run(engine, composition, n_walkers, grid, window, settings.flatness, seed) for seed in run_seeds]
    interrupted = _run_all(runs, engine, settings, grid, progress)
    runs = [run for run in runs if run.trials]
    if not runs:
        raise KeyboardInterrupt("interrupted before the first trial")
    density, histogram = combine_runs(runs, grid, oracle.lattice.n_sites, composition, coverage)
    return SampledDensity(density, histogram, found, runs, settings, n_walkers, interrupted)


def standard_error_rms(density: DensityOfStates) -> float:
    """Return the standard error of ln g, rms over the bins that at least two runs visited; inf if there are none."""
    errors = density.standard_error[np.isfinite(density.standard_error)]
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("inf")


def coverage_error(coverage: float) -> float:
    """Return the standard error of ln g, the same for all bins, from estimating the share of an energy window."""
    return float(np.sqrt((1.0 - coverage) / (coverage * COVERAGE_SAMPLE)))


def _window(settings: WangLandauSettings, n_sites: int) -> Window:
    if settings.energy_range is None:
        return Window()
    low, high = (value * 1e-3 / units.Ry * n_sites for value in settings.energy_range)
    return Window(low, high)


def _bin_width(settings: WangLandauSettings) -> float | None:
    return None if settings.bin_width is None else settings.bin_width * 1e-3 / units.Ry


def _coverage(engine: Engine, composition: int, window: Window, seed: np.random.SeedSequence) -> float:
    """Estimate which part of all configurations lies in the window."""
    if window == Window():
        return 1.0
    inside = float(window.holds(random_energies(engine, composition, COVERAGE_SAMPLE, seed)).mean())
    if inside < LOWEST_COVERAGE:
        raise InputError(
            f"the energy window holds {inside:.2%} of random configurations; at least {LOWEST_COVERAGE:.0%} are needed "
            "to normalise ln g: widen energy_range"
        )
    return inside


def _run_all(
    runs: list[WangLandauRun], engine: Engine, settings: WangLandauSettings, grid: EnergyGrid, progress: bool
) -> bool:
    """Advance all runs in step until they are precise enough, ln f is small enough or the budget is spent.

    Returns whether the user interrupted them; what is under way is finished first.
    """
    # an oracle without a compiled energy may hold a calculator that only one thread may use
    n_threads = (settings.threads or os.cpu_count() or 1) if engine.compiled else 1
    disable = None if progress else True  # None: silent where standard error is not a terminal
    total = settings.max_trials * len(runs)
    with (
        tqdm(total=total, unit=" trials", unit_scale=True, disable=disable) as bar,
        ThreadPoolExecutor(n_threads) as pool,
    ):
        engine.on_trials = bar.update
        try:
            while not _finished(runs, settings, grid, engine):
                list(pool.map(lambda run: advance_run(run, engine, settings.max_trials), runs))
                bar.set_postfix_str(_progress(runs))
        except KeyboardInterrupt:
            engine.stop.set()
            return True
    return False


def _finished(runs: list[WangLandauRun], settings: WangLandauSettings, grid: EnergyGrid, engine: Engine) -> bool:
    n_walkers = runs[0].walkers.n_walkers
    if min(run.trials for run in runs) + n_walkers > settings.max_trials:
        return True
    if any(run.schedule.phase == 1 for run in runs):
        return False
    if max(run.ln_f for run in runs) < settings.final_ln_f:
        return True
    composition = runs[0].walkers.composition
    density, _ = combine_runs(runs, grid, engine.oracle.lattice.n_sites, composition, 1.0)
    everywhere = bool(np.isfinite(density.run_ln_g).all(axis=0)[density.visited].all())
    return len(runs) > 1 and everywhere and standard_error_rms(density) < settings.precision


def _progress(runs: list[WangLandauRun]) -> str:
    trips = int(np.median([run.walkers.records["half_trips"] // 2 for run in runs]))
    in_phase_two = sum(run.schedule.phase == 2 for run in runs)
    bins = max(int(run.weights.control["bins_seen"][0]) for run in runs)
    return (
        f"ln f {max(run.ln_f for run in runs):.1e}, {in_phase_two}/{len(runs)} in 1/t, {bins} bins, {trips} round trips"
    )
