"""Any ASE calculator as an oracle: ``--oracle ase:emt``, ``ase:package.module:Class`` or ``ase:FILE.toml``.

The lattice stays rigid; only the species on its sites change. The mixing energy is the total energy less that of the
pure species, which the same calculator gives on the same cell. A calculator file looks like this::

    calculator = "emt"       # a name that ASE knows, or package.module:Class

    [parameters]             # optional: arguments of the calculator
    asap_cutoff = false
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase import units
from ase.calculators.calculator import get_calculator_class

from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import occupation_rows, pure_energies
from wanglandau.systems import System
from wanglandau.toml_file import read_toml

ENERGY_DIGITS = 9
"""Mixing energies are rounded to this many decimals (Ry), so that equivalent configurations have equal energies."""


class AseOracle:
    """Mixing energies from an ASE calculator, one configuration after the other.

    Parameters
    ----------
    lattice : Lattice
    calculator : object
        Anything that serves as the ``calc`` of an ASE structure and gives a potential energy (eV).
    label : str
        Name and parameters of the calculator: goes into the identity and into messages.

    Raises
    ------
    OracleError
        If the calculator fails for a pure species.
    """

    invariant = True

    def __init__(self, lattice: Lattice, calculator: Any, label: str) -> None:
        self.lattice = lattice
        self._calculator = calculator
        self._label = label
        pure = np.repeat(np.array([[0], [1]], dtype=np.int8), lattice.n_sites, axis=1)
        self.reference_energies = np.array([self._total_energy(row) for row in pure]) / lattice.n_sites
        digest = hashlib.sha256(f"ase {ase.__version__} {label} {lattice.fingerprint}".encode())
        digest.update(self.reference_energies.tobytes())
        self.identity = digest.hexdigest()

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell, rounded to 1e-9 Ry

        Raises
        ------
        OracleError
            If the calculator fails or gives what is no number.
        """
        rows = occupation_rows(occupations, self.lattice.n_sites)
        totals = np.array([self._total_energy(row) for row in rows])
        return np.round(totals - pure_energies(rows, self.reference_energies), ENERGY_DIGITS)

    def _total_energy(self, row: np.ndarray) -> float:
        """Return the total energy of one configuration, Ry per cell."""
        atoms = self.lattice.to_atoms(row)
        if hasattr(self._calculator, "reset"):  # an energy must not depend on the configurations before it
            self._calculator.reset()
        atoms.calc = self._calculator
        try:
            energy = float(atoms.get_potential_energy()) / units.Ry
        except Exception as error:  # a calculator may raise anything
            reason = " ".join(f"{type(error).__name__} {error}".split())
            raise OracleError(f"calculator {self._label} failed on {atoms.get_chemical_formula()}: {reason}") from error
        if not np.isfinite(energy):
            raise OracleError(f"calculator {self._label} gave the energy {energy} for {atoms.get_chemical_formula()}")
        return energy


def from_argument(argument: str, system: System) -> AseOracle:
    """Make the oracle of ``--oracle ase:ARGUMENT``.

    Parameters
    ----------
    argument : str
        Name of a calculator that ASE knows, ``package.module:Class``, or the path of a calculator file (.toml).
    system : System

    Raises
    ------
    InputError
        If there is no such calculator or it cannot do the pure species of the system.
    """
    if not argument:
        raise InputError("the ase oracle needs a calculator; write --oracle ase:emt, ase:module:Class or ase:FILE.toml")
    name, parameters = _read_file(argument) if argument.endswith(".toml") else (argument, {})
    kind = _find_class(name)
    try:
        calculator = kind(**parameters)
    except Exception as error:  # constructors check their arguments in their own ways
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(f"calculator {name} does not start with parameters {parameters}: {reason}") from error
    label = (
        f"{kind.__module__}.{kind.__qualname__} {_version(kind)} {json.dumps(parameters, sort_keys=True, default=str)}"
    )
    try:
        return AseOracle(system.lattice, calculator, label)
    except OracleError as error:
        species = " and ".join(system.lattice.species)
        raise InputError(
            f"calculator {name} cannot do pure {species} on this lattice ({error.__cause__}); take another"
        ) from error


def _read_file(name: str) -> tuple[str, Mapping[str, Any]]:
    settings = read_toml(Path(name), "calculator file")
    unknown = sorted(set(settings) - {"calculator", "parameters"})
    if unknown:
        raise InputError(f"{name}: unknown key {unknown[0]!r}; known keys are calculator, parameters")
    calculator, parameters = settings.get("calculator"), settings.get("parameters", {})
    if not isinstance(calculator, str) or not isinstance(parameters, dict):
        raise InputError(f'{name}: needs calculator = "NAME" and, if anything, a table [parameters]')
    return calculator, parameters


def _find_class(name: str) -> Any:
    """Find a calculator class by ASE's name for it or as ``package.module:Class``."""
    module, colon, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute) if colon else get_calculator_class(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"there is no calculator {name!r} ({error}); give a name that ASE knows or package.module:Class"
        ) from error
    if not isinstance(found, type):
        raise InputError(f"{name} is no class; give package.module:Class of an ASE calculator")
    return found


def _version(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown version"
