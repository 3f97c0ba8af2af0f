"""Metropolis swaps by BraWl, a Fortran program, against ours on the same cell, pair model, composition and temperature.

H. J. Naguszewski, L. B. Partay, D. Quigley, C. D. Woodgate, J. Open Source Softw. 10, 8346 (2025). The program is
somebody else's and is given by its path. It reads its inputs from a folder that is made for it, and as it tells times
to a tenth of a second only, a rate comes from the difference of a long run and a short one: start-up drops out.

BraWl draws two sites from all, and where they hold the same species the trial ends there. Ours always draws one site of
each species. Both rates are given: trials as the program counts them, and those between unlike atoms.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import units

from wanglandau.benchmarking.contest import Advance, clocked, quotient, take_turns
from wanglandau.benchmarking.spread import Spread
from wanglandau.benchmarking.work import Work
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.levels import MEV_PER_RY
from wanglandau.pair_model import PairOracle
from wanglandau.walkers import boltzmann_weights, walkers_at

SHORT_RUN = 20_000
UNIT = 100_000
"""Trials, of which the smallest number that is timed is large beside the scatter of start-up."""
MIN_TURN = 1.0
"""Seconds of a turn, for the same reason."""
MAX_TRIALS = 2**31 - 1
"""BraWl counts trials in 32 bits."""
SAMPLES = 20
"""Energies that BraWl averages in a run, to be compared with ours; at so few they cost it nothing."""
WARMTH = 2.0
"""The temperature is this times the energy of an unlike bond: hot enough for either program to come to equilibrium."""
TOLERANCE = 0.1
"""Largest difference of the mean energies, as a part of ours."""
TIME_LIMIT = 600.0


@dataclass(frozen=True)
class Duel:
    """Metropolis swaps of BraWl and of ours in turn.

    Attributes
    ----------
    n_sites : int
    temperature : float, K
    ours, theirs : Spread
        Trials/s as either program counts them.
    theirs_unlike : Spread
        Trials/s of BraWl that swap unlike atoms, as all of ours do.
    ratio : Spread
        Trials between unlike atoms, ours over theirs, turn by turn.
    our_energy, their_energy : float, meV/atom
        Means, which tell that both sample the same model.
    version : str
    """

    n_sites: int
    temperature: float
    ours: Spread
    theirs: Spread
    theirs_unlike: Spread
    ratio: Spread
    our_energy: float
    their_energy: float
    version: str


class Brawl:
    """The program at work in a folder of its own.

    Parameters
    ----------
    program : Path
    work : Work
        With a :class:`~wanglandau.pair_model.PairOracle` on fcc or bcc.
    temperature : float, K
    folder : Path

    Attributes
    ----------
    version : str
    energy : float, meV/atom
        Mean of the last long run.
    """

    def __init__(self, program: Path, work: Work, temperature: float, folder: Path) -> None:
        self._program, self._folder, self._temperature = program.resolve(), folder, temperature
        self.version, self.energy = "unknown", np.nan
        write_model(work, folder)

    def advance(self, n: int) -> float:
        """Return the seconds that so many times ``UNIT`` more trials take in a run."""
        short = self._run(SHORT_RUN)
        return self._run(SHORT_RUN + n * UNIT) - short

    def _run(self, n_trials: int) -> float:
        if n_trials > MAX_TRIALS:
            raise InputError(f"BraWl cannot make {n_trials} trials at once, its limit is {MAX_TRIALS}; lower --seconds")
        text = metropolis_input(n_trials, self._temperature)
        (self._folder / "metropolis.inp").write_text(text, encoding="ascii")
        begin = time.perf_counter()
        try:
            done = subprocess.run(
                [str(self._program)], cwd=self._folder, capture_output=True, text=True, timeout=TIME_LIMIT
            )
        except OSError as error:
            raise InputError(f"cannot start BraWl at {self._program}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise OracleError(f"BraWl took more than {TIME_LIMIT:.0f} s for {n_trials} trials") from error
        seconds = time.perf_counter() - begin
        energy = re.search(r"Average internal energy was\s+(\S+)\s+meV/atom", done.stdout)
        if done.returncode != 0 or energy is None:
            last = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
            raise OracleError(f"BraWl ended with code {done.returncode}: {last}")
        self.energy = float(energy[1])
        number = re.search(r"BraWl Version ([\d.]+)", done.stdout)
        self.version = number[1] if number else self.version
        return seconds


def duel(program: Path, work: Work, seconds: float, turns: int) -> Duel:
    """Let BraWl and our fused kernel make Metropolis swaps in turn.

    Raises
    ------
    InputError
        If the program does not start or knows no such lattice.
    OracleError
        If it fails or its mean energy is not ours.
    """
    assert isinstance(work.oracle, PairOracle)
    bond = float(np.abs(work.oracle.unlike_bond_energies).max())
    temperature = WARMTH * bond * units.Ry / units.kB
    with tempfile.TemporaryDirectory() as name:
        theirs = Brawl(program, work, temperature, Path(name))
        ours, energies = _our_chain(work, temperature)
        rates = take_turns({"ours": ours, "BraWl": theirs.advance}, max(seconds, MIN_TURN * turns), turns)
    mean = float(np.mean(energies[len(energies) // 2 :])) * MEV_PER_RY / work.n_sites
    if not abs(theirs.energy - mean) <= TOLERANCE * abs(mean):
        raise OracleError(f"BraWl does not do the same work: mean energies {theirs.energy} and {mean:.2f} meV/atom")
    mine, other = UNIT * rates["ours"], UNIT * rates["BraWl"]
    share = unlike_share(work.n_sites, work.composition)
    return Duel(
        work.n_sites,
        temperature,
        Spread.of(mine),
        Spread.of(other),
        Spread.of(share * other),
        quotient(mine, share * other),
        mean,
        theirs.energy,
        theirs.version,
    )


def _our_chain(work: Work, temperature: float) -> tuple[Advance, list[float]]:
    """Return our chain and the list in which it leaves an energy (Ry per cell) now and then."""
    engine = Engine.fastest(work.oracle)
    walkers = walkers_at(work.oracle, work.start[None], np.random.SeedSequence(0))
    weights = boltzmann_weights(walkers, units.Ry / (units.kB * temperature))
    energies: list[float] = []

    def advance(n: int) -> None:
        for _ in range(SAMPLES):
            engine.advance(walkers, weights, n * UNIT // SAMPLES)
            energies.append(float(walkers.records["energy"][0]))

    return clocked(advance), energies


def unlike_share(n_sites: int, composition: int) -> float:
    """Return the part of pairs of sites, drawn with replacement, that hold different species.

    >>> unlike_share(256, 128)
    0.5
    """
    return 2.0 * composition * (n_sites - composition) / n_sites**2


def write_model(work: Work, folder: Path) -> None:
    """Write the files that tell BraWl of cell, composition and bonds.

    Raises
    ------
    InputError
        If the cell is not made of cubic fcc or bcc cells.
    """
    assert isinstance(work.oracle, PairOracle)
    lattice, bonds = work.oracle.lattice, work.oracle.unlike_bond_energies
    structure, _, cells = lattice.name.partition(" ")
    if structure not in ("fcc", "bcc") or not re.fullmatch(r"\d+x\d+x\d+", cells):
        raise InputError(f"BraWl is compared on cells of fcc and bcc only, not on {lattice.name}; leave --brawl out")
    repeat = cells.split("x")
    constant = lattice.cell[0, 0] / int(repeat[0]) * units.Bohr
    lines = [
        "mode=301",
        f"lattice = {structure}",
        f"lattice_parameter = {constant:.6f}",
        *(f"n_{axis}={n}" for axis, n in zip("123", repeat, strict=True)),
        "n_species = 2",
        f"species_names ={' '.join(lattice.species)}",
        f"species_numbers = {work.n_sites - work.composition} {work.composition}",
        f"interaction_range = {len(bonds)}",
        "interaction_file = 'pair.vij'",
        "wc_range = 2",
        "static_seed = .true.",
    ]
    (folder / "brawl.inp").write_text("\n".join(lines) + "\n", encoding="ascii")
    shells = [f"0.0 {bond!r}\n{bond!r} 0.0\n" for bond in bonds.tolist()]
    (folder / "pair.vij").write_text("\n".join(shells), encoding="ascii")


def metropolis_input(n_trials: int, temperature: float) -> str:
    """Return the input of a run at one temperature that writes nothing on the way."""
    every = max(1, n_trials // SAMPLES)
    off = "calculate_asro calculate_alro write_trajectory_energy write_trajectory_asro write_trajectory_xyz"
    off += " write_initial_config_nc write_final_config_nc write_final_config_xyz read_start_config_nc"
    off += " burn_in burn_in_start nbr_swap"
    lines = [
        "mode = simulated_annealing",
        f"n_mc_steps = {n_trials // every * every}",
        *(f"{name} = {every}" for name in ("n_sample_steps", "n_sample_steps_trajectory")),
        *(f"{name} = {n_trials}" for name in ("n_sample_steps_asro", "n_sample_steps_alro")),
        "n_burn_in_steps = 0",
        "calculate_energies = T",
        *(f"{name} = F" for name in off.split()),
        f"T = {temperature:.4f}",
        "T_steps = 1",
        "delta_T = 0.0",
    ]
    return "\n".join(lines) + "\n"
