"""What a person sees while there is nothing to count yet; progress bars are those of tqdm.

Nothing is written unless standard error is a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CLEAR_LINE = "\r\x1b[K"


def show(what: str) -> None:
    """Write what is being done; the next bar, or the next call, takes its line."""
    _write(f"{_CLEAR_LINE}{what} ...")


def clear() -> None:
    """Take away what :func:`show` wrote."""
    _write(_CLEAR_LINE)


def tell(what: str) -> None:
    """Write a line that stays."""
    _write(f"{_CLEAR_LINE}{what}\n")


@contextmanager
def stage(what: str, progress: bool = True) -> Iterator[None]:
    """Show what is being done in the ``with`` block.

    Parameters
    ----------
    what : str
        Such as "searching the range of energies".
    progress : bool
        Whether to show it at all.
    """
    if not progress:
        yield
        return
    show(what)
    try:
        yield
    finally:
        clear()


def _write(text: str) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(text)
        sys.stderr.flush()
