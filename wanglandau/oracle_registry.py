"""Finding an oracle by the name that a user writes after ``--oracle``.

Oracles are entry points of the group ``wanglandau.oracles``, so that any installed package can add one. An entry point
is a factory ``factory(argument: str, system: System) -> EnergyOracle``; ``argument`` is what follows the first colon
and is empty when there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from wanglandau.errors import InputError
from wanglandau.extras import optional_packages
from wanglandau.oracle import EnergyOracle
from wanglandau.systems import System

GROUP = "wanglandau.oracles"
"""The entry-point group in which packages announce their oracles."""

OracleFactory = Callable[[str, System], EnergyOracle]


def oracle_names() -> list[str]:
    """List the names of all installed oracles, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load_oracle(specification: str, system: System) -> EnergyOracle:
    """Make the oracle that a specification names.

    Parameters
    ----------
    specification : str
        ``NAME`` or ``NAME:ARGUMENT``, for example ``surrogate`` or ``pair:couplings.toml``.
    system : System
        What the oracle has to evaluate.

    Returns
    -------
    EnergyOracle
        With the lattice of ``system``.

    Raises
    ------
    InputError
        If no oracle has that name, a package it needs is not installed, or it does not fit the lattice.
    """
    name, _, argument = specification.partition(":")
    entry = _find_entry_point(name)
    with optional_packages():
        oracle = _load_factory(entry)(argument, system)
    _check(name, oracle, system)
    return oracle


def _find_entry_point(name: str) -> EntryPoint:
    found = sorted(entry_points(group=GROUP, name=name), key=lambda entry: entry.value)
    if not found:
        known = ", ".join(oracle_names()) or "none (is the package installed with pip?)"
        raise InputError(f"oracle {name!r} is not known; installed oracles are {known}")
    if len({entry.value for entry in found}) > 1:
        sources = " and ".join(sorted({entry.value for entry in found}))
        raise InputError(f"oracle {name!r} is provided by {sources}; uninstall one of them")
    return found[0]


def _load_factory(entry: EntryPoint) -> OracleFactory:
    factory = entry.load()
    if not callable(factory):
        raise InputError(f"oracle {entry.name!r} is broken: its entry point {entry.value} is not callable")
    return factory


def _check(name: str, oracle: object, system: System) -> None:
    if not isinstance(oracle, EnergyOracle):
        lacking = [part for part in _MEMBERS if not hasattr(oracle, part)]
        raise InputError(f"oracle {name!r} made a {type(oracle).__name__}, which lacks {', '.join(lacking)}")
    if oracle.lattice.fingerprint != system.lattice.fingerprint:
        raise InputError(
            f"oracle {name!r} is for {_describe(oracle)}, not for the {system.lattice.n_sites} sites of "
            f"{'-'.join(system.lattice.species)} in system {system.name}; give another oracle or system"
        )


_MEMBERS = ("lattice", "reference_energies", "identity", "invariant", "energies")


def _describe(oracle: EnergyOracle) -> str:
    lattice = oracle.lattice
    return f"{'-'.join(lattice.species)} on {lattice.name} ({lattice.n_sites} sites)"
