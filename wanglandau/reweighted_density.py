"""The density of states of a dear oracle from that of a cheap one and a budget of dear energies.

The cheap density of states says how many configurations g_c(s) there are in each stratum s of cheap energies.
Configurations drawn uniformly from every stratum are given to the dear oracle, and

    g_d(E) = sum_s g_c(s) P(E_d in bin E | s),      Z_d(T) = sum_s g_c(s) <exp(-E_d / kT)>_s,

which is free-energy perturbation (R. W. Zwanzig, J. Chem. Phys. 22, 1420 (1954)) stratum by stratum, as absolutely
normalised as g_c is. The cheap oracle need not be right: where it is wrong, exp(-E_d / kT) scatters within a stratum
and errors grow; they are claimed, and the effective number of samples (L. Kish, 1965) says where they cannot be.

Errors are those of the rescaling bootstrap for stratified samples (J. N. K. Rao and C. F. J. Wu, J. Am. Stat. Assoc.
83, 231 (1988)): of n draws in a stratum n - 1 are drawn again, with replacement, and weighted by n / (n - 1); of the R
independent runs behind g_c likewise R - 1.

Where few draws carry the weight, the tail of E_d - E_c that would carry more may not be among them, and no resampling
tells. With a standard deviation of s kT within strata, and normal tails, that weight lies s standard deviations below
the mean and makes the mean of exp(-(E_d - E_c) / kT) larger by exp(s^2 / 2); n draws miss it with probability
exp(-n Phi(-s)) (compare D. Wu and D. A. Kofke, J. Chem. Phys. 123, 054103 (2005)). The product of gain and probability
is what is reckoned as unseen: what it would change in an average counts as a further error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logsumexp, ndtr

from wanglandau.energy_grid import EnergyGrid
from wanglandau.levels import BOLTZMANN, Levels, checked_temperatures
from wanglandau.thermodynamics import Peak, Thermodynamics

REPLICATES = 400
MIN_EFFECTIVE = 20.0
"""Effective samples below which a temperature is not to be trusted: an average over fewer has errors that are
themselves unknown by more than a sixth."""
MAX_EFFECTIVE = 1e6
"""Effective samples are counted no further: what was listed whole leaves nothing to chance."""
MAX_UNSEEN = 0.1
"""Weight that the draws may miss, as a part of that found."""
SAMPLES_PER_BIN = 10
"""Least mean number of samples in a bin of the dear density of states."""
_TINY = 1e-300
_MAX_EXPONENT = 100.0


@dataclass(frozen=True, eq=False)
class DearDensity:
    """Number of configurations in bins of dear energy.

    Attributes
    ----------
    grid : EnergyGrid
    ln_g : float64[n_bins]
        -inf in bins without a sample; counts all configurations that the cheap density of states counts.
    standard_error : float64[n_bins]
        Of ln_g; 0 where no sample is left to chance, inf in bins without a sample.
    """

    grid: EnergyGrid
    ln_g: np.ndarray
    standard_error: np.ndarray


@dataclass(frozen=True, eq=False)
class DearThermodynamics:
    """Canonical averages of the dear oracle, and how far to trust them.

    Attributes
    ----------
    thermal : Thermodynamics
        With standard errors.
    peak : Peak
        Of the heat capacity, with its error.
    effective : float64[n]
        Samples that carry the weight at each temperature: 1 / sum of their squared shares, over those that were drawn.
        At most :data:`MAX_EFFECTIVE`, where hardly any weight is left to chance.
    counted : float64[n]
        Share of the weight in strata whose orbits are all listed.
    spread : float64[n]
        Standard deviation of E_d - E_c within the strata that were drawn from over k T, averaged with the weights of
        that temperature.
    unseen : float64[n]
        Weight reckoned to be missed by the draws, as a part of that which was found.
    """

    thermal: Thermodynamics
    peak: Peak
    effective: np.ndarray
    counted: np.ndarray
    spread: np.ndarray
    unseen: np.ndarray

    @property
    def trusted(self) -> np.ndarray:
        """Temperatures that enough samples carry and where little is unseen, ``bool[n]``."""
        return (self.effective >= MIN_EFFECTIVE) & (self.unseen <= MAX_UNSEEN)


@dataclass(frozen=True, eq=False)
class ReweightedDensity:
    """Samples of all strata with their dear energies.

    Attributes
    ----------
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where it is free.
    occupations : int8[n, n_sites]
    energies : float64[n], Ry per cell
        By the dear oracle.
    cheap_energies : float64[n], Ry per cell
    stratum : int64[n]
    size : float64[n]
        Configurations that each sample stands for in a stratum whose orbits are listed; 1 in others.
    run_ln_g : float64[n_runs, n_strata]
        ln of the number of configurations of each stratum by each run of the cheap density of states.
    counted : bool[n_strata]
        Strata whose orbits are all listed.
    seed : int
        Of the bootstrap.
    """

    n_sites: int
    composition: int | None
    occupations: np.ndarray
    energies: np.ndarray
    cheap_energies: np.ndarray
    stratum: np.ndarray
    size: np.ndarray
    run_ln_g: np.ndarray
    counted: np.ndarray
    seed: int = 1

    @cached_property
    def ln_weights(self) -> np.ndarray:
        """Return ln of the number of configurations that each sample stands for, ``float64[n]``."""
        total = np.bincount(self.stratum, self.size, len(self.counted))
        return self.run_ln_g.mean(axis=0)[self.stratum] + np.log(self.size / total[self.stratum])

    @cached_property
    def replicates(self) -> np.ndarray:
        """Weights of the bootstrap over those of the samples, ``float64[n_replicates, n]``; their mean is 1."""
        rng = np.random.default_rng(self.seed)
        ratios = np.ones((REPLICATES, len(self.energies)))
        for stratum in np.flatnonzero(~self.counted):
            members = np.flatnonzero(self.stratum == stratum)
            n = len(members)
            if n > 1:
                counts = rng.multinomial(n - 1, np.full(n, 1 / n), size=REPLICATES)
                ratios[:, members] = counts * (n / (n - 1))
        n_runs = len(self.run_ln_g)
        if n_runs > 1:
            counts = rng.multinomial(n_runs - 1, np.full(n_runs, 1 / n_runs), size=REPLICATES)
            shift = counts @ self.run_ln_g / (n_runs - 1) - self.run_ln_g.mean(axis=0)
            ratios *= np.exp(shift)[:, self.stratum]
        return ratios

    @property
    def levels(self) -> Levels:
        """Every sample as a level of its energy with as many states as it stands for."""
        energies = self.energies
        return Levels(self.n_sites, self.ln_weights, energies, np.zeros(len(energies)), energies)

    def default_grid(self, width: float) -> EnergyGrid:
        """Choose bins of the dear energy: of at least ``width`` (Ry) and ten samples on average."""
        low, high = float(self.energies.min()), float(self.energies.max())
        most = max(1, len(self.energies) // SAMPLES_PER_BIN)
        return EnergyGrid.covering(low, high, max(width, (high - low) / most))

    def density(self, grid: EnergyGrid) -> DearDensity:
        """Sort the samples into bins of dear energy; those beyond the grid are left out."""
        bins = grid.index(self.energies)
        top = self.ln_weights.max()
        weights = np.exp(self.ln_weights - top)
        inside = (bins >= 0) & (bins < grid.n_bins)
        place, ratios = bins[inside], self.replicates[:, inside] * weights[inside]
        totals = np.bincount(place, weights[inside], grid.n_bins)
        spread = np.array([np.bincount(place, row, grid.n_bins) for row in ratios]).std(axis=0, ddof=1)
        seen = totals > 0
        ln_g, error = np.full(grid.n_bins, -np.inf), np.full(grid.n_bins, np.inf)
        ln_g[seen] = np.log(totals[seen]) + top
        error[seen] = spread[seen] / totals[seen]
        return DearDensity(grid, ln_g, error)

    def thermodynamics(self, temperatures: np.ndarray) -> DearThermodynamics:
        """Compute U, C, F and S of the dear oracle.

        Parameters
        ----------
        temperatures : float64[n], K
            Ascending; the peak of C is looked for between them.

        Raises
        ------
        InputError
            If a temperature is not above 0 K.
        """
        checked = checked_temperatures(temperatures)
        beta = 1 / (BOLTZMANN * checked[:, None])
        share, ln_z = self._shares(beta)
        ones = np.ones((1, len(self.energies)))
        values = self._curves(share, ln_z, beta, ones)[:, 0]
        samples = self._curves(share, ln_z, beta, self.replicates)
        drawn = ~self.counted[self.stratum]
        spread = self._spread(share[:, drawn], beta[:, 0])
        gain = _missed_gain(spread, _carriers(share[:, drawn]))
        shifted = self._curves(share * (1 + np.outer(gain, drawn)), ln_z, beta, ones)[:, 0]
        errors = Thermodynamics(self.n_sites, checked, *np.hypot(samples.std(axis=1, ddof=1), shifted - values))
        thermal = replace(Thermodynamics(self.n_sites, checked, *values), standard_error=errors)
        squares = (share[:, drawn] ** 2).sum(axis=1)
        effective = 1 / np.maximum(squares, 1 / MAX_EFFECTIVE)
        counted = share[:, ~drawn].sum(axis=1)
        unseen = gain * share[:, drawn].sum(axis=1)
        peak = _peak(checked, values[1], samples[1])
        return DearThermodynamics(thermal, peak, effective, counted, spread, unseen)

    def _shares(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of each sample in Z, ``float64[n_temperatures, n]``, and ln Z from the lowest energy."""
        ln_terms = self.ln_weights - beta * (self.energies - self.energies.min())
        ln_z = logsumexp(ln_terms, axis=1)
        return np.exp(ln_terms - ln_z[:, None]), ln_z

    def _curves(self, share: np.ndarray, ln_z: np.ndarray, beta: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Return U, C, F and S for every row of relative weights, ``float64[4, n_rows, n_temperatures]``."""
        ground, rows = self.energies.min(), ratios.T
        above = self.energies - ground
        middle = share @ above
        deviation = above - middle[:, None]
        total = np.maximum(share @ rows, _TINY)
        mean = (share * deviation) @ rows / total
        variance = (share * deviation**2) @ rows / total - mean**2
        ln_total = ln_z[:, None] + np.log(total)
        internal = middle[:, None] + mean
        free = -ln_total / beta
        curves = (internal + ground, beta**2 * variance, free + ground, beta * internal + ln_total)
        return np.array([curve.T for curve in curves])

    def _spread(self, share: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Return the standard deviation of E_d - E_c within strata times beta, by temperature.

        ``share`` is that of the draws, ``float64[n_temperatures, n_drawn]``.
        """
        difference, n_strata = self.energies - self.cheap_energies, len(self.counted)
        number = np.bincount(self.stratum, minlength=n_strata)
        mean = np.bincount(self.stratum, difference, n_strata) / np.maximum(number, 1)
        square = np.bincount(self.stratum, (difference - mean[self.stratum]) ** 2, n_strata)
        variance = (square / np.maximum(number - 1, 1))[self.stratum[~self.counted[self.stratum]]]
        return beta * np.sqrt(share @ variance / np.maximum(share.sum(axis=1), _TINY))


def _carriers(share: np.ndarray) -> np.ndarray:
    """Return how many samples carry the weight of all of them, ``float64[n_temperatures]``."""
    return share.sum(axis=1) ** 2 / np.maximum((share**2).sum(axis=1), _TINY)


def _missed_gain(spread: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return by which part the weight of so many draws is reckoned to fall short, ``float64[n_temperatures]``."""
    return np.expm1(np.minimum(spread**2 / 2, _MAX_EXPONENT)) * np.exp(-number * ndtr(-spread))


def _peak(temperatures: np.ndarray, values: np.ndarray, samples: np.ndarray) -> Peak:
    """Find the maximum of C between temperatures by a parabola, with the scatter of the replicates for its error."""
    temperature, height, inside = _maximum(temperatures, values)
    found = np.array([_maximum(temperatures, row)[:2] for row in samples])
    errors = found.std(axis=0, ddof=1)
    return Peak(temperature, height, float(errors[0]), float(errors[1]), inside)


def _maximum(temperatures: np.ndarray, values: np.ndarray) -> tuple[float, float, bool]:
    best = int(np.argmax(values))
    if best in (0, len(values) - 1):
        return float(temperatures[best]), float(values[best]), False
    x, y = temperatures[best - 1 : best + 2], values[best - 1 : best + 2]
    curvature, slope, level = np.polyfit(x - x[1], y, 2)
    shift = -slope / (2 * curvature) if curvature < 0 else 0.0
    return float(x[1] + shift), float(level - slope**2 / (4 * curvature) if curvature < 0 else y[1]), True
