"""A benchmark as tables: columns for people at a terminal, Markdown for reports."""

from __future__ import annotations

from collections.abc import Callable

from wanglandau.benchmarking.results import Benchmark
from wanglandau.benchmarking.spread import Spread, three_digits

Table = list[list[str]]
"""Rows of cells, the first of which is the head."""
Layout = Callable[[Table], list[str]]


def columns(table: Table) -> list[str]:
    """Lay out for a terminal."""
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def markdown(table: Table) -> list[str]:
    """Lay out as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return [lines[0], "|" + " --- |" * len(table[0]), *lines[1:]]


def sections(benchmark: Benchmark) -> dict[str, Table]:
    """Return the tables by their titles, ratios first; empty ones are left out."""
    found = {
        "How many times faster (median of the quotients of neighbouring turns, quartiles)": _ratios(benchmark),
        "Metropolis swaps, BraWl and ours in turn": _duel(benchmark),
        "Trials per second (median, quartiles)": _rates(benchmark),
        "Limits of one core, trials per second": _limits(benchmark),
        "Time of an energy without a walk (microseconds: median, quartiles)": _energy_times(benchmark),
    }
    return {title: table for title, table in found.items() if len(table) > 1}


def as_text(benchmark: Benchmark, layout: Layout = columns, heading: str = "") -> str:
    """Write all tables one below the other, then notes and machine.

    Parameters
    ----------
    layout : callable
        Of a table.
    heading : str
        Written before titles.
    """
    lines: list[str] = []
    for title, table in sections(benchmark).items():
        lines += [f"{heading}{title}", "", *layout(table), ""]
    lines += [f"{note}." for note in benchmark.notes]
    return "\n".join([*lines, "", f"Machine: {benchmark.machine.text()}."])


def _ratios(benchmark: Benchmark) -> Table:
    head = ["what", "atoms", "ratio"]
    return [head, *([ratio.text, str(ratio.n_sites), ratio.value.text()] for ratio in benchmark.ratios)]


def _duel(benchmark: Benchmark) -> Table:
    duel = benchmark.brawl
    if duel is None:
        return []
    return [
        ["what", "atoms", "value (quartiles)"],
        ["trials between unlike atoms, ours over BraWl's", str(duel.n_sites), duel.ratio.text()],
        ["ours, trials/s, all between unlike atoms", str(duel.n_sites), duel.ours.text()],
        [f"BraWl {duel.version}, trials/s between unlike atoms", str(duel.n_sites), duel.theirs_unlike.text()],
        [f"BraWl {duel.version}, trials/s as it counts them", str(duel.n_sites), duel.theirs.text()],
        [
            f"mean energy at {duel.temperature:.0f} K, ours and BraWl's, meV/atom",
            str(duel.n_sites),
            f"{duel.our_energy:.1f} and {duel.their_energy:.1f}",
        ],
    ]


def _rates(benchmark: Benchmark) -> Table:
    head = ["oracle", "atoms", "engine", "walkers", "trials/s"]
    rows = [
        [rate.oracle, str(rate.n_sites), rate.engine, str(rate.walkers), rate.spread.text()] for rate in benchmark.rates
    ]
    return [head, *rows]


def _limits(benchmark: Benchmark) -> Table:
    table = [["oracle", "atoms", "limit", "trials/s", "reached, one walker", "what a trial needs"]]
    for line in benchmark.rooflines:
        ours = [
            rate.trials_per_second
            for rate in benchmark.rates
            if (rate.oracle, rate.n_sites, rate.engine, rate.walkers) == (line.oracle, line.n_sites, "fused", 1)
        ]
        for name, limit in sorted(line.limits.items(), key=lambda item: item[1]):
            reached = f"{100 * ours[0] / limit:.0f} %" if ours else "-"
            table.append([line.oracle, str(line.n_sites), name, three_digits(limit), reached, line.cost.counted])
    return table


def _energy_times(benchmark: Benchmark) -> Table:
    head = ["oracle", "atoms", "in one call", "the call", "each"]
    rows = [
        [time.oracle, str(time.n_sites), str(time.batch), _microseconds(time.call), _microseconds(time.each)]
        for time in benchmark.energy_times
    ]
    return [head, *rows]


def _microseconds(seconds: Spread) -> str:
    return Spread(1e6 * seconds.median, 1e6 * seconds.lower, 1e6 * seconds.upper, seconds.n).text()
