"""First-principles results as a data set: what is in the file and how it is checked.

A data set is one HDF5 file; every array carries the attributes ``units`` and ``description``::

    /occupations   int8[n, n_sites]     1           0 = first species, 1 = second
    /energy        float64[n]           Ry          total energy of the cell
    /charge        float64[n, n_sites]  electron    optional: electrons in the sphere minus Z
    /moment        float64[n, n_sites]  mu_B        optional: spin moment in the sphere
    /orbit         uint32[n] | uint64   1           smallest sum_i occ[i] 2^i over the space group of the cell
    /source        S[n]                             optional: how the configuration was chosen
    /<record>      number[n]            any         optional: whatever else is known of each run (wall_time, ...)
    @schema_version      int            1
    @species             S[2]           chemical symbols of occupations 0 and 1
    @cell_bohr           float64[3, 3]  lattice vectors, one a row
    @positions           float64[n_sites, 3]  Cartesian positions, Bohr
    @reference_energies  float64[2]     Ry/atom     pure species, same lattice and settings
    @<anything else>                    code, settings, date and other provenance

Nothing in here needs more than NumPy and h5py, so that a node that only runs first-principles
calculations can write data sets too.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from surrogate.orbits import MAX_SITES, folds_by_orbit, orbit_labels, split_by_orbit
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import reading, writing
from wanglandau.lattice import Lattice
from wanglandau.oracle import pure_energies
from wanglandau.seal import KEY

__all__ = ["Dataset", "folds_by_orbit", "load_dataset", "orbit_labels", "save_dataset", "split_by_orbit"]

SCHEMA_VERSION = 1
SHIPPED = {"cuau": "cuau32-lsms.h5", "fept": "fept32-lsms.h5"}
"""Data sets that come with the package, by the name of their system."""
MAX_CONFIGURATIONS = 10_000_000
"""Sanity limit on the length of a file."""

_ARRAYS = {
    "occupations": ("1", "0 = first species, 1 = second; site order as in attribute positions"),
    "energy": ("Ry", "total energy of the cell"),
    "charge": ("electron", "electrons in the atomic sphere minus Z; positive = surplus electrons"),
    "moment": ("mu_B", "spin moment in the atomic sphere"),
    "orbit": ("1", "smallest integer sum_i occ[i] 2^i over the space group of the periodic cell"),
    "source": ("", "how the configuration was chosen"),
}
_ATTRIBUTES = ("schema_version", "species", "cell_bohr", "positions", "reference_energies")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Configurations of one lattice with what a first-principles code found for them.

    Parameters
    ----------
    lattice : Lattice
    occupations : int8[n, n_sites]
    energy : float64[n], Ry
        Total energy of the cell.
    orbit : uint64[n]
        Label of the class of symmetry-equivalent configurations, see :func:`surrogate.orbits.orbit_labels`.
    reference_energies : float64[2], Ry/atom
        Energy per atom of the pure species on this lattice with the same settings.
    charge : float64[n, n_sites], electrons, optional
        Electrons in the sphere minus the nuclear charge.
    moment : float64[n, n_sites], Bohr magnetons, optional
    source : str[n], optional
        How each configuration was chosen.
    records : mapping of str to number[n]
        Other numbers known of each configuration, kept but not interpreted.
    attributes : mapping
        Where the data came from: code, settings, date; ``caution``, if there, is shown with every result that a model
        trained on these data gives.

    Raises
    ------
    InputError
        If shapes, values or orbit labels are wrong.
    """

    lattice: Lattice
    occupations: np.ndarray
    energy: np.ndarray
    orbit: np.ndarray
    reference_energies: np.ndarray
    charge: np.ndarray | None = None
    moment: np.ndarray | None = None
    source: np.ndarray | None = None
    records: Mapping[str, np.ndarray] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_sites = self.lattice.n_sites
        n = len(self.energy)
        if n == 0:
            raise InputError("the data set is empty; it needs at least one configuration")
        _check_occupations(self.occupations, n, n_sites)
        for name, shape in (("energy", (n,)), ("charge", (n, n_sites)), ("moment", (n, n_sites))):
            _check_finite(name, getattr(self, name), shape)
        _check_finite("reference_energies", self.reference_energies, (2,))
        for name, values in self.records.items():
            _check_shape(name, values, (n,))
        _check_shape("orbit", self.orbit, (n,))
        wrong = np.flatnonzero(orbit_labels(self.lattice, self.occupations) != self.orbit)
        if len(wrong):
            raise InputError(
                f"orbit {self.orbit[wrong[0]]} of configuration {wrong[0]} is not its canonical representative; "
                "occupations and positions must stand in the same site order"
            )

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def composition(self) -> np.ndarray:
        """Number of second-species atoms, ``int64[n]``."""
        return self.occupations.sum(axis=1, dtype=np.int64)

    @property
    def mixing_energy(self) -> np.ndarray:
        """Total energy minus that of the pure species, ``float64[n]``, Ry per cell."""
        return self.energy - pure_energies(self.occupations, self.reference_energies)

    @cached_property
    def digest(self) -> str:
        """Digest of lattice and arrays, whatever the file they came from looks like."""
        digest = hashlib.sha256(self.lattice.fingerprint.encode())
        for name in ("occupations", "energy", "charge", "moment", "orbit", "reference_energies"):
            values = getattr(self, name)
            if values is not None:
                digest.update(f"{name}{values.shape}".encode())
                digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def joined_with(self, other: Dataset) -> Dataset:
        """Put the configurations of another data set of the same lattice and reference energies behind these.

        Arrays and records that only one of them has are left out; attributes are those of this one.
        """
        arrays: dict[str, Any] = {name: _joined(getattr(self, name), getattr(other, name)) for name in _ARRAYS}
        shared = {name: values for name, values in self.records.items() if name in other.records}
        records = {name: np.concatenate([values, other.records[name]]) for name, values in shared.items()}
        return replace(self, **arrays, records=records)

    def select(self, indices: np.ndarray) -> Dataset:
        """Return the configurations of ``indices`` (int64[k]) as a data set of their own."""
        names = [name for name in _ARRAYS if getattr(self, name) is not None]
        parts = {name: getattr(self, name)[indices] for name in names}
        return replace(self, **parts, records={name: values[indices] for name, values in self.records.items()})


