"""Parts of a Triton kernel that fetch the walkers of a block into registers and put them back.

The order of the fields is that of ``FLOATS`` and ``INTEGERS`` in :mod:`surrogate.device.state`.
"""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _word(random, rows, real, PLACE: tl.constexpr):
    return tl.load(random + 4 * rows + PLACE, mask=real, other=1).to(tl.uint64, bitcast=True)


@triton.jit
def load_random(random, rows, real):
    """Return the four words of the random streams."""
    s0, s1 = _word(random, rows, real, 0), _word(random, rows, real, 1)
    s2, s3 = _word(random, rows, real, 2), _word(random, rows, real, 3)
    return s0, s1, s2, s3


@triton.jit
def store_random(random, rows, real, s0, s1, s2, s3):
    """Put the random streams back."""
    tl.store(random + 4 * rows, s0.to(tl.int64, bitcast=True), mask=real)
    tl.store(random + 4 * rows + 1, s1.to(tl.int64, bitcast=True), mask=real)
    tl.store(random + 4 * rows + 2, s2.to(tl.int64, bitcast=True), mask=real)
    tl.store(random + 4 * rows + 3, s3.to(tl.int64, bitcast=True), mask=real)


@triton.jit
def load_floats(floats, rows, real, n_walkers):
    """Return energy, lowest, highest, lowest_refused, highest_refused, beta and field."""
    energy = tl.load(floats + rows, mask=real, other=0.0)
    lowest = tl.load(floats + n_walkers + rows, mask=real, other=0.0)
    highest = tl.load(floats + 2 * n_walkers + rows, mask=real, other=0.0)
    lowest_refused = tl.load(floats + 3 * n_walkers + rows, mask=real, other=0.0)
    highest_refused = tl.load(floats + 4 * n_walkers + rows, mask=real, other=0.0)
    beta = tl.load(floats + 5 * n_walkers + rows, mask=real, other=0.0)
    field = tl.load(floats + 6 * n_walkers + rows, mask=real, other=0.0)
    return energy, lowest, highest, lowest_refused, highest_refused, beta, field


@triton.jit
def store_floats(floats, rows, real, n_walkers, energy, lowest, highest, lowest_refused, highest_refused):
    """Put back what a walk changes of them."""
    tl.store(floats + rows, energy, mask=real)
    tl.store(floats + n_walkers + rows, lowest, mask=real)
    tl.store(floats + 2 * n_walkers + rows, highest, mask=real)
    tl.store(floats + 3 * n_walkers + rows, lowest_refused, mask=real)
    tl.store(floats + 4 * n_walkers + rows, highest_refused, mask=real)


@triton.jit
def load_integers(integers, rows, real, n_walkers):
    """Return composition, bin, origin, target, accepted, out_of_range, heading and half_trips."""
    composition = tl.load(integers + rows, mask=real, other=1)
    index = tl.load(integers + n_walkers + rows, mask=real, other=0)
    origin = tl.load(integers + 2 * n_walkers + rows, mask=real, other=0)
    target = tl.load(integers + 3 * n_walkers + rows, mask=real, other=0)
    accepted = tl.load(integers + 4 * n_walkers + rows, mask=real, other=0)
    out_of_range = tl.load(integers + 5 * n_walkers + rows, mask=real, other=0)
    heading = tl.load(integers + 6 * n_walkers + rows, mask=real, other=0)
    half_trips = tl.load(integers + 7 * n_walkers + rows, mask=real, other=0)
    return composition, index, origin, target, accepted, out_of_range, heading, half_trips


@triton.jit
def store_integers(
    integers, rows, real, n_walkers, composition, index, origin, target, accepted, out_of_range, heading, half_trips
):
    """Put them back."""
    tl.store(integers + rows, composition, mask=real)
    tl.store(integers + n_walkers + rows, index, mask=real)
    tl.store(integers + 2 * n_walkers + rows, origin, mask=real)
    tl.store(integers + 3 * n_walkers + rows, target, mask=real)
    tl.store(integers + 4 * n_walkers + rows, accepted, mask=real)
    tl.store(integers + 5 * n_walkers + rows, out_of_range, mask=real)
    tl.store(integers + 6 * n_walkers + rows, heading, mask=real)
    tl.store(integers + 7 * n_walkers + rows, half_trips, mask=real)
