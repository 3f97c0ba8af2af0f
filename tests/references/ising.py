"""The exact density of states of the two-dimensional Ising model on periodic L x L square lattices.

E = -J sum over bonds of s s = J (2 u - 2 N), where u is the number of unlike bonds and N = L**2. After P. D. Beale,
Phys. Rev. Lett. 76, 78 (1996): the partition function of the finite lattice of B. Kaufman, Phys. Rev. 76, 1232 (1949),
is expanded in x = exp(-2 J / kT), and the coefficient of x**u is the number of configurations with u unlike bonds.

Its factors are polynomials with irrational coefficients, cos(pi k / L). They are multiplied in fixed-point integers
with so many digits that the coefficients of the product are recognised as integers beyond doubt.
"""

from __future__ import annotations

import gzip
from functools import cache, reduce
from math import comb, isqrt
from pathlib import Path

import numpy as np

from references.scale import UNLIKE_BOND
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle

LATTICE_CONSTANT = 5.0
"""Bohr; only its ratio to the height of the cell matters."""

MIN_BITS = 60
"""Every coefficient has to be an integer to so many bits behind the point."""

STORED_LENGTH = 32
STORED = Path(__file__).parent / "data" / "ising_32.txt.gz"
"""What ``store_table(STORED, computed_density_of_states(STORED_LENGTH))`` writes."""


@cache
def density_of_states(length: int) -> dict[int, int]:
    """Number of configurations by number of unlike bonds, ascending; stored for L = 32, computed for L = 4, 8, 16.

    Returns
    -------
    dict of int to int
        Levels without configurations are left out. Not to be changed: every caller gets the same one.
    """
    return load_table(STORED) if length == STORED_LENGTH else computed_density_of_states(length)


def computed_density_of_states(length: int) -> dict[int, int]:
    """Compute what :func:`density_of_states` returns.

    Parameters
    ----------
    length : int
        L: 4, 8, 16, 32, ... L = 32 takes some twenty seconds.
    """
    if length < 4 or length & (length - 1):
        raise ValueError(f"length is {length}; the cosines are computed for powers of two from 4")
    n_sites = length * length
    bits = n_sites + 8 * length + 64
    doubled = sum(_four_products(length, bits))
    counts = [(int(value) + (1 << bits)) >> (bits + 1) for value in doubled]
    residual = max(abs(int(value) - (count << (bits + 1))) for value, count in zip(doubled, counts, strict=True))
    assert residual < 1 << (bits + 1 - MIN_BITS), "too few digits to recognise integer coefficients"
    assert sum(counts) == 2**n_sites and counts == counts[::-1] and not any(counts[1::2])
    return {unlike: count for unlike, count in enumerate(counts) if count}


def load_table(file: Path) -> dict[int, int]:
    """Read a table from a gzip-compressed text file: a line for each level, unlike bonds and configurations."""
    lines = gzip.decompress(file.read_bytes()).decode("ascii").splitlines()
    return dict(tuple(map(int, line.split())) for line in lines)


def store_table(file: Path, table: dict[int, int]) -> None:
    """Write what :func:`load_table` reads; the same table gives the same bytes."""
    text = "".join(f"{unlike} {count}\n" for unlike, count in table.items())
    file.write_bytes(gzip.compress(text.encode("ascii"), mtime=0))


def _four_products(length: int, bits: int) -> list[np.ndarray]:
    """Return the four products of Kaufman's solution in fixed point, ``object[2 * length**2 + 1]`` each.

    The sum over j in Beale's c_k**2 and s_k**2 is a Lucas polynomial, V_m = alpha V_(m-1) - (beta / 2)**2 V_(m-2), and
    spares the powers of irrational numbers.
    """
    half_beta = np.array([0, 1, 0, -1], dtype=object)
    power = 2 * _power(half_beta, length)
    even, odd = ([], []), ([], [])
    for k, cosine in enumerate(_cosines(length, bits)[1:length], start=1):
        lucas = _lucas(cosine, np.convolve(half_beta, half_beta), length, bits)
        scaled = np.concatenate((power, np.zeros(len(lucas) - len(power), dtype=object))) << bits
        for group, factor in zip(odd if k % 2 else even, (lucas + scaled, lucas - scaled), strict=True):
            group.append(factor)
    ends = _end_factors(length)
    with_ends = [[end * (1 << bits), *group] for end, group in zip(ends, even, strict=True)]
    return [reduce(lambda a, b: _product(a, b, bits), group) for group in (*odd, *with_ends)]


