"""``wanglandau dos``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.errors import InputError
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.settings import WangLandauSettings

if TYPE_CHECKING:
    from wanglandau.interruption import Interruption
    from wanglandau.oracle import EnergyOracle
    from wanglandau.ranks import Ranks
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.run_keeper import RunKeeper
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
    keeping: KeepingSettings,
) -> Report:
    """Estimate a density of states by Wang-Landau sampling.

    Independent runs, by default at one composition and by the 1/t schedule, continued with fixed weights once ln g is
    good enough. The run file holds ln g with its standard error, averages of order parameters by energy, settings,
    seeds, diagnostics and a verdict. Ends with exit code 3 when the verdict is not to trust the result. Several
    processes share the work when started by mpiexec.

    Checkpoints are kept beside the run file; SIGTERM, SIGINT (Ctrl-C), SIGUSR1 and the limit of wall time end the
    command with exit code 75 and a checkpoint, from which the same command goes on when given --resume, bit for bit as
    if nothing had happened.

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
    keeping
        When checkpoints are written and work ends.
    """
    from wanglandau.interruption import interruptible

    given = {"oracle": oracle, "composition": composition, "repeat": repeat, "settings": settings, "keeping": keeping}
    with interruptible(keeping.max_walltime) as interruption:
        # slow to import: signals count from here on
        from wanglandau.commands.keeping import end_at_once, one_writer
        from wanglandau.orderly_end import ending_in_order
        from wanglandau.ranks import launched_ranks

        interruption.rescue = lambda: end_at_once(f"interrupted ({interruption.reason}) before anything was done")
        chosen, energies, n_second = _prepare(system, oracle, composition, repeat, settings)
        name = settings.ensemble if n_second is None else n_second
        files = Files(out or Path(f"{chosen.name}-{name}.h5"), exact, figure)
        _check(files, energies, settings)
        job = Job(chosen, oracle, energies, n_second, settings, keeping, files, _command(system, given | asdict(files)))
        ranks = launched_ranks()
        with one_writer(files.out, ranks):
            record, said = _sample(job, ranks, interruption)
    if record is None:
        return Report("")  # another process reports; the exit code of all is the largest
    more = f"the density of states is in {files.out}, what was to be done with it is not; the same command does that"
    with ending_in_order(more, interruption.remaining()) as later:
        if interruption.asked.is_set():
            later.ask(interruption.reason)
        return _report(job, record, said)


@dataclass(frozen=True)
class Files:
    """What is written."""

    out: Path
    exact: Path | None
    figure: Path | None


@dataclass(frozen=True)
class Job:
    """What there is to do; ``composition`` is None where the ensemble has all."""

    system: System
    specification: str
    oracle: EnergyOracle
    composition: int | None
    settings: WangLandauSettings
    keeping: KeepingSettings
    files: Files
    command: str


def _command(system: str, options: dict[str, Any]) -> str:
    from wanglandau.commands.keeping import command_to_go_on

    return command_to_go_on(["wanglandau", "dos", system], options)


def _prepare(
    name: str,
    specification: str,
    composition: int | None,
    repeat: tuple[int, int, int] | None,
    settings: WangLandauSettings,
) -> tuple[System, EnergyOracle, int | None]:
    from wanglandau.commands.preparation import prepare

    free = settings.ensemble != "canonical"
    if free and composition is not None:
        raise InputError(f"ensemble {settings.ensemble} has all compositions; leave --composition {composition} out")
    system, oracle, n_second = prepare(name, specification, composition, repeat)
    return system, oracle, None if free else n_second


def _check(files: Files, oracle: EnergyOracle, settings: WangLandauSettings) -> None:
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.exact import check_enumerable

    check_writable(files.out, files.exact)
    check_figure(files.figure)
    if files.exact is not None:
        check_enumerable(oracle)
    if settings.ensemble == "semigrand" and files.figure is not None:
        raise InputError("a figure of one density of states is no use here; draw with wanglandau mixing OUT --figure")


def _sample(job: Job, ranks: Ranks, interruption: Interruption) -> tuple[RunRecord | SemigrandRecord | None, str]:
    """Sample, unless the result is there already, and write it; the first process returns it and says what it did."""
    from wanglandau.checkpoint_file import checkpoint_of
    from wanglandau.commands.keeping import by_first, check_free, end_at_once, finished_result
    from wanglandau.run_keeper import RunKeeper
    from wanglandau.sampling import sample_density

    out, resume = job.files.out, job.keeping.resume
    checkpoint = checkpoint_of(out)

    def look() -> RunRecord | SemigrandRecord | None:
        if resume:
            return finished_result(out, checkpoint, job.oracle, job.composition, job.settings)
        check_free(checkpoint)
        return None

    there, found = by_first(look, ranks)
    if there:
        return found, f"{out} was finished before; nothing was computed"
    names = job.system.name, job.specification
    interval = job.keeping.checkpoint_interval
    keeper = RunKeeper(checkpoint, names, job.command, interruption, interval, resume, end_at_once)
    sampled = sample_density(job.oracle, job.composition, job.settings, ranks=ranks, keeper=keeper)
    record = _record(job, sampled, keeper)
    if ranks.rank:
        return None, ""
    _write(out, record)
    more = keeper.conclude(record.verdict["trusted"])
    return record, f"written to {out}" + (f"; to go on with more: {more}" if more else "")


def _record(job: Job, sampled: SampledDensity, keeper: RunKeeper) -> RunRecord | SemigrandRecord:
    from wanglandau.provenance import versions
    from wanglandau.run_file import RunRecord, describe_oracle, describe_system
    from wanglandau.semigrand_file import SemigrandRecord
    from wanglandau.verdict import judge

    continuations = keeper.history["continuations"]
    common: dict[str, Any] = {
        "system": describe_system(job.system.name, job.system.lattice),
        "oracle": describe_oracle(job.specification, job.oracle),
        "settings": asdict(sampled.settings),
        "versions": versions(),
        "seeds": [sampled.settings.seed],
        "diagnostics": sampled.diagnostics() | ({"continuations": continuations} if continuations else {}),
        "verdict": asdict(judge(sampled)),
        "duration_s": keeper.duration_s,
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


def _report(job: Job, record: RunRecord | SemigrandRecord, what: str) -> Report:
    from wanglandau.comparison import compare
    from wanglandau.inspection import describe_any
    from wanglandau.run_file import RunRecord
    from wanglandau.semigrand_comparison import compare_semigrand

    exact, figure = _exact_record(job), job.files.figure
    text, values = describe_any(record)
    values |= {"out": job.files.out}
    if exact is not None:
        compared = compare(record, exact) if isinstance(record, RunRecord) else compare_semigrand(record, exact)
        text += f"\n\n{compared}"
        values["comparison"] = compared.to_json()
    caution = getattr(job.oracle, "caution", "")
    if figure is not None and isinstance(record, RunRecord):
        from wanglandau.figures import density_figure

        density_figure(figure, record, exact, note=caution)
        values["figure"] = figure
        what += f", figure {figure}"
    text += f"\n\n{caution}" if caution else ""
    text += f"\n\n{what}\n{record.verdict['summary']}"
    return Report(text, values, _exit_code(record))


def _exact_record(job: Job) -> ExactRecord | None:
    """Enumerate the exact density of states, or read it where that was done before."""
    from wanglandau.commands.exact import enumerate_and_write
    from wanglandau.run_file import ExactRecord, read_result

    path = job.files.exact
    if path is None:
        return None
    if job.keeping.resume and path.exists():
        try:
            found = read_result(path)
        except InputError:
            found = None
        if isinstance(found, ExactRecord) and found.oracle["identity"] == job.oracle.identity:
            if found.levels.composition == job.composition:
                return found
    return enumerate_and_write(job.system, job.specification, job.oracle, job.composition, False, path)
