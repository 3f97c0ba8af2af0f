"""Model data: configurations with the energies, charges and moments that a trained surrogate predicts for them.

The published study trains on 28,058 first-principles results, far more than come with this package. A set of the same
make and size, labelled by the shipped surrogate, lets methods be timed and compared at that scale. It holds no physics
beyond the data behind the surrogate; its attributes, ``source`` and ``caution`` say so wherever it goes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import comb

import numpy as np

from surrogate.dataset import Dataset
from surrogate.ensemble_artefact import Ensemble
from surrogate.ensemble_oracle import EnsembleSurrogateOracle
from surrogate.oracle import SurrogateOracle
from surrogate.orbits import MAX_SITES, orbit_labels
from wanglandau.configurations import PAPER_PER_COMPOSITION, balanced_configurations
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import pure_energies

MAX_LABELLED = 1_000_000
"""Sanity limit on the configurations of a set; charges alone are a quarter of a gigabyte then (32 sites)."""


@dataclass(frozen=True)
class Sample:
    """The balanced sample of the published study: equally many configurations at each composition.

    Parameters
    ----------
    per_composition : int
        Largest number of configurations of one composition.
    seed : int
        Of the random numbers that draw them.
    distinct_orbits : bool
        Whether to draw at most one configuration of each orbit.

    Raises
    ------
    InputError
        If the number or the seed makes no sense.
    """

    per_composition: int = PAPER_PER_COMPOSITION
    seed: int = 0
    distinct_orbits: bool = False

    def __post_init__(self) -> None:
        if self.per_composition < 1:
            raise InputError(f"per_composition is {self.per_composition}; ask for at least one configuration")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; give a whole number of at least 0")

    def draw(self, lattice: Lattice) -> np.ndarray:
        """Draw the configurations, ``int8[n, n_sites]``; the same sample gives the same ones.

        Raises
        ------
        InputError
            If the cell is too large for a data set or the sample too large for a machine.
        """
        if lattice.n_sites > MAX_SITES:
            raise InputError(f"a cell of {lattice.n_sites} sites is too large for a data set (limit {MAX_SITES} sites)")
        most = sum(min(comb(lattice.n_sites, k), self.per_composition) for k in range(lattice.n_sites + 1))
        if most > MAX_LABELLED:
            raise InputError(
                f"{self.per_composition} configurations of each composition make up to {most}, more than the limit of "
                f"{MAX_LABELLED}; ask for fewer with --per-composition"
            )
        rng = np.random.default_rng(self.seed)
        permutations = lattice.symmetry if self.distinct_orbits else None
        return balanced_configurations(lattice.n_sites, self.per_composition, rng=rng, permutations=permutations)


def label(oracle: SurrogateOracle | EnsembleSurrogateOracle, sample: Sample, system: str) -> Dataset:
    """Draw a sample and let a surrogate predict energy, charges and, where it knows them, moments.

    Parameters
    ----------
    oracle : SurrogateOracle or EnsembleSurrogateOracle
    sample : Sample
    system : str
        Name of the system, kept in the file.

    Returns
    -------
    Dataset
        Total energies are mixing energies plus those of the pure species and hold the former to about 1e-10 Ry per
        cell, the spacing of float64 numbers of that size.

    Raises
    ------
    InputError
        If the sample cannot be drawn or the surrogate predicts what is no number.
    """
    lattice = oracle.lattice
    occupations = sample.draw(lattice)
    predicted = oracle.properties(occupations)
    maker = f"model data: {_architecture(oracle)} surrogate {oracle.identity}"
    return Dataset(
        lattice,
        occupations,
        predicted.energy + pure_energies(occupations, oracle.reference_energies),
        orbit_labels(lattice, occupations),
        oracle.reference_energies,
        predicted.charge,
        predicted.moment,
        np.full(len(occupations), maker),
        attributes={
            "system": system,
            "code": maker,
            "settings": f"{maker}; balanced sample {json.dumps(vars(sample))}",
            "caution": _caution(oracle.caution),
        },
    )


def _architecture(oracle: SurrogateOracle | EnsembleSurrogateOracle) -> str:
    model = oracle.artefact
    if isinstance(model, Ensemble):
        return f"{model.members[0].card.architecture} ensemble"
    return model.card.architecture


def _caution(behind: str) -> str:
    """Put before what is known of the data behind the surrogate that these are not those data."""
    own = "Model data: predicted by a surrogate, not computed from first principles."
    return f"{own} {behind}" if behind else own
