"""``wanglandau dos``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.errors import InputError
from wanglandau.settings import WangLandauSettings

if TYPE_CHECKING:
    from wanglandau.oracle import EnergyOracle
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.sampled_density import SampledDensity
    from wanglandau.semigrand_file import SemigrandRecord
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

    Independent runs, by default at one composition and by the 1/t schedule, continued with fixed weights once ln g is
    good enough. The run file holds ln g with its standard error, averages of order parameters by energy, settings,
    seeds, diagnostics and a verdict. Ends with exit code 3 when the verdict is not to trust the result. Several
    processes share the work when started by mpiexec.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracle
        Where energies come from: surrogate, surrogate:FILE, xgboost:FILE, pair:FILE, ase:NAME, or any installed one.
    composition
        Number of second-species atoms; default: the system's own, usually half the sites. None where the ensemble has
        all compositions.
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
    from wanglandau.ranks import launched_ranks
    from wanglandau.sampling import sample_density

    start = time.perf_counter()
    if settings.ensemble != "canonical" and composition is not None:
        raise InputError(f"ensemble {settings.ensemble} has all compositions; leave --composition {composition} out")
    chosen, energies, n_second = prepare(system, oracle, composition, repeat)
    free = settings.ensemble != "canonical"
    out = out or Path(f"{chosen.name}-{settings.ensemble if free else n_second}.h5")
    check_writable(out, exact)
    check_figure(figure)
    if exact is not None:
        check_enumerable(energies)
    if settings.ensemble == "semigrand" and figure is not None:
        raise InputError("a figure of one density of states is no use here; draw with wanglandau mixing OUT --figure")
    ranks = launched_ranks()
    sampled = sample_density(energies, None if free else n_second, settings, ranks=ranks)
    record = _record(chosen, oracle, energies, sampled, time.perf_counter() - start)
    if ranks.rank:
        return Report("", {}, _exit_code(record))
    _write(out, record)
    wanted = None if free else n_second
    exact_record = None if exact is None else enumerate_and_write(chosen, oracle, energies, wanted, False, exact)
    return _report(record, exact_record, out, figure, getattr(energies, "caution", ""))


def _record(
    system: System, specification: str, oracle: EnergyOracle, sampled: SampledDensity, duration: float
) -> RunRecord | SemigrandRecord:
    from wanglandau.provenance import versions
    from wanglandau.run_file import RunRecord, describe_oracle, describe_system
    from wanglandau.semigrand_file import SemigrandRecord
    from wanglandau.verdict import judge

    common: dict[str, Any] = {
        "system": describe_system(system.name, system.lattice),
        "oracle": describe_oracle(specification, oracle),
        "settings": asdict(sampled.settings),
        "versions": versions(),
        "seeds": [sampled.settings.seed],
        "diagnostics": sampled.diagnostics(),
        "verdict": asdict(judge(sampled)),
        "duration_s": duration,
    }
    if sampled.settings.ensemble == "semigrand":
        densities = {n: density for n, density in sampled.densities.items() if n is not None}
        return SemigrandRecord(densities, **common)
    return RunRecord(density=sampled.density, averages=sampled.averages, joint=sampled.joint, **common)


def _write(out: Path, record: RunRecord | SemigrandRecord) -> None:
    from wanglandau.run_file import RunRecord, write_run
    from wanglandau.semigrand_file import write_semigrand

    if isinstance(record, RunRecord):
        write_run(out, record)
    else:
        write_semigrand(out, record)


def _exit_code(record: RunRecord | SemigrandRecord) -> int:
    return EXIT_DONE if record.verdict["trusted"] else EXIT_NOT_CONVERGED


def _report(
    record: RunRecord | SemigrandRecord, exact: ExactRecord | None, out: Path, figure: Path | None, caution: str
) -> Report:
    from wanglandau.comparison import compare
    from wanglandau.inspection import describe_any
    from wanglandau.run_file import RunRecord
    from wanglandau.semigrand_comparison import compare_semigrand

    text, values = describe_any(record)
    values |= {"out": out}
    if exact is not None:
        compared = compare(record, exact) if isinstance(record, RunRecord) else compare_semigrand(record, exact)
        text += f"\n\n{compared}"
        values["comparison"] = compared.to_json()
    if figure is not None and isinstance(record, RunRecord):
        from wanglandau.figures import density_figure

        density_figure(figure, record, exact, note=caution)
        values["figure"] = figure
    written = ", ".join(str(path) for path in (out, figure) if path is not None)
    text += f"\n\n{caution}" if caution else ""
    text += f"\n\nwritten to {written}\n{record.verdict['summary']}"
    return Report(text, values, _exit_code(record))
