"""A page that shows a benchmark: commands, machine, tables and figure."""

from __future__ import annotations

import os
from pathlib import Path

from wanglandau.atomic_file import replacing
from wanglandau.benchmarking.results import Benchmark
from wanglandau.benchmarking.tables import as_text, markdown

EXPLANATION = """\
Rates are of Wang-Landau trials (swaps of two unlike atoms at fixed composition, ln f constant), of one process.
Engines: `fused` is the compiled kernel on one core, `batched` asks the oracle for one batch of energies a round,
`Python loop` calls the model once per trial. Contestants take turns, {turns} of {turn:.2g} s each; compilation,
start-up and a warm-up are left out. Peers run in processes of their own with one thread, on the same cell, pair
model, composition, start and bins, and had to give our energies first. Limits are measured in the same run:
`multiply-adds`, the peak rate of this core in float32; `rows`, reading the weights of a trial from the cache that
holds them, for one walker at a time; `bare trials`, random numbers, two sites, look-ups from the nearest cache and a
bin, all else for free. A program that needs less work for an energy than is counted may pass a limit."""


def write_report(path: Path, benchmark: Benchmark, command: str, figure: Path | None, data: Path | None) -> None:
    """Write a Markdown page.

    Parameters
    ----------
    path : Path
    benchmark : Benchmark
    command : str
        The command that made it.
    figure, data : Path or None
        Files of the same benchmark, to be shown and named.
    """
    explanation = EXPLANATION.format(turns=benchmark.turns, turn=benchmark.seconds / max(benchmark.turns, 1))
    lines = [f"# Rates: {benchmark.system}", "", "    " + command, "", explanation, ""]
    if figure is not None:
        lines += [f"![Trials per second against walkers and atoms]({_relative(figure, path)})", ""]
    if data is not None:
        lines += [f"All numbers, every turn included: [{data.name}]({_relative(data, path)}).", ""]
    lines += [as_text(benchmark, markdown, "## "), ""]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _relative(file: Path, page: Path) -> str:
    return Path(os.path.relpath(file.absolute(), page.absolute().parent)).as_posix()
