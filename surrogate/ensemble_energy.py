"""Ensembles at run time, without torch: the mean of the members, and the members themselves.

What is sampled is the mean. Members deviate from it by their own deviations times the spread scale of the card, the
calibration of Imbalzano et al., J. Chem. Phys. 154, 074102 (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from surrogate import ensemble_kernels
from surrogate.architectures import Evaluator, find_architecture, make_evaluator
from surrogate.dense_energy import ROWS_PER_THREAD, DenseEnergy, in_threads
from surrogate.ensemble_artefact import Ensemble
from surrogate.lattice_energy import LatticeEnergy
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, CompiledEnergy, Properties


class EnsembleEvaluator(Evaluator, Protocol):
    """Torch-free predictions of an ensemble on one lattice; those that every evaluator gives are of the mean."""

    def member_energies(self, occupations: np.ndarray) -> np.ndarray: ...


class LatticeEnsembleEnergy:
    """An ensemble of lattice networks: the mean is one table like each member, as fast as a single network.

    Parameters
    ----------
    members : sequence of LatticeEnergy
        On the same lattice, with the same settings.
    scale : float
        What deviations of the members from their mean are multiplied with.
    """

    def __init__(self, members: Sequence[LatticeEnergy], scale: float) -> None:
        mean = LatticeEnergy.mean_of(members)
        self._mean = mean
        self._site_energies, self._star_energies = mean.scaled_tables(members, scale)
        self.energies, self.properties, self.compiled = mean.energies, mean.properties, mean.compiled

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the energy of each row of ``int8[n, n_sites]`` by each member, ``float64[n, n_members]``, Ry."""
        rows = np.ascontiguousarray(occupations, dtype=np.int8)
        found = ensemble_kernels.lattice_member_energies(
            self._mean.tables, self._site_energies, self._star_energies, rows
        )
        return np.asarray(found)


class DenseEnsembleEnergy:
    """An ensemble of dense networks, all of which are evaluated at every step.

    Parameters
    ----------
    members : sequence of DenseEnergy
        On the same cell, of the same width and tasks.
    scale : float
        What deviations of the members from their mean are multiplied with.
    """

    def __init__(self, members: Sequence[DenseEnergy], scale: float) -> None:
        self._members = members
        self._scale = scale
        parts = [member.compiled() for member in members]
        self._tables = tuple(part.parameters for part in parts)
        self._cache_size = sum(part.cache_size for part in parts)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mean energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry; independent of the batch."""
        rows = np.ascontiguousarray(occupations, dtype=np.int8)
        energies = np.empty(len(rows))

        def fill(start: int) -> None:
            piece = slice(start, start + ROWS_PER_THREAD)
            ensemble_kernels.fill_energies(self._tables, rows[piece], np.empty(self._cache_size), energies[piece])

        in_threads(fill, range(0, len(rows), ROWS_PER_THREAD))
        return energies

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the energy of each row of ``int8[n, n_sites]`` by each member, ``float64[n, n_members]``, Ry."""
        energies = np.stack([member.energies(occupations) for member in self._members], axis=1)
        mean = self.energies(occupations)[:, None]
        return np.rint((mean + self._scale * (energies - mean)) / ENERGY_QUANTUM) * ENERGY_QUANTUM

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy, charges and moments of each configuration, mean over the members."""
        parts = [member.properties(occupations) for member in self._members]
        charge, moment = (_mean([getattr(part, name) for part in parts]) for name in ("charge", "moment"))
        return Properties(self.energies(occupations), charge, moment)

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        kernels = ensemble_kernels
        return CompiledEnergy(self._tables, self._cache_size, kernels.prepare, kernels.trial, kernels.commit)


def _mean(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [part for part in parts if part is not None]
    return np.mean(present, axis=0) if present else None


def make_ensemble_evaluator(ensemble: Ensemble, lattice: Lattice) -> EnsembleEvaluator:
    """Make the torch-free evaluation of an ensemble.

    Raises
    ------
    InputError
        If a member does not fit the lattice, or there is no ensemble of its architecture.
    """
    members = [make_evaluator(member, lattice) for member in ensemble.members]
    scale = float(ensemble.card.spread_scale)
    lattice_members = [member for member in members if isinstance(member, LatticeEnergy)]
    dense_members = [member for member in members if isinstance(member, DenseEnergy)]
    if len(lattice_members) == len(members):
        return LatticeEnsembleEnergy(lattice_members, scale)
    if len(dense_members) == len(members):
        return DenseEnsembleEnergy(dense_members, scale)
    names = sorted({member.card.architecture for member in ensemble.members})
    raise InputError(f"members are of architecture {', '.join(names)}; an ensemble is all lattice or all dense")


def is_invariant(ensemble: Ensemble) -> bool:
    """Whether symmetry-equivalent occupations have the same energies."""
    return all(find_architecture(member.card.architecture).invariant for member in ensemble.members)
