"""Exact levels from every single configuration, for energies that the symmetry of the cell does not leave alone.

A composition is divided by the occupations of the highest sites into pieces that do not depend on each other. Counts
and sums are integers: the result does not depend on the number of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from math import comb
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from wanglandau.configuration_kernels import (
    DONE,
    LEVEL_BITS,
    MAX_ENERGY,
    MAX_KEPT,
    MAX_LEVELS,
    NOT_AN_ENERGY,
    count_configurations,
)
from wanglandau.errors import InputError, OracleError
from wanglandau.exact import ExactLevels
from wanglandau.oracle import (
    ENERGY_QUANTUM,
    CompiledEnergy,
    CompiledOracle,
    CountingOracle,
    EnergyOracle,
    LevelCounts,
)
from wanglandau.orbits import check_composition, check_size
from wanglandau.orderly_end import stop_if_asked
from wanglandau.ranks import OneProcess, default_threads

LEVEL_WIDTH = ENERGY_QUANTUM * 2**LEVEL_BITS
"""Energies (Ry per cell) are joined to levels of this width, about 0.013 meV for the whole cell."""
FREE_SITES = 22
"""Sites whose occupations change within a piece: at most 705,432 configurations."""
TIMED_S = 0.3
"""How long the speed is measured before the start, s."""


class _Piece(NamedTuple):
    """Configurations that share the occupations of the highest sites; ``n_second`` atoms are on the lowest ``free``."""

    n_sites: int
    prefix: int
    free: int
    n_second: int

    @property
    def size(self) -> int:
        return comb(self.free, self.n_second)


class _Lowest(NamedTuple):
    """Lowest energy of a piece, in quanta, and the keys of its configurations of that energy."""

    quanta: int
    keys: np.ndarray


class _Counter:
    """What one thread works with: occupations, cache and a tally of its own."""

    def __init__(self, energy: CompiledEnergy, n_sites: int) -> None:
        self._functions = energy.parameters, energy.prepare, energy.trial, energy.commit
        self._occupations = np.zeros(n_sites, dtype=np.int8)
        self._cache = np.zeros(energy.cache_size)
        self._kept = np.zeros(MAX_KEPT, dtype=np.uint64)
        self.clear()

    def clear(self) -> None:
        self.tally, self.first = np.zeros((0, 2), dtype=np.int64), 0

    def count(self, piece: _Piece, limit: int) -> _Lowest:
        """Add the first ``limit`` configurations of a piece to the tally."""
        key = (piece.prefix << piece.free) + 2**piece.n_second - 1
        self._occupations[:] = [(key >> site) & 1 for site in range(piece.n_sites)]
        chosen = np.append(np.arange(piece.n_second), piece.free)
        self.tally, self.first, lowest, n_kept, ending = count_configurations(
            self._functions, self._occupations, self._cache, chosen, self.tally, self.first, self._kept, limit
        )
        if ending == NOT_AN_ENERGY:
            raise OracleError(
                f"the oracle gave an energy that is not finite or not below {MAX_ENERGY:g} Ry; is its model damaged?"
            )
        if ending != DONE:
            raise InputError(
                f"energies of one composition spread over more than {MAX_LEVELS * LEVEL_WIDTH:g} Ry, too many levels "
                "to count; are the units of the oracle right?"
            )
        return _Lowest(lowest, self._kept[:n_kept].copy())


@dataclass(frozen=True, eq=False)
class _Composition:
    """Levels of one composition."""

    energies: np.ndarray
    degeneracies: np.ndarray
    ground_states: np.ndarray


def check_countable(oracle: EnergyOracle) -> None:
    """Refuse oracles whose energies cannot be followed through all configurations.

    Raises
    ------
    InputError
        If the lattice is too large, or the oracle is not compiled.
    """
    check_size(oracle.lattice)
    if not isinstance(oracle, CompiledOracle | CountingOracle):
        raise InputError(
            "this oracle has no compiled energies, so every configuration would take too long; leave "
            "--every-configuration out, with --orbit-average if its energies are not invariant"
        )


def every_level(
    oracle: EnergyOracle,
    composition: int | None,
    *,
    n_threads: int | None = None,
    progress: bool = True,
    announce: Callable[[float], None] | None = None,
) -> ExactLevels:
    """Evaluate a compiled oracle on every configuration of its lattice, symmetry-equivalent ones included.

    The energy of a level is the mean over its configurations, which lie within ``LEVEL_WIDTH``. Where all of them are
    equal it is that number, bit for bit.

    Parameters
    ----------
    oracle : EnergyOracle
        Compiled, on a lattice of at most 32 sites; need not be invariant.
    composition : int or None
        Number of second-species atoms, None for all compositions: 2**n_sites configurations.
    n_threads : int, optional
        Default: as many as this process may use. The result does not depend on it.
    progress : bool
        Show a bar on the standard error stream, if that is a terminal.
    announce : callable, optional
        Told, before the start, how many seconds it will take at the speed measured on some configurations.

    Returns
    -------
    ExactLevels
        Its ground states are single configurations, not orbits: those of exactly the lowest energy, at most
        ``MAX_KEPT`` for each composition.

    Raises
    ------
    InputError
        If the lattice is too large, the oracle is not compiled, or its energies spread over too many levels.
    OracleError
        If an energy is not finite.
    """
    check_countable(oracle)
    n_sites = oracle.lattice.n_sites
    check_composition(n_sites, composition)
    wanted = list(range(n_sites + 1)) if composition is None else [composition]
    if isinstance(oracle, CountingOracle):
        found = _counted_by(oracle, wanted, progress)
    else:
        assert isinstance(oracle, CompiledOracle)
        counters = [_Counter(oracle.compiled(), n_sites) for _ in range(n_threads or default_threads(OneProcess()))]
        found = _count_in_threads(counters, n_sites, wanted, progress, announce)
    return ExactLevels(
        n_sites,
        composition,
        np.repeat(np.array(wanted, dtype=np.int16), [len(one.energies) for one in found.values()]),
        np.concatenate([one.energies for one in found.values()]),
        np.concatenate([one.degeneracies for one in found.values()]),
        {c: one.ground_states for c, one in found.items()},
        LEVEL_WIDTH,
    )


def _counted_by(oracle: CountingOracle, wanted: list[int], progress: bool) -> dict[int, _Composition]:
    """Let the oracle go through all configurations, whatever composition is wanted."""
    n_sites = oracle.lattice.n_sites
    with tqdm(total=2**n_sites, unit=" configurations", unit_scale=True, disable=None if progress else True) as bar:

        def advance(n: int) -> None:
            stop_if_asked()
            bar.update(n)

        counts = oracle.count_levels(LEVEL_BITS, MAX_KEPT, advance)
    return {c: _composition(counts[c], comb(n_sites, c)) for c in wanted}


def _count_in_threads(
    counters: list[_Counter],
    n_sites: int,
    wanted: list[int],
    progress: bool,
    announce: Callable[[float], None] | None,
) -> dict[int, _Composition]:
    total = sum(comb(n_sites, c) for c in wanted)
    if announce is not None:
        announce(total / (_speed(counters[0], n_sites, wanted) * len(counters)))
    with tqdm(total=total, unit=" configurations", unit_scale=True, disable=None if progress else True) as bar:
        return {c: _count_composition(counters, _pieces(n_sites, c), comb(n_sites, c), bar) for c in wanted}


def _pieces(n_sites: int, composition: int) -> Iterator[_Piece]:
    free = min(n_sites, FREE_SITES)
    for prefix in range(2 ** (n_sites - free)):
        n_second = composition - prefix.bit_count()
        if 0 <= n_second <= free:
            yield _Piece(n_sites, prefix, free, n_second)


def _speed(counter: _Counter, n_sites: int, compositions: list[int]) -> float:
    """Return configurations per second of one thread, measured on the composition that has most of them."""
    largest = max(compositions, key=lambda c: comb(n_sites, c))
    piece = max(_pieces(n_sites, largest), key=lambda one: one.size)
    counter.count(piece, 1)  # compiles
    limit, elapsed = 500, 0.0
    while elapsed < TIMED_S and limit < piece.size:
        limit = min(2 * limit, piece.size)
        start = time.perf_counter()
        counter.count(piece, limit)
        elapsed = time.perf_counter() - start
    counter.clear()
    return limit / elapsed if elapsed else np.inf


def _count_composition(
    counters: list[_Counter], pieces: Iterable[_Piece], n_configurations: int, bar: tqdm
) -> _Composition:
    """Count all pieces, in threads."""
    todo = list(pieces)
    spare: SimpleQueue[_Counter] = SimpleQueue()
    for counter in counters:
        counter.clear()
        spare.put(counter)

    def count(piece: _Piece) -> _Lowest:
        counter = spare.get()
        try:
            return counter.count(piece, piece.size)
        finally:
            spare.put(counter)

    lowest = []
    # Closing the results drops the pieces not yet begun when one fails or the user interrupts.
    with ThreadPoolExecutor(len(counters)) as pool, closing(pool.map(count, todo)) as results:  # type: ignore[type-var]
        for piece, one in zip(todo, results, strict=True):
            stop_if_asked()
            lowest.append(one)
            bar.update(piece.size)
    return _merged(counters, lowest, n_configurations)


def _merged(counters: list[_Counter], lowest: list[_Lowest], n_configurations: int) -> _Composition:
    """Add up the tallies of all threads."""
    used = [counter for counter in counters if len(counter.tally)]
    first = min(counter.first for counter in used)
    tally = np.zeros((max(counter.first + len(counter.tally) for counter in used) - first, 2), dtype=np.int64)
    for counter in used:
        tally[counter.first - first :][: len(counter.tally)] += counter.tally
    bottom = min(one.quanta for one in lowest)
    keys = np.concatenate([one.keys for one in lowest if one.quanta == bottom])[:MAX_KEPT]
    return _composition(LevelCounts(first, tally[:, 0], tally[:, 1], keys), n_configurations)


def _composition(found: LevelCounts, n_configurations: int) -> _Composition:
    """Make levels of counts after making sure that they count every configuration once."""
    if int(found.counts.sum()) != n_configurations:
        raise RuntimeError(f"counted {int(found.counts.sum())} configurations where there are {n_configurations}")
    filled = np.flatnonzero(found.counts)
    counts, above = found.counts[filled], found.above[filled]
    energies = (found.first + filled) * LEVEL_WIDTH + above / counts * ENERGY_QUANTUM
    return _Composition(energies, counts.astype(np.uint64), np.sort(found.lowest_keys).astype(np.uint32))
