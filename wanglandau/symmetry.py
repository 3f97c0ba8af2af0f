"""The space group of a periodic cell, as permutations of its sites."""

from __future__ import annotations

import warnings

import numpy as np
import spglib
from scipy.spatial import cKDTree

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
    fractional = positions @ np.linalg.inv(cell) % 1.0
    fractional[fractional >= 1.0] = 0.0  # what a tiny negative number is rounded to
    with warnings.catch_warnings():  # spglib 2.7 and later announce a change of their error handling at every call
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry(
            (cell.tolist(), fractional.tolist(), [1] * len(positions)), symprec=SYMMETRY_TOLERANCE
        )
    if found is None:
        raise InputError("spglib finds no symmetry for this structure; check for overlapping sites")
    sites = _Sites(cell, fractional)
    pure = (found["rotations"] == np.eye(3, dtype=int)).all(axis=(1, 2))
    translations = _translations(sites, found["translations"][pure])
    _, first = np.unique(found["rotations"].reshape(-1, 9), axis=0, return_index=True)
    turned = [sites.moved(found["rotations"][one], found["translations"][one]) for one in first]
    return _sorted_rows(np.concatenate([translations[:, target] for target in turned if target is not None]))


def orbit(configuration: np.ndarray, symmetry: np.ndarray) -> set[bytes]:
    """Return all images of a configuration.

    Parameters
    ----------
    configuration : int8[n_sites]
    symmetry : int32[n_operations, n_sites]
        A group of site permutations.

    Returns
    -------
    set of bytes
        Each the ``int8[n_sites]`` of an image.
    """
    return {image.tobytes() for image in configuration[symmetry]}


class _Sites:
    """Sites to be found again after an operation of the crystal."""

    def __init__(self, cell: np.ndarray, fractional: np.ndarray) -> None:
        self.cell, self.fractional = cell, fractional
        self._tree = cKDTree(fractional, boxsize=np.ones(3))

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray | None:
        """Return where an operation moves each site, or None where it does not map the sites onto themselves."""
        moved = self.fractional @ rotation.T + translation
        target = self.nearest(moved)
        difference = moved - self.fractional[target]
        distance = np.linalg.norm((difference - np.round(difference)) @ self.cell, axis=1)
        if distance.max() > 10 * SYMMETRY_TOLERANCE or len(np.unique(target)) < len(target):
            return None
        return target

    def nearest(self, fractional: np.ndarray) -> np.ndarray:
        """Return the site next to each position, ``int32[n]`` for ``float64[n, 3]``."""
        return np.asarray(self._tree.query(fractional)[1], dtype=np.int32)


def _translations(sites: _Sites, translations: np.ndarray) -> np.ndarray:
    """Return the group of all translations, each known by where it moves the first site.

    Few have to be looked at site by site: the others are products of these.
    """
    group = np.arange(len(sites.fractional), dtype=np.int32)[None]
    for translation, first in zip(translations, sites.nearest(sites.fractional[0] + translations), strict=True):
        target = None if first in group[:, 0] else sites.moved(np.eye(3), translation)
        if target is None:
            continue
        coset, power = [group], target
        while power[0] not in group[:, 0]:
            coset.append(power[group])
            power = target[power]
        group = np.concatenate(coset)
    return group


def _sorted_rows(rows: np.ndarray) -> np.ndarray:
    """Return the distinct rows in lexicographic order; bytes compare faster than numbers one by one."""
    keys = np.ascontiguousarray(rows, dtype=">i4").view(f"V{4 * rows.shape[1]}").ravel()
    return np.unique(keys).view(">i4").reshape(-1, rows.shape[1]).astype(np.int32)
