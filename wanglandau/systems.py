"""The alloys known by name, and TOML files that describe others.

A system file looks like this::

    species = ["Cu", "Au"]
    structure = "fcc"              # fcc, bcc, sc; or: structure_file = "cell.cif" (see STRUCTURE_FORMATS)
    lattice_constant = 3.87        # Angstrom, with fcc, bcc and sc
    repeat = [2, 2, 2]
    composition = 16               # optional: default number of second-species atoms
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
from ase import Atoms, units

from wanglandau.bounded_file import read_text
from wanglandau.errors import FAULTS, InputError
from wanglandau.lattice import Lattice
from wanglandau.toml_file import read_toml


@dataclass(frozen=True)
class System:
    """A named alloy: its lattice and what a command takes when nothing else is said.

    Attributes
    ----------
    name : str
    lattice : Lattice
    composition : int
        Default number of second-species atoms.
    """

    name: str
    lattice: Lattice
    composition: int


NAMED: Mapping[str, dict[str, Any]] = {
    "cuau": {"species": ["Cu", "Au"], "structure": "fcc", "lattice_constant": 3.87, "repeat": [2, 2, 2]},
    "fept": {"species": ["Fe", "Pt"], "structure": "bcc", "lattice_constant": 3.02, "repeat": [2, 2, 4]},
}
"""The systems of the data sets that come with the package: 32 atoms each."""

STRUCTURE_FORMATS: Mapping[str, str] = {
    ".cif": "cif",
    ".vasp": "vasp",
    ".poscar": "vasp",
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".xsf": "xsf",
}
"""ASE's name of the format by ending; plain texts only, for some of the other formats that ASE reads hold programs."""
MAX_STRUCTURE = 2**22
"""Sanity limit on a structure file (bytes)."""
MAX_NAME = 100
"""Sanity limit on the name of a system, which files are named after."""

_KEYS = {"species", "structure", "structure_file", "lattice_constant", "repeat", "composition", "name"}


def load_system(system: str, repeat: tuple[int, int, int] | None = None) -> System:
    """Find a system by name or read it from a TOML file.

    Parameters
    ----------
    system : str
        ``cuau``, ``fept`` or the path of a TOML file.
    repeat : tuple of three int, optional
        Number of conventional cells along each axis, instead of the system's own.

    Raises
    ------
    InputError
        If there is no such system or the file is wrong.
    """
    if system in NAMED:
        return _make_system(system, NAMED[system], Path(), repeat)
    path = Path(system)
    if path.suffix != ".toml":
        raise InputError(f"system {system!r} is not known; choose one of {', '.join(NAMED)} or give a .toml file")
    settings = read_toml(path, "system file")
    return _make_system(str(settings.get("name", path.stem)), settings, path.parent, repeat)


def _make_system(name: str, settings: Mapping[str, Any], folder: Path, repeat: tuple[int, int, int] | None) -> System:
    _check_name(name)
    unknown = sorted(set(settings) - _KEYS)
    if unknown:
        raise InputError(f"system {name}: unknown key {unknown[0]!r}; known keys are {', '.join(sorted(_KEYS))}")
    try:
        lattice = _make_lattice(settings, folder, repeat)
    except KeyError as error:
        raise InputError(f"system {name}: key {error.args[0]!r} is missing; add it") from error
    except InputError as error:
        raise InputError(f"system {name}: {error}") from error
    except FAULTS as error:
        raise InputError(
            f"system {name}: a value has the wrong type or no sensible size ({error}); write numbers without quotes"
        ) from error
    default = lattice.n_sites // 2 if repeat is not None else settings.get("composition", lattice.n_sites // 2)
    if isinstance(default, bool) or not isinstance(default, int) or not 0 <= default <= lattice.n_sites:
        raise InputError(
            f"system {name}: composition {default!r} is not a whole number from 0 to {lattice.n_sites}; write one"
        )
    return System(name, lattice, default)


def _check_name(name: str) -> None:
    """Refuse a name that would lead out of a folder, look like an option or upset a terminal."""
    if not 1 <= len(name) <= MAX_NAME or name[0] in ".-" or not name.isprintable() or {"/", "\\"} & set(name):
        raise InputError(
            f"system name {name[:MAX_NAME]!r}: give 1 to {MAX_NAME} printable characters, not / or \\, that do not "
            "begin with . or -"
        )


def _make_lattice(settings: Mapping[str, Any], folder: Path, repeat: tuple[int, int, int] | None) -> Lattice:
    first, second = _two_species(settings["species"])
    chosen = tuple(repeat if repeat is not None else settings.get("repeat", (1, 1, 1)))
    if "structure_file" in settings:
        atoms = _read_structure(folder / settings["structure_file"])
        return Lattice.from_atoms(atoms, (first, second)).repeat(chosen)
    constant = settings["lattice_constant"]
    if isinstance(constant, bool) or not isinstance(constant, int | float):
        raise InputError(f"lattice_constant is {constant!r}; give a number in Angstrom")
    return Lattice.cubic(settings["structure"], (first, second), constant / units.Bohr, chosen)


def _read_structure(path: Path) -> Atoms:
    """Read a structure; what is given to ASE is a text of known format, never a name that it would interpret."""
    kind = "vasp" if path.name in ("POSCAR", "CONTCAR") else STRUCTURE_FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(STRUCTURE_FORMATS)
        raise InputError(f"structure file {path.name} is of an unknown kind; give one that ends with {known}")
    text = read_text(path, "structure file", MAX_STRUCTURE)
    source = io.BytesIO(text.encode()) if kind == "cif" else io.StringIO(text)
    try:
        atoms = ase.io.read(source, index=-1, format=kind)
    except Exception as error:  # ASE's readers raise whatever the format's parser raises
        raise InputError(f"cannot read structure file {path.name}: {error}") from error
    if not isinstance(atoms, Atoms) or not len(atoms):
        raise InputError(f"structure file {path.name} holds no atoms")
    return atoms


def _two_species(species: Any) -> tuple[str, str]:
    if not isinstance(species, list) or len(species) != 2 or not all(isinstance(symbol, str) for symbol in species):
        raise InputError(f'species is {species!r}; give two chemical symbols, as in ["Cu", "Au"]')
    return species[0], species[1]
