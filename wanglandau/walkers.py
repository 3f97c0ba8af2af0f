"""Walkers: their state, made before a run, and the two ways to advance it.

:func:`advance` takes the fused kernel where the oracle has a compiled energy and rounds of batched
``energies()`` calls where it has not. Both walk through the same states.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau import kernels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import CompiledEnergy, CompiledOracle, EnergyOracle


@dataclass
class Walkers:
    """State of the walkers of one run, random-number streams included.

    Attributes
    ----------
    composition : int
        Number of second-species atoms, kept by every swap.
    arrays : WalkerArrays
    """

    composition: int
    arrays: kernels.WalkerArrays

    @property
    def n_walkers(self) -> int:
        """Number of walkers."""
        return len(self.arrays.energies)


@dataclass
class Weights:
    """Log-weight and records of one run on an energy grid.

    Attributes
    ----------
    width : float, Ry
        Width of a bin; infinite for a Boltzmann weight, which needs one bin only.
    arrays : WeightArrays
    """

    width: float
    arrays: kernels.WeightArrays

    @property
    def control(self) -> np.ndarray:
        """Scalars, a record of :data:`wanglandau.kernels.CONTROL` in an array of one."""
        return self.arrays.control


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
    arrays = kernels.WalkerArrays(
        occupations=_occupations(sites, composition),
        sites=sites,
        energies=energies,
        bins=np.zeros(n_walkers, dtype=np.int64),
        random_state=streams.generate_state(4 * n_walkers, np.uint64).reshape(n_walkers, 4),
        accepted=np.zeros(n_walkers, dtype=np.int64),
        lowest=energies.copy(),
        highest=energies.copy(),
        heading=np.zeros(n_walkers, dtype=np.int8),
        half_trips=np.zeros(n_walkers, dtype=np.int64),
    )
    return Walkers(composition, arrays)


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


def checked_energies(oracle: EnergyOracle, occupations: np.ndarray) -> np.ndarray:
    """Ask an oracle and insist on one finite number each, ``float64[n]``, Ry per cell."""
    energies = np.asarray(oracle.energies(occupations), dtype=np.float64)
    if energies.shape != (len(occupations),):
        raise OracleError(f"the oracle gave {energies.shape} energies for {len(occupations)} configurations")
    if not np.isfinite(energies).all():
        bad = int(np.flatnonzero(~np.isfinite(energies))[0])
        occupied = "".join(str(value) for value in occupations[bad])
        raise OracleError(f"the oracle gave {energies[bad]} Ry for occupations {occupied}; energies must be finite")
    return energies


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


def _make_weights(n_bins: int, width: float, control: np.ndarray) -> Weights:
    arrays = kernels.WeightArrays(
        ln_g=np.zeros(n_bins),
        seen=np.zeros(n_bins, dtype=np.bool_),
        histogram=np.zeros(n_bins, dtype=np.int64),
        visits=np.zeros(n_bins, dtype=np.int64),
        energy_sum=np.zeros(n_bins),
        energy_square_sum=np.zeros(n_bins),
        control=control,
    )
    return Weights(width, arrays)


def boltzmann_weights(beta: float) -> Weights:
    """Make the weight exp(-beta E), beta in 1/Ry (negative to climb)."""
    return _make_weights(1, np.inf, _make_control(0.0, 0.0, beta, 0.0))


def flat_weights(grid: EnergyGrid, walkers: Walkers, ln_f: float) -> Weights:
    """Make the weight of a flat-histogram run, ln g = 0, and sort the walkers into its bins."""
    weights = _make_weights(grid.n_bins, grid.width, _make_control(grid.start, 1.0 / grid.width, 0.0, ln_f))
    walkers.arrays.bins[:] = grid.index(walkers.arrays.energies)
    return weights


@dataclass
class Engine:
    """Advances walkers on one oracle, by the fused kernel where possible.

    Attributes
    ----------
    oracle : EnergyOracle
    compiled : CompiledEnergy or None
        None for the batched path; taken from the oracle where it has one.
    """

    oracle: EnergyOracle
    compiled: CompiledEnergy | None = field(default=None)

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
            _batched_rounds(self.oracle, walkers, weights, n_rounds)
        else:
            _fused_rounds(self.compiled, walkers, weights, n_rounds)


def _fused_rounds(compiled: CompiledEnergy, walkers: Walkers, weights: Weights, n_rounds: int) -> None:
    arrays = walkers.arrays
    cache = np.zeros((walkers.n_walkers, compiled.cache_size))
    fresh = np.empty(walkers.n_walkers)
    kernels.prepare_all(compiled.parameters, compiled.prepare, arrays.occupations, cache, fresh)
    if not np.array_equal(fresh, arrays.energies):
        worst = float(np.abs(fresh - arrays.energies).max())
        raise OracleError(f"compiled energies drifted by {worst:.3g} Ry from energies(); they must agree to the bit")
    energy = (compiled.parameters, compiled.trial, compiled.commit)
    kernels.fused_rounds(energy, arrays, cache, weights.arrays, walkers.composition, n_rounds)


def _batched_rounds(oracle: EnergyOracle, walkers: Walkers, weights: Weights, n_rounds: int) -> None:
    arrays = walkers.arrays
    picks = np.empty((walkers.n_walkers, 2), dtype=np.int32)
    proposed = np.empty_like(arrays.occupations)
    for _ in range(n_rounds):
        kernels.propose_swaps(arrays, walkers.composition, picks, proposed)
        energies = checked_energies(oracle, proposed)
        kernels.decide_swaps(arrays, weights.arrays, picks, proposed, energies)
