"""Whether a move leaves the distribution alone that the sampler believes in: a check for moves of one's own.

In a cell small enough to list, the density of states is known, and so is the distribution that a flat-histogram walk
with these weights has to keep: all bins of the energy alike, all configurations of a bin alike. Independent walkers are
drawn from just that distribution and make some trials. If the move proposes symmetrically, and energies are what they
should be, they are distributed as before, to within the scatter of independent draws, which is known: no
autocorrelation enters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from wanglandau.energy_grid import EnergyGrid
from wanglandau.engine import Engine
from wanglandau.errors import InputError, OracleError
from wanglandau.move import Move
from wanglandau.move_check import check_move
from wanglandau.oracle import EnergyOracle, checked_energies
from wanglandau.walkers import flat_weights, walkers_at

MAX_SITES = 20
"""Of a cell whose configurations are listed."""
BATCH = 65_536
ENERGY_TOLERANCE = 1e-9
"""Ry per cell."""
LEAST_PROBABILITY = 1e-4
"""Below this, chance is no explanation."""
EXPECTED_IN_A_GROUP = 25
"""Walkers to be expected in a group of configurations that are counted together."""


@dataclass(frozen=True)
class Stationarity:
    """What came of a check.

    Attributes
    ----------
    n_walkers : int
    trials : int
        Of each walker.
    acceptance : float
        Part of the trials that was accepted.
    bins_probability : float
        With which chance alone distributes walkers over bins of the energy at least as unevenly as was found.
    configurations_probability : float
        The same for groups of configurations.
    """

    n_walkers: int
    trials: int
    acceptance: float
    bins_probability: float
    configurations_probability: float

    @property
    def holds(self) -> bool:
        """Whether walkers moved, and are distributed as before."""
        least = min(self.bins_probability, self.configurations_probability)
        return self.acceptance > 0 and least >= LEAST_PROBABILITY

    def __str__(self) -> str:
        kept = "kept" if self.holds else "NOT kept" if self.acceptance > 0 else "not put to the test: nothing moved"
        return (
            f"distribution {kept} by {self.n_walkers} walkers in {self.trials} trials each ({self.acceptance:.1%} "
            f"accepted); by chance: p = {self.bins_probability:.2g} over energies, "
            f"{self.configurations_probability:.2g} over configurations"
        )


def check_stationarity(
    oracle: EnergyOracle,
    composition: int | None,
    move: Move | None = None,
    *,
    n_walkers: int = 50_000,
    sweeps: int = 5,
    bins: int = 20,
    seed: int = 1,
) -> Stationarity:
    """Check on a small cell that a move, with the energies of an oracle, keeps the flat-histogram distribution.

    What is found wrong is wrong (but for one chance in some thousands). What is found right may have a fault that such
    a cell does not show, or that is smaller than the scatter of so many walkers; and whether the move ever gets
    everywhere is another question.

    Parameters
    ----------
    oracle : EnergyOracle
        On a lattice of at most 20 sites, all of whose configurations it is asked for.
    composition : int or None
        Number of second-species atoms; None: all compositions, for moves that change it.
    move : Move, optional
        Default: the built-in swap or flip.
    n_walkers : int
        More show smaller faults; they are what takes the time.
    sweeps : int
        Trials of each walker for every site.
    bins : int
        Of the energy.
    seed : int

    Raises
    ------
    InputError
        If the cell is too large, or the move does not fit.
    OracleError
        If an energy cannot be had, or those followed on the way differ from those of ``energies()``.
    """
    n_sites = oracle.lattice.n_sites
    if n_sites > MAX_SITES:
        raise InputError(f"the cell has {n_sites} sites; to list its configurations take one of at most {MAX_SITES}")
    if min(n_walkers, sweeps, bins) < 1:
        raise InputError(f"{n_walkers} walkers, {sweeps} sweeps and {bins} bins; take at least one of each")
    if move is not None:
        check_move(move, n_sites, composition)
    occupations = _every_configuration(n_sites, composition)
    energies = np.concatenate(
        [checked_energies(oracle, occupations[first : first + BATCH]) for first in range(0, len(occupations), BATCH)]
    )
    spread = float(np.ptp(energies))
    grid = EnergyGrid.covering(
        energies.min(), energies.max(), spread / (bins - 1) if spread > 0 and bins > 1 else 2 * spread + 1.0
    )
    states = grid.index(energies)
    counts = np.bincount(states, minlength=grid.n_bins)
    chances = 1 / ((counts > 0).sum() * counts[states])
    start, streams = np.random.SeedSequence(seed).spawn(2)
    chosen = np.random.default_rng(start).choice(len(chances), n_walkers, p=chances / chances.sum())
    walkers = walkers_at(oracle, occupations[chosen], streams, flipping=composition is None)
    weights = flat_weights(grid, walkers, 0.0)
    weights.bins["ln_g"], weights.bins["seen"] = np.log(np.maximum(counts, 1)), counts > 0
    weights.control["bins_seen"] = (counts > 0).sum()
    Engine.fastest(oracle, move).advance(walkers, weights, sweeps * n_sites)
    place = np.searchsorted(_keys(occupations), _keys(walkers.occupations))
    if np.abs(walkers.records["energy"] - energies[place]).max() > ENERGY_TOLERANCE:
        raise OracleError("energies followed from trial to trial differ from energies(); mend the compiled energy")
    assert np.array_equal(walkers.records["composition"], walkers.occupations.sum(axis=1))
    return Stationarity(
        n_walkers,
        sweeps * n_sites,
        float(walkers.records["accepted"].sum()) / (n_walkers * sweeps * n_sites),
        _probability(np.bincount(states[place], minlength=grid.n_bins), n_walkers / (counts > 0).sum() * (counts > 0)),
        _probability(*_grouped(np.bincount(place, minlength=len(chances)), n_walkers * chances, states)),
    )


def _every_configuration(n_sites: int, composition: int | None) -> np.ndarray:
    """List all configurations by ascending key, ``int8[n, n_sites]``."""
    keys = np.arange(2**n_sites, dtype=np.int64)
    if composition is not None:
        keys = keys[np.bitwise_count(keys) == composition]
    return ((keys[:, None] >> np.arange(n_sites)) & 1).astype(np.int8)


def _keys(occupations: np.ndarray) -> np.ndarray:
    return occupations @ (np.int64(1) << np.arange(occupations.shape[1]))


def _grouped(counts: np.ndarray, expected: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up neighbouring configurations of a bin until some walkers are to be expected."""
    order = np.argsort(states, kind="stable")
    group = (np.cumsum(expected[order]) / EXPECTED_IN_A_GROUP).astype(np.int64)
    return np.bincount(group, counts[order]), np.bincount(group, expected[order])


def _probability(counts: np.ndarray, expected: np.ndarray) -> float:
    """Return the probability of Pearson's chi square."""
    possible = expected > 0
    square = float(((counts[possible] - expected[possible]) ** 2 / expected[possible]).sum())
    return float(chi2.sf(square, int(possible.sum()) - 1)) if possible.sum() > 1 else 1.0
