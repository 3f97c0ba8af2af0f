"""Ladders of temperatures for parallel tempering, tuned in a short run so that exchanges succeed often enough.

Where energies are Gaussian and the heat capacity changes little from one temperature to the next, exchanges succeed
with probability erfc(l / 2), where l is the difference of inverse temperatures times the standard deviation of the
energy (D. A. Kofke, J. Chem. Phys. 117, 6911 (2002); A. Kone and D. A. Kofke, J. Chem. Phys. 122, 206101 (2005)). Such
lengths add up along a ladder. The mean exchange probability of every pair of neighbours is measured, turned into a
length and the temperatures are laid anew at equal lengths, until they need no further change; that energies are not
Gaussian is mended by measuring again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import erfcinv

from wanglandau.errors import InputError
from wanglandau.metropolis_settings import MAX_TEMPERATURES
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.walkers import walkers_at

TARGET_RATE = 0.3
LOWEST_RATE = 0.2
HIGHEST_RATE = 0.4
"""Part of the exchanges that should succeed, and between which limits that is near enough."""
MAX_ROUNDS = 12
FIRST_RATIO = 1.25
"""Largest ratio of neighbouring temperatures that the first attempt takes."""
_TARGET_LENGTH = float(erfcinv(TARGET_RATE))
_LONGEST = float(erfcinv(LOWEST_RATE))
_RESOLUTION = 1e-8
"""Rates nearer to 0 or 1 than this cannot be told from it."""
_SHIFTS = 16


@dataclass(frozen=True, eq=False)
class TunedLadder:
    """A ladder of temperatures and how it came about.

    Attributes
    ----------
    temperatures : float64[n], K
        Ascending.
    chains : ThermalChains
        Walkers at these temperatures, for the start.
    rounds : int
        Attempts made.
    """

    temperatures: np.ndarray
    chains: ThermalChains
    rounds: int


def first_ladder(fixed: np.ndarray) -> np.ndarray:
    """Return fixed temperatures (K, ascending) with others between, at most a factor ``FIRST_RATIO`` apart."""
    parts = []
    for low, high in pairwise(fixed.tolist()):
        steps = max(1, int(np.ceil(np.log(high / low) / np.log(FIRST_RATIO))))
        parts.append(np.geomspace(low, high, steps + 1)[:-1])
    return np.concatenate([*parts, fixed[-1:]])


def exchange_lengths(chains: ThermalChains, energies: np.ndarray, compositions: np.ndarray) -> np.ndarray:
    """Turn the mean exchange probabilities of neighbours into lengths.

    Parameters
    ----------
    chains : ThermalChains
    energies : float64[n_records, n_chains, n_temperatures], Ry per cell
    compositions : float64[n_records, n_chains, n_temperatures]
        Number of second-species atoms.

    Returns
    -------
    float64[n_temperatures - 1]
        erfcinv of the probability; all are above 0.
    """
    beta = np.diff(chains.betas)  # below 0
    enthalpy = (energies - chains.delta_mu * compositions).reshape(-1, energies.shape[2])
    cold, hot = enthalpy[:, :-1], enthalpy[:, 1:]
    # states of one temperature meet many of the other: exact averages over pairs would take their square
    shifts = np.linspace(0, len(enthalpy), _SHIFTS, endpoint=False).astype(np.int64)
    rates = np.zeros(len(beta))
    for shift in shifts:
        gain = -beta * (cold - np.roll(hot, int(shift), axis=0))
        rates += np.exp(np.minimum(gain, 0.0)).mean(axis=0) / len(shifts)
    return np.asarray(erfcinv(np.clip(rates, _RESOLUTION, 1 - _RESOLUTION)))


def lay_ladder(temperatures: np.ndarray, lengths: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Lay temperatures at equal lengths between fixed ones.

    Parameters
    ----------
    temperatures : float64[n], K, ascending
        Those that the lengths belong to; hold the fixed ones.
    lengths : float64[n - 1]
        Between neighbours.
    fixed : float64[n_fixed], K, ascending

    Returns
    -------
    float64[n_new], K
    """
    way = np.concatenate(([0.0], np.cumsum(lengths)))
    ln_beta = -np.log(temperatures)
    places = np.interp(np.log(fixed), -ln_beta, way)
    parts = []
    for low, high in pairwise(places.tolist()):
        parts.append(np.linspace(low, high, _number_of_steps(high - low) + 1)[:-1])
    inner = np.exp(-np.interp(np.concatenate(parts), way, ln_beta))
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    inner[starts] = fixed[:-1]  # to the bit
    return np.append(inner, fixed[-1])


