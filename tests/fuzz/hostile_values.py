"""Numbers, texts and documents that nobody should write."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NUMBERS: list[Any] = [0, -1, 1, 2, 2**31, -(2**31), 2**63, 2**64, 10**30, -0.0, 0.5, 1e-320, 1e308, -1e308]
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]
TEXTS = [
    "", " ", "\0", "a\nb", "\r", "\x1b[2J", "../../etc/passwd", "/dev/zero", "-", "--help", "-h", "--config",
    "$(touch x)", "; rm -rf .", "`id`", "*", "~", "nan", "inf", "1e400", "1_000", "0x10", "１２", "\u202e", "😀",
    "{}", "[]",
    "[[", "null", "true", "a" * 300, "none", "cuau", "fept", "%s", "{0}", "\\", '"', "'", "#", "=", "http://x",
    "@cuda", ":",
]  # fmt: skip

numbers = st.sampled_from(NUMBERS + NOT_FINITE) | st.integers(-(2**70), 2**70) | st.floats()
texts = st.sampled_from(TEXTS) | st.text(max_size=20)
scalars = numbers | texts | st.booleans()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
"""Anything that TOML and JSON can hold."""


def documents(real: dict[str, Any], others: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Change, leave out and add keys of a document that is right."""
    known = [*real, *others]
    keys = st.sampled_from(known) | texts if known else texts

    @st.composite
    def made(draw: st.DrawFn) -> dict[str, Any]:
        document = dict(real)
        for key in draw(st.lists(keys, max_size=3)):
            what = draw(st.integers(0, 9))
            if what == 0:
                document.pop(key, None)
            elif what < 4 and isinstance(document.get(key), dict):
                document[key] = draw(documents(document[key]))
            elif what < 6 and isinstance(document.get(key), list):
                document[key] = draw(st.lists(st.sampled_from(document[key] or [0]) | scalars, max_size=5))
            else:
                document[key] = draw(values)
        return document

    return made()
