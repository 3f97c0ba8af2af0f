"""Compiled arithmetic of the dense energy network, plain arrays in, plain numbers out.

The energy of a configuration is the same bit for bit whatever moves led to it and on whatever processor:

- First-layer weights are whole multiples of ``FIRST_LAYER_QUANTUM``, so the sums over occupied sites, which are
  updated from move to move, are exact in float64.
- Later layers are summed from nothing, in a fixed order, with explicitly fused multiply-adds in float32.
- The energy is rounded to a whole multiple of ``ENERGY_QUANTUM``.

The cache row of a walker is, in bytes::

    [0:8 width]              sums into the first hidden layer, float64
    [8 width:12 width]       values of that layer after the last trial, later sums into the third, float32
    [12 width:16 width]      sums into the second layer, float32
    [16 width:20 width + 32] active inputs of a layer, int32
    and behind it            their number before each section, int32; partial sums of the output, float32
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from surrogate.layer_kernels import (
    LANES,
    OCTET,
    SECTION,
    add_layer,
    add_layers,
    add_two_rows,
    list_active,
    move_sums,
    weigh_active,
)
from surrogate.vector_code import address
from wanglandau.oracle import ENERGY_QUANTUM

FIRST_LAYER_QUANTUM = 2.0**-30
GROUP = 16
"""Walkers that share the loads of weights; what they keep for it stays in the second-level cache beside the weights."""


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
    """Return the number of float64 in the cache row of a walker, for a padded width: whole cache lines."""
    singles = 5 * width + OCTET + -(-width // SECTION) + 1 + 2 * LANES
    return 8 * -(-singles // 16)


@njit(cache=True, nogil=True)
def _energy(tables: DenseTables, cache: np.ndarray) -> float:
    """Energy from the values of the first hidden layer in the cache row, Ry."""
    width, own = tables.first_bias.size, tables.third_bias.size
    nodes = address(cache) + 8 * width
    hidden, active, bounds = nodes + 4 * width, nodes + 8 * width, nodes + 12 * width + 4 * OCTET
    n_active = list_active(nodes, width, active, bounds)
    add_layer(hidden, address(tables.second_bias), address(tables.second), width, active, nodes, n_active)
    if own == 0:
        return _in_quanta(tables, cache, hidden, width)
    n_active = list_active(hidden, width, active, bounds)
    add_layer(nodes, address(tables.third_bias), address(tables.third), own, active, hidden, n_active)
    return _in_quanta(tables, cache, nodes, own)


@njit(cache=True, inline="always")
def _in_quanta(tables: DenseTables, cache: np.ndarray, nodes: int, n_nodes: int) -> float:
    output = weigh_active(nodes, address(tables.output), n_nodes, cache[-LANES:].view(np.float32))
    return np.rint((tables.shift + tables.scale * output) / ENERGY_QUANTUM) * ENERGY_QUANTUM


@njit(cache=True, nogil=True)
def prepare(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray) -> float:
    """Fill the cache row for ``occupations`` and return the energy, Ry."""
    width = tables.first_bias.size
    sums, nodes = cache[:width], cache[width:].view(np.float32)
    for j in range(width):
        sums[j] = tables.first_bias[j]
    for site in range(occupations.size):
        if occupations[site] == 1:
            row = tables.first[site]
            for j in range(width):
                sums[j] += row[j]
    for j in range(width):
        nodes[j] = sums[j]
    return _energy(tables, cache)


@njit(cache=True, inline="always")
def _sign(occupations: np.ndarray, site: int) -> Any:
    """What a flip of the site multiplies its weights with."""
    return 1 - 2 * np.int64(occupations[site])


@njit(cache=True, nogil=True)
def _flip(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Write the values of the first hidden layer after flipping the sites ``flips``; its sums stay as they are."""
    width, last = tables.first_bias.size, flips.size - 1
    sums, rows = address(cache), address(tables.first)
    for i in range(1, last):  # made and taken back: sums are exact
        move_sums((sums, rows, sums, width, flips[i], flips[i], _sign(occupations, flips[i]), 0))
    sign, other_sign = _sign(occupations, flips[0]), _sign(occupations, flips[last]) if last else 0
    add_two_rows((sums, rows, sums + 8 * width, width, flips[0], flips[last], sign, other_sign))
    for i in range(1, last):
        move_sums((sums, rows, sums, width, flips[i], flips[i], -_sign(occupations, flips[i]), 0))


@njit(cache=True, nogil=True)
def trial(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> float:
    """Return the energy after flipping the sites ``flips``, Ry."""
    _flip(tables, occupations, cache, flips)
    return _energy(tables, cache)


@njit(cache=True, nogil=True)
def trials(
    tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray, energies: np.ndarray
) -> None:
    """Do what :func:`trial` does for several walkers at once; the first axis of all arrays but tables is the walker."""
    for start in range(0, len(cache), GROUP):
        group = slice(start, start + GROUP)
        _trials_of_group(tables, occupations[group], cache[group], flips[group], energies[group])


@njit(cache=True, nogil=True)
def _trials_of_group(
    tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray, energies: np.ndarray
) -> None:
    width, own = tables.first_bias.size, tables.third_bias.size
    nodes, apart = address(cache) + 8 * width, 8 * cache.shape[1]
    hidden, active, bounds = nodes + 4 * width, nodes + 8 * width, nodes + 12 * width + 4 * OCTET
    walkers = (len(cache), apart)
    for k in range(len(cache)):
        _flip(tables, occupations[k], cache[k], flips[k])
        list_active(nodes + k * apart, width, active + k * apart, bounds + k * apart)
    second, second_bias = address(tables.second), address(tables.second_bias)
    add_layers(walkers, (hidden, active, nodes, bounds), second_bias, second, width, width)
    if own:
        for k in range(len(cache)):
            list_active(hidden + k * apart, width, active + k * apart, bounds + k * apart)
        third, third_bias = address(tables.third), address(tables.third_bias)
        add_layers(walkers, (nodes, active, hidden, bounds), third_bias, third, own, width)
    for k in range(len(cache)):
        last = nodes if own else hidden
        energies[k] = _in_quanta(tables, cache[k], last + k * apart, own if own else width)


@njit(cache=True, nogil=True)
def commit(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Make the flips of the last trial."""
    follow(tables, occupations, cache, flips)
    for i in range(flips.size):
        occupations[flips[i]] = 1 - occupations[flips[i]]


@njit(cache=True, nogil=True)
def follow(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, flips: np.ndarray) -> None:
    """Bring the sums into the first hidden layer to what they are after the flips; occupations stay."""
    sums, rows, width = address(cache), address(tables.first), tables.first_bias.size
    for i in range(0, flips.size, 2):
        pair = i + 1 < flips.size
        other = flips[i + 1] if pair else flips[i]
        other_sign = _sign(occupations, other) if pair else 0
        move_sums((sums, rows, sums, width, flips[i], other, _sign(occupations, flips[i]), other_sign))


@njit(cache=True, nogil=True)
def fill_energies(tables: DenseTables, occupations: np.ndarray, cache: np.ndarray, energies: np.ndarray) -> None:
    """Write the energy of each row of ``int8[n, n_sites]`` to ``float64[n]``, Ry; ``cache`` is one cache row."""
    for row in range(occupations.shape[0]):
        energies[row] = prepare(tables, occupations[row], cache)
