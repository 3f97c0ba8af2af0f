"""The baseline of the trade: a ridge fit of cluster correlations to the mixing energy.

The terms are three of composition, four pairs, all triplets within four shells and all tetrahedra within
two: 22 on fcc. A correlation is the mean over clusters of the product of spins (1 for the first species, -1 for
the second), taken against its value in the pure species of the same composition, so that pure species have energy
zero. Energies only; the surrogates have to beat it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate.dataset import Dataset
from surrogate.fitting import Predictor
from surrogate.site_descriptors import Neighbourhood, cluster_types, find_neighbourhood
from wanglandau.lattice import Lattice
from wanglandau.oracle import Properties

PAIR_SHELLS = 4
TETRAHEDRON_SHELLS = 2
COMPOSITION_TERMS = 3
RIDGE = 1e-7
"""Penalty on weights of terms scaled to unit mean square, relative to the sum of squares."""


@dataclass(frozen=True, eq=False)
class ClusterExpansion:
    """Mixing energies linear in composition and cluster terms.

    Attributes
    ----------
    neighbourhood : Neighbourhood
    types : list of int64[n_clusters, size - 1]
        Classes of clusters, as directions from their first site.
    weights : float64[n_terms], Ry per site
    """

    neighbourhood: Neighbourhood
    types: list[np.ndarray]
    weights: np.ndarray

    @classmethod
    def fit(cls, lattice: Lattice, occupations: np.ndarray, mixing_energy: np.ndarray) -> ClusterExpansion:
        """Fit to configurations.

        Parameters
        ----------
        lattice : Lattice
        occupations : int8[n, n_sites]
        mixing_energy : float64[n], Ry per cell
        """
        neighbourhood = find_neighbourhood(lattice, PAIR_SHELLS)
        types = find_types(neighbourhood)
        terms = cluster_terms(neighbourhood, types, occupations)
        scale = np.sqrt(np.mean(terms**2, axis=0)).clip(min=1e-12)
        scaled = terms / scale
        gram = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
        weights = np.linalg.solve(gram, scaled.T @ (mixing_energy / lattice.n_sites)) / scale
        return cls(neighbourhood, types, weights)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration, ``int8[n, n_sites]`` to ``float64[n]``, Ry per cell."""
        terms = cluster_terms(self.neighbourhood, self.types, occupations)
        return np.asarray(terms @ self.weights) * occupations.shape[1]


def find_types(neighbourhood: Neighbourhood) -> list[np.ndarray]:
    """Return the classes of clusters of the baseline: pairs, triplets, tetrahedra."""
    shells = neighbourhood.separation[0, 1:]
    near = np.flatnonzero(neighbourhood.shell < TETRAHEDRON_SHELLS)
    small = Neighbourhood(
        neighbourhood.vectors[near],
        neighbourhood.sites[:, near],
        neighbourhood.distances[:TETRAHEDRON_SHELLS],
        neighbourhood.shell[near],
    )
    return [
        *cluster_types(neighbourhood, 2),
        *cluster_types(neighbourhood, 3, int(shells.max())),
        *cluster_types(small, 4, int(small.separation[0].max())),
    ]


def cluster_terms(neighbourhood: Neighbourhood, types: list[np.ndarray], occupations: np.ndarray) -> np.ndarray:
    """Return the terms of the expansion, ``float64[n, n_terms]``; all are zero in the pure species."""
    spins = 1.0 - 2.0 * np.asarray(occupations, dtype=np.float64)
    mean = spins.mean(axis=1)
    terms = [mean**power * (1.0 - mean**2) for power in range(COMPOSITION_TERMS)]
    around = spins[:, neighbourhood.sites]
    for members in types:
        clusters = sum(around[:, :, list(arms)].prod(axis=-1) for arms in members) / len(members)
        pure = mean if members.shape[1] % 2 == 0 else 1.0
        terms.append((spins * clusters).mean(axis=1) - pure)
    return np.stack(terms, axis=1)


def cluster_expansion_fit(dataset: Dataset) -> Predictor:
    """Fit the expansion to a data set and return its predictor: a baseline for cross-validation."""
    fitted = ClusterExpansion.fit(dataset.lattice, dataset.occupations, dataset.mixing_energy)
    return lambda occupations: Properties(fitted.energies(occupations), None, None)
