"""Reweighted Wang-Landau sampling against exact averages, within its own errors, in both ensembles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from wanglandau.exact import ExactLevels, exact_levels
from wanglandau.lattice import Lattice
from wanglandau.levels import Levels, Source
from wanglandau.mixing import semigrand_averages
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.thermodynamics import thermodynamics

LATTICE = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
BOND = 2.0**-8
"""Ry gained by an unlike bond."""
ORACLE = PairOracle(LATTICE, [-BOND])
TEMPERATURES = np.array([600.0, 1000.0, 1600.0, 2500.0, 6000.0])
FIELDS = np.array([0.0, 1.0, 2.0, 3.0, 4.0]) * BOND
"""Chemical-potential differences, Ry."""


@pytest.fixture(scope="module")
def exact() -> ExactLevels:
    return exact_levels(ORACLE, None)


def worst_z(ours: object, theirs: object, names: tuple[str, ...]) -> float:
    """Largest deviation from the exact value in units of the error claimed."""
    z = []
    for name in names:
        error = getattr(ours.standard_error, name)  # type: ignore[attr-defined]
        difference = np.abs(np.asarray(getattr(ours, name)) - np.asarray(getattr(theirs, name)))
        z.append(difference / np.maximum(error, 1e-12))
    return float(np.max(z))


@pytest.mark.compiled
def test_canonical_averages_at_five_temperatures(exact: ExactLevels) -> None:
    settings = WangLandauSettings(runs=8, max_trials=400_000, precision=1e-9, observables=False)
    density = sample_density(ORACLE, 8, settings, progress=False).density
    levels = exact.at_composition(8)
    truth = thermodynamics(Levels.exact(16, levels.energies, levels.degeneracies), TEMPERATURES)
    names = ("internal_energy", "heat_capacity", "free_energy", "entropy")
    assert worst_z(thermodynamics(density, TEMPERATURES), truth, names) < 3
    assert worst_z(thermodynamics(density, 1.1 * TEMPERATURES), truth, names) > 10


def sources(levels: ExactLevels) -> Mapping[int, Source]:
    every = (levels.at_composition(n) for n in range(17))
    return {n: Levels.exact(16, one.energies, one.degeneracies) for n, one in enumerate(every)}


@pytest.mark.compiled
def test_semigrand_averages_at_five_temperatures_and_fields(exact: ExactLevels) -> None:
    settings = WangLandauSettings(runs=8, max_trials=1_500_000, precision=1e-9, ensemble="semigrand")
    sampled = sample_density(ORACLE, None, settings, progress=False)
    walked = {n: density for n, density in sampled.densities.items() if n is not None}
    names = ("fraction", "internal_energy", "heat_capacity")
    z, wrong = [], []
    for temperature in TEMPERATURES:
        ours = semigrand_averages(walked, 16, float(temperature), FIELDS)
        z.append(worst_z(ours, semigrand_averages(sources(exact), 16, float(temperature), FIELDS), names))
        other = semigrand_averages(sources(exact), 16, float(temperature), FIELDS + 0.2 * BOND)
        wrong.append(worst_z(ours, other, names))
    assert max(z) < 3
    assert max(wrong) > 10
