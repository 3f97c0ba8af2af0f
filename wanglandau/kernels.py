"""The compiled heart of every sampler: propose, accept, record.

Metropolis and Wang-Landau are one rule with one log-weight, ``-beta E - ln_g[bin(E)]``: a
flat-histogram run has beta = 0 and lowers its weight where it stands, a Boltzmann run has one bin of
infinite width. :func:`accept_and_record` is the only place that decides on a trial; the fused
loop (:func:`fused_rounds`) and the batched one (:func:`propose_swaps`, :func:`decide_swaps`) both call it, in the
same order and with the same random numbers, so that they walk through the same states.

Walkers take turns within a round and share one ``ln_g``. Each has its own random-number stream
(xoshiro256++, Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021)).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit


class WalkerArrays(NamedTuple):
    """What the walkers carry; the leading axis is the walker.

    Attributes
    ----------
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first; swaps pick from it.
    energies : float64[n_walkers], Ry per cell
    bins : int64[n_walkers]
    random_state : uint64[n_walkers, 4]
    accepted : int64[n_walkers]
    lowest, highest : float64[n_walkers], Ry per cell
        Extremes visited so far.
    heading : int8[n_walkers]
        +1 after a visit to the lowest bin, -1 after the highest, 0 before either.
    half_trips : int64[n_walkers]
        Passages from one end of the visited range to the other.
    """

    occupations: np.ndarray
    sites: np.ndarray
    energies: np.ndarray
    bins: np.ndarray
    random_state: np.ndarray
    accepted: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    heading: np.ndarray
    half_trips: np.ndarray


class WeightArrays(NamedTuple):
    """The log-weight and what is recorded bin by bin, shared by the walkers of one run.

    Attributes
    ----------
    ln_g : float64[n_bins]
    seen : bool[n_bins]
        Bins ever visited.
    histogram : int64[n_bins]
        Visits in the present stage.
    visits : int64[n_bins]
        Visits in all.
    energy_sum, energy_square_sum : float64[n_bins]
        Sums of (E - bin centre) and of its square over all visits, Ry and Ry^2.
    control : CONTROL[1]
        Scalars.
    """

    ln_g: np.ndarray
    seen: np.ndarray
    histogram: np.ndarray
    visits: np.ndarray
    energy_sum: np.ndarray
    energy_square_sum: np.ndarray
    control: np.ndarray


CONTROL = np.dtype(
    [
        ("start", "f8"),  # lower edge of bin 0, Ry
        ("inverse_width", "f8"),  # 1/Ry; 0 makes one bin of infinite width
        ("beta", "f8"),  # 1/Ry
        ("ln_f", "f8"),  # added to ln_g at every visit
        ("one_over_t", "i8"),  # 1: ln_f = visited bins / trials, renewed every round
        ("trials", "i8"),  # of all walkers together
        ("bins_seen", "i8"),
        ("bins_found", "i8"),  # found since Python last looked
        ("lowest_seen", "i8"),
        ("highest_seen", "i8"),
        ("out_of_range", "i8"),  # trials beyond either end of the grid since Python last looked
        ("lowest_refused", "f8"),  # extremes of those
        ("highest_refused", "f8"),
    ]
)


@njit(cache=True)
def next_random(state: np.ndarray) -> np.uint64:
    """Advance one xoshiro256++ stream, ``uint64[4]``, and return 64 random bits."""
    total = state[0] + state[3]
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << np.uint64(45)) | (state[3] >> np.uint64(19))
    return result


@njit(cache=True)
def pick_swap(sites: np.ndarray, composition: int, state: np.ndarray, picks: np.ndarray, flips: np.ndarray) -> None:
    """Choose one site of each species, both uniformly, from one draw of 64 bits.

    ``picks`` receives the two places in ``sites``, ``flips`` the two sites.
    """
    bits = next_random(state)
    low = bits & np.uint64(0xFFFFFFFF)
    high = bits >> np.uint64(32)
    picks[0] = np.int32((low * np.uint64(composition)) >> np.uint64(32))
    picks[1] = composition + np.int32((high * np.uint64(len(sites) - composition)) >> np.uint64(32))
    flips[0] = sites[picks[0]]
    flips[1] = sites[picks[1]]


@njit(cache=True)
def bin_of(energy: float, control: Any) -> np.int64:
    """Return the bin of an energy, the expression of :meth:`EnergyGrid.index`."""
    return np.int64(np.floor((energy - control.start) * control.inverse_width))


@njit(cache=True)
def _weight_of_bin(weights: WeightArrays, index: Any) -> float:
    """Return ln g of a bin; one never visited counts as the least visited so far."""
    if weights.seen[index]:
        return weights.ln_g[index]
    lowest = np.inf
    for other in range(len(weights.ln_g)):
        if weights.seen[other] and weights.ln_g[other] < lowest:
            lowest = weights.ln_g[other]
    return lowest if lowest < np.inf else 0.0


@njit(cache=True)
def _note_out_of_range(control: Any, energy: float) -> None:
    control.out_of_range += 1
    control.lowest_refused = min(control.lowest_refused, energy)
    control.highest_refused = max(control.highest_refused, energy)


@njit(cache=True)
def _record_visit(weights: WeightArrays, control: Any, index: Any, energy: float) -> None:
    """Update ln g, histogram and energy sums of the bin in which a walker stands."""
    if not weights.seen[index]:
        weights.ln_g[index] = _weight_of_bin(weights, index)
        weights.seen[index] = True
        control.bins_seen += 1
        control.bins_found += 1
        control.lowest_seen = min(control.lowest_seen, index)
        control.highest_seen = max(control.highest_seen, index)
    weights.ln_g[index] += control.ln_f
    weights.histogram[index] += 1
    weights.visits[index] += 1
    if control.inverse_width > 0.0:
        deviation = energy - control.start - (index + 0.5) / control.inverse_width
        weights.energy_sum[index] += deviation
        weights.energy_square_sum[index] += deviation * deviation


@njit(cache=True)
def _record_trip(walkers: WalkerArrays, control: Any, walker: int, index: Any) -> None:
    """Count passages between the two ends of the visited range."""
    if control.lowest_seen == control.highest_seen:
        return
    if index == control.lowest_seen and walkers.heading[walker] != 1:
        walkers.half_trips[walker] += walkers.heading[walker] != 0
        walkers.heading[walker] = 1
    elif index == control.highest_seen and walkers.heading[walker] != -1:
        walkers.half_trips[walker] += walkers.heading[walker] != 0
        walkers.heading[walker] = -1


@njit(cache=True)
def accept_and_record(
    walkers: WalkerArrays, weights: WeightArrays, walker: int, energy: float, log_proposal_ratio: float
) -> bool:
    """Decide on a trial and record the visit; a rejected trial records the old state once more.

    Parameters
    ----------
    walkers, weights
        Changed in place: energy, bin, extremes and random stream of the walker; ln g and sums of the bin.
    walker : int
    energy : float, Ry per cell
        Of the proposed state.
    log_proposal_ratio : float
        ln of the chance to propose the way back over that to propose the way there; 0 for swaps.

    Returns
    -------
    bool
        Whether the proposed state is taken; occupations are left to the caller.
    """
    control = weights.control[0]
    uniform = (np.float64(next_random(walkers.random_state[walker]) >> np.uint64(11)) + 1.0) * 2.0**-53
    new_bin = bin_of(energy, control)
    old_bin = walkers.bins[walker]
    accepted = False
    if 0 <= new_bin < len(weights.ln_g):
        gain = control.beta * (walkers.energies[walker] - energy) + log_proposal_ratio
        if new_bin != old_bin:
            gain += weights.ln_g[old_bin] - _weight_of_bin(weights, new_bin)
        accepted = gain >= 0.0 or np.log(uniform) < gain
    else:
        _note_out_of_range(control, energy)
    if accepted:
        walkers.energies[walker] = energy
        walkers.bins[walker] = new_bin
        walkers.accepted[walker] += 1
        walkers.lowest[walker] = min(walkers.lowest[walker], energy)
        walkers.highest[walker] = max(walkers.highest[walker], energy)
        old_bin = new_bin
    _record_visit(weights, control, old_bin, walkers.energies[walker])
    _record_trip(walkers, control, walker, old_bin)
    control.trials += 1
    return accepted


@njit(cache=True)
def _begin_round(control: Any) -> None:
    """Renew ln_f = visited bins / trials (Belardinelli and Pereyra, PRE 75, 046701 (2007))."""
    if control.one_over_t:
        control.ln_f = control.bins_seen / max(control.trials, 1)


@njit(cache=True)
def _exchange(sites: np.ndarray, picks: np.ndarray) -> None:
    """Keep the list of sites in step with a swap that was made."""
    kept = sites[picks[0]]
    sites[picks[0]] = sites[picks[1]]
    sites[picks[1]] = kept


@njit(nogil=True)
def fused_rounds(
    energy: tuple, walkers: WalkerArrays, cache: np.ndarray, weights: WeightArrays, composition: int, n_rounds: int
) -> None:
    """Give every walker ``n_rounds`` swap trials without returning to Python.

    Parameters
    ----------
    energy : (parameters, trial, commit)
        Of a :class:`~wanglandau.oracle.CompiledEnergy`.
    cache : float64[n_walkers, cache_size]
    composition : int
        Number of second-species atoms.
    """
    parameters, trial, commit = energy
    picks = np.empty(2, dtype=np.int32)
    flips = np.empty(2, dtype=np.int32)
    for _ in range(n_rounds):
        _begin_round(weights.control[0])
        for walker in range(len(walkers.energies)):
            sites = walkers.sites[walker]
            pick_swap(sites, composition, walkers.random_state[walker], picks, flips)
            proposed = trial(parameters, walkers.occupations[walker], cache[walker], flips)
            if accept_and_record(walkers, weights, walker, proposed, 0.0):
                commit(parameters, walkers.occupations[walker], cache[walker], flips)
                _exchange(sites, picks)


@njit(nogil=True)
def prepare_all(
    parameters: Any, prepare: Any, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray
) -> None:
    """Fill cache and energies of every walker from its occupations."""
    for walker in range(len(occupations)):
        energies[walker] = prepare(parameters, occupations[walker], cache[walker])


@njit(cache=True, nogil=True)
def propose_swaps(walkers: WalkerArrays, composition: int, picks: np.ndarray, proposed: np.ndarray) -> None:
    """Write one swapped configuration per walker into ``proposed``, ``int8[n_walkers, n_sites]``."""
    flips = np.empty(2, dtype=np.int32)
    for walker in range(len(walkers.energies)):
        pick_swap(walkers.sites[walker], composition, walkers.random_state[walker], picks[walker], flips)
        proposed[walker] = walkers.occupations[walker]
        proposed[walker, flips[0]] = 0
        proposed[walker, flips[1]] = 1


@njit(cache=True, nogil=True)
def decide_swaps(
    walkers: WalkerArrays, weights: WeightArrays, picks: np.ndarray, proposed: np.ndarray, energies: np.ndarray
) -> None:
    """Accept or reject the proposal of each walker in turn, given their energies (Ry per cell)."""
    _begin_round(weights.control[0])
    for walker in range(len(walkers.energies)):
        if accept_and_record(walkers, weights, walker, energies[walker], 0.0):
            walkers.occupations[walker] = proposed[walker]
            _exchange(walkers.sites[walker], picks[walker])
