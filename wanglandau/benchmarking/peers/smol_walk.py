"""Wang-Landau sampling by smol on a pair model given by the bonds of each shell."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure
from smol.cofe import ClusterExpansion, ClusterSubspace
from smol.moca import Ensemble, Sampler

NEVER = 10**9


class Walk:
    """One walker.

    Parameters
    ----------
    job : dict
        See :func:`wanglandau.benchmarking.peer.job_of`.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._species, self._lattice = job["species"], Lattice(job["cell"])
        self._positions = job["positions"]
        halves = {symbol: 0.5 for symbol in self._species}
        disordered = Structure(
            self._lattice, [halves] * len(self._positions), self._positions, coords_are_cartesian=True
        )
        primitive = disordered.get_primitive_structure()
        self._supercell = np.rint(np.array(job["cell"]) @ np.linalg.inv(primitive.lattice.matrix)).astype(int)
        space = ClusterSubspace.from_cutoffs(primitive, cutoffs={2: job["cutoff"]}, basis="sinusoid")
        strengths = [
            energy * count / 4 for energy, count in zip(job["bond_energies"], job["coordination"], strict=True)
        ]
        # per primitive cell of one atom: correlations times coefficients
        self._expansion = ClusterExpansion(space, np.array([sum(strengths), 0.0, *(-value for value in strengths)]))
        ensemble = Ensemble.from_cluster_expansion(self._expansion, self._supercell, processor_type="decomposition")
        self._ensemble, grid = ensemble, job["grid"]
        self._sampler = Sampler.from_ensemble(
            ensemble,
            grid["start"],
            grid["start"] + grid["n_bins"] * grid["width"],
            grid["width"],
            kernel_type="Wang-Landau",
            step_type="swap",
            check_period=NEVER,
            seeds=[1],
        )
        self._occupancy: Any = self._encoded(job["occupations"])
        self.versions = {"smol": version("smol")}

    def _encoded(self, occupations: list[int]) -> Any:
        symbols = [self._species[value] for value in occupations]
        structure = Structure(self._lattice, symbols, self._positions, coords_are_cartesian=True)
        space = self._expansion.cluster_subspace
        return space.occupancy_from_structure(structure, scmatrix=self._supercell, encode=True)

    def energy(self, occupations: list[int]) -> float:
        """Return the energy of a configuration."""
        return float(self._ensemble.processor.compute_property(self._encoded(occupations)))

    def advance(self, n_trials: int) -> None:
        """Make trials; one sample is kept, so that the next call can go on from there."""
        self._sampler.run(n_trials, self._occupancy, thin_by=n_trials)
        self._occupancy = self._sampler.samples.get_occupancies(flat=False)[-1]
        self._sampler.clear_samples()


def start(job: dict[str, Any]) -> Walk:
    """Set up."""
    return Walk(job)
