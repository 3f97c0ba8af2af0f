"""A peer that is no program of anybody: it knows the pair model and rests as long as it is told to."""

from __future__ import annotations

import time
from typing import Any

import numpy as np


class Walk:
    """Energies from distances, with a fault where the job's species ask for one."""

    def __init__(self, job: dict[str, Any], seconds: float, shift: float) -> None:
        self._cell, self._positions = np.array(job["cell"]), np.array(job["positions"])
        self._job, self._seconds, self._shift = job, seconds, shift
        self.versions = {"fake": "1.0"}

    def energy(self, occupations: list[int]) -> float:
        """Count unlike bonds of the first shell, images one by one."""
        spins, (bond,) = np.array(occupations), self._job["bond_energies"]
        images = np.array(list(np.ndindex(5, 5, 5))) - 2
        total = 0.0
        for image in images @ self._cell:
            vectors = self._positions[None] + image - self._positions[:, None]
            near = np.linalg.norm(vectors, axis=2)
            bonds = (near > 0.1) & (near < self._job["cutoff"])
            total += bond * (bonds & (spins[:, None] != spins[None])).sum() / 2
        return float(total) + self._shift

    def advance(self, n_trials: int) -> None:
        """Take the time of so many trials."""
        time.sleep(n_trials * self._seconds)


def start(job: dict[str, Any]) -> Walk:
    """Set up an honest one."""
    return Walk(job, 1e-4, 0.0)
