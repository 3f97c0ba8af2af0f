"""``wanglandau exact``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import Report
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from wanglandau.oracle import EnergyOracle
    from wanglandau.run_file import ExactRecord
    from wanglandau.systems import System

LONG_S = 30.0
"""Work that takes longer is announced, s."""


@ends_in_order("nothing was written; the same command begins anew")
def exact(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    all_compositions: bool = False,
    orbit_average: bool = False,
    every_configuration: bool = False,
    out: Path | None = None,
    figure: Path | None = None,
) -> Report:
    """Enumerate the exact density of states of a cell of at most 32 sites.

    One configuration of every symmetry orbit is evaluated and counted with the size of its orbit. The list of orbits is
    kept in a cache; a second call is fast.

    Parameters
    ----------
    system
        cuau, fept or a TOML file that describes another lattice.
    oracle
        Where energies come from, as for dos.
    composition
        Number of second-species atoms; default: the system's own.
    all_compositions
        All compositions instead of one.
    orbit_average
        Average over each orbit; for oracles that do not respect the symmetry of the lattice.
    every_configuration
        Evaluate symmetry-equivalent configurations one by one, for such oracles too: up to 601,080,390 of a composition
        and 2**32 of all; on an accelerator always all of them. Levels are joined within 0.013 meV per cell. Where the
        processor does it, the expected time is told before the start.
    out
        File to write; default: SYSTEM-COMPOSITION-exact.h5 in this folder.
    figure
        Draw ln g and C(T) into this file (PNG, PDF or SVG); of all compositions a map of ln g and where C peaks.
    """
    from wanglandau.commands.preparation import check_figure, check_writable, prepare
    from wanglandau.inspection import describe_exact

    if all_compositions and composition is not None:
        raise InputError(f"composition {composition} and all compositions exclude each other; give one of the two")
    chosen, energies, n_second = prepare(system, oracle, composition, None)
    out = out or Path(f"{chosen.name}-{'all' if all_compositions else n_second}-exact.h5")
    check_writable(out)
    check_figure(figure)
    if orbit_average and every_configuration:
        raise InputError("--orbit-average and --every-configuration exclude each other; give one of the two")
    wanted = None if all_compositions else n_second
    record = enumerate_and_write(chosen, oracle, energies, wanted, orbit_average, out, every_configuration)
    text, values = describe_exact(record)
    if figure is not None:
        from wanglandau.exact_figure import exact_figure

        exact_figure(figure, record, note=getattr(energies, "caution", ""))
        values["figure"] = figure
    written = ", ".join(str(path) for path in (out, figure) if path is not None)
    return Report(f"{text}\nwritten to {written}", {"out": out} | values)


def enumerate_and_write(
    system: System,
    specification: str,
    oracle: EnergyOracle,
    composition: int | None,
    orbit_average: bool,
    out: Path,
    every_configuration: bool = False,
) -> ExactRecord:
    """Enumerate exact levels, write them to ``out`` and read the file back."""
    from wanglandau.exact import exact_levels
    from wanglandau.provenance import versions
    from wanglandau.run_file import describe_oracle, describe_system, read_exact, write_exact

    start = time.perf_counter()
    if every_configuration:
        from wanglandau.every_configuration import every_level

        levels = every_level(oracle, composition, announce=_announce)
    else:
        levels = exact_levels(oracle, composition, orbit_average=orbit_average)
    described = describe_system(system.name, system.lattice), describe_oracle(specification, oracle)
    write_exact(out, levels, *described, versions(), time.perf_counter() - start)
    return read_exact(out)


def _announce(seconds: float) -> None:
    from wanglandau.progress import clear

    if seconds > LONG_S:
        clear()
        told = f"{seconds / 3600:.1f} h" if seconds > 7200 else f"{seconds / 60:.1f} min"
        print(f"every configuration will take about {told} at the speed measured just now", file=sys.stderr)
