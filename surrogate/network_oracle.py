"""What oracles of trained networks have in common: one evaluator, checked on the way in and on the way out."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from surrogate.artefact import Card
from surrogate.ensemble_artefact import EnsembleCard
from wanglandau.errors import OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledEnergy, Properties, occupation_rows


class Evaluator(Protocol):
    """The arithmetic of a network or of several on one lattice."""

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Return mixing energies of ``int8[n, n_sites]``, ``float64[n]``, Ry per cell."""
        ...

    def properties(self, occupations: np.ndarray) -> Properties:
        """Return energies, charges and moments of ``int8[n, n_sites]``."""
        ...

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        ...


class NetworkOracle:
    """Mixing energies, charges and moments by an evaluator.

    Parameters
    ----------
    evaluator : Evaluator
    card : Card or EnsembleCard
        Of the network or networks.
    lattice : Lattice
    """

    def __init__(self, evaluator: Evaluator, card: Card | EnsembleCard, lattice: Lattice) -> None:
        self._network = evaluator
        self.lattice = lattice
        self.reference_energies = np.array(card.reference_energies, dtype=np.float64)
        self.caution = card.caution

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell

        Raises
        ------
        OracleError
            If an energy is not finite.
        """
        return finite(self._network.energies(occupation_rows(occupations, self.lattice.n_sites)))

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy, charges and moments of each configuration, ``int8[n, n_sites]``."""
        return self._network.properties(occupation_rows(occupations, self.lattice.n_sites))

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        return self._network.compiled()


def finite(energies: np.ndarray) -> np.ndarray:
    """Return energies after making sure that all are numbers."""
    if not np.isfinite(energies).all():
        raise OracleError("the surrogate gave an energy that is not finite; its weights must be damaged")
    return energies
