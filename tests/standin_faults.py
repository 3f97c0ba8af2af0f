"""How the stand-in for LSMS misbehaves, when, and what it notes down about its runs.

A fault is asked for as KIND (every run), KIND:RATE (that share of runs, drawn from the seed, the kind, the deck
and the number of earlier runs of the same configuration) or KIND:first (the first run of each configuration).
A configuration is the cell with its sites and species, whatever else the deck says. Earlier runs are counted in
the state folder; without one every run is the first.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from standin_deck import Deck

KINDS = {
    "hang": "half way through, sleep for ever, and so does a child process",
    "hang-stubborn": "as hang, and both ignore SIGTERM",
    "die": "half way through, SIGKILL itself",
    "exit": "half way through, end with exit code 99",
    "crash": "half way through, abort (SIGABRT)",
    "unconverged": "residuals stay large until nscf is used up; exit code 0",
    "diverge": "energies wander by Ry, E_F leaves its range, standard output fills with warnings; exit code 0",
    "nan": "the energy is NaN",
    "inf": "the energy is infinite",
    "offset": "the energy is 1e6 Ry too high",
    "truncate": "info_evec_out ends in the middle",
    "empty": "no info_evec_out is written",
    "stale": "no file is written, those that are there stay; standard output and exit code are those of success",
    "other": "the answer belongs to another deck: two unlike sites have changed places",
    "shuffled": "info_evec_out lists the positions of the sites in another order",
    "charge": "the electrons of the cell do not add up to its atomic numbers",
    "fstop": "Fortran fstop: exit code 0 and no files",
    "moments": "converges only from starting moments other than Fe 2.5 and Pt 0.3",
    "slow-mixing": "converges only if the mixing parameter is at most 0.03",
    "needs-scratch": "converges only from generated potentials",
    "needs-iterations": "converges only if nscf is at least 100 (and then after 60 iterations)",
}

FOREVER = 3600.0
"""Seconds that a hanging run sleeps: longer than any test, but it does end."""

USUAL_MOMENTS = (2.5, 0.3)


class Fault(NamedTuple):
    """A fault asked for; the rate of one that is for first runs only is None."""

    kind: str
    rate: float | None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read KIND, KIND:RATE or KIND:first."""
        kind, _, when = text.partition(":")
        if kind not in KINDS:
            raise ValueError(f"fault {kind!r} is not known; choose from {', '.join(KINDS)}")
        return cls(kind, None if when == "first" else float(when or 1.0))

    def strikes(self, seed: int, text: str, earlier: int) -> bool:
        """Tell whether a run has this fault."""
        if self.rate is None:
            return earlier == 0
        digest = hashlib.sha256(f"{seed}|{self.kind}|{earlier}|{text}".encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2.0**56 < self.rate


class State:
    """The folder that counts runs of each configuration and holds the file ``log``.

    The log has a line per run: process id, child process id (0 if none), atomic numbers joined by "-" ("-" alone
    if the deck could not be read), number of earlier runs of the configuration, faults joined by "," or "none".
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def earlier_runs(self, deck: Deck) -> int:
        """Count this run, and return how many came before; safe with any number of processes."""
        if self.folder is None:
            return 0
        key, earlier = configuration_key(deck), 0
        while True:
            try:
                os.close(os.open(self.folder / f"{key}.{earlier}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                return earlier
            except FileExistsError:
                earlier += 1

    def log(self, species: str, child: int, earlier: int, faults: set[str]) -> None:
        """Append the line of this run in one write."""
        if self.folder is not None:
            line = f"{os.getpid()} {child} {species} {earlier} {','.join(sorted(faults)) or 'none'}\n"
            log = os.open(self.folder / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
            os.write(log, line.encode())
            os.close(log)


def configuration_key(deck: Deck) -> str:
    """Name a configuration by its sites, species and cell."""
    sites = [(site.number, *(f"{x:.5f}" for x in site.position)) for site in deck.sites]
    cell = [f"{x:.5f}" for vector in deck.cell for x in vector]
    return hashlib.sha256(repr((sites, cell)).encode()).hexdigest()[:24]


def never_converges(deck: Deck, faults: set[str]) -> bool:
    """Tell whether the faults, or settings that LSMS cannot work with, keep this deck from converging."""
    given = [site.moment for site in deck.sites if site.moment is not None]
    return (
        "unconverged" in faults
        or ("moments" in faults and all(moment in USUAL_MOMENTS for moment in given))
        or ("slow-mixing" in faults and mixing_parameter(deck) > 0.03)
        or ("needs-scratch" in faults and deck["pot_in_type"] != -1)
        or ("needs-iterations" in faults and deck["nscf"] < 100)
        or (not deck.asa and not any("mixing_parameter" in entry for entry in deck.mixing))
    )


def mixing_parameter(deck: Deck) -> float:
    """Give the mixing parameter of the first quantity; each program has its own word for it."""
    word = "alpha" if deck.asa else "mixing_parameter"
    return float(deck.mixing[0].get(word, 0.05)) if deck.mixing else 0.05


def diverges(deck: Deck, faults: set[str]) -> bool:
    """Tell whether the run diverges, as Broyden mixing of the charge does by itself."""
    charge = {"quantity": "charge", "algorithm": "broyden"}
    return "diverge" in faults or any(charge.items() <= entry.items() for entry in deck.mixing)


def energy_shift(faults: set[str]) -> float:
    """Give what is added to every energy."""
    shifts = {"nan": float("nan"), "inf": float("inf"), "offset": 1e6}
    return sum(shift for kind, shift in shifts.items() if kind in faults)


def start_child(faults: set[str]) -> int:
    """Start the sleeping child of a run that will hang; return its process id, 0 without such a fault."""
    if not faults & {"hang", "hang-stubborn"}:
        return 0
    if "hang-stubborn" in faults:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        time.sleep(FOREVER)
        os._exit(0)
    return child


def strike_half_way(faults: set[str]) -> None:
    """End or hang this process if a fault says so."""
    sys.stdout.flush()
    if faults & {"hang", "hang-stubborn"}:
        time.sleep(FOREVER)
        os._exit(0)
    if "die" in faults:
        os.kill(os.getpid(), signal.SIGKILL)
    if "exit" in faults:
        stop(99, "negative interstitial charge\n")
    if "crash" in faults:
        abort("std::runtime_error")


def abort(reason: str) -> NoReturn:
    """End as an uncaught C++ exception does, with SIGABRT."""
    sys.stdout.flush()
    sys.stderr.write(f"terminate called after throwing an instance of '{reason}'\n*** Process received signal ***\n")
    sys.stderr.flush()
    os.abort()


def stop(code: int, message: str) -> NoReturn:
    """End with an exit code and a message on standard error."""
    sys.stdout.flush()
    sys.stderr.write(message)
    sys.exit(code)


def fstop(length: int) -> NoReturn:
    """End as Fortran fstop does: a message on standard output and exit code 0."""
    stars = "   " + "*" * 61
    sys.stdout.write(
        " DEEPST::core cannot work: nws+ipdeq2.gt.iprpts\n nws     =   1052\n ipdeq*2 =     10\n"
        f" iprpts  ={length:7d}\n\n\n\n\n{stars}\n   * fstop called with index deepst {'':26}*\n{stars}\n"
    )
    sys.exit(0)
