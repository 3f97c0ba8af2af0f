"""Result files with something else in them, sealed again, as a program that means it would write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from wanglandau.seal import sealed


@contextmanager
def edited(path: Path | str) -> Iterator[h5py.File]:
    """Open a sealed HDF5 file for changes; seal it anew afterwards."""
    with h5py.File(path, "r+") as file:
        yield file
    Path(path).write_bytes(sealed(Path(path).read_bytes()))
