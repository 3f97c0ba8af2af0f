"""Mixing free energies, phase boundaries and semi-grand averages from densities of states of all compositions.

F(N_B, T) of every composition comes from its own density of states, counted absolutely, so that F holds the entropy of
mixing of the cell; energies are mixing energies, hence F is 0 at both pure ends. The semi-grand ensemble weighs a
configuration by exp(-beta (E - delta_mu N_B)): delta_mu (Ry per exchanged atom) is the chemical potential of the second
species less that of the first, relative to the reference energies that mixing energies are measured from.

What two-phase regions mean in a small cell is said in :mod:`wanglandau.coexistence`. Errors are jackknife standard
errors; a run is left out of all compositions together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from wanglandau.coexistence import (
    REGION_VALUES,
    TwoPhaseRegion,
    follow_regions,
    lower_hull,
    two_phase_regions,
)
from wanglandau.errors import InputError
from wanglandau.jackknife import is_exact, levels_without_each_run, standard_error
from wanglandau.levels import BOLTZMANN, Levels, Source, levels_of
from wanglandau.thermodynamics import thermodynamics


@dataclass(frozen=True, eq=False)
class CanonicalTable:
    """Canonical averages of all compositions at some temperatures, with each run left out.

    Attributes
    ----------
    n_sites : int
    temperatures : float64[n_temperatures], K
    compositions : int64[n_compositions]
        Numbers of second-species atoms, ascending, both pure ends among them.
    free_energy, internal_energy : float64[1 + n_samples, n_temperatures, n_compositions], Ry per cell
        First of all runs together, then with each run left out.
    heat_capacity : float64[1 + n_samples, n_temperatures, n_compositions], k_B per cell
    exact : bool
        Whether no source has a statistical error.
    """

    n_sites: int
    temperatures: np.ndarray
    compositions: np.ndarray
    free_energy: np.ndarray
    internal_energy: np.ndarray
    heat_capacity: np.ndarray
    exact: bool

    def error(self, values: np.ndarray) -> np.ndarray:
        """Return the standard error of ``float64[1 + n_samples, ...]``: nan with fewer than two runs, 0 if exact."""
        return np.zeros(values.shape[1:]) if self.exact else standard_error(values[1:])


@dataclass(frozen=True, eq=False)
class Mixing:
    """Mixing thermodynamics against composition at one temperature.

    Attributes
    ----------
    n_sites : int
    temperature : float, K
    compositions : int64[n]
        Numbers of second-species atoms, ascending.
    free_energy, internal_energy : float64[n], Ry/atom
    entropy : float64[n], k_B/atom
    free_energy_error, internal_energy_error, entropy_error : float64[n]
        Jackknife standard errors: nan with fewer than two runs, 0 for exact levels.
    delta_mu : float64[n - 1], Ry per exchanged atom
        dF/dN_B between neighbouring compositions.
    delta_mu_error : float64[n - 1], Ry per exchanged atom
    vertices : tuple of int
        Compositions on the lower convex hull of F(N_B).
    regions : tuple of TwoPhaseRegion
    """

    n_sites: int
    temperature: float
    compositions: np.ndarray
    free_energy: np.ndarray
    internal_energy: np.ndarray
    entropy: np.ndarray
    free_energy_error: np.ndarray
    internal_energy_error: np.ndarray
    entropy_error: np.ndarray
    delta_mu: np.ndarray
    delta_mu_error: np.ndarray
    vertices: tuple[int, ...]
    regions: tuple[TwoPhaseRegion, ...]

    @property
    def fractions(self) -> np.ndarray:
        """Fractions of the second species, ``float64[n]``."""
        return self.compositions / self.n_sites

    @property
    def midpoints(self) -> np.ndarray:
        """Fractions at which ``delta_mu`` is the slope, ``float64[n - 1]``."""
        return (self.fractions[1:] + self.fractions[:-1]) / 2

    @property
    def hull(self) -> np.ndarray:
        """Free energy of the lower convex hull at all compositions, ``float64[n]``, Ry/atom."""
        chosen = np.isin(self.compositions, self.vertices)
        return np.interp(self.compositions, self.compositions[chosen], self.free_energy[chosen])

    @property
    def ordered_points(self) -> tuple[int, ...]:
        """Compositions that lie alone between two two-phase regions, as an ordered compound does."""
        ends = {region.high for region in self.regions}
        return tuple(region.low for region in self.regions if region.low in ends)


@dataclass(frozen=True, eq=False)
class SemigrandAverages:
    """Averages at one temperature against the chemical-potential difference, or their standard errors.

    Attributes
    ----------
    n_sites : int
    temperature : float, K
    delta_mu : float64[n], Ry per exchanged atom
    fraction : float64[n]
        Mean fraction of the second species.
    internal_energy : float64[n], Ry per cell
        Mean mixing energy, without the term of delta_mu.
    heat_capacity : float64[n], k_B per cell
        T dS/dT at fixed delta_mu, which is beta^2 Var(E - delta_mu N_B).
    susceptibility : float64[n]
        Var(N_B) / n_sites = k_B T d fraction / d delta_mu.
    grand_potential : float64[n], Ry per cell
        -k_B T ln sum over N_B of exp(-beta (F(N_B) - delta_mu N_B)).
    standard_error : SemigrandAverages or None
        None with fewer than two runs.
    """

    n_sites: int
    temperature: float
    delta_mu: np.ndarray
    fraction: np.ndarray
    internal_energy: np.ndarray
    heat_capacity: np.ndarray
    susceptibility: np.ndarray
    grand_potential: np.ndarray
    standard_error: SemigrandAverages | None = None


def tabulate(sources: Mapping[int, Source], n_sites: int, temperatures: np.ndarray) -> CanonicalTable:
    """Compute F, U and C of all compositions.

    Parameters
    ----------
    sources : mapping of int to DensityOfStates or Levels
        By number of second-species atoms. The pure ends may be missing: they are one state of mixing energy 0 each.
    n_sites : int
    temperatures : float64[n], K

    Raises
    ------
    InputError
        If a temperature is not above 0 K, a composition is out of range or a source is of another lattice.
    """
    for composition, source in sources.items():
        if not 0 <= composition <= n_sites:
            raise InputError(f"composition {composition} is out of range; choose 0 to {n_sites} for this cell")
        if source.n_sites != n_sites:
            raise InputError(f"composition {composition} is of {source.n_sites} sites, not {n_sites}; give one lattice")
    pure = Levels.exact(n_sites, np.zeros(1), np.ones(1, dtype=np.uint64))
    complete = dict(sorted(({0: pure, n_sites: pure} | dict(sources)).items()))
    every = list(complete.values())
    samples = [[levels_of(source) for source in every], *levels_without_each_run(every)]
    curves = [[thermodynamics(levels, temperatures) for levels in sample] for sample in samples]

    def collect(name: str) -> np.ndarray:
        return np.array([[getattr(curve, name) for curve in sample] for sample in curves]).swapaxes(1, 2)

    return CanonicalTable(
        n_sites,
        curves[0][0].temperatures,
        np.array(list(complete), dtype=np.int64),
        collect("free_energy"),
        collect("internal_energy"),
        collect("heat_capacity"),
        all(is_exact(source) for source in every),
    )


def phase_diagram(
    sources: Mapping[int, Source], n_sites: int, temperatures: np.ndarray, *, min_height: float = 0.0
) -> list[Mixing]:
    """Compute mixing thermodynamics and two-phase regions at each temperature.

    Parameters
    ----------
    sources, n_sites, temperatures
        As in :func:`tabulate`.
    min_height : float, k_B T
        Regions in which F rises less than this above its tangent are taken for one phase.

    Raises
    ------
    InputError
        As :func:`tabulate` does.
    """
    table = tabulate(sources, n_sites, temperatures)
    return [_mixing(table, index, min_height) for index in range(len(table.temperatures))]


def mixing_at(sources: Mapping[int, Source], n_sites: int, temperature: float, *, min_height: float = 0.0) -> Mixing:
    """Compute mixing thermodynamics and two-phase regions at one temperature; see :func:`phase_diagram`."""
    return phase_diagram(sources, n_sites, np.array([temperature]), min_height=min_height)[0]


def semigrand_averages(
    sources: Mapping[int, Source], n_sites: int, temperature: float, delta_mu: np.ndarray
) -> SemigrandAverages:
    """Compute averages of the semi-grand ensemble.

    Parameters
    ----------
    sources : mapping of int to DensityOfStates or Levels
        Of all compositions; only the pure ends may be missing.
    n_sites : int
    temperature : float, K
    delta_mu : float64[n], Ry per exchanged atom

    Raises
    ------
    InputError
        As :func:`tabulate` does, and if compositions are missing or a delta_mu is not finite.
    """
    table = tabulate(sources, n_sites, np.array([temperature]))
    if len(table.compositions) != n_sites + 1:
        missing = sorted(set(range(n_sites + 1)) - set(table.compositions.tolist()))
        raise InputError(
            f"{len(missing)} compositions are missing, the first is {missing[0]}; semi-grand averages need all of them"
        )
    fields = np.atleast_1d(np.asarray(delta_mu, dtype=np.float64))
    if not np.isfinite(fields).all():
        raise InputError("delta_mu holds values that are no finite numbers; give Ry per exchanged atom")
    values = np.array([_averages(table, sample, fields) for sample in range(len(table.free_energy))])
    result = SemigrandAverages(n_sites, temperature, fields, *values[0])
    if not table.exact and len(values) < 3:
        return result
    return replace(result, standard_error=SemigrandAverages(n_sites, temperature, fields, *table.error(values)))


def semigrand_distribution(table: CanonicalTable, index: int, delta_mu: float) -> np.ndarray:
    """Return the probability of each composition at one of the temperatures, ``float64[n_compositions]``."""
    beta = 1 / (BOLTZMANN * table.temperatures[index])
    ln_weight = -beta * (table.free_energy[0, index] - delta_mu * table.compositions)
    return np.exp(ln_weight - logsumexp(ln_weight))


def _averages(table: CanonicalTable, sample: int, delta_mu: np.ndarray) -> np.ndarray:
    """Return fraction, U, C, susceptibility and grand potential as rows, ``float64[5, n]``."""
    beta = 1 / (BOLTZMANN * table.temperatures[0])
    number, field = table.compositions, delta_mu[:, None]
    free, internal, capacity = (
        values[sample, 0] for values in (table.free_energy, table.internal_energy, table.heat_capacity)
    )
    ln_weight = -beta * (free - field * number)
    ln_sum = logsumexp(ln_weight, axis=1, keepdims=True)
    weight = np.exp(ln_weight - ln_sum)
    mean_number = weight @ number
    enthalpy = internal - field * number
    spread = (weight * (enthalpy - (weight * enthalpy).sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return np.array(
        [
            mean_number / table.n_sites,
            weight @ internal,
            weight @ capacity + beta**2 * spread,
            (weight * (number - mean_number[:, None]) ** 2).sum(axis=1) / table.n_sites,
            -ln_sum[:, 0] / beta,
        ]
    )


def _mixing(table: CanonicalTable, index: int, min_height: float) -> Mixing:
    temperature, sites = float(table.temperatures[index]), table.n_sites
    free, internal = table.free_energy[:, index], table.internal_energy[:, index]
    entropy = (internal - free) / (BOLTZMANN * temperature)
    slope = np.diff(free, axis=1) / np.diff(table.compositions)
    hull = lower_hull(table.compositions.astype(np.float64), free[0])
    return Mixing(
        sites,
        temperature,
        table.compositions,
        free[0] / sites,
        internal[0] / sites,
        entropy[0] / sites,
        table.error(free) / sites,
        table.error(internal) / sites,
        table.error(entropy) / sites,
        slope[0],
        table.error(slope),
        tuple(table.compositions[hull].tolist()),
        _regions(table, free, BOLTZMANN * temperature, min_height),
    )


def _regions(
    table: CanonicalTable, free: np.ndarray, thermal_energy: float, min_height: float
) -> tuple[TwoPhaseRegion, ...]:
    found = two_phase_regions(table.n_sites, table.compositions, free[0], thermal_energy, min_height)
    samples = [follow_regions(found, table.n_sites, table.compositions, sample, thermal_energy) for sample in free[1:]]
    values = np.array([region.values for region in found]).reshape(-1, len(REGION_VALUES))
    errors = table.error(np.array([values, *samples])).tolist()
    return tuple(
        replace(region, standard_error=dict(zip(REGION_VALUES, error, strict=True)))
        for region, error in zip(found, errors, strict=True)
    )
