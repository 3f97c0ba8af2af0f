"""Before the walks: windows laid out after a short walk over all energies, and walkers brought into their window."""

from __future__ import annotations

import numpy as np

from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.schedule_factories import ScheduleFactory
from wanglandau.settings import WangLandauSettings
from wanglandau.starting_weights import ExpectedWeights
from wanglandau.transition_matrix import diffusivity
from wanglandau.walk import make_walk, wider
from wanglandau.walkers import Walkers, Window, count_proposals, flat_weights, make_walkers, sort_into_bins
from wanglandau.windows import WindowLayout, choose_windows

SITES_PER_WINDOW = 128
PREVIEW_TRIALS_PER_BIN = 5000
LEAST_DIFFUSIVITY = 1 / 16
"""In units of the median over the bins. Where the preview hardly came its estimate is far too low, and windows of a few
bins each would crowd there; so no window is more than four times narrower than the median one."""
PREVIEW_SHARE = 0.05
"""Part of the trials of a run that the walk before the windows may take."""
DRIVE_STAGES = 60
DRIVE_SWEEPS = 5
WEAKEST, STRONGEST = 0.02, 20.0
"""First and last force towards the window, in ln g per bin of distance."""
MAX_DRIVES = 5


def number_of_windows(settings: WangLandauSettings, n_sites: int) -> int:
    """Return how many windows to take."""
    if settings.windows is not None:
        return settings.windows
    alone = settings.schedule_name == "sad" or settings.ensemble == "semigrand" or settings.energy_range is not None
    return 1 if alone else max(1, round(n_sites / SITES_PER_WINDOW))


def lay_windows(
    engine: Engine,
    composition: int | None,
    grid: EnergyGrid,
    n_windows: int,
    settings: WangLandauSettings,
    seed: np.random.SeedSequence,
    window: Window,
    expected: ExpectedWeights | None = None,
    schedule: ScheduleFactory | None = None,
) -> WindowLayout:
    """Choose the windows from how fast a walk over all energies of ``window`` diffuses.

    Raises
    ------
    InputError
        If there are too few bins for so many windows.
    """
    if n_windows == 1:
        return choose_windows(grid.n_bins, 1, minimum_bins=1)
    if settings.uniform_windows:
        return choose_windows(grid.n_bins, n_windows, settings.overlap)
    walkers = starting_walkers(engine, composition, 2, window, grid, seed)
    walk = make_walk(walkers, grid, 0, window, settings, expected=expected, schedule=schedule)
    count_proposals(walk.weights)
    n_trials = min(PREVIEW_TRIALS_PER_BIN * grid.n_bins, int(PREVIEW_SHARE * settings.max_trials))
    check = walk.rounds_between_checks()
    while walk.trials < n_trials:
        walk.advance(engine, min(check, max(1, (n_trials - walk.trials) // walkers.n_walkers)))
        walk.schedule.meet_new_bins(walk.weights)
        if walk.schedule.stage_is_over(walk.weights):
            walk.schedule.next_stage(walk.weights)
    proposals, seen = walk.weights.proposals, walk.weights.bins["seen"] == 1
    below = -walk.first_bin
    inside = slice(below, below + grid.n_bins)
    ln_g = np.where(seen, walk.weights.bins["ln_g"], -np.inf)
    steps = diffusivity(proposals[:, :-1], proposals.sum(axis=1), ln_g)[inside]
    if np.isfinite(steps).any():
        steps = np.maximum(steps, LEAST_DIFFUSIVITY * np.nanmedian(steps))
    return choose_windows(grid.n_bins, n_windows, settings.overlap, steps, _visited(seen[inside]))


def _visited(seen: np.ndarray) -> np.ndarray:
    """Take bins between visited ones for empty where the walk left gaps, those beyond its ends for not yet found."""
    known = np.flatnonzero(seen)
    visited = seen.copy()
    visited[: known[0]] = visited[known[-1] + 1 :] = True
    return visited


def drive_into(engine: Engine, walkers: Walkers, window: Window, grid: EnergyGrid) -> None:
    """Bring walkers into a window, by weights that fall with the distance from it, more and more steeply.

    Parameters
    ----------
    walkers : Walkers
        Changed in place; those inside stay as they are.
    window : Window
    grid : EnergyGrid
        Bins over all energies, in which distance is measured.

    Raises
    ------
    InputError
        If some never arrive.
    """
    n_rounds = DRIVE_SWEEPS * walkers.occupations.shape[1]
    for force in np.tile(np.geomspace(WEAKEST, STRONGEST, DRIVE_STAGES), MAX_DRIVES):
        outside = np.flatnonzero(~window.holds(walkers.records["energy"]))
        if not len(outside):
            _forget_the_way(walkers)
            return
        driven = walkers.part(outside)
        _drive(engine, driven, window, grid, force, n_rounds)
        walkers.put(outside, driven)
    raise InputError(
        f"no configuration was found between {window.low:.6g} and {window.high:.6g} Ry; widen the energy window or "
        "take fewer windows"
    )


def _drive(engine: Engine, walkers: Walkers, window: Window, grid: EnergyGrid, force: float, n_rounds: int) -> None:
    wide, _ = wider(grid, walkers.records["energy"].min(), walkers.records["energy"].max())
    weights = flat_weights(wide, walkers, 0.0)
    distance = np.maximum(window.low - wide.centres, wide.centres - window.high).clip(min=0.0) / wide.width
    weights.bins["ln_g"], weights.bins["seen"] = force * distance, 1
    for _ in range(4):  # look often, lest walkers cross the window and leave it
        engine.advance(walkers, weights, max(1, n_rounds // 4))
        if window.holds(walkers.records["energy"]).all():
            return


def _forget_the_way(walkers: Walkers) -> None:
    records = walkers.records
    records["lowest"] = records["highest"] = records["energy"]
    records["accepted"] = records["out_of_range"] = records["heading"] = records["half_trips"] = 0
    records["lowest_refused"], records["highest_refused"] = np.inf, -np.inf


def starting_walkers(
    engine: Engine,
    composition: int | None,
    n_walkers: int,
    window: Window,
    grid: EnergyGrid,
    seed: np.random.SeedSequence,
) -> Walkers:
    """Make walkers inside a window, from independent random configurations."""
    walkers = make_walkers(engine.oracle, composition, n_walkers, seed)
    drive_into(engine, walkers, window, grid)
    sort_into_bins(walkers, grid, by_composition=False)
    return walkers
