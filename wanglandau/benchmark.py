"""Wang-Landau trials per second of every oracle, every way to run it and every peer, measured in turn in one run.

Only ratios from one run mean anything: absolute figures change with the machine and its load. So all contestants of a
cell take short turns, see :mod:`wanglandau.benchmarking.contest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wanglandau.benchmarking.brawl import Duel, duel
from wanglandau.benchmarking.contest import Advance, quotient, take_turns
from wanglandau.benchmarking.energy_times import energy_callers
from wanglandau.benchmarking.engines import BATCHED, ENGINES, FUSED, PYTHON_LOOP
from wanglandau.benchmarking.machine import describe_machine
from wanglandau.benchmarking.peer import PEERS, NotInstalled, Peer, PeerKind
from wanglandau.benchmarking.results import Benchmark, EnergyTime, Rate, Ratio
from wanglandau.benchmarking.roofline import Roofline, roofline_of
from wanglandau.benchmarking.spread import Spread
from wanglandau.benchmarking.work import Work, plan_work
from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle
from wanglandau.oracle_registry import load_oracle, oracle_names
from wanglandau.pair_model import PairOracle
from wanglandau.progress import show
from wanglandau.systems import System, load_system

PAIR_MODEL = "pair, one shell"
BOND_ENERGY = -50e-3 / 13.605693
"""Ry per unlike bond of the pair model that is measured where none is named."""
SHIPPED = ("surrogate:lattice", "surrogate:dense")
DUEL_CELLS = (4, 4, 4)
MAX_WALKERS = 100_000
Contestant = tuple[str, str, int]
"""Oracle, engine or peer, and number of walkers."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure and for how long.

    Attributes
    ----------
    seconds : float
        How long to measure each contestant, in all its turns.
    turns : int
        Turns of each; medians and quartiles are taken over them.
    walkers : tuple of int
        Numbers of walkers in the system's own cell; in the others it is the first.
    cells : tuple of (int, int, int)
        Further cells, as numbers of conventional cells along each axis.
    """

    seconds: float = 2.0
    turns: int = 5
    walkers: tuple[int, ...] = (1, 4, 16, 64)
    cells: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if not 0.01 <= self.seconds <= 3600:
            raise InputError(f"seconds is {self.seconds}; give 0.01 to 3600")
        if not 1 <= self.turns <= 1000:
            raise InputError(f"turns is {self.turns}; give 1 to 1000")
        if not self.walkers or not all(1 <= number <= MAX_WALKERS for number in self.walkers):
            raise InputError(f"walkers is {list(self.walkers)}; give one number or more, each 1 to {MAX_WALKERS}")


@dataclass(frozen=True)
class Rivals:
    """Other programs to measure.

    Attributes
    ----------
    python : Path or None
        Interpreter with the peers that are Python packages; None: without them.
    kinds : tuple of PeerKind
    brawl : Path or None
        Program; None: without it.
    """

    python: Path | None = None
    kinds: tuple[PeerKind, ...] = PEERS
    brawl: Path | None = None


@dataclass
class _Found:
    """What has been found so far."""

    ratios: list[Ratio] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    energy_times: list[EnergyTime] = field(default_factory=list)
    rooflines: list[Roofline] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def run_benchmark(
    name: str,
    settings: BenchmarkSettings,
    composition: int | None = None,
    specifications: Sequence[str] | None = None,
    rivals: Rivals | None = None,
) -> Benchmark:
    """Measure all oracles that fit the system, and its rivals.

    Parameters
    ----------
    name : str
        Of the system.
    settings : BenchmarkSettings
    composition : int or None
        None: the system's own. Further cells have the same part of second-species atoms.
    specifications : sequence of str, optional
        Oracles to measure; by default a pair model and the surrogates shipped for the system.
    rivals : Rivals, optional

    Raises
    ------
    InputError
        If something does not exist or does not fit.
    OracleError
        If a rival fails or does other work than ours.
    """
    chosen = rivals or Rivals()
    own = load_system(name)
    n_second = own.composition if composition is None else composition
    fraction = n_second / own.lattice.n_sites
    machine = describe_machine({})  # before we load it
    found = _Found()
    _measure_cell(own, n_second, True, settings, specifications, chosen, found)
    for cells in settings.cells:
        system = load_system(name, cells)
        if system.lattice.fingerprint != own.lattice.fingerprint:
            _measure_cell(system, _share(fraction, system), False, settings, specifications, chosen, found)
    if chosen.python is not None and not found.versions:
        raise InputError(
            f"no peer is installed for {chosen.python}; run: pip install 'alloy-wanglandau[peers]', or give "
            "--peer-python"
        )
    fought = _duel(name, fraction, settings, chosen, specifications)
    machine.versions.update(found.versions | ({"BraWl": fought.version} if fought else {}))
    return Benchmark(
        own.name,
        own.lattice.n_sites,
        found.ratios,
        found.rates,
        found.energy_times,
        found.rooflines,
        fought,
        machine,
        list(dict.fromkeys(found.notes)),
        settings.seconds,
        settings.turns,
    )


def _share(fraction: float, system: System) -> int:
    n_sites = system.lattice.n_sites
    return min(max(1, round(fraction * n_sites)), n_sites - 1)


def _measure_cell(
    system: System,
    composition: int,
    own: bool,
    settings: BenchmarkSettings,
    specifications: Sequence[str] | None,
    rivals: Rivals,
    found: _Found,
) -> None:
    show(f"preparing what works on {system.lattice.n_sites} sites")
    oracles = _oracles(system, specifications, own, found.notes)
    works = [plan_work(name, oracle, composition) for name, oracle in oracles.items()]
    contestants: dict[Contestant, Advance] = {}
    with ExitStack() as stack:
        for work in works:
            contestants |= _engines(work, own, settings.walkers)
        paired = next((work for work in works if isinstance(work.oracle, PairOracle)), None)
        if rivals.python is not None and paired is not None:
            contestants |= _peers(paired, rivals.python, rivals.kinds, stack, found)
        rates = take_turns(contestants, settings.seconds, settings.turns)
    trials = {key: key[2] * values for key, values in rates.items()}
    n_sites = system.lattice.n_sites
    found.rates += [Rate.of(n_sites, *key, values) for key, values in trials.items()]
    found.ratios += _ratios(n_sites, trials)
    found.rooflines += [line for line in map(roofline_of, works) if line is not None]
    if own:
        for work in works:
            found.energy_times += _energy_times(work, settings)


def _oracles(
    system: System, specifications: Sequence[str] | None, own: bool, notes: list[str]
) -> dict[str, EnergyOracle]:
    """Load what is to be measured; shipped ones, and any in a further cell, are left out where they do not fit."""
    chosen: dict[str, EnergyOracle] = {} if specifications else {PAIR_MODEL: PairOracle(system.lattice, [BOND_ENERGY])}
    for specification in specifications or SHIPPED:
        if not specifications and specification.partition(":")[0] not in oracle_names():
            continue
        try:
            chosen[specification] = load_oracle(specification, system)
        except InputError as error:
            if specifications and own:
                raise
            notes.append(f"{specification} is left out at {system.lattice.n_sites} atoms: {error}")
    return chosen


def _engines(work: Work, own: bool, walkers: Sequence[int]) -> dict[Contestant, Advance]:
    """Return the ways to walk: all in the system's own cell, elsewhere the fastest with one number of walkers."""
    numbers = {1, *walkers} if own else {walkers[0]}
    ways = {
        (work.name, engine, number): advance
        for engine, make in ENGINES.items()
        if own or engine not in (BATCHED, PYTHON_LOOP)
        for number in sorted(numbers)
        if (advance := make(work, number)) is not None
    }
    if not ways and (advance := ENGINES[BATCHED](work, walkers[0])) is not None:
        ways[work.name, BATCHED, walkers[0]] = advance
    return ways


