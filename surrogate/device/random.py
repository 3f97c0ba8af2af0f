"""The random streams of :func:`wanglandau.kernels.next_random`, many at a time, on any device."""

from __future__ import annotations

from torch import Tensor

LOW_HALF = 0xFFFFFFFF


def next_random(state: Tensor) -> Tensor:
    """Advance xoshiro256++ streams, ``int64[n, 4]``, in place and return 64 random bits of each, ``int64[n]``."""
    s0, s1, s2, s3 = state.unbind(1)
    total = s0 + s3
    result = _rotated(total, 23) + s0
    shifted = s1 << 17
    new2, new3 = s2 ^ s0, s3 ^ s1
    new1, new0 = s1 ^ new2, s0 ^ new3
    new2 = new2 ^ shifted
    new3 = _rotated(new3, 45)
    for place, values in enumerate((new0, new1, new2, new3)):
        state[:, place] = values
    return result


def shifted_right(bits: Tensor, by: int) -> Tensor:
    """Shift right without the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def uniform(bits: Tensor) -> Tensor:
    """Turn random bits into numbers of (0, 1], ``float64``."""
    return (shifted_right(bits, 11).double() + 1.0) * 2.0**-53


def _rotated(bits: Tensor, by: int) -> Tensor:
    return (bits << by) | shifted_right(bits, 64 - by)
