"""The course of self-consistency: what LSMS writes to ``k.out``, one row an iteration.

The two programs order their columns differently::

    lsms_asa  iteration  energy  fermi energy  charge rms  potential rms  [mean moment, with two spins]
    lsms      iteration  energy  fermi energy  moment of the first atom   potential rms

Energies are Ry per cell. Rows are appended: a file may hold several runs, of which the last counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lsms_bridge.failures import Failure, LsmsError
from lsms_bridge.parameters import Program

MAX_FERMI_ENERGY = 1.5
"""Above it (or below 0), Ry, a run has diverged."""
MAX_WANDERING = 1.0
"""Spread of the energies of the last iterations, Ry per cell, that tells a diverging run from a slow one."""

_WANDERING_ROWS = 5
_COLUMNS = {("asa", 1): 5, ("asa", 2): 6, ("mt", 1): 5, ("mt", 2): 5}


@dataclass(frozen=True, eq=False)
class History:
    """Iterations of one run.

    Attributes
    ----------
    energy : float64[n], Ry per cell
    fermi_energy : float64[n], Ry
    residual : float64[n]
        What is compared with the tolerance: rms of the charge (``lsms_asa``) or of the potential (``lsms``).
    potential_residual : float64[n]
        Rms of the potential.
    """

    energy: np.ndarray
    fermi_energy: np.ndarray
    residual: np.ndarray
    potential_residual: np.ndarray

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def energy_change(self) -> float:
        """Last change of the energy, Ry per cell; infinite where there was but one iteration."""
        return float(abs(self.energy[-1] - self.energy[-2])) if len(self) > 1 else math.inf

    def converged(self, residual_tolerance: float, energy_tolerance: float) -> bool:
        """Tell whether the last iteration met both tolerances, the second relative to the energy."""
        relative = self.energy_change / abs(float(self.energy[-1]))
        return bool(self.residual[-1] <= residual_tolerance and relative <= energy_tolerance)

    @property
    def diverged(self) -> bool:
        """Tell whether the run went astray rather than being slow."""
        outside = not 0.0 <= self.fermi_energy[-1] <= MAX_FERMI_ENERGY
        last = self.energy[-_WANDERING_ROWS:]
        return bool(outside or (len(last) == _WANDERING_ROWS and np.ptp(last) > MAX_WANDERING))


def read_history(text: str, program: Program, n_spin: int) -> History:
    """Read the last run in a ``k.out``.

    Parameters
    ----------
    text : str
    program : {"asa", "mt"}
    n_spin : {1, 2}

    Raises
    ------
    LsmsError
        If there is no row, or one that is not as it should be.
    """
    n_columns = _COLUMNS[program, n_spin]
    if text and not text.endswith("\n"):
        raise LsmsError(Failure.UNREADABLE, "k.out is cut off in its last line")
    rows = [_numbers(line, place, n_columns) for place, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not rows:
        raise LsmsError(Failure.NO_OUTPUT, "k.out holds no iteration")
    first = max(place for place, row in enumerate(rows) if row[0] == 0) if any(row[0] == 0 for row in rows) else 0
    table = np.array(rows[first:])
    if not np.array_equal(table[:, 0], np.arange(len(table))):
        raise LsmsError(Failure.UNREADABLE, "the iterations in k.out are not numbered 0, 1, 2, ...")
    residual = table[:, 3] if program == "asa" else table[:, 4]
    return History(table[:, 1], table[:, 2], residual, table[:, 4])


def _numbers(line: str, place: int, n_columns: int) -> list[float]:
    words = line.split()
    if len(words) != n_columns:
        raise LsmsError(Failure.UNREADABLE, f"line {place} of k.out has {len(words)} columns instead of {n_columns}")
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise LsmsError(Failure.NOT_FINITE, f"line {place} of k.out holds what is no number: {line[:100]!r}") from None
    if not all(map(math.isfinite, values)):
        raise LsmsError(Failure.NOT_FINITE, f"line {place} of k.out holds nan or infinity: {line.strip()[:100]!r}")
    return values
