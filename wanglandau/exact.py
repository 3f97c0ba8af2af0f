"""Exact energy levels: one evaluation per inequivalent configuration, weighted by the size of its orbit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
from tqdm import tqdm

from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle, checked_energies
from wanglandau.orbits import Orbits, check_size, enumerate_orbits
from wanglandau.orderly_end import stop_if_asked
from wanglandau.progress import stage

LEVEL_TOLERANCE = 1e-9
"""Neighbouring energies (Ry per cell) that lie no further apart than this are one level."""

BATCH_SIZE = 65_536
"""Configurations handed to the oracle at a time."""


@dataclass(frozen=True, eq=False)
class ExactLevels:
    """All distinct mixing energies of a cell, with how often each occurs.

    Attributes
    ----------
    n_sites : int
    composition : int or None
        Number of second-species atoms; None where all compositions are there.
    compositions : int16[n_levels]
        Number of second-species atoms of each level.
    energies : float64[n_levels], Ry per cell
        Ascending within a composition; compositions ascend.
    degeneracies : uint64[n_levels]
        Number of configurations of each level; exact.
    ground_state_keys : dict of int to uint32[n]
        By composition, the canonical keys of all orbits of its lowest level. Where every configuration was evaluated,
        see :func:`wanglandau.every_configuration.every_level`.
    resolution : float, Ry per cell
        How close energies lie that may have been joined to one level.
    """

    n_sites: int
    composition: int | None
    compositions: np.ndarray
    energies: np.ndarray
    degeneracies: np.ndarray
    ground_state_keys: dict[int, np.ndarray]
    resolution: float = LEVEL_TOLERANCE

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def n_states(self) -> int:
        """Number of configurations."""
        return sum(self.degeneracies.tolist())

    def at_composition(self, composition: int) -> ExactLevels:
        """Select the levels of one composition.

        Raises
        ------
        InputError
            If it is not among the compositions that were enumerated.
        """
        if composition not in self.ground_state_keys:
            held = f"only {self.composition}" if self.composition is not None else f"0 to {self.n_sites}"
            raise InputError(f"composition {composition} was not enumerated; these exact levels hold {held}")
        chosen = self.compositions == composition
        return ExactLevels(
            self.n_sites,
            composition,
            self.compositions[chosen],
            self.energies[chosen],
            self.degeneracies[chosen],
            {composition: self.ground_state_keys[composition]},
            self.resolution,
        )

    def over_compositions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the levels whatever their composition (at zero field).

        Returns
        -------
        energies : float64[n_levels], Ry per cell
        degeneracies : uint64[n_levels]
        """
        order = np.argsort(self.energies, kind="stable")
        return merge_levels(self.energies[order], self.degeneracies[order])


def check_enumerable(oracle: EnergyOracle, orbit_average: bool = False) -> None:
    """Refuse what cannot be enumerated exactly.

    Raises
    ------
    InputError
        If the lattice is too large, or the oracle is not invariant and no orbit average is asked for.
    """
    check_size(oracle.lattice)
    if not oracle.invariant and not orbit_average:
        raise InputError(
            "this oracle gives symmetry-equivalent configurations different energies, so one evaluation per orbit is "
            "not exact for it; evaluate all of them with 'wanglandau exact --every-configuration', or ask for the mean "
            "over all images with 'wanglandau exact --orbit-average'"
        )


