"""Replica exchange between walks in neighbouring energy windows.

T. Vogel, Y. W. Li, T. Wuest, D. P. Landau, PRL 110, 210603 (2013). Every so many trials, windows are paired with a
neighbour, (0, 1), (2, 3) ... and (1, 2), (3, 4) ... in turn, and so are their walkers, at random. Walker X of window i
and walker Y of window j swap configurations with probability

    min(1, g_i(X) g_j(Y) / (g_i(Y) g_j(X)))

if both energies have a weight in both windows; g_i is the estimate of window i. All windows of all independent runs
exchange at the same time. Every process works out the same pairs and the same decisions, so that the result does not
depend on how walks are shared out among processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wanglandau.kernels import WALKER
from wanglandau.ranks import Ranks, share_of
from wanglandau.walk import Walk
from wanglandau.walkers import site_lists, sort_into_bins

TRAVELS = ("energy", "composition", "replica", "heading", "half_trips")
"""What of a walker's record belongs to its configuration; the rest stays in the window."""


class Layout(NamedTuple):
    """How the walks of a calculation are numbered: team by team, window by window, run by run.

    Attributes
    ----------
    runs, windows, teams : int
    """

    runs: int
    windows: int
    teams: int

    @property
    def size(self) -> int:
        """Number of walks."""
        return self.runs * self.windows * self.teams

    def place(self, walk: int) -> tuple[int, int, int]:
        """Return run, window and team of a walk."""
        run, rest = divmod(walk, self.windows * self.teams)
        return run, *divmod(rest, self.teams)

    def number(self, run: int, window: int, team: int) -> int:
        """Return the number of the walk at a place."""
        return (run * self.windows + window) * self.teams + team

    def partners(self, parity: int, shift: int) -> np.ndarray:
        """Pair the walks of neighbouring windows, ``int64[size]``; -1 where a walk has no partner.

        Parameters
        ----------
        parity : int
            Whether windows (0, 1), (2, 3) ... or (1, 2), (3, 4) ... are paired.
        shift : int
            Team t of the lower window meets team t + shift of the upper one.
        """
        result = np.full(self.size, -1, dtype=np.int64)
        for run in range(self.runs):
            for window in range(parity, self.windows - 1, 2):
                for team in range(self.teams):
                    lower = self.number(run, window, team)
                    upper = self.number(run, window + 1, (team + shift) % self.teams)
                    result[lower], result[upper] = upper, lower
        return result


@dataclass
class Exchange:
    """Exchanges of a whole calculation.

    Attributes
    ----------
    layout : Layout
    seed : int
        Decides pairs and acceptance, alike in all processes.
    step : int
        Exchanges attempted so far.
    tried, accepted : int64[windows - 1]
        By pair of windows.
    """

    layout: Layout
    seed: int
    step: int = 0
    tried: np.ndarray = field(init=False)
    accepted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.tried = np.zeros(max(self.layout.windows - 1, 0), dtype=np.int64)
        self.accepted = np.zeros_like(self.tried)

    def perform(self, walks: list[Walk], ranks: Ranks) -> None:
        """Let all walkers exchange with their partners of this step.

        Parameters
        ----------
        walks : list of Walk
            Those that this process owns, in their order.
        ranks : Ranks
        """
        layout, rng = self.layout, np.random.default_rng([self.seed, self.step])
        partners = layout.partners(self.step % 2, int(rng.integers(layout.teams)))
        self.step += 1
        own = share_of(layout.size, ranks)
        records = ranks.gather(np.array([walk.walkers.records for walk in walks], dtype=WALKER))
        n_walkers = records.shape[1]
        order = rng.permuted(np.tile(np.arange(n_walkers), (layout.size, 1)), axis=1)
        ln_uniform = np.log1p(-rng.random((layout.size, n_walkers)))
        records = np.take_along_axis(records, order, axis=1)  # the j-th of a walk meets the j-th of its partner
        gains = ranks.gather(_gains(walks, own, records, partners))
        both = gains + np.where(partners[:, None] >= 0, gains[partners], -np.inf)
        first = np.minimum(partners, np.arange(layout.size))  # both partners look at the same number
        swaps = (partners[:, None] >= 0) & (ln_uniform[first] < both)
        self._count(partners, swaps)
        if swaps.any():
            _swap(walks, own, order, records, partners, swaps, ranks)

    def _count(self, partners: np.ndarray, swaps: np.ndarray) -> None:
        for walk in np.flatnonzero(partners > np.arange(len(partners))):
            window = self.layout.place(int(walk))[1]
            self.tried[window] += swaps.shape[1]
            self.accepted[window] += int(swaps[walk].sum())


