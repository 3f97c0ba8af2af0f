"""Orbits: classes of configurations that the symmetry of the periodic cell maps onto each other.

Owns canonical keys and the list of all orbits. Their number comes from :mod:`wanglandau.burnside`; where lists are
kept between runs is the business of :mod:`wanglandau.orbit_cache`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np

from wanglandau.burnside import count_orbits
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.orbit_cache import OrbitLists, default_cache_folder, load_orbits, store_orbits
from wanglandau.orbit_kernels import canonical_prefixes, fill_bits, smallest_images

MAX_KEY_SITES = 64
"""A key is an unsigned integer of 64 bits."""

MAX_ENUMERATED_SITES = 32
"""Largest cell whose orbits are listed."""

MAX_ORBITS = 100_000_000
"""Longest list of orbits (some gigabytes while it is made)."""

_PREFIX_SITES = 14
"""Sites assigned before the work is split over threads: some hundreds of pieces."""


__all__ = [
    "Orbits",
    "canonical_keys",
    "count_orbits",
    "enumerate_orbits",
    "keys_from_occupations",
    "list_orbits",
    "occupations_from_keys",
]


@dataclass(frozen=True, eq=False)
class Orbits:
    """One representative of each orbit, by composition and then by key.

    Attributes
    ----------
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where all compositions are listed.
    keys : uint32[n_orbits]
        Canonical keys: bit ``s`` is the occupation of site ``s``, smallest integer of the orbit.
    sizes : uint32[n_orbits]
        Number of configurations in the orbit.
    offsets : int64[n_sites + 2]
        Orbits of composition ``c`` stand from ``offsets[c]`` up to but not including ``offsets[c + 1]``.
    """

    n_sites: int
    composition: int | None
    keys: np.ndarray
    sizes: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def compositions(self) -> np.ndarray:
        """Number of second-species atoms of each orbit, ``int16[n_orbits]``."""
        return np.repeat(np.arange(self.n_sites + 1, dtype=np.int16), np.diff(self.offsets))

    def occupations(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return the representatives ``start`` to ``stop``, ``int8[n, n_sites]``."""
        return occupations_from_keys(self.keys[start:stop], self.n_sites)


def canonical_keys(permutations: np.ndarray, occupations: np.ndarray) -> np.ndarray:
    """Return the canonical key of each configuration: the smallest key among its images.

    Parameters
    ----------
    permutations : int32[n_operations, n_sites]
        All operations of the group, as in :attr:`wanglandau.lattice.Lattice.symmetry`.
    occupations : int8[n, n_sites]

    Returns
    -------
    uint64[n]

    Raises
    ------
    InputError
        If there are more than 64 sites or occupations are not 0 and 1.
    """
    occupations = _checked_occupations(occupations)
    permutations = np.ascontiguousarray(permutations, dtype=np.int32)
    if permutations.ndim != 2 or permutations.shape[1] != occupations.shape[1]:
        raise InputError(
            f"occupations of {occupations.shape[1]} sites do not go with permutations of shape {permutations.shape}"
        )
    keys = np.empty(len(occupations), dtype=np.uint64)
    smallest_images(permutations, occupations, keys)
    return keys


