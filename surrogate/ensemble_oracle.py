"""Ensembles as oracles: ``--oracle surrogate:ensemble``, or ``surrogate:PATH`` of an ensemble.

The mean of the members is sampled, like a single surrogate; the members stand beside it
(:class:`wanglandau.ensemble_oracle.EnsembleOracle`).
"""

from __future__ import annotations

import hashlib

import numpy as np

from surrogate.ensemble_artefact import Ensemble
from surrogate.ensemble_energy import is_invariant, make_ensemble_evaluator
from surrogate.oracle import check_rows, finite
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledEnergy, Properties


class EnsembleSurrogateOracle:
    """Mixing energies, charges and moments of an ensemble of trained networks, evaluated without torch.

    Parameters
    ----------
    ensemble : Ensemble
    lattice : Lattice
        What to evaluate; any cell of the parent lattice for lattice networks, the very cell for dense ones.

    Raises
    ------
    InputError
        If the ensemble does not fit the lattice.
    """

    def __init__(self, ensemble: Ensemble, lattice: Lattice) -> None:
        self._evaluator = make_ensemble_evaluator(ensemble, lattice)
        self.artefact = ensemble
        self.lattice = lattice
        self.reference_energies = np.array(ensemble.card.reference_energies, dtype=np.float64)
        self.caution = ensemble.card.caution
        self.invariant = is_invariant(ensemble)
        text = f"surrogate-ensemble/{ensemble.digest()}/{lattice.fingerprint}/compiled"
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    @property
    def n_members(self) -> int:
        """Number of models."""
        return len(self.artefact.members)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mean over the members of the mixing energy of each row of ``int8[n, n_sites]``.

        Returns
        -------
        float64[n], Ry per cell

        Raises
        ------
        OracleError
            If an energy is not finite.
        """
        return finite(self._evaluator.energies(check_rows(occupations, self.lattice)))

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each row of ``int8[n, n_sites]`` by each member.

        Deviations of the members from their mean are scaled to be as large as its error, see
        :class:`surrogate.ensemble_artefact.EnsembleCard`.

        Returns
        -------
        float64[n, n_members], Ry per cell

        Raises
        ------
        OracleError
            If an energy is not finite.
        """
        return finite(self._evaluator.member_energies(check_rows(occupations, self.lattice)))

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy, charges and moments of each configuration, ``int8[n, n_sites]``, mean over the members."""
        return self._evaluator.properties(check_rows(occupations, self.lattice))

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions of the mean for the sampling kernel."""
        return self._evaluator.compiled()
