"""The one factor between the units of the literature (J, J / k_B) and those of the package (Ry, K).

Spins are s = 1 - 2 * occupation. One bond contributes -J s s in the Ising ferromagnet and +J s s in the ordering alloy,
so that an unlike bond lies 2 J above or below a like one. Mixing energies of the package count from all bonds alike.
"""

from __future__ import annotations

import numpy as np

from wanglandau.levels import BOLTZMANN

RY_PER_J = 2.0**-9
"""J in Ry: a power of two, so that all energies are exact; 2048 bonds of 2 J stay below ``pair_model.MAX_ENERGY``."""

UNLIKE_BOND = 2 * RY_PER_J
"""How far an unlike bond lies from a like one, Ry: with + for the Ising ferromagnet and - for the ordering alloy."""


def kelvin(temperature: float | np.ndarray) -> float | np.ndarray:
    """Convert temperatures from J / k_B to K."""
    return temperature * RY_PER_J / BOLTZMANN


def mixing_energies(table: dict[int, int], unlike_bond: float) -> np.ndarray:
    """Return the energies that a ``PairOracle`` with this bond energy (Ry) gives to the levels of a table.

    ``float64[n_levels]``, Ry per cell, in the order of the table; exact.
    """
    return unlike_bond * np.array(list(table), dtype=np.float64)
