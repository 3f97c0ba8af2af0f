"""Where data come from: a shipped set, an HDF5 file, or a folder of published text files."""

from __future__ import annotations

from pathlib import Path

from surrogate.dataset import SHIPPED, Dataset, load_dataset
from surrogate.text_dataset import read_text_dataset
from wanglandau.errors import InputError
from wanglandau.systems import System

STRUCTURES = (".xyz", ".extxyz", ".traj", ".db", ".json", ".xml")
"""Ends of names of files that ASE reads and this does not."""


def load_any(path: Path | None, system: System) -> Dataset:
    """Load data of a system, in whatever form they are there.

    Parameters
    ----------
    path : Path or None
        HDF5 file, folder of text files or name of a shipped set; None is the one shipped for the system.
    system : System

    Raises
    ------
    InputError
        If there are none, they cannot be read, or they are for another cell.
    """
    if path is None and system.name not in SHIPPED:
        raise InputError(
            f"no data set is shipped for system {system.name}; give a file or a folder of text files with --dataset"
        )
    if path is not None and path.is_dir():
        if str(path) in SHIPPED:
            raise InputError(f"{path} is a shipped data set and a folder here; give the folder by its absolute path")
        return read_text_dataset(path, system)
    if path is not None and path.suffix in STRUCTURES:
        raise InputError(
            f"{path} holds structures; make a data set of them first: surrogate import-structures {system.name} {path}"
        )
    data = load_dataset(system.name if path is None else path)
    if data.lattice.fingerprint != system.lattice.fingerprint:
        raise InputError(
            f"the data set is for {'-'.join(data.lattice.species)} with {data.lattice.n_sites} sites, not for the cell "
            f"of system {system.name} ({'-'.join(system.lattice.species)}, {system.lattice.n_sites} sites)"
        )
    return data
