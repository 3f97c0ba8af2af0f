"""``wanglandau metropolis``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.errors import InputError
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.metropolis_settings import MetropolisSettings, ProposalSettings
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from wanglandau.delayed_acceptance import Proposal
    from wanglandau.metropolis import MetropolisResult
    from wanglandau.metropolis_file import MetropolisRecord
    from wanglandau.oracle import EnergyOracle
    from wanglandau.result_keeper import ResultKeeper
    from wanglandau.systems import System

MAX_FRAMES = 1000
"""Configurations in an extended XYZ file."""
RUN = "run"
"""Where the diagnostics of a result say of what calculation it is."""


@ends_in_order("nothing was kept yet; the same command begins anew")
def metropolis(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    repeat: tuple[int, int, int] | None = None,
    temperatures: list[float],
    settings: MetropolisSettings,
    proposal_oracle: str | None = None,
    proposal: ProposalSettings,
    keeping: KeepingSettings,
    out: Path | None = None,
    csv: Path | None = None,
    figure: Path | None = None,
    trajectory: Path | None = None,
    xyz: Path | None = None,
) -> Report:
    """Sample energy, heat capacity, order and composition at given temperatures by the Metropolis rule.

    Independent chains at every temperature, with errors that know of autocorrelation; with --tempering neighbouring
    temperatures exchange configurations. Where the oracle is dear, a cheap --proposal-oracle makes many trials for each
    energy that the oracle is asked for; the averages are those of the oracle all the same, whatever the cheap one is
    worth, and the same command asks for the same energies again. Signals and --max-walltime end it with a checkpoint
    beside the result and exit code 75; --resume goes on, bit for bit as if nothing had been. Ends with exit code 3 when
    the verdict is not to trust the result.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracle
        Where energies come from: surrogate, surrogate:FILE, xgboost:FILE, pair:FILE, ase:NAME, or any installed one.
    composition
        Number of second-species atoms in the canonical ensemble; default: the system's own, usually half the sites.
    repeat
        Cells along each axis, instead of the system's own.
    temperatures
        One or more, in kelvin.
    settings
        How to sample.
    proposal_oracle
        A cheap oracle that proposes (delayed acceptance), written as for --oracle.
    proposal
        How it proposes.
    keeping
        Checkpoints.
    out
        Result file to write; default: SYSTEM-COMPOSITION-metropolis.h5 in this folder.
    csv
        Write the averages to this file.
    figure
        Draw the averages into this file (PNG, PDF or SVG).
    trajectory
        Keep all measured configurations, equilibration included, in this file (HDF5).
    xyz
        Keep up to 1000 of them, evenly spaced, in this file (extended XYZ, which ASE and OVITO read).
    """
    from wanglandau.commands.preparation import check_figure, check_writable, prepare
    from wanglandau.delayed_acceptance import Proposal
    from wanglandau.metropolis_keeping import CLASSES
    from wanglandau.metropolis_settings import checked_temperatures
    from wanglandau.oracle_registry import load_oracle
    from wanglandau.result_keeper import keeping as kept_on_disk

    wanted = checked_temperatures(temperatures)
    semigrand = settings.ensemble == "semigrand"
    if semigrand and composition is not None:
        raise InputError(f"composition {composition} is fixed, but ensemble semigrand lets it vary; leave one out")
    if proposal_oracle is None and proposal != ProposalSettings():
        raise InputError("--proposal-trials and --proposal-rounds go with a cheap --proposal-oracle; name it")
    chosen, energies, n_second = prepare(system, oracle, composition, repeat)
    out = out or Path(f"{chosen.name}-{'semigrand' if semigrand else n_second}-metropolis.h5")
    check_writable(out, csv, trajectory, xyz)
    check_figure(figure)
    cheap = None if proposal_oracle is None else Proposal(load_oracle(proposal_oracle, chosen), proposal)
    names = oracle, proposal_oracle
    task = _Task(chosen, names, energies, cheap, None if semigrand else n_second, wanted, settings, trajectory, xyz)
    caution = getattr(energies, "caution", "")
    with kept_on_disk(out, task.of_result(), keeping, CLASSES) as keeper:
        record = _finished(out, task.of_result(), keeper) if keeping.resume else None
        if record is not None:
            return _report(record, csv, figure, [path for path in (out, csv, figure) if path is not None], caution)
        record = task.run(out, keeper)
    written = [path for path in (out, csv, figure, trajectory, xyz) if path is not None]
    return _report(record, csv, figure, written, caution)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be sampled, and which configurations are to be kept."""

    system: System
    specifications: tuple[str, str | None]
    oracle: EnergyOracle
    proposal: Proposal | None
    composition: int | None
    temperatures: np.ndarray
    settings: MetropolisSettings
    trajectory: Path | None
    xyz: Path | None

    def of_result(self) -> dict[str, Any]:
        """Return everything that the result depends on."""
        cheap = self.proposal
        return {
            "system": self.system.name,
            "lattice": self.system.lattice.fingerprint,
            "oracle": self.oracle.identity,
            "proposal_oracle": None if cheap is None else cheap.oracle.identity,
            "composition": self.composition,
            "temperatures": self.temperatures.tolist(),
            "configurations_kept": self.trajectory is not None or self.xyz is not None,
        } | {
            name: value
            for part in (asdict(self.settings), {} if cheap is None else asdict(cheap.settings))
            for name, value in part.items()
            if name != "threads"
        }

    def run(self, out: Path, kept: ResultKeeper) -> MetropolisRecord:
        """Sample, from the checkpoint where there is one, and write all but csv and figure."""
        from wanglandau.atomic_file import remove_leftovers
        from wanglandau.metropolis import sample_metropolis
        from wanglandau.metropolis_file import write_metropolis
        from wanglandau.metropolis_keeping import MetropolisKeeper

        for path in (out, self.trajectory, self.xyz):
            if path is not None:
                remove_leftovers(path)
        keeper = MetropolisKeeper(kept)
        with ExitStack() as stack:
            shown = _Frames(self.system, stack, self.trajectory, self.xyz)
            listener = shown if shown.wanted else None
            result = sample_metropolis(
                self.oracle, self.composition, self.temperatures, self.settings,
                listener=listener, proposal=self.proposal, keeper=keeper,
            )  # fmt: skip
            record = self._record(result, kept.seconds)
            shown.write()
        write_metropolis(out, record)
        keeper.remove()
        return record

    def _record(self, result: MetropolisResult, duration: float) -> MetropolisRecord:
        from wanglandau.metropolis_file import with_proposal
        from wanglandau.run_file import describe_oracle

        record = _make_record(self.system, self.specifications[0], self.oracle, result, duration)
        record.diagnostics[RUN] = self.of_result()
        if self.proposal is None or self.specifications[1] is None:
            return record
        described = describe_oracle(self.specifications[1], self.proposal.oracle)
        return with_proposal(record, described, self.proposal.settings)


