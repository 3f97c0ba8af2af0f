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
from dataclasses import dataclass
from typing import Any

import numpy as np

from wanglandau.asked_once import AskedOnce
from wanglandau.delayed_acceptance import DelayedChains, Proposal, delay, delayed_chains
from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_keeping import PROPOSING, SAMPLING, MetropolisKeeper
from wanglandau.metropolis_sampler import Listener, Sampler
from wanglandau.metropolis_settings import MetropolisSettings, ProposalSettings, checked_temperatures
from wanglandau.move import Move
from wanglandau.move_check import check_move
from wanglandau.observables import Observable, checked_observables, standard_observables
from wanglandau.oracle import EnergyOracle
from wanglandau.orderly_end import Interrupted
from wanglandau.progress import stage
from wanglandau.ranks import OneProcess, default_threads
from wanglandau.temperature_ladder import first_ladder, tune_ladder
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.thermal_series import ThermalSeries
from wanglandau.walkers import make_walkers


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
    move : str
        Name of what a trial changed.
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
    move: str = ""

    def diagnostics(self) -> dict[str, Any]:
        """Collect what tells how it went, ready for JSON; lists have one entry a temperature or pair of neighbours."""
        found: dict[str, Any] = {
            "sweeps": self.sweeps,
            "discarded_sweeps": self.discarded,
            "acceptance": self.acceptance.tolist(),
            "lowest_energy": self.lowest,
            "interrupted": self.interrupted,
            "move": self.move,
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
    observables: Sequence[Observable] = (),
    listener: Listener | None = None,
    progress: bool = True,
    proposal: Proposal | None = None,
    keeper: MetropolisKeeper | None = None,
    move: Move | None = None,
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
        Measured beside the standard ones, which the settings turn off.
    listener : callable, optional
        Called at every measurement.
    progress : bool
        Show a bar (only ever on a terminal).
    proposal : Proposal, optional
        A cheap oracle whose chains of trials ``oracle`` decides on; see :mod:`wanglandau.delayed_acceptance`.
    keeper : MetropolisKeeper, optional
        Writes checkpoints, and gives the one to go on from.
    move : Move, optional
        What a trial changes; default: two unlike sites swap or, in the semi-grand ensemble, one flips.

    Raises
    ------
    InputError
        If temperatures or composition are impossible, or the two oracles are of different lattices.
    OracleError
        If an energy cannot be had.
    KeyboardInterrupt
        If interrupted before there was anything to average, or with a keeper.
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
    if move is not None:
        check_move(move, oracle.lattice.n_sites, None if semigrand else composition)
    predicts = oracle if proposal is None else None  # what a dear oracle tells of sites would be as dear as its energy
    standard = standard_observables(oracle.lattice, predicts) if settings.observables else []
    measured = standard + checked_observables(observables, oracle.lattice)
    with _pool(Engine.fastest(oracle if proposal is None else proposal.oracle, move), settings.threads) as pool:
        start, exchange_seed, decisions = np.random.SeedSequence(settings.seed).spawn(3)
        with stage("tuning the temperatures" if settings.tempering else "preparing the chains", progress):
            chains = _start(pool, None if semigrand else composition, wanted, settings, start, keeper)
        if proposal is not None:
            chains = _delayed(pool, chains, AskedOnce(oracle), proposal.settings, decisions, progress, keeper)
        sampler = Sampler(pool, chains, settings, measured, listener, keeper=keeper)
        if settings.tempering:
            seed = int(exchange_seed.generate_state(1, np.uint64)[0])
            sampler.exchange = TemperatureExchange(chains.n_chains, len(chains.temperatures), seed)
        if keeper is not None and (state := keeper.state_of(SAMPLING)) is not None:
            sampler.take_up(state)
        interrupted = sampler.run(progress)
    return _result(sampler, interrupted)


def _result(sampler: Sampler, interrupted: bool) -> MetropolisResult:
    """Collect what was found, equilibration left out."""
    series, chains = sampler.series(), sampler.chains
    left_out = sampler.left_out(series)
    return MetropolisResult(
        series.after(left_out),
        sampler.settings,
        left_out * series.interval,
        sampler.n_records * series.interval,
        chains.accepted / max(chains.trials, 1),
        float(chains.walkers.records["lowest"].min()),
        sampler.exchange,
        interrupted,
        chains.diagnostics() if isinstance(chains, DelayedChains) else None,
        sampler.pool.engine.move_of(chains.walkers).name,
    )


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
    keeper: MetropolisKeeper | None,
) -> ThermalChains:
    """Put walkers on random configurations at every temperature; with tempering tune the temperatures first.

    With a keeper, those of the checkpoint are taken.
    """
    setup, tuning = seed.spawn(2)
    tuned = settings.tempering and settings.tune
    fixed = wanted[[0, -1]] if tuned and settings.only_ends else wanted
    delta_mu = settings.delta_mu / MEV_PER_RY if composition is None else 0.0
    found = None if keeper is None else keeper.chains(delta_mu)
    if found is None:
        first = first_ladder(fixed) if tuned else fixed
        walkers = make_walkers(pool.engine.oracle, composition, settings.chains * len(first), setup)
        found = ThermalChains(walkers, first, delta_mu), 0 if tuned else None
    chains, done = found
    if done is not None:
        on_attempt = (lambda chains, done: None) if keeper is None else keeper.on_attempt
        try:
            chains = tune_ladder(pool, chains, fixed, settings.tuning_sweeps, tuning, done, on_attempt).chains
        except Interrupted:
            if keeper is not None:
                keeper.keep_tuning()
            raise
        chains.forget_counts()
    return chains


def _delayed(
    pool: Pool,
    chains: ThermalChains,
    dear: AskedOnce,
    settings: ProposalSettings,
    seed: np.random.SeedSequence,
    progress: bool,
    keeper: MetropolisKeeper | None,
) -> DelayedChains:
    """Make chains of the dear oracle; with a keeper, what it was asked before is not asked again."""
    if keeper is None:
        return delay(pool, chains, dear, settings, seed, progress)
    keeper.remind(dear)
    if keeper.state_of(SAMPLING) is not None:
        return delayed_chains(chains, dear, settings, seed)
    before = chains.position()
    try:
        return delay(pool, chains, dear, settings, seed, progress)
    except Interrupted:
        keeper.keep(PROPOSING, lambda: {"chains": before, "temperatures": chains.temperatures})
        raise
