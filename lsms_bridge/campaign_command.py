"""The console commands that compute many configurations and make data sets of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wanglandau.command_line import EXIT_NOT_CONVERGED, Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    import numpy as np

    from lsms_bridge.campaign import Campaign
    from lsms_bridge.result_log import Record
    from wanglandau.systems import System

Select = Literal["balanced", "ordered", "lowest", "highest", "list"]


@ends_in_order("finished results are kept, runs in flight were ended; the same command goes on")
def campaign(
    system: str,
    /,
    *,
    lsms: Path,
    select: Select = "balanced",
    count: int | None = None,
    compositions: tuple[int, int] | None = None,
    seed: int = 0,
    oracle: str = "surrogate",
    configurations: Path | None = None,
    again: bool = False,
    executor: str = "threads",
    ending: EndingSettings,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Compute many configurations with LSMS and keep every result.

    Results are on disk before they are used; the same command goes on where it was ended, whatever ended it.
    Symmetry-equivalent configurations are computed once, known ones not at all.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file: executable, folder, parameters.
    select : str
        balanced (random, equally over compositions), ordered (the most symmetric ones), lowest or highest (energies by
        the oracle) or list (a file).
    count : int
        Number of configurations that are new.
    compositions : tuple of two int
        First and last number of second-species atoms; all unless said otherwise.
    seed : int
        Of a balanced selection.
    oracle : str
        Cheap oracle for lowest and highest.
    configurations : Path
        File for list: a data set (.h5), or text with a line of 0 and 1 for each configuration.
    again : bool
        Try those anew that were given up before.
    executor : str
        threads, or parsl:FILE.py, a Python file that defines a parsl Config named config.
    ending : EndingSettings
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    from lsms_bridge.executors import open_executor
    from lsms_bridge.preparation import load, open_campaign
    from lsms_bridge.selection import SOURCES

    chosen, settings = load(system, lsms, repeat)
    with open_executor(executor) as workers, open_campaign(chosen, settings, workers) as opened:
        opened.pure_records()
        rows = _rows(chosen, opened, select, count, compositions, seed, oracle, configurations)
        try:
            records = opened.compute(rows, SOURCES[select], again=again)
        finally:
            _summarise(opened)
        return _campaign_report(chosen, opened, records)


def collect(
    system: str,
    /,
    *,
    lsms: Path,
    out: Path | None = None,
    merge: str | None = None,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Make a data set of all results in the folder of a campaign.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file of the campaign.
    out : Path
        HDF5 file to write; SYSTEM-lsms-data.h5 unless said otherwise.
    merge : str
        Data set to put first: the name of a shipped one, or a file. Orbits that it holds are not taken twice.
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    import numpy as np

    from lsms_bridge.collection import collect_dataset
    from lsms_bridge.preparation import load, open_campaign
    from surrogate.dataset import load_dataset, save_dataset
    from wanglandau.commands.preparation import check_writable

    chosen, settings = load(system, lsms, repeat)
    target = out or Path(f"{chosen.name}-lsms-data.h5")
    check_writable(target)
    base = None if merge is None else load_dataset(merge)
    with open_campaign(chosen, settings) as opened:
        data = collect_dataset(opened, chosen.name, base)
    save_dataset(data, target)
    values = {
        "dataset": target,
        "n_configurations": len(data),
        "n_orbits": len(np.unique(data.orbit)),
        "n_new": len(data) - (0 if base is None else len(base)),
        "reference_energies_ry_per_atom": data.reference_energies,
        "dataset_digest": data.digest,
    }
    text = f"wrote {target}: {len(data)} configurations in {values['n_orbits']} orbits, {values['n_new']} of them new"
    return Report(text, values)


def status(
    system: str,
    /,
    *,
    lsms: Path,
    report: Path | None = None,
    figure: Path | None = None,
    repeat: tuple[int, int, int] | None = None,
) -> Report:
    """Tell how a campaign goes or went: results, failed runs, iterations, seconds, convergence.

    Reads the log of results only, also while a campaign runs.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    lsms : Path
        Configuration file of the campaign.
    report : Path
        Markdown file to write.
    figure : Path
        Draw energies, iterations, seconds and convergence into this file (PNG, PDF or SVG).
    repeat : tuple of three int
        Number of conventional cells along each axis, instead of the system's own.
    """
    from lsms_bridge.preparation import load
    from lsms_bridge.result_log import read_records
    from lsms_bridge.statistics import campaign_statistics, statistics_report
    from wanglandau.commands.preparation import check_figure, check_writable

    chosen, settings = load(system, lsms, repeat)
    check_writable(report)
    check_figure(figure)
    physics = settings.parameters.physics()
    records = read_records(settings.folder, chosen.lattice, physics)
    found = campaign_statistics(records, chosen.lattice.n_sites)
    text = statistics_report(chosen.name, found, physics)
    if report is not None:
        report.write_text(text, encoding="utf-8")
    if figure is not None:
        from lsms_bridge.campaign_figure import campaign_figure

        campaign_figure(figure, chosen.name, records)
    return Report(text.rstrip("\n"), found)


def _rows(
    system: System,
    open_campaign: Campaign,
    kind: Select,
    count: int | None,
    compositions: tuple[int, int] | None,
    seed: int,
    oracle: str,
    configurations: Path | None,
) -> np.ndarray:
    from lsms_bridge.selection import Selection, read_configurations, select
    from wanglandau.oracle_registry import load_oracle

    if kind == "list":
        if configurations is None:
            raise InputError("--select list needs a file: give --configurations")
        return read_configurations(configurations, system.lattice)[:count]
    if configurations is not None:
        raise InputError(f"--configurations goes with --select list, not with {kind}; leave it out")
    if count is not None and count < 1:
        raise InputError(f"count is {count}; give a number of at least 1")
    n_sites = system.lattice.n_sites
    first, last = compositions or (0, n_sites)
    if not 0 <= first <= last <= n_sites:
        raise InputError(
            f"compositions are {first} to {last}; choose two numbers from 0 to {n_sites}, the smaller first"
        )
    cheap = load_oracle(oracle, system) if kind in ("lowest", "highest") else None
    chosen = Selection(kind, count, tuple(range(first, last + 1)), seed)
    return select(system.lattice, chosen, lambda row: open_campaign.find(row) is not None, cheap)


def _summarise(open_campaign: Campaign) -> None:
    """Say on standard error what was spent, also where an error or an interrupt ends the command."""
    import sys

    print(open_campaign.usage, file=sys.stderr)


def _campaign_report(system: System, open_campaign: Campaign, records: list[Record]) -> Report:
    usage = open_campaign.usage
    given_up = [record for record in records if not record.done]
    values = {
        "system": system.name,
        "folder": open_campaign.configuration.folder,
        "n_asked": len(records),
        "n_results_in_log": sum(record.done for record in open_campaign.log),
        "usage": vars(usage) | {"failures": dict(usage.failures)},
        "given_up": [{"occupations": record.occupations, "folder": record.folder} for record in given_up],
    }
    lines = [
        f"{len(records)} configurations of {system.name}: {len(records) - len(given_up)} have results, "
        f"{usage.computed} of them computed now; {values['n_results_in_log']} results in {values['folder']}"
    ]
    for record in given_up:
        lines.append(f"given up: {record.occupations} ({record.folder}): {record.reason}")
    if given_up:
        lines.append("look at what LSMS printed there, then run the same command with --again")
    return Report("\n".join(lines), values, EXIT_NOT_CONVERGED if given_up else 0)
