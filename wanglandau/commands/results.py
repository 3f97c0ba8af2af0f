"""``wanglandau thermo``, ``compare`` and ``inspect``: what is done with result files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import Report
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.thermodynamics import Peak, Source, Thermodynamics


def thermo(
    file: Path,
    /,
    *,
    temperatures: str | None = None,
    composition: int | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Compute U, C, F and S against temperature from a density of states.

    Parameters
    ----------
    file
        A file written by dos or exact.
    temperatures
        LO:HI:STEP in kelvin; default: about the temperature where the heat capacity peaks.
    composition
        Which composition of an exact file that holds all; default: every configuration, at zero field.
    csv
        Write the curves to this file.
    figure
        Draw the curves into this file (PNG, PDF or SVG).
    """
    from wanglandau import thermodynamics as thermal
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.density_of_states import DensityOfStates
    from wanglandau.run_file import read_result

    check_writable(csv)
    check_figure(figure)
    record = read_result(file)
    source = _thermal_source(record, composition)
    grid = thermal.parse_temperatures(temperatures) if temperatures else thermal.default_temperatures(source)
    curves = thermal.thermodynamics(source, grid)
    peak = thermal.heat_capacity_peak(source, grid)
    if csv is not None:
        csv.write_text(thermal.format_csv(curves), encoding="utf-8")
    if figure is not None:
        from wanglandau.figures import thermodynamics_figure

        thermodynamics_figure(figure, curves)
    values: dict[str, Any] = {"temperature_k": curves.temperatures} | curves.per_atom() | {"peak": peak}
    if curves.standard_error is not None:
        values["standard_error"] = curves.standard_error.per_atom()
    if isinstance(source, DensityOfStates):
        values["microcanonical"] = {
            "mixing_energy_mev_per_atom": source.mean_energy * thermal.MEV_PER_RY / source.n_sites,
            "temperature_k": thermal.microcanonical_temperature(source),
        }
    return Report(_thermo_text(curves, peak, csv, figure), values)


def compare(run: Path, exact: Path, /, *, other_oracle: bool = False) -> Report:
    """Compare a sampled density of states with an exact one (or another run).

    Parameters
    ----------
    run
        A file written by dos.
    exact
        A file written by exact or dos.
    other_oracle
        Compare even if the two come from different energies.
    """
    from wanglandau import comparison
    from wanglandau.run_file import read_result, read_run

    compared = comparison.compare(read_run(run), read_result(exact), allow_other_oracle=other_oracle)
    return Report(str(compared), compared.to_json())


def inspect(file: Path, /) -> Report:
    """Tell what a result file is, how it was made and whether to trust it.

    Parameters
    ----------
    file
        A file written by dos or exact.
    """
    from wanglandau.inspection import describe, describe_exact
    from wanglandau.run_file import RunRecord, read_result

    record = read_result(file)
    text, values = describe(record) if isinstance(record, RunRecord) else describe_exact(record)
    return Report(text, values)


def _thermal_source(record: RunRecord | ExactRecord, composition: int | None) -> Source:
    from wanglandau.run_file import RunRecord
    from wanglandau.thermodynamics import Levels

    if isinstance(record, RunRecord):
        if composition not in (None, record.density.composition):
            raise InputError(f"this run is of composition {record.density.composition}, not {composition}")
        return record.density
    levels = record.levels
    if composition is not None:
        levels = levels.at_composition(composition)
    return Levels.exact(levels.n_sites, *levels.over_compositions())


def _thermo_text(curves: Thermodynamics, peak: Peak, csv: Path | None, figure: Path | None) -> str:
    atoms = curves.n_sites
    lines = ["     T/K   U/(meV/atom)   C/(k_B/atom)   F/(meV/atom)   S/(k_B/atom)"]
    rows = list(zip(curves.temperatures, *curves.per_atom().values(), strict=True))
    step = max(1, len(rows) // 25)
    lines += [f"{t:8.1f}   {u:12.4f}   {c:12.5f}   {f:12.4f}   {s:12.5f}" for t, u, c, f, s in rows[::step]]
    if peak.inside:
        lines.append(
            f"peak of C: {peak.height / atoms:.4f} +- {peak.height_error / atoms:.4f} k_B/atom "
            f"at {peak.temperature:.1f} +- {peak.temperature_error:.1f} K"
        )
    else:
        lines.append("C has no maximum between these temperatures; try others with --temperatures")
    lines += [f"written to {path}" for path in (csv, figure) if path is not None]
    return "\n".join(lines)