def keys_from_occupations(occupations: np.ndarray) -> np.ndarray:
    """Return the key (bit ``s`` = occupation of site ``s``) of each configuration, ``uint64[n]``."""
    occupations = _checked_occupations(occupations)
    padded = np.zeros((len(occupations), MAX_KEY_SITES), dtype=np.uint8)
    padded[:, : occupations.shape[1]] = occupations
    return np.packbits(padded, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


def occupations_from_keys(keys: np.ndarray, n_sites: int) -> np.ndarray:
    """Return the configurations that keys stand for, ``int8[n, n_sites]``; the reverse of keys_from_occupations."""
    _check_key_sites(n_sites)
    keys = np.ascontiguousarray(keys, dtype=np.uint64)
    if n_sites < MAX_KEY_SITES and (keys >> np.uint64(n_sites)).any():
        raise InputError(f"key {int(keys.max())} has bits set beyond the {n_sites} sites of the lattice")
    occupations = np.empty((len(keys), n_sites), dtype=np.int8)
    fill_bits(keys, occupations)
    return occupations


def _check_key_sites(n_sites: int) -> None:
    if not 1 <= n_sites <= MAX_KEY_SITES:
        raise InputError(f"{n_sites} sites: keys and orbits are for 1 to {MAX_KEY_SITES} sites; use a smaller cell")


def _checked_occupations(occupations: np.ndarray) -> np.ndarray:
    occupations = np.asarray(occupations)
    if occupations.ndim != 2:
        raise InputError(f"occupations have shape {occupations.shape}; expected (n, n_sites)")
    _check_key_sites(occupations.shape[1])
    if ((occupations != 0) & (occupations != 1)).any():
        raise InputError("occupations hold values other than 0 (first species) and 1 (second species)")
    return np.ascontiguousarray(occupations, dtype=np.int8)


def list_orbits(
    permutations: np.ndarray, composition: int | None, n_threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """List all orbits afresh, ascending by key (compositions mixed), for up to 64 sites.

    The result does not depend on the number of threads.

    Parameters
    ----------
    permutations : int32[n_operations, n_sites]
        All operations of the group, identity first.
    composition : int or None
        Number of second-species atoms, None for all compositions.
    n_threads : int, optional
        Default: as many as this process may use.

    Returns
    -------
    keys : uint64[n_orbits]
    sizes : uint64[n_orbits]

    Raises
    ------
    InputError
        If the list is longer than ``MAX_ORBITS``.
    RuntimeError
        If the number of orbits is not that of Burnside's lemma, or their sizes do not add up to all configurations.
    """
    n_sites = permutations.shape[1]
    check_composition(n_sites, composition)
    counts = count_orbits(permutations)
    n_expected = sum(counts) if composition is None else counts[composition]
    if n_expected > MAX_ORBITS:
        raise InputError(
            f"this cell has {n_expected} inequivalent configurations, more than the limit of {MAX_ORBITS} that can be "
            "listed; fix a composition or sample the density of states (wanglandau dos)"
        )
    keys, stabilisers = _generate(permutations, composition, n_threads or _available_threads())
    sizes = np.uint64(len(permutations)) // stabilisers
    n_states = 2**n_sites if composition is None else comb(n_sites, composition)
    if len(keys) != n_expected or int(sizes.sum()) != n_states:
        raise RuntimeError(
            f"found {len(keys)} orbits where Burnside's lemma says {n_expected}; are the permutations a whole group?"
        )
    return keys, sizes


def _generate(permutations: np.ndarray, composition: int | None, n_threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return canonical keys in ascending order and the orders of their stabilisers, both ``uint64[n_orbits]``."""
    n_sites = permutations.shape[1]
    sources = np.ascontiguousarray(permutations[1:], dtype=np.int16)
    fewest, most = (0, n_sites) if composition is None else (composition, composition)
    split = max(n_sites - _PREFIX_SITES, 0)
    prefixes, stabilisers = canonical_prefixes(
        sources, np.uint64(0), n_sites - 1, 0 if split < 2 else split, fewest, most
    )
    if split < 2:
        return prefixes, stabilisers
    with ThreadPoolExecutor(n_threads) as threads:
        pieces = list(
            threads.map(lambda prefix: canonical_prefixes(sources, prefix, split - 1, 0, fewest, most), prefixes)
        )
    return np.concatenate([keys for keys, _ in pieces]), np.concatenate([orders for _, orders in pieces])


def _available_threads() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_size(lattice: Lattice) -> None:
    """Refuse lattices with more sites than can be enumerated.

    Raises
    ------
    InputError
        If there are more than ``MAX_ENUMERATED_SITES``.
    """
    if lattice.n_sites > MAX_ENUMERATED_SITES:
        raise InputError(
            f"the lattice has {lattice.n_sites} sites; exact enumeration is limited to {MAX_ENUMERATED_SITES}: "
            "use a smaller repeat, or sample the density of states (wanglandau dos)"
        )


def enumerate_orbits(
    lattice: Lattice, composition: int | None = None, cache_folder: Path | None = None, n_threads: int | None = None
) -> Orbits:
    """List one representative of every orbit, from the cache where it is there.

    Parameters
    ----------
    lattice : Lattice
        At most 32 sites.
    composition : int or None
        Number of second-species atoms, None for all compositions.
    cache_folder : Path, optional
        Default: :func:`wanglandau.orbit_cache.default_cache_folder`.
    n_threads : int, optional
        Default: as many as this process may use. The result does not depend on it.

    Raises
    ------
    InputError
        If the lattice is too large, or has too many orbits to list.
    """
    check_size(lattice)
    check_composition(lattice.n_sites, composition)
    folder = default_cache_folder() if cache_folder is None else Path(cache_folder)
    wanted = list(range(lattice.n_sites + 1)) if composition is None else [composition]
    lists = load_orbits(folder, lattice.symmetry, wanted)
    counts = count_orbits(lattice.symmetry)
    if any(c not in lists or not _plausible(*lists[c], lattice.n_sites, c, counts[c]) for c in wanted):
        lists = _by_composition(*list_orbits(lattice.symmetry, composition, n_threads), wanted)
        store_orbits(folder, lattice.symmetry, lists)
    return _join(lattice.n_sites, composition, lists)


def check_composition(n_sites: int, composition: int | None) -> None:
    """Refuse a number of second-species atoms that is negative or larger than the number of sites.

    Raises
    ------
    InputError
        If it is.
    """
    if composition is not None and not 0 <= composition <= n_sites:
        raise InputError(f"composition {composition} is out of range; choose 0 to {n_sites}")


def _plausible(keys: np.ndarray, sizes: np.ndarray, n_sites: int, composition: int, n_orbits: int) -> bool:
    """Tell whether a list from a file has the right lengths, types and total."""
    if keys.shape != (n_orbits,) or sizes.shape != (n_orbits,) or keys.dtype != np.uint32 or sizes.dtype != np.uint32:
        return False
    return int(sizes.sum(dtype=np.uint64)) == comb(n_sites, composition)


def _by_composition(keys: np.ndarray, sizes: np.ndarray, wanted: list[int]) -> OrbitLists:
    """Sort ascending keys by composition, ascending within each."""
    second = np.bitwise_count(keys)
    order = np.argsort(second, kind="stable")
    bounds = np.searchsorted(second[order], [*wanted, wanted[-1] + 1])
    keys, sizes = keys[order].astype(np.uint32), sizes[order].astype(np.uint32)
    return {c: (keys[a:b], sizes[a:b]) for c, a, b in zip(wanted, bounds[:-1], bounds[1:], strict=True)}


def _join(n_sites: int, composition: int | None, lists: OrbitLists) -> Orbits:
    lengths = [len(lists[c][0]) if c in lists else 0 for c in range(n_sites + 1)]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    keys = np.concatenate([lists[c][0] for c in sorted(lists)])
    sizes = np.concatenate([lists[c][1] for c in sorted(lists)])
    return Orbits(n_sites, composition, keys, sizes, offsets)
