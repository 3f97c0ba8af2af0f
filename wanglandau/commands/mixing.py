"""``wanglandau mixing``: free energy of mixing, phase boundaries and phase diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import Report
from wanglandau.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from wanglandau.mixing import Mixing
    from wanglandau.semigrand_file import AnyRecord


def mixing(
    files: list[Path],
    /,
    *,
    temperature: float | None = None,
    temperatures: str | None = None,
    min_height: float = 0.1,
    csv: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Compute the free energy of mixing and the phase boundaries of a cell from densities of states.

    At one temperature: free energy, energy and entropy of every composition, the phases that coexist and the
    chemical-potential difference at which they do. Over a range of temperatures: the phase diagram.

    Parameters
    ----------
    files
        One file of all compositions (from exact --all-compositions), or several of single compositions of one lattice
        and oracle. Pure species need no file.
    temperature
        In kelvin, for the table of one temperature.
    temperatures
        LO:HI:STEP in kelvin, for the phase diagram.
    min_height
        Where the free energy of the cell rises less than this (in k_B T) above a common tangent, read one phase.
    csv
        Write the table to this file.
    figure
        Draw it into this file (PNG, PDF or SVG).
    """
    from wanglandau import mixing_tables
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.mixing import phase_diagram
    from wanglandau.semigrand_file import read_any_result, sources_of

    grid = _temperatures(temperature, temperatures)
    if not 0 <= min_height < float("inf"):
        raise InputError(f"least height {min_height} must be 0 or more (in k_B T); 0.1 is usual")
    check_writable(csv)
    check_figure(figure)
    records = [read_any_result(file) for file in files]
    sources = sources_of(records)
    diagram = phase_diagram(sources, next(iter(sources.values())).n_sites, grid, min_height=min_height)
    boundaries, compositions = mixing_tables.boundary_rows(diagram), mixing_tables.composition_rows(diagram[0])
    values: dict[str, Any] = {"n_sites": diagram[0].n_sites, "untrusted": _untrusted(files, records)}
    values |= {"temperatures_k": grid, "regions": boundaries}
    if temperature is None:
        text, rows, columns = mixing_tables.describe_diagram(diagram), boundaries, mixing_tables.BOUNDARY_COLUMNS
    else:
        text, rows, columns = mixing_tables.describe_mixing(diagram[0]), compositions, tuple(compositions[0])
        values |= {"compositions": compositions, "vertices": diagram[0].vertices}
        values["ordered_points"] = diagram[0].ordered_points
    if csv is not None:
        csv.write_text(mixing_tables.format_rows(rows, columns), encoding="utf-8")
    if figure is not None:
        _draw(figure, diagram, records[0].system["species"], single=temperature is not None)
    notes = [f"do not trust: {file} says so itself; see 'wanglandau inspect'" for file in values["untrusted"]]
    notes += [f"written to {path}" for path in (csv, figure) if path is not None]
    return Report("\n".join([text, *notes]), values)


def _temperatures(temperature: float | None, temperatures: str | None) -> np.ndarray:
    import numpy as np

    from wanglandau.thermodynamics import parse_temperatures

    if (temperature is None) == (temperatures is None):
        raise InputError("give either --temperature T for one table or --temperatures LO:HI:STEP for a phase diagram")
    if temperatures is not None:
        return parse_temperatures(temperatures)
    if temperature is None or not 0 < temperature < float("inf"):
        raise InputError(f"temperature {temperature} must be above 0 K")
    return np.array([temperature])


def _untrusted(files: list[Path], records: list[AnyRecord]) -> list[str]:
    """Return the files whose own verdict is that they are not to be trusted."""
    from wanglandau.run_file import ExactRecord

    pairs = zip(files, records, strict=True)
    return [str(file) for file, record in pairs if not (isinstance(record, ExactRecord) or record.verdict["trusted"])]


def _draw(figure: Path, diagram: list[Mixing], species: list[str], *, single: bool) -> None:
    from wanglandau.composition_figures import mixing_figure, phase_diagram_figure

    if single:
        mixing_figure(figure, diagram[0], species)
    else:
        phase_diagram_figure(figure, diagram, species)
