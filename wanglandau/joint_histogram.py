"""Joint density of states of the energy and one observable, and free energies along that observable.

ln g(E, q) = ln g(E) + ln(H(E, q) / sum over q of H(E, q)): the histogram of a sampler that is at equilibrium inside
each energy bin, whatever its weights between bins were, says how the states of the bin divide over q. From it come the
distribution P(q; T) and the free energy F(q; T) = -kT ln sum over E of g(E, q) exp(-E / kT).

In a file the histograms of several runs are one group::

    attributes  name (str), start (float), width (float)
    counts      int64[n_runs, n_bins, n_values]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import h5py
import numpy as np
from scipy.special import logsumexp

from wanglandau.bin_averages import (
    bin_ln_weights,
    check_runs,
    checked_bins,
    without_run,
)
from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import read_array, write_array
from wanglandau.jackknife import standard_error
from wanglandau.levels import BOLTZMANN, Levels, checked_temperatures
from wanglandau.observable_kernels import add_to_histogram

MAX_COUNTS = 100_000_000
"""Largest histogram (energy bins times values)."""


@dataclass(frozen=True, eq=False)
class JointHistogram:
    """Counts of energy bin and observable of one run; :meth:`add` adds in place.

    Attributes
    ----------
    name : str
        Column of the observable.
    start : float
        Lower edge of the first bin of the observable.
    width : float
        Width of its bins. Choose start and width so that values that an observable takes on a small cell do not lie on
        edges.
    counts : int64[n_bins, n_values]
    """

    name: str
    start: float
    width: float
    counts: np.ndarray

    @classmethod
    def covering(cls, name: str, n_bins: int, low: float, high: float, width: float) -> JointHistogram:
        """Start without counts; the first bin of the observable is centred on ``low`` and the last one holds ``high``.

        Raises
        ------
        InputError
            If the range is empty or the histogram would be too large.
        """
        if not (np.isfinite(low) and np.isfinite(high) and high >= low and np.isfinite(width) and width > 0):
            raise InputError(f"observable {name}: no bins of width {width} from {low} to {high}")
        n_values = np.floor((high - low) / width + 0.5) + 1
        if n_bins * n_values > MAX_COUNTS:
            raise InputError(
                f"observable {name}: {n_bins} energy bins times {n_values:.0f} values; the limit is {MAX_COUNTS} in "
                "all: choose wider bins"
            )
        return cls(name, low - width / 2, width, np.zeros((n_bins, int(n_values)), dtype=np.int64))

    @property
    def n_bins(self) -> int:
        """Number of energy bins."""
        return len(self.counts)

    @property
    def centres(self) -> np.ndarray:
        """Centres of the bins of the observable, ``float64[n_values]``."""
        return self.start + self.width * (np.arange(self.counts.shape[1]) + 0.5)

    def add(self, bins: np.ndarray, values: np.ndarray) -> None:
        """Count measurements.

        Parameters
        ----------
        bins : int64[n]
        values : float64[n]

        Raises
        ------
        InputError
            If a bin or a value is not on the grid; nothing is counted then.
        """
        where = checked_bins(bins, self.n_bins)
        measured = np.asarray(values, dtype=np.float64)
        n_values = self.counts.shape[1]
        if measured.shape != where.shape or not np.isfinite(measured).all():
            raise InputError(f"observable {self.name}: give one finite value for each of {len(where)} bins")
        columns = np.floor((measured - self.start) / self.width).astype(np.int64)
        if len(columns) and not 0 <= columns.min() <= columns.max() < n_values:
            raise InputError(
                f"observable {self.name}: values from {measured.min():.6g} to {measured.max():.6g} are not all between "
                f"{self.start:.6g} and {self.start + self.width * n_values:.6g}; give the histogram a wider range"
            )
        add_to_histogram(where, columns, self.counts)

    def merge(self, other: JointHistogram) -> JointHistogram:
        """Return the counts of both; InputError if they are not on the same grid."""
        ours, theirs = ((item.name, item.start, item.width, item.counts.shape) for item in (self, other))
        if ours != theirs:
            raise InputError(f"joint histograms {ours} and {theirs} do not go together; count on the same grid")
        return replace(self, counts=self.counts + other.counts)

    def grown(self, below: int, above: int) -> JointHistogram:
        """Return a histogram with that many more energy bins below and above."""
        if below < 0 or above < 0:
            raise InputError(f"a grid cannot grow by {below} bins below and {above} above; give numbers of at least 0")
        return replace(self, counts=np.pad(self.counts, [(below, above), (0, 0)]))


@dataclass(frozen=True, eq=False)
class FreeEnergyProfile:
    """Distribution and free energy of an observable against temperature.

    Attributes
    ----------
    name : str
    temperatures : float64[n], K
    values : float64[n_values]
        Centres of the bins of the observable.
    probability : float64[n, n_values]
        Sums to 1 in each row.
    free_energy : float64[n, n_values], Ry per cell
        Absolute, as in :mod:`wanglandau.thermodynamics`; inf where nothing was counted.
    covered : float64[n]
        Part of the canonical weight in energy bins that were measured; nothing is filled in for the others.
    probability_error, free_energy_error : float64[n, n_values] or None
        Jackknife errors over the runs (of the free energy nan where a run alone counted the value); None with fewer
        than two.
    """

    name: str
    temperatures: np.ndarray
    values: np.ndarray
    probability: np.ndarray
    free_energy: np.ndarray
    covered: np.ndarray
    probability_error: np.ndarray | None
    free_energy_error: np.ndarray | None


def joint_ln_g(density: DensityOfStates, histogram: JointHistogram) -> np.ndarray:
    """Return the joint density of states, ``float64[n_bins, n_values]``; -inf where nothing was counted.

    Summed over the observable it is g(E) in every bin that was measured.

    Raises
    ------
    InputError
        If the two have different numbers of bins.
    """
    check_runs(density, [histogram.n_bins] * density.n_runs)
    return density.ln_g[:, None] + _ln_shares(histogram.counts)


def free_energy_profile(
    density: DensityOfStates, histograms: Sequence[JointHistogram], temperatures: np.ndarray
) -> FreeEnergyProfile:
    """Compute P(q; T) and F(q; T).

    Parameters
    ----------
    density : DensityOfStates
    histograms : sequence of JointHistogram
        One for each run, in the order of the runs; with a density of states of one run any number.
    temperatures : float64[n], K

    Raises
    ------
    InputError
        If the histograms do not go with the density of states or with each other, none has a count in a visited bin,
        or a temperature is not above 0 K.
    """
    checked = checked_temperatures(temperatures)
    check_runs(density, [histogram.n_bins for histogram in histograms])
    every = _merged(histograms)
    ln_z, covered = _ln_partition(density, every.counts, checked)
    left = [
        _ln_partition(without_run(density, run), every.counts - histogram.counts, checked)[0]
        for run, histogram in enumerate(histograms)
        if len(histograms) > 1
    ]
    kt = BOLTZMANN * checked[:, None]
    errors: list[np.ndarray | None] = [None, None]
    if left:
        known = np.isfinite(ln_z) & np.isfinite(left).all(axis=0)
        free = standard_error(-kt * np.where(known, np.array(left), 0.0))
        errors = [standard_error(_probability(np.array(left))), np.where(known, free, np.nan)]
    return FreeEnergyProfile(
        every.name, checked, every.centres, _probability(ln_z), -kt * ln_z, covered, errors[0], errors[1]
    )


def write_joint_histograms(group: h5py.Group, histograms: Sequence[JointHistogram]) -> None:
    """Write the histograms of several runs, all on one grid, into a group; InputError if they are not."""
    first = _merged(histograms)
    group.attrs.update({"name": first.name, "start": first.start, "width": first.width})
    write_array(group, "counts", np.array([histogram.counts for histogram in histograms]))


def read_joint_histograms(group: h5py.Group) -> list[JointHistogram]:
    """Read what :func:`write_joint_histograms` wrote; KeyError or ValueError if it is not that."""
    name, start, width = str(group.attrs["name"]), float(group.attrs["start"]), float(group.attrs["width"])
    n_runs, n_bins, n_values = group["counts"].shape
    counts = read_array(group, "counts", np.int64, (n_runs, n_bins, n_values))
    if counts.min(initial=0) < 0 or not (np.isfinite(start) and np.isfinite(width) and width > 0):
        raise ValueError(f"{group.name} is no joint histogram")
    return [JointHistogram(name, start, width, run) for run in counts]


def _merged(histograms: Sequence[JointHistogram]) -> JointHistogram:
    if not histograms:
        raise InputError("there are no joint histograms; count an observable in a production run first")
    result = histograms[0]
    for histogram in histograms[1:]:
        result = result.merge(histogram)
    return result


def _ln_shares(counts: np.ndarray) -> np.ndarray:
    """Return ln of the part of each energy bin at each value; -inf where there is none."""
    number = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return np.log(counts / np.maximum(number, 1))


def _ln_partition(
    density: DensityOfStates, counts: np.ndarray, temperatures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ln of the partition sum at each value (``float64[n, n_values]``) and the weight covered."""
    levels, seen = Levels.binned(density), density.visited
    known = counts[seen].sum(axis=1) > 0
    if not known.any():
        raise InputError("a joint histogram has no counts in any bin of the density of states; measure for longer")
    weights = bin_ln_weights(density, temperatures)
    shares = _ln_shares(counts[seen][known])
    rows = np.array([logsumexp(row[known, None] + shares, axis=0) for row in weights])
    covered = np.exp(logsumexp(weights[:, known], axis=1) - logsumexp(weights, axis=1))
    ground = levels.energies.min() / (BOLTZMANN * temperatures[:, None])
    return rows - ground, np.minimum(covered, 1.0)


def _probability(ln_z: np.ndarray) -> np.ndarray:
    return np.exp(ln_z - logsumexp(ln_z, axis=-1, keepdims=True))
