"""The table of what became of all inputs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trial import LONG, TALLY

_COLUMNS = ("refused", "accepted", "traceback", "hang", "memory", "wrong")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one line for each kind of input, in the long profile."""
    if not LONG or not TALLY:
        return
    line = "{:32}" + "{:>10}" * (1 + len(_COLUMNS))
    terminalreporter.write_line(line.format("kind", "inputs", *_COLUMNS))
    total: Counter[str] = Counter()
    for kind, counts in sorted(TALLY.items()):
        total += counts
        terminalreporter.write_line(line.format(kind, counts.total(), *(counts[name] for name in _COLUMNS)))
    terminalreporter.write_line(line.format("all", total.total(), *(total[name] for name in _COLUMNS)))
