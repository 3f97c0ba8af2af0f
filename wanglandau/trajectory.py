"""Trajectories: configurations that a Metropolis run passed through, for later analysis and for other programs.

A trajectory file (HDF5) is appended to under a temporary name and gets its own when it is closed::

    /                      attributes: kind ("wanglandau trajectory"), schema (int), n_sites (int), name,
    |                      species (two str)
    +-- cell               float64[3, 3], Bohr
    +-- positions          float64[n_sites, 3], Bohr
    +-- names              str, JSON list: names of the observables
    +-- occupations        uint8[n, ceil(n_sites / 8)]; site s is bit s % 8, lowest first, of byte s // 8
    +-- energy             float64[n], mixing energy, Ry per cell
    +-- composition        int32[n], number of second-species atoms
    +-- temperature        float64[n], K
    +-- trial              int64[n], trials before this record
    +-- walker             int32[n]
    +-- observables        float64[n, n_names]

The extended XYZ files are for ASE, OVITO and the like.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import ase.io
import h5py
import numpy as np
from ase import Atoms, units

from wanglandau.atomic_file import replacing
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import read_array, read_json, reading, write_array, write_json, writing
from wanglandau.lattice import Lattice

SCHEMA = 1
KIND = "wanglandau trajectory"
_CHUNK_BYTES = 65_536
_COLUMNS = {
    "energy": np.float64,
    "composition": np.int32,
    "temperature": np.float64,
    "trial": np.int64,
    "walker": np.int32,
}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a trajectory file holds.

    Attributes
    ----------
    lattice : Lattice
    occupations : int8[n, n_sites]
    energies : float64[n], Ry per cell
        Mixing energies.
    temperatures : float64[n], K
    trials : int64[n]
        Trials of the walker before this record.
    walkers : int32[n]
    names : tuple of str
        Of the observables.
    observables : float64[n, n_names]
    """

    lattice: Lattice
    occupations: np.ndarray
    energies: np.ndarray
    temperatures: np.ndarray
    trials: np.ndarray
    walkers: np.ndarray
    names: tuple[str, ...]
    observables: np.ndarray

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def compositions(self) -> np.ndarray:
        """Number of second-species atoms, ``int32[n]``."""
        return self.occupations.sum(axis=1, dtype=np.int32)


