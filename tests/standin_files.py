"""The files and the standard output of the stand-in for LSMS, laid out as those of the real program."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import NamedTuple

from standin_deck import Deck, Site
from standin_energy import Answer, volume


class Iteration(NamedTuple):
    """One row of ``k.out``."""

    index: int
    energy: float
    fermi: float
    charge_rms: float
    potential_rms: float
    moment: float


def history_row(deck: Deck, row: Iteration) -> str:
    """Lay out a row of ``k.out``: ASA and muffin-tin runs have other columns."""
    if not deck.asa:
        return f"{row.index:4d} {row.energy:20.12f} {row.fermi:12.6f} {row.moment:12.6f}  {row.charge_rms:14.10f}\n"
    line = f"{row.index:4d} {row.energy:22.12f} {row.fermi:15.12f} {row.charge_rms:12.6e} {row.potential_rms:12.6e}"
    return line + (f" {row.moment:7.5f}\n" if deck.collinear else "\n")


def info_evec(deck: Deck, answer: Answer, last: Iteration) -> str:
    """Lay out ``info_evec_out``: one line of energies and 18 columns per atom."""
    lines = [f"{last.energy:.15f} {band_energy(deck, last):.15f} {last.fermi:.15f}\n"]
    for index, site in enumerate(deck.sites):
        electrons, moment = site.number + answer.charges[index], answer.moments[index]
        lines.append(atom_row(site, index, electrons, moment if deck.collinear else 0.0, deck.asa))
    return "".join(lines)


def atom_row(site: Site, index: int, electrons: float, moment: float, asa: bool) -> str:
    """Lay out the row of one atom; its output direction is written by muffin-tin runs only."""
    direction, nothing, after = (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0 if asa else 1.0)
    line = f"{site.number:3d} {index:8d}{_vector(site.position)}  {electrons:12.6f} {moment:12.6f}{_vector(direction)}"
    return f"{line}  {-1.0:6.2f}{_vector(nothing)}  {0.0:8.4f}{_vector(after)}\n"


def _vector(components: Sequence[float]) -> str:
    return "".join(f"  {component:21.15f}" for component in components)


def band_energy(deck: Deck, row: Iteration) -> float:
    """Make up a band energy that goes with the Fermi energy."""
    return sum(site.valence for site in deck.sites) * 0.685 + 40 * (row.fermi - 0.6)


def potential(deck: Deck, site: Site, fermi: float) -> str:
    """Write a short text potential with the head of a real one."""
    radius = (3 * volume(deck.cell) / (4 * pi * len(deck.sites))) ** (1 / 3)
    spins = 2 if deck.collinear else 1
    block = [
        f" LSMS:           xx     z={site.number:3d}.    xvalws={site.valence / 2:10.5f}\n",
        f"{site.number:4d}. {radius:28.5f}{site.core:4d}.{_fortran(fermi)}\n",
        f"{'':17}{_fortran(-9.2)}{_fortran(1.05)}   12\n",
    ]
    for line in range(3):
        block.append("".join(_fortran(-2.0 * site.number + 0.001 * (4 * line + k)) for k in range(4)) + "\n")
    head = f"{'Potential Initialized by LSMS_3':80}\n{spins:5d}  {_fortran(0.0)}\n"
    return head + "".join(block) * spins


def _fortran(value: float) -> str:
    """Write a number as Fortran's D20.13 does."""
    mantissa, exponent = f"{abs(value):.12e}".split("e")
    power = int(exponent) + 1 if value else 0
    return f"{'-' if value < 0 else ''}0.{mantissa.replace('.', '')}D{power:+03d}".rjust(20)


def started(name: str) -> str:
    """Write what comes before the deck is run."""
    return (
        f"LSMS_3: Program started\nUsing 1 MPI processes\nUsing 1 OpenMP threads\nReading input file '{name[:120]}'\n"
    )


def head(deck: Deck) -> str:
    """Write the standard output from the loaded deck to the first iteration."""
    rule = "=" * 43
    asa = [rule, "System information:", *_sizes(deck)]
    asa += ["Performing Atomic Sphere Approximation (ASA) calculation", rule]
    tins = ["System information:", "=" * 19, *_sizes(deck), "Performing Muffin-Tin (MT) calculation"]
    lines = ["Loaded input file!", *(asa if deck.asa else tins)]
    lines += [f"Title        : '{deck['system_title']}'", f"Id           : '{deck['systemid']}'"]
    lines += [f"No. Atoms    : {len(deck.sites)}", f"Mtasa        : {deck['mtasa']}", "Voronoi      : 0", _source(deck)]
    lines += [f"Pot. Out     : {deck['potential_file_out']} [Text (BIGCELL format)]", "spin_cant    : 1"]
    lines += ["Relativity   : scalar relativistic", "LSMS Mode    : main"]
    lines += ["xcFunctional : 0 1 -1 [von Barth-Hedin (LSMS_1)]", "Electron T   : 0K"]
    lines += [f"RMS Tol.     : {deck['rmsTolerance']:g}", f"Energy Tol.  : {deck['energyTolerance']:g}"]
    return "\n".join(lines) + "\n" + (_mixers(deck) if deck.asa else "No. of Alloy Classes : 0\n")


