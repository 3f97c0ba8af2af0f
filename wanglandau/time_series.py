"""How far to trust the mean of a correlated series: the error bars of Metropolis sampling.

The integrated autocorrelation time is tau = 1 + 2 sum over t > 0 of rho(t), in units of the interval between records,
so that n records are worth n / tau independent ones (twice the tau_int of A. Sokal, Monte Carlo Methods in Statistical
Mechanics, 1996, whose self-consistent window is used). Series are ``float64[n]`` or, for several chains of one
ensemble, ``float64[n_chains, n]``, equilibrated before they come here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.special import ndtri
from scipy.stats import rankdata

from wanglandau.errors import InputError
from wanglandau.levels import BOLTZMANN

WINDOW = 5.0
"""The sum over rho(t) stops at the first lag of at least this many tau."""
RELIABLE_LENGTH = 50.0
"""A chain of fewer tau than this gives no error bar to rely on."""
BLOCK_LENGTH = 5.0
"""Jackknife blocks are this many tau long."""
RELIABLE_BLOCKS = 20
"""With fewer blocks a jackknife error is itself uncertain by more than about a sixth."""
MIN_LENGTH = 4


@dataclass(frozen=True)
class Estimate:
    """Mean of a correlated series.

    Attributes
    ----------
    mean : float
    error : float
        Standard error of the mean; 0 for a constant series.
    tau : float
        Integrated autocorrelation time, in records; at least 1.
    effective_samples : float
        Number of independent records that the series is worth.
    reliable : bool
        Whether each chain is at least 50 tau long. Where it is not, tau and the error are most likely too small.
    """

    mean: float
    error: float
    tau: float
    effective_samples: float
    reliable: bool


@dataclass(frozen=True, eq=False)
class BlockingEstimate:
    """Standard error of a mean from blocks of growing length.

    Attributes
    ----------
    error : float
    uncertainty : float
        Standard error of ``error``.
    block_length : int
        Records in each block at the level chosen.
    reliable : bool
        Whether some level met the criterion; if none did, the largest error of all is given.
    block_lengths : int64[n_levels]
    errors : float64[n_levels]
        Error at each level: it rises to a plateau as blocks become independent.
    """

    error: float
    uncertainty: float
    block_length: int
    reliable: bool
    block_lengths: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class JackknifeEstimate:
    """A function of the means of several series.

    Attributes
    ----------
    value : float
        Corrected for the bias of order 1 / n_blocks.
    error : float
    bias : float
        What was taken off.
    block_length, n_blocks : int
    reliable : bool
        Whether there are at least 20 blocks of at least 5 tau.
    """

    value: float
    error: float
    bias: float
    block_length: int
    n_blocks: int
    reliable: bool


def autocorrelation_function(series: np.ndarray) -> np.ndarray:
    """Return rho(t), the mean over the chains.

    Deviations are taken from the mean of all chains together: chains that sit in different places then show as one
    very long correlation instead of several short ones.

    Returns
    -------
    float64[n]
        1 at lag 0. For a constant series 0 at every other lag.

    Raises
    ------
    InputError
        If the series is too short, of the wrong shape or not finite.
    """
    chains = _checked(series)
    n = chains.shape[1]
    if np.ptp(chains) == 0:
        return np.concatenate(([1.0], np.zeros(n - 1)))
    deviation = chains - chains.mean()
    size = fft.next_fast_len(2 * n, real=True)  # twice the length: no correlation around the end
    power = (np.abs(fft.rfft(deviation, size, axis=1)) ** 2).mean(axis=0)
    covariance = fft.irfft(power, size)[:n] / n
    return covariance / covariance[0]


def autocorrelation_time(series: np.ndarray) -> float:
    """Return the integrated autocorrelation time tau in records, with Sokal's window of 5 tau.

    At least 1: series that oscillate are given no credit for it. Raises as :func:`autocorrelation_function` does.
    """
    rho = autocorrelation_function(series)
    running = 2 * np.cumsum(rho) - 1
    enough = np.arange(len(rho)) >= WINDOW * running
    window = int(np.argmax(enough)) if enough.any() else int(np.argmax(running))
    return max(1.0, float(running[window]))


def effective_sample_size(series: np.ndarray) -> float:
    """Return the number of independent records that a series is worth; raises as the functions above do."""
    return np.size(series) / autocorrelation_time(series)


def mean_with_error(series: np.ndarray) -> Estimate:
    """Average a correlated series.

    The error is sqrt(variance * tau / n), with the variance corrected for being taken about the mean of the same
    records, which are worth n / tau.

    Parameters
    ----------
    series : float64[n] or float64[n_chains, n]

    Raises
    ------
    InputError
        If the series is too short, of the wrong shape or not finite.
    """
    chains = _checked(series)
    tau = autocorrelation_time(chains)
    effective = chains.size / tau
    if np.ptp(chains) == 0:
        return Estimate(float(chains.flat[0]), 0.0, tau, effective, chains.shape[1] >= RELIABLE_LENGTH)
    error = np.sqrt(chains.var() / max(effective - 1, 1.0))
    return Estimate(float(chains.mean()), float(error), tau, effective, chains.shape[1] >= RELIABLE_LENGTH * tau)


def blocking_error(series: np.ndarray) -> BlockingEstimate:
    """Estimate the error of a mean by blocking (H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989)).

    Neighbours are averaged over and over; blocks do not straddle chains. The level taken is the first whose block
    length B obeys B^3 > 2 n (error(B) / error(1))^4 (R. M. Lee et al., Phys. Rev. E 83, 066706 (2011)), which balances
    what correlation is left against the scatter of the error itself.

    Raises
    ------
    InputError
        If the series is too short, of the wrong shape or not finite.
    """
    blocks = _checked(series)
    total = blocks.size
    lengths, errors, counts = [], [], []
    length = 1
    while blocks.size >= MIN_LENGTH and blocks.shape[1] >= 1:
        lengths.append(length)
        counts.append(blocks.size)
        errors.append(0.0 if np.ptp(blocks) == 0 else float(np.sqrt(blocks.var() / (blocks.size - 1))))
        if blocks.shape[1] < 2:
            break
        even = blocks[:, : blocks.shape[1] // 2 * 2]
        blocks = (even[:, ::2] + even[:, 1::2]) / 2
        length *= 2
    values, sizes = np.array(errors), np.array(lengths, dtype=np.int64)
    inflation = (values / values[0]) ** 4 if values[0] > 0 else np.zeros(len(values))
    good = sizes.astype(np.float64) ** 3 > 2 * total * inflation
    chosen = int(np.argmax(good)) if good.any() else int(np.argmax(values))
    uncertainty = values[chosen] / np.sqrt(2 * (counts[chosen] - 1))
    return BlockingEstimate(errors[chosen], float(uncertainty), lengths[chosen], bool(good.any()), sizes, values)


def jackknife(
    function: Callable[[np.ndarray], np.ndarray], series: Sequence[np.ndarray], block_length: int | None = None
) -> JackknifeEstimate:
    """Estimate a function of the means of several series that were recorded together.

    Each block is left out in turn (R. G. Miller, Biometrika 61, 1 (1974)); blocks do not straddle chains, and records
    that fill no block are left off the start.

    Parameters
    ----------
    function : callable
        From means ``float64[n_series, m]`` to values ``float64[m]``.
    series : sequence of float64[n] or float64[n_chains, n]
        All of one shape.
    block_length : int, optional
        Default: 5 tau of the slowest series.

    Raises
    ------
    InputError
        If shapes differ, or there are fewer than two blocks.
    """
    chains = [_checked(values) for values in series]
    if not chains or any(values.shape != chains[0].shape for values in chains):
        raise InputError(f"series have shapes {[np.shape(values) for values in series]}; give one or more of one shape")
    stack = np.array(chains)
    wanted = int(np.ceil(BLOCK_LENGTH * max(autocorrelation_time(values) for values in chains)))
    length = wanted if block_length is None else block_length
    per_chain = stack.shape[2] // length if length > 0 else 0
    n_blocks = per_chain * stack.shape[1]
    if n_blocks < 2:
        raise InputError(
            f"{stack.shape[2]} records make {n_blocks} blocks of {length}; at least 2 are needed: run longer"
        )
    used = stack[:, :, stack.shape[2] - per_chain * length :]
    blocks = used.reshape(len(stack), n_blocks, length).mean(axis=2)
    mean = blocks.mean(axis=1, keepdims=True)
    plain = float(function(mean)[0])
    left_out = function(mean + (mean - blocks) / (n_blocks - 1))
    bias = (n_blocks - 1) * float(left_out.mean() - plain)
    error = np.sqrt((n_blocks - 1) * np.mean((left_out - left_out.mean()) ** 2))
    reliable = n_blocks >= RELIABLE_BLOCKS and length >= wanted
    return JackknifeEstimate(plain - bias, float(error), bias, length, n_blocks, reliable)


def heat_capacity(energies: np.ndarray, temperature: float) -> JackknifeEstimate:
    """Estimate the heat capacity from the fluctuations of the energy.

    Parameters
    ----------
    energies : float64[n] or float64[n_chains, n], Ry per cell
    temperature : float, K

    Returns
    -------
    JackknifeEstimate
        k_B per cell.

    Raises
    ------
    InputError
        If the temperature is not above 0 K, and as :func:`jackknife` does.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature {temperature} K must be above 0 K")
    above = _checked(energies)
    above = above - above.mean()  # else the difference of two large squares
    scale = 1 / (BOLTZMANN * temperature) ** 2
    return jackknife(lambda means: scale * (means[1] - means[0] ** 2), [above, above**2])


