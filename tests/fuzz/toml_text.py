"""Documents as TOML, and TOML that is none."""

from __future__ import annotations

import json
import math
from typing import Any

from damaged_bytes import damaged
from hypothesis import strategies as st

BOMBS = [
    "a." * 9000 + "a = 1",
    "[" + "a." * 9000 + "a]",
    "a = " + "[" * 100_000,
    "a = " + "{b = " * 50_000,
    "a = " + "9" * 10_000,
    "a = 1\n" * 2,
    "a = 1979-99-99",
    "a = '''" + "x" * 300_000,
    "\ufeffa = 1",
    "a = 1e99999",
    "'a'." * 200 + "b = 1",
]


def as_toml(value: Any) -> str:
    """Write a value in line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return repr(value) if isinstance(value, int | float) else _text(str(value))


def _text(value: str) -> str:
    return json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def as_document(values: dict[str, Any]) -> bytes:
    """Write a document."""
    return "".join(f"{_text(key)} = {as_toml(value)}\n" for key, value in values.items()).encode()


def toml_files(documents: st.SearchStrategy[dict[str, Any]], real: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Make files of hostile documents, and damaged ones of a real document."""
    bombs = st.integers(0, len(BOMBS) - 1).map(lambda number: BOMBS[number].encode())
    return documents.map(as_document) | damaged(as_document(real)) | documents.map(as_document) | bombs
