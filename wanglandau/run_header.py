"""What a checkpoint says of its calculation, and whether another command line asks for the same.

All that decides the course of a calculation has to be the same when it goes on: lattice, composition, energies,
settings of the physics, kind of engine. Threads, processes and the name under which the oracle was asked for may be
others, the budget of trials may grow and the precision change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from wanglandau import __version__
from wanglandau.calculation import walkers_of
from wanglandau.engine import Engine
from wanglandau.extensions import NONE, Extensions
from wanglandau.run_checkpoint import KIND, SCHEMA
from wanglandau.run_description import differences
from wanglandau.settings import WangLandauSettings
from wanglandau.starting import number_of_windows

FREE = ("threads", "max_trials", "precision")
"""Settings that may change while a calculation goes on."""


def describe_run(
    system: str,
    specification: str,
    engine: Engine,
    composition: int | None,
    settings: WangLandauSettings,
    own: Extensions = NONE,
) -> dict[str, Any]:
    """Return the header of a checkpoint, ready for JSON.

    Parameters
    ----------
    system : str
        Its name.
    specification : str
        Under which the oracle was asked for.
    engine : Engine
    composition : int or None
    settings : WangLandauSettings
    own : Extensions
    """
    oracle = engine.oracle
    n_walkers = walkers_of(settings, engine, number_of_windows(settings, oracle.lattice.n_sites))
    kind = "compiled" if engine.compiled is not None else "batched"
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "version": __version__,
        "system": system,
        "specification": specification,
        "physics": {
            "lattice": oracle.lattice.fingerprint,
            "species": list(oracle.lattice.species),
            "sites": oracle.lattice.n_sites,
            "oracle": oracle.identity,
            "reference energies": [float(value) for value in oracle.reference_energies],
            "engine": "accelerator" if engine.takes_to_device(n_walkers) else kind,
            "composition": composition,
            "walkers of a histogram": n_walkers,
            "move": "customary" if engine.move is None else engine.move.name,
        }
        | own.describe(settings),
        "settings": plain_settings(settings),
    }


def unlike(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Name everything that has to be the same in two headers and is not, see :mod:`wanglandau.run_description`."""
    found = differences(kept["physics"], asked["physics"])
    found += differences(_decisive(kept["settings"]), _decisive(asked["settings"]))
    before, now = kept["settings"]["max_trials"], asked["settings"]["max_trials"]
    if now < before:
        found.append(f"max_trials was {before:g}, is {now:g}, and may only grow")
    return found


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in FREE}


def plain_settings(settings: WangLandauSettings) -> dict[str, Any]:
    """Return settings as they come back from JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()}
