"""``wanglandau benchmark``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import Report, to_json
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from wanglandau.benchmark import Rivals


@ends_in_order("nothing was written; the same command begins anew")
def benchmark(
    system: str = "cuau",
    /,
    *,
    oracles: list[str] | None = None,
    composition: int | None = None,
    atoms: list[str] | None = None,
    walkers: list[int] | None = None,
    seconds: float = 2.0,
    turns: int = 5,
    peers: bool = False,
    peer_python: Path | None = None,
    brawl: Path | None = None,
    figure: Path | None = None,
    out: Path | None = None,
    report: Path | None = None,
) -> Report:
    """Measure Wang-Landau trials per second of oracles, engines and other programs, in turn in one run.

    Contestants take short turns, one after the other, so that a load which comes and goes meets all of them; ratios are
    medians of the quotients of neighbouring turns. Limits of the core are measured beside the rates.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracles
        Which to measure; default: a pair model and every surrogate shipped for the system.
    composition
        Number of second-species atoms; default: the system's own. Larger cells have the same part.
    atoms
        Further cells, one AxBxC of conventional cells for each, measured with the first number of walkers.
    walkers
        Numbers of walkers in the system's own cell (default: 1 4 16 64).
    seconds
        How long to measure each contestant, in all its turns.
    turns
        How many turns each has.
    peers
        Measure mchammer (icet) and smol on the pair model too (pip install 'alloy-wanglandau[peers]').
    peer_python
        Python interpreter in which the peers are installed; default: the one that runs this. Implies --peers.
    brawl
        Program BraWl (brawl.run), to be measured too.
    figure
        Draw rates against walkers and atoms, with the limits of the core, into this file (PNG, PDF or SVG).
    out
        Write all numbers to this file (JSON).
    report
        Write a page with commands, machine, tables and the figure to this file (Markdown).
    """
    from wanglandau.atomic_file import replacing
    from wanglandau.benchmark import BenchmarkSettings, run_benchmark
    from wanglandau.benchmarking.rate_figure import rate_figure
    from wanglandau.benchmarking.report import write_report
    from wanglandau.benchmarking.tables import as_text
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.scaling import parse_size

    check_figure(figure)
    check_writable(out, report)
    defaults = BenchmarkSettings()
    settings = BenchmarkSettings(
        seconds=seconds,
        turns=turns,
        walkers=tuple(walkers or defaults.walkers),
        cells=tuple(parse_size(size) for size in atoms or ()),
    )
    result = run_benchmark(system, settings, composition, oracles, _rivals(peers, peer_python, brawl))
    if out is not None:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(to_json(result.to_json()), indent=1, allow_nan=False) + "\n", "utf-8")
    if figure is not None:
        rate_figure(figure, result)
    if report is not None:
        write_report(report, result, shlex.join(["wanglandau", *_shown(sys.argv[1:])]), figure, out)
    return Report(as_text(result), result.to_json())


def _rivals(peers: bool, python: Path | None, brawl: Path | None) -> Rivals:
    from wanglandau.benchmark import Rivals
    from wanglandau.benchmarking.peer import default_python
    from wanglandau.errors import InputError

    if brawl is not None and not brawl.is_file():
        raise InputError(f"there is no program {brawl}; give --brawl the path of brawl.run")
    return Rivals(python or (default_python() if peers else None), brawl=brawl)


def _shown(words: list[str]) -> list[str]:
    """Return the words of the command; of paths outside the folder only the name, which is the same everywhere."""
    return [Path(word).name if Path(word).is_absolute() else word for word in words]
