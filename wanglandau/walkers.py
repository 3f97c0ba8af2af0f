"""Walkers: their state, made before a run, and the two ways to advance it.

:func:`advance` takes the fused kernel where the oracle has a compiled energy and rounds of batched
``energies()`` calls where it has not. Both walk through the same states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import numpy as np

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import CompiledEnergy, CompiledOracle, EnergyOracle, checked_energies


@dataclass
class Walkers:
    """State of the walkers of one run, random-number streams included.

    Attributes
    ----------
    composition : int
        Number of second-species atoms, kept by every swap.
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first.
    records : WALKER[n_walkers]
        Energy, bin, random stream and counters; see :data:`wanglandau.kernels.WALKER`.
    """

    composition: int
    occupations: np.ndarray
    sites: np.ndarray
    records: np.ndarray

    @property
    def n_walkers(self) -> int:
        """Number of walkers."""
        return len(self.records)

    @property
    def population(self) -> kernels.Populations:
        """The arrays as the kernels take them."""
        return kernels.Populations(self.occupations, self.sites, self.records)


@dataclass
class Weights:
    """Log-weight and records of one run on an energy grid.

    Attributes
    ----------
    width : float, Ry
        Width of a bin; infinite for a Boltzmann weight, which needs one bin only.
    bins : BIN[n_bins]
        ln g, visits and energy sums; see :data:`wanglandau.kernels.BIN`.
    control : CONTROL[1]
        Scalars; see :data:`wanglandau.kernels.CONTROL`.
    """

    width: float
    bins: np.ndarray
    control: np.ndarray


def make_walkers(
    oracle: EnergyOracle, composition: int, n_walkers: int, seed: np.random.SeedSequence, accept: Window | None = None
) -> Walkers:
    """Put walkers on independent uniformly random configurations.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int
        Number of second-species atoms, 1 to n_sites - 1.
    n_walkers : int
    seed : SeedSequence
        Decides the start and the random stream of every walker.
    accept : Window, optional
        Energies to start in; other configurations are drawn again.

    Raises
    ------
    InputError
        If the composition leaves nothing to swap, or the window is missed by random configurations.
    """
    n_sites = oracle.lattice.n_sites
    if not 1 <= composition <= n_sites - 1:
        raise InputError(
            f"composition {composition} leaves nothing to swap in a cell of {n_sites} sites; choose 1 to {n_sites - 1}"
        )
    setup, streams = seed.spawn(2)
    sites, energies = _random_starts(oracle, composition, n_walkers, np.random.default_rng(setup), accept or Window())
    records = np.zeros(n_walkers, dtype=kernels.WALKER)
    records["energy"] = records["lowest"] = records["highest"] = energies
    records["random_state"] = streams.generate_state(4 * n_walkers, np.uint64).reshape(n_walkers, 4)
    return Walkers(composition, _occupations(sites, composition), sites, records)


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


MAX_START_DRAWS = 200
"""How often starting configurations are drawn again before a window counts as missed."""


def _random_starts(
    oracle: EnergyOracle, composition: int, n_walkers: int, rng: np.random.Generator, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    sites = np.empty((n_walkers, oracle.lattice.n_sites), dtype=np.int32)
    energies = np.full(n_walkers, np.nan)
    for _ in range(MAX_START_DRAWS):
        missing = np.flatnonzero(~window.holds(energies))
        if not len(missing):
            return sites, energies
        order = np.tile(np.arange(sites.shape[1], dtype=np.int32), (len(missing), 1))
        sites[missing] = rng.permuted(order, axis=1)
        energies[missing] = checked_energies(oracle, _occupations(sites[missing], composition))
    raise InputError(
        f"no random configuration found between {window.low:.6g} and {window.high:.6g} Ry; widen the energy window"
    )


def _occupations(sites: np.ndarray, composition: int) -> np.ndarray:
    occupations = np.zeros(sites.shape, dtype=np.int8)
    np.put_along_axis(occupations, sites[:, :composition], 1, axis=1)
    return occupations


def _make_control(start: float, inverse_width: float, beta: float, ln_f: float) -> np.ndarray:
    control = np.zeros(1, dtype=kernels.CONTROL)
    control["start"], control["inverse_width"], control["beta"], control["ln_f"] = start, inverse_width, beta, ln_f
    control["lowest_seen"], control["highest_seen"] = np.iinfo(np.int64).max, -1
    control["lowest_refused"], control["highest_refused"] = np.inf, -np.inf
    return control


def boltzmann_weights(beta: float) -> Weights:
    """Make the weight exp(-beta E), beta in 1/Ry (negative to climb)."""
    return Weights(np.inf, np.zeros(1, dtype=kernels.BIN), _make_control(0.0, 0.0, beta, 0.0))


def flat_weights(grid: EnergyGrid, walkers: Walkers, ln_f: float) -> Weights:
    """Make the weight of a flat-histogram run, ln g = 0, and sort the walkers into its bins."""
    walkers.records["bin"] = grid.index(walkers.records["energy"])
    control = _make_control(grid.start, 1.0 / grid.width, 0.0, ln_f)
    return Weights(grid.width, np.zeros(grid.n_bins, dtype=kernels.BIN), control)


def _ignore(n_trials: int) -> None:
    """Take no notice of progress."""


@dataclass
class Engine:
    """Advances walkers on one oracle, by the fused kernel where possible.

    Attributes
    ----------
    oracle : EnergyOracle
    compiled : CompiledEnergy or None
        None for the batched path; taken from the oracle where it has one.
    stop : Event
        Once set, batched rounds end after the present one; the compiled kernel ends by itself soon enough.
    on_trials : callable
        Told the number of trials made since it was last called.
    """

    oracle: EnergyOracle
    compiled: CompiledEnergy | None = None
    stop: Event = field(default_factory=Event)
    on_trials: Callable[[int], object] = _ignore

    @classmethod
    def fastest(cls, oracle: EnergyOracle) -> Engine:
        """Choose the compiled path if the oracle offers it."""
        return cls(oracle, oracle.compiled() if isinstance(oracle, CompiledOracle) else None)

    def advance(self, walkers: Walkers, weights: Weights, n_rounds: int) -> None:
        """Give every walker ``n_rounds`` trials.

        Raises
        ------
        OracleError
            If an energy cannot be had.
        """
        if self.compiled is None:
            self._batched_rounds(walkers, weights, n_rounds)
        else:
            _fused_rounds(self.compiled, walkers, weights, n_rounds)
            self.on_trials(n_rounds * walkers.n_walkers)

    def _batched_rounds(self, walkers: Walkers, weights: Weights, n_rounds: int) -> None:
        population = walkers.population
        picks = np.empty((walkers.n_walkers, 2), dtype=np.int32)
        proposed = np.empty_like(walkers.occupations)
        for _ in range(n_rounds):
            if self.stop.is_set():
                return
            kernels.propose_swaps(population, walkers.composition, picks, proposed)
            energies = checked_energies(self.oracle, proposed)
            kernels.decide_swaps(population, weights.bins, weights.control, picks, proposed, energies)
            self.on_trials(walkers.n_walkers)


def _fused_rounds(compiled: CompiledEnergy, walkers: Walkers, weights: Weights, n_rounds: int) -> None:
    cache = np.zeros((walkers.n_walkers, compiled.cache_size))
    fresh = np.empty(walkers.n_walkers)
    kernels.prepare_all(compiled.parameters, compiled.prepare, walkers.occupations, cache, fresh)
    if not np.array_equal(fresh, walkers.records["energy"]):
        worst = float(np.abs(fresh - walkers.records["energy"]).max())
        raise OracleError(f"compiled energies drifted by {worst:.3g} Ry from energies(); they must agree to the bit")
    energy = (compiled.parameters, compiled.trial, compiled.commit)
    kernels.fused_rounds(
        energy, walkers.population, cache, weights.bins, weights.control, walkers.composition, n_rounds
    )
