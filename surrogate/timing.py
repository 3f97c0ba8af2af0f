"""Wall times of energies: before the first one, of one, and of one in a batch, for trained models and for LSMS.

Times of a model are measured on this machine, those of LSMS were recorded when the data set was made. Every time is a
median with quartiles: a mean would be that of the few calls which something else interrupted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate.dataset import Dataset
from surrogate.timed_models import TimedModel
from wanglandau.benchmarking.spread import Spread
from wanglandau.configurations import random_configurations
from wanglandau.errors import OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle, PropertyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System

WARM_UP = 3
"""Calls before those that count."""
MIN_LOADS = 3
"""Loads that are timed even where no fresh processes are started."""
FRESH_LIMIT = 600.0
"""Seconds after which a fresh process is given up."""


@dataclass(frozen=True)
class Ratio:
    """Quotient of two medians, and how far the quartiles of both let it go.

    Attributes
    ----------
    value, lower, upper : float
    """

    value: float
    lower: float
    upper: float

    @classmethod
    def of(cls, slow: Spread, fast: Spread) -> Ratio:
        """Divide one time by another.

        >>> Ratio.of(Spread(8.0, 6.0, 9.0, 5), Spread(2.0, 1.0, 3.0, 5))
        Ratio(value=4.0, lower=2.0, upper=9.0)
        """
        return cls(slow.median / fast.median, slow.lower / fast.upper, slow.upper / fast.lower)


@dataclass(frozen=True)
class BatchTime:
    """Time of one configuration in batches of one size, the model being warm.

    Attributes
    ----------
    size : int
        Configurations in a batch, other ones in each.
    seconds : Spread
        Time of a batch divided by its size.
    """

    size: int
    seconds: Spread


@dataclass(frozen=True)
class FreshTimes:
    """What processes spend that have just been started, in seconds.

    Attributes
    ----------
    load : Spread
        From the start of the process, imports included, to a usable oracle; compiled code is on disk.
    first_call_compiling : Spread
        First energy where no compiled code was on disk.
    first_call : Spread
        First energy where an earlier process had left its compiled code.
    """

    load: Spread
    first_call_compiling: Spread
    first_call: Spread


@dataclass(frozen=True)
class ModelTimes:
    """All times of one model on one device.

    Attributes
    ----------
    model : TimedModel
    fresh : FreshTimes or None
        None where no processes were started.
    load : Spread
        From the artefact on disk to a usable oracle, s, everything being imported.
    energies : tuple of BatchTime
        Energy alone, by size of the batch; the first is that of one configuration.
    properties : tuple of BatchTime
        Energy, charges and moments, as far as learnt; empty where the oracle gives energies only.
    """

    model: TimedModel
    fresh: FreshTimes | None
    load: Spread
    energies: tuple[BatchTime, ...]
    properties: tuple[BatchTime, ...]


@dataclass(frozen=True)
class FirstPrinciplesTimes:
    """What the first-principles code took for the configurations of a data set, as recorded in it.

    Attributes
    ----------
    seconds : Spread
        Wall time of one configuration, one core.
    iterations : Spread
        Self-consistency iterations of one configuration.
    seconds_per_iteration : Spread
    """

    seconds: Spread
    iterations: Spread
    seconds_per_iteration: Spread


def recorded_times(dataset: Dataset) -> FirstPrinciplesTimes | None:
    """Return the times in the records of a data set, None where it has none."""
    seconds, iterations = (dataset.records.get(name) for name in ("wall_time", "scf_iterations"))
    if seconds is None or iterations is None:
        return None
    return FirstPrinciplesTimes(Spread.of(seconds), Spread.of(iterations), Spread.of(seconds / iterations))


def time_model(
    model: TimedModel,
    system: System,
    system_argument: str,
    sizes: Sequence[int],
    repeats: int,
    starts: int,
    advance: Callable[[], object] = lambda: None,
) -> ModelTimes:
    """Measure one model.

    Parameters
    ----------
    model : TimedModel
    system : System
    system_argument : str
        How a fresh process finds the system: its name or its TOML file.
    sizes : sequence of int
        Of the batches, at least 1 each; single configurations are timed in any case.
    repeats : int
        Batches of each size.
    starts : int
        Pairs of fresh processes; with 0 there are none.
    advance : callable
        Called :func:`n_steps` times, after each part of the work.

    Raises
    ------
    InputError
        If the model cannot be loaded.
    OracleError
        If a fresh process fails.
    """
    oracle = load_oracle(model.specification, system)  # imports, so that the loads below are loads alone
    advance()
    load = Spread.of(
        [_seconds(lambda: load_oracle(model.specification, system)) for _ in range(max(starts, MIN_LOADS))]
    )
    advance()
    energies = _time_sizes(oracle.energies, oracle.lattice, sizes, repeats, advance)
    properties = _time_properties(oracle, model, sizes, repeats, advance)
    fresh = _time_fresh(model, system_argument, starts, advance) if starts else None
    return ModelTimes(model, fresh, load, energies, properties)


def n_steps(model: TimedModel, sizes: Sequence[int], starts: int) -> int:
    """Count the calls of ``advance`` in :func:`time_model`."""
    return 2 + len(batch_sizes(sizes)) * (2 if _has_properties(model) else 1) + starts


def batch_sizes(sizes: Sequence[int]) -> list[int]:
    """List the sizes to measure, rising, that of single configurations first.

    >>> batch_sizes([32, 1024, 32])
    [1, 32, 1024]
    """
    return sorted({1, *sizes})


def time_batch(
    call: Callable[[np.ndarray], object], lattice: Lattice, size: int, repeats: int, rng: np.random.Generator
) -> BatchTime:
    """Time batches of random configurations of all compositions; drawing them does not count.

    Parameters
    ----------
    call : callable
        From ``int8[size, n_sites]`` to anything.
    lattice : Lattice
    size, repeats : int
    rng : numpy.random.Generator
    """
    seconds = []
    for _ in range(WARM_UP + repeats):
        rows = random_configurations(lattice, None, size, rng)
        start = time.perf_counter()
        call(rows)
        seconds.append(time.perf_counter() - start)
    return BatchTime(size, Spread.of(np.array(seconds[WARM_UP:]) / size))


def _time_sizes(
    call: Callable[[np.ndarray], object],
    lattice: Lattice,
    sizes: Sequence[int],
    repeats: int,
    advance: Callable[[], object],
) -> tuple[BatchTime, ...]:
    rng = np.random.default_rng(0)
    times = []
    for size in batch_sizes(sizes):
        times.append(time_batch(call, lattice, size, repeats, rng))
        advance()
    return tuple(times)


def _time_properties(
    oracle: EnergyOracle, model: TimedModel, sizes: Sequence[int], repeats: int, advance: Callable[[], object]
) -> tuple[BatchTime, ...]:
    if not _has_properties(model):
        return ()
    assert isinstance(oracle, PropertyOracle)
    return _time_sizes(oracle.properties, oracle.lattice, sizes, repeats, advance)


def _has_properties(model: TimedModel) -> bool:
    """Networks on the accelerator give energies only, see :class:`surrogate.torch_oracle.TorchOracle`."""
    return model.device == "cpu" and len(model.tasks) > 1


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _time_fresh(model: TimedModel, system: str, starts: int, advance: Callable[[], object]) -> FreshTimes:
    """Start pairs of processes: the first of each has to compile, the second finds what the first has compiled."""
    loads, compiling, compiled = [], [], []
    for _ in range(starts):
        with tempfile.TemporaryDirectory() as cache:
            compiling.append(_run_probe(model.specification, system, cache)[1])
            load, first_call = _run_probe(model.specification, system, cache)
            loads.append(load)  # of the second process: loading compiles a little too
            compiled.append(first_call)
        advance()
    return FreshTimes(Spread.of(loads), Spread.of(compiling), Spread.of(compiled))


def _run_probe(specification: str, system: str, cache: str) -> tuple[float, float]:
    """Return seconds from the start of a process to its oracle, and of its first call."""
    command = [sys.executable, "-m", "surrogate.timing_probe", system, specification]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    started = time.time()  # the one clock that two processes share on every platform
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=FRESH_LIMIT, check=True)
    except subprocess.TimeoutExpired as error:
        raise OracleError(f"a fresh process with {specification} took more than {FRESH_LIMIT:.0f} s") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise OracleError(f"a fresh process with {specification} failed: {last}") from error
    told = json.loads(done.stdout.splitlines()[-1])
    return told["ready"] - started, told["first_call"]
