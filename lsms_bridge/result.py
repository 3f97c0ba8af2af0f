"""Whether a finished run counts: LSMS gives an energy whether or not it converged, and exits with 0 for many failures.

A result is taken only if the program ended by itself with status 0, the last iteration met both tolerances, all
numbers are finite, the electrons add up to the nuclear charges, sites and species are those of the deck, and the
energy is plausible. Everything else is an :class:`~lsms_bridge.failures.LsmsError` that says what happened.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from lsms_bridge.failures import Failure, LsmsError
from lsms_bridge.history import History, read_history
from lsms_bridge.parameters import Program
from surrogate.text_configuration import TextConfiguration, TextReader
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

MAX_CHARGE_LOST = 1e-3
"""How far the electrons of the cell may be from the sum of nuclear charges."""
MAX_MIXING = 0.1
"""Largest plausible mixing energy, Ry per atom, where the energies of the pure species are known."""
MAX_ATOMIC_DEVIATION = 0.2
"""Largest plausible share by which energies differ from the estimate for atoms, where the pure ones are not known."""
MAX_ENERGY_MISMATCH = 1e-6
"""By how much (Ry) k.out and info_evec_out of one run may differ; they print the same number."""
LAGGING_POTENTIAL = 5.0
"""A potential whose rms is so many times the tolerance of the charge is worth a remark."""
MAX_BYTES = 2**24
"""Longest part of an output file that is read."""


@dataclass(frozen=True)
class Tolerances:
    """What a run was asked to reach.

    Attributes
    ----------
    program : {"asa", "mt"}
    n_spin : {1, 2}
    charge : float
        See :class:`~lsms_bridge.parameters.LsmsParameters`, ``charge_tolerance``.
    energy : float
        Relative.
    potential : float
        Root mean square; infinite where only a remark is wanted.
    """

    program: Program
    n_spin: int
    charge: float
    energy: float
    potential: float = math.inf


@dataclass(frozen=True, eq=False)
class Result:
    """A run that counts.

    Attributes
    ----------
    configuration : TextConfiguration
        Energies (Ry per cell), occupations, charges (electrons) and moments (Bohr magnetons) in the order of sites.
    history : History
    remarks : tuple of str
        What a reader should know although it does not forbid the result.
    """

    configuration: TextConfiguration
    history: History
    remarks: tuple[str, ...]


def read_result(
    folder: Path,
    lattice: Lattice,
    asked: Tolerances,
    occupations: np.ndarray | None = None,
    reference_energies: np.ndarray | None = None,
) -> Result:
    """Read and judge the files that a run with exit status 0 left in its folder.

    Parameters
    ----------
    folder : Path
    lattice : Lattice
    asked : Tolerances
    occupations : int8[n_sites], optional
        Those of the deck; None takes what the file says (for runs made elsewhere).
    reference_energies : float64[2], Ry/atom, optional
        Of the pure species, for the window of plausible energies.

    Raises
    ------
    LsmsError
        If the result does not count.
    """
    check_not_stopped(folder)
    history = read_history(_text(folder / "k.out"), asked.program, asked.n_spin)
    _check_converged(history, asked)
    configuration = _configuration(folder / "info_evec_out", lattice)
    if not math.isclose(configuration.energy, history.energy[-1], rel_tol=0.0, abs_tol=MAX_ENERGY_MISMATCH):
        raise LsmsError(
            Failure.ANOTHER_INPUT,
            f"info_evec_out has {configuration.energy} Ry and k.out {history.energy[-1]} Ry: they are of two runs",
        )
    if occupations is not None and not np.array_equal(configuration.occupations, occupations):
        sites = np.flatnonzero(configuration.occupations != occupations)
        raise LsmsError(Failure.ANOTHER_INPUT, f"the species on {len(sites)} sites are not those of the deck")
    if abs(configuration.charge.sum()) > MAX_CHARGE_LOST:
        raise LsmsError(
            Failure.CHARGE_LOST,
            f"the cell has {configuration.charge.sum():+.4f} electrons more than protons (limit {MAX_CHARGE_LOST:g})",
        )
    _check_plausible(configuration, lattice, reference_energies)
    return Result(configuration, history, _remarks(history, asked))


def explain_exit(returncode: int, folder: Path) -> LsmsError:
    """Say what an exit status other than 0 means, from the status and what the program printed."""
    stderr, stdout = _tail(folder / "stderr"), _tail(folder / "stdout")
    if returncode == 1 and ("Cannot run input file" in stderr or "wrong in input file" in stderr):
        return LsmsError(Failure.INPUT_REFUSED, "LSMS could not run its input file (missing, or an error in its Lua)")
    if "can't open HDF5 file" in stdout:
        return LsmsError(Failure.POTENTIAL_MISSING, f"LSMS found no potentials: {_line_with(stdout, 'HDF5 file')}")
    if "Cannot open file" in stderr:
        return LsmsError(
            Failure.POTENTIAL_MISSING, f"LSMS found no potential: {_line_with(stderr, 'Cannot open file')}"
        )
    if "unprotected error in call to Lua" in stderr:
        return LsmsError(Failure.INPUT_REFUSED, f"LSMS misses something in its input: {_line_with(stderr, 'Lua API')}")
    if "what():  No implemented" in stderr:
        return LsmsError(Failure.INPUT_REFUSED, "LSMS does not know a quantity or algorithm of its mixing table")
    if returncode == 99:
        return LsmsError(Failure.NEGATIVE_INTERSTITIAL, "LSMS stopped at a negative interstitial charge (status 99)")
    how = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with exit status {returncode}"
    said = (stderr.strip() or stdout.strip()).splitlines()[-1:] or ["nothing"]
    return LsmsError(Failure.CRASHED, f"LSMS {how}; it last said: {said[0].strip()[:200]}")


def check_not_stopped(folder: Path) -> None:
    """Refuse a run that LSMS ended by itself: its exit status is 0 all the same.

    Raises
    ------
    LsmsError
        Saying where and why it stopped.
    """
    stdout = _tail(folder / "stdout")
    if "fstop called" in stdout:
        place = re.search(r"fstop called with index (\S+)", stdout)
        where = place[1] if place else "an unknown place"
        lines = [line.strip() for line in stdout.splitlines() if "::" in line]
        raise LsmsError(Failure.STOPPED, f"LSMS stopped itself in {where}: {lines[-1] if lines else 'no reason given'}")


def _check_converged(history: History, asked: Tolerances) -> None:
    if history.converged(asked.charge, asked.energy):
        _check_potential(history, asked)
        return
    state = (
        f"after {len(history)} iterations the residual is {history.residual[-1]:.3g} (asked {asked.charge:g}) and the "
        f"energy still changes by {history.energy_change:.3g} Ry (asked {asked.energy * abs(history.energy[-1]):.3g})"
    )
    if history.diverged:
        raise LsmsError(Failure.DIVERGED, f"the run diverged, Fermi energy {history.fermi_energy[-1]:.3g} Ry: {state}")
    raise LsmsError(Failure.NOT_CONVERGED, f"the run did not converge: {state}")


def _check_potential(history: History, asked: Tolerances) -> None:
    """Refuse a run that stopped at a chance small change of charge and energy."""
    if asked.program == "asa" and history.potential_residual[-1] > asked.potential:
        raise LsmsError(
            Failure.POTENTIAL_MOVES,
            f"LSMS stopped after {len(history)} iterations while the potential still changes by "
            f"{history.potential_residual[-1]:.2g} (rms, asked {asked.potential:g})",
        )


def _configuration(path: Path, lattice: Lattice) -> TextConfiguration:
    text = _text(path)
    if not text.endswith("\n"):
        raise LsmsError(Failure.UNREADABLE, f"{path.name} is cut off in its last line")
    head = text.splitlines()[:1]
    if head and re.search(r"nan|inf|\*\*", head[0], re.IGNORECASE):
        raise LsmsError(Failure.NOT_FINITE, f"info_evec_out begins with what is no number: {head[0].strip()[:80]!r}")
    try:
        return TextReader(lattice).read(path)
    except InputError as error:
        raise LsmsError(Failure.UNREADABLE, str(error)) from error


def _check_plausible(configuration: TextConfiguration, lattice: Lattice, references: np.ndarray | None) -> None:
    counts = np.bincount(configuration.occupations, minlength=2)
    if references is not None:
        mixing = (configuration.energy - counts @ references) / lattice.n_sites
        if abs(mixing) > MAX_MIXING:
            raise LsmsError(
                Failure.IMPLAUSIBLE, f"the mixing energy is {mixing:.4g} Ry per atom (limit {MAX_MIXING:g} either way)"
            )
        return
    estimate = float(counts @ np.array([_atomic_energy(symbol) for symbol in lattice.species]))
    if abs(configuration.energy / estimate - 1) > MAX_ATOMIC_DEVIATION:
        raise LsmsError(
            Failure.IMPLAUSIBLE,
            f"the energy {configuration.energy:.1f} Ry is far from that of atoms, {estimate:.0f} Ry",
        )


def _atomic_energy(symbol: str) -> float:
    """Estimate the total energy of an atom, Ry: Thomas-Fermi with Scott's correction, right to some 10 %."""
    number = atomic_numbers[symbol]
    return -1.5375 * number ** (7 / 3) + number**2


