"""Wang-Landau sampling by mchammer, the sampler of icet, on a pair model given by the bonds of each shell."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from ase import Atoms
from icet import ClusterExpansion, ClusterSpace
from mchammer.calculators import ClusterExpansionCalculator
from mchammer.ensembles import WangLandauEnsemble

NEVER = 10**9


class Walk:
    """One walker.

    Parameters
    ----------
    job : dict
        See :func:`wanglandau.benchmarking.peer.job_of`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._numbers = np.array(job["numbers"])
        self._atoms = Atoms(
            self._numbers[np.array(job["occupations"])], positions=job["positions"], cell=job["cell"], pbc=True
        )
        space = ClusterSpace(self._atoms, [job["cutoff"]], job["species"])
        # unlike bond = (1 - s s') / 2; parameters go with the mean of s s' over the bonds of a shell, per atom
        halves = [energy * count / 4 for energy, count in zip(job["bond_energies"], job["coordination"], strict=True)]
        parameters = [sum(halves), 0.0, *(-half for half in halves)]
        if len(space) != len(parameters):
            raise ValueError(f"{len(space)} orbits for {len(halves)} shells")
        self._calculator = ClusterExpansionCalculator(self._atoms, ClusterExpansion(space, parameters))
        grid = job["grid"]
        width = grid["width"]
        self._ensemble = WangLandauEnsemble(
            self._atoms,
            self._calculator,
            energy_spacing=width,
            energy_limit_left=grid["start"] - width,
            energy_limit_right=grid["start"] + (grid["n_bins"] + 1) * width,
            trial_move="swap",
            flatness_check_interval=NEVER,
            ensemble_data_write_interval=NEVER,
            trajectory_write_interval=NEVER,
            random_seed=1,
        )
        self.versions = {"icet": version("icet")}

    def energy(self, occupations: list[int]) -> float:
        """Return the energy of a configuration."""
        return float(self._calculator.calculate_total(occupations=self._numbers[np.array(occupations)]))

    def advance(self, n_trials: int) -> None:
        """Make trials."""
        self._ensemble.run(n_trials)


def start(job: dict[str, Any]) -> Walk:
    """Set up."""
    return Walk(job)
