"""Lists of orbits kept on disk between runs.

One file per symmetry group, named after a digest of its site permutations::

    <digest>.h5
        @format             "alloy-wanglandau orbits 1"
        @permutations       str, digest of the site permutations
        /<composition>/keys     uint32[n_orbits], canonical keys in ascending order
        /<composition>/sizes    uint32[n_orbits], number of configurations in each orbit

Files are replaced as a whole. One that cannot be read, fails its checksums or belongs to something else counts as
not being there, and a folder that cannot be written to only costs the time to list the orbits again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np

from wanglandau.atomic_file import replacing

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
        with h5py.File(cache_file(folder, permutations), "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("permutations") != _digest(permutations):
                return {}
            return {c: (file[f"{c}/keys"][:], file[f"{c}/sizes"][:]) for c in compositions if str(c) in file}
    except (OSError, KeyError, RuntimeError):  # h5py's answers to a damaged file
        return {}


def store_orbits(folder: Path, permutations: np.ndarray, lists: OrbitLists) -> None:
    """Add lists to the file of their group; compositions that are in it already stay there."""
    others = [c for c in range(permutations.shape[1] + 1) if c not in lists]
    merged = load_orbits(folder, permutations, others) | lists
    with suppress(OSError):  # a cache that cannot be written only costs time
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(cache_file(folder, permutations)) as temporary:
            _write(temporary, _digest(permutations), merged)


def _write(path: Path, digest: str, lists: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> None:
    with h5py.File(path, "w") as file:
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