class TrajectoryWriter:
    """Writes a trajectory file while a run goes on.

    Use it as a context manager. The file appears under its name, complete, when the block ends; if the block fails,
    whatever was there before stays.

    Parameters
    ----------
    path : path
    lattice : Lattice
    names : sequence of str
        Of the observables that go with each record.

    Raises
    ------
    InputError
        On entry or at the end, if the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> lattice = Lattice.cubic("fcc", ("Cu", "Au"), 7.3, (1, 1, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with TrajectoryWriter(f"{folder}/run.h5", lattice) as writer:
    ...         writer.append(np.array([[0, 1, 0, 1]]), energies=[-0.02], temperatures=300.0, trials=10)
    ...     read_trajectory(f"{folder}/run.h5").occupations
    array([[0, 1, 0, 1]], dtype=int8)
    """

    def __init__(self, path: str | os.PathLike[str], lattice: Lattice, names: tuple[str, ...] = ()) -> None:
        self.path = Path(path)
        self.lattice = lattice
        self.names = tuple(names)
        self._stack = ExitStack()
        self._file: h5py.File | None = None

    def __enter__(self) -> Self:
        self._file = self._stack.enter_context(writing(self.path))
        self._file.attrs.update({"kind": KIND, "schema": SCHEMA, "n_sites": self.lattice.n_sites})
        self._file.attrs.update({"name": self.lattice.name, "species": list(self.lattice.species)})
        write_array(self._file, "cell", self.lattice.cell)
        write_array(self._file, "positions", self.lattice.positions)
        write_json(self._file, "names", list(self.names))
        _grow_by(self._file, "occupations", (self.lattice.n_sites + 7) // 8, np.uint8)
        _grow_by(self._file, "observables", len(self.names), np.float64)
        for column, kind in _COLUMNS.items():
            _grow_by(self._file, column, None, kind)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file = None
        self._stack.__exit__(kind, error, traceback)

    def append(
        self,
        occupations: np.ndarray,
        energies: np.ndarray,
        temperatures: np.ndarray | float,
        trials: np.ndarray | int,
        walkers: np.ndarray | int = 0,
        observables: np.ndarray | None = None,
    ) -> None:
        """Add records.

        Parameters
        ----------
        occupations : int8[n, n_sites]
        energies : float64[n], Ry per cell
        temperatures : float or float64[n], K
        trials, walkers : int or int64[n]
        observables : float64[n, n_names], optional
            Needed if the writer was given names.

        Raises
        ------
        InputError
            If shapes do not go together, occupations are not 0 and 1 or the writer is not open; nothing is added then.
        """
        if self._file is None:
            raise InputError(f"the trajectory {self.path} is not open; append inside its 'with' block")
        rows = _checked_occupations(occupations, self.lattice)
        measured = np.empty((len(rows), 0)) if observables is None else np.asarray(observables, dtype=np.float64)
        if measured.shape != (len(rows), len(self.names)) or not np.isfinite(measured).all():
            raise InputError(f"observables have shape {measured.shape}; give finite ({len(rows)}, {len(self.names)})")
        columns = {
            "energy": _column(energies, len(rows), "energies"),
            "composition": rows.sum(axis=1, dtype=np.int32),
            "temperature": _column(temperatures, len(rows), "temperatures"),
            "trial": _column(trials, len(rows), "trials"),
            "walker": _column(walkers, len(rows), "walkers"),
            "occupations": np.packbits(rows.astype(np.uint8), axis=1, bitorder="little"),
            "observables": measured,
        }
        for name, values in columns.items():
            data = self._file[name]
            data.resize(len(data) + len(rows), axis=0)
            data[len(data) - len(rows) :] = values

    def flush(self) -> None:
        """Hand what was appended to the operating system; the file keeps its temporary name."""
        if self._file is not None:
            self._file.flush()


def read_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory file.

    Raises
    ------
    InputError
        If it is missing, damaged or something else.
    """
    with reading(Path(path)) as file:
        if file.attrs.get("kind") != KIND:
            raise InputError(f"{path} is not a trajectory of wanglandau; make one with metropolis --trajectory")
        if file.attrs.get("schema") != SCHEMA:
            raise InputError(f"{path} has schema {file.attrs.get('schema')}; this version reads {SCHEMA}: make it anew")
        n_sites, n = int(file.attrs["n_sites"]), file["energy"].shape[0]
        species = [str(symbol) for symbol in file.attrs["species"]]
        cell = read_array(file, "cell", np.float64, (3, 3))
        positions = read_array(file, "positions", np.float64, (n_sites, 3))
        names = tuple(str(name) for name in read_json(file, "names", list))
        packed = read_array(file, "occupations", np.uint8, (n, (n_sites + 7) // 8))
        occupations = np.unpackbits(packed, axis=1, count=n_sites, bitorder="little").astype(np.int8)
        columns = {name: read_array(file, name, kind, (n,)) for name, kind in _COLUMNS.items()}
        if not np.array_equal(columns["composition"], occupations.sum(axis=1)):
            raise ValueError("the compositions are not those of the occupations")
        return Trajectory(
            lattice=Lattice((species[0], species[1]), cell, positions, str(file.attrs["name"])),
            occupations=occupations,
            energies=columns["energy"],
            temperatures=columns["temperature"],
            trials=columns["trial"],
            walkers=columns["walker"],
            names=names,
            observables=read_array(file, "observables", np.float64, (n, len(names))),
        )


def write_extxyz(
    path: str | os.PathLike[str],
    lattice: Lattice,
    occupations: np.ndarray,
    energies: np.ndarray,
    *,
    temperatures: np.ndarray | float | None = None,
    charges: np.ndarray | None = None,
    moments: np.ndarray | None = None,
) -> None:
    """Write configurations as extended XYZ, the cell and positions in Angstrom.

    ``energy`` (eV) is the mixing energy of the cell. ``charges`` follow the custom of that format and of ASE: units of
    the elementary charge, positive where electrons are missing, which is the opposite sign of the argument.
    ``composition`` and ``temperature`` (K, where given) stand beside the energy.

    Parameters
    ----------
    path : path
    lattice : Lattice
    occupations : int8[n, n_sites]
    energies : float64[n], Ry per cell
    temperatures : float or float64[n], K, optional
    charges : float64[n, n_sites], electrons, optional
        Surplus electrons of each site.
    moments : float64[n, n_sites], Bohr magnetons, optional

    Raises
    ------
    InputError
        If shapes do not go together or the file cannot be written.
    """
    rows = _checked_occupations(occupations, lattice)
    mixing = _column(energies, len(rows), "energies") * units.Ry
    kelvin = None if temperatures is None else _column(temperatures, len(rows), "temperatures")
    sites: dict[str, np.ndarray] = {}
    if charges is not None:
        sites["charges"] = -_site_values(charges, rows, "charges")
    if moments is not None:
        sites["magmoms"] = _site_values(moments, rows, "moments")
    try:
        with replacing(Path(path)) as temporary, open(temporary, "x", encoding="utf-8") as file:
            for number, row in enumerate(rows):
                atoms = lattice.to_atoms(row)
                atoms.info |= {"energy": float(mixing[number]), "composition": int(row.sum())}
                if kelvin is not None:
                    atoms.info["temperature"] = float(kelvin[number])
                _write_frame(file, atoms, {name: values[number] for name, values in sites.items()})
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; name a file in a writable folder") from error


def _write_frame(file: TextIO, atoms: Atoms, sites: dict[str, np.ndarray]) -> None:
    for name, values in sites.items():
        atoms.set_array(name, values)
    ase.io.write(file, atoms, format="extxyz")


def _grow_by(file: h5py.File, name: str, width: int | None, kind: type) -> None:
    """Make an empty dataset with rows of ``width`` (None: plain numbers) that can be appended to."""
    row = () if width is None else (width,)
    bytes_per_row = max(1, int(np.prod(row)) * np.dtype(kind).itemsize)
    chunk = (max(1, _CHUNK_BYTES // bytes_per_row), *(max(1, size) for size in row))
    if width == 0:
        file.create_dataset(name, (0, 0), dtype=kind, maxshape=(None, 1), chunks=chunk, track_times=False)
        return
    file.create_dataset(
        name, (0, *row), dtype=kind, maxshape=(None, *row), chunks=chunk, compression="gzip", track_times=False
    )


def _checked_occupations(occupations: np.ndarray, lattice: Lattice) -> np.ndarray:
    rows = np.asarray(occupations)
    if rows.ndim != 2 or rows.shape[1] != lattice.n_sites:
        raise InputError(f"occupations have shape {rows.shape}; the lattice needs (n, {lattice.n_sites})")
    if not np.isin(rows, (0, 1)).all():
        raise InputError("occupations must be 0 (first species) or 1 (second species)")
    return rows.astype(np.int8)


def _column(values: np.ndarray | float, n: int, name: str) -> np.ndarray:
    column = np.asarray(values)
    if column.shape not in ((), (n,)) or not np.isfinite(column).all():
        raise InputError(f"{name} have shape {column.shape}; give one finite number for each of {n} configurations")
    return np.broadcast_to(column, (n,))


def _site_values(values: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != rows.shape or not np.isfinite(found).all():
        raise InputError(f"{name} have shape {found.shape}; give one finite number for each site, {rows.shape}")
    return found