def _finished(out: Path, of: dict[str, Any], keeper: ResultKeeper) -> MetropolisRecord | None:
    """Return the finished result of the same calculation, if that is what is there instead of a checkpoint."""
    from wanglandau.metropolis_file import read_metropolis
    from wanglandau.run_description import refuse_different

    if keeper.state is not None or not out.exists():
        return None
    record = read_metropolis(out)
    if RUN not in record.diagnostics:
        raise InputError(f"{out} does not say of what calculation it is; leave --resume out to replace it")
    refuse_different(out, record.diagnostics[RUN], of)
    return record


class _Frames:
    """Writes configurations as they come: all to a trajectory, every so many as frames for an extended XYZ file."""

    def __init__(self, system: System, stack: ExitStack, trajectory: Path | None, xyz: Path | None) -> None:
        from wanglandau.trajectory import TrajectoryWriter

        self.lattice, self.xyz = system.lattice, xyz
        self.wanted = trajectory is not None or xyz is not None
        self._writer = None if trajectory is None else stack.enter_context(TrajectoryWriter(trajectory, self.lattice))
        self._frames: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._seen, self._stride = 0, 1

    def __call__(self, sweep: int, temperatures: np.ndarray, occupations: np.ndarray, energies: np.ndarray) -> None:
        if self._writer is not None:
            walkers = np.arange(len(energies))
            self._writer.append(occupations, energies, temperatures, sweep * self.lattice.n_sites, walkers)
        if self.xyz is not None and self._seen % self._stride == 0:
            self._frames.append((occupations.copy(), energies.copy(), temperatures.copy()))
            if len(self._frames) > 1 and len(self._frames) * len(energies) > MAX_FRAMES:
                self._frames, self._stride = self._frames[::2], 2 * self._stride
        self._seen += 1

    def write(self) -> None:
        """Write the frames kept, if any were asked for."""
        from wanglandau.trajectory import write_extxyz

        if self.xyz is not None:
            occupations, energies, temperatures = (np.concatenate(parts) for parts in zip(*self._frames, strict=True))
            write_extxyz(self.xyz, self.lattice, occupations, energies, temperatures=temperatures)


def _make_record(
    system: System, specification: str, oracle: EnergyOracle, result: MetropolisResult, duration: float
) -> MetropolisRecord:
    from wanglandau.metropolis_averages import average_all
    from wanglandau.metropolis_file import MetropolisRecord
    from wanglandau.metropolis_verdict import judge_metropolis
    from wanglandau.provenance import versions
    from wanglandau.run_file import describe_oracle, describe_system

    series, settings = result.series, result.settings
    averages = average_all(series)
    verdict = judge_metropolis(
        series, averages, result.exchange, settings.precision, result.interrupted, result.proposal
    )
    return MetropolisRecord(
        temperatures=series.temperatures,
        n_sites=series.n_sites,
        composition=series.composition,
        delta_mu=series.delta_mu,
        averages=averages,
        interval=series.interval,
        energies=series.energies,
        compositions=series.compositions.astype(np.int32),
        system=describe_system(system.name, system.lattice),
        oracle=describe_oracle(specification, oracle),
        settings=asdict(settings),
        versions=versions(),
        seeds=[settings.seed],
        diagnostics=result.diagnostics(),
        verdict=asdict(verdict),
        duration_s=duration,
    )


def _report(
    record: MetropolisRecord, csv: Path | None, figure: Path | None, written: list[Path], caution: str
) -> Report:
    from wanglandau.metropolis_inspection import describe_metropolis, format_csv

    text, values = describe_metropolis(record)
    if csv is not None:
        csv.write_text(format_csv(record), encoding="utf-8")
    if figure is not None:
        from wanglandau.metropolis_figure import metropolis_figure

        metropolis_figure(figure, record, note=caution)
    text += f"\n\n{caution}" if caution else ""
    text += f"\n\nwritten to {', '.join(map(str, written))}"
    exit_code = EXIT_DONE if record.verdict["trusted"] else EXIT_NOT_CONVERGED
    return Report(text, values | {"out": written[0], "written": written}, exit_code)
