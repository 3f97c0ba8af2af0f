"""What errors of a model do to ordering, against exact enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from surrogate.ordering import Ordering
from wanglandau.exact import exact_levels
from wanglandau.lattice import Lattice
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.ordered_structures import ordered_structures
from wanglandau.pair_model import PairOracle
from wanglandau.thermodynamics import heat_capacity_peak

J = 0.001


@pytest.fixture(scope="module")
def oracle() -> PairOracle:
    return PairOracle(Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2)), [-J, 0.3 * J])


@pytest.fixture(scope="module")
def ordering(oracle: PairOracle) -> Ordering:
    return Ordering.of(oracle, 8)


def test_the_reference_is_exact(oracle: PairOracle, ordering: Ordering) -> None:
    exact = exact_levels(oracle, 8, progress=False)
    levels = Levels.exact(16, exact.energies, exact.degeneracies)
    peak = heat_capacity_peak(levels, levels.natural_temperature * np.geomspace(0.1, 10, 500))
    assert ordering.peak.temperature == pytest.approx(peak.temperature, rel=1e-6)
    assert ordering.sizes.sum() == 12870 and ordering.energies.min() == pytest.approx(exact.energies[0])
    assert set(ordering.structures) == set(ordered_structures(oracle.lattice))


def test_the_reference_agrees_with_itself(oracle: PairOracle, ordering: Ordering) -> None:
    report = ordering.compare(oracle.energies)
    assert report["peak_shift_kelvin"] == 0.0 and report["ground_state_found"]
    assert report["ground_state_above_mev_per_atom"] == 0.0 == report["structures_rmse_mev_per_atom"]


def test_errors_show_where_they_act(oracle: PairOracle, ordering: Ordering) -> None:
    """Bonds stronger by a tenth move the peak by a tenth; a model upside down puts the highest energy lowest."""
    stronger = ordering.compare(lambda rows: 1.1 * oracle.energies(rows))
    assert stronger["peak_kelvin"] == pytest.approx(1.1 * ordering.peak.temperature, rel=1e-4)
    assert stronger["peak_shift_kelvin"] == pytest.approx(0.1 * ordering.peak.temperature, rel=1e-3)
    assert stronger["ground_state_found"]
    expected = 0.1 * ordering.structure_energies * MEV_PER_RY / 16
    assert list(stronger["structures_mev_per_atom"].values()) == pytest.approx(expected.tolist())
    upside_down = ordering.compare(lambda rows: -oracle.energies(rows))
    highest = (ordering.energies.max() - ordering.energies.min()) * MEV_PER_RY / 16
    assert not upside_down["ground_state_found"]
    assert upside_down["ground_state_above_mev_per_atom"] == pytest.approx(highest)


def test_a_model_without_order_has_no_peak(ordering: Ordering) -> None:
    report = ordering.compare(lambda rows: np.full(len(rows), 0.1))
    assert set(report) == {"structures_mev_per_atom", "structures_rmse_mev_per_atom"}
