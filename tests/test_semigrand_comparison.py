"""A run over all compositions held against the exact levels of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wanglandau.density_of_states import DensityOfStates, density_from_levels, normalised
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.run_file import ExactRecord, describe_oracle, describe_system
from wanglandau.semigrand_comparison import compare_semigrand
from wanglandau.semigrand_file import SemigrandRecord

LATTICE = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
ORACLE = PairOracle(LATTICE, [-1.0])


@pytest.fixture(scope="module")
def exact() -> ExactRecord:
    described = describe_system("small", LATTICE), describe_oracle("pair:x.toml", ORACLE)
    return ExactRecord(exact_levels(ORACLE, None), *described)


def shifted(exact: ExactRecord, composition: int, error: float) -> DensityOfStates:
    """Exact, but for one bin that is wrong by ``error`` in all four runs."""
    levels = exact.levels.at_composition(composition)
    grid = EnergyGrid.covering(levels.energies.min(), levels.energies.max(), 1.0)
    density = density_from_levels(grid, 16, composition, levels.energies, levels.degeneracies)
    runs = np.repeat(density.run_ln_g, 4, axis=0)
    runs[:, 0] += error
    return replace(density, run_ln_g=normalised(runs, 16, composition), exact=False)


def record_of(exact: ExactRecord, error: float, compositions: range = range(17)) -> SemigrandRecord:
    densities = {n: shifted(exact, n, error if n == 8 else 0.0) for n in compositions}
    rest: dict = {"settings": {}, "versions": {}, "seeds": [1], "diagnostics": {}}
    verdict = {"trusted": True, "reasons": [], "summary": ""}
    return SemigrandRecord(densities, exact.system, exact.oracle, verdict=verdict, **rest)


def test_exact_densities_do_not_differ(exact: ExactRecord) -> None:
    compared = compare_semigrand(record_of(exact, 0.0), exact)
    assert compared.rms < 1e-9
    assert sorted(compared.by_composition) == list(range(17))
    assert compared.missing == []


def test_an_error_at_one_composition_is_found_there(exact: ExactRecord) -> None:
    compared = compare_semigrand(record_of(exact, 0.5), exact)
    wrong = [n for n, difference in compared.by_composition.items() if difference.rms > 0.01]
    assert wrong == [8]
    assert compared.by_composition[8].largest == pytest.approx(0.5, abs=0.01)
    assert "worst composition 8" in str(compared)
    assert compared.to_json()["rms"] == compared.rms > 0.01


def test_compositions_that_were_not_sampled_are_named(exact: ExactRecord) -> None:
    compared = compare_semigrand(record_of(exact, 0.0, range(2, 16)), exact)
    assert compared.missing == [0, 1, 16]


def test_levels_of_one_composition_are_refused(exact: ExactRecord) -> None:
    one = replace(exact, levels=exact.levels.at_composition(8))
    with pytest.raises(InputError, match="--all-compositions"):
        compare_semigrand(record_of(exact, 0.0), one)


def test_another_oracle_is_refused(exact: ExactRecord) -> None:
    other = replace(exact, oracle=describe_oracle("pair:y.toml", PairOracle(LATTICE, [-2.0])))
    with pytest.raises(InputError, match="oracle"):
        compare_semigrand(record_of(exact, 0.0), other)
