"""The dense network of a block of configurations inside a Triton kernel.

Hidden nodes of the first layer are made a few at a time and consumed at once by the second, so that a block needs
registers for its second layer only; the width of a layer is cut into up to three pieces that are powers of two.
"""
# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _dot(a, weights, low, offsets, acc, PRECISION: tl.constexpr, EXACT: tl.constexpr = False):
    """Add ``a @ weights[offsets]``; ``low`` points at what rounding took from the weights.

    EXACT says that rounding takes nothing from ``a``.
    """
    b = tl.load(weights + offsets)
    if PRECISION == "fp16x3":
        high = a.to(tl.float16)
        if not EXACT:
            acc = tl.dot((a - high.to(tl.float32)).to(tl.float16), b, acc)
        acc = tl.dot(high, tl.load(low + offsets), acc)
        return tl.dot(high, b, acc)
    elif PRECISION == "fp16":
        return tl.dot(a.to(tl.float16), b, acc)
    elif PRECISION == "bf16":
        return tl.dot(a.to(tl.bfloat16), b.to(tl.bfloat16), acc)
    else:
        return tl.dot(a, b, acc, input_precision=PRECISION)


@triton.jit
def _row(pointer, BLOCK: tl.constexpr, SIZE: tl.constexpr):
    return tl.broadcast_to(tl.load(pointer + tl.arange(0, SIZE))[None, :], (BLOCK, SIZE))


@triton.jit
def _weighted_sum(nodes, weights, SIZE: tl.constexpr):
    return tl.sum(tl.maximum(nodes, 0.0) * tl.load(weights + tl.arange(0, SIZE))[None, :], axis=1)


@triton.jit
def _grid(first_row, ROWS: tl.constexpr, first_column, COLUMNS: tl.constexpr, stride: tl.constexpr):
    return (first_row + tl.arange(0, ROWS))[:, None] * stride + first_column + tl.arange(0, COLUMNS)[None, :]


@triton.jit
def dense_output(
    occupied,
    weights,
    low,
    nodes,
    BLOCK: tl.constexpr,
    SITES: tl.constexpr,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    A: tl.constexpr,
    B: tl.constexpr,
    C: tl.constexpr,
    OWN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Return what leaves the network, ``float32[BLOCK]``, for occupations ``float32[BLOCK, SITES]``.

    ``weights``, ``low`` and ``nodes`` are those of :class:`surrogate.device.models.PackedModel`; A + B + C = WIDTH.
    """
    SECOND: tl.constexpr = SITES * WIDTH
    THIRD: tl.constexpr = SECOND + WIDTH * WIDTH
    acc_a = _row(nodes + WIDTH, BLOCK, A)
    if B > 0:
        acc_b = _row(nodes + WIDTH + A, BLOCK, B)
    if C > 0:
        acc_c = _row(nodes + WIDTH + A + B, BLOCK, C)
    for k in range(0, WIDTH, CHUNK):
        hidden = _row(nodes + k, BLOCK, CHUNK)
        hidden = _dot(occupied, weights, low, _grid(0, SITES, k, CHUNK, WIDTH), hidden, PRECISION, True)
        hidden = tl.maximum(hidden, 0.0)
        acc_a = _dot(hidden, weights + SECOND, low + SECOND, _grid(k, CHUNK, 0, A, WIDTH), acc_a, PRECISION)
        if B > 0:
            acc_b = _dot(hidden, weights + SECOND, low + SECOND, _grid(k, CHUNK, A, B, WIDTH), acc_b, PRECISION)
        if C > 0:
            acc_c = _dot(hidden, weights + SECOND, low + SECOND, _grid(k, CHUNK, A + B, C, WIDTH), acc_c, PRECISION)
    output = nodes + 2 * WIDTH + OWN
    if OWN > 0:
        third, third_low = weights + THIRD, low + THIRD
        own = _row(nodes + 2 * WIDTH, BLOCK, OWN)
        own = _dot(tl.maximum(acc_a, 0.0), third, third_low, _grid(0, A, 0, OWN, OWN), own, PRECISION)
        if B > 0:
            own = _dot(tl.maximum(acc_b, 0.0), third, third_low, _grid(A, B, 0, OWN, OWN), own, PRECISION)
        if C > 0:
            own = _dot(tl.maximum(acc_c, 0.0), third, third_low, _grid(A + B, C, 0, OWN, OWN), own, PRECISION)
        return _weighted_sum(own, output, OWN)
    else:
        total = _weighted_sum(acc_a, output, A)
        if B > 0:
            total += _weighted_sum(acc_b, output + A, B)
        if C > 0:
            total += _weighted_sum(acc_c, output + A + B, C)
        return total
