"""What a committee says of one composition: which configurations there are, and their thermodynamics with errors.

A cell that can be listed is enumerated: one configuration of every orbit, and the heat capacity of the mean and of
each member exact. A larger one is sampled by Wang-Landau, where members are reweighted inside the bins
(:mod:`wanglandau.model_error`); its configurations are those that a walk with the weights 1 / g meets, evenly over the
energies, and the lowest that annealing finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from lsms_bridge.committee import Committee
from lsms_bridge.learning_settings import LearningSettings
from lsms_bridge.selection import MAX_ORDERED_ORBIT
from wanglandau.annealing import anneal
from wanglandau.bin_samples import look_into_bins
from wanglandau.density_of_states import density_from_levels
from wanglandau.dropped_sampling import DropsWhenAsked
from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.ensemble_oracle import checked_member_energies
from wanglandau.errors import InputError
from wanglandau.exact import BATCH_SIZE, exact_levels, merge_levels
from wanglandau.levels import Levels, Source
from wanglandau.metropolis_settings import AnnealingSettings
from wanglandau.model_error import member_levels
from wanglandau.oracle import checked_energies
from wanglandau.orbits import MAX_ENUMERATED_SITES, canonical_keys, enumerate_orbits, occupations_from_keys
from wanglandau.ordered_structures import ordered_structures
from wanglandau.provenance import versions
from wanglandau.run_file import RunRecord, describe_oracle, describe_system, write_exact, write_run
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import System
from wanglandau.temperature_curves import split_members
from wanglandau.thermodynamics import Thermodynamics, default_temperatures, heat_capacity_peak, thermodynamics
from wanglandau.verdict import judge

MAX_ORDERED = 12
"""Small orbits count as ordered, but no more than the smallest so many of them."""
MAX_EXACT_LEVELS = 2000
"""More levels than these are put into so many bins for thermodynamics; the energy inside a bin is expanded."""
LOOKS_PER_BIN = 100
LOWEST_KEPT = 300
"""Configurations of annealing that are looked at."""
RANDOM_WIDTHS = 2.0
"""Energies of interest end so many standard deviations above the mean of random configurations."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number or a curve with its two errors.

    Attributes
    ----------
    value, sampling, model : float or float64[n]
        Value by the mean of the committee; standard error of sampling; error of the model, which is the standard
        deviation over the members and the distance of their mean from the value, added in squares.
    """

    value: float | np.ndarray
    sampling: float | np.ndarray
    model: float | np.ndarray

    @classmethod
    def of(cls, value: float | np.ndarray, sampling: float | np.ndarray, members: np.ndarray) -> Estimate:
        """Make one of ``float64[...]`` and what each member says, ``float64[n_members, ...]``."""
        spread = members.std(axis=0, ddof=1)
        return cls(value, sampling, np.hypot(spread, members.mean(axis=0) - value))

    def error(self, factor: float = 1.0) -> np.ndarray:
        """Return both errors together, that of the model times a factor."""
        return np.hypot(self.sampling, factor * np.asarray(self.model))


@dataclass(frozen=True, eq=False)
class Thermal:
    """The heat capacity of one composition.

    Attributes
    ----------
    temperatures : float64[n], K
    capacity : Estimate
        Curve, k_B per atom.
    peak_temperature : Estimate
        K.
    peak_height : Estimate
        k_B per atom.
    inside : bool
        Whether the mean and every member have the peak inside the temperatures looked at.
    trusted : bool
        Verdict on the sampling; True where everything was enumerated.
    """

    temperatures: np.ndarray
    capacity: Estimate
    peak_temperature: Estimate
    peak_height: Estimate
    inside: bool
    trusted: bool = True


class Candidates(NamedTuple):
    """Configurations the dear oracle may be asked for, one for each orbit.

    Attributes
    ----------
    keys : uint64[n]
        Canonical keys, which are the orbit labels of data sets.
    energies : float64[n], Ry per cell
        By the mean of the committee.
    spreads : float64[n], Ry per cell
        Standard deviation over the members.
    ordered : bool[n]
        Which are ordered structures.
    top : float, Ry per cell
        Energies above it matter little at any temperature.
    """

    keys: np.ndarray
    energies: np.ndarray
    spreads: np.ndarray
    ordered: np.ndarray
    top: float


class Exploration(NamedTuple):
    """All that the loop asks of a committee at one composition.

    Attributes
    ----------
    candidates : Candidates
    thermal : Thermal
    complete : bool
        Whether the candidates are all orbits.
    """

    candidates: Candidates
    thermal: Thermal
    complete: bool


def enumerates(n_sites: int, settings: LearningSettings) -> bool:
    """Tell whether a cell is enumerated.

    Raises
    ------
    InputError
        If that is asked for and impossible.
    """
    if settings.exact and n_sites > MAX_ENUMERATED_SITES:
        raise InputError(f"{n_sites} sites cannot be enumerated (limit {MAX_ENUMERATED_SITES}); leave --exact out")
    return n_sites <= MAX_ENUMERATED_SITES if settings.exact is None else settings.exact


def explore(
    committee: Committee, system: System, composition: int, settings: LearningSettings, seed: int, folder: Path
) -> Exploration:
    """Explore one composition and write its density of states to ``folder``.

    Parameters
    ----------
    committee : Committee
    system : System
    composition : int
        Number of second-species atoms, 1 to n_sites - 1.
    settings : LearningSettings
    seed : int
        Of sampling; without effect where orbits are enumerated.
    folder : Path
        Gets ``COMPOSITION-exact.h5`` or ``COMPOSITION-dos.h5``.

    Raises
    ------
    InputError
        If all configurations have the same energy, or the committee is not invariant.
    """
    if not committee.invariant:
        raise InputError(
            "the committee gives equivalent configurations different energies; learn with an invariant one"
        )
    if enumerates(system.lattice.n_sites, settings):
        return _enumerated(committee, system, composition, folder)
    return _sampled(committee, system, composition, settings, seed, folder)


def _enumerated(committee: Committee, system: System, composition: int, folder: Path) -> Exploration:
    n_sites = system.lattice.n_sites
    orbits = enumerate_orbits(system.lattice, composition)
    parts = [_ask(committee, orbits.occupations(k, k + BATCH_SIZE)) for k in range(0, len(orbits), BATCH_SIZE)]
    energies, members = (np.concatenate(part) for part in zip(*parts, strict=True))
    described = describe_system(system.name, system.lattice), describe_oracle("committee", committee)
    write_exact(folder / f"{composition}-exact.h5", exact_levels(committee, composition), *described, versions(), 0.0)
    mean = _levels(n_sites, composition, energies, orbits.sizes)
    each = [_levels(n_sites, composition, values, orbits.sizes) for values in members.T]
    top = _top(orbits.sizes / orbits.sizes.sum(), energies)
    candidates = Candidates(
        orbits.keys.astype(np.uint64), energies, members.std(axis=1, ddof=1), _ordered(orbits.sizes), top
    )
    return Exploration(candidates, thermal_of(mean, each), True)


def _sampled(
    committee: Committee, system: System, composition: int, settings: LearningSettings, seed: int, folder: Path
) -> Exploration:
    walk = WangLandauSettings(runs=settings.runs, max_trials=settings.max_trials, observables=False, seed=seed)
    sampled = sample_density(committee, composition, walk, keeper=DropsWhenAsked())
    verdict = judge(sampled)
    density = sampled.density
    write_run(
        folder / f"{composition}-dos.h5",
        RunRecord(
            density,
            describe_system(system.name, system.lattice),
            describe_oracle("committee", committee),
            asdict(walk),
            versions(),
            [seed],
            sampled.diagnostics(),
            asdict(verdict),
            averages=sampled.averages,
        ),
    )
    moments = split_members(sampled.averages)[1] if sampled.averages else None
    if moments is None:
        raise InputError(f"{settings.max_trials} trials do not reach production; raise --max-trials")
    thermal = thermal_of(density, member_levels(density, moments), verdict.trusted)
    looks = look_into_bins(Engine.fastest(committee), density, LOOKS_PER_BIN, np.random.SeedSequence([seed, 1]), True)
    lowest = anneal(committee, composition, AnnealingSettings(seed=seed, keep=LOWEST_KEPT))
    levels = Levels.binned(density)
    top = _top(softmax(levels.ln_g), levels.energies)
    rows = np.concatenate([looks.occupations, lowest.occupations])
    return Exploration(_distinct(committee, composition, rows, top), thermal, False)


def _distinct(committee: Committee, composition: int, rows: np.ndarray, top: float) -> Candidates:
    """Take one configuration of each orbit met, and the ordered structures of the composition."""
    lattice = committee.lattice
    named = [row for row in ordered_structures(lattice).values() if row.sum() == composition]
    ordered = np.array(named, dtype=np.int8).reshape(len(named), lattice.n_sites)
    keys = np.unique(canonical_keys(lattice.symmetry, np.concatenate([rows, ordered])))
    energies, members = _ask(committee, occupations_from_keys(keys, lattice.n_sites))
    known = np.isin(keys, canonical_keys(lattice.symmetry, ordered))
    return Candidates(keys, energies, members.std(axis=1, ddof=1), known, top)


def _ordered(sizes: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[np.argsort(sizes, kind="stable")[:MAX_ORDERED]] = True
    return chosen & (sizes <= MAX_ORDERED_ORBIT)


def _ask(committee: Committee, occupations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return checked_energies(committee, occupations), checked_member_energies(committee, occupations)


def _top(shares: np.ndarray, energies: np.ndarray) -> float:
    mean = float(shares @ energies)
    return mean + RANDOM_WIDTHS * float(np.sqrt(shares @ (energies - mean) ** 2))


def _levels(n_sites: int, composition: int, energies: np.ndarray, sizes: np.ndarray) -> Levels:
    """Merge the energies of orbits to levels, or to narrow bins where there are too many levels."""
    order = np.argsort(energies, kind="stable")
    merged, counts = merge_levels(energies[order], sizes[order])
    if len(merged) <= MAX_EXACT_LEVELS:
        return Levels.exact(n_sites, merged, counts)
    grid = EnergyGrid.covering(merged[0], merged[-1], (merged[-1] - merged[0]) / MAX_EXACT_LEVELS)
    return Levels.binned(density_from_levels(grid, n_sites, composition, merged, counts))


def thermal_of(mean: Source, members: Sequence[Levels], trusted: bool = True) -> Thermal:
    """Compute the heat capacity of a committee with its errors.

    Parameters
    ----------
    mean : DensityOfStates or Levels
        Of the mean of the members.
    members : sequence of Levels
        Of each member.
    trusted : bool
        Verdict on the sampling.
    """
    temperatures = default_temperatures(mean)
    curves = [thermodynamics(one, temperatures) for one in (mean, *members)]
    peaks = [heat_capacity_peak(one, temperatures) for one in (mean, *members)]
    n_sites = curves[0].n_sites
    capacities = np.array([curve.heat_capacity for curve in curves]) / n_sites
    places = np.array([peak.temperature for peak in peaks])
    heights = np.array([peak.height for peak in peaks]) / n_sites
    first = peaks[0]
    return Thermal(
        temperatures,
        Estimate.of(capacities[0], _sampling_error(curves[0]), capacities[1:]),
        Estimate.of(places[0], first.temperature_error, places[1:]),
        Estimate.of(heights[0], first.height_error / n_sites, heights[1:]),
        all(peak.inside for peak in peaks),
        trusted,
    )


def _sampling_error(curve: Thermodynamics) -> np.ndarray:
    found = curve.standard_error
    return np.full(len(curve.temperatures), np.nan) if found is None else found.heat_capacity / curve.n_sites
