"""``wanglandau exact``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import Report
from wanglandau.errors import InputError

if TYPE_CHECKING:
    from wanglandau.oracle import EnergyOracle
    from wanglandau.run_file import ExactRecord
    from wanglandau.systems import System


def exact(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    all_compositions: bool = False,
    orbit_average: bool = False,
    out: Path | None = None,
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
    out
        File to write; default: SYSTEM-COMPOSITION-exact.h5 in this folder.
    """
    from wanglandau.commands.preparation import check_writable, prepare
    from wanglandau.inspection import describe_exact

    if all_compositions and composition is not None:
        raise InputError(f"composition {composition} and all compositions exclude each other; give one of the two")
    chosen, energies, n_second = prepare(system, oracle, composition, None)
    out = out or Path(f"{chosen.name}-{'all' if all_compositions else n_second}-exact.h5")
    check_writable(out)
    record = enumerate_and_write(chosen, oracle, energies, None if all_compositions else n_second, orbit_average, out)
    text, values = describe_exact(record)
    return Report(f"{text}\nwritten to {out}", {"out": out} | values)


def enumerate_and_write(
    system: System,
    specification: str,
    oracle: EnergyOracle,
    composition: int | None,
    orbit_average: bool,
    out: Path,
) -> ExactRecord:
    """Enumerate exact levels, write them to ``out`` and read the file back."""
    from wanglandau.exact import exact_levels
    from wanglandau.provenance import versions
    from wanglandau.run_file import describe_oracle, describe_system, read_exact, write_exact

    start = time.perf_counter()
    levels = exact_levels(oracle, composition, orbit_average=orbit_average)
    described = describe_system(system.name, system.lattice), describe_oracle(specification, oracle)
    write_exact(out, levels, *described, versions(), time.perf_counter() - start)
    return read_exact(out)
