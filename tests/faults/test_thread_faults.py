"""F28 and F30: threads, batches, Ctrl-C away from a terminal, processes that are spawned."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult

from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

CELL = load_system("cuau", (2, 2, 1)).lattice
SETTINGS = WangLandauSettings(runs=3, walkers=4, max_trials=300_000, precision=1e-9, seed=7, threads=1)


class InPieces:
    """A pair model without compiled energies that answers batches in pieces, and in another order."""

    invariant, identity = True, "pieces"

    def __init__(self, pair: PairOracle, size: int, rng: np.random.Generator) -> None:
        self.lattice, self.reference_energies = pair.lattice, pair.reference_energies
        self._pair, self._size, self._rng = pair, size, rng

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Answer piece by piece."""
        order = self._rng.permutation(len(occupations))
        found = np.empty(len(occupations))
        for start in range(0, len(order), self._size):
            piece = order[start : start + self._size]
            found[piece] = self._pair.energies(occupations[piece])
        return found


def pair(lattice: Lattice = CELL) -> PairOracle:
    return PairOracle(lattice, [-3e-3, 1e-3])


def content(sampled: SampledDensity) -> bytes:
    """Return all numbers of a result."""
    arrays = [sampled.density.run_ln_g, sampled.density.mean_energy, sampled.density.energy_variance]
    arrays += [value for value in sampled.diagnostics().values() if isinstance(value, np.ndarray)]
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def sampled_content(settings: WangLandauSettings) -> bytes:
    return content(sample_density(pair(), 8, settings, progress=False))


def same_in_pieces(count: FaultCount, number: int) -> None:
    """Compare batches with a batched oracle that takes them whole."""
    settings = replace(SETTINGS, max_trials=4000, walkers=16, runs=2)
    rng = np.random.default_rng(28)
    expected = content(sample_density(InPieces(pair(), 10**6, rng), 8, settings, progress=False))
    for size in rng.integers(1, 17, number).tolist():
        with count.injection(f"batches of {size}"):
            if content(sample_density(InPieces(pair(), size, rng), 8, settings, progress=False)) != expected:
                raise WrongResult("another trajectory")


def test_threads_and_batches(counted: Callable, tally: Tally) -> None:
    with counted("F28") as count:
        crowd = replace(SETTINGS, runs=1, walkers=130, max_trials=200_000, minimum_count=0.0)
        for settings in (SETTINGS, crowd, replace(SETTINGS, windows=2, runs=2)):
            expected = sampled_content(settings)
            for threads in (2, 3, 5, 16) if tally.full else (3,):
                for place in range(tally.size(1, 2)):
                    with count.injection(f"{threads} threads, {settings.walkers} walkers, {place}"):
                        if sampled_content(replace(settings, threads=threads)) != expected:
                            raise WrongResult("another trajectory")
        same_in_pieces(count, tally.size(2, 40))


def test_energies_that_depend_on_the_batch_would_be_noticed(broken: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PairOracle.energies

    def sloppy(self: PairOracle, occupations: np.ndarray) -> np.ndarray:
        """As of matrix products whose order of summation depends on the size of the batch."""
        return whole(self, occupations) * (1 + 1e-15 * len(occupations))

    with broken("F28", "energies that do not depend on the batch") as count:
        monkeypatch.setattr(PairOracle, "energies", sloppy)
        same_in_pieces(count, 4)
        assert count.wrong


def interrupted_like_a_notebook(count: FaultCount, number: int) -> None:
    """Send Ctrl-C while a cell computes: the result says so, and everything can be started again."""
    rng = np.random.default_rng(30)
    settings = replace(SETTINGS, max_trials=10**12)
    for place in range(number):
        with count.injection(f"Ctrl-C {place}"):
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            timer = threading.Timer(float(rng.uniform(0.1, 0.4)), os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                sampled = sample_density(pair(), 8, settings, progress=False)
                if not sampled.interrupted:
                    raise WrongResult("a part of the work, given as if it were all")
            except KeyboardInterrupt:  # before the first trial there is nothing to give
                pass
            finally:
                timer.join()
                signal.signal(signal.SIGINT, before)
            assert sampled_content(replace(SETTINGS, max_trials=50_000))


def _in_thread(settings: WangLandauSettings) -> bytes:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(sampled_content, settings).result(120)


def test_notebooks_and_spawned_processes(counted: Callable, tally: Tally) -> None:
    expected = sampled_content(SETTINGS)
    with counted("F30") as count:
        interrupted_like_a_notebook(count, tally.size(1, 30))
        for place in range(tally.size(1, 10)):
            with count.injection(f"in a thread, {place}"):
                if _in_thread(SETTINGS) != expected:
                    raise WrongResult("another result in a thread")
        if tally.full:
            with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
                results: list[Any] = [pool.submit(sampled_content, SETTINGS) for _ in range(8)]
                for place, future in enumerate(results):
                    with count.injection(f"spawned process, {place}"):
                        if future.result(300) != expected:
                            raise WrongResult("another result in a spawned process")


def test_threads_leave_none_behind() -> None:
    before = threading.active_count()
    sampled_content(replace(SETTINGS, threads=4, max_trials=20_000))
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
