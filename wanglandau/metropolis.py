"""Metropolis sampling at several temperatures at once, canonical or semi-grand, with or without parallel tempering.

N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953). All chains of all temperatures are one population of walkers, so
that one call of the compiled kernel, or one batch of energies, moves all of them. Records are kept from the beginning;
what belongs to equilibration is left out once it is known how long that took, see
:func:`wanglandau.thermal_series.equilibration`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from wanglandau.delayed_acceptance import DelayedChains, Proposal, delay
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_settings import MetropolisSettings, checked_temperatures
from wanglandau.metropolis_verdict import chain_faults, exchange_faults
from wanglandau.observables import Observable, column_names, measure_all, standard_observables
from wanglandau.oracle import EnergyOracle
from wanglandau.progress import stage
from wanglandau.ranks import OneProcess, default_threads
from wanglandau.temperature_ladder import first_ladder, tune_ladder
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.thermal_series import ThermalSeries, equilibration
from wanglandau.time_series import mean_with_error
from wanglandau.walkers import make_snapshots, make_walkers

_SNAPSHOT_BYTES = 32 * 2**20
_FIRST_CHECK = 200
_CHECK_RATIO = 1.3


class Listener(Protocol):
    """Whatever wants to see the configurations as they are sampled, equilibration included."""

    def __call__(self, sweep: int, temperatures: np.ndarray, occupations: np.ndarray, energies: np.ndarray) -> object:
        """Take one record.

        Parameters
        ----------
        sweep : int
            Sweeps made by each chain.
        temperatures : float64[n_chains * n_temperatures], K
        occupations : int8[n_chains * n_temperatures, n_sites]
            Chain by chain, within it by temperature.
        energies : float64[n_chains * n_temperatures], Ry per cell
        """


@dataclass(frozen=True, eq=False)
class MetropolisResult:
    """What Metropolis sampling gives.

    Attributes
    ----------
    series : ThermalSeries
        After equilibration.
    settings : MetropolisSettings
    discarded : int
        Sweeps of each chain left out at the start.
    sweeps : int
        Sweeps made by each chain, those left out included.
    acceptance : float64[n_temperatures]
        Part of the trials that was accepted.
    lowest : float, Ry per cell
        Lowest energy met by any walker, equilibration included.
    exchange : TemperatureExchange or None
        What came of the exchanges, if there were any.
    interrupted : bool
        Whether the user stopped it (Ctrl-C); what it had found is kept.
    proposal : dict or None
        With a proposal oracle, how it went: see :meth:`wanglandau.delayed_acceptance.DelayedChains.diagnostics`. Sweeps
        are rounds then.
    """

    series: ThermalSeries
    settings: MetropolisSettings
    discarded: int
    sweeps: int
    acceptance: np.ndarray
    lowest: float
    exchange: TemperatureExchange | None = None
    interrupted: bool = False
    proposal: dict[str, Any] | None = None

    def diagnostics(self) -> dict[str, Any]:
        """Collect what tells how it went, ready for JSON; lists have one entry a temperature or pair of neighbours."""
        found: dict[str, Any] = {
            "sweeps": self.sweeps,
            "discarded_sweeps": self.discarded,
            "acceptance": self.acceptance.tolist(),
            "lowest_energy": self.lowest,
            "interrupted": self.interrupted,
        }
        if self.exchange is not None:
            found["exchange_rates"] = self.exchange.rates.tolist()
            found["round_trips"] = self.exchange.round_trips.tolist()
        if self.proposal is not None:
            found["proposal"] = self.proposal
        return found


def sample_metropolis(
    oracle: EnergyOracle,
    composition: int | None,
    temperatures: Sequence[float] | np.ndarray,
    settings: MetropolisSettings,
    *,
    observables: Sequence[Observable] | None = None,
    listener: Listener | None = None,
    progress: bool = True,
    proposal: Proposal | None = None,
) -> MetropolisResult:
    """Sample thermal averages.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int or None
        Number of second-species atoms, 1 to n_sites - 1; not used in the semi-grand ensemble.
    temperatures : sequence of float, K
        With parallel tempering at least two; others are put between them where the settings say so.
    settings : MetropolisSettings
    observables : sequence of Observable, optional
        Default: :func:`~wanglandau.observables.standard_observables`, or none if the settings say so.
    listener : callable, optional
        Called at every measurement.
    progress : bool
        Show a bar (only ever on a terminal).
    proposal : Proposal, optional
        A cheap oracle whose chains of trials ``oracle`` decides on; see :mod:`wanglandau.delayed_acceptance`.

    Raises
    ------
    InputError
        If temperatures or composition are impossible, or the two oracles are of different lattices.
    OracleError
        If an energy cannot be had.
    KeyboardInterrupt
        If interrupted before there was anything to average.
    """
    wanted = checked_temperatures(temperatures)
    semigrand = settings.ensemble == "semigrand"
    if not semigrand and composition is None:
        raise InputError("the canonical ensemble needs a composition; give the number of second-species atoms")
    if settings.tempering and len(wanted) < 2:
        raise InputError("parallel tempering needs at least 2 temperatures, the ends of its range; give two or more")
    if proposal is not None:
        proposal.check(oracle)
        settings = proposal.settings.in_rounds(settings)
    if observables is None:  # what a dear oracle predicts of the sites would be as dear as its energy
        predicts = oracle if proposal is None else None
        observables = standard_observables(oracle.lattice, predicts) if settings.observables else []
    with _pool(Engine.fastest(oracle if proposal is None else proposal.oracle), settings.threads) as pool:
        start, exchange_seed, decisions = np.random.SeedSequence(settings.seed).spawn(3)
        with stage("tuning the temperatures" if settings.tempering else "preparing the chains", progress):
            chains = _start(pool, None if semigrand else composition, wanted, settings, start)
        if proposal is not None:
            chains = delay(pool, chains, oracle, proposal.settings, decisions, progress)
        sampler = _Sampler(pool, chains, settings, list(observables), listener)
        if settings.tempering:
            seed = int(exchange_seed.generate_state(1, np.uint64)[0])
            sampler.exchange = TemperatureExchange(chains.n_chains, len(chains.temperatures), seed)
        interrupted = sampler.run(progress)
    return sampler.result(interrupted)


@contextmanager
def _pool(engine: Engine, threads: int | None) -> Iterator[Pool]:
    # an oracle without a compiled energy may hold a calculator that only one thread may use, and is best asked at once
    n_threads = (threads or default_threads(OneProcess())) if engine.compiled else 1
    if n_threads == 1:
        yield Pool(engine)
        return
    with ThreadPoolExecutor(n_threads) as executor:
        yield Pool(engine, n_threads, executor)


def _start(
    pool: Pool,
    composition: int | None,
    wanted: np.ndarray,
    settings: MetropolisSettings,
    seed: np.random.SeedSequence,
) -> ThermalChains:
    """Put walkers on random configurations at every temperature; with tempering tune the temperatures first."""
    setup, tuning = seed.spawn(2)
    tuned = settings.tempering and settings.tune
    fixed = wanted[[0, -1]] if tuned and settings.only_ends else wanted
    first = first_ladder(fixed) if tuned else fixed
    walkers = make_walkers(pool.engine.oracle, composition, settings.chains * len(first), setup)
    chains = ThermalChains(walkers, first, settings.delta_mu / MEV_PER_RY if composition is None else 0.0)
    if tuned:
        chains = tune_ladder(pool, chains, fixed, settings.tuning_sweeps, tuning).chains
    chains.forget_counts()
    return chains


@dataclass
class _Sampler:
    """State of a calculation under way."""

    pool: Pool
    chains: ThermalChains
    settings: MetropolisSettings
    observables: list[Observable]
    listener: Listener | None = None
    exchange: TemperatureExchange | None = None
    n_records: int = 0
    energies: list[np.ndarray] = field(default_factory=list)  # float64[n_records, n_chains, n_temperatures]
    compositions: list[np.ndarray] = field(default_factory=list)
    measured: list[np.ndarray] = field(default_factory=list)

    @property
    def n_sites(self) -> int:
        return int(self.chains.walkers.occupations.shape[1])

    def run(self, progress: bool) -> bool:
        """Sample until precise enough or the budget is spent; return whether the user interrupted it."""
        total = max(_FIRST_CHECK, self.settings.sweeps // self.settings.record_interval)
        next_check = min(_FIRST_CHECK, total)
        disable = None if progress else True  # None: silent where standard error is not a terminal
        with tqdm(total=total, unit=" records", disable=disable) as bar:
            try:
                while self.n_records < total:
                    done = self.n_records
                    self._record(min(self._records_at_once(), next_check - done))
                    bar.update(self.n_records - done)
                    if self.n_records >= next_check:
                        enough, error = self._precise_enough()
                        bar.set_postfix_str(f"error of U {error:.2g} (wanted {self.settings.precision:g}) meV/atom")
                        if enough:
                            break
                        next_check = min(total, int(np.ceil(_CHECK_RATIO * next_check)))
            except KeyboardInterrupt:
                self.pool.engine.stop.set()
                if self.n_records < _FIRST_CHECK:
                    raise KeyboardInterrupt("interrupted before there was anything to average") from None
                return True
        return False

    def result(self, interrupted: bool) -> MetropolisResult:
        """Collect what was found, equilibration left out."""
        series = self.series()
        left_out = self._left_out(series)
        return MetropolisResult(
            series.after(left_out),
            self.settings,
            left_out * series.interval,
            self.n_records * series.interval,
            self.chains.accepted / max(self.chains.trials, 1),
            float(self.chains.walkers.records["lowest"].min()),
            self.exchange,
            interrupted,
            self.chains.diagnostics() if isinstance(self.chains, DelayedChains) else None,
        )

    def series(self) -> ThermalSeries:
        """Return all records so far."""
        walkers = self.chains.walkers
        order = (2, 1, 0)
        observables = np.concatenate(self.measured)
        return ThermalSeries(
            self.chains.temperatures,
            self.n_sites,
            None if walkers.flipping else int(walkers.records["composition"][0]),
            self.chains.delta_mu,
            np.ascontiguousarray(np.concatenate(self.energies).transpose(order)),
            np.ascontiguousarray(np.concatenate(self.compositions).transpose(order)),
            column_names(self.observables),
            np.ascontiguousarray(observables.transpose(*order, 3)),
            self.settings.record_interval,
            self.settings.measure_every,
        )

    def _records_at_once(self) -> int:
        """Number of records that one call of the kernel makes; with exchanges or a dear oracle one."""
        if self.exchange is not None or isinstance(self.chains, DelayedChains):
            return 1
        return max(1, _SNAPSHOT_BYTES // (self.chains.walkers.n_walkers * (self.n_sites + 200)))

    def _record(self, n_records: int) -> None:
        """Make some records and keep them."""
        records, occupations = self._advance(n_records)
        holders = self.chains.holders
        self.energies.append(records["energy"][:, holders])
        self.compositions.append(records["composition"][:, holders].astype(np.float64))
        first, every = -self.n_records % self.settings.measure_every, self.settings.measure_every
        if first < n_records:
            self._measure(self.n_records + first + 1, occupations[first::every], records["energy"][first::every])
        self.n_records += n_records

    def _advance(self, n_records: int) -> tuple[np.ndarray, np.ndarray]:
        """Return records and occupations on the way, by walker."""
        interval, walkers = self.settings.record_interval, self.chains.walkers
        if self.exchange is None and not isinstance(self.chains, DelayedChains):
            snapshots = make_snapshots(walkers, n_records, interval * self.n_sites)
            self.chains.advance(self.pool, n_records * interval * self.n_sites, snapshots)
            return snapshots.records, snapshots.occupations
        between = interval if self.exchange is None else self.settings.exchange_interval
        for _ in range(interval // between):
            if self.exchange is not None:
                self.exchange.perform(self.chains)
            self.chains.advance(self.pool, between * self.chains.step_trials)
        return walkers.records[None, :].copy(), walkers.occupations[None, :].copy()

    def _measure(self, record: int, occupations: np.ndarray, energies: np.ndarray) -> None:
        """Measure some records, ``int8[n_measured, n_walkers, n_sites]``, the first of which is number ``record``."""
        holders = self.chains.holders
        rows = occupations[:, holders.reshape(-1)]
        values = measure_all(self.observables, rows.reshape(-1, self.n_sites))
        self.measured.append(values.reshape(len(rows), *holders.shape, -1))
        if self.listener is not None:
            temperatures = np.tile(self.chains.temperatures, self.chains.n_chains)
            for place, (row, energy) in enumerate(zip(rows, energies[:, holders.reshape(-1)], strict=True)):
                step = (record + place * self.settings.measure_every) * self.settings.record_interval
                sweep = step * self.chains.step_trials // self.n_sites
                self.listener(sweep, temperatures, row, energy)

    def _left_out(self, series: ThermalSeries) -> int:
        if self.settings.burn_in is None:
            return equilibration(series)
        return min(int(self.settings.burn_in * series.n_records), series.n_records - _FIRST_CHECK // 2)

    def _precise_enough(self) -> tuple[bool, float]:
        """Tell if all is as precise as asked for and nothing speaks against it, and the largest error, meV/atom."""
        series = self.series()
        series = series.after(self._left_out(series))
        errors = np.array([mean_with_error(energies).error for energies in series.energies])
        limit = self.settings.precision * series.n_sites / MEV_PER_RY
        faulty = bool(exchange_faults(self.exchange)) or bool((errors > limit).any())
        enough = not faulty and not chain_faults(series, average_all(series))
        return enough, float(errors.max()) * MEV_PER_RY / series.n_sites
