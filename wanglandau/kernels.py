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

WALKER = np.dtype(
    [
        ("energy", "f8"),  # Ry per cell
        ("bin", "i8"),
        ("random_state", "u8", (4,)),
        ("accepted", "i8"),
        ("lowest", "f8"),  # energies visited so far, Ry per cell
        ("highest", "f8"),
        ("heading", "i8"),  # +1 after a visit to the lowest bin, -1 after the highest, 0 before either
        ("half_trips", "i8"),  # passages from one end of the visited range to the other
    ]
)
"""What a walker carries beside its occupations."""

BIN = np.dtype(
    [
        ("ln_g", "f8"),
        ("seen", "i8"),  # 1 once visited
        ("histogram", "i8"),  # visits in the present stage
        ("visits", "i8"),  # visits in all
        ("energy_sum", "f8"),  # sum of (E - bin centre) over all visits, Ry
        ("energy_square_sum", "f8"),  # and of its square, Ry^2
    ]
)
"""Log-weight and records of a bin, shared by the walkers of a run."""

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
"""Scalars of a run."""


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
def _weight_of_unseen(bins: np.ndarray) -> float:
    """Return the ln g that a bin never visited counts with: that of the least visited so far."""
    lowest = np.inf
    for index in range(len(bins)):
        if bins[index].seen and bins[index].ln_g < lowest:
            lowest = bins[index].ln_g
    return lowest if lowest < np.inf else 0.0


@njit(cache=True)
def _note_out_of_range(control: Any, energy: float) -> None:
    control.out_of_range += 1
    control.lowest_refused = min(control.lowest_refused, energy)
    control.highest_refused = max(control.highest_refused, energy)


@njit(cache=True)
def _first_visit(bins: np.ndarray, control: Any, index: Any) -> None:
    bins[index].ln_g = _weight_of_unseen(bins)
    bins[index].seen = 1
    control.bins_seen += 1
    control.bins_found += 1
    control.lowest_seen = min(control.lowest_seen, index)
    control.highest_seen = max(control.highest_seen, index)


@njit(cache=True)
def _record_visit(bins: np.ndarray, control: Any, index: Any, energy: float) -> None:
    """Update ln g, histogram and energy sums of the bin in which a walker stands."""
    if not bins[index].seen:
        _first_visit(bins, control, index)
    here = bins[index]
    here.ln_g += control.ln_f
    here.histogram += 1
    here.visits += 1
    if control.inverse_width > 0.0:
        deviation = energy - control.start - (index + 0.5) / control.inverse_width
        here.energy_sum += deviation
        here.energy_square_sum += deviation * deviation


@njit(cache=True)
def _record_trip(walker: Any, control: Any, index: Any) -> None:
    """Count passages between the two ends of the visited range."""
    if control.lowest_seen == control.highest_seen:
        return
    if index == control.lowest_seen and walker.heading != 1:
        walker.half_trips += walker.heading != 0
        walker.heading = 1
    elif index == control.highest_seen and walker.heading != -1:
        walker.half_trips += walker.heading != 0
        walker.heading = -1


@njit(cache=True)
def accept_and_record(
    walker: Any, bins: np.ndarray, control: Any, random_bits: np.uint64, energy: float, log_proposal_ratio: float
) -> bool:
    """Decide on a trial and record the visit; a rejected trial records the old state once more.

    Parameters
    ----------
    walker : record of WALKER
        Changed in place.
    bins : BIN[n_bins]
        Changed in place.
    control : record of CONTROL
        Changed in place.
    random_bits : uint64
        64 fresh random bits.
    energy : float, Ry per cell
        Of the proposed state.
    log_proposal_ratio : float
        ln of the chance to propose the way back over that to propose the way there; 0 for swaps.

    Returns
    -------
    bool
        Whether the proposed state is taken; occupations are left to the caller.
    """
    new_bin = bin_of(energy, control)
    accepted = False
    if 0 <= new_bin < len(bins):
        gain = control.beta * (walker.energy - energy) + log_proposal_ratio
        if new_bin != walker.bin:
            new_weight = bins[new_bin].ln_g if bins[new_bin].seen else _weight_of_unseen(bins)
            gain += bins[walker.bin].ln_g - new_weight
        # (0, 1], so that its logarithm is finite
        uniform = (np.float64(random_bits >> np.uint64(11)) + 1.0) * 2.0**-53
        accepted = gain >= 0.0 or np.log(uniform) < gain
    else:
        _note_out_of_range(control, energy)
    if accepted:
        walker.energy = energy
        walker.bin = new_bin
        walker.accepted += 1
        walker.lowest = min(walker.lowest, energy)
        walker.highest = max(walker.highest, energy)
    _record_visit(bins, control, walker.bin, walker.energy)
    _record_trip(walker, control, walker.bin)
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


