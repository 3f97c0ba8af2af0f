"""Compiled arithmetic of fully connected layers many of whose inputs are inactive, that is, zero.

Only rows of weights that leave an active input are read. A block of sums stays in registers while the rows pass by, so
that nothing but weights is loaded. A sum takes its terms in ascending order of the inputs, each by one fused
multiply-add, and is the same bit for bit on every processor, for one walker or several.

Arrays are handed over as addresses: counting the references to them would cost a tenth of a trial. The caller keeps
them alive and contiguous. Lengths are those of :func:`padded_length`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types

from surrogate.vector_code import (
    BYTE,
    DOUBLE,
    FLOAT,
    INDEX,
    INT,
    address,
    broadcast,
    fused,
    load,
    loop,
    number,
    store,
    vector,
)
from wanglandau.native_code import compiled

LANES = 16
"""Single-precision numbers in a vector; layers are padded to whole vectors."""
WIDE, NARROW = 7, 6
"""Vectors in a block of sums: seven and a broadcast value fill 16 registers of 256 bits."""
SECTION = 56
"""Inputs in a section; their rows, one block wide, fit into a first-level cache of 32 KiB."""
OCTET = 8
"""Inputs listed at once."""


def padded_length(n: int) -> int:
    """Return the smallest number of nodes from ``n`` on that makes whole blocks."""
    vectors = max(-(-n // LANES), NARROW)
    while NARROW * (-vectors % WIDE) > vectors:
        vectors += 1
    return LANES * vectors


def _active_places() -> np.ndarray:
    """Tabulate the places of the bits set in every mask of eight, ``uint8[256, 8]``."""
    places = np.zeros((256, OCTET), dtype=np.uint8)
    for mask in range(256):
        found = [bit for bit in range(OCTET) if mask >> bit & 1]
        places[mask, : len(found)] = found
    return places


_PLACES = _active_places()


def _row_adder(n_vectors: int) -> Callable[..., None]:
    """Make the loop over the rows ``active[begin:end]`` for a block of so many vectors, from ``column`` on."""

    def build(builder: Any, sums: Any, first: Any, weights: Any, active: Any, nodes: Any, *span: Any) -> None:
        stride, column, begin, end = span
        columns = [builder.add(column, number(LANES * v)) for v in range(n_vectors)]

        def add_row(k: Any, held: list[Any]) -> list[Any]:
            node = builder.zext(load(builder, active, INT, k), INDEX)
            value = broadcast(builder, load(builder, nodes, FLOAT, node), LANES)
            row = builder.mul(node, stride)
            found = [load(builder, weights, vector(FLOAT, LANES), builder.add(row, place)) for place in columns]
            return [fused(builder, value, weight, block) for weight, block in zip(found, held, strict=True)]

        started = [load(builder, first, vector(FLOAT, LANES), place) for place in columns]
        for place, result in zip(columns, loop(builder, begin, end, 1, started, add_row), strict=True):
            store(builder, result, sums, place)

    return build


_add_wide, _add_narrow = compiled(_row_adder(WIDE)), compiled(_row_adder(NARROW))


def _append_active(builder: Any, nodes: Any, places: Any, active: Any, start: Any, n_active: Any) -> Any:
    """List the active ones of eight nodes behind the others and return how many there are; spoils what is behind."""
    values = load(builder, nodes, vector(FLOAT, OCTET), start)
    positive = builder.fcmp_ordered(">", values, ir.Constant(values.type, [0.0] * OCTET))
    mask = builder.bitcast(positive, BYTE)
    row = builder.mul(builder.zext(mask, INDEX), number(OCTET))
    found = builder.zext(load(builder, places, vector(BYTE, OCTET), row), vector(INT, OCTET))
    store(builder, builder.add(found, broadcast(builder, builder.trunc(start, INT), OCTET)), active, n_active)
    return builder.add(n_active, builder.zext(builder.ctpop(mask), INDEX))


def _weigh_active(builder: Any, nodes: Any, weights: Any, partial: Any, n_nodes: Any) -> None:
    """Write the sum of ``max(node, 0) * weight`` as two vectors of partial sums; vectors are added to them in turn."""
    zero = ir.Constant(vector(FLOAT, LANES), [0.0] * LANES)

    def add_vector(start: Any, held: list[Any]) -> list[Any]:
        value, weight = (load(builder, place, zero.type, start) for place in (nodes, weights))
        value = builder.select(builder.fcmp_ordered(">", value, zero), value, zero)
        return [held[1], fused(builder, value, weight, held[0])]

    for k, result in enumerate(loop(builder, number(0), n_nodes, LANES, [zero, zero], add_vector)):
        store(builder, result, partial, number(LANES * k))


def _two_row_adder(kind: Any) -> Callable[..., None]:
    """Make the loop for results of float or double."""

    def build(builder: Any, sums: Any, rows: Any, target: Any, n: Any, *flips: Any) -> None:
        starts = [builder.mul(site, n) for site in flips[:2]]
        factors = [broadcast(builder, builder.sitofp(sign, DOUBLE), LANES) for sign in flips[2:]]

        def add_vector(start: Any, held: list[Any]) -> list[Any]:
            total = load(builder, sums, vector(DOUBLE, LANES), start)
            for begin, factor in zip(starts, factors, strict=True):
                row = load(builder, rows, total.type, builder.add(begin, start))
                total = builder.fadd(total, builder.fmul(factor, row))
            store(builder, total if kind is DOUBLE else builder.fptrunc(total, vector(kind, LANES)), target, start)
            return []

        loop(builder, number(0), n, LANES, [], add_vector)

    return build


_append: Any = compiled(_append_active, types.int64)
_weigh: Any = compiled(_weigh_active)
load_int: Any = compiled(lambda builder, *at: builder.sext(load(builder, at[0], INT, at[1]), INDEX), types.int64)
_store_int: Any = compiled(lambda builder, *at: store(builder, builder.trunc(at[2], INT), at[0], at[1]))
add_two_rows: Any = compiled(_two_row_adder(FLOAT))
"""Write ``sums + sign * rows[site] + other_sign * rows[other_site]`` as float32.