def _sizes(deck: Deck) -> list[str]:
    n = len(deck.sites)
    return [f"Number of atoms        : {n:10d}", f"Number of atomic types : {n:10d}"]


def _source(deck: Deck) -> str:
    if deck["pot_in_type"] == -1:
        return "Pot. In      : generated."
    kind = "HDF5 (LSMS_1 format)" if deck["pot_in_type"] == 0 else "Text (BIGCELL format)"
    return f"Pot. In     : {deck['potential_file_in']} [{kind}]"


def _mixers(deck: Deck) -> str:
    size = volume(deck.cell)
    spin = "Spin mixing method:      Simple linear mixer\n" if deck.collinear else ""
    return (
        f"Cell volume  : {size:.4f} [bohr^3]\nASA volume   : {size:.4f} [bohr^3]\n"
        f"============ Mixing parameters ============\nCharge mixing method:    Simple linear mixer\n{spin}"
        f"Potential mixing method: Broyden mixer\nInitial mixing method:   Simple linear mixer\n{'=' * 43}\n"
        "time calculateMultiMadelungMatrices: 0.049102146000000006 sec\n\n"
    )


def iteration_text(deck: Deck, row: Iteration, change: float) -> str:
    """Write what the program prints about one iteration."""
    if not deck.asa:
        return (
            f"SCF iteration {row.index}:\n** Energy Contour Integration **\n           new chempot = {row.fermi:.6f}\n"
            f"Total Energy              = {row.energy:30.19f} Ry\n"
            f"Pressure                  = {-2.2:30.19f} Ry\n{'=' * 69}\n"
        )
    width = len(f"{row.energy:.9f}")
    lines = f"SCF iteration {row.index}:\n" + (" === Change Mixer ===\n" if row.index == 0 else "")
    lines += f"MTZ          = {-0.728:{width}.9f} Ry\n"
    lines += f"Band Energy  = {band_energy(deck, row):{width}.9f} Ry  Fermi Energy = {row.fermi:15.12f} Ry\n"
    lines += f"Total Energy = {row.energy:{width}.9f} Ry\nQRMS         = {row.charge_rms:{width}.5e}\n"
    lines += f"VRMS         = {row.potential_rms:{width}.5e}\natol. Energy = {change:{width}.5e}\n"
    return lines + (f"ave. mag.    = {row.moment:{width}.9f}\n" if deck.collinear else "")


def tail(deck: Deck, last: Iteration, seconds: float) -> str:
    """Write the end of the standard output; its total energy is not that of the last iteration."""
    energy = last.energy + 9e-6 * len(deck.sites)
    shares = {"Deepcore": 0.608, "Semicore": 0.00365, "Core": 0.6117, "One electron": -1.8e-4, "Kohn-Sham": 1.749}
    shares |= {"Kinetic": -1.1377, "Hartree": -0.3932, "Core Hartree": 2.5107, "Coloumb": 2.1175, "XC": 0.0203}
    shares |= {"ZPE": -3.9e-8, "LSF": 0.0, "U0": 6e-8}
    edges = {"MT Madelung": 6e-8, "IT Madelung": 0.0, "IT XC": 0.0, "MTZ": 1.1e-6}
    wide = len(f"{2.5107 * energy:.10f}") + 1
    lines = ["Writing new potentials and restart file.", "", "=" * 19]
    lines += [f"{name:12} = {share * energy + 0.0:{wide}.10f} Ry" for name, share in shares.items()]
    lines += ["-" * 19] + [f"{name:12} = {share * energy + 0.0:{wide}.10f} Ry" for name, share in edges.items()]
    lines += ["-" * 19, f"Total energy = {energy:{wide}.10f} Ry", "=" * 19, "", "Writing new potentials."]
    wide = len(f"{energy:.15f}") + 1
    lines += ["Writing restart file.", f"Band Energy  = {band_energy(deck, last):{wide}.15f} Ry"]
    lines += [f"Fermi Energy = {last.fermi:{wide}.15f} Ry", f"Total Energy = {energy:{wide}.15f} Ry"]
    return "\n".join(lines) + "\n\n" + _timings(deck, last, seconds)


def _timings(deck: Deck, last: Iteration, seconds: float) -> str:
    loop, n = 0.98 * seconds, last.index + 1
    if not deck.asa:
        return (
            f"Timings:\n========\nLSMS Runtime = {seconds:.6f} sec\ntimeScfLoop[rank==0] = {loop:.6f} sec\n"
            f"     number of iteration:{n}\ntimeScfLoop/iteration = {loop / n:.6f} sec\nEnergy Contour Points = 13\n"
        )
    return (
        f"Timings:\n========\nLSMS Runtime               = {seconds:.9f} s\n"
        f"timeScfLoop                = {loop:.9f} s\n     number of iteration: {n}\n"
        f"timeScfLoop/iteration      = {loop / n:.9f} s\nEnergy Contour Points      = 13\n"
    )
