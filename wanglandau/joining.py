"""Pieces of ln g from overlapping energy windows, joined to one, and how badly they disagree.

Every piece is ln g up to a constant of its own. The model is ``piece_k(b) = ln g(b) - offset_k + noise``
with weights ``v_k(b)`` (inverse variances, times a taper). Minimising the weighted squares over ln g and
all offsets at once leaves a Laplacian equation for the offsets, in which two windows k and l are tied
in every bin with ``v_k v_l / sum_m v_m``; any number of windows may hold a bin.

The taper falls linearly towards each end that lies inside a neighbour, so that a piece fades in and
out and a disagreement becomes a slope across the overlap instead of a step at the edge of a window.
What alignment cannot remove is reported, seam by seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import norm
from scipy.stats import t as t_distribution

from wanglandau.errors import InputError

MAX_SHAPES = 3
"""Shapes of a systematic residual that are looked for: slope, curvature, third order."""


@dataclass(frozen=True, eq=False)
class Joined:
    """One ln g out of several pieces.

    Attributes
    ----------
    ln_g : float64[n_bins]
        Up to a constant, that of the first piece; -inf where no piece has visits.
    offsets : float64[n_windows]
        What was added to every piece; the first is 0.
    seams : int64[n_windows - 1, 2]
        First and last bin that window k and window k + 1 both visited.
    residuals : float64[n_windows - 1, n_bins]
        Aligned piece k + 1 less aligned piece k; nan where not both were visited.
    mismatch : float64[n_windows - 1]
        Weighted root mean square of the residuals of a seam, in units of ln g.
    tilt : float64[n_windows - 1]
        Slope of the residuals of a seam, ln g per bin, by weighted least squares; 0 where only one bin is shared.
    """

    ln_g: np.ndarray
    offsets: np.ndarray
    seams: np.ndarray
    residuals: np.ndarray
    mismatch: np.ndarray
    tilt: np.ndarray

    @property
    def tilt_across(self) -> np.ndarray:
        """Difference of ln g that the tilt makes from one end of a seam to the other, ``float64[n_windows - 1]``."""
        return self.tilt * (self.seams[:, 1] - self.seams[:, 0])


@dataclass(frozen=True, eq=False)
class SeamSignificance:
    """Whether the pieces on both sides of a seam disagree in the same way in all runs.

    Attributes
    ----------
    bins : int64[n_shared]
        Bins that both windows visited in every run.
    profile : float64[n_shared]
        Mean over the runs of the residuals, less their weighted mean over the bins: the systematic part.
    standard_error : float64[n_shared]
        Of the profile, from the scatter of the runs, per bin; neighbouring bins are correlated.
    chi_square : float
        Hotelling's T^2 of the profile's slope, curvature and third-order part (fewer with few runs or bins).
    freedom : int
        Number of these shapes; 0 if there are too few runs or bins to tell, and chi_square and p_value are nan.
    p_value : float
        Probability of so large a chi-square where only chance divides the runs.
    local_p_value : float
        Upper bound of the probability that any single bin deviates as far by chance (Student's t, times the number of
        bins): sees what is wrong in a few bins only, as at the edge of a window.
    """

    bins: np.ndarray
    profile: np.ndarray
    standard_error: np.ndarray
    chi_square: float
    freedom: int
    p_value: float
    local_p_value: float

    @property
    def sigma(self) -> float:
        """The rarer of both probabilities, doubled for having looked twice, in standard deviations (two-sided)."""
        if self.freedom == 0:
            return float("nan")
        together = min(2.0 * min(self.p_value, self.local_p_value), 1.0)
        return float(norm.isf(max(together, 1e-300) / 2.0))


def join(pieces: np.ndarray, weights: np.ndarray) -> Joined:
    """Align the pieces of all windows, blend them, and measure how they disagree.

    Parameters
    ----------
    pieces : float64[n_windows, n_bins]
        ln g of every window, in order of energy, each up to a constant; -inf where it has no visits.
    weights : float64[n_windows, n_bins]
        Inverse variances up to a common factor, for instance visits; 0 leaves a bin out.

    Returns
    -------
    Joined

    Raises
    ------
    InputError
        If shapes disagree, a weight is negative or not finite, or neighbours have no visited bin in common.
    """
    values, weights = _checked(pieces, weights)
    tapered = weights * taper(weights > 0)
    offsets = _offsets(values, tapered)
    total = tapered.sum(axis=0)
    blend = (tapered * (values + offsets[:, None])).sum(axis=0) / np.where(total > 0, total, 1.0)
    ln_g = np.where(total > 0, blend, -np.inf)
    residuals = seam_residuals(pieces, weights, offsets)
    mismatch, tilt = seam_mismatch(residuals, weights)
    seams = np.array([np.flatnonzero(np.isfinite(seam))[[0, -1]] for seam in residuals]).reshape(-1, 2)
    return Joined(ln_g, offsets, seams, residuals, mismatch, tilt)


def taper(visited: np.ndarray) -> np.ndarray:
    """Return factors that fade every piece towards the ends that lie inside a neighbour.

    They grow linearly from 1 / (n + 1) in the outermost of the n bins shared with that neighbour to n / (n + 1) in
    the innermost one.

    Parameters
    ----------
    visited : bool[n_windows, n_bins]

    Returns
    -------
    float64[n_windows, n_bins]
        1 outside overlaps and in bins without visits.
    """
    factors = np.ones(visited.shape)
    for k in range(len(visited) - 1):
        shared = np.flatnonzero(visited[k] & visited[k + 1])
        ramp = np.arange(1, len(shared) + 1) / (len(shared) + 1.0)
        factors[k + 1, shared] *= ramp
        factors[k, shared] *= ramp[::-1]
    return factors


def seam_residuals(pieces: np.ndarray, weights: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return piece k + 1 less piece k after adding the offsets, ``float64[n_windows - 1, n_bins]``; nan elsewhere.

    Parameters are those of :func:`join`, with ``offsets`` float64[n_windows].
    """
    values, weights = _checked(pieces, weights)
    aligned = values + np.asarray(offsets)[:, None]
    return np.where((weights[:-1] > 0) & (weights[1:] > 0), aligned[1:] - aligned[:-1], np.nan)


