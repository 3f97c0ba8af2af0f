"""Finding the ends of the energy range before a density of states is sampled.

Many walkers are annealed from random configurations down to the lowest energies and, with the sign of
the temperature reversed, up to the highest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wanglandau.density_of_states import log_total_states
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.starting_weights import ThermalSample
from wanglandau.walkers import Walkers, Window, boltzmann_weights, make_snapshots, make_walkers

N_WALKERS = 32
"""Random starts of the search."""
N_TEMPERATURES = 40
HOTTEST, COLDEST = 3.0, 0.05
"""Annealing temperatures, in units of that where ordering is to be expected; see ``thermal_energy``."""
MIN_SWEEPS_OF_SAMPLE = 20
"""Sweeps at each temperature below which energies lag so far behind it that they tell nothing of ln g."""
MAX_SITES_OF_SAMPLE = 512
"""In larger cells the energies at neighbouring temperatures hardly overlap, since their distance in standard deviations
grows as the square root of the number of sites."""
LOOKS_PER_TEMPERATURE = 20
"""Energies of each walker kept at a temperature, from the second half of its trials there."""
SAMPLE = 2000
"""Random configurations whose energies tell discrete levels from a continuum."""
LEVEL_TOLERANCE = 1e-9
"""Energies closer than this (Ry) are one level."""
MAX_LEVELS = 2500
CUSTOMARY_BINS, MAX_CUSTOMARY_BINS = 300, 2000
WIDEST_BIN = 0.5
"""In units of k_B times the temperature where ordering is to be expected."""


@dataclass(frozen=True)
class EnergyRange:
    """What the search found.

    Attributes
    ----------
    low, high : float, Ry per cell
        Lowest and highest mixing energy met.
    found_low, found_high : int
        How many of the walkers ended there (within 1e-9 Ry).
    trials : int
    level_spacing : float or None, Ry
        Smallest spacing of energies where they are few and discrete, else None.
    spread : float, Ry
        Standard deviation of the energy over random configurations.
    sample : ThermalSample or None
        Energies met on the way; None after too short a search or in too large a cell.
    """

    low: float
    high: float
    found_low: int
    found_high: int
    trials: int
    level_spacing: float | None
    spread: float
    sample: ThermalSample | None = field(default=None, repr=False, compare=False)


def search_range(
    engine: Engine, composition: int | None, max_trials: int, seed: np.random.SeedSequence, upwards: bool = True
) -> EnergyRange:
    """Search for the lowest and the highest energy at a composition, or of all compositions.

    Parameters
    ----------
    engine : Engine
    composition : int or None
    max_trials : int
        Most trials to spend on each end.
    seed : SeedSequence
    upwards : bool
        Whether to search for the highest energy too; without, it is the highest of some random configurations.
    """
    down, up, sample = seed.spawn(3)
    n_walkers = max(2, min(N_WALKERS, max_trials // (2 * N_TEMPERATURES)))
    n_rounds = max(1, max_trials // (n_walkers * N_TEMPERATURES))
    ln_states = log_total_states(engine.oracle.lattice.n_sites, composition)
    low, high = (make_walkers(engine.oracle, composition, n_walkers, start) for start in (down, up))
    cooled = _anneal(engine, low, n_rounds, ln_states, +1.0)
    heated = _anneal(engine, high, n_rounds, ln_states, -1.0) if upwards else ThermalSample(np.zeros(0), [])
    energies = random_energies(engine, composition, min(SAMPLE, max(2, max_trials // 10)), sample)
    lowest = min(low.records["lowest"].min(), energies.min())
    highest = max(high.records["highest"].max(), energies.max())
    return EnergyRange(
        float(lowest),
        float(highest),
        int((low.records["lowest"] <= lowest + LEVEL_TOLERANCE).sum()),
        int((high.records["highest"] >= highest - LEVEL_TOLERANCE).sum()),
        (2 if upwards else 1) * n_walkers * n_rounds * N_TEMPERATURES,
        _level_spacing(energies, lowest, highest),
        float(energies.std()),
        _join(heated, energies, cooled) if _tells(n_rounds, engine.oracle.lattice.n_sites) else None,
    )


def _tells(n_rounds: int, n_sites: int) -> bool:
    """Tell whether energies met on the way say something of ln g."""
    return n_sites <= MAX_SITES_OF_SAMPLE and n_rounds >= MIN_SWEEPS_OF_SAMPLE * n_sites


def _join(heated: ThermalSample, random: np.ndarray, cooled: ThermalSample) -> ThermalSample:
    betas = np.concatenate([heated.betas[::-1], [0.0], cooled.betas])
    return ThermalSample(betas, [*heated.energies[::-1], random, *cooled.energies])


def sampled_range(engine: Engine, composition: int | None, seed: np.random.SeedSequence) -> EnergyRange:
    """Take the range of random configurations, for walks that find the rest themselves."""
    energies = random_energies(engine, composition, SAMPLE, seed)
    low, high = float(energies.min()), float(energies.max())
    return EnergyRange(low, high, 0, 0, 0, _level_spacing(energies, low, high), float(energies.std()))


def random_energies(engine: Engine, composition: int | None, n: int, seed: np.random.SeedSequence) -> np.ndarray:
    """Return the energies of ``n`` uniformly random configurations, ``float64[n]``, Ry per cell."""
    return make_walkers(engine.oracle, composition, n, seed).records["energy"].copy()


def make_grid(
    found: EnergyRange, bins: int | None, bin_width: float | None, window: Window, ln_states: float
) -> EnergyGrid:
    """Choose the bins: as asked for, else one per level of a discrete spectrum, else of equal width.

    Parameters
    ----------
    bins : int or None
        Their number; by default 300, more where these would be too wide for the temperature of ordering.
    bin_width : float or None, Ry
    window : Window
        Energies outside are left out.
    ln_states : float
        ln of the number of configurations.
    """
    if bin_width is None and found.level_spacing is not None:
        return _grid_of_levels(found.low, found.level_spacing, found.high, window)
    low, high = max(found.low, window.low), min(found.high, window.high)
    width = bin_width or _customary_width(found, bins, high - low, ln_states)
    # a free end lies in the middle of its bin, an end that was asked for is an edge
    start = low - width / 2 if low == found.low else low
    end = high + width / 2 if high == found.high else high
    n_bins = max(1, round((end - start) / width))
    return EnergyGrid(start, (end - start) / n_bins, n_bins)


def thermal_energy(spread: float, ln_states: float) -> float:
    """Return k_B times the temperature near which ordering is to be expected, in the unit of ``spread``.

    Where a Gaussian density of states of this spread runs out of states; see
    :attr:`wanglandau.levels.Levels.natural_temperature`.
    """
    return float(spread / np.sqrt(2 * ln_states))


def _customary_width(found: EnergyRange, bins: int | None, span: float, ln_states: float) -> float:
    """Return the width of ``bins`` bins, or of 300 but no more than half of k_B times the temperature of ordering."""
    if bins is not None:
        return max(span / (bins - 1), LEVEL_TOLERANCE)
    width = min(span / (CUSTOMARY_BINS - 1), WIDEST_BIN * thermal_energy(found.spread, ln_states))
    return max(width, span / (MAX_CUSTOMARY_BINS - 1), LEVEL_TOLERANCE)


def _grid_of_levels(lowest: float, spacing: float, highest: float, window: Window) -> EnergyGrid:
    first = np.ceil(max(window.low - lowest, 0.0) / spacing - LEVEL_TOLERANCE)
    last = np.floor((min(window.high, highest) - lowest) / spacing + LEVEL_TOLERANCE)
    return EnergyGrid.covering(lowest + first * spacing, lowest + last * spacing, spacing)


def _anneal(engine: Engine, walkers: Walkers, n_rounds: int, ln_states: float, sign: float) -> ThermalSample:
    """Cool walkers, with sign -1 through negative temperatures, and return the energies met on the way."""
    scale = thermal_energy(float(walkers.records["energy"].std()) or 1.0, ln_states)
    betas = sign / (np.geomspace(HOTTEST, COLDEST, N_TEMPERATURES) * scale)
    met = []
    every = max(1, n_rounds // (2 * LOOKS_PER_TEMPERATURE))
    for beta in betas:
        weights = boltzmann_weights(walkers, beta)
        engine.advance(walkers, weights, n_rounds // 2)
        rest = n_rounds - n_rounds // 2
        looks = make_snapshots(walkers, rest // every, every)
        engine.advance(walkers, weights, rest, looks)
        met.append(looks.records["energy"].ravel())
    return ThermalSample(betas, met)


def _level_spacing(energies: np.ndarray, low: float, high: float) -> float | None:
    levels = np.unique(np.concatenate([energies, [low, high]]))
    levels = levels[np.concatenate([[True], np.diff(levels) > LEVEL_TOLERANCE])]
    if len(levels) < 2 or len(levels) > len(energies) // 4:
        return None
    spacing = float(np.diff(levels).min())
    return spacing if (high - low) / spacing <= MAX_LEVELS else None
