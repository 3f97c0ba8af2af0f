"""One configuration in the published text format: LSMS's ``info_evec_out``, as it is.

::

    energy  band_energy  fermi_energy                                  Ry, of the cell
    Z  index  x  y  z  electrons  moment  <11 more numbers>            one line for each atom

Positions are in Bohr, electrons are all of the cell around the atom (subtract Z for the charge), moments in Bohr
magnetons. The other numbers are directions of moments and constraining fields; they are checked to be numbers and not
used. Whether a run converged does not stand in its file. Nothing that is read is executed.

That the published sets have this format is known from LSMS and from a published loader of them, not from the sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from surrogate.site_matching import SiteMatcher
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

HEAD_COLUMNS = 3
ATOM_COLUMNS = 18
MAX_BYTES = 2**20
"""Sanity limit on a file; one of 64 atoms has about 20 kB."""
MAX_CHARGE = 5.0
"""Sanity limit on the electrons gained or lost by an atom."""

_Z, _POSITION, _ELECTRONS, _MOMENT = 0, slice(2, 5), 5, 6


@dataclass(frozen=True, eq=False)
class TextConfiguration:
    """What one file says, in the site order of the lattice.

    Attributes
    ----------
    energy, band_energy, fermi_energy : float, Ry
        Total energy and band energy of the cell, and the Fermi energy.
    occupations : int8[n_sites]
    charge : float64[n_sites], electrons
        Electrons around the atom minus Z.
    moment : float64[n_sites], Bohr magnetons
    """

    energy: float
    band_energy: float
    fermi_energy: float
    occupations: np.ndarray
    charge: np.ndarray
    moment: np.ndarray


class TextReader:
    """Reads files of configurations of one lattice.

    Parameters
    ----------
    lattice : Lattice
    """

    def __init__(self, lattice: Lattice) -> None:
        self._lattice = lattice
        self._matcher = SiteMatcher(lattice)
        self._numbers = np.array([atomic_numbers[symbol] for symbol in lattice.species], dtype=np.float64)

    def read(self, path: Path) -> TextConfiguration:
        """Read and check one file.

        Raises
        ------
        InputError
            Naming the file and, where it can, line, value and remedy.
        """
        try:
            head, atoms = _parse(_read_text(path), self._lattice.n_sites)
            occupations = self._occupations(atoms)
            charge = atoms[:, _ELECTRONS] - atoms[:, _Z]
            _check_charge(atoms, charge)
            sites = self._matcher.sites(atoms[:, _POSITION])
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        order = np.argsort(sites)
        return TextConfiguration(
            head[0], head[1], head[2], occupations[order], charge[order], atoms[order, _MOMENT].copy()
        )

    def _occupations(self, atoms: np.ndarray) -> np.ndarray:
        numbers = atoms[:, _Z]
        unknown = np.flatnonzero(~np.isin(numbers, self._numbers))
        if len(unknown):
            wanted = " or ".join(
                f"{number:.0f} ({symbol})" for number, symbol in zip(self._numbers, self._lattice.species, strict=True)
            )
            raise InputError(
                f"line {unknown[0] + 2}: Z is {_element(numbers[unknown[0]])}; this system has {wanted}; "
                "name the system of these files"
            )
        return (numbers == self._numbers[1]).astype(np.int8)


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise InputError("it is no regular file; take it out of the folder")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"it has {size} bytes, more than the limit of {MAX_BYTES} for one configuration")
        return path.read_bytes().decode("ascii")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError("it is no plain text; take it out of the folder") from error


def _parse(text: str, n_sites: int) -> tuple[list[float], np.ndarray]:
    """Return the numbers of the first line, and ``float64[n_sites, 18]`` of the atoms."""
    lines = text.rstrip().split("\n")
    head = _numbers(lines[0], 1, HEAD_COLUMNS, "total energy, band energy and Fermi energy")
    if len(lines) - 1 != n_sites:
        raise InputError(
            f"it holds {len(lines) - 1} atoms; the cell of this system has {n_sites}: give the system they are of"
        )
    atoms = [_numbers(line, number, ATOM_COLUMNS, "one atom") for number, line in enumerate(lines[1:], start=2)]
    return head, np.array(atoms)


def _numbers(line: str, number: int, n_columns: int, what: str) -> list[float]:
    words = line.split()
    if len(words) != n_columns:
        raise InputError(
            f"line {number} has {len(words)} columns; expected {n_columns} ({what}); "
            "write files as info_evec_out of LSMS or take this one out of the folder"
        )
    try:
        values = list(map(float, words))
    except ValueError:
        values = [math.nan]
    if "_" in line or not all(map(math.isfinite, values)):
        column = next(place for place, word in enumerate(words) if not _is_number(word))
        raise InputError(
            f"line {number}, column {column + 1}: {words[column][:40]!r} is no finite number; "
            "compute this configuration anew or take the file out of the folder"
        )
    return values


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word)) and "_" not in word  # Python alone reads 1_0 as a number
    except ValueError:
        return False


def _check_charge(atoms: np.ndarray, charge: np.ndarray) -> None:
    wrong = np.flatnonzero(abs(charge) > MAX_CHARGE)
    if len(wrong):
        raise InputError(
            f"line {wrong[0] + 2}, column {_ELECTRONS + 1}: {atoms[wrong[0], _ELECTRONS]:g} electrons around an atom "
            f"of Z = {atoms[wrong[0], _Z]:.0f} differ by more than {MAX_CHARGE:g}; the column must hold all electrons"
        )


def _element(number: float) -> str:
    known = number.is_integer() and 0 < number < len(chemical_symbols)
    return f"{number:g} ({chemical_symbols[int(number)]})" if known else f"{number:g}"
