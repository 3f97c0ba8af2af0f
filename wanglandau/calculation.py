"""A whole calculation: independent runs, each of windows, each of teams of walkers.

Made before it starts, advanced in place. Every process makes the same plan and holds the walks that it owns.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
from ase import units

from wanglandau.block import Block, PieceLength
from wanglandau.density_of_states import log_total_states
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.extensions import NONE, Extensions
from wanglandau.measurement import Measurement
from wanglandau.range_search import EnergyRange, make_grid, random_energies, sampled_range, search_range
from wanglandau.ranks import Ranks, share_of
from wanglandau.replica_exchange import Exchange, Layout, average_teams
from wanglandau.schedule import EXPECTED_ERROR, trials_between_checks
from wanglandau.settings import WangLandauSettings
from wanglandau.starting import lay_windows, number_of_windows, starting_walkers
from wanglandau.starting_weights import ExpectedWeights
from wanglandau.walk import Walk, make_walk
from wanglandau.walkers import Window
from wanglandau.windows import WindowLayout, energy_windows

WALKERS_COMPILED = 4
WALKERS_WINDOWED = 1
WALKERS_BATCHED = 64
WALKERS_ON_DEVICE = 8192
CHECK_ROUNDS_ON_DEVICE = 10_000
"""Rounds between two looks at the histograms on an accelerator, at least: going there and back costs some rounds."""
CHECKS_AT_LEAST = 100
"""Looks in a calculation that the budget of trials cuts short."""
SEARCH_TRIALS_PER_SITE = 64_000
"""Most trials spent on searching each end of the energy range; never more than a tenth of a run's budget."""
LONG_SEARCH = 4
"""How many times longer the lowest energies of large cells are searched for, whose highest are not wanted."""
MENDING_SHARE = 0.1
"""Part of its trials that a walk may spend on mending what the search tells of ln g."""
SEARCH_SHARE = 0.05
"""Part of the trials of all runs that such a search may take."""
EXCHANGE_SWEEPS, MIN_EXCHANGE_TRIALS = 10, 1000
"""Trials of all walkers of a walk between exchanges, in sweeps, and at least."""
COVERAGE_SAMPLE = 20_000
SITES_OF_FULL_RANGE = 32
LOWEST_COVERAGE = 0.01
"""An energy window has to hold at least this part of all configurations, or ln g cannot be normalised."""
TAIL = 3.0
"""Standard deviations above the mean energy of random configurations beyond which they matter at no positive
temperature: 0.1 % of all at infinite temperature, were they normally distributed, and soon less below. More with
positive skewness."""