def _gains(walks: list[Walk], own: range, records: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """Return ln g of own states minus ln g of the partners' states, by each walk's own estimate.

    Parameters
    ----------
    records : WALKER[n_walks, n_walkers]

    Returns
    -------
    float64[n_own, n_walkers]
        -inf where one of the two states has no weight.
    """
    gains = np.full((len(walks), records.shape[1]), -np.inf)
    for row, (walk, number) in enumerate(zip(walks, own, strict=True)):
        if partners[number] >= 0:
            mine, theirs = _ln_g(walk, records[number]), _ln_g(walk, records[partners[number]])
            known = np.isfinite(mine) & np.isfinite(theirs)
            gains[row, known] = mine[known] - theirs[known]
    return gains


def _swap(
    walks: list[Walk],
    own: range,
    order: np.ndarray,
    records: np.ndarray,
    partners: np.ndarray,
    swaps: np.ndarray,
    ranks: Ranks,
) -> None:
    """Hand configurations over."""
    occupations = ranks.gather(np.array([walk.walkers.occupations for walk in walks], dtype=np.int8))
    for walk, number in zip(walks, own, strict=True):
        partner, places = partners[number], np.flatnonzero(swaps[number])
        if len(places):
            theirs = occupations[partner][order[partner, places]]
            _receive(walk, order[number, places], theirs, records[partner, places])


def _ln_g(walk: Walk, records: np.ndarray) -> np.ndarray:
    """Return ln g of states, ``float64[n]``; -inf where they have no weight."""
    grid, bins = walk.grid, walk.weights.bins
    energy_bins = grid.index(records["energy"])
    inside = (energy_bins >= 0) & (energy_bins < grid.n_bins)
    index = np.where(inside, energy_bins, 0) + walk.by_composition * grid.n_bins * records["composition"]
    return np.where(inside & (bins["seen"][index] == 1), bins["ln_g"][index], -np.inf)


def _receive(walk: Walk, places: np.ndarray, occupations: np.ndarray, records: np.ndarray) -> None:
    walkers = walk.walkers
    walkers.occupations[places], walkers.sites[places] = occupations, site_lists(occupations)
    for name in TRAVELS:
        walkers.records[name][places] = records[name]
    mine = walkers.records
    mine["lowest"], mine["highest"] = (
        np.minimum(mine["lowest"], mine["energy"]),
        np.maximum(mine["highest"], mine["energy"]),
    )
    sort_into_bins(walkers, walk.grid, walk.by_composition)


def average_teams(walks: list[Walk], ranks: Ranks, layout: Layout, numbers: list[int]) -> None:
    """Give all teams of a window, all of them among ``numbers``, the mean of their ln g.

    Parameters
    ----------
    walks : list of Walk
        Those that this process owns.
    numbers : list of int
        Walks, of any process, that take part; whole windows.
    """
    own = share_of(layout.size, ranks)
    sizes = ranks.gather(np.array([[walk.first_bin, walk.grid.n_bins, walk.n_rows] for walk in walks], np.int64))
    width = int((sizes[:, 1] * sizes[:, 2]).max())
    rows = np.full((len(walks), width), np.nan)
    for row, walk in enumerate(walks):
        bins = walk.weights.bins
        rows[row, : len(bins)] = np.where(bins["seen"] == 1, bins["ln_g"], np.nan)
    everything = ranks.gather(rows)
    for walk, number in zip(walks, own, strict=True):
        run, window, _ = layout.place(number)
        team = [layout.number(run, window, other) for other in range(layout.teams)]
        alike = all(np.array_equal(sizes[other], sizes[number]) for other in team)
        if number in numbers and alike:
            _take_mean(walk, everything[team][:, : len(walk.weights.bins)])


def _take_mean(walk: Walk, ln_g: np.ndarray) -> None:
    """Replace ln g by the mean over teams, aligned on the bins that all have seen; bins of some stay as they are."""
    common = np.isfinite(ln_g).all(axis=0)
    if not common.any():
        return
    aligned = ln_g - ln_g[:, common].mean(axis=1, keepdims=True)
    bins = walk.weights.bins
    shift = bins["ln_g"][common].mean()
    bins["ln_g"][common] = aligned[:, common].mean(axis=0) + shift
