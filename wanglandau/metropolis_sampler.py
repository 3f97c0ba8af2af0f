"""The loop of Metropolis sampling: records, measurements, checks of the precision, checkpoints."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from wanglandau.delayed_acceptance import DelayedChains
from wanglandau.levels import MEV_PER_RY
from wanglandau.metropolis_averages import average_all
from wanglandau.metropolis_keeping import SAMPLING, MetropolisKeeper
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.metropolis_verdict import chain_faults, exchange_faults
from wanglandau.observables import Observable, column_names, measure_all
from wanglandau.orderly_end import Interrupted
from wanglandau.tempering import TemperatureExchange
from wanglandau.thermal_chains import Pool, ThermalChains
from wanglandau.thermal_series import ThermalSeries, equilibration
from wanglandau.time_series import mean_with_error
from wanglandau.walkers import make_snapshots

_SNAPSHOT_BYTES = 32 * 2**20
FIRST_CHECK = 200
"""Records before the precision is looked at for the first time."""
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


@dataclass
class Sampler:
    """State of a calculation under way.

    Attributes
    ----------
    pool : Pool
    chains : ThermalChains
    settings : MetropolisSettings
    observables : list of Observable
    listener : Listener or None
    exchange : TemperatureExchange or None
    keeper : MetropolisKeeper or None
    n_records : int
        Made so far.
    next_check : int
        Number of records at which the precision is looked at next.
    energies, compositions : list of float64[n_records, n_chains, n_temperatures]
    measured : list of float64[n_measured, n_chains, n_temperatures, n_names]
    frames : list of uint8[n_measured, n_chains * n_temperatures, n_bytes]
        Configurations that the listener was shown since the last checkpoint, a bit for each site.
    """

    pool: Pool
    chains: ThermalChains
    settings: MetropolisSettings
    observables: list[Observable]
    listener: Listener | None = None
    exchange: TemperatureExchange | None = None
    keeper: MetropolisKeeper | None = None
    n_records: int = 0
    next_check: int = 0
    energies: list[np.ndarray] = field(default_factory=list)
    compositions: list[np.ndarray] = field(default_factory=list)
    measured: list[np.ndarray] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    _n_kept: int = 0

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.chains.walkers.occupations.shape[1])

    @property
    def total(self) -> int:
        """Most records to be made."""
        return max(FIRST_CHECK, self.settings.sweeps // self.settings.record_interval)

    def run(self, progress: bool) -> bool:
        """Sample until precise enough or the budget is spent; return whether the user interrupted it.

        Raises
        ------
        KeyboardInterrupt
            If interrupted before there was anything to average, or with a keeper.
        """
        disable = None if progress else True  # None: silent where standard error is not a terminal
        with tqdm(total=self.total, initial=self.n_records, unit=" records", disable=disable) as bar:
            try:
                self._loop(bar)
            except Interrupted:
                if self.keeper is not None:
                    self.keeper.keep(SAMPLING, self.state)
                raise
            except KeyboardInterrupt:
                self.pool.engine.stop.set()
                if self.keeper is not None:  # the last checkpoint is what there is
                    raise
                if self.n_records < FIRST_CHECK:
                    raise KeyboardInterrupt("interrupted before there was anything to average") from None
                return True
        return False

    def _loop(self, bar: tqdm) -> None:
        self.next_check = self.next_check or min(FIRST_CHECK, self.total)
        while True:
            if self.n_records >= self.next_check:
                enough, error = self._precise_enough()
                bar.set_postfix_str(f"error of U {error:.2g} (wanted {self.settings.precision:g}) meV/atom")
                if enough or self.n_records >= self.total:
                    return
                self.next_check = min(self.total, int(np.ceil(_CHECK_RATIO * self.next_check)))
            before, done, lengths = self._position(), self.n_records, [len(part) for part in self._lists]
            try:
                self._record(min(self._records_at_once(), self.next_check - done))
            except Interrupted:
                self.chains.go_to(before["chains"])
                self.exchange, self.n_records = before["exchange"], done
                for part, length in zip(self._lists, lengths, strict=True):
                    del part[length:]
                raise
            bar.update(self.n_records - done)
            if self.keeper is not None:
                self.keeper.offer(SAMPLING, self.state)

    def _position(self) -> dict[str, Any]:
        return {"chains": self.chains.position(), "exchange": copy.deepcopy(self.exchange)}

    @property
    def _lists(self) -> tuple[list[np.ndarray], ...]:
        return self.energies, self.compositions, self.measured, self.frames

    def state(self) -> dict[str, Any]:
        """Bring all records to disk and return the rest of what a checkpoint needs."""
        assert self.keeper is not None
        if self.n_records > self._n_kept:
            self.keeper.keep_records(self._since_last())
            self._n_kept, self.frames = self.n_records, []
        own = {"temperatures": self.chains.temperatures, "n_records": self.n_records, "next_check": self.next_check}
        return self._position() | own

    def _since_last(self) -> dict[str, np.ndarray | None]:
        first = -(-self._n_kept // self.settings.measure_every)
        parts = {"energies": self._n_kept, "compositions": self._n_kept, "measured": first}
        return {name: np.concatenate(_tail(getattr(self, name), start)) for name, start in parts.items()} | {
            "frames": np.concatenate(self.frames) if self.frames else None
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; the listener is shown again what it was shown before."""
        assert self.keeper is not None
        self.chains.go_to(state["chains"])
        self.exchange = state["exchange"]
        for part in self.keeper.records():
            done = sum(map(len, self.energies))
            for name in ("energies", "compositions", "measured"):
                getattr(self, name).append(part[name])
            if self.listener is not None and part["frames"] is not None:
                self._show_again(part["frames"], part["energies"], done)
        self.n_records = self._n_kept = state["n_records"]
        self.next_check = state["next_check"]

    def _show_again(self, frames: np.ndarray, energies: np.ndarray, done: int) -> None:
        every = self.settings.measure_every
        first = -done % every
        rows = np.unpackbits(frames, axis=2, count=self.n_sites, bitorder="little").astype(np.int8)
        self._show(done + first + 1, rows, energies[first::every].reshape(len(rows), -1))

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
        """Number of records that are made in one piece; with exchanges or a dear oracle one."""
        if self.exchange is not None or isinstance(self.chains, DelayedChains):
            return 1
        most = _SNAPSHOT_BYTES // (self.chains.walkers.n_walkers * (self.n_sites + 200))
        piece = self.pool.pace.size // (self.settings.record_interval * self.n_sites)
        return max(1, min(most, piece))

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
            if self.keeper is not None:
                self.frames.append(np.packbits(rows.astype(np.uint8), axis=2, bitorder="little"))
            self._show(record, rows, energies[:, holders.reshape(-1)])

    def _show(self, record: int, rows: np.ndarray, energies: np.ndarray) -> None:
        """Show the listener measured records, the first of which is number ``record``."""
        assert self.listener is not None
        temperatures = np.tile(self.chains.temperatures, self.chains.n_chains)
        for place, (row, energy) in enumerate(zip(rows, energies, strict=True)):
            step = (record + place * self.settings.measure_every) * self.settings.record_interval
            sweep = step * self.chains.step_trials // self.n_sites
            self.listener(sweep, temperatures, row, energy)

    def left_out(self, series: ThermalSeries) -> int:
        """Return how many of the first records are equilibration."""
        if self.settings.burn_in is None:
            return equilibration(series)
        return min(int(self.settings.burn_in * series.n_records), series.n_records - FIRST_CHECK // 2)

    def _precise_enough(self) -> tuple[bool, float]:
        """Tell if all is as precise as asked for and nothing speaks against it, and the largest error, meV/atom."""
        series = self.series()
        series = series.after(self.left_out(series))
        errors = np.array([mean_with_error(energies).error for energies in series.energies])
        limit = self.settings.precision * series.n_sites / MEV_PER_RY
        faulty = bool(exchange_faults(self.exchange)) or bool((errors > limit).any())
        enough = not faulty and not chain_faults(series, average_all(series))
        return enough, float(errors.max()) * MEV_PER_RY / series.n_sites


def _tail(parts: Sequence[np.ndarray], start: int) -> list[np.ndarray]:
    """Return all but the first so many records, of which there is at least one part."""
    kept, done = [parts[0][:0]], 0
    for part in parts:
        kept.append(part[max(0, start - done) :])
        done += len(part)
    return kept
