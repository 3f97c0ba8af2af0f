"""Oracles that are several models of the same energy, so that the error of the model can be told.

Sampling needs one energy; how far results depend on which model it was needs several. An ensemble offers both.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from wanglandau.errors import OracleError
from wanglandau.oracle import EnergyOracle


@runtime_checkable
class EnsembleOracle(EnergyOracle, Protocol):
    """An oracle made of several models of the same energy; ``energies`` is what is sampled.

    The members stand for what else the energy might be: their standard deviation at a configuration is the standard
    error of ``energies`` there. They are a pure function of the configuration, as ``energies`` is.
    """

    @property
    def n_members(self) -> int:
        """Number of models, at least two."""
        ...

    def member_energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration by each model.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n, n_members], Ry per cell

        Raises
        ------
        OracleError
            If any energy could not be had.
        """
        ...


def checked_member_energies(oracle: EnsembleOracle, occupations: np.ndarray) -> np.ndarray:
    """Ask an ensemble and insist on finite numbers, ``float64[n, n_members]``, Ry per cell.

    Raises
    ------
    OracleError
        If there is not one finite energy for each configuration and member.
    """
    energies = np.asarray(oracle.member_energies(occupations), dtype=np.float64)
    wanted = (len(occupations), oracle.n_members)
    if energies.shape != wanted:
        raise OracleError(f"the oracle gave member energies of shape {energies.shape}; expected {wanted}")
    if not np.isfinite(energies).all():
        row, member = np.argwhere(~np.isfinite(energies))[0]
        raise OracleError(f"member {member} gave {energies[row, member]} Ry; energies must be finite")
    return energies
