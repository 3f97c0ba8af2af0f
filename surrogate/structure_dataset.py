"""Structures with energies in files that ASE reads, as a data set: extended XYZ, trajectories, databases, VASP.

Units are those of ASE (eV, Angstrom) and become those of a data set. Structures may be relaxed, shifted and of
different sizes: :mod:`surrogate.ideal_sites` takes each back to the lattice, and says how far it was off. Charges are
read as ASE has them, positive where electrons are missing, and change their sign; magnetic moments stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.io.formats import UnknownFileTypeError, filetype

from surrogate.dataset import MAX_CONFIGURATIONS, Dataset
from surrogate.ideal_sites import MAX_DISPLACEMENT, IdealSites, Placement
from surrogate.orbits import orbit_labels
from surrogate.text_dataset import MAX_MIXING
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.systems import System

FORMATS = ("extxyz", "traj", "db", "json", "vasp-xml", "vasp-out", "espresso-out", "aims-output")
"""Formats (ASE's names) that hold energies and run no code when they are read."""
SAME_SPECIES_SPREAD = 1e-3
"""How much energies (eV per atom) of structures of one pure species may differ: cells differ in their k points."""
RIGID = 1e-3
"""Distances (Angstrom) and strains up to this are rounding, not relaxation."""


@dataclass(frozen=True)
class EnergyColumn:
    """Where energies stand and what they are.

    Attributes
    ----------
    key : str, optional
        Name in the information of a structure (extended XYZ) or its key-value pairs (databases); the energy of its
        calculation where there is none.
    mixing_per_atom : bool
        They are mixing energies in eV per atom instead of total energies in eV.
    """

    key: str | None = None
    mixing_per_atom: bool = False

    def read(self, structure: Atoms) -> float:
        """Return the number that stands there."""
        if self.key is None:
            results = {} if structure.calc is None else structure.calc.results
            value = results.get("energy")
        else:
            value = _information(structure).get(self.key)
        if not isinstance(value, int | float | np.number):
            names = ", ".join(sorted(map(str, _information(structure)))) or "nothing"
            wanted = "energy of a calculation" if self.key is None else f"number {self.key!r}"
            raise InputError(f"it has no {wanted}; it has {names}: name one with --energy-key")
        energy = float(value)
        if not np.isfinite(energy):
            raise InputError(f"its energy is {energy}; compute it anew or leave it out")
        return energy


def read_structures(
    files: Sequence[Path],
    system: System,
    energies: EnergyColumn | None = None,
    reference_energies: tuple[float, float] | None = None,
    max_displacement: float = MAX_DISPLACEMENT,
) -> Dataset:
    """Read all structures of some files.

    Parameters
    ----------
    files : sequence of Path
    system : System
        Its cell must be a supercell of every structure's.
    energies : EnergyColumn, optional
    reference_energies : tuple of two float, eV/atom, optional
        Energy per atom of the pure species, where no structure is pure or others are wanted.
    max_displacement : float
        How far an atom may be from its site, as a share of the distance of nearest neighbours.

    Returns
    -------
    Dataset
        In the order of files and of structures in them, with the records ``scale``, ``strain`` and ``displacement``
        (Angstrom) of each.

    Raises
    ------
    InputError
        Naming file and structure, if one does not fit the lattice or has no energy, or if a reference is missing.
    """
    column = energies or EnergyColumn()
    if column.mixing_per_atom and reference_energies is None:
        reference_energies = (0.0, 0.0)
    reader = _Reader(system.lattice, column, IdealSites(system.lattice, max_displacement))
    read = [reader.read(name, structure) for name, structure in _structures(files)]
    occupations = np.array([one.occupations for one in read])
    totals = np.array([one.energy for one in read])
    references = _references(system.lattice, occupations, totals, reference_energies)
    placements = [one.placement for one in read]
    data = Dataset(
        system.lattice,
        occupations,
        totals,
        orbit_labels(system.lattice, occupations),
        references,
        _columns([one.charge for one in read]),
        _columns([one.moment for one in read]),
        np.full(len(read), "imported structure"),
        _records(placements),
        _attributes(files, system, placements, given=reference_energies is not None),
    )
    _check_mixing(data, [one.name for one in read])
    return data


def spread_within_orbits(data: Dataset) -> float:
    """Return the largest difference of energies of symmetry-equivalent configurations, Ry per cell; 0 without any."""
    _, inverse = np.unique(data.orbit, return_inverse=True)
    low, high = np.full(inverse.max() + 1, np.inf), np.full(inverse.max() + 1, -np.inf)
    np.minimum.at(low, inverse, data.energy)
    np.maximum.at(high, inverse, data.energy)
    return float((high - low).max())


@dataclass(frozen=True, eq=False)
class _Read:
    name: str
    occupations: np.ndarray
    energy: float
    charge: np.ndarray | None
    moment: np.ndarray | None
    placement: Placement


@dataclass(frozen=True)
class _Reader:
    lattice: Lattice
    energies: EnergyColumn
    sites: IdealSites

    def read(self, name: str, structure: Atoms) -> _Read:
        try:
            symbols = np.array(structure.get_chemical_symbols())
            strange = sorted(set(symbols) - set(self.lattice.species))
            if strange:
                raise InputError(f"it holds {strange[0]}; this system has {' and '.join(self.lattice.species)}")
            energy = self.energies.read(structure)
            place = self.sites.place(structure)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        n = self.lattice.n_sites if self.energies.mixing_per_atom else place.copies
        occupations = (symbols == self.lattice.species[1]).astype(np.int8)[place.atoms]
        results = {} if structure.calc is None else structure.calc.results
        charge, moment = (_per_site(results.get(key), len(symbols), place) for key in ("charges", "magmoms"))
        return _Read(name, occupations, energy * n / units.Ry, None if charge is None else -charge, moment, place)


def _structures(files: Sequence[Path]) -> Iterator[tuple[str, Atoms]]:
    read = 0
    for file in files:
        for number, structure in enumerate(_of_file(file), start=1):
            read += 1
            if read > MAX_CONFIGURATIONS:
                raise InputError(f"there are more structures than the limit of {MAX_CONFIGURATIONS}")
            yield f"{file}, structure {number}", structure


def _of_file(file: Path) -> Iterator[Atoms]:
    if not file.is_file():
        raise InputError(f"{file} is no file; give files of structures with energies")
    try:
        kind = filetype(str(file))
    except UnknownFileTypeError:
        kind = "of a kind that ASE does not know"
    if kind not in FORMATS:
        raise InputError(f"{file} is {kind}; formats that hold energies and can be read are {', '.join(FORMATS)}")
    try:
        yield from ase.io.iread(str(file), index=":", format=kind, do_not_split_by_at_sign=True)
    except Exception as error:  # ASE's readers raise whatever the format's parser raises
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(f"{file} cannot be read as {kind}: {reason}") from error


def _information(structure: Atoms) -> dict[str, Any]:
    pairs = structure.info.get("key_value_pairs", {})
    return {**structure.info, **pairs}


def _per_site(values: Any, n_atoms: int, place: Placement) -> np.ndarray | None:
    if values is None:
        return None
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[place.atoms] if numbers.shape == (n_atoms,) else None  # moments of non-collinear spins are no column


def _columns(rows: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [row for row in rows if row is not None]
    return np.array(known) if len(known) == len(rows) else None


def _records(placements: Sequence[Placement]) -> dict[str, np.ndarray]:
    return {
        "scale": np.array([one.scale for one in placements]),
        "strain": np.array([one.strain for one in placements]),
        "displacement": np.array([one.displacement for one in placements]) * units.Bohr,
    }


def _references(
    lattice: Lattice, occupations: np.ndarray, totals: np.ndarray, given: tuple[float, float] | None
) -> np.ndarray:
    """Return the energies per atom of the pure species, ``float64[2]``, Ry: those given or those of pure structures."""
    if given is not None:
        return np.array(given, dtype=np.float64) / units.Ry
    found = []
    for kind, symbol in enumerate(lattice.species):
        own = totals[(occupations == kind).all(axis=1)] / lattice.n_sites
        if not len(own):
            raise InputError(
                f"no structure is pure {symbol}, from which the reference energy would come; add one or give "
                f"--reference-energies E1 E2 (eV per atom, {' then '.join(lattice.species)})"
            )
        if np.ptp(own) * units.Ry > SAME_SPECIES_SPREAD:
            raise InputError(
                f"structures of pure {symbol} differ by {np.ptp(own) * units.Ry:.3g} eV per atom (limit "
                f"{SAME_SPECIES_SPREAD}); keep structures of one kind of calculation or give --reference-energies"
            )
        found.append(own.mean())
    return np.array(found)


def _attributes(
    files: Sequence[Path], system: System, placements: Sequence[Placement], *, given: bool
) -> dict[str, str]:
    said = {
        "system": system.name,
        "code": "not stated in the files, which were read with ASE",
        "settings": "not stated in the files",
        "imported_from": ", ".join(file.name for file in files),
        "reference_energies_from": "given by the user" if given else "structures of the pure species",
    }
    off = max(one.displacement for one in placements) * units.Bohr
    strain = max(max(one.strain, abs(one.scale - 1)) for one in placements)
    if max(off, strain) > RIGID:
        said["caution"] = (
            f"energies are those of relaxed structures (atoms up to {off:.2f} Angstrom off their sites, lengths up to "
            f"{100 * strain:.1f} % off), counted for configurations of the rigid lattice"
        )
    return said


def _check_mixing(data: Dataset, names: Sequence[str]) -> None:
    per_atom = data.mixing_energy / data.lattice.n_sites
    wrong = int(abs(per_atom).argmax())
    if abs(per_atom[wrong]) > MAX_MIXING:
        raise InputError(
            f"{names[wrong]}: its mixing energy is {per_atom[wrong] * units.Ry:.4g} eV per atom (limit "
            f"{MAX_MIXING * units.Ry:.1f}); energies must be totals in eV, or mixing energies in eV per atom with "
            "--mixing-per-atom, and reference energies of the same kind of calculation"
        )
