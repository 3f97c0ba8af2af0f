"""What compiled loops need of the compiler itself: arrays without an owner, the number of ones in a word.

Numba counts the references to every array, and every view of a row adds one and takes it away again by an atomic
instruction; in a loop of 50 ns per trial these take as long as all the rest. A borrowed array has no counter:
it must not outlive the call in which it was borrowed, during which somebody else has to hold the array itself.

With ``NUMBA_DISABLE_JIT=1`` all kernels are plain Python, for debuggers and for coverage. What is here then does the
same by other means, so that results stay the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

COMPILED = not vars(config)["DISABLE_JIT"]
"""Whether kernels are compiled."""


class _Record(np.void):  # type: ignore[misc]  # final by its stubs alone
    """A record whose fields are attributes, as they are to compiled code."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def record_type(fields: list) -> np.dtype:
    """Return the type of records with these fields, which kernels read and write as attributes."""
    kind = np.dtype(fields)
    return kind if COMPILED else np.dtype((_Record, kind))


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


def _wrapping_sum(a: np.uint64, b: np.uint64) -> np.uint64:
    return a + b


def _wrapping_sum_in_python(a: np.uint64, b: np.uint64) -> np.uint64:
    return np.uint64((int(a) + int(b)) & 0xFFFFFFFFFFFFFFFF)


if COMPILED:
    _compiled: tuple = intrinsic(_borrow), intrinsic(_count_ones), njit(cache=True, forceinline=True)(_wrapping_sum)
else:
    _compiled = (lambda array: array), (lambda bits: int(bits).bit_count()), _wrapping_sum_in_python

borrow: Callable[[np.ndarray], np.ndarray] = _compiled[0]
"""Return the same array without a counter of references; inside kernels only."""
count_ones: Callable[[np.uint64], int] = _compiled[1]
"""Return the number of ones among the bits of a uint64; inside kernels only."""
wrapping_sum: Callable[[np.uint64, np.uint64], np.uint64] = _compiled[2]
"""Return the sum of two uint64 modulo 2**64; inside kernels only."""
