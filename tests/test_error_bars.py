"""Error bars are honest: over many repeated calculations, intervals hold the exact value as often as they claim to.

The runs of a calculation are few, so that the interval of a level of confidence is that of Student's t with one degree
of freedom less than there are runs: for ln g of every bin, with the standard error over the runs, and for temperature
and height of the maximum of the heat capacity, with jackknife errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from references.ln_g_error import binned_ln_g
from references.scale import kelvin
from sampled_references import FCC, SMALL_BCC, Reference, alloy, raised
from scipy import stats

from wanglandau.density_of_states import DensityOfStates
from wanglandau.thermodynamics import heat_capacity_peak

RUNS = 8
LIMITS = {0.68: (0.60, 0.76), 0.95: (0.90, 0.98)}
"""Share of the intervals of each level of confidence that has to hold the exact value."""


@dataclass
class Deviations:
    """Deviations from the exact values in standard errors; the first axis is the calculation.

    Attributes
    ----------
    ln_g : float64[n, n_levels]
        nan where ln g was pinned.
    temperature, height : float64[n]
        Of the maximum of the heat capacity.
    """

    ln_g: np.ndarray
    temperature: np.ndarray
    height: np.ndarray

    @classmethod
    def of(cls, reference: Reference, densities: list[DensityOfStates], bracket: tuple[float, float]) -> Deviations:
        at, height = reference.canonical.maximum(*bracket)
        temperatures = np.asarray(kelvin(np.linspace(*bracket, 30)))
        rows, peaks = [], []
        for density in densities:
            exact = binned_ln_g(density.grid, reference.table, reference.unlike_bond)
            held = np.isfinite(exact)
            rows.append(_in_errors(density.ln_g[held] - exact[held], density.standard_error[held]))
            peak = heat_capacity_peak(density, temperatures)
            off = peak.height - height * density.n_sites
            peaks.append([(peak.temperature - kelvin(at)) / peak.temperature_error, off / peak.height_error])
        return cls(np.array(rows), *np.array(peaks).T)

    def shares(self) -> dict[str, dict[float, float]]:
        """Return the share of intervals that hold the exact value, by quantity and level of confidence."""
        half_width = {level: stats.t.ppf(0.5 + level / 2, RUNS - 1) for level in LIMITS}
        return {
            name: {
                level: float((np.abs(values[np.isfinite(values)]) < width).mean())
                for level, width in half_width.items()
            }
            for name, values in vars(self).items()
        }

    def honest(self) -> bool:
        return all(
            LIMITS[level][0] <= share <= LIMITS[level][1]
            for shares in self.shares().values()
            for level, share in shares.items()
        )


def _in_errors(deviation: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Divide deviations by their errors; counted numbers of configurations have none and are right."""
    counted = error < 1e-9
    assert (np.abs(deviation[counted]) < 2e-3).all()  # the mean over runs is normalised anew
    return np.where(counted, np.nan, deviation / np.where(counted, 1.0, error))


def calculations(reference: Reference, n: int, trials: int) -> list[DensityOfStates]:
    return [reference.sample(trials, runs=RUNS, walkers=1, seed=seed).density for seed in range(1, n + 1)]


@lru_cache
def short_calculations() -> list[DensityOfStates]:
    return calculations(alloy(SMALL_BCC, 8), 100, 40_000)


class TestShortRuns:
    """bcc 2x2x2 at 8/8, Wang-Landau and production."""

    BRACKET = (3.0, 9.0)

    def deviations(self, densities: list[DensityOfStates]) -> Deviations:
        return Deviations.of(alloy(SMALL_BCC, 8), densities, self.BRACKET)

    @pytest.mark.compiled
    def test_intervals_hold_the_exact_values(self) -> None:
        found = self.deviations(short_calculations())
        print(found.shares())
        assert found.honest(), found.shares()

    @pytest.mark.compiled
    def test_a_bias_is_noticed(self) -> None:
        biased = self.deviations([raised(density, slice(1, 2), 0.1) for density in short_calculations()])
        assert biased.shares()["ln_g"][0.95] < LIMITS[0.95][0]

    @pytest.mark.compiled
    def test_errors_that_are_too_small_are_noticed(self) -> None:
        """Runs that share half of their deviation from the mean of all, as if they had not been independent."""
        densities = short_calculations()
        common = [density.run_ln_g.mean(axis=0) for density in densities]
        close = [
            replace(density, run_ln_g=(density.run_ln_g + mean) / 2)
            for density, mean in zip(densities, common, strict=True)
        ]
        shares = self.deviations(close).shares()
        assert all(of_level[0.68] < LIMITS[0.68][0] for of_level in shares.values())


@pytest.mark.long
@pytest.mark.parametrize("trials", [200_000, 400_000])
def test_intervals_of_a_larger_cell(trials: int) -> None:
    """fcc 2x2x2 at 16/16: so short that (first) most runs never reach production, or (second) just do."""
    reference = alloy(FCC, 16)
    found = Deviations.of(reference, calculations(reference, 150, trials), (1.6, 3.0))
    print(trials, found.shares())
    assert found.honest(), found.shares()
