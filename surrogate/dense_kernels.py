"""Compiled arithmetic of the dense energy network, plain arrays in, plain numbers out.

The energy of a configuration is the same bit for bit whatever moves led to it and on whatever processor:

- First-layer weights are whole multiples of ``FIRST_LAYER_QUANTUM``, so the sums over occupied sites, which are
  updated from move to move, are exact in float64.
- Later layers are summed from nothing, in a fixed order, with explicitly fused multiply-adds in float32.
- The energy is rounded to a whole multiple of ``ENERGY_QUANTUM``.

The cache row of a walker is::

    cache[0:width]             sums into the first hidden layer
    cache[width:2 width]       the same after the last trial
    cache[2 width:]            room for one layer: active inputs (indices and values) and sums, as float32
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from wanglandau.oracle import ENERGY_QUANTUM

FIRST_LAYER_QUANTUM = 2.0**-30
ROWS = 8
"""Active inputs added to the sums of a layer in one pass over them."""
LANES = 32
"""Layers are padded to a multiple of this many nodes."""


class DenseTables(NamedTuple):
    """Weights of the energy network; a row holds all weights that leave one node.

    Attributes
    ----------
    first : float64[n_sites, width], first_bias : float64[width]
        Whole multiples of ``FIRST_LAYER_QUANTUM``; width is padded.
    second : float32[width, width], second_bias : float32[width]
    third : float32[width, own], third_bias : float32[own]
        The layer of the energy task; no rows where the network has a single task.
    output : float32[width or own]
    shift, scale : float64, Ry
        Of the energy: ``shift + scale * (output . last layer)``.
    """

    first: np.ndarray
    first_bias: np.ndarray
    second: np.ndarray
    second_bias: np.ndarray
    third: np.ndarray
    third_bias: np.ndarray
    output: np.ndarray
    shift: float
    scale: float


def cache_size(width: int) -> int:
    """Return the number of float64 in the cache row of a walker, for a padded width."""
    return 2 * width + 2 * (width + ROWS)


@intrinsic
def _fused_multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Multiply-add with one rounding, on every processor."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


_fma: Any = _fused_multiply_add  # calls of an intrinsic lack the typing context of its definition


@njit(cache=True, nogil=True)
def _add_layer(sums: np.ndarray, weights: np.ndarray, active: np.ndarray, values: np.ndarray, n_active: int) -> None:
    """Add ``values[k] * weights[active[k]]`` for all k in ascending order; both lists are padded with zeros."""
    for k in range(0, n_active, ROWS):
        row0, x0, row1, x1 = weights[active[k]], values[k], weights[active[k + 1]], values[k + 1]
        row2, x2, row3, x3 = weights[active[k + 2]], values[k + 2], weights[active[k + 3]], values[k + 3]
        row4, x4, row5, x5 = weights[active[k + 4]], values[k + 4], weights[active[k + 5]], values[k + 5]
        row6, x6, row7, x7 = weights[active[k + 6]], values[k + 6], weights[active[k + 7]], values[k + 7]
        for j in range(sums.size):
            half = _fma(x3, row3[j], _fma(x2, row2[j], _fma(x1, row1[j], _fma(x0, row0[j], sums[j]))))
            sums[j] = _fma(x7, row7[j], _fma(x6, row6[j], _fma(x5, row5[j], _fma(x4, row4[j], half))))


@njit(cache=True, nogil=True)
def _collect_active(nodes: np.ndarray, active: np.ndarray, values: np.ndarray) -> int:
    """List the nodes above zero and their values; fill up to whole passes with node 0 at value 0."""
    n_active = 0
    for i in range(nodes.size):
        active[n_active] = i
        values[n_active] = nodes[i]
        n_active += nodes[i] > 0
    for k in range(n_active, n_active + ROWS):
        active[k] = 0
        values[k] = 0
    return n_active


@njit(cache=True, nogil=True)
def _output(nodes: np.ndarray, weights: np.ndarray, partial: np.ndarray) -> float:
    """Sum ``max(node, 0) * weight`` in ``LANES`` interleaved partial sums, which stand in ``partial``."""
    partial[:LANES] = 0
    for start in range(0, nodes.size, LANES):
        for lane in range(LANES):
            node = nodes[start + lane]
            partial[lane] = _fma(node if node > 0 else np.float32(0), weights[start + lane], partial[lane])
    total = 0.0
    for lane in range(LANES):
        total += partial[lane]
    return total


@njit(cache=True, nogil=True)
def _energy(tables: DenseTables, first: np.ndarray, room: np.ndarray) -> float:
    """Energy from the sums into the first hidden layer, Ry."""
    width = first.size
    active = room[: (width + ROWS)].view(np.int32)
    floats = room[(width + ROWS) :].view(np.float32)
    values, sums = floats[: width + ROWS], floats[width + ROWS : 2 * width + ROWS]
    n_active = _collect_active(first, active, values)
    sums[:] = tables.second_bias
    _add_layer(sums, tables.second, active, values, n_active)
    if len(tables.third) > 0:
        n_active = _collect_active(sums, active, values)
        sums = sums[: tables.third_bias.size]
        sums[:] = tables.third_bias
        _add_layer(sums, tables.third, active, values, n_active)
    energy = tables.shift + tables.scale * _output(sums, tables.output, values)
    return np.rint(energy / ENERGY_QUANTUM) * ENERGY_QUANTUM


@njit(cache=True, nogil=True)
def prepare(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row for ``occupations`` and return the energy, Ry."""
    width = tables.first_bias.size
    sums = cache[:width]
    sums[:] = tables.first_bias
    for site in range(occupations.size):
        if occupations[site] == 1:
            row = tables.first[site]
            for j in range(width):
                sums[j] += row[j]
    cache[width : 2 * width] = sums
    return _energy(tables, sums, cache[2 * width :])


@njit(cache=True, nogil=True)
def trial(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry."""
    width = tables.first_bias.size
    sums = cache[width : 2 * width]
    sums[:] = cache[:width]
    for i in range(flips.size):
        row = tables.first[flips[i]]
        sign = 1.0 - 2.0 * occupations[flips[i]]
        for j in range(width):
            sums[j] += sign * row[j]
    return _energy(tables, sums, cache[2 * width :])


@njit(cache=True, nogil=True)
def commit(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    width = tables.first_bias.size
    cache[:width] = cache[width : 2 * width]
    for i in range(flips.size):
        occupations[flips[i]] = 1 - occupations[flips[i]]


@njit(cache=True, nogil=True)
def fill_energies(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray) -> None:
    """Write the energy of each row of ``int8[n, n_sites]`` to ``float64[n]``, Ry; ``cache`` is one cache row."""
    for row in range(occupations.shape[0]):
        energies[row] = prepare(tables, occupations[row], cache)
