"""The exact pair model: every unlike bond of a shell has one energy.

The mixing energy is the sum over shells of V_s times the number of unlike bonds in that shell, each bond
once, periodic images with their multiplicity. With Ising spins and E = J sum_bonds s_i s_j (J > 0: unlike
neighbours attract) an unlike bond lies 2 J below a like one, so V = -2 J; in terms of pair potentials
V = V_AB - (V_AA + V_BB) / 2. All energies are exact, which makes the model the reference of every sampler test.

A pair-model file looks like this::

    unlike_bond_energies = [-50.0]   # one per shell, nearest neighbours first
    units = "meV"                    # meV or Ry (default), per bond
    species = ["Cu", "Au"]           # optional: refuse a lattice of other species
    reference_energies = [0.0, 0.0]  # optional: energy per atom of the pure species, Ry
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import units

from wanglandau import mask_kernels, pair_kernels
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, CompiledEnergy, occupation_rows
from wanglandau.shells import Shell
from wanglandau.systems import System
from wanglandau.toml_file import read_toml

MAX_ENERGY = 2.0**11
"""Largest energy of a cell (Ry); up to twice this value, sums of whole energy quanta are exact in float64."""

MAX_NUMBER = 1e9
"""Sanity limit on numbers in a file."""

_KEYS = {"unlike_bond_energies", "units", "species", "reference_energies"}
_UNITS = {"Ry": 1.0, "meV": 1e-3 / units.Ry}


class PairOracle:
    """Mixing energies from the number of unlike bonds in each shell.

    Parameters
    ----------
    lattice : Lattice
    unlike_bond_energies : sequence of float, Ry per unlike bond
        One per shell, nearest neighbours first. Rounded to whole multiples of ``ENERGY_QUANTUM``.
    reference_energies : sequence of two float, Ry/atom
        Energy per atom of the pure species; no mixing energy depends on it.

    Raises
    ------
    InputError
        If an energy is not finite or so large that sums would no longer be exact.
    """

    invariant = True

    def __init__(
        self,
        lattice: Lattice,
        unlike_bond_energies: Sequence[float],
        reference_energies: Sequence[float] = (0.0, 0.0),
    ) -> None:
        energies = np.array(unlike_bond_energies, dtype=np.float64)
        references = np.array(reference_energies, dtype=np.float64)
        if energies.ndim != 1 or not len(energies) or not np.isfinite(energies).all():
            raise InputError(
                f"pair model: bond energies {list(unlike_bond_energies)}; give one finite number per shell"
            )
        if references.shape != (2,) or not np.isfinite(references).all():
            raise InputError(f"pair model: reference energies {list(reference_energies)}; give two finite numbers")
        self.lattice = lattice
        self.reference_energies = references
        self.unlike_bond_energies = np.round(energies / ENERGY_QUANTUM) * ENERGY_QUANTUM
        self._tables = _bond_tables(lattice.shells(len(energies)), self.unlike_bond_energies)
        self.identity = self._digest()

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell; exact
        """
        return pair_kernels.all_energies(self._tables, occupation_rows(occupations, self.lattice.n_sites))

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel: bit masks up to 64 sites, fields above."""
        if self.lattice.n_sites <= mask_kernels.MAX_SITES:
            tables = _mask_tables(self._tables)
            return CompiledEnergy(
                tables, mask_kernels.CACHE_SIZE, mask_kernels.prepare, mask_kernels.trial, mask_kernels.commit
            )
        return CompiledEnergy(
            self._tables,
            self.lattice.n_sites + 2,
            pair_kernels.prepare,
            pair_kernels.trial,
            pair_kernels.commit,
        )

    def _digest(self) -> str:
        digest = hashlib.sha256(b"pair model 1")
        digest.update(self.lattice.fingerprint.encode())
        digest.update(self.unlike_bond_energies.tobytes())
        digest.update(self.reference_energies.tobytes())
        return digest.hexdigest()


def _bond_tables(shells: Sequence[Shell], energies: np.ndarray) -> pair_kernels.BondTables:
    """Add up all bonds between each pair of sites; a site and its own image are always alike and drop out."""
    n_sites = len(shells[0].neighbours)
    strength = sum(abs(energy) * shell.neighbours.size / 2 for energy, shell in zip(energies, shells, strict=True))
    if strength > MAX_ENERGY:
        raise InputError(
            f"pair model: the bonds of the cell add up to {strength:.6g} Ry, above the limit of {MAX_ENERGY:g} Ry "
            "for exact sums; use smaller bond energies (are the units right?) or a smaller cell"
        )
    rows = [_bonds_of_site(site, shells, energies) for site in range(n_sites)]
    width = max(len(row) for row in rows)
    neighbours = np.repeat(np.arange(n_sites, dtype=np.int32)[:, None], width, axis=1)
    bonds = np.zeros((n_sites, width))
    for site, row in enumerate(rows):
        neighbours[site, : len(row)] = list(row)
        bonds[site, : len(row)] = list(row.values())
    return pair_kernels.BondTables(neighbours, bonds)


def _mask_tables(tables: pair_kernels.BondTables) -> mask_kernels.MaskTables:
    """Sort the bonds by energy and write each site's as bits."""
    energies = np.unique(tables.bonds[tables.bonds != 0.0])
    bits = np.uint64(1) << tables.neighbours.astype(np.uint64)
    masks = [np.bitwise_or.reduce(np.where(tables.bonds == energy, bits, np.uint64(0)), axis=1) for energy in energies]
    return mask_kernels.MaskTables(np.array(masks, dtype=np.uint64).reshape(len(energies), len(bits)), energies)


