"""Compiled loops over the configurations of a small cell: canonical keys and the list of all orbits.

The key of a configuration is the integer whose bit ``s`` is the occupation of site ``s``; the canonical key of an
orbit is the smallest among its members. Everything here takes and returns plain arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def smallest_images(permutations: np.ndarray, occupations: np.ndarray, keys: np.ndarray) -> None:
    """Write the canonical key of each configuration.

    An image is given up at the first site, from the most significant one down, where it exceeds the best so far.

    Parameters
    ----------
    permutations : int32[n_operations, n_sites]
    occupations : int8[n, n_sites]
    keys : uint64[n]
        Receives the result.
    """
    n_operations, n_sites = permutations.shape
    best = np.empty(n_sites, np.int8)
    for row in range(len(occupations)):
        occupation = occupations[row]
        best[:] = occupation
        for operation in range(n_operations):
            source = permutations[operation]
            site = n_sites - 1
            while site >= 0 and occupation[source[site]] == best[site]:
                site -= 1
            if site >= 0 and occupation[source[site]] < best[site]:
                for lower in range(site + 1):
                    best[lower] = occupation[source[lower]]
        key = np.uint64(0)
        for site in range(n_sites):
            key |= np.uint64(best[site]) << np.uint64(site)
        keys[row] = key


@njit(cache=True, nogil=True)
def fill_bits(keys: np.ndarray, occupations: np.ndarray) -> None:
    """Write bit ``s`` of each key (uint64[n]) to column ``s`` of ``occupations`` (int8[n, n_sites])."""
    for row in range(len(keys)):
        for site in range(occupations.shape[1]):
            occupations[row, site] = (keys[row] >> np.uint64(site)) & np.uint64(1)


@njit(cache=True, nogil=True)
def _assign(
    sources: np.ndarray, key: np.uint64, site: int, waiting: np.ndarray, compared: np.ndarray, heights: np.ndarray
) -> int:
    """Follow every operation that waited for ``site``, whose occupation has just been set in ``key``.

    Returns -1 if the image under one of them is smaller, so that nothing below this prefix is canonical; otherwise the
    number of operations whose image turned out to be equal on all sites (which happens at site 0 alone).
    """
    one = np.uint64(1)
    n_equal = 0
    for index in range(heights[site]):
        operation = waiting[site, index]
        position = compared[site, index]
        while True:
            source = sources[operation, position]
            if source < site or position < site:
                awaited = min(source, position)
                waiting[awaited, heights[awaited]] = operation
                compared[awaited, heights[awaited]] = position
                heights[awaited] += 1
                break
            image_bit = (key >> np.uint64(source)) & one
            own_bit = (key >> np.uint64(position)) & one
            if image_bit < own_bit:
                return -1
            if image_bit > own_bit:
                break
            position -= 1
            if position < 0:
                n_equal += 1
                break
    return n_equal


@njit(cache=True, nogil=True)
def canonical_prefixes(
    sources: np.ndarray, start: np.uint64, first_site: int, last_site: int, fewest: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """List, in ascending order, the canonical prefixes that continue ``start``.

    Occupations are assigned from the most significant site down (orderly generation, after R. C. Read, Ann. Discrete
    Math. 2, 107 (1978)): a prefix is dropped as soon as some image of it is certain to be smaller. Each operation is
    looked at only when the site arrives that its comparison waits for; going back restores the heights of the waiting
    lists and nothing else.

    Parameters
    ----------
    sources : int16[n_operations - 1, n_sites]
        The group without the identity.
    start : uint64
        Occupations of the sites above ``first_site``; others are zero.
    first_site : int
        The first site to assign. The sites above it are assigned from ``start``.
    last_site : int
        The last site to assign; with 0 the prefixes are whole configurations.
    fewest, most : int
        Bounds on the number of second-species atoms of the whole cell.

    Returns
    -------
    prefixes : uint64[n]
    stabilisers : uint64[n]
        Number of operations (identity included) that leave the configuration as it is; only meaningful when
        ``last_site`` is 0.
    """
    n_operations, n_sites = sources.shape
    waiting = np.empty((n_sites, n_operations), np.int16)
    compared = np.empty((n_sites, n_operations), np.int8)
    heights = _await_first_comparison(sources, waiting, compared)
    before = np.zeros((n_sites, n_sites), np.int64)  # list heights before a site was assigned
    n_second = np.zeros(n_sites + 1, np.int64)  # second-species atoms on this site and those above
    for site in range(n_sites - 1, first_site, -1):
        n_second[site] = n_second[site + 1] + np.int64((start >> np.uint64(site)) & np.uint64(1))
        if _assign(sources, start, site, waiting, compared, heights) < 0:
            return np.empty(0, np.uint64), np.empty(0, np.uint64)

    prefixes = np.empty(1024, np.uint64)
    stabilisers = np.empty(1024, np.uint64)
    n_found = 0
    n_tried = np.zeros(n_sites, np.int8)
    key, site = start, first_site
    before[site] = heights
    while site <= first_site:
        if n_tried[site] == 2:
            n_tried[site] = 0
            site += 1
            continue
        heights[:site] = before[site, :site]
        bit = n_tried[site]
        n_tried[site] += 1
        key = (key & ~(np.uint64(1) << np.uint64(site))) | (np.uint64(bit) << np.uint64(site))
        n_second[site] = n_second[site + 1] + bit
        if n_second[site] > most or n_second[site] + site < fewest:
            continue
        n_equal = _assign(sources, key, site, waiting, compared, heights)
        if n_equal < 0:
            continue
        if site > last_site:
            site -= 1
            before[site, :site] = heights[:site]
            continue
        if n_found == len(prefixes):
            prefixes = np.concatenate((prefixes, np.empty_like(prefixes)))
            stabilisers = np.concatenate((stabilisers, np.empty_like(stabilisers)))
        prefixes[n_found] = key
        stabilisers[n_found] = np.uint64(n_equal + 1)
        n_found += 1
    return prefixes[:n_found].copy(), stabilisers[:n_found].copy()


@njit(cache=True, nogil=True)
def _await_first_comparison(sources: np.ndarray, waiting: np.ndarray, compared: np.ndarray) -> np.ndarray:
    """Queue every operation at the site its first comparison waits for; return the lengths of the queues."""
    n_operations, n_sites = sources.shape
    heights = np.zeros(n_sites, np.int64)
    for operation in range(n_operations):
        awaited = sources[operation, n_sites - 1]
        waiting[awaited, heights[awaited]] = operation
        compared[awaited, heights[awaited]] = n_sites - 1
        heights[awaited] += 1
    return heights
