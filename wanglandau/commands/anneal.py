"""``wanglandau anneal``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from wanglandau.command_line import Report
from wanglandau.keeping_settings import KeepingSettings
from wanglandau.metropolis_settings import AnnealingSettings
from wanglandau.orderly_end import ends_in_order

if TYPE_CHECKING:
    from wanglandau.annealing import AnnealingResult
    from wanglandau.systems import System


@ends_in_order("nothing was kept yet; the same command begins anew")
def anneal(
    system: str,
    /,
    *,
    oracle: str = "surrogate",
    composition: int | None = None,
    repeat: tuple[int, int, int] | None = None,
    settings: AnnealingSettings,
    keeping: KeepingSettings,
    out: Path | None = None,
) -> Report:
    """Search for the lowest energies of one composition by simulated annealing.

    Walkers are cooled side by side; the lowest configurations that symmetry does not make alike are listed, with the
    name of the ordered structure where it is a known one. Signals and --max-walltime end it with a checkpoint and exit
    code 75; --resume goes on, bit for bit as if nothing had been.

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
    keeping
        Checkpoints.
    out
        Write the configurations to this file (extended XYZ, which ASE and OVITO read), lowest first.
    """
    from wanglandau.annealing import anneal as cool
    from wanglandau.commands.preparation import check_writable, prepare
    from wanglandau.result_keeper import keeping as kept_on_disk
    from wanglandau.trajectory import write_extxyz
    from wanglandau.walkers import Walkers

    check_writable(out)
    chosen, energies, n_second = prepare(system, oracle, composition, repeat)
    of = {"system": chosen.name, "lattice": chosen.lattice.fingerprint, "oracle": energies.identity}
    of |= {"composition": n_second} | asdict(settings)
    with kept_on_disk(out or Path(f"{chosen.name}-{n_second}-anneal"), of, keeping, [Walkers]) as keeper:
        found = cool(energies, n_second, settings, keeper=keeper)
        if out is not None:
            write_extxyz(out, chosen.lattice, found.occupations, found.energies)
        keeper.remove()
    return _annealing_report(chosen, n_second, found, out, getattr(energies, "caution", ""))


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