def _bonds_of_site(site: int, shells: Sequence[Shell], energies: np.ndarray) -> dict[int, float]:
    """Map each distinct neighbour to the energy of all bonds to it, one per image."""
    bonds: dict[int, float] = {}
    for energy, shell in zip(energies, shells, strict=True):
        for neighbour in shell.neighbours[site].tolist():
            if neighbour != site:
                bonds[neighbour] = bonds.get(neighbour, 0.0) + float(energy)
    return bonds


def from_argument(argument: str, system: System) -> PairOracle:
    """Make the oracle of ``--oracle pair:FILE``.

    Parameters
    ----------
    argument : str
        Path of a pair-model file.
    system : System

    Raises
    ------
    InputError
        If the file cannot be read, has an unknown key or does not fit the system.
    """
    if not argument:
        raise InputError("the pair oracle needs a file with bond energies; write --oracle pair:FILE.toml")
    settings = read_toml(Path(argument), "pair-model file")
    _check_settings(argument, settings, system)
    factor = _UNITS[settings.get("units", "Ry")]
    energies = [factor * energy for energy in settings["unlike_bond_energies"]]
    return PairOracle(system.lattice, energies, settings.get("reference_energies", (0.0, 0.0)))


def _check_settings(name: str, settings: Mapping[str, Any], system: System) -> None:
    unknown = sorted(set(settings) - _KEYS)
    if unknown:
        raise InputError(f"{name}: unknown key {unknown[0]!r}; known keys are {', '.join(sorted(_KEYS))}")
    if not _numbers(settings.get("unlike_bond_energies")):
        raise InputError(f"{name}: unlike_bond_energies must be a list of finite numbers, one per shell, as in [-50.0]")
    if settings.get("units", "Ry") not in list(_UNITS):
        raise InputError(f"{name}: units {settings['units']!r} are not known; choose {' or '.join(_UNITS)} per bond")
    if not _numbers(settings.get("reference_energies", [0.0, 0.0])):
        raise InputError(f"{name}: reference_energies must be two numbers, Ry per atom")
    species = settings.get("species", list(system.lattice.species))
    if species != list(system.lattice.species):
        ours = ", ".join(system.lattice.species)
        raise InputError(f"{name} is for the species {species}, but system {system.name} has {ours}; use another file")


def _numbers(value: object) -> bool:
    """Tell whether it is a list of numbers, of which none is too large (or nan) to calculate with."""
    if not isinstance(value, list) or not value:
        return False
    return all(type(item) in (int, float) and abs(item) <= MAX_NUMBER for item in value)