class Populations(NamedTuple):
    """The walkers of a run; the leading axis is the walker.

    Attributes
    ----------
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first; swaps pick from it.
    records : WALKER[n_walkers]
    """

    occupations: np.ndarray
    sites: np.ndarray
    records: np.ndarray


@njit(nogil=True)
def fused_rounds(
    energy: tuple,
    population: Populations,
    cache: np.ndarray,
    bins: np.ndarray,
    control: np.ndarray,
    composition: int,
    n_rounds: int,
) -> None:
    """Give every walker ``n_rounds`` swap trials without returning to Python.

    Parameters
    ----------
    energy : (parameters, trial, commit)
        Of a :class:`~wanglandau.oracle.CompiledEnergy`.
    cache : float64[n_walkers, cache_size]
    bins : BIN[n_bins]
    control : CONTROL[1]
    composition : int
        Number of second-species atoms.
    """
    parameters, trial, commit = energy
    occupations, sites, records = population
    picks = np.empty(2, dtype=np.int32)
    flips = np.empty(2, dtype=np.int32)
    scalars = control[0]
    for _ in range(n_rounds):
        _begin_round(scalars)
        for walker in range(len(records)):
            record = records[walker]
            pick_swap(sites[walker], composition, record.random_state, picks, flips)
            proposed = trial(parameters, occupations[walker], cache[walker], flips)
            random_bits = next_random(record.random_state)
            if accept_and_record(record, bins, scalars, random_bits, proposed, 0.0):
                commit(parameters, occupations[walker], cache[walker], flips)
                _exchange(sites[walker], picks)


@njit(nogil=True)
def prepare_all(
    parameters: Any, prepare: Any, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray
) -> None:
    """Fill cache and energies of every walker from its occupations."""
    for walker in range(len(occupations)):
        energies[walker] = prepare(parameters, occupations[walker], cache[walker])


@njit(cache=True, nogil=True)
def propose_swaps(population: Populations, composition: int, picks: np.ndarray, proposed: np.ndarray) -> None:
    """Write one swapped configuration per walker into ``proposed``, ``int8[n_walkers, n_sites]``."""
    occupations, sites, records = population
    flips = np.empty(2, dtype=np.int32)
    for walker in range(len(records)):
        pick_swap(sites[walker], composition, records[walker].random_state, picks[walker], flips)
        proposed[walker] = occupations[walker]
        proposed[walker, flips[0]] = 0
        proposed[walker, flips[1]] = 1


@njit(cache=True, nogil=True)
def decide_swaps(
    population: Populations,
    bins: np.ndarray,
    control: np.ndarray,
    picks: np.ndarray,
    proposed: np.ndarray,
    energies: np.ndarray,
) -> None:
    """Accept or reject the proposal of each walker in turn, given their energies (Ry per cell)."""
    occupations, sites, records = population
    scalars = control[0]
    _begin_round(scalars)
    for walker in range(len(records)):
        record = records[walker]
        random_bits = next_random(record.random_state)
        if accept_and_record(record, bins, scalars, random_bits, energies[walker], 0.0):
            occupations[walker] = proposed[walker]
            _exchange(sites[walker], picks[walker])
