"""``wanglandau metropolis`` and ``anneal``."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.errors import InputError
from wanglandau.metropolis_settings import AnnealingSettings, MetropolisSettings, ProposalSettings

if TYPE_CHECKING:
    from wanglandau.annealing import AnnealingResult
    from wanglandau.metropolis import MetropolisResult
    from wanglandau.metropolis_file import MetropolisRecord
    from wanglandau.oracle import EnergyOracle
    from wanglandau.systems import System

MAX_FRAMES = 1000
"""Configurations in an extended XYZ file."""


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
    worth, and the same command asks for the same energies again. Ends with exit code 3 when the verdict is not to trust
    the result.

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
    from wanglandau.metropolis import sample_metropolis
    from wanglandau.metropolis_file import with_proposal, write_metropolis
    from wanglandau.metropolis_settings import checked_temperatures
    from wanglandau.oracle_registry import load_oracle
    from wanglandau.run_file import describe_oracle

    start = time.perf_counter()
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
    with ExitStack() as stack:
        keeper = _Keeper(chosen, stack, trajectory, xyz)
        listener = keeper if keeper.wanted else None
        result = sample_metropolis(energies, n_second, wanted, settings, listener=listener, proposal=cheap)
        record = _make_record(chosen, oracle, energies, result, time.perf_counter() - start)
        if cheap is not None and proposal_oracle is not None:
            record = with_proposal(record, describe_oracle(proposal_oracle, cheap.oracle), proposal)
        keeper.write_frames()
    write_metropolis(out, record)
    written = [path for path in (out, csv, figure, trajectory, xyz) if path is not None]
    return _report(record, csv, figure, written, getattr(energies, "caution", ""))


def anneal(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    repeat: tuple[int, int, int] | None = None,
    settings: AnnealingSettings,
    out: Path | None = None,
) -> Report:
    """Search for the lowest energies of one composition by simulated annealing.

    Walkers are cooled side by side; the lowest configurations that symmetry does not make alike are listed, with the
    name of the ordered structure where it is a known one.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracle
        Where energies come from, as for metropolis.
    composition
        Number of second-species atoms; default: the system's own, usually half the sites.
    repeat
        Cells along each axis, instead of the system's own.
    settings
        How to cool.
    out
        Write the configurations to this file (extended XYZ, which ASE and OVITO read), lowest first.
    """
    from wanglandau.annealing import anneal as cool
    from wanglandau.commands.preparation import check_writable, prepare
    from wanglandau.trajectory import write_extxyz

    check_writable(out)
    chosen, energies, n_second = prepare(system, oracle, composition, repeat)
    found = cool(energies, n_second, settings)
    if out is not None:
        write_extxyz(out, chosen.lattice, found.occupations, found.energies)
    return _annealing_report(chosen, n_second, found, out, getattr(energies, "caution", ""))


class _Keeper:
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

    def write_frames(self) -> None:
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


def _annealing_report(
    system: System, composition: int, found: AnnealingResult, out: Path | None, caution: str
) -> Report:
    from wanglandau.levels import MEV_PER_RY

    per_atom = MEV_PER_RY / system.lattice.n_sites
    first, second = system.lattice.species
    energies = found.energies * per_atom
    alike = "inequivalent" if found.orbit_distinct else "different"
    lines = [f"{system.lattice.n_sites - composition} {first} + {composition} {second}: lowest {alike} configurations"]
    lines += ["     U/(meV/atom)  structure"]
    lines += [f"{energy:17.6f}  {name or '-'}" for energy, name in zip(energies, found.structures, strict=True)]
    lines.append(f"{found.chains_at_lowest} of {found.settings.chains} walkers ended in the lowest energy")
    if found.chains_at_lowest < 2:
        lines.append("with so few a lower energy may be left to find; raise --sweeps or --chains")
    if found.lowest_met < found.energies[0]:
        lines.append(f"a walker passed {found.lowest_met * per_atom:.6f} meV/atom on its way; raise --steps")
    lines += [caution] if caution else []
    lines += [f"written to {out}"] if out is not None else []
    values = {
        "system": system.name,
        "composition": composition,
        "energy_mev_per_atom": energies,
        "structure": list(found.structures),
        "occupations": found.occupations,
        "chains_at_lowest": found.chains_at_lowest,
        "orbit_distinct": found.orbit_distinct,
        "lowest_met_mev_per_atom": found.lowest_met * per_atom,
        "settings": asdict(found.settings),
        "out": out,
    }
    return Report("\n".join(lines), values)
