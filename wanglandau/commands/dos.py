"""``wanglandau dos``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.settings import WangLandauSettings

if TYPE_CHECKING:
    from wanglandau.oracle import EnergyOracle
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.sampled_density import SampledDensity
    from wanglandau.systems import System


def dos(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    repeat: tuple[int, int, int] | None = None,
    settings: WangLandauSettings,
    out: Path | None = None,
    exact: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Estimate a density of states by Wang-Landau sampling.

    Independent runs at one composition, by the 1/t schedule. The run file holds ln g with its standard error, settings,
    seeds, diagnostics and a verdict. Ends with exit code 3 when the verdict is not to trust the result.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracle
        Where energies come from: surrogate, surrogate:FILE, xgboost:FILE, pair:FILE, ase:NAME, or any installed one.
    composition
        Number of second-species atoms; default: the system's own, usually half the sites.
    repeat
        Cells along each axis, instead of the system's own.
    settings
        How to sample.
    out
        Run file to write; default: SYSTEM-COMPOSITION.h5 in this folder.
    exact
        Enumerate the exact density of states too, write it to this file and compare (at most 32 sites).
    figure
        Draw ln g, its error and C(T) into this file (PNG, PDF or SVG).
    """
    from wanglandau.commands.exact import enumerate_and_write
    from wanglandau.commands.preparation import check_figure, check_writable, prepare
    from wanglandau.exact import check_enumerable
    from wanglandau.run_file import write_run
    from wanglandau.sampling import sample_density

    start = time.perf_counter()
    chosen, energies, n_second = prepare(system, oracle, composition, repeat)
    out = out or Path(f"{chosen.name}-{n_second}.h5")
    check_writable(out, exact)
    check_figure(figure)
    if exact is not None:
        check_enumerable(energies)
    sampled = sample_density(energies, n_second, settings)
    record = _run_record(chosen, oracle, energies, sampled, time.perf_counter() - start)
    write_run(out, record)
    exact_record = None if exact is None else enumerate_and_write(chosen, oracle, energies, n_second, False, exact)
    return _report_run(record, exact_record, out, figure, getattr(energies, "caution", ""))


def _run_record(
    system: System, specification: str, oracle: EnergyOracle, sampled: SampledDensity, duration: float
) -> RunRecord:
    from wanglandau.provenance import versions
    from wanglandau.run_file import RunRecord, describe_oracle, describe_system
    from wanglandau.verdict import judge

    return RunRecord(
        density=sampled.density,
        system=describe_system(system.name, system.lattice),
        oracle=describe_oracle(specification, oracle),
        settings=asdict(sampled.settings),
        versions=versions(),
        seeds=[sampled.settings.seed],
        diagnostics=sampled.diagnostics() | {"histogram": sampled.histogram},
        verdict=asdict(judge(sampled)),
        duration_s=duration,
    )


def _report_run(record: RunRecord, exact: ExactRecord | None, out: Path, figure: Path | None, caution: str) -> Report:
    from wanglandau import comparison
    from wanglandau.inspection import describe

    text, values = describe(record)
    values |= {"out": out}
    if exact is not None:
        compared = comparison.compare(record, exact)
        text += f"\n\n{compared}"
        values["comparison"] = compared.to_json()
    if figure is not None:
        from wanglandau.figures import density_figure

        density_figure(figure, record, exact, note=caution)
        values["figure"] = figure
    written = ", ".join(str(path) for path in (out, figure) if path is not None)
    text += f"\n\n{caution}" if caution else ""
    text += f"\n\nwritten to {written}\n{record.verdict['summary']}"
    return Report(text, values, EXIT_DONE if record.verdict["trusted"] else EXIT_NOT_CONVERGED)