def _joined(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _check_shape(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise InputError(f"array {name!r} has shape {values.shape}; expected {shape}")


def _check_finite(name: str, values: np.ndarray | None, shape: tuple[int, ...]) -> None:
    if values is None:
        return
    _check_shape(name, values, shape)
    if values.dtype != np.float64:
        raise InputError(f"array {name!r} has type {values.dtype}; expected float64")
    if not np.isfinite(values).all():
        raise InputError(f"array {name!r} holds NaN or infinity in row {np.argwhere(~np.isfinite(values))[0][0]}")


def _check_occupations(occupations: np.ndarray, n: int, n_sites: int) -> None:
    _check_shape("occupations", occupations, (n, n_sites))
    if occupations.dtype != np.int8 or not np.isin(occupations, (0, 1)).all():
        raise InputError("array 'occupations' must be int8 and hold only 0 and 1")


def load_dataset(system_or_path: str | os.PathLike[str]) -> Dataset:
    """Read and check a data set.

    Parameters
    ----------
    system_or_path : str or path
        ``cuau`` or ``fept`` for the sets that come with the package, or a file.

    Raises
    ------
    InputError
        If the file cannot be read or breaks the schema.
    """
    if str(system_or_path) in SHIPPED:
        shipped = resources.files("surrogate") / "data" / SHIPPED[str(system_or_path)]
        with resources.as_file(shipped) as path:
            return _with_caution(_read(path), str(system_or_path))
    return _read(Path(system_or_path))


def _with_caution(dataset: Dataset, system: str) -> Dataset:
    """Add to the attributes what a reader of results has to know of the shipped data."""
    text = (resources.files("surrogate") / "data" / "cautions.toml").read_text(encoding="utf-8")
    return replace(dataset, attributes={**dataset.attributes, "caution": tomllib.loads(text)[system]})


def _read(path: Path) -> Dataset:
    if not path.is_file():
        raise InputError(f"data set {path} does not exist; give a file, or {' or '.join(SHIPPED)}")
    try:
        with reading(path) as file:
            return _dataset_from(file)
    except InputError as error:
        raise InputError(f"data set {error}") from error


def _dataset_from(file: h5py.File) -> Dataset:
    _check_names(file)
    attributes = {name: _decoded(value) for name, value in file.attrs.items() if name != KEY}
    if attributes["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"schema_version is {attributes['schema_version']}; "
            f"this version of the package reads {SCHEMA_VERSION}: make it anew"
        )
    n = len(file["energy"])
    if n > MAX_CONFIGURATIONS:
        raise InputError(f"{n} configurations are more than the limit of {MAX_CONFIGURATIONS}; give a smaller set")
    arrays = {name: _array(file[name], n) for name in file}
    lattice = Lattice(
        tuple(attributes["species"]),
        attributes["cell_bohr"],
        attributes["positions"],
        str(attributes.get("system", "lattice")),
    )
    records = {name: values for name, values in arrays.items() if name not in _ARRAYS}
    return Dataset(
        lattice,
        arrays["occupations"],
        arrays["energy"],
        arrays["orbit"].astype(np.uint64),
        np.asarray(attributes["reference_energies"]),
        arrays.get("charge"),
        arrays.get("moment"),
        arrays.get("source"),
        records,
        {name: value for name, value in attributes.items() if name not in _ATTRIBUTES},
    )


def _check_names(file: h5py.File) -> None:
    for name in ("occupations", "energy", "orbit"):
        if name not in file:
            raise InputError(f"array {name!r} is missing")
    for name in file:
        if not isinstance(file[name], h5py.Dataset):
            raise InputError(f"{name!r} is not an array")
    for name in _ATTRIBUTES:
        if name not in file.attrs:
            raise InputError(f"attribute {name!r} is missing")


def _array(dataset: h5py.Dataset, n: int) -> np.ndarray:
    """Read one array after its shape is known to be that of a table of ``n`` rows."""
    if dataset.ndim not in (1, 2) or len(dataset) != n or (dataset.ndim == 2 and dataset.shape[1] > MAX_SITES):
        raise InputError(f"array {dataset.name!r} has shape {dataset.shape}; expected {n} rows, one a configuration")
    values = dataset[()]
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def _decoded(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        return np.char.decode(value, "utf-8").tolist()
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [item.decode() if isinstance(item, bytes) else item for item in value]
    return value


def save_dataset(dataset: Dataset, path: str | os.PathLike[str]) -> None:
    """Write a data set; the file is complete or not there.

    Parameters
    ----------
    dataset : Dataset
    path : str or path
    """
    with writing(Path(path)) as file:
        _write(file, dataset)


def _write(file: h5py.File, dataset: Dataset) -> None:
    label_type = np.uint32 if dataset.lattice.n_sites <= 32 else np.uint64
    arrays = {name: getattr(dataset, name) for name in _ARRAYS} | dict(dataset.records)
    arrays["orbit"] = dataset.orbit.astype(label_type)
    for name, values in arrays.items():
        if values is None:
            continue
        stored = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
        created = file.create_dataset(name, data=stored, compression="gzip")
        created.attrs["units"], created.attrs["description"] = _ARRAYS.get(name, ("", ""))
    for name, value in dataset.attributes.items():
        file.attrs[name] = value
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["species"] = np.array(dataset.lattice.species, dtype="S")
    file.attrs["cell_bohr"] = dataset.lattice.cell
    file.attrs["positions"] = dataset.lattice.positions
    file.attrs["reference_energies"] = dataset.reference_energies