@dataclass
class Calculation:
    """State of a calculation.

    Attributes
    ----------
    engine, settings, ranks
        See their classes.
    composition : int or None
    grid : EnergyGrid
        The bins it begins with.
    energy_range : EnergyRange
        What the search before the walks found.
    coverage : float
        Part of all configurations inside the energy window.
    layout : Layout
    windows : WindowLayout
    walks : list of Walk
        Those that this process owns, in their order.
    exchange : Exchange
    measurement : Measurement
    rounds : int
        Rounds that every walk has made; in the midst of a block, those before it.
    reviewed : int
        Rounds made when the histograms were last looked at.
    next_look : float
        Rounds from which on the precision is looked at again.
    error : float
        Standard error of ln g at the last look, rms over the bins; inf as long as there was none.
    pace : PieceLength
        How many rounds at a time; no part of the state.
    """

    engine: Engine
    settings: WangLandauSettings
    ranks: Ranks
    composition: int | None
    grid: EnergyGrid
    energy_range: EnergyRange
    coverage: float
    layout: Layout
    windows: WindowLayout
    walks: list[Walk]
    exchange: Exchange
    measurement: Measurement
    rounds: int = 0
    reviewed: int = 0
    next_look: float = 0.0
    error: float = float("inf")
    pace: PieceLength = field(default_factory=PieceLength)

    @property
    def n_sites(self) -> int:
        """Number of sites of the lattice."""
        return self.engine.oracle.lattice.n_sites

    @property
    def n_walkers(self) -> int:
        """Walkers of each walk."""
        return walkers_of(self.settings, self.engine, self.layout.windows)

    @property
    def max_rounds(self) -> int:
        """Rounds that the budget of trials allows, at least one."""
        return max(1, self.settings.max_trials // (self.layout.windows * self.layout.teams * self.n_walkers))

    @property
    def rounds_between_checks(self) -> int:
        """Rounds between two looks at the histograms."""
        widest = int(self.windows.mask.sum(axis=1).max())
        rows = self.n_sites + 1 if self.settings.ensemble == "semigrand" else 1
        needed = max(1, trials_between_checks(widest * rows, self.n_walkers) // self.n_walkers)
        if not self.engine.takes_to_device(self.n_walkers):
            return needed
        return max(needed, min(CHECK_ROUNDS_ON_DEVICE, self.max_rounds // CHECKS_AT_LEAST))

    @property
    def rounds_between_exchanges(self) -> int:
        """Most rounds between two exchanges; without limit where there is one window only."""
        if self.layout.windows == 1:
            return self.max_rounds
        customary = max(EXCHANGE_SWEEPS * self.n_sites, MIN_EXCHANGE_TRIALS) // self.n_walkers
        return max(1, min(self.settings.exchange_interval or customary, self.rounds_between_checks))

    def advance(self, n_rounds: int, executor: Executor | None) -> bool:
        """Make a block of rounds, measure in production, and let windows exchange.

        Returns False where the engine was told to pause or to stop on the way. The same call goes on from there.
        """
        block = Block(self.rounds, n_rounds, self.measurement, self.pace)
        there = block.advance(self.engine, self.walks, executor)
        if self.engine.may_pause:
            there = bool(self.ranks.gather(np.array([there])).all())
        if not there:
            return False
        self.rounds += n_rounds
        if self.layout.windows > 1:
            self.exchange.perform(self.walks, self.ranks)
        return True

    def begin_production(self, runs: list[int]) -> None:
        """Fix the weights of some runs, those of the teams of a window at their mean."""
        layout = self.layout
        if layout.teams > 1 and runs:
            chosen = [number for number in range(layout.size) if layout.place(number)[0] in runs]
            average_teams(self.walks, self.ranks, layout, chosen)
        for number, walk in self._walks_of(runs):
            walk.begin_production(self.settings.transitions and not walk.by_composition)
            self.measurement.begin(number, walk)

    def end_production(self, runs: list[int]) -> None:
        """Let some runs go back to the schedule, with ln g as production has corrected it."""
        for number, walk in self._walks_of(runs):
            walk.end_production()
            self.measurement.forget(number)

    def runs_where(self, flags: list[bool], every: bool) -> list[int]:
        """Return the runs for whose walks a condition holds, for all or for any.

        Parameters
        ----------
        flags : list of bool
            For the walks of this process.
        every : bool
            Whether it has to hold for all walks of a run.
        """
        gathered = self.ranks.gather(np.array(flags, dtype=np.int64)).reshape(self.layout.runs, -1)
        return np.flatnonzero(gathered.min(axis=1) if every else gathered.max(axis=1)).tolist()

    @property
    def producing(self) -> bool:
        """Whether all weights are fixed."""
        flags = [walk.producing for walk in self.walks]
        return len(self.runs_where(flags, every=True)) == self.layout.runs

    def _walks_of(self, runs: list[int]) -> list[tuple[int, Walk]]:
        own = share_of(self.layout.size, self.ranks)
        return [
            (place, walk)
            for place, (number, walk) in enumerate(zip(own, self.walks, strict=True))
            if self.layout.place(number)[0] in runs
        ]


def walkers_of(settings: WangLandauSettings, engine: Engine, n_windows: int) -> int:
    """Return how many walkers a walk has."""
    if settings.walkers is not None:
        return settings.walkers
    if engine.device is not None:
        return WALKERS_ON_DEVICE
    if engine.compiled is None:
        return WALKERS_BATCHED
    return WALKERS_COMPILED if n_windows == 1 else WALKERS_WINDOWED


def plan(
    engine: Engine,
    composition: int | None,
    settings: WangLandauSettings,
    ranks: Ranks,
    own: Extensions = NONE,
) -> Calculation:
    """Search the range of energies, choose bins and windows, and put walkers into them.

    Parameters
    ----------
    engine, composition, settings, ranks
        See :class:`Calculation`.
    own : Extensions, optional

    Raises
    ------
    InputError
        If composition, window or bins are impossible for this oracle.
    OracleError
        If an energy cannot be had.
    """
    measurement = Measurement.of(engine.oracle, settings)  # first, for it refuses observables that there are not
    n_sites = engine.oracle.lattice.n_sites
    n_windows = number_of_windows(settings, n_sites)
    layout = Layout(settings.runs, n_windows, settings.teams)
    if ranks.size > layout.size:
        raise InputError(
            f"{ranks.size} processes for {layout.size} walks (runs x windows x teams); start at most {layout.size} or "
            "raise --runs or --windows"
        )
    measurement = Measurement.of(engine.oracle, settings, own.observables)
    search_seed, coverage_seed, preview_seed, *seeds = np.random.SeedSequence(settings.seed).spawn(3 + layout.size)
    asked = _asked_window(settings, n_sites)
    if _positive_temperatures_only(settings, n_sites):
        asked = Window(asked.low, _highest_of_interest(engine, composition, coverage_seed))
    coverage = _coverage(engine, composition, asked, coverage_seed)
    found = _find_range(engine, composition, settings, search_seed)
    ln_states = log_total_states(n_sites, composition)
    grid = make_grid(found, settings.bins, _bin_width(settings), asked, ln_states)
    expected = _expected_weights(found, grid, settings, ln_states, layout)
    windows = lay_windows(engine, composition, grid, n_windows, settings, preview_seed, asked, expected, own.schedule)
    intervals = [Window(max(low, asked.low), min(high, asked.high)) for low, high in energy_windows(windows, grid)]
    walks = []
    for number in share_of(layout.size, ranks):
        window = layout.place(number)[1]
        part = EnergyGrid(
            grid.start + windows.first[window] * grid.width,
            grid.width,
            windows.last[window] - windows.first[window] + 1,
        )
        n_walkers = walkers_of(settings, engine, n_windows)
        walkers = starting_walkers(engine, composition, n_walkers, intervals[window], grid, seeds[number])
        walkers.records["replica"] = number * n_walkers + np.arange(n_walkers)
        ends = (window == 0, window == n_windows - 1)
        known = expected.part(windows.first[window], windows.last[window])
        walk = make_walk(walkers, part, windows.first[window], intervals[window], settings, ends, known, own.schedule)
        walks.append(walk)
    exchange = Exchange(layout, settings.seed)
    return Calculation(
        engine, settings, ranks, composition, grid, found, coverage, layout, windows, walks, exchange, measurement
    )


def _find_range(
    engine: Engine, composition: int | None, settings: WangLandauSettings, seed: np.random.SeedSequence
) -> EnergyRange:
    if settings.schedule_name == "sad":
        return sampled_range(engine, composition, seed)
    n_sites = engine.oracle.lattice.n_sites
    if not _positive_temperatures_only(settings, n_sites):
        most = SEARCH_TRIALS_PER_SITE * n_sites
        return search_range(engine, composition, min(most, settings.max_trials // 10), seed)
    most = max(settings.max_trials // 10, int(SEARCH_SHARE * settings.runs * settings.max_trials))
    return search_range(
        engine, composition, min(LONG_SEARCH * SEARCH_TRIALS_PER_SITE * n_sites, most), seed, upwards=False
    )


def _expected_weights(
    found: EnergyRange, grid: EnergyGrid, settings: WangLandauSettings, ln_states: float, layout: Layout
) -> ExpectedWeights:
    """Return what the search tells of ln g; it knows nothing of single compositions.

    A walk has to mend it with what ln f it begins with, and in a small part of its trials, however long the search was.
    """
    if found.sample is None or settings.ensemble == "semigrand":
        return ExpectedWeights.none(grid.n_bins)
    mending = min(float(found.trials), MENDING_SHARE * settings.max_trials / (layout.windows * layout.teams))
    return found.sample.expected_weights(grid, ln_states, max(1, int(mending / EXPECTED_ERROR)))


def _asked_window(settings: WangLandauSettings, n_sites: int) -> Window:
    if settings.energy_range is None:
        return Window()
    low, high = (value * 1e-3 / units.Ry * n_sites for value in settings.energy_range)
    return Window(low, high)


def _positive_temperatures_only(settings: WangLandauSettings, n_sites: int) -> bool:
    """Tell whether to leave out energies that only negative temperatures favour."""
    if settings.energy_range is not None or settings.ensemble == "semigrand" or settings.schedule_name == "sad":
        return False
    wanted = settings.negative_temperatures
    return n_sites > SITES_OF_FULL_RANGE if wanted is None else not wanted


def _highest_of_interest(engine: Engine, composition: int | None, seed: np.random.SeedSequence) -> float:
    """Return the energy above which some 0.1 % of all configurations lie.

    A quantile by the first two terms of the expansion of Cornish and Fisher (Rev. Inst. Int. Stat. 5, 307 (1938)).
    """
    energies = random_energies(engine, composition, COVERAGE_SAMPLE, seed)
    deviation = energies - energies.mean()
    spread = float(energies.std())
    skewness = float((deviation**3).mean()) / spread**3 if spread > 0 else 0.0
    return float(energies.mean()) + (TAIL + (TAIL**2 - 1) / 6 * max(skewness, 0.0)) * spread


def _bin_width(settings: WangLandauSettings) -> float | None:
    return None if settings.bin_width is None else settings.bin_width * 1e-3 / units.Ry


def _coverage(engine: Engine, composition: int | None, window: Window, seed: np.random.SeedSequence) -> float:
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
