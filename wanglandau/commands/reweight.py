"""``wanglandau reweight``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import EXIT_DONE, EXIT_NOT_CONVERGED, Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order
from wanglandau.reweighted_settings import ReweightingSettings

if TYPE_CHECKING:
    import numpy as np

    from wanglandau.density_of_states import DensityOfStates
    from wanglandau.oracle import EnergyOracle
    from wanglandau.reweighted_file import ReweightedRecord
    from wanglandau.reweighted_sampling import Reweighting
    from wanglandau.semigrand_file import AnyRecord
    from wanglandau.systems import System

EXACT_BINS = 200
"""Bins that exact levels are sorted into."""


@ends_in_order("energies that the oracle keeps on disk are not computed again by the same command")
def reweight(
    file: Path,
    /,
    *,
    oracle: str,
    proposal_oracle: str | None = None,
    composition: int | None = None,
    settings: ReweightingSettings,
    ending: EndingSettings,
    temperatures: str | None = None,
    out: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Turn the density of states of a cheap oracle into that of a dear one, with a budget of dear energies.

    Configurations spread over all energies of a finished density of states are given to the oracle; its own density of
    states and thermodynamics follow, with error bars, and how many samples carry them. The same command asks for the
    same energies again, so that an oracle that keeps its energies goes on where it was stopped. Ends with exit code 3
    when not every temperature is to be trusted.

    Parameters
    ----------
    file
        A file written by dos or exact with the cheap oracle.
    oracle
        The dear oracle, written as for dos.
    proposal_oracle
        The cheap oracle that the file was made with; default: as named in the file.
    composition
        Which composition of a file that holds several.
    settings
        How configurations are chosen.
    ending
        When to end early.
    temperatures
        LO:HI:STEP in kelvin; default: about the temperature where the heat capacity of the oracle peaks.
    out
        File to write; default: FILE-reweighted.h5 in this folder.
    figure
        Draw U, C, F and S into this file (PNG, PDF or SVG).
    """
    from wanglandau.commands.preparation import check_figure, check_writable
    from wanglandau.oracle_registry import load_oracle
    from wanglandau.reweighted_file import write_reweighted
    from wanglandau.reweighted_sampling import reweight as ask
    from wanglandau.semigrand_file import read_any_result
    from wanglandau.thermodynamics import default_temperatures, parse_temperatures

    start = time.perf_counter()
    grid = parse_temperatures(temperatures) if temperatures else None
    out = out or Path(f"{file.stem}-reweighted.h5")
    check_writable(out)
    check_figure(figure)
    source = read_any_result(file)
    density, system = _density(source, composition), _system(source)
    cheap_name = proposal_oracle or str(source.oracle["name"])
    cheap = _cheap_oracle(file, source, cheap_name, system)
    dear = load_oracle(oracle, system)
    found = ask(cheap, density, dear, settings, grid)
    found.diagnostics.update(_origin(file, source, density, cheap_name, cheap))
    grid = default_temperatures(found.density.levels) if grid is None else grid
    record = _record(source, oracle, dear, found, density, grid, settings, time.perf_counter() - start)
    write_reweighted(out, record)
    return _report(record, out, figure, getattr(dear, "caution", ""))


def _density(record: AnyRecord, composition: int | None) -> DensityOfStates:
    """Return the density of states of a file, exact levels sorted into bins."""
    from wanglandau.density_of_states import density_from_levels
    from wanglandau.energy_grid import EnergyGrid
    from wanglandau.run_file import ExactRecord, RunRecord

    if isinstance(record, RunRecord):
        if composition not in (None, record.density.composition):
            raise InputError(f"this run is of composition {record.density.composition}, not {composition}")
        return record.density
    if not isinstance(record, ExactRecord):
        if composition not in record.densities:
            some = ", ".join(str(known) for known in record.densities)
            raise InputError(f"this file has a density for each of several compositions; choose --composition {some}")
        return record.densities[composition]
    wanted = record.levels.composition if composition is None else composition
    if wanted is None:
        raise InputError(f"this file has all compositions; choose --composition 1 to {record.levels.n_sites - 1}")
    levels = record.levels.at_composition(wanted)
    low, high = float(levels.energies[0]), float(levels.energies[-1])
    if not high > low:
        raise InputError(f"all configurations of composition {wanted} have one energy; choose another composition")
    bins = EnergyGrid.covering(low, high, (high - low) / EXACT_BINS)
    return density_from_levels(bins, levels.n_sites, wanted, levels.energies, levels.degeneracies)


def _system(record: AnyRecord) -> System:
    from wanglandau.lattice import Lattice
    from wanglandau.systems import System

    told = record.system
    first, second = told["species"]
    lattice = Lattice((first, second), told["cell"], told["positions"], told["name"])
    return System(told["name"], lattice, lattice.n_sites // 2)


def _cheap_oracle(file: Path, record: AnyRecord, name: str, system: System) -> EnergyOracle:
    """Load the oracle a file was made with; refuse another."""
    from wanglandau.oracle_registry import load_oracle

    try:
        cheap = load_oracle(name, system)
    except InputError as error:
        raise InputError(f"{error}; say with --proposal-oracle which oracle {file} was made with") from error
    if cheap.identity != record.oracle["identity"]:
        raise InputError(
            f"{file} was made with {record.oracle['name']} of identity {record.oracle['identity'][:12]}, but {name} "
            f"now has identity {cheap.identity[:12]}: its energies are others; give the oracle that the file was made "
            "with as --proposal-oracle, or make the file anew"
        )
    return cheap


def _origin(
    file: Path, record: AnyRecord, density: DensityOfStates, name: str, cheap: EnergyOracle
) -> dict[str, object]:
    from wanglandau.run_file import describe_oracle

    verdict = getattr(record, "verdict", {"trusted": True})
    return {
        "source": str(file),
        "source_created": record.created,
        "source_trusted": bool(verdict["trusted"]),
        "source_exact": density.exact,
        "proposal_oracle": describe_oracle(name, cheap),
    }


def _record(
    source: AnyRecord,
    specification: str,
    dear: EnergyOracle,
    found: Reweighting,
    density: DensityOfStates,
    temperatures: np.ndarray,
    settings: ReweightingSettings,
    duration: float,
) -> ReweightedRecord:
    from wanglandau.provenance import versions
    from wanglandau.reweighted_file import ReweightedRecord
    from wanglandau.reweighted_inspection import judge_reweighting
    from wanglandau.run_file import describe_oracle

    samples = found.density
    curves = samples.thermodynamics(temperatures)
    return ReweightedRecord(
        samples=samples,
        density=samples.density(samples.default_grid(density.grid.width)),
        curves=curves,
        system=source.system,
        oracle=describe_oracle(specification, dear),
        settings=asdict(settings),
        versions=versions(),
        seeds=[settings.seed],
        diagnostics=found.diagnostics,
        verdict=asdict(judge_reweighting(curves, found.diagnostics)),
        duration_s=duration,
    )


def _report(record: ReweightedRecord, out: Path, figure: Path | None, caution: str) -> Report:
    from wanglandau.reweighted_inspection import describe_reweighted

    text, values = describe_reweighted(record)
    if figure is not None:
        from wanglandau.figures import thermodynamics_figure

        thermodynamics_figure(figure, record.curves.thermal, note=caution)
        values["figure"] = figure
    text += f"\n\n{caution}" if caution else ""
    written = ", ".join(str(path) for path in (out, figure) if path is not None)
    exit_code = EXIT_DONE if record.verdict["trusted"] else EXIT_NOT_CONVERGED
    return Report(f"{text}\n\nwritten to {written}", values | {"out": out}, exit_code)
