"""Compiled loops that show what this core can do at most: multiply-adds, reads in rows, and bare trials."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils

from wanglandau.kernels import next_random
from wanglandau.native_code import compiled

ACCUMULATORS = 12
"""Chains that do not wait for each other: more than the latency of a multiply-add times the units that make them."""


def _peak_loop(lanes: int) -> Any:
    """Make ``run(n)``: n times ``ACCUMULATORS`` multiply-adds on vectors of so many float32, all in registers."""

    def chains(builder: Any, n: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), lanes)
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f32"
        )
        factor = ir.Constant(vector, [ir.Constant(ir.FloatType(), 0.5)] * lanes)
        before = builder.block
        loop, after = builder.append_basic_block("peak"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        count = builder.phi(ir.IntType(64))
        count.add_incoming(ir.Constant(ir.IntType(64), 0), before)
        sums = [builder.phi(vector) for _ in range(ACCUMULATORS)]
        for number, total in enumerate(sums):
            begin = ir.Constant(vector, [ir.Constant(ir.FloatType(), 1.0 + number)] * lanes)
            total.add_incoming(begin, before)
            total.add_incoming(builder.call(multiply_add, [total, factor, factor]), loop)
        following = builder.add(count, ir.Constant(ir.IntType(64), 1))
        count.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, n), loop, after)
        builder.position_at_end(after)
        total = sums[0]
        for other in sums[1:]:
            total = builder.fadd(total, other)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    call = compiled(chains, types.float32)

    @njit(nogil=True)
    def run(n: int) -> float:
        return call((n,))

    return run


PEAK_LOOPS = {lanes: _peak_loop(lanes) for lanes in (4, 8, 16)}
"""By number of lanes; which is fastest depends on the processor."""


@njit(nogil=True, fastmath=True)
def read_rows(values: np.ndarray, n: int) -> float:
    """Read ``float32[8, length]`` from one end to the other, n times."""
    total = np.float32(0.0)
    for _ in range(n):
        for j in range(values.shape[1]):
            total += (values[0, j] + values[1, j] + values[2, j] + values[3, j]) + (
                values[4, j] + values[5, j] + values[6, j] + values[7, j]
            )
        values[0, 0] = total * np.float32(1e-30)  # so that no pass can be spared
    return float(total)


@njit(nogil=True)
def bare_trials(
    state: np.ndarray, sites: np.ndarray, bins: np.ndarray, table: np.ndarray, look_ups: int, n: int
) -> int:
    """Make n trials without energies: two draws, two sites, so many look-ups, one bin raised.

    Parameters
    ----------
    state : uint64[4]
        Of the random stream.
    sites : int32[n_sites]
    bins : float64[n_bins]
    table : int64[length]
        The length is a power of 2; whole numbers, whose sums wait for each other least.
    """
    mask = np.uint64(len(table) - 1)
    half = np.uint64(len(sites) // 2)
    total = np.int64(0)
    for _ in range(n):
        bits, more = next_random(state), next_random(state)
        one = sites[((bits & np.uint64(0xFFFFFFFF)) * half) >> np.uint64(32)]
        other = sites[half + (((bits >> np.uint64(32)) * half) >> np.uint64(32))]
        place = np.uint64(one) * np.uint64(2654435761) + np.uint64(other)
        for _ in range(look_ups):
            total += table[place & mask]
            place += np.uint64(40503)
        bins[((more >> np.uint64(32)) * np.uint64(len(bins))) >> np.uint64(32)] += 1e-3
    return int(total)
