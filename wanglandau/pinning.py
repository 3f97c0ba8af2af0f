"""ln g brought into agreement with what is known of it beforehand.

The number of all configurations is known, and ln g is normalised to it. Where the configurations of the lowest or the
highest bin could be counted by symmetry, ln g is known there too. Between such bins the error of a sampled ln g is a
walk along the energy: every pair of bins adds an error of its own, which is the smaller the more trials went from one
to the other. Of all corrections that meet the known values the most likely one makes the sum of squares of what it
changes between two bins, each in units of that error, a minimum (the least-squares adjustment of a network of
differences with fixed points). ln g of bins that nothing connects with a known one stays as it is.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import block_array, csc_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.special import logsumexp

MAX_STEPS = 20
CONVERGED = 1e-10


def pinned(ln_g: np.ndarray, proposals: np.ndarray, known: dict[int, float], total: float | None = None) -> np.ndarray:
    """Correct ln g such that it takes the known values and counts as many configurations in all as before.

    Parameters
    ----------
    ln_g : float64[n_bins]
        -inf in bins not visited.
    proposals : int64[n_bins, n_bins]
        Trials from bin to bin, accepted or not.
    known : dict of int to float
        True ln g by bin. Bins not visited or not connected with the most populous one are passed over.
    total : float, optional
        ln of the number of configurations in all, if it is to be another.

    Returns
    -------
    float64[n_bins]
    """
    links = _links(proposals, np.isfinite(ln_g))
    inside = _connected(links, int(np.argmax(ln_g)))
    place = np.cumsum(inside) - 1
    values = {int(place[b]): value for b, value in known.items() if inside[b]}
    if not values:
        return ln_g
    laplacian = links[inside][:, inside]
    laplacian = csc_array(diags_array(laplacian.sum(axis=1)) - laplacian)
    result, total = ln_g.copy(), float(logsumexp(ln_g)) if total is None else total
    for _ in range(MAX_STEPS):  # the sum of g is not linear in ln g
        result += total - logsumexp(result)
        wanted = np.array([value - result[inside][b] for b, value in values.items()])
        if np.abs(wanted).max() < CONVERGED:
            break
        result[inside] += _smallest_change(laplacian, np.exp(result[inside] - total), list(values), wanted)
    return result


def _links(proposals: np.ndarray, visited: np.ndarray) -> csr_array:
    """Return the precision with which the difference of ln g of two bins is known, 1 / (1 / C_ij + 1 / C_ji)."""
    counts = np.where(visited[:, None] & visited[None, :], proposals, 0).astype(np.float64)
    np.fill_diagonal(counts, 0.0)
    both = np.where((counts > 0) & (counts.T > 0), counts * counts.T / np.maximum(counts + counts.T, 1.0), 0.0)
    return csr_array(both)


def _connected(links: csr_array, start: int) -> np.ndarray:
    _, labels = connected_components(links, directed=False)
    return labels == labels[start]


def _smallest_change(laplacian: csc_array, shares: np.ndarray, bins: list[int], wanted: np.ndarray) -> np.ndarray:
    """Minimise the sum of squares under the constraints, by Lagrange multipliers; the first keeps the sum of g."""
    rows = np.zeros((1 + len(bins), len(shares)))
    rows[0] = shares
    rows[np.arange(1, len(rows)), bins] = 1.0
    constraints = csc_array(rows)
    # in units of the strongest link, so that both kinds of rows are of like size
    system = block_array([[laplacian / laplacian.diagonal().max(), constraints.T], [constraints, None]], format="csc")
    solution = spsolve(system, np.concatenate([np.zeros(len(shares)), [0.0], wanted]))
    return np.asarray(solution[: len(shares)])
