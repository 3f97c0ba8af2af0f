"""A density of states from several independent runs: Wang-Landau, then production with fixed weights.

Runs advance side by side. First the schedule lowers ln f until ln g is good enough to be frozen; then the weights
stay fixed, and the histogram corrects ln g while observables are measured. It ends when ln g is precise enough or
the budget of trials is spent. Threads and processes only share out the work: the result does not depend on
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from tqdm import tqdm

from wanglandau.calculation import Calculation, plan
from wanglandau.combination import combine
from wanglandau.density_of_states import DensityOfStates
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.extensions import Extensions
from wanglandau.move import Move
from wanglandau.move_check import check_move
from wanglandau.observables import Observable
from wanglandau.oracle import EnergyOracle
from wanglandau.progress import stage
from wanglandau.ranks import OneProcess, Ranks, default_threads, share_of
from wanglandau.replica_exchange import average_teams
from wanglandau.sampled_density import SampledDensity, bins_of_interest, conclude, standard_error_rms
from wanglandau.sampling_progress import AT_MOST, SamplingProgress
from wanglandau.schedule import OneOverT, next_check
from wanglandau.schedule_factories import ScheduleFactory
from wanglandau.settings import WangLandauSettings
from wanglandau.verdict import round_trips_needed

LOOK_AGAIN = 1.1
"""Precision is looked at whenever the trials have grown by this factor."""


class Keeper(Protocol):
    """What keeps the state of a calculation that may be interrupted; see :mod:`wanglandau.run_keeper`."""

    def calculation(
        self,
        engine: Engine,
        composition: int | None,
        settings: WangLandauSettings,
        ranks: Ranks,
        own: Extensions,
    ) -> Calculation:
        """Return the calculation that was kept, or plan one."""
        ...

    def attend(self, calculation: Calculation, at_check: bool) -> None:
        """Write a checkpoint if it is time to, and end the calculation if it has to end.

        Called by all processes after each block and where one paused on the way.

        Parameters
        ----------
        at_check : bool
            Whether the histograms are looked at next.
        """
        ...

    def rest(self, calculation: Calculation) -> None:
        """Remember the state, from which to go on if the budget of trials grows."""
        ...

    def fail(self, calculation: Calculation) -> None:
        """Write a checkpoint because an energy could not be had."""
        ...


class Unkept:
    """Keeps nothing."""

    def calculation(
        self,
        engine: Engine,
        composition: int | None,
        settings: WangLandauSettings,
        ranks: Ranks,
        own: Extensions,
    ) -> Calculation:
        """Plan a calculation."""
        return plan(engine, composition, settings, ranks, own)

    def attend(self, calculation: Calculation, at_check: bool) -> None:
        """Let it go on."""

    def rest(self, calculation: Calculation) -> None:
        """Do nothing."""

    def fail(self, calculation: Calculation) -> None:
        """Do nothing."""


def sample_density(
    oracle: EnergyOracle,
    composition: int | None,
    settings: WangLandauSettings,
    progress: bool = True,
    ranks: Ranks | None = None,
    keeper: Keeper | None = None,
    *,
    move: Move | None = None,
    observables: Sequence[Observable] = (),
    schedule: ScheduleFactory | None = None,
) -> SampledDensity:
    """Estimate the density of states of one composition, or of all.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int or None
        Number of second-species atoms, 1 to n_sites - 1; None, and only then, where the ensemble has all compositions.
    settings : WangLandauSettings
    progress : bool
        Show a bar (only ever on a terminal).
    ranks : Ranks, optional
        Processes that share the work; this one alone by default.
    keeper : Keeper, optional
        Keeps checkpoints and decides on interruptions. Without, Ctrl-C ends the runs with what they have found.
    move : Move, optional
        What a trial changes; default: two unlike sites swap or, with all compositions, one flips. From the search for
        the range of energies onwards, all walks go by it.
    observables : sequence of Observable, optional
        Measured in production beside the standard ones, which the settings turn off.
    schedule : ScheduleFactory, optional
        Makes the schedule of every walk, instead of the one that the settings name.

    Raises
    ------
    InputError
        If composition, window or bins are impossible for this oracle, or what is added does not fit the rest.
    OracleError
        If an energy cannot be had.
    """
    wanted = composition if settings.ensemble == "canonical" else None
    if move is not None:
        check_move(move, oracle.lattice.n_sites, wanted)
    if schedule is not None and (settings.schedule is not None or settings.lowest_temperature is not None):
        raise InputError("a schedule of your own goes without schedule and lowest_temperature in the settings")
    kept, own = keeper or Unkept(), Extensions(observables, schedule)
    with stage("searching the range of energies", progress):
        engine = Engine.fastest(oracle, move)
        calculation = kept.calculation(engine, wanted, settings, ranks or OneProcess(), own)
    interrupted = advance_calculation(calculation, progress, keeper)
    if not calculation.rounds:
        raise KeyboardInterrupt("interrupted before the first trial")
    return conclude(calculation, interrupted)


def advance_calculation(calculation: Calculation, progress: bool = True, keeper: Keeper | None = None) -> bool:
    """Advance a calculation to its end.

    Returns whether the user interrupted it (Ctrl-C); what is under way is finished first. A keeper raises instead.
    """
    kept = keeper or Unkept()
    settings, ranks, layout = calculation.settings, calculation.ranks, calculation.layout
    # None: silent where standard error is not a terminal
    disable = True if not progress or ranks.rank else None
    total = calculation.max_rounds * calculation.n_walkers * len(share_of(layout.size, ranks))
    n_threads = (settings.threads or default_threads(ranks)) if calculation.engine.compiled else 1
    done = sum(walk.trials for walk in calculation.walks)
    with (
        tqdm(
            total=total,
            initial=done,
            unit=" trials",
            unit_scale=True,
            disable=disable,
            mininterval=0.2,
            bar_format=AT_MOST,
        ) as bar,
        ThreadPoolExecutor(n_threads) as pool,
    ):
        calculation.engine.on_trials = bar.update
        try:
            _advance(calculation, pool, SamplingProgress(bar), kept)
        except KeyboardInterrupt:
            calculation.engine.stop.set()
            if ranks.size > 1 or keeper is not None:
                raise  # the other processes do not know of it, or the keeper has said what there was to say
            return True
        except OracleError:
            kept.fail(calculation)
            raise
    return False


def _advance(calculation: Calculation, pool: ThreadPoolExecutor, progress: SamplingProgress, keeper: Keeper) -> None:
    between, most = calculation.rounds_between_checks, calculation.max_rounds
    block = calculation.rounds_between_exchanges
    while calculation.reviewed < most:
        until = min(next_check(calculation.reviewed, between, calculation.n_walkers), most)
        while calculation.rounds < until:
            calculation.advance(min(block, until - calculation.rounds), pool)
            keeper.attend(calculation, calculation.rounds == until)
        if until == most:
            keeper.rest(calculation)
        _review(calculation)
        calculation.reviewed = calculation.rounds
        progress.update(calculation)
        if calculation.rounds >= calculation.next_look:
            calculation.next_look = LOOK_AGAIN * calculation.rounds
            over = _finished(calculation)
            progress.look(calculation)
            if over:
                progress.end()
                if until < most:
                    keeper.rest(calculation)
                return


def _review(calculation: Calculation) -> None:
    """Let grids grow and schedules go on; begin or end production, run by run."""
    walks = calculation.walks
    extended = [walk.extend_range() or walk.met_new_bins() for walk in walks]
    producing = [walk.producing for walk in walks]
    spoilt = calculation.runs_where([a and b for a, b in zip(extended, producing, strict=True)], every=False)
    if calculation.rounds < calculation.max_rounds:  # else there is no time to begin anew
        calculation.end_production(spoilt)
    for walk in walks:
        if not walk.producing:
            walk.schedule.meet_new_bins(walk.weights)
    _end_stages(calculation)
    settled = [not walk.producing and walk.settled() for walk in walks]
    if calculation.settings.production:
        calculation.begin_production(calculation.runs_where(settled, every=True))


def _end_stages(calculation: Calculation) -> None:
    """End the stage of every window of which all teams are done, with the mean of their ln g.

    Teams that have found different bins may be in different phases; one in phase 2 has no stages and keeps no other
    waiting, nor is its ln g mixed with theirs.
    """
    layout, ranks = calculation.layout, calculation.ranks
    own = []
    for walk in calculation.walks:
        over = not walk.producing and walk.schedule.stage_is_over(walk.weights)
        own.append([over, not over and not walk.producing and walk.schedule.phase == 2])
    over, without = ranks.gather(np.array(own, dtype=np.int64)).reshape(-1, layout.teams, 2).transpose(2, 0, 1) > 0
    together = over.all(axis=1)
    ended = [number for number in range(layout.size) if together[number // layout.teams]]
    if layout.teams > 1 and ended:
        average_teams(calculation.walks, ranks, layout, ended)
    ready = over & (over | without).all(axis=1, keepdims=True)
    for number, walk in zip(share_of(layout.size, ranks), calculation.walks, strict=True):
        if ready.reshape(-1)[number]:
            walk.schedule.next_stage(walk.weights)


def _finished(calculation: Calculation) -> bool:
    """Tell whether ln g is precise enough, or ln f small enough where there is no production."""
    settings, ranks = calculation.settings, calculation.ranks
    if settings.production and not calculation.producing:
        return False
    if not settings.production:
        halving = [isinstance(walk.schedule, OneOverT) and walk.schedule.phase < 2 for walk in calculation.walks]
        ln_f = ranks.gather(np.array([walk.ln_f for walk in calculation.walks]))
        if ranks.gather(np.array(halving, dtype=np.int64)).any():
            return False
        if ln_f.max() < settings.final_ln_f:
            return True
    if settings.runs < 2 or _round_trips(calculation) < round_trips_needed(calculation.n_walkers):
        return False
    combined = combine(calculation)
    interest = bins_of_interest(calculation, combined.grid)
    densities = list(combined.densities.values())
    errors = [_error(density, interest) for density in densities]
    calculation.error = max(errors, default=float("inf"))
    return all(error < settings.precision for error in errors) and bool(errors)


def _error(density: DensityOfStates, interest: np.ndarray) -> float:
    """Return the standard error of ln g, rms over the bins; infinite where a run lacks one."""
    counts = density.visited & interest
    if not np.isfinite(density.run_ln_g).all(axis=0)[counts].all():
        return float("inf")
    return 0.0 if counts.sum() == 1 else standard_error_rms(density, interest)


def _round_trips(calculation: Calculation) -> float:
    trips = [walk.walkers.records["half_trips"] // 2 for walk in calculation.walks]
    rows = np.array(trips, dtype=np.int64).reshape(len(trips), -1)
    return float(np.median(calculation.ranks.gather(rows)))
