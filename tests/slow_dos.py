"""``wanglandau dos`` with an energy that takes for ever after so many calls, where ``CALLS_BEFORE`` says how many."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from wanglandau import cli
from wanglandau.commands import preparation
from wanglandau.oracle import EnergyOracle, occupation_rows
from wanglandau.pair_model import PairOracle
from wanglandau.systems import System


class Slow:
    """A pair model that is asked batch by batch."""

    def __init__(self, system: System, calls_before: int, said: Path) -> None:
        self._oracle = PairOracle(system.lattice, [-0.002, 0.0003])
        self.lattice, self.reference_energies = self._oracle.lattice, self._oracle.reference_energies
        self.identity, self.invariant = self._oracle.identity, self._oracle.invariant
        self._left, self._said = calls_before, said

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        self._left -= 1
        if self._left == 0:
            self._said.touch()
            time.sleep(300.0)
        return self._oracle.energies(occupation_rows(occupations, self.lattice.n_sites))


def load(_specification: str, system: System) -> EnergyOracle:
    """Load nothing else, whatever is asked for."""
    return Slow(system, int(os.environ.get("CALLS_BEFORE", "-1")), Path("asked"))


if __name__ == "__main__":
    preparation.load_oracle = load
    sys.exit(cli.main())