def exact_levels(
    oracle: EnergyOracle,
    composition: int | None,
    *,
    orbit_average: bool = False,
    cache_folder: Path | None = None,
    progress: bool = True,
) -> ExactLevels:
    """Evaluate the oracle on every inequivalent configuration of its lattice.

    Parameters
    ----------
    oracle : EnergyOracle
        On a lattice of at most 32 sites.
    composition : int or None
        Number of second-species atoms, None for all compositions.
    orbit_average : bool
        For an oracle that is not invariant under the symmetry of the lattice: take the mean over all images for the
        energy of an orbit, which gives the exact levels of the symmetrised oracle. Costs as many evaluations per orbit
        as the group has operations.
    cache_folder : Path, optional
        Where lists of orbits are kept, see :func:`wanglandau.orbits.enumerate_orbits`.
    progress : bool
        Show a bar on the standard error stream, if that is a terminal.

    Raises
    ------
    InputError
        If the lattice is too large, or the oracle is not invariant and no orbit average is asked for.
    OracleError
        If an energy is missing or not finite.
    """
    check_enumerable(oracle, orbit_average)
    with stage("listing the orbits", progress):
        orbits = enumerate_orbits(oracle.lattice, composition, cache_folder)
    images = None if oracle.invariant else oracle.lattice.symmetry
    energies = np.concatenate(list(_orbit_energies(oracle, orbits, images, progress)))
    return _collect(orbits, energies)


def _orbit_energies(
    oracle: EnergyOracle, orbits: Orbits, images: np.ndarray | None, progress: bool
) -> Iterator[np.ndarray]:
    """Yield the energies of successive batches of orbits; mean over ``images`` (site permutations) where given."""
    step = BATCH_SIZE if images is None else max(1, BATCH_SIZE // len(images))
    with tqdm(total=len(orbits), desc="exact", unit="orbit", disable=None if progress else True) as bar:
        for start in range(0, len(orbits), step):
            stop_if_asked()
            occupations = orbits.occupations(start, start + step)
            if images is None:
                yield checked_energies(oracle, occupations)
            else:
                every_image = occupations[:, images].reshape(-1, orbits.n_sites)
                yield checked_energies(oracle, every_image).reshape(-1, len(images)).mean(axis=1)
            bar.update(len(occupations))


def _collect(orbits: Orbits, energies: np.ndarray) -> ExactLevels:
    """Merge the energies of orbits to levels, composition by composition."""
    levels, degeneracies, compositions, ground_states = [], [], [], {}
    for composition in np.flatnonzero(np.diff(orbits.offsets)).tolist():
        chosen = slice(orbits.offsets[composition], orbits.offsets[composition + 1])
        order = np.argsort(energies[chosen], kind="stable")
        ordered = energies[chosen][order]
        merged, counts = merge_levels(ordered, orbits.sizes[chosen][order])
        if sum(counts.tolist()) != comb(orbits.n_sites, composition):
            raise RuntimeError(f"levels of composition {composition} do not count every configuration once")
        levels.append(merged)
        degeneracies.append(counts)
        compositions.append(np.full(len(merged), composition, dtype=np.int16))
        starts = _level_starts(ordered)
        lowest = order[: starts[1]] if len(starts) > 1 else order
        ground_states[composition] = np.sort(orbits.keys[chosen][lowest])
    return ExactLevels(
        orbits.n_sites,
        orbits.composition,
        np.concatenate(compositions),
        np.concatenate(levels),
        np.concatenate(degeneracies),
        ground_states,
    )


def merge_levels(energies: np.ndarray, degeneracies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join energies that follow each other within ``LEVEL_TOLERANCE`` to one level each.

    The energy of a level is the mean over its configurations; where all are equal it is that number, bit for bit.

    Parameters
    ----------
    energies : float64[n], Ry per cell, ascending
    degeneracies : unsigned integer[n]

    Returns
    -------
    energies : float64[n_levels], Ry per cell
    degeneracies : uint64[n_levels]
    """
    starts = _level_starts(energies)
    counts = np.add.reduceat(degeneracies.astype(np.uint64), starts)
    lowest = energies[starts]
    above = energies - np.repeat(lowest, np.diff(np.append(starts, len(energies))))
    return lowest + np.add.reduceat(above * degeneracies, starts) / counts, counts


def _level_starts(energies: np.ndarray) -> np.ndarray:
    """Return where in ascending energies a level begins, ``int64[n_levels]``."""
    return np.concatenate(([0], np.flatnonzero(np.diff(energies) > LEVEL_TOLERANCE) + 1))
