"""``wanglandau scaling``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order, stop_if_asked, time_left
from wanglandau.run_lock import locked
from wanglandau.settings import WangLandauSettings

if TYPE_CHECKING:
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.scaling import Scaling


@ends_in_order("cells that were finished are kept; the same command goes on")
def scaling(
    system: str,
    /,
    *,
    sizes: list[str],
    oracle: str = "surrogate",
    fraction: float | None = None,
    settings: WangLandauSettings,
    ending: EndingSettings,
    exponent: float | None = None,
    folder: Path = Path("scaling"),
    csv: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Follow the peak of C over cells of several sizes and extrapolate to the infinite crystal.

    Cells of up to 32 sites are enumerated exactly, larger ones sampled as by dos. Every cell has its result file; a
    file that already holds the same calculation is not computed again, so an interrupted study goes on where it was.
    Ends with exit code 3 when the verdict on a cell is not to trust it.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    sizes
        Conventional cells along each axis, one AxBxC for every cell.
    oracle
        Where energies come from, as for dos; it has to fit cells of all these sizes.
    fraction
        Part of the sites that the second species takes; default: the system's own.
    settings
        How to sample.
    ending
        When to end early.
    exponent
        p of T(L) = T_c + a L^-p to quote; default: 3 where the largest cell shows two phases, else 1/nu of the
        Ising model.
    folder
        Where the result files go; it is made if need be.
    csv
        Write the table to this file.
    figure
        Draw C(T) of all cells and the extrapolation into this file (PNG, PDF or SVG).
    """
    from wanglandau.commands.preparation import check_figure, check_folder, check_writable
    from wanglandau.progress import tell
    from wanglandau.scaling import csv_table, describe, parse_size, scale, sized_cell

    if settings.ensemble != "canonical":
        raise InputError(f"ensemble {settings.ensemble} has all compositions; scaling is of one, take canonical")
    if exponent is not None and not 0 < exponent < float("inf"):
        raise InputError(f"exponent {exponent} must be positive, as 1/nu or the dimension are")
    repeats = sorted({parse_size(size) for size in sizes}, key=lambda size: size[0] * size[1] * size[2])
    check_writable(csv)
    check_folder(folder)
    check_figure(figure)
    plans = _plans(system, oracle, fraction, repeats, folder)
    folder.mkdir(exist_ok=True)
    cells = []
    with locked(folder / "lock", str(folder)):
        for number, (repeat, n_second, file) in enumerate(plans, 1):
            stop_if_asked()
            tell(f"cell {'x'.join(map(str, repeat))}, {number} of {len(plans)}")
            record = _result(system, oracle, repeat, n_second, settings, file)
            cells.append(sized_cell(repeat, n_second, file, record))
    found = scale(cells, exponent)
    text, values = describe(found), _values(found)
    if csv is not None:
        csv.write_text(csv_table(found), encoding="utf-8")
    if figure is not None:
        _draw(figure, found)
    written = [str(path) for path in (folder, csv, figure) if path is not None]
    text += f"\nwritten to {', '.join(written)}"
    return Report(text, values, EXIT_NOT_CONVERGED if found.untrusted else EXIT_DONE)


def _plans(
    system: str, oracle: str, fraction: float | None, repeats: list[tuple[int, int, int]], folder: Path
) -> list[tuple[tuple[int, int, int], int, Path]]:
    """Settle composition and file of every cell; refuse what does not fit before any work is done."""
    from wanglandau.oracle_registry import load_oracle
    from wanglandau.scaling import composition_at
    from wanglandau.systems import load_system

    own = load_system(system)
    part = own.composition / own.lattice.n_sites if fraction is None else fraction
    plans = []
    for repeat in repeats:
        chosen = load_system(system, repeat)
        load_oracle(oracle, chosen)
        n_second = composition_at(part, chosen.lattice.n_sites)
        plans.append((repeat, n_second, folder / f"{chosen.name}-{'x'.join(map(str, repeat))}-{n_second}.h5"))
    return plans


def _result(
    system: str, oracle: str, repeat: tuple[int, int, int], n_second: int, settings: WangLandauSettings, file: Path
) -> RunRecord | ExactRecord:
    """Return what the file holds where that is what is wanted, else compute it."""
    from wanglandau.commands.dos import dos
    from wanglandau.commands.exact import enumerate_and_write
    from wanglandau.commands.preparation import prepare
    from wanglandau.keeping_settings import SHORTEST_WALLTIME, KeepingSettings
    from wanglandau.orbits import MAX_ENUMERATED_SITES
    from wanglandau.run_file import RunRecord, read_result
    from wanglandau.scaling import is_same_work

    chosen, energies, _ = prepare(system, oracle, n_second, repeat)
    exact = chosen.lattice.n_sites <= MAX_ENUMERATED_SITES and energies.invariant
    if file.exists():
        known = read_result(file)
        if isinstance(known, RunRecord) != exact and is_same_work(
            known, chosen.lattice, energies.identity, n_second, settings
        ):
            return known
    if exact:
        return enumerate_and_write(chosen, oracle, energies, n_second, False, file)
    left = time_left()
    keeping = KeepingSettings(True, None if left is None else max(left, SHORTEST_WALLTIME))
    try:
        dos(system, oracle=oracle, composition=n_second, repeat=repeat, settings=settings, out=file, keeping=keeping)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{error}, or the same command as now, which goes on with this cell") from error
    return read_result(file)


def _values(found: Scaling) -> dict[str, Any]:
    return {
        "cells": [cell.row() for cell in found.cells],
        "laws": found.laws,
        "chosen": found.chosen,
        "fitted": ["x".join(map(str, cell.repeat)) for cell in found.fitted],
        "untrusted": [str(cell.file) for cell in found.untrusted],
    }


def _draw(figure: Path, found: Scaling) -> None:
    from wanglandau.scaling_figure import scaling_figure
    from wanglandau.thermodynamics import default_temperatures, thermodynamics

    if found.law is None:
        raise InputError(f"no figure {figure}: an extrapolation needs two cells with a peak of C; give more --sizes")
    grid = default_temperatures(found.cells[-1].source)
    cells = [(cell.n_sites, thermodynamics(cell.source, grid), cell.peak) for cell in found.cells]
    note = "; ".join(f"{cell.file.name} is not to be trusted" for cell in found.untrusted)
    scaling_figure(figure, cells, found.law, note=note)
