"""Which orbits the dear oracle is asked for next.

Never one that is known. In this order, at most so many in all:

- the lowest: orbits that may lie below the known ground state, by twice the spread of the committee, up to a half of
  all; at least a quarter of all are the lowest unknown orbits, whether or not they may;
- ordered structures, up to a quarter: ground states are mostly among them, and random data hold none;
- fresh ones drawn at random, a fifth, evenly over bins of energy, whatever the committee says of them: the error there
  is an honest one;
- the rest where the committee disagrees most, evenly over bins of energy, from the lowest to where random
  configurations lie.

Query by committee: H. S. Seung, M. Opper and H. Sompolinsky, Proc. COLT 1992, 287.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lsms_bridge.exploration import Candidates

LOW, ORDERED, FRESH, SPREAD = "low", "ordered", "fresh", "spread"
"""Why an orbit was chosen."""
SIGMAS = 2.0
"""An orbit may be the ground state if its energy less so many spreads lies below that known."""
CONTENDER_SHARE, LOW_SHARE, ORDERED_SHARE, FRESH_SHARE = 0.5, 0.25, 0.25, 0.2


class Choice(NamedTuple):
    """What was chosen.

    Attributes
    ----------
    places : int64[n]
        Among the candidates.
    reasons : tuple of str
    """

    places: np.ndarray
    reasons: tuple[str, ...]


def contenders(candidates: Candidates, known: np.ndarray, ground: float) -> np.ndarray:
    """Tell which orbits that are not known may lie below the known ground state.

    Parameters
    ----------
    candidates : Candidates
    known : uint64[n_known]
    ground : float, Ry per cell
        Lowest energy that the dear oracle has given; infinite where it has given none.

    Returns
    -------
    bool[n]
    """
    limit = ground if np.isfinite(ground) else float(candidates.energies.min())
    unknown = ~np.isin(candidates.keys, known)
    return np.asarray(unknown & (candidates.energies - SIGMAS * candidates.spreads < limit))


def choose(candidates: Candidates, known: np.ndarray, ground: float, count: int, rng: np.random.Generator) -> Choice:
    """Choose at most ``count`` orbits.

    Parameters
    ----------
    candidates : Candidates
    known : uint64[n_known]
        Orbits that are not to be chosen.
    ground : float, Ry per cell
        Lowest energy known.
    count : int
    rng : numpy.random.Generator
    """
    unknown = np.flatnonzero(~np.isin(candidates.keys, known))
    lowest = unknown[np.argsort(candidates.energies[unknown], kind="stable")]
    contending = contenders(candidates, known, ground)
    taken: dict[int, str] = {}

    def take(places: Iterable[int], reason: str, most: int) -> None:
        for place in places:
            if most <= 0 or len(taken) >= count:
                return
            if place not in taken:
                taken[place] = reason
                most -= 1

    take(lowest[contending[lowest]].tolist(), LOW, max(1, int(CONTENDER_SHARE * count)))
    take(lowest.tolist(), LOW, _part(LOW_SHARE, count) - len(taken))
    take(lowest[candidates.ordered[lowest]].tolist(), ORDERED, _part(ORDERED_SHARE, count))
    below = unknown[candidates.energies[unknown] <= candidates.top]
    fresh = _part(FRESH_SHARE, count)
    take(_over_bins(candidates, below, fresh, rng.random(len(candidates.keys)), rng), FRESH, fresh)
    rest = count - len(taken)
    take(_over_bins(candidates, below, rest, candidates.spreads, rng), SPREAD, rest)
    return Choice(np.array(list(taken), dtype=np.int64), tuple(taken.values()))


def shares(count: int, n_compositions: int, number: int) -> list[int]:
    """Share out a generation's orbits over compositions; what does not divide goes to others each time.

    >>> shares(5, 3, 0), shares(5, 3, 1)
    ([2, 2, 1], [1, 2, 2])
    """
    each, left = divmod(count, n_compositions)
    return [each + ((place - number) % n_compositions < left) for place in range(n_compositions)]


def _part(share: float, count: int) -> int:
    return int(np.ceil(share * count))


def _over_bins(
    candidates: Candidates, places: np.ndarray, n_bins: int, score: np.ndarray, rng: np.random.Generator
) -> Iterator[int]:
    """Yield the place of highest score of every bin of energy, then the second of every bin, and so on."""
    if not len(places) or n_bins < 1:
        return
    low = float(candidates.energies.min())
    width = (candidates.top - low) / n_bins
    if not width > 0:
        return
    bins = np.clip(((candidates.energies[places] - low) / width).astype(np.int64), 0, n_bins - 1)
    order = np.lexsort((-score[places], bins))
    parts = [part.tolist() for part in np.split(places[order], np.flatnonzero(np.diff(bins[order])) + 1)]
    parts = [parts[k] for k in rng.permutation(len(parts))]
    for rank in range(max(map(len, parts))):
        yield from (part[rank] for part in parts if rank < len(part))
