"""Walkers and weights: their state, made before a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wanglandau import kernels, rounds
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle, checked_energies


@dataclass
class Walkers:
    """State of walkers that share a histogram, random-number streams included.

    Attributes
    ----------
    flipping : bool
        Whether a trial flips a site, which changes the composition, or swaps two.
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first; kept in step with swaps only.
    records : WALKER[n_walkers]
        Energy, composition, bin, random stream and counters; see :data:`wanglandau.kernels.WALKER`.
    """

    flipping: bool
    occupations: np.ndarray
    sites: np.ndarray
    records: np.ndarray

    @property
    def n_walkers(self) -> int:
        """Number of walkers."""
        return len(self.records)

    @property
    def population(self) -> rounds.Populations:
        """The arrays as the kernels take them."""
        return rounds.Populations(self.occupations, self.sites, self.records)

    def part(self, chosen: np.ndarray) -> Walkers:
        """Copy some of the walkers (``int64[n]`` or ``bool[n_walkers]``)."""
        return replace(
            self, occupations=self.occupations[chosen], sites=self.sites[chosen], records=self.records[chosen]
        )

    def put(self, chosen: np.ndarray, others: Walkers) -> None:
        """Overwrite some of the walkers with others."""
        self.occupations[chosen], self.sites[chosen] = others.occupations, others.sites
        self.records[chosen] = others.records


@dataclass
class Weights:
    """Log-weight and records of a walk on an energy grid.

    Attributes
    ----------
    width : float, Ry
        Width of a bin; infinite for a Boltzmann weight, which needs one bin only.
    bins : BIN[n_bins]
        ln g, visits and energy sums; see :data:`wanglandau.kernels.BIN`.
    control : CONTROL[1]
        Scalars; see :data:`wanglandau.kernels.CONTROL`.
    proposals : int64[n_bins, n_bins + 1]
        Trials from bin to bin; of no size where they are not counted.
    """

    width: float
    bins: np.ndarray
    control: np.ndarray
    proposals: np.ndarray

    @property
    def histogram(self) -> rounds.Histogram:
        """The arrays as the kernels take them."""
        return rounds.Histogram(self.bins, self.control, self.proposals)

    @property
    def fixed(self) -> bool:
        """Whether visits leave ln g as it is."""
        control = self.control[0]
        return bool(control["gain"] == kernels.FIXED and control["ln_f"] == 0.0)


@dataclass(frozen=True)
class Window:
    """An interval of mixing energies, Ry per cell."""

    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"empty energy window: from {self.low} to {self.high} Ry; the upper end must lie above")

    def holds(self, energies: np.ndarray) -> np.ndarray:
        """Tell which energies lie inside."""
        return (energies >= self.low) & (energies <= self.high)


def make_walkers(
    oracle: EnergyOracle, composition: int | None, n_walkers: int, seed: np.random.SeedSequence
) -> Walkers:
    """Put walkers on independent uniformly random configurations.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int or None
        Number of second-species atoms, 1 to n_sites - 1, kept by swaps; None: all compositions, walked by flips.
    n_walkers : int
    seed : SeedSequence
        Decides the start and the random stream of every walker.

    Raises
    ------
    InputError
        If the composition leaves nothing to swap.
    """
    n_sites = oracle.lattice.n_sites
    if composition is not None and not 1 <= composition <= n_sites - 1:
        raise InputError(
            f"composition {composition} leaves nothing to swap in a cell of {n_sites} sites; choose 1 to {n_sites - 1}"
        )
    setup, streams = seed.spawn(2)
    rng = np.random.default_rng(setup)
    if composition is None:
        occupations = rng.integers(0, 2, (n_walkers, n_sites), dtype=np.int8)
    else:
        occupations = rng.permuted(np.tile(np.arange(n_sites) < composition, (n_walkers, 1)).astype(np.int8), axis=1)
    return walkers_at(oracle, occupations, streams, flipping=composition is None)


def walkers_at(
    oracle: EnergyOracle, occupations: np.ndarray, seed: np.random.SeedSequence, flipping: bool = False
) -> Walkers:
    """Put walkers on given configurations.

    Parameters
    ----------
    oracle : EnergyOracle
    occupations : int8[n_walkers, n_sites]
    seed : SeedSequence
        Decides the random stream of every walker.
    flipping : bool
        Whether a trial flips a site instead of swapping two.
    """
    rows = np.array(occupations, dtype=np.int8)
    n_walkers = len(rows)
    records = np.zeros(n_walkers, dtype=kernels.WALKER)
    records["energy"] = records["lowest"] = records["highest"] = checked_energies(oracle, rows)
    records["composition"] = rows.sum(axis=1)
    records["random_state"] = seed.generate_state(4 * n_walkers, np.uint64).reshape(n_walkers, 4)
    records["lowest_refused"], records["highest_refused"] = np.inf, -np.inf
    return Walkers(flipping, rows, site_lists(rows), records)


def site_lists(occupations: np.ndarray) -> np.ndarray:
    """List the sites of each configuration, those of the second species first, ``int32[n, n_sites]``."""
    return np.argsort(-occupations, axis=1, kind="stable").astype(np.int32)


def _make_control(start: float, inverse_width: float, energy_bins: int, flipping: bool) -> np.ndarray:
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["start"], control["inverse_width"], control["energy_bins"] = start, inverse_width, energy_bins
    control["flipping"] = flipping
    control["lowest_seen"], control["highest_seen"] = np.iinfo(np.int64).max, -1
    control["holds_bottom"] = control["holds_top"] = 1
    return control


MANY_WALKERS = 8
"""Of more walkers on one histogram none need go everywhere: it is flat before they have."""
_NO_PROPOSALS = np.zeros((0, 1), dtype=np.int64)


def boltzmann_weights(walkers: Walkers, beta: np.ndarray | float, field: np.ndarray | float = 0.0) -> Weights:
    """Give every walker the weight exp(-beta E + field * composition).

    Parameters
    ----------
    walkers : Walkers
        Their ``beta`` and ``field`` are set.
    beta : float64[n_walkers] or float, 1/Ry
        Negative to climb.
    field : float64[n_walkers] or float
        beta times the chemical-potential difference of the species.
    """
    walkers.records["beta"], walkers.records["field"], walkers.records["bin"] = beta, field, 0
    control = _make_control(0.0, 0.0, 1, walkers.flipping)
    return Weights(np.inf, np.zeros(1, dtype=kernels.BIN), control, _NO_PROPOSALS)


def flat_weights(
    grid: EnergyGrid, walkers: Walkers, ln_f: float, by_composition: bool = False, counting: bool = False
) -> Weights:
    """Make the weight of a flat-histogram walk, ln g = 0, and sort the walkers into its bins.

    Parameters
    ----------
    grid : EnergyGrid
        Has to hold the energies of all walkers.
    ln_f : float
    by_composition : bool
        Whether every composition has bins of its own.
    counting : bool
        Whether trials from bin to bin are counted, for the transition-matrix estimate.
    """
    walkers.records["beta"] = walkers.records["field"] = 0.0
    rows = walkers.occupations.shape[1] + 1 if by_composition else 1
    n_bins = rows * grid.n_bins
    control = _make_control(grid.start, 1.0 / grid.width, grid.n_bins, walkers.flipping)
    control["ln_f"], control["row_length"] = ln_f, grid.n_bins if by_composition else 0
    weights = Weights(grid.width, np.zeros(n_bins, dtype=kernels.BIN), control, _NO_PROPOSALS)
    if counting:
        count_proposals(weights)
    sort_into_bins(walkers, grid, by_composition)
    return weights


def count_proposals(weights: Weights, wanted: bool = True) -> None:
    """Begin to count trials from bin to bin, or stop and forget them."""
    n_bins = len(weights.bins)
    weights.control["counting"] = wanted
    weights.proposals = np.zeros((n_bins, n_bins + 1), dtype=np.int64) if wanted else _NO_PROPOSALS


def sort_into_bins(walkers: Walkers, grid: EnergyGrid, by_composition: bool) -> None:
    """Set the bin of every walker from its energy and composition."""
    records = walkers.records
    records["bin"] = grid.index(records["energy"]) + by_composition * grid.n_bins * records["composition"]


def make_snapshots(walkers: Walkers, n_snapshots: int, every: int) -> rounds.Snapshots:
    """Make room for states on the way, one snapshot every so many rounds."""
    shape = (n_snapshots, *walkers.occupations.shape)
    return rounds.Snapshots(every, np.empty(shape, np.int8), np.empty(shape[:2], kernels.WALKER))


def room_for_moves(walkers: Walkers, n_flips: int) -> rounds.Moves:
    """Make room for what the walkers propose in a round."""
    picks, flips = np.zeros((2, walkers.n_walkers, n_flips), dtype=np.int32)
    possible = np.zeros(walkers.n_walkers, dtype=np.bool_)
    return rounds.Moves(picks, flips, possible, np.empty_like(walkers.occupations))
