"""Lists of orbits kept on disk between runs.

One file per symmetry group, named after a digest of its site permutations::

    <digest>.h5
        @format             "alloy-wanglandau orbits 1"
        @seal               see :mod:`wanglandau.seal`
        @permutations       str, digest of the site permutations
        /<composition>/keys     uint32[n_orbits], canonical keys in ascending order
        /<composition>/sizes    uint32[n_orbits], number of configurations in each orbit

Files are replaced as a whole. One that cannot be read, is not what was written or belongs to something else counts as
not being there, and a folder that cannot be written to only costs the time to list the orbits again.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from math import comb
from pathlib import Path

import h5py
import numpy as np

from wanglandau.errors import InputError
from wanglandau.hdf5_parts import reading, writing

FORMAT = "alloy-wanglandau orbits 1"

OrbitLists = dict[int, tuple[np.ndarray, np.ndarray]]
"""Keys and sizes by composition."""


def default_cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/alloy-wanglandau``, by default below ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alloy-wanglandau"


def cache_file(folder: Path, permutations: np.ndarray) -> Path:
    """Return the file that holds the orbits of one group."""
    return folder / f"orbits-{_digest(permutations)[:24]}.h5"


def load_orbits(folder: Path, permutations: np.ndarray, compositions: list[int]) -> OrbitLists:
    """Read those of the asked compositions that are there.

    Parameters
    ----------
    folder : Path
    permutations : int32[n_operations, n_sites]
    compositions : list of int
    """
    try:
        with reading(cache_file(folder, permutations)) as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("permutations") != _digest(permutations):
                return {}
            return {c: _lists(file[str(c)], permutations.shape[1], c) for c in compositions if str(c) in file}
    except InputError:
        return {}


def store_orbits(folder: Path, permutations: np.ndarray, lists: OrbitLists) -> None:
    """Add lists to the file of their group; compositions that are in it already stay there."""
    others = [c for c in range(permutations.shape[1] + 1) if c not in lists]
    merged = load_orbits(folder, permutations, others) | lists
    with suppress(OSError, InputError):  # a cache that cannot be written only costs time
        folder.mkdir(parents=True, exist_ok=True)
        with writing(cache_file(folder, permutations)) as file:
            _write(file, _digest(permutations), merged)


def _lists(group: h5py.Group, n_sites: int, composition: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the lists of one composition; ValueError unless they count every configuration once."""
    keys, sizes = group["keys"][:], group["sizes"][:]
    counted = int(sizes.sum(dtype=np.uint64))
    if keys.dtype.kind != "u" or keys.shape != sizes.shape or counted != comb(n_sites, composition):
        raise ValueError(f"the orbits of composition {composition} are not all there")
    return keys, sizes


def _write(file: h5py.File, digest: str, lists: OrbitLists) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["permutations"] = digest
    for composition, (keys, sizes) in sorted(lists.items()):
        group = file.create_group(str(composition))
        group.create_dataset("keys", data=keys, fletcher32=True, chunks=_chunk(keys))
        group.create_dataset("sizes", data=sizes, fletcher32=True, chunks=_chunk(sizes), compression="lzf")


def _chunk(values: np.ndarray) -> tuple[int]:
    return (min(max(len(values), 1), 262_144),)


def _digest(permutations: np.ndarray) -> str:
    digest = hashlib.sha256(str(permutations.shape).encode())
    digest.update(np.ascontiguousarray(permutations, dtype="<i4").tobytes())
    return digest.hexdigest()
