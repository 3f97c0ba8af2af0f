"""A small learner for tests of the loop: pair models by least squares, each without a part of the orbits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from surrogate.calibration import spread_scale
from surrogate.dataset import Dataset
from surrogate.orbits import deal_orbits
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, Properties
from wanglandau.orbits import canonical_keys
from wanglandau.pair_model import PairOracle

MEMBERS, LEFT_OUT = 6, 2


_UNITS: dict[tuple[str, int], list[PairOracle]] = {}


def _bonds(lattice: Lattice, n_shells: int, occupations: np.ndarray) -> np.ndarray:
    """Count the unlike bonds of each shell, ``float64[n, n_shells]``."""
    units = _UNITS.setdefault((lattice.fingerprint, n_shells), [])
    units += [PairOracle(lattice, row) for row in np.eye(n_shells)[len(units) :]]
    return np.stack([one.energies(occupations) for one in units], axis=1)


class PairCommittee(PairOracle):
    """The mean of pair models; their deviations from it are scaled to the errors on what they have not seen."""

    def __init__(self, lattice: Lattice, n_shells: int, dataset: Dataset, seed: int, shrink: float = 1.0) -> None:
        bonds = _bonds(lattice, n_shells, dataset.occupations)
        energies = dataset.mixing_energy
        unseen = deal_orbits(dataset.orbit, MEMBERS, LEFT_OUT, seed)
        each = np.array([np.linalg.lstsq(bonds[~left], energies[~left], rcond=1e-9)[0] for left in unseen])
        predicted = np.where(unseen, each @ bonds.T, np.nan)
        spread = np.nanstd(predicted, axis=0, ddof=1)
        scale = spread_scale(np.nanmean(predicted, axis=0) - energies, spread, LEFT_OUT) / shrink
        mean = each.mean(axis=0)
        super().__init__(lattice, mean, dataset.reference_energies)
        self.strengths = mean + scale * (each - mean)
        self.identity = hashlib.sha256(self.strengths.tobytes()).hexdigest()

    @property
    def n_members(self) -> int:
        return MEMBERS

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        return _bonds(self.lattice, len(self.unlike_bond_energies), occupations) @ self.strengths.T

    def save(self, path: Path) -> None:
        save_file({"strengths": self.strengths}, path)


class PairLearner:
    """Pair models of so many shells; ``shrink`` makes committees believe that they are better than they are."""

    def __init__(self, n_shells: int, shrink: float = 1.0) -> None:
        self._n_shells, self._shrink = n_shells, shrink
        self.identity = f"pair models of {n_shells} shells, {shrink}"

    def fit(self, dataset: Dataset, seed: int) -> PairCommittee:
        return PairCommittee(dataset.lattice, self._n_shells, dataset, seed, self._shrink)


class Isolated:
    """A pair model with one orbit that lies lower than bonds can say."""

    invariant = True

    def __init__(self, inner: PairOracle, key: int, depth: float) -> None:
        self.lattice, self.reference_energies = inner.lattice, inner.reference_energies
        self.identity = f"{inner.identity} but for {key} by {depth}"
        self._inner, self._key, self._depth = inner, np.uint64(key), depth

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        there = canonical_keys(self.lattice.symmetry, occupations) == self._key
        return self._inner.energies(occupations) - self._depth * there


class Charged:
    """A pair model that also gives charges, made of ENERGY_QUANTUM so that a mixed-up order shows."""

    invariant = True

    def __init__(self, inner: PairOracle) -> None:
        self.lattice, self.reference_energies = inner.lattice, inner.reference_energies
        self.identity, self._inner = f"charged {inner.identity}", inner

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self._inner.energies(occupations)

    def properties(self, occupations: np.ndarray) -> Properties:
        charge = ENERGY_QUANTUM * (occupations - occupations.mean(axis=1, keepdims=True))
        return Properties(self.energies(occupations), charge, None)


class Failing:
    """Any oracle that fails for good once it has been asked so many times; keeps what it was asked for."""

    invariant = True

    def __init__(self, inner: PairOracle, error: BaseException, fail_at: int) -> None:
        self.lattice, self.reference_energies = inner.lattice, inner.reference_energies
        self.identity, self._inner = inner.identity, inner
        self._error, self._fail_at = error, fail_at
        self.asked: list[np.ndarray] = []

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        if len(self.asked) >= self._fail_at:
            raise self._error
        self.asked.append(occupations.copy())
        return self._inner.energies(occupations)
