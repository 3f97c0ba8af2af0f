"""Simulated annealing: the lowest energies of one composition and the configurations that have them.

S. Kirkpatrick, C. D. Gelatt and M. P. Vecchi, Science 220, 671 (1983). Walkers are cooled side by side by a constant
factor from step to step, and at the end quenched; the best configurations met at the end of a step are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from wanglandau.engine import Engine
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.levels import BOLTZMANN, MEV_PER_RY
from wanglandau.metropolis_settings import AnnealingSettings
from wanglandau.observables import LongRangeOrder
from wanglandau.oracle import EnergyOracle
from wanglandau.orbits import MAX_KEY_SITES, canonical_keys
from wanglandau.ordered_structures import ordered_structures
from wanglandau.orderly_end import Interrupted
from wanglandau.result_keeper import ResultKeeper
from wanglandau.short_pieces import Pace
from wanglandau.walkers import Walkers, boltzmann_weights, make_walkers

QUENCH = 1000.0
"""The quench at the end is at the last temperature divided by this."""
QUENCH_SWEEPS = 10
PERFECT = 1 - 1e-9
"""Long-range order of a perfect structure."""


@dataclass(frozen=True, eq=False)
class AnnealingResult:
    """The best configurations, energies ascending.

    Attributes
    ----------
    occupations : int8[n, n_sites]
    energies : float64[n], Ry per cell
    structures : tuple of (str or None)
        The named ordered structure that each is, if any.
    chains_at_lowest : int
        Walkers that ended in the lowest energy: with one only, lower ones may well be left to find.
    orbit_distinct : bool
        Whether configurations that symmetry makes alike count once; True up to 64 sites.
    lowest_met : float, Ry per cell
        Lowest energy that any walker passed, at most that of the best configuration.
    settings : AnnealingSettings
    """

    occupations: np.ndarray
    energies: np.ndarray
    structures: tuple[str | None, ...]
    chains_at_lowest: int
    orbit_distinct: bool
    lowest_met: float
    settings: AnnealingSettings


def anneal(
    oracle: EnergyOracle,
    composition: int,
    settings: AnnealingSettings,
    progress: bool = True,
    keeper: ResultKeeper | None = None,
) -> AnnealingResult:
    """Search for configurations of low energy.

    Parameters
    ----------
    oracle : EnergyOracle
    composition : int
        Number of second-species atoms, 1 to n_sites - 1.
    settings : AnnealingSettings
    progress : bool
        Show a bar (only ever on a terminal).
    keeper : ResultKeeper, optional
        Writes checkpoints between steps, and gives the one to go on from.

    Raises
    ------
    InputError
        If the composition leaves nothing to swap.
    OracleError
        If an energy cannot be had.
    """
    engine, lattice, pace = Engine.fastest(oracle), oracle.lattice, Pace()
    temperatures = np.geomspace(settings.from_temperature, settings.to_temperature, settings.steps)
    sweeps = np.full(settings.steps, max(1, settings.sweeps // settings.steps))
    schedule = [*zip(temperatures, sweeps, strict=True), (settings.to_temperature / QUENCH, QUENCH_SWEEPS)]
    if keeper is not None and keeper.state is not None:
        walkers, best, done = (keeper.state[name] for name in ("walkers", "best", "done"))
    else:
        walkers = make_walkers(oracle, composition, settings.chains, np.random.SeedSequence(settings.seed))
        best, done = (walkers.occupations[:0], walkers.records["energy"][:0]), 0
    bar = tqdm(
        schedule[done:],
        initial=done,
        total=len(schedule),
        desc="cooling",
        unit=" steps",
        disable=None if progress else True,
    )
    for temperature, n_sweeps in bar:
        before = walkers.part(np.arange(settings.chains)), best, done
        try:
            weights = boltzmann_weights(walkers, 1 / (BOLTZMANN * temperature))
            for n_rounds in pace.pieces(int(n_sweeps) * lattice.n_sites):
                engine.advance(walkers, weights, n_rounds)
            rows = np.concatenate((best[0], walkers.occupations))
            energies = np.concatenate((best[1], walkers.records["energy"]))
            best, done = lowest_distinct(lattice, rows, energies, settings.keep), done + 1
        except Interrupted:
            if keeper is not None:
                keeper.keep(partial(_state, *before))
            raise
        lowest = best[1][0] * MEV_PER_RY / lattice.n_sites
        bar.set_postfix_str(f"{temperature:.4g} K, lowest {lowest:.4f} meV/atom", refresh=False)
        if keeper is not None:
            keeper.offer(partial(_state, walkers, best, done))
    tolerance = 1e-9 * max(1.0, abs(float(best[1][0])))
    rows, energies = best
    return AnnealingResult(
        rows,
        energies,
        name_structures(lattice, best[0]),
        int((walkers.records["energy"] <= best[1][0] + tolerance).sum()),
        lattice.n_sites <= MAX_KEY_SITES,
        float(walkers.records["lowest"].min()),
        settings,
    )


def _state(walkers: Walkers, best: tuple[np.ndarray, np.ndarray], done: int) -> dict[str, Any]:
    return {"walkers": walkers, "best": best, "done": done}


def lowest_distinct(
    lattice: Lattice, occupations: np.ndarray, energies: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``n`` configurations of lowest energy, of those that symmetry makes alike the lowest only.

    Beyond 64 sites only equal configurations count as alike.

    Parameters
    ----------
    lattice : Lattice
    occupations : int8[n_configurations, n_sites]
    energies : float64[n_configurations], Ry per cell
    n : int

    Returns
    -------
    occupations : int8[n_kept, n_sites]
    energies : float64[n_kept], ascending
    """
    order = np.argsort(energies, kind="stable")
    rows = occupations[order]
    if lattice.n_sites <= MAX_KEY_SITES:
        # canonical keys are dear: no configuration needs its own twice
        rows, order = _first_of_each(rows, order, np.packbits(rows, axis=1))
        keys = canonical_keys(lattice.symmetry, rows)[:, None]
    else:
        keys = np.packbits(rows, axis=1)
    rows, order = _first_of_each(rows, order, keys)
    return rows[:n], energies[order[:n]]


def name_structures(lattice: Lattice, occupations: np.ndarray) -> tuple[str | None, ...]:
    """Name the known ordered structure that each of ``int8[n, n_sites]`` is, in whatever variant; None for others."""
    if not ordered_structures(lattice):
        return (None,) * len(occupations)
    try:
        order = LongRangeOrder(lattice)
    except InputError:  # no structure fits
        return (None,) * len(occupations)
    names = [name.removeprefix("lro_") for name in order.names]
    perfect = order.measure(occupations) >= PERFECT
    return tuple(names[int(np.argmax(row))] if row.any() else None for row in perfect)


def _first_of_each(rows: np.ndarray, order: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = np.sort(np.unique(labels, axis=0, return_index=True)[1])
    return rows[first], order[first]