The argument is (sums, rows, target, n, site, other_site, sign, other_sign), addresses of float64[n],
float64[n_sites, n] and float32[n] first.
"""
move_sums: Any = compiled(_two_row_adder(DOUBLE))
"""The same, written as float64; the target may be the sums themselves."""


@njit(cache=True, nogil=True)
def list_active(nodes: int, n_nodes: int, active: int, bounds: int) -> int:
    """List the nodes above zero in ascending order and return their number.

    Parameters
    ----------
    nodes : float32[n_nodes]
    active : int32[n_nodes + OCTET]
    bounds : int32[n_sections + 1]
        Receives how many of them stand before each section, and their number.
    """
    n_active = section = 0
    for begin in range(0, n_nodes, SECTION):
        for start in range(begin, min(begin + SECTION, n_nodes), OCTET):
            n_active = _append((nodes, address(_PLACES), active, start, n_active))
        section += 1
        _store_int((bounds, section, n_active))
    _store_int((bounds, 0, 0))
    return n_active


@njit(cache=True, nogil=True)
def add_layer(sums: int, bias: int, weights: int, n_outputs: int, active: int, nodes: int, n_active: int) -> None:
    """Write the sum of the bias and of ``nodes[i] * weights[i]`` over all active inputs i.

    Parameters
    ----------
    sums, bias : float32[n_outputs]
    weights : float32[n_inputs, n_outputs]
    active : int32[n_active]
    nodes : float32[n_inputs]
    """
    narrow = LANES * NARROW * (-(n_outputs // LANES) % WIDE)
    for column in range(0, n_outputs - narrow, LANES * WIDE):
        _add_wide((sums, bias, weights, active, nodes, n_outputs, column, 0, n_active))
    for column in range(n_outputs - narrow, n_outputs, LANES * NARROW):
        _add_narrow((sums, bias, weights, active, nodes, n_outputs, column, 0, n_active))


@njit(cache=True, nogil=True)
def add_layers(
    walkers: tuple[int, int], places: tuple[int, int, int, int], bias: int, weights: int, n_outputs: int, n_inputs: int
) -> None:
    """Do the same for several walkers: each piece of the weights is loaded once and serves all of them.

    Parameters
    ----------
    walkers : (number, bytes from one to the next)
    places : addresses of (sums, active, nodes, bounds) of the first walker
    bias : float32[n_outputs]
    weights : float32[n_inputs, n_outputs]
    """
    narrow = LANES * NARROW * (-(n_outputs // LANES) % WIDE)
    for section in range(-(-n_inputs // SECTION)):
        for column in range(0, n_outputs - narrow, LANES * WIDE):
            for k in range(walkers[0]):
                at = k * walkers[1]
                sums, active, nodes, bounds = places[0] + at, places[1] + at, places[2] + at, places[3] + at
                begin, end = load_int((bounds, section)), load_int((bounds, section + 1))
                before = sums if section else bias
                _add_wide((sums, before, weights, active, nodes, n_outputs, column, begin, end))
        for column in range(n_outputs - narrow, n_outputs, LANES * NARROW):
            for k in range(walkers[0]):
                at = k * walkers[1]
                sums, active, nodes, bounds = places[0] + at, places[1] + at, places[2] + at, places[3] + at
                begin, end = load_int((bounds, section)), load_int((bounds, section + 1))
                before = sums if section else bias
                _add_narrow((sums, before, weights, active, nodes, n_outputs, column, begin, end))


@njit(cache=True, nogil=True)
def weigh_active(nodes: int, weights: int, n_nodes: int, partial: np.ndarray) -> float:
    """Return the sum of ``max(node, 0) * weight``.

    Parameters
    ----------
    nodes, weights : float32[n_nodes]
    partial : float32[2 * LANES], an array
        Room.
    """
    _weigh((nodes, weights, address(partial), n_nodes))
    # The vectors take turns: where the first of them ends up depends on their number.
    first = LANES * (n_nodes // LANES % 2)
    total = 0.0
    for lane in range(LANES):
        total += np.float64(partial[first + lane])
    for lane in range(LANES):
        total += np.float64(partial[LANES - first + lane])
    return total
