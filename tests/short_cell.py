"""An alloy in a cell so small that kernels may be plain Python, its closed form, and commands that are called on it.

Each of the 16 sites of bcc 2x2x2 has all 8 sites of the other kind as neighbours, so that every number of states is a
product of binomial coefficients.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from console import call
from references.alloys import complete_bipartite_table

from wanglandau.levels import BOLTZMANN, MEV_PER_RY

SYSTEM = 'species = ["Cu", "Zn"]\nstructure = "bcc"\nlattice_constant = 2.95\nrepeat = [2, 2, 2]\n'
BOND = -30.0
"""meV of an unlike bond."""
MODELS = {"pair": [BOND], "dear": [-36.0, 5.0], "demix": [-BOND]}
TABLE = complete_bipartite_table()
SHORT = ("--runs", "2", "--threads", "1", "--flatness", "0.1", "--minimum-count", "0.1")


def prepare(folder: Path) -> Path:
    """Put a system and pair models into a folder."""
    (folder / "own.toml").write_text(SYSTEM)
    for name, energies in MODELS.items():
        (folder / f"{name}.toml").write_text(f'unlike_bond_energies = {energies}\nunits = "meV"\n')
    return folder


def told(*words: str | Path, cwd: Path, code: int = 0) -> dict[str, Any]:
    """Call a command and return what it says to programs."""
    done = call(*words, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


def refused(*words: str | Path, cwd: Path) -> str:
    """Call a command that refuses to work and return why."""
    done = call(*words, cwd=cwd)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def averages(composition: int | None, temperature: float, bond: float = BOND) -> tuple[float, float, float]:
    """Return U and F, meV/atom, and C, k_B/atom, by summation over the closed form."""
    table = TABLE.over_compositions() if composition is None else TABLE.at_composition(composition)
    energies, states = bond * np.array(list(table)), np.array(list(table.values()), dtype=float)
    beta = 1 / (BOLTZMANN * MEV_PER_RY * temperature)
    weights = states * np.exp(-beta * (energies - energies.min()))
    mean = float(np.average(energies, weights=weights))
    variance = float(np.average((energies - mean) ** 2, weights=weights))
    free = energies.min() - np.log(weights.sum()) / beta
    return mean / 16, float(free) / 16, beta**2 * variance / 16
