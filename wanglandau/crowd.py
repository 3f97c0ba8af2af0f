"""Many walkers on one histogram.

Walkers that cannot see each other's updates raise ln g together and overshoot, unless ln f is small: W walkers that
make k trials each on common weights may add k W ln f to one bin, hence ln f begins at min(1, bins / (k W)). Here the
walkers are divided into fixed groups. In every turn each group makes k rounds on the weights as they were when the turn
began, and then ln g rises once by ln f times the integer counts of visits. Groups know nothing of each other within a
turn, so that threads may share them out; what they recorded is added up in the order of the groups, so that nothing
depends on the number of threads. (Parallel Wang-Landau and multicanonical sampling with common weights: J. Zierenberg,
M. Marenz, W. Janke, Comput. Phys. Commun. 184, 1155 (2013).)
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from wanglandau import kernels
from wanglandau.engine import Engine
from wanglandau.rounds import Snapshots
from wanglandau.turns import groups_of, rounds_together
from wanglandau.walkers import Walkers, Weights


def advance_crowd(
    engine: Engine, walkers: Walkers, weights: Weights, n_rounds: int, snapshots: Snapshots | None = None
) -> None:
    """Give every walker so many trials.

    Parameters
    ----------
    engine : Engine
        With a compiled energy.
    walkers, weights
        Changed in place.
    n_rounds : int
    snapshots : Snapshots, optional
        Filled on the way.
    """
    groups = np.array_split(np.arange(walkers.n_walkers), groups_of(walkers.n_walkers))
    every = snapshots.every if snapshots is not None else n_rounds
    longest = rounds_together(walkers.n_walkers, fixed=weights.fixed)
    done = 0
    while done < n_rounds:
        turn = min(longest, n_rounds - done, every - done % every)
        _take_turn(engine, walkers, weights, groups, turn)
        done += turn
        if snapshots is not None and done % every == 0 and done // every <= len(snapshots.records):
            snapshots.occupations[done // every - 1] = walkers.occupations
            snapshots.records[done // every - 1] = walkers.records


def _take_turn(engine: Engine, walkers: Walkers, weights: Weights, groups: list[np.ndarray], n_rounds: int) -> None:
    control = weights.control[0]
    kernels.begin_round(control)
    ln_f = float(control["ln_f"])

    def advance(group: np.ndarray) -> tuple[Walkers, Weights]:
        members, records = walkers.part(group), _empty_records(weights)
        engine.advance(members, records, n_rounds)
        return members, records

    executor: Executor | None = engine.executor
    results = list(map(advance, groups) if executor is None else executor.map(advance, groups))
    for group, (members, records) in zip(groups, results, strict=True):
        walkers.put(group, members)
        _add(weights, records)
    _raise_ln_g(weights, [records for _, records in results], ln_f)


def _empty_records(weights: Weights) -> Weights:
    """Copy the weights, fixed, with nothing recorded."""
    bins, control = weights.bins.copy(), weights.control.copy()
    for name in ("histogram", "visits", "energy_sum", "energy_square_sum"):
        bins[name] = 0
    control["gain"], control["ln_f"], control["trials"], control["bins_found"] = kernels.FIXED, 0.0, 0, 0
    return replace(weights, bins=bins, control=control, proposals=np.zeros_like(weights.proposals))


def _add(weights: Weights, records: Weights) -> None:
    """Add what one group recorded."""
    bins, new, control = weights.bins, records.bins, weights.control
    found = (new["seen"] == 1) & (bins["seen"] == 0)
    bins["ln_g"][found], bins["seen"][found] = new["ln_g"][found], 1
    for name in ("histogram", "visits", "energy_sum", "energy_square_sum"):
        bins[name] += new[name]
    control["bins_seen"] += found.sum()
    control["bins_found"] += (found & (bins["expected"] == 0)).sum()
    control["lowest_seen"] = np.minimum(control["lowest_seen"], records.control["lowest_seen"])
    control["highest_seen"] = np.maximum(control["highest_seen"], records.control["highest_seen"])
    control["trials"] += records.control["trials"]
    weights.proposals += records.proposals


def _raise_ln_g(weights: Weights, records: list[Weights], ln_f: float) -> None:
    counts = np.sum([part.bins["visits"] for part in records], axis=0)
    weights.bins["ln_g"] += ln_f * counts