def _number_of_steps(length: float) -> int:
    steps = max(1, round(length / _TARGET_LENGTH))
    return steps + (length / steps > _LONGEST)


def tune_ladder(
    pool: Pool,
    chains: ThermalChains,
    fixed: np.ndarray,
    n_sweeps: int,
    seed: np.random.SeedSequence,
    done: int = 0,
    on_attempt: Callable[[ThermalChains, int], object] = lambda chains, done: None,
) -> TunedLadder:
    """Find temperatures between the fixed ones whose neighbours exchange in 20 to 40 % of the attempts.

    Where two fixed temperatures lie close together they exchange more often; no temperature is put between them then.

    Parameters
    ----------
    pool : Pool
    chains : ThermalChains
        Of the temperatures of :func:`first_ladder`, or those that the last attempt left.
    fixed : float64[n_fixed], K, ascending
        At least two.
    n_sweeps : int
        Sweeps of each attempt, the first half of which is left out.
    seed : SeedSequence
    done : int
        Attempts made by an earlier call with the same seed.
    on_attempt : callable
        Told the chains and the attempts made before each attempt; what it is told, a later call goes on from.

    Returns
    -------
    TunedLadder
        With walkers that go on from the configurations of the last attempt.

    Raises
    ------
    InputError
        If more temperatures are needed than the limit.
    """
    seed.spawn(2 * done)
    n_rounds = done
    while n_rounds < MAX_ROUNDS:
        on_attempt(chains, n_rounds)
        n_rounds += 1
        stream, exchange_seed = seed.spawn(2)
        energies, compositions = _short_run(pool, chains, n_sweeps, exchange_seed)
        lengths = exchange_lengths(chains, energies, compositions)
        temperatures = lay_ladder(chains.temperatures, lengths, fixed)
        if len(temperatures) > MAX_TEMPERATURES:
            raise InputError(
                f"exchanges between {fixed[0]:g} and {fixed[-1]:g} K need {len(temperatures)} temperatures, more than "
                f"{MAX_TEMPERATURES}; choose a narrower range or a smaller cell"
            )
        if _settled(chains.temperatures, temperatures, lengths):
            break
        chains = _moved(pool, chains, temperatures, stream)
    return TunedLadder(chains.temperatures, chains, n_rounds)


def _settled(old: np.ndarray, new: np.ndarray, lengths: np.ndarray) -> bool:
    """Tell whether the temperatures need no further change: no exchange is rare, and no fewer temperatures would do."""
    return len(new) >= len(old) and bool(lengths.max() <= _LONGEST) and _even(old, new)


def _even(old: np.ndarray, new: np.ndarray) -> bool:
    return len(old) == len(new) and bool(np.abs(np.log(new / old)).max() < 0.25 * np.diff(np.log(new)).max())


def _short_run(
    pool: Pool, chains: ThermalChains, n_sweeps: int, seed: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Run with exchanges; return energies and compositions, ``float64[n_records, n_chains, n_temperatures]``."""
    n_sites = chains.walkers.occupations.shape[1]
    exchange = TemperatureExchange(chains.n_chains, len(chains.temperatures), int(seed.generate_state(1)[0]))
    energies, compositions = [], []
    n_steps = max(20, n_sweeps // 10)
    for step in range(n_steps):
        chains.advance(pool, max(1, n_sweeps // n_steps) * n_sites)
        if step >= n_steps // 2:
            energies.append(chains.walkers.records["energy"][chains.holders])
            compositions.append(chains.walkers.records["composition"][chains.holders])
        exchange.perform(chains)
    return np.array(energies), np.array(compositions, dtype=np.float64)


def _moved(pool: Pool, chains: ThermalChains, temperatures: np.ndarray, seed: np.random.SeedSequence) -> ThermalChains:
    """Put walkers at new temperatures, on configurations from the nearest of the old ones."""
    distance = np.abs(np.log(temperatures)[:, None] - np.log(chains.temperatures)[None, :])
    walkers = chains.holders[:, distance.argmin(axis=1)].reshape(-1)
    old = chains.walkers
    moved = walkers_at(pool.engine.oracle, old.occupations[walkers], seed, old.flipping)
    return ThermalChains(moved, temperatures, chains.delta_mu)
