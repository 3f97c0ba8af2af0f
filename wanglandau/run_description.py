"""Whether two descriptions are of the same work: what is on disk, and what is asked for now.

All that goes on from something kept (checkpoints, finished results, logs, folders) goes on only with the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wanglandau.errors import InputError

LONGEST = 60
"""Characters of a value that are shown."""


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name everything in which two descriptions differ, each as ``name was X, is Y``; of parts, ``part.name``."""
    before, after = dict(_entries(then)), dict(_entries(now))
    return [
        f"{name} was {_short(before.get(name))}, is {_short(after.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _entries(description: Mapping[str, Any], part: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in description.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{part}{name}.")
        else:
            yield part + name, value


def refuse_different(holder: Path, then: Mapping[str, Any], now: Mapping[str, Any], remedy: str = "") -> None:
    """Refuse to go on with something else than was begun.

    Parameters
    ----------
    holder : Path
        What was kept.
    then, now : mapping
        Description of what was kept, and of what is asked for.
    remedy : str
        What the user can do instead; default: take the old settings or another name.

    Raises
    ------
    InputError
        Naming all differences.
    """
    refuse_found(holder, differences(then, now), remedy)


def refuse_found(holder: Path, found: list[str], remedy: str = "") -> None:
    """Raise InputError unless nothing differs; see :func:`refuse_different`."""
    if found:
        advice = remedy or "take the old settings, or another name for the result"
        raise InputError(f"{holder} is of another calculation ({'; '.join(found)}); {advice}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
