"""Ensembles as oracles: ``--oracle surrogate:ensemble``, or ``surrogate:PATH`` of an ensemble.

The mean of the members is sampled, like a single surrogate; the members stand beside it
(:class:`wanglandau.ensemble_oracle.EnsembleOracle`).
"""

from __future__ import annotations

import hashlib

import numpy as np

from surrogate.ensemble_artefact import Ensemble
from surrogate.ensemble_energy import is_invariant, make_ensemble_evaluator
from surrogate.network_oracle import NetworkOracle, finite
from wanglandau.lattice import Lattice
from wanglandau.oracle import occupation_rows


class EnsembleSurrogateOracle(NetworkOracle):
    """Mixing energies, charges and moments of an ensemble of trained networks, evaluated without torch.

    ``energies``, ``properties`` and ``compiled`` are those of the mean of the members.

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
        super().__init__(self._evaluator, ensemble.card, lattice)
        self.artefact = ensemble
        self.invariant = is_invariant(ensemble)
        text = f"surrogate-ensemble/{ensemble.digest()}/{lattice.fingerprint}/compiled"
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    @property
    def n_members(self) -> int:
        """Number of models."""
        return len(self.artefact.members)

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
        return finite(self._evaluator.member_energies(occupation_rows(occupations, self.lattice.n_sites)))
