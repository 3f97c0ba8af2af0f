"""A stand-in for the program LSMS: reads a real deck, answers at once with a pair model, misbehaves when told to.

Started as LSMS is, ``python standin_lsms.py [options] [input]``, it runs the deck (default ``i_lsms``) as a Lua
program, and writes ``k.out`` (appended), ``info_evec_out``, text potentials and standard output in the layout of
``lsms_asa`` (``mtasa`` 1) or ``lsms`` (``mtasa`` 0). The physics is that of ``standin_energy``: the energy that it
converges to is the sum of the atoms' energies and of a pair model that the package computes as well. At
``rmsTolerance`` 1e-6 a run takes 12 iterations from generated potentials and 6 from files; a looser tolerance
takes fewer. The last energy is within 10 * n_atoms * rms**2 Ry of the converged one.

What LSMS does with bad decks this does too: exit code 1 without a deck, with a Lua error or an HDF5 potential, 2
without a text potential, SIGABRT with a short site table or an unknown mixing quantity, 99 for a muffin-tin run
with spin from generated potentials, fstop with exit code 0 when ``iprpts`` is above the mesh of generated
potentials, no convergence with the wrong dialect of the mixing parameter (muffin-tin) and divergence when the
charge is mixed. Every other key is ignored in silence.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import standin_files as files
from standin_deck import CannotRun, Deck, SiteTableTooShort, read_deck
from standin_energy import Answer, solve
from standin_faults import (
    KINDS,
    Fault,
    State,
    abort,
    diverges,
    energy_shift,
    fstop,
    never_converges,
    start_child,
    stop,
    strike_half_way,
)

GENERATED_RMS, FILE_RMS, FINAL_RMS = 1.5e-2, 3.7e-4, 9e-7
"""Residual of the first iteration (by where potentials come from) and of the 12th or 6th."""

STUCK_RMS = 3e-4
"""Residual that a run which does not converge stays above."""

SOFTNESS = 10.0
"""Ry per atom and squared residual: how far the energy is from the converged one."""

QUANTITIES = {"potential", "charge", "spin", "init", "init_spin"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    options = _options(arguments)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    state = State(options.state)
    _say(files.started(options.input))
    try:
        deck = read_deck(Path(options.input))
    except CannotRun:
        state.log("-", 0, 0, set())
        stop(1, "!! Cannot run input file!!\n")
    except SiteTableTooShort:
        state.log("-", 0, 0, set())
        _say("Loaded input file!\n")
        abort("PANIC: unprotected error in call to Lua API (attempt to index a nil value)")
    earlier = state.earlier_runs(deck)
    faults = {fault.kind for fault in options.fault if fault.strikes(options.seed, deck.text, earlier)}
    state.log(deck.species, start_child(faults), earlier, faults)
    _refuse_bad_decks(deck, faults)
    _calculate(exchanged(deck) if "other" in faults else deck, faults, options.delay)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    kinds = "\n".join(f"  {kind:17} {meaning}" for kind, meaning in KINDS.items())
    parser = argparse.ArgumentParser(
        description="Stand-in for LSMS.",
        epilog=f"faults (KIND, KIND:RATE or KIND:first):\n{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", nargs="?", default="i_lsms", help="deck (default i_lsms)")
    parser.add_argument("--fault", action="append", default=[], type=Fault.parse, help="misbehave (repeatable)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of faults with a rate")
    parser.add_argument("--state", type=Path, help="folder that counts and logs runs")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that the iterations take together")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stdout.write(text)


def exchanged(deck: Deck) -> Deck:
    """Return another deck: the first two unlike sites change species; if all are alike, the first gets another."""
    sites = list(deck.sites)
    first = sites[0]
    for index, site in enumerate(sites):
        if site.symbol != first.symbol:
            sites[0] = replace(site, position=first.position)
            sites[index] = replace(first, position=site.position)
            return replace(deck, sites=tuple(sites))
    symbol, number = ("Au", 79) if first.symbol != "Au" else ("Cu", 29)
    return replace(deck, sites=(replace(first, symbol=symbol, number=number), *sites[1:]))


def _refuse_bad_decks(deck: Deck, faults: set[str]) -> None:
    """End as LSMS does with a deck that it cannot work with."""
    if deck.asa and any(entry.get("quantity") not in QUANTITIES for entry in deck.mixing):
        _say("Loaded input file!\n")
        abort("std::runtime_error'\n  what():  No implemented")
    _say(files.head(deck))
    if deck["pot_in_type"] == 0:
        _say(f"Loading Potentials Serially.\nloadPotentials can't open HDF5 file '{deck['potential_file_in']}'\n")
        stop(1, "HDF5-DIAG: Error detected in HDF5 (1.10.8) thread 1:\n")
    if deck["pot_in_type"] == 1:
        _need_potentials(deck)
    generated = deck["pot_in_type"] == -1
    if "fstop" in faults or (generated and deck["iprpts"] * deck["h_step"] > 640 * 0.02 + 1e-9):
        fstop(int(640 * 0.02 / deck["h_step"]))
    if generated and deck.collinear and not deck.asa:
        stop(99, "negative interstitial charge\n")


def _need_potentials(deck: Deck) -> None:
    for site in deck.sites:
        name = f"{deck['potential_file_in']}.{site.potential}"
        if not Path(name).is_file():
            stop(
                2,
                "At line 34 of file F_readSingleAtomData_bigcell.f90 (unit = 55)\n"
                f"Fortran runtime error: Cannot open file '{name}': No such file or directory\n",
            )


def _calculate(deck: Deck, faults: set[str], delay: float) -> None:
    """Iterate, then write the files."""
    sites, start = deck.sites, time.monotonic()
    answer = solve([s.symbol for s in sites], [s.number for s in sites], [s.position for s in sites], deck.cell)
    rows = history(deck, answer, faults)
    writes = "stale" not in faults
    for row, before in zip(rows, [None, *rows], strict=False):
        if row.index == len(rows) // 2:
            strike_half_way(faults)
        time.sleep(delay / len(rows))
        change = abs(row.energy - (before.energy if before else 0.0))
        _say(files.iteration_text(deck, row, change) + _warnings(deck, row, faults))
        if writes:
            with open("k.out", "a") as history_file:
                history_file.write(files.history_row(deck, row))
    if writes and rows:
        _write_files(deck, answer, rows[-1], faults)
    if rows:
        _say(files.tail(deck, rows[-1], time.monotonic() - start))


def history(deck: Deck, answer: Answer, faults: set[str]) -> list[files.Iteration]:
    """Iterate until both tolerances hold or ``nscf`` is used up."""
    shift, size = energy_shift(faults), len(deck.sites)
    electrons = sum(site.valence for site in deck.sites) / size
    moments = answer.moments if deck.asa else answer.moments[:1]
    moment = sum(moments) / len(moments) if deck.collinear else 0.0
    rows: list[files.Iteration] = []
    energy = math.inf
    for index in range(deck["nscf"]):
        rms, before = residual(deck, faults, index), energy
        energy = answer.energy + SOFTNESS * size * rms**2
        fermi = 0.618 + 0.046 * (11 - electrons) + 3 * rms
        if diverges(deck, faults):
            energy += 40 * math.sin(1.7 * index)
            fermi = 1.6 + 0.1 * index
        rows.append(files.Iteration(index, energy + shift, fermi, rms, 2.7 * rms, moment * (1 - 4 * rms)))
        tolerance = deck["energyTolerance"]
        steady = tolerance <= 0 or abs(energy - before) <= tolerance * abs(energy)
        if rms <= deck["rmsTolerance"] and steady:
            break
    return rows


def residual(deck: Deck, faults: set[str], index: int) -> float:
    """Give the residual of an iteration: geometric, unless something keeps it up."""
    if diverges(deck, faults):
        return 0.12 + 0.04 * math.sin(2.3 * index)
    generated = deck["pot_in_type"] == -1
    first, steps = (GENERATED_RMS, 11) if generated else (FILE_RMS, 5)
    if "needs-iterations" in faults:
        steps = 59
    rms = first * (FINAL_RMS / first) ** (index / steps)
    return max(rms, STUCK_RMS * (1.5 + math.sin(index))) if never_converges(deck, faults) else rms


def _warnings(deck: Deck, row: files.Iteration, faults: set[str]) -> str:
    if not diverges(deck, faults):
        return ""
    pair = " DEEPST:: warning: too many energy iterations\n SEMCST:: warning: too many energy iterations\n"
    return pair * len(deck.sites) + (" SEMCST:: zero energy\n n= 3, l= 1, kappa=-2\n" if row.index % 3 == 2 else "")


def _write_files(deck: Deck, answer: Answer, last: files.Iteration, faults: set[str]) -> None:
    if deck["pot_out_type"] == 1:
        for index, site in enumerate(deck.sites):
            name = f"{deck['potential_file_out']}.{index}"
            Path(name).write_text(files.potential(deck, site, last.fermi))
    restart = "i_lsms_restart.lua" if deck.asa else "i_lsms.restart"
    Path(restart).write_text(f'-- Restart input file generated by LSMS\nsystemid="{deck["systemid"]}"\n')
    if "empty" not in faults:
        text = _spoilt_rows(deck, answer, last, faults)
        Path(deck["infoEvecFileOut"]).write_text(text[: len(text) // 2] if "truncate" in faults else text)


def _spoilt_rows(deck: Deck, answer: Answer, last: files.Iteration, faults: set[str]) -> str:
    """Lay out ``info_evec_out``, with what the faults do to charges and positions."""
    if "charge" in faults:
        answer = answer._replace(charges=[answer.charges[0] + 0.25, *answer.charges[1:]])
    if "shuffled" in faults:
        places = [site.position for site in deck.sites]
        moved = [
            replace(site, position=place) for site, place in zip(deck.sites, [*places[1:], places[0]], strict=True)
        ]
        deck = replace(deck, sites=tuple(moved))
    return files.info_evec(deck, answer, last)


if __name__ == "__main__":
    main()
