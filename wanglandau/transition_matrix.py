"""What the proposals counted during sampling say about the density of states, by detailed balance alone.

Proposals are symmetric, so the walk that accepts them all visits every configuration equally and obeys
``g_i T_ij = g_j T_ji``, where ``T_ij`` is the probability that a trial standing in bin i proposes a
configuration of bin j (Wang, Tay and Swendsen, PRL 82, 476 (1999)). T does not depend on the weights
that trials were accepted with: it gives an estimate of ln g that uses no histogram, a test of
detailed balance itself, and the speed of the walk along the energy axis.

With ``a_i = t_i / g_i`` (``t_i`` trials from bin i), the likelihood of the counts ``C_ij``, maximised
over all T that obey detailed balance, leaves one equation per bin,

    sum_j (C_ij + C_ji) a_i / (a_i + a_j) = sum_j C_ij,

which are those of the Bradley-Terry model (Hunter, Ann. Stat. 32, 384 (2004)): of the proposals between
two bins, the part ``a_i / (a_i + a_j)`` starts in i. The likelihood is concave in ln a; Newton's step
solves a sparse graph Laplacian. Pairs that were seen one way only count too. The same estimate, as a
matrix, is that of Prinz et al., J. Chem. Phys. 134, 174105 (2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, eigvals
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.special import expit, logsumexp
from scipy.stats import chi2

from wanglandau.errors import InputError

MAX_NEWTON_STEPS = 100
CONVERGED_STEP = 1e-9
"""Newton converges quadratically: after a step this small in ln g only rounding is left."""
RARE = 2.0
"""Pairs whose count has a smaller variance than this are judged together, not one by one."""


@dataclass(frozen=True, eq=False)
class TransitionFit:
    """The density of states of greatest likelihood given the proposals, and how well it explains them.

    Attributes
    ----------
    ln_g : float64[n_bins]
        Normalised to logsumexp(ln_g) = 0; -inf in bins outside the largest set of bins that can all be reached from
        one another by observed proposals.
    chi_square : float
        Weighted sum of squared residuals of the pair equations (Pearson's). Its expectation is ``freedom`` if the
        trials are independent; correlated trials (rejections repeat a configuration) raise it to the extent of their
        correlation.
    freedom : float
        Degrees of freedom: pairs less fitted bins, not a whole number where rare pairs are pooled. 0 if the pairs form
        a tree: detailed balance can then not be violated.
    largest_mismatch : float
        The largest standardised residual of a pair, in standard deviations.
    """

    ln_g: np.ndarray
    chi_square: float
    freedom: float
    largest_mismatch: float

    @property
    def reduced_chi_square(self) -> float:
        """Chi-square per degree of freedom; nan where there is none."""
        return self.chi_square / self.freedom if self.freedom > 0 else float("nan")

    @property
    def rms_mismatch(self) -> float:
        """Weighted root mean square of the residuals of the pair equations, in standard deviations."""
        return float(np.sqrt(self.reduced_chi_square))

    @property
    def p_value(self) -> float:
        """Probability of so large a chi-square by chance; nan without degrees of freedom."""
        return float(chi2.sf(self.chi_square, self.freedom)) if self.freedom > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of bins ``i < j`` between which there were proposals, among ``n`` connected bins (numbered anew)."""

    n: int
    i: np.ndarray
    j: np.ndarray
    up: np.ndarray
    down: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.up + self.down

    def laplacian(self, weights: np.ndarray) -> csc_array:
        links = csr_array((weights, (self.i, self.j)), shape=(self.n, self.n))
        links = links + links.T
        return csc_array(diags_array(links.sum(axis=1)) - links)

    def divergence(self, flow: np.ndarray) -> np.ndarray:
        """Sum over the pairs of each bin, positive where the bin is the pair's first."""
        return np.bincount(self.i, flow, self.n) - np.bincount(self.j, flow, self.n)

    def solve(self, weights: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """Solve the Laplacian equations for ``flow``; the bin with the largest weight is held at 0."""
        matrix = self.laplacian(weights)
        free = np.arange(self.n) != np.argmax(matrix.diagonal())
        solution = np.zeros(self.n)
        if free.any():
            solution[free] = splu(csc_array(matrix[free][:, free])).solve(self.divergence(flow)[free])
        return solution

    def log_likelihood(self, ln_a: np.ndarray) -> float:
        gap = ln_a[self.i] - ln_a[self.j]
        return -float(self.up @ np.logaddexp(0.0, -gap) + self.down @ np.logaddexp(0.0, gap))


def ln_g_from_transitions(proposals: np.ndarray, trials_from: np.ndarray) -> np.ndarray:
    """Estimate ln g from counted proposals; see :func:`fit_transitions`, of which this is the ``ln_g``."""
    return fit_transitions(proposals, trials_from).ln_g


def fit_transitions(proposals: np.ndarray, trials_from: np.ndarray) -> TransitionFit:
    """Fit ln g to the counted proposals and test detailed balance.

    Parameters
    ----------
    proposals : int64[n_bins, n_bins]
        Trials that stood in the bin of the row and proposed the bin of the column.
    trials_from : int64[n_bins]
        All trials that stood in a bin, those that proposed an energy outside the grid included.

    Raises
    ------
    InputError
        If shapes disagree, counts are negative, no trial was counted or a bin has more proposals than trials.
    """
    counts, trials = _checked(proposals, trials_from)
    bins = _connected_bins(counts, trials)
    pairs = _pairs_among(counts, bins)
    ln_a = _maximise(pairs)
    ln_g = np.full(len(trials), -np.inf)
    ln_g[bins] = np.log(trials[bins]) - ln_a
    ln_g[bins] -= logsumexp(ln_g[bins])
    return TransitionFit(ln_g, *_goodness(pairs, ln_a))


def accepted_moves(proposals: np.ndarray, trials_from: np.ndarray, ln_g: np.ndarray) -> np.ndarray:
    """Return the moves that sampling with weights 1/g is expected to make out of these trials.

    Every proposal counts with its probability of acceptance, min(1, g_i / g_j), which is the expectation of what a
    count of accepted moves would give and scatters less.

    Parameters
    ----------
    proposals : int64[n_bins, n_bins]
    trials_from : int64[n_bins]
    ln_g : float64[n_bins]
        -inf in bins to leave out; a move there counts as rejected.

    Returns
    -------
    float64[n_bins, n_bins]
        Row: bin before the trial; column: bin after it; rejections are on the diagonal.
    """
    counts, trials = _checked(proposals, trials_from)
    known = np.isfinite(ln_g) & (trials > 0)
    level = np.where(known, ln_g, 0.0)
    moves = counts * np.exp(np.minimum(level[:, None] - level[None, :], 0.0))
    moves[~known] = 0.0
    moves[:, ~known] = 0.0
    np.fill_diagonal(moves, 0.0)
    np.fill_diagonal(moves, np.where(known, trials - moves.sum(axis=1), 0.0))
    return moves


def flat_histogram_matrix(proposals: np.ndarray, trials_from: np.ndarray, ln_g: np.ndarray) -> np.ndarray:
    """Return the transition matrix of the walk with weights 1/g among the bins, ``float64[n_bins, n_bins]``.

    Rows of bins that are known sum to 1, other rows and columns are 0. For the exact ln g and exact proposals it is
    symmetric. Parameters as for :func:`accepted_moves`.
    """
    moves = accepted_moves(proposals, trials_from, ln_g)
    return moves / np.maximum(moves.sum(axis=1), 1.0)[:, None]


def diffusivity(proposals: np.ndarray, trials_from: np.ndarray, ln_g: np.ndarray) -> np.ndarray:
    """Return the mean square step of the flat-histogram walk, bins^2 per trial, ``float64[n_bins]``.

    ``D_i = sum_j (j - i)^2 T_ij min(1, g_i / g_j)``; nan in bins where ln g is unknown. Parameters as for
    :func:`accepted_moves`.
    """
    matrix = flat_histogram_matrix(proposals, trials_from, ln_g)
    place = np.arange(len(matrix))
    steps = ((place[None, :] - place[:, None]) ** 2 * matrix).sum(axis=1)
    return np.where(matrix.any(axis=1), steps, np.nan)


def eigenvalue_deviation(moves: np.ndarray) -> float:
    """Return how far the largest eigenvalue of the measured transition matrix is from 1.

    The matrix is estimated as if every bin had been visited equally often: moves divided by the mean number of visits.
    It is stochastic only if the histogram is flat and ln g correct, and its largest eigenvalue tends to 1 with them
    (Barash, Fadeeva and Shchur, Phys. Rev. E 96, 043307 (2017), arXiv:1706.06097).

    Parameters
    ----------
    moves : float64[n_bins, n_bins] or int64[n_bins, n_bins]
        Moves made from bin to bin, rejections on the diagonal: counted, or those of :func:`accepted_moves`. Bins
        without any are left out.

    Returns
    -------
    float
        Distance of the largest eigenvalue from 1.
    """
    inner = _occupied(moves)
    return float(abs(eigvals(inner / (inner.sum() / len(inner))).real.max() - 1.0))


def relaxation_time(matrix: np.ndarray) -> float:
    """Return the longest relaxation time of a flat-histogram walk among bins, in trials: 1 / (1 - second eigenvalue).

    Parameters
    ----------
    matrix : float64[n_bins, n_bins]
        From :func:`flat_histogram_matrix`. It is symmetrised. What is slow inside a bin is not in it, so the walk
        itself may be slower. A single bin gives 0, bins that fall apart inf.
    """
    generator = _generator(matrix)
    if len(generator) < 2:
        return 0.0
    gap = float(eigh(generator, eigvals_only=True, subset_by_index=[1, 1])[0])
    return 1.0 / gap if gap > len(generator) * np.finfo(float).eps else float("inf")


def round_trip_time(matrix: np.ndarray) -> float:
    """Return the mean trials of a round trip between the lowest and the highest known bin.

    It is the commute time of the symmetrised walk, n_bins times the effective resistance between the ends (Chandra et
    al., Comput. Complexity 6, 312 (1996)); pi^2 relaxation times if the diffusivity is uniform. Parameter and
    limits as for :func:`relaxation_time`.
    """
    generator = _generator(matrix)
    if len(generator) < 2:
        return 0.0
    if np.isinf(relaxation_time(matrix)):
        return float("inf")
    source = np.zeros(len(generator))
    source[0] = 1.0
    # the last bin is held at potential 0, so the potential of the first is the resistance
    return float(len(generator) * np.linalg.solve(generator[:-1, :-1], source[:-1])[0])


def _checked(proposals: np.ndarray, trials_from: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, trials = np.asarray(proposals, dtype=np.float64), np.asarray(trials_from, dtype=np.float64)
    if trials.ndim != 1 or counts.shape != (len(trials), len(trials)):
        raise InputError(f"proposals {counts.shape} and trials {trials.shape} must be [n_bins, n_bins] and [n_bins]")
    if not (np.isfinite(counts).all() and np.isfinite(trials).all()) or counts.min(initial=0.0) < 0:
        raise InputError("counted proposals must be finite and not negative: count them anew")
    excess = counts.sum(axis=1) - trials
    if (excess > 1e-9 * trials).any():
        worst = int(np.argmax(excess))
        raise InputError(
            f"bin {worst}: {counts[worst].sum():g} proposals but {trials[worst]:g} trials; count them anew"
        )
    if not trials.any():
        raise InputError("no trial was counted: sample before estimating ln g")
    return counts, trials


def _connected_bins(counts: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return the largest set of bins connected both ways; of equally large ones that with most trials."""
    _, label = connected_components(csr_array(counts * (trials > 0)), directed=True, connection="strong")
    size = np.bincount(label, trials > 0)
    share = np.bincount(label, trials) / (2.0 * trials.sum())
    return np.flatnonzero((label == np.argmax(size + share)) & (trials > 0))


def _pairs_among(counts: np.ndarray, bins: np.ndarray) -> _Pairs:
    inner = counts[np.ix_(bins, bins)]
    i, j = np.nonzero(np.triu(inner + inner.T, 1))
    return _Pairs(len(bins), i, j, inner[i, j], inner[j, i])


def _maximise(pairs: _Pairs) -> np.ndarray:
    """Return ln a of greatest likelihood, ``float64[n]``."""
    up, down = pairs.up + 0.5, pairs.down + 0.5
    weights = up * down / (up + down)
    ln_a = pairs.solve(weights, weights * np.log(up / down))
    for _ in range(MAX_NEWTON_STEPS):
        part = expit(ln_a[pairs.i] - ln_a[pairs.j])
        step = pairs.solve(pairs.total * part * (1.0 - part), pairs.up - pairs.total * part)
        length = np.abs(step).max()
        if length > 0.1:  # far away the quadratic model may overshoot; close by the likelihood is flat to rounding
            before = pairs.log_likelihood(ln_a)
            while pairs.log_likelihood(ln_a + step) < before and np.abs(step).max() > CONVERGED_STEP:
                step = step / 2.0
        ln_a = ln_a + step
        if length < CONVERGED_STEP:
            break
    return ln_a


def _goodness(pairs: _Pairs, ln_a: np.ndarray) -> tuple[float, float, float]:
    """Return chi-square, its degrees of freedom and the largest standardised residual.

    A pair's leverage is the part of its variance that the fit takes away; leverages sum to the fitted bins.
    """
    if len(pairs.i) == 0:
        return 0.0, 0.0, 0.0
    part = expit(ln_a[pairs.i] - ln_a[pairs.j])
    residual, variance = pairs.up - pairs.total * part, pairs.total * part * (1.0 - part)
    inverse = np.zeros((pairs.n, pairs.n))  # of the Laplacian with the first bin held: resistances are the same
    inverse[1:, 1:] = np.linalg.inv(pairs.laplacian(variance).toarray()[1:, 1:])
    level = np.diag(inverse)
    leverage = variance * (level[pairs.i] + level[pairs.j] - 2.0 * inverse[pairs.i, pairs.j])
    left = np.clip(1.0 - leverage, 0.0, 1.0)
    left[left < 1e-6] = 0.0  # bridges: the fit follows them exactly
    common = variance >= RARE
    chi_square = float((residual[common] ** 2 / variance[common])[left[common] > 0].sum())
    freedom = float(left[common].sum())
    tested = common & (left > 0)
    largest = float(np.max(np.abs(residual[tested]) / np.sqrt(variance[tested] * left[tested]), initial=0.0))
    if not common.all():  # the rarer direction of each pair, all together
        sign = np.where(part < 0.5, 1.0, -1.0) * ~common
        flow = pairs.divergence(sign * variance)
        pooled = float(variance[~common].sum() - flow @ inverse @ flow)
        excess = float(sign @ residual) / max(pooled, 1.0) ** 0.5
        if pooled > 1e-6 or abs(excess) > 1e-3:
            chi_square, freedom, largest = chi_square + excess**2, freedom + 1.0, max(largest, abs(excess))
    return chi_square, freedom, largest


def _occupied(matrix: np.ndarray) -> np.ndarray:
    matrix = np.asarray(matrix, dtype=np.float64)
    known = matrix.any(axis=1)
    if not known.any():
        raise InputError("no move was counted: sample before asking for transition rates")
    return matrix[np.ix_(known, known)]


def _generator(matrix: np.ndarray) -> np.ndarray:
    """Return the Laplacian of the symmetrised walk among the known bins."""
    rates = _occupied(matrix)
    rates = (rates + rates.T) / 2.0
    np.fill_diagonal(rates, 0.0)
    return np.diag(rates.sum(axis=1)) - rates
