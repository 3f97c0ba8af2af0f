"""The sampler from end to end against exact densities of states: small Ising models and alloys of up to 64 atoms.

Tolerances are those that a correct sampler keeps with a wide margin at these numbers of trials. The checks are shown to
fail on results with one wrong piece.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import comb

import numpy as np
import pytest
from references.alloys import ENUMERATED, complete_bipartite_table, unlike_bonds
from references.ln_g_error import binned_ln_g, missing_levels
from sampled_references import (
    BCC,
    CRITICAL,
    FCC,
    LONG_FCC,
    SMALL_BCC,
    Cell,
    Reference,
    alloy,
    check_averages,
    check_critical,
    check_maximum,
    ising,
    raised,
)
from scipy import stats

from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.exact import exact_levels
from wanglandau.sampled_density import SampledDensity
from wanglandau.walkers import flat_weights, make_snapshots, make_walkers

pytestmark = pytest.mark.compiled

MIN_P = 1e-4
ALLOYS = {
    (FCC, 16): ((1.6, 3.0), (2.0, 4.0)),
    (FCC, 8): ((1.6, 3.2), (2.0, 4.0)),
    (FCC, None): ((1.4, 3.0), (2.0, 4.0)),
    (BCC, 16): ((3.0, 9.0), (4.0,)),
    (BCC, None): ((3.0, 9.0), (4.0,)),
    (SMALL_BCC, 8): ((3.0, 9.0), (4.0,)),
}
"""Where the maximum of C lies and at which temperatures averages are compared, J / k_B."""


@lru_cache
def sampled_alloy(cell: Cell, composition: int | None) -> tuple[Reference, SampledDensity]:
    reference = alloy(cell, composition)
    return reference, reference.sample(3_000_000, runs=4, walkers=1, seed=20)


@lru_cache
def sampled_square(length: int, trials: int) -> tuple[Reference, SampledDensity]:
    reference = ising(length)
    return reference, reference.sample(trials, runs=2, walkers=1, seed=4)


class TestIsing:
    @pytest.mark.compiled
    @pytest.mark.parametrize(("length", "trials", "limit"), [(4, 4_800_000, 0.03), (8, 15_000_000, 0.06)])
    def test_density_of_states(self, length: int, trials: int, limit: float) -> None:
        """Every run on its own, with 3e5 sweeps of 4 x 4 and 2.3e5 of 8 x 8."""
        reference, sampled = sampled_square(length, trials)
        assert sampled.density.visited.sum() == {4: 15, 8: 63}[length]
        assert missing_levels(sampled.density, reference.table, reference.unlike_bond) == []
        assert reference.rms_of_runs(sampled.density).max() < limit

    @pytest.mark.compiled
    @pytest.mark.parametrize(("length", "trials", "height"), [(4, 4_800_000, 0.01), (8, 15_000_000, 0.03)])
    def test_thermodynamics(self, length: int, trials: int, height: float) -> None:
        reference, sampled = sampled_square(length, trials)
        found, exact = reference.averages(sampled.density, CRITICAL), reference.canonical.averages(CRITICAL)
        assert found.ln_z == pytest.approx(exact.ln_z, abs=2e-3)
        assert found.energy == pytest.approx(exact.energy, abs=0.01)
        at, highest = reference.canonical.maximum(2.1, 2.8)
        assert reference.maximum(sampled.density, 2.1, 2.8) == (
            pytest.approx(at, rel=0.01),
            pytest.approx(highest, rel=height),
        )

    @pytest.mark.compiled
    def test_wrong_levels_are_noticed(self) -> None:
        reference, sampled = sampled_square(4, 4_800_000)
        wrong = raised(sampled.density, slice(2, 3), 0.15)
        assert reference.rms_of_runs(wrong).min() > 0.03
        with pytest.raises(AssertionError):
            check_critical(reference, wrong)
        hole = sampled.density.run_ln_g.copy()
        hole[:, np.flatnonzero(sampled.density.visited)[3]] = -np.inf
        with pytest.raises(AssertionError, match="bins that differ"):
            reference.rms(replace(sampled.density, run_ln_g=hole))


class TestAlloys:
    @pytest.mark.parametrize(("cell", "composition"), ALLOYS)
    def test_density_of_states(self, cell: Cell, composition: int | None) -> None:
        reference, sampled = sampled_alloy(cell, composition)
        assert missing_levels(sampled.density, reference.table, reference.unlike_bond) == []
        assert reference.rms(sampled.density) < 0.04

    @pytest.mark.parametrize(("cell", "composition"), ALLOYS)
    def test_thermodynamics(self, cell: Cell, composition: int | None) -> None:
        reference, sampled = sampled_alloy(cell, composition)
        bracket, temperatures = ALLOYS[cell, composition]
        check_maximum(reference, sampled.density, *bracket)
        for temperature in temperatures:
            check_averages(reference, sampled.density, temperature)

    def test_wrong_ground_state_is_noticed(self) -> None:
        reference, sampled = sampled_alloy(FCC, 16)
        wrong = raised(sampled.density, slice(0, 1), 0.3)
        assert reference.rms(wrong) > 0.04
        with pytest.raises(AssertionError):
            check_maximum(reference, wrong, 1.6, 3.0)

    @pytest.mark.parametrize("composition", [8, 16])
    def test_enumeration(self, composition: int) -> None:
        """Not sampled: equal to the literal table to the last configuration."""
        levels = exact_levels(alloy(FCC, composition).oracle, composition, progress=False)
        counted = zip(unlike_bonds(levels.energies).tolist(), levels.degeneracies.tolist(), strict=True)
        assert dict(counted) == ENUMERATED["fcc", composition]
        assert int(levels.degeneracies.sum()) == comb(32, composition)

    def test_cell_beyond_enumeration_in_windows(self) -> None:
        """64 atoms, 32 of each species: three windows with replica exchange against a transfer matrix."""
        reference = alloy(LONG_FCC, 32)
        sampled = reference.sample(6_000_000, runs=2, windows=3, seed=3)
        assert sampled.layout == (2, 3, 1) and sampled.exchange.min() > 0.02
        assert missing_levels(sampled.density, reference.table, reference.unlike_bond) == []
        assert reference.rms(sampled.density) < 0.1
        at, highest = reference.canonical.maximum(1.4, 3.0)
        assert reference.maximum(sampled.density, 1.4, 3.0) == (
            pytest.approx(at, rel=0.02),
            pytest.approx(highest, rel=0.04),
        )


class TestVisits:
    """bcc 2x2x2 at 8/8 under fixed exact weights: levels, and the configurations of each, are visited equally."""

    N_WALKERS, SNAPSHOTS, EVERY = 200, 300, 30

    def visits(self, wrong: float) -> tuple[np.ndarray, np.ndarray]:
        """Return snapshots of walkers: their levels (as places among them) and configurations as numbers."""
        reference = alloy(SMALL_BCC, 8)
        walkers = make_walkers(reference.oracle, 8, self.N_WALKERS, np.random.SeedSequence(9))
        table = complete_bipartite_table().at_composition(8)
        energies = reference.unlike_bond * np.array(list(table), dtype=float)
        grid = EnergyGrid.covering(energies.min(), energies.max(), 2 * abs(reference.unlike_bond))
        weights = flat_weights(grid, walkers, 0.0)
        ln_g = binned_ln_g(grid, table, reference.unlike_bond)
        levels = np.flatnonzero(np.isfinite(ln_g))
        weights.bins["ln_g"][levels], weights.bins["seen"][levels] = ln_g[levels], 1
        weights.bins["ln_g"][levels[2]] += wrong
        engine = Engine.fastest(reference.oracle)
        engine.advance(walkers, weights, 500)
        snapshots = make_snapshots(walkers, self.SNAPSHOTS, self.EVERY)
        engine.advance(walkers, weights, self.SNAPSHOTS * self.EVERY, snapshots)
        numbers = snapshots.occupations.reshape(-1, 16) @ (1 << np.arange(16))
        return np.searchsorted(levels, snapshots.records["bin"].reshape(-1)), numbers

    def p_values(self, wrong: float) -> tuple[float, float]:
        levels, numbers = self.visits(wrong)
        rows = np.array([row for row in np.ndindex(*(2,) * 16) if sum(row) == 8])
        every = np.sort(rows @ (1 << np.arange(16)))
        unlike = unlike_bonds(
            alloy(SMALL_BCC, 8).oracle.energies((every[:, None] >> np.arange(16) & 1).astype(np.int8))
        )
        states = np.array([complete_bipartite_table().at_composition(8)[u] for u in unlike.tolist()])
        of_levels = stats.chisquare(np.bincount(levels, minlength=5))
        counts = np.bincount(np.searchsorted(every, numbers), minlength=len(every))
        assert counts.sum() == len(numbers)
        of_states = stats.chisquare(counts, len(numbers) / 5 / states)
        return float(of_levels.pvalue), float(of_states.pvalue)

    def test_exact_weights(self) -> None:
        assert min(self.p_values(0.0)) > MIN_P

    def test_wrong_weight_is_noticed(self) -> None:
        assert self.p_values(0.1)[0] < MIN_P
