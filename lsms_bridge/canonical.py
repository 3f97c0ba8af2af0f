"""The representative of an orbit: the one configuration of a symmetry class that is ever computed."""

from __future__ import annotations

import numpy as np

from wanglandau.lattice import Lattice
from wanglandau.orbits import MAX_KEY_SITES, canonical_keys, occupations_from_keys


def representatives(lattice: Lattice, occupations: np.ndarray) -> np.ndarray:
    """Return the representative of each configuration's orbit.

    Parameters
    ----------
    lattice : Lattice
    occupations : int8[n, n_sites]

    Returns
    -------
    int8[n, n_sites]
        Up to 64 sites the one with the smallest key, as in data sets; for larger cells the first in the order of
        occupations.
    """
    if lattice.n_sites <= MAX_KEY_SITES:
        return occupations_from_keys(canonical_keys(lattice.symmetry, occupations), lattice.n_sites)
    return np.array([_first_image(lattice, row) for row in occupations], dtype=np.int8).reshape(occupations.shape)


def _first_image(lattice: Lattice, row: np.ndarray) -> np.ndarray:
    images = row[lattice.symmetry]
    return images[np.lexsort(images.T[::-1])[0]]


def mapping_from(lattice: Lattice, representative: np.ndarray, occupations: np.ndarray) -> np.ndarray:
    """Find an operation that takes site values of the representative to an equivalent configuration.

    Parameters
    ----------
    lattice : Lattice
    representative, occupations : int8[n_sites]

    Returns
    -------
    int64[n_sites]
        ``values[mapping]`` are the values on the sites of ``occupations``, with ``values`` those of the representative.
    """
    images = representative[lattice.symmetry]
    return np.asarray(lattice.symmetry[np.flatnonzero((images == occupations).all(axis=1))[0]], dtype=np.int64)


def as_text(occupations: np.ndarray) -> str:
    """Write occupations as a text of 0 and 1, one character a site."""
    return "".join("01"[int(value)] for value in occupations)


def from_text(text: str) -> np.ndarray:
    """Read what :func:`as_text` wrote, ``int8[n_sites]``."""
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int8) - np.int8(ord("0"))