def binder_cumulant(order_parameter: np.ndarray) -> JackknifeEstimate:
    """Estimate U = 1 - <m^4> / (3 <m^2>^2) of a signed order parameter (K. Binder, Z. Phys. B 43, 119 (1981)).

    2/3 in an ordered phase, 0 for Gaussian fluctuations; an order parameter that is 0 throughout gives 0.

    Parameters
    ----------
    order_parameter : float64[n] or float64[n_chains, n]
    """
    squares = _checked(order_parameter) ** 2
    if not squares.any():
        return jackknife(lambda means: np.zeros(means.shape[1]), [squares])
    return jackknife(lambda means: 1 - means[1] / (3 * means[0] ** 2), [squares, squares**2])


def r_hat(chains: np.ndarray) -> float:
    """Return the split, rank-normalised potential scale reduction of several chains.

    The larger of the statistic for the values and that for their distance from the median (A. Vehtari et al., Bayesian
    Analysis 16, 667 (2021), who ask for less than 1.01). Near 1 where all chains agree in place and in width.

    Parameters
    ----------
    chains : float64[n_chains, n]
        Each is cut in two, so that a drift counts as a disagreement. One chain will do.

    Returns
    -------
    float
        1 where all values are equal; inf where each half chain is constant but not all are alike.

    Raises
    ------
    InputError
        If chains are too short, of the wrong shape or not finite.
    """
    values = _checked(chains)
    half = values.shape[1] // 2
    halves = np.concatenate((values[:, :half], values[:, -half:]))
    folded = np.abs(halves - np.median(halves))
    return max(_scale_reduction(halves), _scale_reduction(folded))


def _scale_reduction(halves: np.ndarray) -> float:
    """R-hat of the normal scores of the ranks, ties sharing their mean rank."""
    if np.ptp(halves) == 0:
        return 1.0
    if np.ptp(halves, axis=1).max() == 0:
        return float(np.inf)
    ranks = rankdata(halves, method="average").reshape(halves.shape)
    scores = ndtri((ranks - 0.375) / (halves.size + 0.25))
    n = halves.shape[1]
    within = scores.var(axis=1, ddof=1).mean()
    between = scores.mean(axis=1).var(ddof=1)
    return float(np.sqrt((n - 1) / n + between / within))


def _checked(series: np.ndarray) -> np.ndarray:
    """Return ``float64[n_chains, n]``."""
    chains = np.atleast_2d(np.asarray(series, dtype=np.float64))
    if chains.ndim != 2 or not len(chains) or chains.shape[1] < MIN_LENGTH:
        raise InputError(
            f"a series of shape {np.shape(series)} cannot be analysed; "
            f"give (n,) or (n_chains, n) with at least {MIN_LENGTH} records"
        )
    if not np.isfinite(chains).all():
        raise InputError("a series holds values that are not finite; leave those records out")
    return chains