def _remarks(history: History, asked: Tolerances) -> tuple[str, ...]:
    if history.potential_residual[-1] > LAGGING_POTENTIAL * asked.charge:
        return (f"the potential still changes by {history.potential_residual[-1]:.1e} (rms)",)
    return ()


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES).decode("ascii", errors="replace")
    except OSError as error:
        raise LsmsError(Failure.NO_OUTPUT, f"the run left no {path.name} to read ({error.strerror})") from error


def _tail(path: Path, n_bytes: int = 20_000) -> str:
    """Return the end of what a program printed; empty where there is no such file."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - n_bytes))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def _line_with(text: str, words: str) -> str:
    return next((line.strip()[:200] for line in text.splitlines() if words in line), words)


def tolerances_printed(stdout: str) -> Tolerances | None:
    """Find in what LSMS printed which tolerances a run was asked to reach; None where it does not say."""
    found = [re.search(rf"^{name} Tol\.[ \t]*:[ \t]*(\S+)", stdout, re.MULTILINE) for name in ("RMS", "Energy")]
    try:
        charge, energy = (float(one[1]) if one else 0.0 for one in found)
    except ValueError:
        return None
    if not (0.0 < charge < 1.0 and 0.0 < energy < 1.0):  # a damaged line must not make every run converged
        return None
    return Tolerances(program_printed(stdout), spins_printed(stdout), charge, energy)


def program_printed(stdout: str) -> Program:
    """Tell from what LSMS printed which program it was."""
    return "asa" if "Performing Atomic Sphere Approximation" in stdout else "mt"


def spins_printed(stdout: str) -> int:
    """Tell from what LSMS printed how many spins there were; only needed for atomic spheres, which print a moment."""
    return 2 if "ave. mag." in stdout else 1


def read_stdout(folder: Path, names: Sequence[str] = ("stdout",)) -> str:
    """Return the beginning of what a program printed, from the first of the files that is there."""
    return next((_text(folder / name) for name in names if (folder / name).is_file()), "")
