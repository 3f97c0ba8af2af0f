"""Pieces of code in LLVM's own language, for kernels: what Python cannot say, or a compiler would not find.

Where kernels are not compiled (``NUMBA_DISABLE_JIT=1``) such a piece still is, and is called with numbers of Python:
one source for both, and the same bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from wanglandau.intrinsics import COMPILED

_RESULTS = {
    types.void: (ir.VoidType(), None),
    types.int64: (ir.IntType(64), ctypes.c_int64),
    types.float32: (ir.FloatType(), ctypes.c_float),
}


def compiled(build: Callable[..., Any], result: Any = types.void) -> Any:
    """Make ``build(builder, *numbers)`` a function for kernels.

    Parameters
    ----------
    build : Callable
        Writes the instructions and returns the value of the result, if any.
    result : Numba type
        ``void``, ``int64`` or ``float32``.

    Returns
    -------
    Callable
        Its only argument is a tuple of int64.
    """
    return _for_compiled_kernels(build, result) if COMPILED else _CalledFromPython(build, result)


def _for_compiled_kernels(build: Callable[..., Any], result: Any) -> Any:
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = build(builder, *cgutils.unpack_tuple(builder, arguments[0]))
        return context.get_dummy_value() if result is types.void else value

    def typed(typing: Any, numbers: Any) -> Any:
        return result(types.UniTuple(types.int64, len(numbers))), lower

    return intrinsic(typed)


class _CalledFromPython:
    """One piece, compiled by itself at its first call."""

    def __init__(self, build: Callable[..., Any], result: Any) -> None:
        self._build, self._result = build, result
        self._code: tuple | None = None  # the library as well, without which the function is gone

    def __call__(self, numbers: tuple) -> Any:
        if self._code is None:
            with global_compiler_lock:
                self._code = self._compile(len(numbers))
        return self._code[0](*map(int, numbers))

    def _compile(self, n_numbers: int) -> tuple:
        kind, result = _RESULTS[self._result]
        library = cpu_target.target_context.codegen().create_library("piece")
        module, name = library.create_ir_module("piece"), f"piece_{id(self)}"
        function = ir.Function(module, ir.FunctionType(kind, [ir.IntType(64)] * n_numbers), name)
        builder = ir.IRBuilder(function.append_basic_block())
        value = self._build(builder, *function.args)
        builder.ret_void() if result is None else builder.ret(value)
        library.add_ir_module(module)
        library.finalize()
        signature = ctypes.CFUNCTYPE(result, *[ctypes.c_int64] * n_numbers)
        return signature(library.get_pointer_to_function(name)), library
