"""The alloys known by name, and TOML files that describe others.

A system file looks like this::

    species = ["Cu", "Au"]
    structure = "fcc"              # fcc, bcc, sc; or: structure_file = "cell.cif" (anything ASE reads)
    lattice_constant = 3.87        # Angstrom, with fcc, bcc and sc
    repeat = [2, 2, 2]
    composition = 16               # optional: default number of second-species atoms
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
from ase import Atoms, units

from wanglandau.errors import InputError
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
    unknown = sorted(set(settings) - _KEYS)
    if unknown:
        raise InputError(f"system {name}: unknown key {unknown[0]!r}; known keys are {', '.join(sorted(_KEYS))}")
    try:
        lattice = _make_lattice(settings, folder, repeat)
    except KeyError as error:
        raise InputError(f"system {name}: key {error.args[0]!r} is missing; add it") from error
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"system {name}: a value has the wrong type ({error}); write numbers without quotes"
        ) from error
    except ValueError as error:
        raise InputError(f"system {name}: {error}") from error
    default = lattice.n_sites // 2 if repeat is not None else settings.get("composition", lattice.n_sites // 2)
    if not isinstance(default, int) or not 0 <= default <= lattice.n_sites:
        raise InputError(
            f"system {name}: composition {default!r} is no whole number from 0 to {lattice.n_sites}; write one"
        )
    return System(name, lattice, default)


def _make_lattice(settings: Mapping[str, Any], folder: Path, repeat: tuple[int, int, int] | None) -> Lattice:
    first, second = _two_species(settings["species"])
    chosen = tuple(repeat if repeat is not None else settings.get("repeat", (1, 1, 1)))
    if "structure_file" in settings:
        try:
            atoms = ase.io.read(folder / settings["structure_file"], index=-1)
        except Exception as error:  # ASE's readers raise whatever the format's parser raises
            raise InputError(f"cannot read structure file {settings['structure_file']}: {error}") from error
        assert isinstance(atoms, Atoms)
        return Lattice.from_atoms(atoms, (first, second)).repeat(chosen)
    constant = settings["lattice_constant"]
    if isinstance(constant, bool) or not isinstance(constant, int | float):
        raise InputError(f"lattice_constant is {constant!r}; give a number in Angstrom")
    return Lattice.cubic(settings["structure"], (first, second), constant / units.Bohr, chosen)


def _two_species(species: Any) -> tuple[str, str]:
    if not isinstance(species, list) or len(species) != 2 or not all(isinstance(symbol, str) for symbol in species):
        raise InputError(f'species is {species!r}; give two chemical symbols, as in ["Cu", "Au"]')
    return species[0], species[1]
