"""The space group of a periodic cell, as permutations of its sites."""

from __future__ import annotations

import warnings

import numpy as np
import spglib

from wanglandau.errors import InputError

SYMMETRY_TOLERANCE = 1e-4
"""Positions that agree within this distance (Bohr) are taken for the same."""


def site_permutations(cell: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return every operation of the crystal that maps the periodic cell onto itself.

    All sites count as equal, whatever sits on them. ``permutation[s]`` is the site that operation
    moves site ``s`` to; the identity comes first, the others in lexicographic order.

    Parameters
    ----------
    cell : float64[3, 3], Bohr
    positions : float64[n_sites, 3], Bohr

    Returns
    -------
    int32[n_operations, n_sites]
    """
    fractional = positions @ np.linalg.inv(cell)
    with warnings.catch_warnings():  # spglib 2.7 and later announce a change of their error handling at every call
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry(
            (cell.tolist(), fractional.tolist(), [1] * len(positions)), symprec=SYMMETRY_TOLERANCE
        )
    if found is None:
        raise InputError("spglib finds no symmetry for this structure; check for overlapping sites")
    permutations = {
        permutation
        for rotation, translation in zip(found["rotations"], found["translations"], strict=True)
        if (permutation := _permutation(fractional, cell, rotation, translation)) is not None
    }
    return np.array(sorted(permutations), dtype=np.int32)


def _permutation(
    fractional: np.ndarray, cell: np.ndarray, rotation: np.ndarray, translation: np.ndarray
) -> tuple[int, ...] | None:
    """Return where one operation moves each site, or None where it does not map the sites onto themselves."""
    moved = fractional @ rotation.T + translation
    difference = moved[:, None, :] - fractional[None, :, :]
    difference -= np.round(difference)
    distance = np.linalg.norm(difference @ cell, axis=2)
    target = distance.argmin(axis=1)
    if distance[np.arange(len(target)), target].max() > 10 * SYMMETRY_TOLERANCE or len(set(target)) < len(target):
        return None
    return tuple(int(site) for site in target)
