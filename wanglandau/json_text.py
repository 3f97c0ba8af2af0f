"""Parsing JSON that somebody else may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse_json(text: str | bytes, constant: Callable[[str], Any] | None = None) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text : str or bytes
    constant : callable, optional
        What to make of NaN and Infinity, floats unless said otherwise.

    Raises
    ------
    ValueError
        If it is no JSON, is nested too deeply or has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return values
