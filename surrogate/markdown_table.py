"""Tables of reports in Markdown."""

from __future__ import annotations


def markdown_table(rows: list[list[str]]) -> list[str]:
    """Return the lines of a table, the first row of which is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]