def _end_factors(length: int) -> list[np.ndarray]:
    """Return c_0 c_L and s_0 s_L, whose coefficients are whole."""
    minus, plus = ([sign**j * comb(length, j) for j in range(length + 1)] for sign in (-1, 1))
    blank = [0] * length
    low_0, high_0 = np.array(minus + blank, dtype=object), np.array(blank + plus, dtype=object)
    low_n, high_n = np.array(plus + blank, dtype=object), np.array(blank + minus, dtype=object)
    return [np.convolve(low_0 + sign * high_0, low_n + sign * high_n) for sign in (1, -1)]


def _lucas(cosine: int, square: np.ndarray, order: int, bits: int) -> np.ndarray:
    """Return V_order of alpha = (1 + x**2)**2 - 2 x (1 - x**2) cosine and ``square``, in fixed point."""
    one = 1 << bits
    alpha = np.array([one, -2 * cosine, 2 * one, 2 * cosine, one], dtype=object)
    before, now = np.array([2 * one], dtype=object), alpha
    for _ in range(order - 1):
        following = _product(alpha, now, bits)
        correction = np.convolve(square, before)
        following[: len(correction)] -= correction
        before, now = now, following
    return now


def _cosines(length: int, bits: int) -> list[int]:
    """Return cos(pi k / length) for k = 0 ... length in fixed point: half angles by square roots, then multiples."""
    one = 1 << bits
    first, angle = 0, 2
    while angle < length:
        first, angle = isqrt((one + first) << (bits - 1)), 2 * angle
    cosines = [one, first]
    for _ in range(length - 1):
        cosines.append(((2 * first * cosines[-1]) >> bits) - cosines[-2])
    return cosines


def _product(a: np.ndarray, b: np.ndarray, bits: int) -> np.ndarray:
    """Multiply two polynomials in fixed point."""
    return np.convolve(a, b) >> bits


def _power(polynomial: np.ndarray, exponent: int) -> np.ndarray:
    return reduce(np.convolve, [polynomial] * exponent)


def square_lattice(length: int) -> Lattice:
    """Return the periodic square lattice of ``length**2`` sites, whose first shell has four neighbours in the plane."""
    side = length * LATTICE_CONSTANT
    plane = np.array(list(np.ndindex(length, length, 1)), dtype=np.float64) * LATTICE_CONSTANT
    return Lattice(("Cu", "Au"), np.diag([side, side, 4 * LATTICE_CONSTANT]), plane, f"square {length}x{length}")


def ising_oracle(length: int) -> PairOracle:
    """Return the ferromagnet on the square lattice: an unlike bond costs ``UNLIKE_BOND`` (Ry)."""
    return PairOracle(square_lattice(length), [UNLIKE_BOND])


def ising_energy(unlike_bonds: int | np.ndarray, length: int) -> int | np.ndarray:
    """Convert numbers of unlike bonds to E = -J sum s s, in J."""
    return 2 * unlike_bonds - 2 * length * length


def unlike_bonds(mixing_energy: float | np.ndarray) -> np.ndarray:
    """Convert energies of :func:`ising_oracle` (Ry per cell) to whole numbers of unlike bonds, ``int64``."""
    counts = np.rint(np.asarray(mixing_energy) / UNLIKE_BOND).astype(np.int64)
    assert (counts * UNLIKE_BOND == mixing_energy).all(), "not an energy of this Ising model"
    return counts