def _peers(
    work: Work, python: Path, kinds: Sequence[PeerKind], stack: ExitStack, found: _Found
) -> dict[Contestant, Advance]:
    ways: dict[Contestant, Advance] = {}
    for kind in kinds:
        if work.n_sites > kind.most_sites:
            found.notes.append(
                f"{kind.name} is left out beyond {kind.most_sites} atoms, where its start takes too long"
            )
            continue
        try:
            peer = stack.enter_context(closing(Peer(kind, work, python)))
        except NotInstalled as error:
            found.notes.append(str(error))
            continue
        found.versions |= peer.versions
        ways[work.name, kind.name, 1] = peer.advance
    return ways


def _ratios(n_sites: int, trials: dict[Contestant, np.ndarray]) -> list[Ratio]:
    """Compare each engine at its best with the loop around the same model, and one walker of each oracle with peers."""
    ratios = []
    oracles = dict.fromkeys(oracle for oracle, _, _ in trials)
    for oracle, engine in ((oracle, engine) for oracle in oracles for engine in ENGINES if engine != PYTHON_LOOP):
        numbers = {key[2]: values for key, values in trials.items() if key[:2] == (oracle, engine)}
        loop = trials.get((oracle, PYTHON_LOOP, 1))
        if numbers and loop is not None:
            best = max(numbers, key=lambda number: float(np.median(numbers[number])))
            ratios.append(Ratio(n_sites, oracle, engine, best, PYTHON_LOOP, quotient(numbers[best], loop)))
    for oracle in oracles:
        for (model, engine, _), values in trials.items():
            if engine in ENGINES or (oracle, FUSED) not in {key[:2] for key in trials}:
                continue
            number = min(key[2] for key in trials if key[:2] == (oracle, FUSED))
            name = engine if model == oracle else f"{engine} ({model})"
            ratios.append(Ratio(n_sites, oracle, FUSED, number, name, quotient(trials[oracle, FUSED, number], values)))
    return ratios


def _energy_times(work: Work, settings: BenchmarkSettings) -> list[EnergyTime]:
    calls = take_turns(energy_callers(work), settings.seconds, settings.turns)
    return [
        EnergyTime(work.n_sites, work.name, size, Spread.of(1.0 / rates), Spread.of(1.0 / (size * rates)))
        for size, rates in calls.items()
    ]


def _duel(
    name: str,
    fraction: float,
    settings: BenchmarkSettings,
    rivals: Rivals,
    specifications: Sequence[str] | None,
) -> Duel | None:
    if rivals.brawl is None:
        return None
    system = load_system(name, DUEL_CELLS)
    oracles = _oracles(system, specifications, False, [])
    pair = next((oracle for oracle in oracles.values() if isinstance(oracle, PairOracle)), None)
    oracle = pair or PairOracle(system.lattice, [BOND_ENERGY])
    return duel(rivals.brawl, plan_work(PAIR_MODEL, oracle, _share(fraction, system)), settings.seconds, settings.turns)
