"""The steps of a trial as parts of a Triton kernel: random numbers, moves, decision and record.

The rules are those of :mod:`wanglandau.kernels`. A program holds a block of walkers in registers, occupations as one
64-bit mask each, and makes all trials of a turn without leaving the chip.
"""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def next_random(s0, s1, s2, s3):
    """Advance xoshiro256++ streams; returns the bits and the four words of the new state."""
    total = s0 + s3
    result = ((total << 23) | (total >> 41)) + s0
    shifted = s1 << 17
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    s1 = s1 ^ s2
    s0 = s0 ^ s3
    s2 = s2 ^ shifted
    s3 = (s3 << 45) | (s3 >> 19)
    return result, s0, s1, s2, s3


@triton.jit
def pick_sites(bits, composition, places, site_numbers, n_sites: tl.constexpr, FLIPPING: tl.constexpr):
    """Choose what to flip; returns places in the lists of sites and the sites (twice the same where one flips)."""
    low = bits & 0xFFFFFFFF
    high = bits >> 32
    if FLIPPING:
        first = ((low * n_sites) >> 32).to(tl.int32)
        return first, first, first, first
    else:
        first = ((low * composition.to(tl.uint64)) >> 32).to(tl.int32)
        second = composition.to(tl.int32) + ((high * (n_sites - composition).to(tl.uint64)) >> 32).to(tl.int32)
        site1 = tl.sum(tl.where(site_numbers[None, :] == first[:, None], places, 0), axis=1)
        site2 = tl.sum(tl.where(site_numbers[None, :] == second[:, None], places, 0), axis=1)
        return first, second, site1, site2


@triton.jit
def exchange_places(places, site_numbers, accepted, first, second, site1, site2):
    """Keep the lists of sites in step with swaps that were made."""
    numbers = site_numbers[None, :]
    moved = tl.where(numbers == first[:, None], site2[:, None], places)
    moved = tl.where(numbers == second[:, None], site1[:, None], moved)
    return tl.where(accepted[:, None], moved, places)


@triton.jit
def uniform(bits):
    """Turn random bits into numbers of (0, 1]."""
    return ((bits >> 11).to(tl.float64) + 1.0) * 1.1102230246251565e-16


@triton.jit
def find_bin(energy, start, inverse_width, energy_bins):
    """Return the bin of the energy and whether there is one."""
    index = tl.floor((energy - start) * inverse_width)
    inside = (index >= 0) & (index < energy_bins)
    return tl.where(inside, index, 0.0).to(tl.int64), inside


@triton.jit
def count_visits(visits, totals, index, energy_bin, energy, start, inverse_width, n_bins, real):
    """Add to the counts of visits and to the sums of deviations."""
    tl.atomic_add(visits + index, 1, mask=real, sem="relaxed")
    deviation = (energy - start) * inverse_width - (energy_bin.to(tl.float64) + 0.5)
    # Rounded half up; which way halves go matters to nobody.
    moved = tl.floor(deviation * 4294967296.0 + 0.5).to(tl.int64)
    square = tl.floor(deviation * deviation * 4294967296.0 + 0.5).to(tl.int64)
    tl.atomic_add(totals + n_bins + index, moved, mask=real, sem="relaxed")
    tl.atomic_add(totals + 2 * n_bins + index, square, mask=real, sem="relaxed")


@triton.jit
def count_proposals(proposals, origin, target, n_bins, real):
    """Count trials from bin to bin; the last column is for those beyond the grid."""
    column = tl.where(target >= 0, target, n_bins)
    tl.atomic_add(proposals + origin * (n_bins + 1) + column, 1, mask=real, sem="relaxed")


@triton.jit
def turn_round(heading, half_trips, energy_bin, bottom, top, HOLDS_BOTTOM: tl.constexpr, HOLDS_TOP: tl.constexpr):
    """Count passages between the two ends."""
    wide = bottom < top
    low = wide & (energy_bin <= bottom) & (heading != 1) & HOLDS_BOTTOM
    high = wide & (energy_bin >= top) & (heading != -1) & HOLDS_TOP & (low == 0)
    half_trips += ((low | high) & (heading != 0)).to(tl.int64)
    heading = tl.where(low, 1, tl.where(high, -1, heading))
    return heading, half_trips
