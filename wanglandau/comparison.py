"""How far a sampled density of states is from the exact one, or from another run.

Both are put on the grid of the run and counted over the same number of configurations, so that differences of ln g
mean something bin by bin. The peak of the heat capacity comes from exact levels as they are, not from their bins.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from wanglandau.cut_range import valid_above, where_it_holds
from wanglandau.density_of_states import DensityOfStates, density_from_levels, log_total_states
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.levels import MEV_PER_RY, Levels, Source
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.thermodynamics import Peak, default_temperatures, heat_capacity_peak

MIN_FRACTION = 1e-9
"""Bins that hold less than this part of all states are left out of the restricted figures."""


@dataclass(frozen=True)
class LnGDifference:
    """Differences of ln g over a set of bins.

    Attributes
    ----------
    bins : int
    rms, largest, mean : float
        Root mean square, largest absolute value and mean (with sign); nan without bins.
    median_z : float
        Median of the absolute difference over the standard error; 0.67 if errors are Gaussian and of the stated size.
    """

    bins: int
    rms: float
    largest: float
    mean: float
    median_z: float


@dataclass(frozen=True)
class Comparison:
    """Result of comparing a run with a reference.

    Attributes
    ----------
    reference_is_exact : bool
    same_oracle : bool
    common : LnGDifference
        Over all bins that both sides visited.
    populated : LnGDifference
        Over those of them that hold at least ``min_fraction`` of the states.
    min_fraction : float
    only_run_mev_per_atom, only_reference_mev_per_atom : list of float
        Mixing energies of the bins that only one side visited.
    only_reference_states : float
        Number of configurations the reference has in the bins that the run lacks.
    run_peak, reference_peak : Peak
        Of the heat capacity (K; k_B per cell).
    valid_above_k : float
        Temperature down to which neither side misses energies that were left out of it; 0 where none were.
    n_sites : int
    """

    reference_is_exact: bool
    same_oracle: bool
    common: LnGDifference
    populated: LnGDifference
    min_fraction: float
    only_run_mev_per_atom: list[float]
    only_reference_mev_per_atom: list[float]
    only_reference_states: float
    run_peak: Peak
    reference_peak: Peak
    valid_above_k: float
    n_sites: int

    @property
    def peak_shift(self) -> float:
        """Peak temperature of the run less that of the reference, K."""
        return self.run_peak.temperature - self.reference_peak.temperature

    @property
    def peak_shift_percent(self) -> float:
        """The same in per cent of the reference."""
        return 100 * self.peak_shift / self.reference_peak.temperature

    @property
    def height_change_percent(self) -> float:
        """Peak height of the run against that of the reference, per cent."""
        return 100 * (self.run_peak.height / self.reference_peak.height - 1)

    def to_json(self) -> dict[str, Any]:
        """Return all figures, ready for JSON."""
        values = asdict(self)
        for name in ("run_peak", "reference_peak"):
            values[name]["height_kb_per_atom"] = values[name].pop("height") / self.n_sites
            values[name]["height_error_kb_per_atom"] = values[name].pop("height_error") / self.n_sites
        names = ("peak_shift", "peak_shift_percent", "height_change_percent")
        return values | {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        reference = "exact" if self.reference_is_exact else "other run"
        other = "" if self.same_oracle else "\nthe two oracles differ"
        return (
            f"ln g against {reference}: {_line(self.common)}\n"
            f"  bins with at least {self.min_fraction:g} of the states: {_line(self.populated)}\n"
            f"  bins seen by the run only: {len(self.only_run_mev_per_atom)}; by the {reference} only: "
            f"{len(self.only_reference_mev_per_atom)} ({self.only_reference_states:.4g} configurations)\n"
            f"{self._peaks(reference)}{other}"
        )

    def _peaks(self, reference: str) -> str:
        if self.run_peak.temperature < self.valid_above_k:
            where = where_it_holds(self.valid_above_k)
            return f"peak of C: not compared; lower energies were left out of the run: {where}"
        return (
            f"peak of C: run {_peak(self.run_peak, self.n_sites)}, "
            f"{reference} {_peak(self.reference_peak, self.n_sites)}\n"
            f"  position {self.peak_shift:+.2f} K ({self.peak_shift_percent:+.2f} %), "
            f"height {self.height_change_percent:+.2f} %"
        )


def compare(
    run: RunRecord,
    reference: ExactRecord | RunRecord,
    *,
    allow_other_oracle: bool = False,
    min_fraction: float = MIN_FRACTION,
    temperatures: np.ndarray | None = None,
) -> Comparison:
    """Compare a run with exact levels or with another run.

    Parameters
    ----------
    run : RunRecord
    reference : ExactRecord or RunRecord
        Exact levels of the run's composition, or a run on bins of the same width and alignment.
    allow_other_oracle : bool
        Compare even if the energies came from different oracles.
    min_fraction : float
        Of all states; bins that hold less are left out of ``Comparison.populated``.
    temperatures : float64[n], optional, K
        Where to look for the peak of C; by default about the natural temperature of the reference.

    Raises
    ------
    InputError
        If the two differ in oracle, lattice or composition, or bins do not match.
    """
    same_oracle = check_same(run, reference, allow_other_oracle)
    ours, theirs = on_common_grid(run.density, reference)
    source: Source = theirs if isinstance(reference, RunRecord) else levels_of(reference, run.density.composition)
    grid = default_temperatures(source) if temperatures is None else temperatures
    both = ours.visited & theirs.visited
    populated = both & populated_bins(theirs, min_fraction)
    only_theirs = theirs.visited & ~ours.visited
    energy = MEV_PER_RY / ours.n_sites
    return Comparison(
        reference_is_exact=isinstance(reference, ExactRecord),
        same_oracle=same_oracle,
        common=ln_g_difference(ours, theirs, both),
        populated=ln_g_difference(ours, theirs, populated),
        min_fraction=min_fraction,
        only_run_mev_per_atom=(ours.mean_energy[ours.visited & ~theirs.visited] * energy).tolist(),
        only_reference_mev_per_atom=(theirs.mean_energy[only_theirs] * energy).tolist(),
        only_reference_states=float(np.exp(theirs.ln_g[only_theirs]).sum()),
        run_peak=heat_capacity_peak(ours, grid),
        reference_peak=heat_capacity_peak(source, grid),
        valid_above_k=_valid_above(run, reference, source),
        n_sites=ours.n_sites,
    )


def _valid_above(run: RunRecord, reference: ExactRecord | RunRecord, source: Source) -> float:
    if isinstance(source, Levels) and source.energies.min() >= run.density.grid.start:
        return 0.0  # the range reaches below the ground state
    records = [run, reference] if isinstance(reference, RunRecord) else [run]
    return max(valid_above(record.density, record.settings.get("energy_range")) for record in records)


def populated_bins(density: DensityOfStates, min_fraction: float = MIN_FRACTION) -> np.ndarray:
    """Return which bins hold at least this part of all states, ``bool[n_bins]``."""
    all_states = log_total_states(density.n_sites, density.composition)
    return density.ln_g - all_states >= np.log(min_fraction)


def levels_of(record: ExactRecord, composition: int | None) -> Levels:
    """Return the exact levels of one composition, or of all together (None), for thermodynamics."""
    energies, degeneracies = _exact_levels(record, composition)
    return Levels.exact(record.levels.n_sites, energies, degeneracies)


def on_common_grid(
    density: DensityOfStates, reference: ExactRecord | RunRecord
) -> tuple[DensityOfStates, DensityOfStates]:
    """Put a density of states and its reference on one grid: that of the first, grown by whole bins where needed."""
    if isinstance(reference, ExactRecord):
        return _with_levels(density, *_exact_levels(reference, density.composition))
    return _with_run(density, reference.density)


def _with_levels(
    density: DensityOfStates, energies: np.ndarray, degeneracies: np.ndarray
) -> tuple[DensityOfStates, DensityOfStates]:
    bins = density.grid.index(energies)
    coverage = 1.0
    if density.coverage < 1:  # the run was kept inside an energy window
        inside = (bins >= 0) & (bins < density.grid.n_bins)
        if not inside.any():
            raise InputError(
                "no exact level lies in the energy window of the run; compare with a run of another window"
            )
        coverage = float(degeneracies[inside].sum() / degeneracies.sum())
        bins, energies, degeneracies = bins[inside], energies[inside], degeneracies[inside]
    ours = _padded(density, max(0, -int(bins.min())), max(0, int(bins.max()) - density.grid.n_bins + 1))
    exact = density_from_levels(ours.grid, ours.n_sites, ours.composition, energies, degeneracies)
    return ours, replace(exact, coverage=coverage)


def _with_run(density: DensityOfStates, other: DensityOfStates) -> tuple[DensityOfStates, DensityOfStates]:
    ours, theirs = density.grid, other.grid
    offset = (theirs.start - ours.start) / ours.width
    if abs(theirs.width / ours.width - 1) > 1e-9 or abs(offset - round(offset)) > 1e-3:
        raise InputError(
            f"the runs have different bins (width {ours.width:.6g} and {theirs.width:.6g} Ry, starts {ours.start:.6g} "
            f"and {theirs.start:.6g} Ry); compare each with exact levels, or sample both on the same bins"
        )
    first = round(offset)
    past_end = first + theirs.n_bins - ours.n_bins
    wide = _padded(density, max(0, -first), max(0, past_end))
    return wide, _padded(other, max(0, first), max(0, -past_end))


def _exact_levels(record: ExactRecord, composition: int | None) -> tuple[np.ndarray, np.ndarray]:
    if composition is None:
        return record.levels.over_compositions()
    chosen = record.levels.at_composition(composition)
    return chosen.energies, chosen.degeneracies


def check_same(run: RunRecord, reference: ExactRecord | RunRecord, allow_other_oracle: bool) -> bool:
    """Refuse what cannot be compared; return whether the oracles are the same."""
    for name in ("species", "cell", "positions"):
        ours, theirs = np.asarray(run.system[name]), np.asarray(reference.system[name])
        same = ours.shape == theirs.shape and (
            np.array_equal(ours, theirs) if name == "species" else bool(np.abs(ours - theirs).max() < 1e-6)
        )
        if not same:
            raise InputError(
                f"the systems differ in {name}: {_system(run)} and {_system(reference)}; compare results of one system"
            )
    held = reference.density if isinstance(reference, RunRecord) else reference.levels
    wanted = run.density.composition
    if wanted != held.composition and (isinstance(reference, RunRecord) or held.composition is not None):
        raise InputError(
            f"the compositions differ: {wanted} and {held.composition}; compare results of one composition"
        )
    same_oracle = bool(run.oracle["identity"] == reference.oracle["identity"])
    if not same_oracle and not allow_other_oracle:
        raise InputError(
            f"the oracles differ: {_oracle(run)} and {_oracle(reference)}; compare results of one oracle, or allow it "
            "with --other-oracle"
        )
    return same_oracle


def _system(record: ExactRecord | RunRecord) -> str:
    system = record.system
    return f"{system['name']} ({'-'.join(system['species'])}, {len(system['positions'])} sites)"


def _oracle(record: ExactRecord | RunRecord) -> str:
    return f"{record.oracle['name']} ({record.oracle['identity'][:12]})"


def _padded(density: DensityOfStates, below: int, above: int) -> DensityOfStates:
    """Add empty bins at both ends."""
    if not below and not above:
        return density
    old = density.grid
    grid = EnergyGrid(old.start - below * old.width, old.width, old.n_bins + below + above)
    mean = grid.centres
    mean[below : below + old.n_bins] = density.mean_energy
    return replace(
        density,
        grid=grid,
        run_ln_g=np.pad(density.run_ln_g, ((0, 0), (below, above)), constant_values=-np.inf),
        mean_energy=mean,
        energy_variance=np.pad(density.energy_variance, (below, above)),
    )


def ln_g_difference(ours: DensityOfStates, theirs: DensityOfStates, bins: np.ndarray) -> LnGDifference:
    """Compare two densities of states on one grid over some bins, ``bool[n_bins]``."""
    if not bins.any():
        return LnGDifference(0, np.nan, np.nan, np.nan, np.nan)
    difference = ours.ln_g[bins] - theirs.ln_g[bins]
    error = np.hypot(ours.standard_error[bins], theirs.standard_error[bins])
    known = error > 0
    return LnGDifference(
        bins=int(bins.sum()),
        rms=float(np.sqrt(np.mean(difference**2))),
        largest=float(np.abs(difference).max()),
        mean=float(difference.mean()),
        median_z=float(np.median(np.abs(difference[known] / error[known]))) if known.any() else np.nan,
    )


def _line(difference: LnGDifference) -> str:
    return (
        f"rms {difference.rms:.4f}, largest {difference.largest:.4f}, mean {difference.mean:+.4f} "
        f"over {difference.bins} bins (median |difference| / standard error {difference.median_z:.2f}; 0.7 is normal)"
    )


def _peak(peak: Peak, n_sites: int) -> str:
    if not peak.inside:
        return "none in the range of temperatures"
    return f"{_with_error(peak.temperature, peak.temperature_error)} K, {peak.height / n_sites:.4f} k_B/atom"


def _with_error(value: float, error: float) -> str:
    return f"{value:.2f} +- {error:.2f}" if error > 0 else f"{value:.2f}"