def seam_mismatch(residuals: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted rms of the residuals of each seam and their slope per bin, each ``float64[n_windows - 1]``.

    A difference of two pieces weighs ``1 / (1 / w_k + 1 / w_(k+1))``, without taper, so that the edges count in full.

    Parameters
    ----------
    residuals : float64[n_windows - 1, n_bins]
        From :func:`seam_residuals`.
    weights : float64[n_windows, n_bins]
    """
    mismatch, tilt = np.zeros(len(residuals)), np.zeros(len(residuals))
    for k, seam in enumerate(residuals):
        bins = np.flatnonzero(np.isfinite(seam))
        weight = _weight_of_difference(weights[k, bins], weights[k + 1, bins])
        place = bins - weight @ bins
        spread = weight @ place**2
        mismatch[k] = np.sqrt(weight @ seam[bins] ** 2)
        tilt[k] = (weight * place) @ seam[bins] / spread if len(bins) > 1 else 0.0
    return mismatch, tilt


def seam_significance(residuals: np.ndarray, weights: np.ndarray) -> list[SeamSignificance]:
    """Separate what pieces disagree in systematically from the scatter of independent runs.

    Residuals of neighbouring bins are correlated, so bins cannot be tested one by one and then counted together.
    Each run's residuals are reduced to a few shapes (slope, curvature, ...) instead, and the mean over the runs is
    compared with the covariance of the runs themselves (Hotelling, Ann. Math. Stat. 2, 360 (1931)): the p-value is
    exact for normal noise however it is correlated. The level of a seam is not tested, alignment sets it.

    Parameters
    ----------
    residuals : float64[n_runs, n_windows - 1, n_bins]
        ``Joined.residuals`` of independent runs with the same windows.
    weights : float64[n_runs, n_windows, n_bins]
        The weights that each run was joined with.

    Returns
    -------
    list of SeamSignificance
        One per seam.

    Raises
    ------
    InputError
        If shapes disagree or the runs have no common bin in a seam.
    """
    residuals, weights = np.asarray(residuals, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    n_runs, n_seams, n_bins = residuals.shape
    if weights.shape != (n_runs, n_seams + 1, n_bins):
        raise InputError(
            f"residuals {residuals.shape} need weights {(n_runs, n_seams + 1, n_bins)}, not {weights.shape}"
        )
    total = weights.sum(axis=0)
    return [_significance_of(residuals[:, k], total[k], total[k + 1], k) for k in range(n_seams)]


def _significance_of(seam: np.ndarray, lower: np.ndarray, upper: np.ndarray, k: int) -> SeamSignificance:
    bins = np.flatnonzero(np.isfinite(seam).all(axis=0))
    if len(bins) == 0:
        raise InputError(f"windows {k} and {k + 1} share no bin that every run visited: make runs longer")
    n_runs, weight = len(seam), _weight_of_difference(lower[bins], upper[bins])
    centred = seam[:, bins] - (seam[:, bins] @ weight)[:, None]
    profile = centred.mean(axis=0)
    error = centred.std(axis=0, ddof=1) / np.sqrt(n_runs) if n_runs > 1 else np.full(len(bins), np.nan)
    n_shapes = min(MAX_SHAPES, len(bins) - 1, (n_runs - 1) // 2)
    if n_shapes < 1:
        return SeamSignificance(bins, profile, error, float("nan"), 0, float("nan"), float("nan"))
    place = 2.0 * (bins - bins[0]) / np.ptp(bins) - 1.0
    shapes = np.polynomial.legendre.legvander(place, n_shapes) * np.sqrt(weight)[:, None]
    size = np.linalg.lstsq(shapes, (centred * np.sqrt(weight)).T, rcond=None)[0][1:]
    mean = size.mean(axis=1)
    scatter = np.atleast_2d(np.cov(size)) / n_runs
    if not scatter.any():  # runs that agree to the last bit leave no doubt
        t_square = float("inf") if mean.any() else 0.0
    else:
        t_square = float(mean @ np.linalg.pinv(scatter, hermitian=True) @ mean)
    ratio = t_square * (n_runs - n_shapes) / (n_shapes * (n_runs - 1))
    p_value = float(f_distribution.sf(ratio, n_shapes, n_runs - n_shapes))
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(profile == 0.0, 0.0, np.abs(profile) / error)
    local = min(2.0 * len(bins) * float(t_distribution.sf(deviation.max(), n_runs - 1)), 1.0)
    return SeamSignificance(bins, profile, error, t_square, n_shapes, p_value, local)


def _checked(pieces: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pieces with 0 where there are no visits, and weights that are 0 there."""
    pieces, weights = np.asarray(pieces, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if pieces.ndim != 2 or pieces.shape != weights.shape or not len(pieces):
        raise InputError(f"pieces {pieces.shape} and weights {weights.shape} must both be [n_windows, n_bins]")
    if np.isnan(pieces).any() or np.isposinf(pieces).any():
        raise InputError("pieces of ln g must be finite, or -inf where there are no visits")
    if not np.isfinite(weights).all() or weights.min(initial=0.0) < 0:
        raise InputError("weights of the pieces must be finite and not negative: give visits or inverse variances")
    weights = np.where(np.isfinite(pieces), weights, 0.0)
    common = ((weights[:-1] > 0) & (weights[1:] > 0)).any(axis=1)
    if not common.all():
        k = int(np.argmin(common))
        raise InputError(
            f"windows {k} and {k + 1} have no visited bin in common: run longer, or use fewer windows or more overlap"
        )
    return np.where(weights > 0, pieces, 0.0), weights


def _offsets(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Solve for all offsets at once; the first is 0."""
    total = weights.sum(axis=0)
    part = weights / np.where(total > 0, total, 1.0)
    matrix = np.diag(weights.sum(axis=1)) - part @ weights.T
    pull = (weights * ((part * values).sum(axis=0) - values)).sum(axis=1)
    offsets = np.zeros(len(values))
    offsets[1:] = np.linalg.solve(matrix[1:, 1:], pull[1:])
    return offsets


def _weight_of_difference(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    weight = lower * upper / (lower + upper)
    return weight / weight.sum()
