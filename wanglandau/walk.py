"""One walk: the walkers that share a histogram in one energy window of one independent run.

Every walk has walkers, weights and random streams of its own. Its grid grows by whole bins when a trial falls
beyond its ends, so that the bins of all walks stay in register.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau import kernels
from wanglandau.crowd import advance_crowd
from wanglandau.energy_grid import MAX_BINS, EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.kernels import FIXED
from wanglandau.rounds import Snapshots
from wanglandau.sad import bounded_weights, unbounded_estimate
from wanglandau.schedule import (
    SETTLED_STAGES,
    SETTLED_STAGES_EXPECTED,
    Schedule,
    Stage,
    first_ln_f,
    trials_between_checks,
)
from wanglandau.schedule_factories import SCHEDULES, ScheduleFactory
from wanglandau.settings import WangLandauSettings
from wanglandau.starting_weights import ExpectedWeights
from wanglandau.turns import WALKERS_AT_ONCE, rounds_together
from wanglandau.walkers import MANY_WALKERS, Walkers, Weights, Window, count_proposals, flat_weights, sort_into_bins

MAX_COUNTED_BINS = 3000
"""Above this, counting trials from bin to bin would take too much memory (8 bytes for every pair of bins)."""
EDGE_TOLERANCE = 1e-6
"""Part of a bin by which an energy may miss the grid without making it grow."""


@dataclass
class Walk:
    """State of one walk, made before it starts and advanced in place.

    Attributes
    ----------
    grid : EnergyGrid
    first_bin : int
        Place of the grid's first bin on the grid the calculation began with; below 0 after growth downwards.
    window : Window
        The grid never grows beyond it.
    by_composition : bool
        Whether every composition has bins of its own.
    walkers, weights, schedule
        See their classes.
    producing : bool
        Whether the weights are fixed.
    extended_at : list of int
        Trials made when the range was extended.
    trials_before : int
        Trials made before production began anew with empty records.
    frozen_ln_f : float
        ln f when production began.
    looks : Snapshots or None
        States to be measured at the end of the present block of rounds; see :mod:`wanglandau.block`.
    """

    grid: EnergyGrid
    first_bin: int
    window: Window
    by_composition: bool
    walkers: Walkers
    weights: Weights
    schedule: Schedule
    producing: bool = False
    extended_at: list[int] = field(default_factory=list)
    trials_before: int = 0
    frozen_ln_f: float = 1.0
    looks: Snapshots | None = None

    @property
    def trials(self) -> int:
        """Trials made by all walkers."""
        return self.trials_before + int(self.weights.control["trials"][0])

    @property
    def rounds(self) -> int:
        """Trials made by each walker."""
        return self.trials // self.walkers.n_walkers

    @property
    def ln_f(self) -> float:
        """Present ln f."""
        return float(self.weights.control["ln_f"][0])

    @property
    def n_rows(self) -> int:
        """Number of compositions with bins of their own."""
        return len(self.weights.bins) // self.grid.n_bins

    @property
    def crowded(self) -> bool:
        """Whether there are so many walkers that they go by rounds with common weights."""
        return self.walkers.n_walkers > WALKERS_AT_ONCE

    def rounds_between_checks(self) -> int:
        """Return how many rounds lie between two looks at the histogram."""
        n_walkers = self.walkers.n_walkers
        return max(1, trials_between_checks(len(self.weights.bins), n_walkers) // n_walkers)

    def advance(self, engine: Engine, n_rounds: int, snapshots: Snapshots | None = None) -> None:
        """Give every walker so many trials."""
        if self.crowded and engine.compiled is not None and not engine.takes_to_device(self.walkers.n_walkers):
            advance_crowd(engine, self.walkers, self.weights, n_rounds, snapshots)
        else:
            engine.advance(self.walkers, self.weights, n_rounds, snapshots)

    def extend_range(self) -> bool:
        """Let the grid grow to energies that were met beyond its ends; tell whether it did.

        Not in production of a walk that has a range of interest, which it does not leave for long.
        """
        if self.producing and self.weights.control["bounded"]:
            return False
        records, edges = self.walkers.records, self.grid.edges
        lowest, highest = records["lowest_refused"].min(), records["highest_refused"].max()
        records["lowest_refused"], records["highest_refused"], records["out_of_range"] = np.inf, -np.inf, 0
        slack, inside = EDGE_TOLERANCE * self.grid.width, self.grid.centres[0]
        # a new bin has its centre inside the window: of discrete levels, none beyond the window gets a bin
        low = max(lowest, self._centre_next_to(self.window.low)) if lowest < edges[0] - slack else inside
        high = min(highest, self._centre_next_to(self.window.high)) if highest > edges[-1] + slack else inside
        grid, below = wider(self.grid, low, high)
        if grid == self.grid:
            return False
        self.extended_at.append(self.trials)
        self._grow(grid, below)
        return True

    def _centre_next_to(self, end: float) -> float:
        """Return the outermost centre of a bin between the grid and an end of the window."""
        if np.isinf(end):
            return end
        first, width = self.grid.centres[0], self.grid.width
        steps = (end - first) / width
        if steps < 0:
            return float(first + width * min(0.0, np.ceil(steps - EDGE_TOLERANCE)))
        return float(first + width * max(self.grid.n_bins - 1.0, np.floor(steps + EDGE_TOLERANCE)))

    def _grow(self, grid: EnergyGrid, below: int) -> None:
        """Copy the weights to a wider grid; bins that are new are unvisited."""
        old, control = self.weights.bins.reshape(self.n_rows, -1), self.weights.control
        bins = np.zeros((self.n_rows, grid.n_bins), dtype=kernels.BIN)
        bins[:, below : below + old.shape[1]] = old
        control["start"], control["energy_bins"] = grid.start, grid.n_bins
        control["row_length"] = grid.n_bins if self.by_composition else 0
        for name in ("lowest_seen", "highest_seen", "low_end", "high_end"):
            control[name] += below
        self.weights.bins = bins.reshape(-1)
        count_proposals(self.weights, bool(control["counting"][0]))
        self.grid, self.first_bin = grid, self.first_bin - below
        sort_into_bins(self.walkers, grid, self.by_composition)

    def met_new_bins(self) -> bool:
        """Tell whether fixed weights met a bin that they knew nothing of."""
        control = self.weights.control[0]
        return bool(self.producing and control["bins_found"] and not control["bounded"])

    def settled(self) -> bool:
        """Tell whether the weights are good enough to be frozen, and the walkers spread over the energies.

        The histogram of a single walker is flat when it has been everywhere; that of many is long before, with each
        still near the energy it began at. Production would then look at random configurations too often.
        """
        control, half_trips = self.weights.control[0], self.walkers.records["half_trips"]
        whole = bool(control["holds_bottom"] and control["holds_top"])
        many = self.walkers.n_walkers > MANY_WALKERS
        spread = not (many and whole) or float(np.median(half_trips)) >= 1
        return spread and self.schedule.settled(self.weights)

    def begin_production(self, transitions: bool) -> None:
        """Fix the weights and forget what was recorded so far but ln g."""
        self.trials_before = self.trials
        self.weights.control["trials"] = 0
        self.producing = True
        self._forget(counting=transitions)
        self.frozen_ln_f = self.ln_f
        self.weights.control["gain"], self.weights.control["ln_f"] = FIXED, 0.0

    def end_production(self) -> None:
        """Go back to the schedule, with ln g as production has corrected it."""
        self.weights.bins["ln_g"] = self.estimate()
        self.producing = False
        self.weights.control["trials"], self.trials_before = self.trials, 0  # time goes on
        self._forget(counting=False)
        self.weights.control["ln_f"] = self.frozen_ln_f
        self.weights.control["bins_found"] = 1  # so that the schedule takes notice
        self.schedule.meet_new_bins(self.weights)

    def _forget(self, counting: bool) -> None:
        bins = self.weights.bins
        for name in ("histogram", "visits", "energy_sum", "energy_square_sum"):
            bins[name] = 0
        self.walkers.records["heading"] = self.walkers.records["half_trips"] = 0
        count_proposals(self.weights, counting and len(self.weights.bins) <= MAX_COUNTED_BINS)

    def estimate(self) -> np.ndarray:
        """Return the present ln g, ``float64[n_rows * n_bins]``, up to a constant; -inf in bins never visited.

        In production, ln g of the weights plus the logarithm of the visits. A bin without visits in production keeps
        its weight, as if it had been visited as often as the others.
        """
        bins = self.weights.bins
        seen = bins["seen"] == 1
        if not self.producing:
            return np.where(seen, unbounded_estimate(self.weights), -np.inf)
        ln_g = np.where(seen, bounded_weights(self.weights), -np.inf)
        if not bins["visits"].any():
            return ln_g
        visits = np.where(bins["visits"] > 0, bins["visits"], bins["visits"][seen].mean())
        return ln_g + np.log(visits)


def make_walk(
    walkers: Walkers,
    grid: EnergyGrid,
    first_bin: int,
    window: Window,
    settings: WangLandauSettings,
    ends: tuple[bool, bool] = (True, True),
    expected: ExpectedWeights | None = None,
    schedule: ScheduleFactory | None = None,
) -> Walk:
    """Prepare a walk of given walkers, which have to be inside the window.

    Parameters
    ----------
    walkers : Walkers
    grid : EnergyGrid
        Bins of the window.
    first_bin : int
        Place of its first bin on the grid the calculation begins with.
    window : Window
    settings : WangLandauSettings
    ends : (bool, bool)
        Whether the lowest and the highest energies of all belong to this window.
    expected : ExpectedWeights, optional
        Of the bins of ``grid``, where something is known of ln g.
    schedule : ScheduleFactory, optional
        Instead of the one that the settings name.
    """
    by_composition = settings.ensemble == "semigrand"
    wide, below = wider(grid, walkers.records["energy"].min(), walkers.records["energy"].max())
    n_walkers = walkers.n_walkers
    n_together = n_walkers if n_walkers <= WALKERS_AT_ONCE else n_walkers * rounds_together(n_walkers)
    before = expected.trials_worth if expected is not None else 0
    weights = flat_weights(wide, walkers, first_ln_f(grid.n_bins, n_together, before), by_composition)
    weights.control["holds_bottom"], weights.control["holds_top"] = ends
    if expected is not None and before:
        weights.control["trials_before"] = before
        inside = weights.bins[below : below + grid.n_bins]
        known = np.isfinite(expected.ln_g)
        inside["expected"] = np.where(expected.met, kernels.HOLDS_STATES, known)
        inside["ln_g"] = np.where(known, expected.ln_g, 0.0)
    stage = Stage.for_walkers(n_walkers, settings.flatness, settings.minimum_count)
    if before:
        stage.ended = SETTLED_STAGES - SETTLED_STAGES_EXPECTED
    make_schedule = schedule or SCHEDULES[settings.schedule_name]
    return Walk(wide, first_bin - below, window, by_composition, walkers, weights, make_schedule(stage, grid, settings))


def wider(grid: EnergyGrid, low: float, high: float) -> tuple[EnergyGrid, int]:
    """Return the grid grown by whole bins to hold both energies, and how many bins were added below.

    Raises
    ------
    InputError
        If that takes too many bins.
    """
    first, last = (int(index) for index in grid.index(np.array([low, high])))
    below, above = max(0, -first), max(0, last - grid.n_bins + 1)
    if grid.n_bins + below + above > MAX_BINS:
        raise InputError(f"energies reach from {low:.6g} to {high:.6g} Ry: more than {MAX_BINS} bins; widen the bins")
    return EnergyGrid(grid.start - below * grid.width, grid.width, grid.n_bins + below + above), below
