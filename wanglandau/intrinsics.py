"""Arrays without an owner, for the inside of compiled loops.

Numba counts the references to every array, and every view of a row adds one and takes it away again by an atomic
instruction. In a loop of 50 ns per trial a dozen of these take longer than all the rest. A borrowed array has no
counter: it must not outlive the call in which it was borrowed, during which the caller holds the array itself.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def borrow(typing_context: Any, array: Any) -> Any:
    """Return the same array, of any dtype and shape, without a counter of references; inside compiled functions only."""
    del typing_context
    if not isinstance(array, types.Array):
        raise TypeError("only arrays can be borrowed")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.return_type)(context, builder, arguments[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), generate


@intrinsic
def count_ones(typing_context: Any, bits: Any) -> Any:
    """Return the number of ones among the 64 bits of a uint64, as int64; inside compiled functions only."""
    del typing_context
    if bits != types.uint64:
        raise TypeError("ones are counted in uint64 only")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(bits), generate
