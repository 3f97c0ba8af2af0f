"""Replica exchange on many processes: blocks of trials and exchanges measured, more processes modelled.

Weak scaling: every process has the same number of walks, each in a window of its own. A block is a number of rounds of
every walk and then one exchange. The model of a block on R processes, each on a core of its own, is

    T(R) = w t (1 + s sqrt(2 ln(w R)))  +  a + b w R  +  m (l ceil(log2 R) + B w R / c)

with w walks a process and t the mean time of a walk's block, both measured. The first term is the slowest process: s
is the measured relative deviation between blocks, and the largest of n normal deviates is about sqrt(2 ln n) of them
(for w > 1 this is on the safe side). The second is what every process works out by itself, for all walks of all
processes, in an exchange: a and b are fitted to measured exchanges of one process. The third are m collective messages
that bring B bytes of every walk to every process, with latency l and bandwidth c, which are assumed. Left out: noise
of the operating system beyond s, networks that many jobs share, files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wanglandau.calculation import Calculation
from wanglandau.errors import InputError
from wanglandau.kernels import WALKER

MESSAGES = 6
"""Collective messages of an exchange: records, gains and occupations, the number of rows before each."""


@dataclass(frozen=True, eq=False)
class BlockTimes:
    """What blocks took, s.

    Attributes
    ----------
    walks : float64[n_blocks, n_walks]
        Trials of every walk of all processes.
    exchanges : float64[n_blocks, n_processes]
        The exchange, once all processes have come to it.
    blocks : float64[n_blocks, n_processes]
        All of it, waiting for others included.
    """

    walks: np.ndarray
    exchanges: np.ndarray
    blocks: np.ndarray

    @property
    def n_processes(self) -> int:
        """Number of processes."""
        return self.blocks.shape[1]

    def efficiency(self, walk: float) -> float:
        """Part of the time of all processes that the trials need if a walk's block takes ``walk`` s undisturbed."""
        return walk * self.walks.shape[1] / (self.n_processes * float(np.median(self.blocks.max(axis=1))))


def time_blocks(calculation: Calculation, n_rounds: int, n_blocks: int) -> BlockTimes:
    """Advance all walks block by block under a clock; all processes call it together.

    Parameters
    ----------
    calculation : Calculation
        With several windows.
    n_rounds : int
        Of a block.
    n_blocks : int
        That count; one more goes before them.
    """
    ranks = calculation.ranks
    walks, exchanges, blocks = [], [], []
    for _ in range(n_blocks + 1):
        ranks.gather(np.zeros((1, 1)))  # begin together
        begin, own = time.perf_counter(), []
        for walk in calculation.walks:
            before = time.perf_counter()
            walk.advance(calculation.engine, n_rounds)
            own.append(time.perf_counter() - before)
        ranks.gather(np.zeros((1, 1)))
        met = time.perf_counter()
        calculation.exchange.perform(calculation.walks, ranks)
        end = time.perf_counter()
        walks.append(own)
        exchanges.append([end - met])
        blocks.append([end - begin])
    gathered = (ranks.gather(np.array(rows[1:]).T.copy()).T for rows in (walks, exchanges, blocks))
    return BlockTimes(*gathered)


@dataclass(frozen=True)
class Network:
    """What is assumed of the network between nodes.

    Attributes
    ----------
    latency : float, s
        Of one message.
    bandwidth : float, bytes/s
        Into one process.
    """

    latency: float = 2e-6
    bandwidth: float = 1e10

    def __post_init__(self) -> None:
        if not (0 < self.latency < 1 and self.bandwidth > 0):
            raise InputError(
                f"network: latency {self.latency} s and bandwidth {self.bandwidth} bytes/s; give latency below 1 s and "
                "a bandwidth above 0"
            )


@dataclass(frozen=True)
class Model:
    """Numbers of the model in the docstring of this module.

    Attributes
    ----------
    walk : float, s
        Mean time of a walk's block, t.
    deviation : float
        Relative deviation between blocks, s.
    fixed, each : float, s
        Of an exchange: a, and b for each walk.
    walk_bytes : int
        Bytes of a walk that every process receives, B.
    network : Network
    """

    walk: float
    deviation: float
    fixed: float
    each: float
    walk_bytes: int
    network: Network

    @classmethod
    def fitted(cls, measured: Sequence[BlockTimes], walk_bytes: int, network: Network) -> Model:
        """Take the numbers from measurements of one process with several numbers of walks.

        Raises
        ------
        InputError
            If there are not two numbers of walks at least.
        """
        numbers = np.array([times.walks.shape[1] for times in measured], dtype=np.float64)
        if len(np.unique(numbers)) < 2:
            raise InputError("the cost of an exchange needs measurements with two numbers of walks at least")
        exchanges = np.array([np.median(times.exchanges) for times in measured])
        each, fixed = np.polyfit(numbers, exchanges, 1)
        walks = np.concatenate([times.walks.ravel() for times in measured])
        median = float(np.median(walks))
        quarters = np.percentile(walks, [25, 75])
        deviation = float(quarters[1] - quarters[0]) / 1.349 / median  # of a normal distribution with these quartiles
        return cls(median, deviation, max(float(fixed), 0.0), max(float(each), 0.0), walk_bytes, network)

    def slowest(self, n_processes: int, walks_each: int) -> float:
        """Return the time of the trials of the slowest process, s."""
        n = walks_each * n_processes
        return walks_each * self.walk * (1.0 + self.deviation * float(np.sqrt(2.0 * np.log(n))))

    def exchange(self, n_processes: int, walks_each: int) -> float:
        """Return the time of an exchange, messages included, s."""
        n, hops = walks_each * n_processes, int(np.ceil(np.log2(n_processes)))
        messages = MESSAGES * self.network.latency * hops
        received = self.walk_bytes * n / self.network.bandwidth if n_processes > 1 else 0.0
        return self.fixed + self.each * n + messages + received

    def efficiency(self, n_processes: int, walks_each: int) -> float:
        """Return the part of all processes' time that goes into trials."""
        total = self.slowest(n_processes, walks_each) + self.exchange(n_processes, walks_each)
        return walks_each * self.walk / total


def bytes_of_walk(n_walkers: int, n_sites: int) -> int:
    """Return how many bytes of a walk an exchange hands to every process: records, gains, occupations."""
    return n_walkers * (WALKER.itemsize + 8 + n_sites)
