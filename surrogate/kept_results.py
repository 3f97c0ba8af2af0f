"""Results in JSON that a command which was stopped goes on from, and that belong to one set of settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wanglandau.atomic_file import write_atomically
from wanglandau.bounded_file import MAX_TEXT, read_bytes
from wanglandau.errors import InputError
from wanglandau.json_text import parse_json
from wanglandau.seal import KEY, UNSEALED, is_sealed, sealed


def write_json(file: Path, values: dict[str, Any]) -> None:
    """Write a file with a seal; it takes its name only when it is whole."""
    text = json.dumps(values | {KEY: UNSEALED}, indent=1, sort_keys=True)
    write_atomically(file, sealed((text + "\n").encode()))


def read_json(file: Path, *needed: str) -> dict[str, Any]:
    """Read a JSON object; one that has a seal must be what was sealed.

    Parameters
    ----------
    file : Path
    *needed : str
        Keys that must be there.

    Raises
    ------
    InputError
        If the file cannot be read or holds something else.
    """
    try:
        content = read_bytes(file, "results", MAX_TEXT)
        unsealed = not is_sealed(content)
        values = parse_json(content)
    except ValueError as error:
        raise InputError(f"{file} is damaged: {error}; delete it to have it made again") from error
    if not isinstance(values, dict) or (values.pop(KEY, None) is not None and unsealed):
        raise InputError(f"{file} is damaged: no JSON object; delete it to have it made again")
    if lacking := set(needed) - set(values):
        raise InputError(f"{file} is damaged: {min(lacking)} is missing; delete it to have it made again")
    return values
