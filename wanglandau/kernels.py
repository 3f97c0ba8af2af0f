"""The compiled heart of every sampler: propose, decide, record.

Metropolis and Wang-Landau are one rule with one log-weight, ``field * composition - beta * E - ln_g[bin]``: a
flat-histogram run has beta = field = 0 and lowers its weight where it stands, a Boltzmann run has one bin of infinite
width. :func:`decide` is the only place that decides on a trial and :func:`record` the only one that records a visit;
the loops of :mod:`wanglandau.rounds` differ in when they call them.

Bins are those of the energy or, in a run over all compositions, of composition and energy together: the bins of
composition n are a row of their own that begins at ``n * row_length``.

Every walker has its own random-number stream (xoshiro256++, Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021)).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

WALKER = np.dtype(
    [
        ("energy", "f8"),  # Ry per cell
        ("composition", "i8"),  # second-species atoms
        ("bin", "i8"),
        ("origin", "i8"),  # the bin in which the last trial began
        ("target", "i8"),  # the bin that the last trial proposed, -1 outside the grid
        ("beta", "f8"),  # 1/Ry; 0 in flat-histogram runs
        ("field", "f8"),  # beta times the chemical-potential difference
        ("random_state", "u8", (4,)),
        ("accepted", "i8"),
        ("lowest", "f8"),  # energies visited so far, Ry per cell
        ("highest", "f8"),
        ("out_of_range", "i8"),  # trials beyond either end of the grid since Python last looked
        ("lowest_refused", "f8"),  # extremes of those
        ("highest_refused", "f8"),
        ("replica", "i8"),  # number of the configuration, which travels with it from window to window
        ("heading", "i8"),  # +1 after a visit to the lowest bin, -1 after the highest, 0 before either
        ("half_trips", "i8"),  # passages from one end of the visited range to the other
    ]
)
"""What a walker carries beside its occupations."""

BIN = np.dtype(
    [
        ("ln_g", "f8"),
        ("seen", "i8"),  # 1 once visited
        ("expected", "i8"),  # ln_g was estimated before the first visit; 2: and the bin is known to hold states
        ("histogram", "i8"),  # visits in the present stage
        ("visits", "i8"),  # visits in all
        ("energy_sum", "f8"),  # sum of (E - bin centre) over all visits, Ry
        ("energy_square_sum", "f8"),  # and of its square, Ry^2
    ]
)
"""Log-weight and records of a bin, shared by the walkers of a walk."""

HOLDS_STATES = 2
"""Value of ``expected`` for bins in which configurations were met before a walk began."""

FIXED, ONE_OVER_T, SAD = range(3)
"""How ln_f comes about: as Python set it, visited bins / trials, or by the rule of SAD; see :func:`begin_round`."""

CONTROL = np.dtype(
    [
        ("start", "f8"),  # lower edge of bin 0, Ry
        ("inverse_width", "f8"),  # 1/Ry; 0 makes one bin of infinite width
        ("energy_bins", "i8"),  # bins of the energy
        ("row_length", "i8"),  # bins from one composition to the next; 0 where bins are of the energy alone
        ("flipping", "i8"),  # 1: all compositions are walked, by default by flips; 0: one, by swaps
        ("ln_f", "f8"),  # added to ln_g at every visit
        ("gain", "i8"),  # FIXED, ONE_OVER_T or SAD
        ("trials", "i8"),  # of all walkers together
        ("trials_before", "i8"),  # which ln g was worth when the walk began
        ("bins_seen", "i8"),
        ("bins_found", "i8"),  # unexpected ones found since Python last looked
        ("lowest_seen", "i8"),  # of the energy
        ("highest_seen", "i8"),
        ("holds_bottom", "i8"),  # 1 where the lowest energies belong to this window: there a trip turns
        ("holds_top", "i8"),
        ("counting", "i8"),  # 1: count proposals from bin to bin
        ("bounded", "i8"),  # 1: the weight is extrapolated outside [low_end, high_end]
        ("low_end", "i8"),
        ("high_end", "i8"),
        ("slope", "f8"),  # d ln g / d bin below low_end
        ("sad_width", "f8"),  # of SAD: width of the range of interest over k T_min,
        ("sad_bins", "f8"),  # its number of bins
        ("sad_trials", "f8"),  # and the trials made when it last grew
    ]
)
"""Scalars of a walk."""


@njit(cache=True, forceinline=True, error_model="numpy")
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


@njit(cache=True, forceinline=True, error_model="numpy")
def random_below(state: np.ndarray, number: int) -> np.int64:
    """Draw a whole number from 0 to ``number - 1`` (below 2**32), from one draw of 64 bits."""
    return np.int64(((next_random(state) >> np.uint64(32)) * np.uint64(number)) >> np.uint64(32))


@njit(cache=True, forceinline=True, error_model="numpy")
def pick_flip(
    parameters: Any, occupations: np.ndarray, sites: np.ndarray, walker: Any, picks: np.ndarray, flips: np.ndarray
) -> bool:
    """Choose any one site; see :class:`wanglandau.move.Move`."""
    low = next_random(walker.random_state) & np.uint64(0xFFFFFFFF)
    flips[0] = np.int32((low * np.uint64(len(sites))) >> np.uint64(32))
    return True


@njit(cache=True, forceinline=True, error_model="numpy")
def pick_swap(
    parameters: Any, occupations: np.ndarray, sites: np.ndarray, walker: Any, picks: np.ndarray, flips: np.ndarray
) -> bool:
    """Choose one site of each species; see :class:`wanglandau.move.Move`."""
    bits = next_random(walker.random_state)
    low = bits & np.uint64(0xFFFFFFFF)
    high = bits >> np.uint64(32)
    n_second = np.uint64(walker.composition)
    first = (low * n_second) >> np.uint64(32)
    second = n_second + ((high * (np.uint64(len(sites)) - n_second)) >> np.uint64(32))
    picks[0], picks[1] = first, second
    flips[0], flips[1] = sites[first], sites[second]
    return True


@njit(cache=True, forceinline=True, error_model="numpy")
def swap_places(sites: np.ndarray, picks: np.ndarray, flips: np.ndarray) -> None:
    """Keep the list of sites in step with a swap that was made."""
    first, second = np.uint32(picks[0]), np.uint32(picks[1])
    sites[first], sites[second] = sites[second], sites[first]


@njit(cache=True, forceinline=True, error_model="numpy")
def leave_places(sites: np.ndarray, picks: np.ndarray, flips: np.ndarray) -> None:
    """Leave the list of sites alone, for moves that do not use it."""


@njit(cache=True, forceinline=True, error_model="numpy")
def composition_after(occupations: np.ndarray, walker: Any, flips: np.ndarray, keeps_composition: bool) -> np.int64:
    """Return the number of second-species atoms after a move."""
    composition = walker.composition
    if not keeps_composition:
        for place in range(len(flips)):
            composition += 1 - 2 * np.int64(occupations[np.uint32(flips[place])])
    return composition


@njit(cache=True, forceinline=True, error_model="numpy")
def bin_of(energy: float, composition: Any, control: Any) -> np.int64:
    """Return the bin of a state, as :class:`~wanglandau.energy_grid.EnergyGrid` does; -1 outside the grid."""
    index = np.int64(np.floor((energy - control.start) * control.inverse_width))
    if index < 0 or index >= control.energy_bins:
        return np.int64(-1)
    return index + composition * control.row_length


@njit(cache=True, error_model="numpy")
def _weight_of_unseen(bins: np.ndarray) -> float:
    """Return the ln g that a bin unheard of counts with: the lowest of those visited so far or expected."""
    lowest = np.inf
    for index in range(len(bins)):
        if (bins[index].seen or bins[index].expected) and bins[index].ln_g < lowest:
            lowest = bins[index].ln_g
    return lowest if lowest < np.inf else 0.0


@njit(cache=True, forceinline=True, error_model="numpy")
def weight_of(bins: np.ndarray, control: Any, index: Any) -> float:
    """Return the ln g with which a bin counts in the acceptance.

    Where the weight is bounded (SAD) it is that of an infinite temperature above the range of interest and of the
    lowest temperature of interest below it.
    """
    if control.bounded:
        if index > control.high_end:
            return bins[control.high_end].ln_g
        if index < control.low_end:
            return bins[control.low_end].ln_g + control.slope * (index - control.low_end)
    there = bins[np.uint64(index)]
    if not (there.seen or there.expected):
        return _weight_of_unseen(bins)
    return there.ln_g


@njit(cache=True, error_model="numpy")
def _note_out_of_range(walker: Any, energy: float) -> None:
    walker.out_of_range += 1
    walker.lowest_refused = min(walker.lowest_refused, energy)
    walker.highest_refused = max(walker.highest_refused, energy)


@njit(cache=True, forceinline=True, error_model="numpy")
def decide(
    walker: Any, bins: np.ndarray, control: Any, energy: float, composition: Any, log_proposal_ratio: float
) -> bool:
    """Accept or reject a trial; changes nothing but the walker.

    Parameters
    ----------
    walker : record of WALKER
        Changed in place.
    bins : BIN[n_bins]
    control : record of CONTROL
    energy : float, Ry per cell
        Of the proposed state.
    composition : int
        Of the proposed state.
    log_proposal_ratio : float
        ln of the chance to propose the way back over that to propose the way there; 0 for swaps and flips.

    Returns
    -------
    bool
        Whether the proposed state is taken; occupations are left to the caller.
    """
    random_bits = next_random(walker.random_state)
    target = bin_of(energy, composition, control)
    walker.origin, walker.target = walker.bin, target
    if target < 0:
        _note_out_of_range(walker, energy)
        return False
    gain = walker.beta * (walker.energy - energy) + walker.field * (composition - walker.composition)
    gain += log_proposal_ratio
    if target != walker.bin:
        gain += weight_of(bins, control, walker.bin) - weight_of(bins, control, target)
    # (0, 1], so that its logarithm is finite; one branch for both conditions, as neither can be foretold
    if gain < 0.0:
        uniform = (np.float64(random_bits >> np.uint64(11)) + 1.0) * 2.0**-53
        if np.log(uniform) >= gain:
            return False
    walker.energy = energy
    walker.composition = composition
    walker.bin = target
    walker.accepted += 1
    walker.lowest = min(walker.lowest, energy)
    walker.highest = max(walker.highest, energy)
    return True


@njit(cache=True, forceinline=True, error_model="numpy")
def stay(walker: Any) -> None:
    """Note a trial that proposed nothing but the present state."""
    walker.origin = walker.target = walker.bin


@njit(cache=True, error_model="numpy")
def _first_visit(bins: np.ndarray, control: Any, index: Any, energy_bin: Any) -> None:
    bins[index].ln_g = weight_of(bins, control, index)
    bins[index].seen = 1
    control.bins_seen += 1
    control.bins_found += not bins[index].expected
    control.lowest_seen = min(control.lowest_seen, energy_bin)
    control.highest_seen = max(control.highest_seen, energy_bin)


@njit(cache=True, forceinline=True, error_model="numpy")
def _record_trip(walker: Any, control: Any, index: Any) -> None:
    """Count passages between the two ends of the visited range, or of the range of interest."""
    bottom = control.low_end if control.bounded else control.lowest_seen
    top = control.high_end if control.bounded else control.highest_seen
    if bottom >= top:
        return
    if index <= bottom and walker.heading != 1 and control.holds_bottom:
        walker.half_trips += walker.heading != 0
        walker.heading = 1
    elif index >= top and walker.heading != -1 and control.holds_top:
        walker.half_trips += walker.heading != 0
        walker.heading = -1


@njit(cache=True, forceinline=True, error_model="numpy")
def record(walker: Any, bins: np.ndarray, control: Any, proposals: np.ndarray) -> None:
    """Record where a walker stands after a trial, accepted or not, and raise ln g there.

    Parameters
    ----------
    walker : record of WALKER
    bins : BIN[n_bins]
    control : record of CONTROL
    proposals : int64[n_bins, n_bins + 1]
        Trials from bin to bin, accepted or not, the last column for those beyond the grid; any shape where
        ``control.counting`` is 0.
    """
    index = walker.bin
    energy_bin = index - walker.composition * control.row_length
    here = bins[np.uint64(index)]
    if not here.seen:
        _first_visit(bins, control, index, energy_bin)
    here.ln_g += control.ln_f
    here.histogram += 1
    here.visits += 1
    if control.inverse_width > 0.0:
        deviation = walker.energy - control.start - (energy_bin + 0.5) / control.inverse_width
        here.energy_sum += deviation
        here.energy_square_sum += deviation * deviation
    if control.counting:
        target = walker.target if walker.target >= 0 else len(bins)
        proposals[walker.origin, target] += 1
    _record_trip(walker, control, energy_bin)
    control.trials += 1


@njit(cache=True, forceinline=True, error_model="numpy")
def begin_round(control: Any) -> None:
    """Renew ln_f where it follows the number of trials.

    1/t: visited bins / trials (Belardinelli and Pereyra, PRE 75, 046701 (2007)), with those that an estimate to begin
    with was worth.
    SAD: (w + t / t_L) / (w + t^2 / (N t_L)) with the width w of the range of interest over k T_min, its N bins and the
    trials t_L made when it last grew (Pommerenck, Simpson, Perlin and Roundy, arXiv:1906.08822).
    """
    if control.gain == ONE_OVER_T:
        control.ln_f = control.bins_seen / max(control.trials + control.trials_before, 1)
    elif control.gain == SAD and control.trials > 0:
        since = control.trials / control.sad_trials
        control.ln_f = (control.sad_width + since) / (control.sad_width + control.trials / control.sad_bins * since)
