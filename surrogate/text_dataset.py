"""A folder of published text files, one a configuration, as a data set.

The two published sets of 32-atom cells (CuAu, FePt) are such folders; :mod:`surrogate.text_configuration` has the
format. Files hold no cell: it is that of the system. Reference energies are those of the files in which all
atoms are of one species, unless they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surrogate.dataset import MAX_CONFIGURATIONS, Dataset
from surrogate.orbits import MAX_SITES, orbit_labels
from surrogate.text_configuration import TextConfiguration, TextReader
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import System

SAME_SPECIES_SPREAD = 1e-5
"""How much energies per atom (Ry) of files of one pure species may differ."""
MAX_MIXING = 1.0
"""Sanity limit on mixing energies, Ry/atom; those of alloys are a hundred times smaller."""

_SOURCE = "imported text file"


def read_text_dataset(folder: Path, system: System, reference_energies: tuple[float, float] | None = None) -> Dataset:
    """Read all files of a folder.

    Parameters
    ----------
    folder : Path
        Holds nothing but files of configurations; names that begin with a dot are passed over.
    system : System
        Whose cell the files are for.
    reference_energies : tuple of two float, Ry/atom, optional
        Energy per atom of the pure species, where the folder has no files of them or others are wanted.

    Returns
    -------
    Dataset
        In the order of file names. Moments are left out where all of them are exactly 0.

    Raises
    ------
    InputError
        If a file is wrong or does not fit the system, or a reference energy is missing.
    """
    if system.lattice.n_sites > MAX_SITES:
        raise InputError(f"a cell of {system.lattice.n_sites} sites is too large for a data set (limit {MAX_SITES})")
    files = list_files(folder)
    reader = TextReader(system.lattice)
    read = [reader.read(file) for file in files]
    occupations = np.array([one.occupations for one in read])
    energy = np.array([one.energy for one in read])
    if reference_energies is None:
        references = _pure_energies(folder, files, occupations, energy, system.lattice)
    else:
        references = np.array(reference_energies, dtype=np.float64)
    moment = np.array([one.moment for one in read])
    data = Dataset(
        system.lattice,
        occupations,
        energy,
        orbit_labels(system.lattice, occupations),
        references,
        np.array([one.charge for one in read]),
        moment if moment.any() else None,
        np.full(len(read), _SOURCE),
        _records(read),
        _attributes(folder, system, given=reference_energies is not None),
    )
    _check_mixing(data, files)
    return data


def list_files(folder: Path) -> list[Path]:
    """List the files of a folder by name, those that begin with a dot left out.

    Raises
    ------
    InputError
        If the folder cannot be read, is empty, or holds too many files.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot read folder {folder}: {error.strerror}") from error
    if not files:
        raise InputError(f"folder {folder} is empty; it needs one text file for each configuration")
    if len(files) > MAX_CONFIGURATIONS:
        raise InputError(
            f"folder {folder} holds {len(files)} files, more than the limit of {MAX_CONFIGURATIONS}: give fewer"
        )
    return files


def _pure_energies(
    folder: Path, files: Sequence[Path], occupations: np.ndarray, energy: np.ndarray, lattice: Lattice
) -> np.ndarray:
    """Return the energies per atom of the files in which all atoms are of one species, ``float64[2]``, Ry."""
    found = []
    for kind, symbol in enumerate(lattice.species):
        rows = np.flatnonzero((occupations == kind).all(axis=1))
        if not len(rows):
            raise InputError(
                f"folder {folder} has no file in which all {lattice.n_sites} atoms are {symbol}, from which the "
                "reference energy would come; add one or give --reference-energies E1 E2 (Ry per atom, "
                f"{' then '.join(lattice.species)})"
            )
        own = energy[rows] / lattice.n_sites
        if np.ptp(own) > SAME_SPECIES_SPREAD:
            low, high = files[rows[own.argmin()]].name, files[rows[own.argmax()]].name
            raise InputError(
                f"folder {folder}: {low} and {high} both are pure {symbol} but differ by {np.ptp(own):.3g} Ry per "
                "atom; keep files of one kind of calculation only"
            )
        found.append(own.mean())
    return np.array(found)


def _records(read: Sequence[TextConfiguration]) -> dict[str, np.ndarray]:
    return {
        "band_energy": np.array([one.band_energy for one in read]),
        "fermi_energy": np.array([one.fermi_energy for one in read]),
    }


def _attributes(folder: Path, system: System, *, given: bool) -> dict[str, str]:
    return {
        "system": system.name,
        "code": "not stated in the files, whose format is that of LSMS (info_evec_out)",
        "settings": "not stated in the files",
        "imported_from": folder.resolve().name,
        "reference_energies_from": "given by the user" if given else "files of the pure species",
    }


def _check_mixing(data: Dataset, files: Sequence[Path]) -> None:
    """Refuse energies in another unit, of another cell or with reference energies of another code."""
    per_atom = data.mixing_energy / data.lattice.n_sites
    wrong = int(abs(per_atom).argmax())
    if abs(per_atom[wrong]) > MAX_MIXING:
        raise InputError(
            f"{files[wrong]}: line 1: total energy {data.energy[wrong]!r} Ry is {per_atom[wrong]:.4g} Ry per atom from "
            f"that of the pure species ({data.reference_energies[0]!r} and {data.reference_energies[1]!r} Ry per "
            f"atom), more than {MAX_MIXING:g}; total energies of the cell and reference energies per atom must be in "
            "Ry and from the same kind of calculation"
        )
