"""Results in JSON that a command which was stopped goes on from, and that belong to one set of settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wanglandau.atomic_file import write_atomically
from wanglandau.errors import InputError


def write_json(file: Path, values: dict[str, Any]) -> None:
    """Write a file that takes its name only when it is whole."""
    write_atomically(file, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode())


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        If the file cannot be read or holds something else.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is damaged: {error}; delete it to have it made again") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} is damaged: no JSON object; delete it to have it made again")
    return values


def refuse_others(holder: Path, what: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Make sure that results were made with the same settings.

    Parameters
    ----------
    holder : Path
        File or folder that holds them.
    what : str
        What it holds.
    found, wanted : mapping

    Raises
    ------
    InputError
        If one of the wanted is missing or another.
    """
    for name, value in wanted.items():
        if found.get(name) != value:
            raise InputError(
                f"{holder} holds {what} with {name} {found.get(name)!r}, not {value!r}; choose another folder"
            )
