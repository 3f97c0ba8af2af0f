"""What compiled loops need of the compiler itself: arrays without an owner, the number of ones in a word.

Numba counts the references to every array, and every view of a row adds one and takes it away again by an atomic
instruction; in a loop of 50 ns per trial these take as long as all the rest. A borrowed array has no counter:
it must not outlive the call in which it was borrowed, during which somebody else has to hold the array itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _borrow(typing_context: Any, array: Any) -> Any:
    del typing_context
    if not isinstance(array, types.Array):
        raise TypeError("only arrays can be borrowed")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.return_type)(context, builder, arguments[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), generate


def _count_ones(typing_context: Any, bits: Any) -> Any:
    del typing_context
    if bits != types.uint64:
        raise TypeError("ones are counted in uint64 only")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.int64(bits), generate


borrow: Callable[[np.ndarray], np.ndarray] = cast(Any, intrinsic(_borrow))
"""Return the same array without a counter of references; inside compiled functions only."""
count_ones: Callable[[np.uint64], int] = cast(Any, intrinsic(_count_ones))
"""Return the number of ones among the bits of a uint64; inside compiled functions only."""
