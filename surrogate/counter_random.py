"""Random numbers that depend on a seed, a counter and a place alone, made where they are needed.

splitmix64: G. L. Steele, D. Lea and C. H. Flood, Proc. OOPSLA 2014. The arithmetic is that of unsigned 64-bit numbers,
which wraps around alike in torch's signed ones.
"""

from __future__ import annotations

import torch
from torch import Tensor


def random_bits(seeds: Tensor, counter: int, n: int) -> Tensor:
    """Return non-negative random integers, ``int64[n_replicas, n]``, that depend on seed, counter and place alone."""
    place = torch.arange(n, dtype=torch.int64, device=seeds.device)
    mixed = _splitmix(_splitmix(seeds + _signed(0x9E3779B97F4A7C15))[:, None] + counter)
    return _splitmix(mixed + place * _signed(0x9E3779B97F4A7C15)) & 0x7FFFFFFFFFFFFFFF


def _splitmix(bits: Tensor) -> Tensor:
    bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shift right without the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
