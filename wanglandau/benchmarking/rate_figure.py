"""Figure of a benchmark: trials per second against walkers and against atoms, with the limits of the core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wanglandau.benchmarking.engines import BATCHED, FUSED, PYTHON_LOOP
from wanglandau.benchmarking.results import Benchmark, Rate
from wanglandau.figure_style import name_of_oracle, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "0.4")
LINES = {FUSED: "-", BATCHED: "--"}
MARKS = "sD^v*P"
ROOM = 40.0
"""Factor left free below the lowest rate, for the legends."""
LIMIT_LINES = {"multiply-adds": (0, (6, 2)), "rows": (0, (1, 1)), "bare trials": (0, (3, 1, 1, 1))}
NOTE = (
    "Trials of one process: medians and quartiles of turns. Thin lines: limits of one core, measured in the "
    "same run (dashed: multiply-adds; dotted: reading the weights for each walker apart; dash-dotted: random "
    "numbers, two sites, look-ups from the nearest cache and a bin, all else for free)."
)


def rate_figure(path: str | os.PathLike[str], benchmark: Benchmark) -> None:
    """Draw both panels.

    Raises
    ------
    InputError
        If matplotlib is missing or cannot write such a file.
    """
    oracles = list(dict.fromkeys(rate.oracle for rate in benchmark.rates))
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(oracles)}
    with new_figure(8.6, 4.4) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        _against_walkers(left, benchmark, colours)
        _against_atoms(right, benchmark, colours)
        left.set_ylim(bottom=min(rate.trials_per_second for rate in benchmark.rates) / ROOM)
        save_figure(figure, path, f"{NOTE} {benchmark.machine.cpu}, {benchmark.system}.")


def _against_walkers(axes: Axes, benchmark: Benchmark, colours: dict[str, str]) -> None:
    rates = [rate for rate in benchmark.rates if rate.n_sites == benchmark.n_sites]
    for oracle, colour in colours.items():
        ours = [rate for rate in rates if rate.oracle == oracle]
        for number, engine in enumerate(dict.fromkeys(rate.engine for rate in ours)):
            chosen = [rate for rate in ours if rate.engine == engine]
            style = LINES.get(engine, "")
            mark = "o" if style else MARKS[number % len(MARKS)]
            name = f"{name_of_oracle(oracle)}, {engine}"
            _draw(axes, chosen, [rate.walkers for rate in chosen], colour, style, mark, name)
        _draw_limits(axes, benchmark, oracle, colour)
    axes.set(xscale="log", yscale="log", xlabel="walkers", ylabel="trials/s", title=f"{benchmark.n_sites} atoms")
    _tick(axes, {rate.walkers for rate in rates})
    axes.legend(fontsize=6.5, loc="lower right", ncols=2)


def _draw_limits(axes: Axes, benchmark: Benchmark, oracle: str, colour: str) -> None:
    """Draw the two lowest limits; others play no part."""
    line = benchmark.roofline(oracle, benchmark.n_sites)
    limits = line.limits if line else {}
    for name in sorted(limits, key=limits.__getitem__)[:2]:
        axes.axhline(limits[name], color=colour, linewidth=0.7, linestyle=LIMIT_LINES[name])


def _against_atoms(axes: Axes, benchmark: Benchmark, colours: dict[str, str]) -> None:
    fewest = min((rate.walkers for rate in benchmark.rates if rate.engine == FUSED), default=1)
    for oracle, colour in colours.items():
        ours = [rate for rate in benchmark.rates if rate.oracle == oracle]
        engines = dict.fromkeys(rate.engine for rate in ours)
        for number, engine in enumerate(engines):
            chosen = sorted(
                (rate for rate in ours if rate.engine == engine and rate.walkers in (fewest, 1)),
                key=lambda rate: rate.n_sites,
            )
            if engine not in (BATCHED, PYTHON_LOOP):
                mark = "o" if engine == FUSED else MARKS[number % len(MARKS)]
                short = name_of_oracle(oracle)
                style, name = ("-", short) if engine == FUSED else (":", f"{engine}, {short}")
                _draw(axes, chosen, [rate.n_sites for rate in chosen], colour, style, mark, name)
        lines = sorted((line for line in benchmark.rooflines if line.oracle == oracle), key=lambda line: line.n_sites)
        places = [line.n_sites for line in lines]
        axes.plot(places, [line.lowest for line in lines], color=colour, linewidth=0.7, marker="_", linestyle="-.")
    axes.set(xscale="log", yscale="log", xlabel="atoms", title=f"{fewest} walker{'s' if fewest > 1 else ''}, one core")
    _tick(axes, {rate.n_sites for rate in benchmark.rates})
    axes.legend(fontsize=6.5, loc="lower left", ncols=2)


def _tick(axes: Axes, places: set[int]) -> None:
    axes.set_xticks(sorted(places), [str(place) for place in sorted(places)])
    axes.set_xticks([], minor=True)


def _draw(axes: Axes, rates: list[Rate], places: list[int], colour: str, style: str, mark: str, label: str) -> None:
    medians = [rate.trials_per_second for rate in rates]
    errors = [
        [rate.trials_per_second - rate.lower for rate in rates],
        [rate.upper - rate.trials_per_second for rate in rates],
    ]
    axes.errorbar(
        places, medians, errors, color=colour, linestyle=style or "none", marker=mark, markersize=4, label=label
    )
