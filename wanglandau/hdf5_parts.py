"""HDF5 files that are complete or not there, and readers that take nothing on trust.

Arrays are read with the dtype and shape they must have; settings and the like stand in the file as JSON texts.
Whatever is wrong with a file becomes one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wanglandau.atomic_file import replacing
from wanglandau.errors import FAULTS, InputError
from wanglandau.hdf5_guard import check_content
from wanglandau.hdf5_heaps import check_heaps
from wanglandau.json_text import parse_json
from wanglandau.little_memory import little_memory
from wanglandau.seal import KEY, UNSEALED, is_sealed_file, sealed

SPARE_MEMORY, COPIES = 2**29, 4
"""What reading a file without a seal may take: bytes (Numba, loaded on the way, 2e8), and so many times its arrays."""
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
"""What the netCDF-4 format calls an axis that has a length only, followed by the length."""


@contextmanager
def writing(path: Path) -> Iterator[h5py.File]:
    """Make a file in memory, seal it (:mod:`wanglandau.seal`), write it beside ``path`` and rename it once written.

    In memory, because HDF5 can neither write nor close a file on a disk that is full.
    """
    try:
        with replacing(path) as temporary:
            with h5py.File(temporary, "x", driver="core", backing_store=False) as file:
                file.attrs[KEY] = np.bytes_(UNSEALED)
                yield file
                file.flush()
                image = file.id.get_file_image()
            with open(temporary, "xb") as written:
                written.write(sealed(image))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot write {path}: {reason}; name a file in a folder that exists and is writable"
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Open a file; any error of opening or of the ``with`` block becomes an InputError of one line.

    A file that has a seal must be what was sealed; one without (of another program, or an earlier version) is read as
    it is. Nothing is read of a file that points elsewhere or claims more than it can hold.
    """
    if not path.is_file():
        if path.is_dir():
            raise InputError(f"{path} is a folder; give one of the files in it")
        raise InputError(f"there is no file {path}; make one with 'wanglandau dos' or 'wanglandau exact'")
    try:
        whole = is_sealed_file(path)
        if not whole:
            check_heaps(path)
        with h5py.File(path, "r") as file:
            content = check_content(file)
            if not whole and KEY in file.attrs:
                raise ValueError("its seal is broken")
            # HDF5 sets aside what the length of a text asks for, before it looks whether there is such a text
            with nullcontext() if whole else little_memory(SPARE_MEMORY + COPIES * content):
                yield file
    except InputError as error:
        raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    except KeyError as error:
        raise InputError(f"{path} lacks a part ({' '.join(str(error).split())}); make it anew") from error
    except FAULTS as error:
        raise InputError(
            f"{path} is damaged or not an HDF5 file ({' '.join(str(error).split())}); make it anew"
        ) from error


@contextmanager
def making_sense_of(*paths: Path) -> Iterator[None]:
    """Take whatever goes wrong with the parts of files that were read for a fault of these files."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(f"{' or '.join(map(str, paths))} has parts that are missing or do not fit ({said})") from error


def write_array(group: h5py.Group, name: str, values: np.ndarray) -> None:
    """Store an array, compressed unless it is tiny; the same array gives the same bytes."""
    group.create_dataset(name, data=values, compression="gzip" if values.size > 64 else None, track_times=False)


def name_axes(group: h5py.Group, axes: Mapping[str, Sequence[str]], units: Mapping[str, str] | None = None) -> None:
    """Give the axes of arrays names as netCDF does, so that xarray and the like know which belong together.

    An axis is named after an array of the group that holds its values, or else after nothing but its length; readers
    that ask for arrays by name do not notice.

    Parameters
    ----------
    group : h5py.Group
    axes : mapping
        From the name of an array of the group to the names of its axes.
    units : mapping, optional
        From the name of an array to its unit, kept as attribute ``units``.
    """
    for name, names in axes.items():
        for place, axis in enumerate(names):
            length = group[name].shape[place]
            if axis not in group:
                group.create_dataset(axis, shape=(length,), dtype=">f4", track_times=False)
            if not group[axis].is_scale:
                known = group[axis].dtype != np.dtype(">f4")
                group[axis].make_scale(axis if known else f"{_NO_VARIABLE}{length:10d}")
            if axis != name:
                group[name].dims[place].attach_scale(group[axis])
    for name, unit in (units or {}).items():
        group[name].attrs["units"] = unit


def read_array(group: h5py.Group, name: str, kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Read an array; raise ValueError unless it has this dtype and shape and no nan."""
    stored = group[name]
    if stored.dtype != np.dtype(kind) or stored.shape != shape:
        raise ValueError(f"{group.name}/{name} is {stored.dtype}{stored.shape}, expected {np.dtype(kind)}{shape}")
    values = np.asarray(stored[()])
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"{group.name}/{name} holds values that are no numbers")
    return values


def write_json(group: h5py.Group, name: str, value: object) -> None:
    """Store a value as JSON text; NumPy arrays become lists."""
    text = json.dumps(value, default=lambda item: item.tolist() if hasattr(item, "tolist") else str(item))
    group.create_dataset(name, data=text, dtype=h5py.string_dtype(), track_times=False)


def read_json(group: h5py.Group, name: str, kind: type) -> Any:
    """Read a JSON text; raise ValueError unless it holds a ``dict`` or ``list`` as asked for."""
    value = parse_json(group[name].asstr()[()])
    if not isinstance(value, kind):
        raise ValueError(f"{name} is not a JSON {kind.__name__}")
    return value
