"""The exceptions that a user of the package may meet, each tied to a process exit code.

A message names the value that is wrong, the limit it broke and the remedy.
"""

from __future__ import annotations

FAULTS = (OSError, ValueError, TypeError, AttributeError, RuntimeError, LookupError, ArithmeticError, MemoryError)
"""What libraries and conversions answer to a damaged file; readers make an :class:`InputError` of them."""


class InputError(ValueError):
    """Something the user gave is wrong (exit code 2)."""


class OracleError(RuntimeError):
    """An energy evaluation failed (exit code 4); never to be taken for a rejected move."""


class NotConverged(RuntimeError):
    """A calculation ended without a result that can be trusted (exit code 3)."""
