"""Averages of observables per energy bin, and what follows from them at any temperature.

A sampler that records the mean of an observable in every energy bin has measured it at all temperatures at once: the
canonical average is the mean over bins with weights g(E) exp(-E / kT). The weight of a bin is the one of
:mod:`wanglandau.levels`, of second order in its width. The mean of the observable is that of all configurations
of the bin: how it changes inside is left out, an error of order (bin width)^2 / kT times its slope against energy.

Each independent run keeps accumulators of its own, so that errors come from leaving out one run at a time, its density
of states and its averages together.

In a file a list of accumulators is one group::

    names         str, JSON list
    observable    str[n_columns], the same as coordinate of the last axis
    count         int64[n_runs, n_bins]
    total         float64[n_runs, n_bins, n_columns]
    total_square  float64[n_runs, n_bins, n_columns]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import h5py
import numpy as np
from scipy.special import softmax

from wanglandau.density_of_states import DensityOfStates
from wanglandau.errors import InputError
from wanglandau.hdf5_parts import name_axes, read_array, read_json, write_array, write_json
from wanglandau.jackknife import standard_error
from wanglandau.levels import BOLTZMANN, Levels, checked_temperatures
from wanglandau.observable_kernels import add_to_bins

_CHUNK = 2_000_000


@dataclass(frozen=True, eq=False)
class BinAverages:
    """Accumulators of one run; :meth:`add` adds to the arrays in place.

    Attributes
    ----------
    names : tuple of str
        One a column.
    count : int64[n_bins]
        Number of measurements.
    total : float64[n_bins, n_columns]
    total_square : float64[n_bins, n_columns]
    """

    names: tuple[str, ...]
    count: np.ndarray
    total: np.ndarray
    total_square: np.ndarray

    @classmethod
    def empty(cls, names: Sequence[str], n_bins: int) -> BinAverages:
        """Start with no measurements."""
        shape = (n_bins, len(names))
        return cls(tuple(names), np.zeros(n_bins, dtype=np.int64), np.zeros(shape), np.zeros(shape))

    @property
    def n_bins(self) -> int:
        """Number of energy bins."""
        return len(self.count)

    @property
    def mean(self) -> np.ndarray:
        """Mean of each bin, ``float64[n_bins, n_columns]``; nan where nothing was measured."""
        return self._per_count(self.total)

    @property
    def variance(self) -> np.ndarray:
        """Variance inside each bin, ``float64[n_bins, n_columns]``; nan where nothing was measured."""
        return np.maximum(self._per_count(self.total_square) - self.mean**2, 0.0)

    def add(self, bins: np.ndarray, values: np.ndarray) -> None:
        """Add measurements.

        Parameters
        ----------
        bins : int64[n]
        values : float64[n, n_columns]

        Raises
        ------
        InputError
            If a bin is not on the grid, a value is not finite or shapes do not go together; nothing is added then.
        """
        where, measured = checked_bins(bins, self.n_bins), np.ascontiguousarray(values, dtype=np.float64)
        if measured.shape != (len(where), len(self.names)):
            raise InputError(
                f"values have shape {measured.shape}; {len(where)} bins and {len(self.names)} columns need "
                f"({len(where)}, {len(self.names)})"
            )
        if not np.isfinite(measured).all():
            column = self.names[int(np.flatnonzero(~np.isfinite(measured).all(axis=0))[0])]
            raise InputError(f"observable {column} has a value that is not finite, which no average can hold")
        add_to_bins(where, measured, self.count, self.total, self.total_square)

    def merge(self, other: BinAverages) -> BinAverages:
        """Return the accumulators of all measurements of both.

        Raises
        ------
        InputError
            If columns or number of bins differ.
        """
        if self.names != other.names or self.n_bins != other.n_bins:
            raise InputError(
                f"averages of {self.n_bins} bins ({', '.join(self.names)}) and of {other.n_bins} bins "
                f"({', '.join(other.names)}) do not go together; measure the same on the same grid"
            )
        sums = (self.count + other.count, self.total + other.total, self.total_square + other.total_square)
        return BinAverages(self.names, *sums)

    def grown(self, below: int, above: int) -> BinAverages:
        """Return accumulators for a grid with that many more bins below and above."""
        if below < 0 or above < 0:
            raise InputError(f"a grid cannot grow by {below} bins below and {above} above; give numbers of at least 0")
        wide = [(below, above), (0, 0)]
        return BinAverages(
            self.names, np.pad(self.count, wide[0]), np.pad(self.total, wide), np.pad(self.total_square, wide)
        )

    def _per_count(self, sums: np.ndarray) -> np.ndarray:
        return np.where(self.count[:, None] > 0, sums / np.maximum(self.count, 1)[:, None], np.nan)


@dataclass(frozen=True, eq=False)
class CanonicalAverages:
    """Observables against temperature.

    Attributes
    ----------
    names : tuple of str
    temperatures : float64[n], K
    values : float64[n, n_columns]
        Mean over the bins that were measured; nan where those have no weight at all.
    variances : float64[n, n_columns]
        Canonical variance of each observable.
    covered : float64[n]
        Part of the canonical weight that lies in bins that were measured. Nothing is filled in for the others: where
        this is not close to 1, ``values`` are averages over something else.
    standard_errors : float64[n, n_columns] or None
        Jackknife errors of ``values`` over the runs; None with fewer than two.
    """

    names: tuple[str, ...]
    temperatures: np.ndarray
    values: np.ndarray
    variances: np.ndarray
    covered: np.ndarray
    standard_errors: np.ndarray | None


def canonical_average(
    density: DensityOfStates, averages: Sequence[BinAverages], temperatures: np.ndarray
) -> CanonicalAverages:
    """Reweight averages per bin to temperatures.

    Parameters
    ----------
    density : DensityOfStates
    averages : sequence of BinAverages
        One for each run, in the order of the runs. With a density of states of one run (an exact one, say) any number;
        errors are then those of the averages alone.
    temperatures : float64[n], K

    Raises
    ------
    InputError
        If the averages do not go with the density of states or with each other, or a temperature is not above 0 K.
    """
    checked = checked_temperatures(temperatures)
    check_runs(density, [run.n_bins for run in averages])
    values, variances, covered = _reweighted(density, _merged(averages), checked)
    samples = [
        _reweighted(without_run(density, run), _merged([*averages[:run], *averages[run + 1 :]]), checked)[0]
        for run in range(len(averages))
        if len(averages) > 1
    ]
    error = standard_error(np.array(samples)) if samples else None
    return CanonicalAverages(averages[0].names, checked, values, variances, covered, error)


def bin_ln_weights(density: DensityOfStates, temperatures: np.ndarray) -> np.ndarray:
    """Return ln of the canonical weight of each visited bin, not normalised.

    Of second order in the width of the bin, see :mod:`wanglandau.levels`.

    Parameters
    ----------
    density : DensityOfStates
    temperatures : float64[n], K

    Returns
    -------
    float64[n, n_visited]
        With E measured from the lowest mean energy of a bin.
    """
    return Levels.binned(density).expanded(1 / (BOLTZMANN * temperatures[:, None])).ln_weight


def without_run(density: DensityOfStates, run: int) -> DensityOfStates:
    """Leave one run out; a density of states of one run stays as it is."""
    if density.n_runs == 1:
        return density
    return replace(density, run_ln_g=np.delete(density.run_ln_g, run, axis=0))


def check_runs(density: DensityOfStates, bins: Sequence[int]) -> None:
    """Raise InputError unless what several runs measured, on so many bins each, goes with a density of states."""
    if not bins or any(number != density.grid.n_bins for number in bins):
        raise InputError(f"averages on {list(bins)} bins do not go with a density of states on {density.grid.n_bins}")
    if density.n_runs not in (1, len(bins)):
        raise InputError(
            f"{len(bins)} runs measured averages, but the density of states has {density.n_runs}; give one for each"
        )


def checked_bins(bins: np.ndarray, n_bins: int) -> np.ndarray:
    """Return ``int64[n]``; raise InputError if one is not on a grid of ``n_bins``."""
    where = np.ascontiguousarray(bins, dtype=np.int64)
    if where.ndim != 1 or (len(where) and not 0 <= where.min() <= where.max() < n_bins):
        raise InputError(f"bins of shape {where.shape} must be a row of numbers from 0 to {n_bins - 1}; widen the grid")
    return where


def write_bin_averages(group: h5py.Group, averages: Sequence[BinAverages]) -> None:
    """Write the accumulators of several runs into a group.

    Raises
    ------
    InputError
        If columns or numbers of bins differ, or there is no run.
    """
    _merged(averages)
    write_json(group, "names", list(averages[0].names))
    for part in ("count", "total", "total_square"):
        write_array(group, part, np.array([getattr(run, part) for run in averages]))
    axes = ["run", "bin", "observable"]
    group.create_dataset("observable", data=list(averages[0].names), dtype=h5py.string_dtype(), track_times=False)
    name_axes(group, {"count": axes[:2], "total": axes, "total_square": axes})


def read_bin_averages(group: h5py.Group) -> list[BinAverages]:
    """Read what :func:`write_bin_averages` wrote; KeyError or ValueError if it is not that."""
    names = tuple(str(name) for name in read_json(group, "names", list))
    n_runs, n_bins = group["count"].shape
    count = read_array(group, "count", np.int64, (n_runs, n_bins))
    sums = [read_array(group, part, np.float64, (n_runs, n_bins, len(names))) for part in ("total", "total_square")]
    if count.min(initial=0) < 0:
        raise ValueError(f"{group.name}/count holds negative numbers")
    return [BinAverages(names, *parts) for parts in zip(count, *sums, strict=True)]


def _merged(averages: Sequence[BinAverages]) -> BinAverages:
    if not averages:
        raise InputError("there are no averages; measure observables in a production run first")
    result = averages[0]
    for run in averages[1:]:
        result = result.merge(run)
    return result


def _reweighted(
    density: DensityOfStates, averages: BinAverages, temperatures: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means, variances (``float64[n, n_columns]``) and the weight covered (``float64[n]``)."""
    seen = density.visited
    known = averages.count[seen] > 0
    mean = averages.mean[seen][known]
    variance = averages.variance[seen][known]
    centre = mean.mean(axis=0) if len(mean) else np.zeros(len(averages.names))  # squares about 0 would cancel
    parts = []
    for chunk in np.array_split(temperatures, max(1, len(temperatures) * len(seen) // _CHUNK)):
        weight = softmax(bin_ln_weights(density, chunk), axis=1)[:, known]
        covered = weight.sum(axis=1)
        share = weight / np.where(covered > 0, covered, 1.0)[:, None]
        first = np.where(covered[:, None] > 0, share @ (mean - centre), np.nan)
        second = share @ (variance + (mean - centre) ** 2)
        parts.append((first + centre, np.maximum(second - first**2, 0.0), covered))
    values, variances, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    return values, variances, np.minimum(weights, 1.0)
