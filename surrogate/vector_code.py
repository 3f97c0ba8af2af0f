"""Pieces of code in LLVM's own language: loads, stores and loops over vectors of numbers.

Vectors are of fixed length; LLVM makes them fit the registers of whatever processor. Memory is given by addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from wanglandau.intrinsics import COMPILED
from wanglandau.native_code import compiled

BYTE, INT, INDEX = ir.IntType(8), ir.IntType(32), ir.IntType(64)
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()
_SIZES = {BYTE: 1, INT: 4, INDEX: 8, FLOAT: 4, DOUBLE: 8}


def _address(typing: Any, array: Any) -> Any:
    """Address of the first number of a contiguous array, as int64."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, INDEX)

    return types.int64(array), lower


address: Any = intrinsic(_address) if COMPILED else lambda array: array.ctypes.data
"""Address of the first number of a contiguous array, as int64."""


def vector(kind: Any, n: int) -> Any:
    """Vector type of ``n`` numbers."""
    return ir.VectorType(kind, n)


def number(value: int) -> Any:
    """Whole number as a constant of 64 bits."""
    return ir.Constant(INDEX, value)


def _place(builder: Any, start: Any, kind: Any, index: Any) -> tuple[Any, int]:
    single = kind.element if isinstance(kind, ir.VectorType) else kind
    pointer = builder.gep(builder.inttoptr(start, single.as_pointer()), [index])
    return builder.bitcast(pointer, kind.as_pointer()), _SIZES[single]


def load(builder: Any, start: Any, kind: Any, index: Any) -> Any:
    """Load a number or vector that begins at number ``index`` behind address ``start``."""
    pointer, size = _place(builder, start, kind, index)
    return builder.load(pointer, align=size)


def store(builder: Any, value: Any, start: Any, index: Any) -> None:
    """Store a number or vector from number ``index`` behind address ``start`` on."""
    pointer, size = _place(builder, start, value.type, index)
    builder.store(value, pointer, align=size)


def broadcast(builder: Any, value: Any, n: int) -> Any:
    """Vector of ``n`` times the same number."""
    empty = ir.Constant(vector(value.type, n), ir.Undefined)
    single = builder.insert_element(empty, value, ir.Constant(INT, 0))
    return builder.shuffle_vector(single, empty, ir.Constant(vector(INT, n), [0] * n))


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` of float32 vectors with one rounding, on every processor."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{a.type.count}f32"), [a, b, c])


def loop(
    builder: Any, begin: Any, end: Any, step: int, carried: Sequence[Any], body: Callable[..., Sequence[Any]]
) -> list[Any]:
    """Run ``body(index, carried) -> carried`` from ``begin`` up to ``end``; what is carried stays in registers."""
    before = builder.block
    inside, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", begin, end), inside, after)
    builder.position_at_end(inside)
    index, held = builder.phi(INDEX), [builder.phi(value.type) for value in carried]
    results = body(index, held)
    following = builder.add(index, number(step))
    for phi, first, later in zip([index, *held], [begin, *carried], [following, *results], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, inside)
    builder.cbranch(builder.icmp_signed("<", following, end), inside, after)
    builder.position_at_end(after)
    merged = [builder.phi(value.type) for value in carried]
    for phi, first, later in zip(merged, carried, results, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, inside)
    return merged


def _prefetch(builder: Any, start: Any, index: Any) -> None:
    pointer = builder.inttoptr(builder.add(start, index), BYTE.as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT, INT, INT])
    function = builder.module.declare_intrinsic("llvm.prefetch", (pointer.type,), kind)
    builder.call(function, [pointer, ir.Constant(INT, 0), ir.Constant(INT, 3), ir.Constant(INT, 1)])


prefetch: Any = compiled(_prefetch)
"""Ask for the cache line of (address, bytes behind it), which is read soon."""
