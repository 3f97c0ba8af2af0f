"""What a sampler needs of an energy: the oracle protocols.

An oracle is stateless to the outside: it gives the mixing energy of occupations and nothing else
depends on it. Capabilities beyond :meth:`EnergyOracle.energies` are protocols of their own; callers
look for them and take the fastest path that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice

ENERGY_QUANTUM = 2.0**-40
"""Energies of compiled oracles are whole multiples of this (Ry).

Sums and differences of such numbers are exact in float64 below 2**12 Ry, so that an energy that was
updated a billion times is bit for bit the energy computed afresh.
"""


@runtime_checkable
class EnergyOracle(Protocol):
    """Anything that gives mixing energies.

    Attributes
    ----------
    lattice : Lattice
        What it can evaluate.
    reference_energies : float64[2], Ry/atom
        Energy per atom of the pure species, subtracted from total energies.
    identity : str
        Digest of everything its energies depend on.
    invariant : bool
        Whether symmetry-equivalent occupations have the same energy.

    Notes
    -----
    An oracle may also have a ``caution : str``, which is shown with every result.
    """

    @property
    def lattice(self) -> Lattice: ...
    @property
    def reference_energies(self) -> np.ndarray: ...
    @property
    def identity(self) -> str: ...
    @property
    def invariant(self) -> bool: ...

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        The answer for a configuration does not depend on the batch it comes in. The argument is neither kept nor
        changed.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell

        Raises
        ------
        OracleError
            If any energy could not be had; a failure is never a rejected move.
        """
        ...


class Properties(NamedTuple):
    """What an oracle may predict beside the energy.

    Attributes
    ----------
    energy : float64[n], Ry per cell
        Mixing energy.
    charge : float64[n, n_sites], electrons
        Electrons in the sphere of the site minus its nuclear charge; positive = surplus.
    moment : float64[n, n_sites], Bohr magnetons, or None where not magnetic
    """

    energy: np.ndarray
    charge: np.ndarray | None
    moment: np.ndarray | None


@runtime_checkable
class PropertyOracle(EnergyOracle, Protocol):
    """An oracle that also predicts charges and moments."""

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy, charges and moments of each configuration, ``int8[n, n_sites]``."""
        ...


@dataclass(frozen=True)
class CompiledEnergy:
    """An energy that a compiled kernel can follow through changes of single sites.

    The three functions are Numba-compiled. Each walker owns one row of ``cache``; the functions alone
    know what stands in it. ``flips`` is an ``int32[k]`` array of distinct sites whose occupation changes from 0 to 1 or
    back; a swap is two of them.

    Attributes
    ----------
    parameters : NamedTuple of arrays
        Read-only tables handed to every function.
    cache_size : int
        Number of float64 per walker.
    prepare : ``prepare(parameters, occupations, cache) -> energy``
        Fill ``cache`` for ``occupations`` (int8[n_sites]) from nothing and return the energy, Ry.
    trial : ``trial(parameters, occupations, cache, flips) -> energy``
        Energy after flipping ``flips``, Ry. Occupations are as before the flips on entry and on return. May
        use a part of ``cache`` as scratch and leave there what ``commit`` can use.
    commit : ``commit(parameters, occupations, cache, flips) -> None``
        Make the flips of the last ``trial``, which was for the same flips: changes ``occupations`` and ``cache``.
    trials : ``trials(parameters, occupations, cache, flips, energies) -> None``, or None
        Where several walkers cost less together: write to ``energies`` (float64[n_walkers]) what ``trial`` returns for
        each of them, bit for bit, and leave every row of ``cache`` as ``trial`` does for ``commit``. The other arrays
        have one row a walker.
    """

    parameters: Any
    cache_size: int
    prepare: Callable[..., float]
    trial: Callable[..., float]
    commit: Callable[..., None]
    trials: Callable[..., None] | None = None


@runtime_checkable
class CompiledOracle(EnergyOracle, Protocol):
    """An oracle whose energies can be computed inside the compiled sampling kernel."""

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions; its energies equal those of ``energies`` bit for bit."""
        ...


class DeviceCrowd(Protocol):
    """Walkers that advance on an accelerator without coming back between trials."""

    def advance(self, walkers: Any, weights: Any, n_rounds: int, turn: int, snapshots: Any = None) -> None:
        """Give every walker ``n_rounds`` trials by the rules of :mod:`wanglandau.crowd`.

        Parameters
        ----------
        walkers : Walkers
        weights : Weights
            Both changed in place.
        n_rounds : int
        turn : int
            Rounds made on common weights, after which ln g rises.
        snapshots : Snapshots, optional
            Filled on the way.

        Raises
        ------
        OracleError
            If the device fails; walkers and weights are then those of the last snapshot at best.
        """
        ...


@runtime_checkable
class DeviceOracle(EnergyOracle, Protocol):
    """An oracle whose walkers can stay on an accelerator."""

    def on_device(self) -> DeviceCrowd:
        """Return what advances walkers there; its energies equal those of ``energies`` bit for bit."""
        ...


class LevelCounts(NamedTuple):
    """Configurations of one composition sorted into levels of equal width; all integers.

    Attributes
    ----------
    first : int
        Number of the first level; level k begins at k widths.
    counts : int64[n_levels]
    above : int64[n_levels]
        Sum of the energies of a level above its lower end, in units of ``ENERGY_QUANTUM``.
    lowest_keys : int64[n]
        Configurations of the lowest energy, a bit for each site.
    """

    first: int
    counts: np.ndarray
    above: np.ndarray
    lowest_keys: np.ndarray


@runtime_checkable
class CountingOracle(EnergyOracle, Protocol):
    """An oracle that goes through all ``2**n_sites`` configurations by itself."""

    def count_levels(self, level_bits: int, max_kept: int, progress: Callable[[int], object]) -> list[LevelCounts]:
        """Count the levels of every composition, 0 to n_sites.

        Parameters
        ----------
        level_bits : int
            A level is as wide as ``2**level_bits`` energy quanta.
        max_kept : int
            Most configurations of the lowest energy that are kept of a composition.
        progress : callable
            Told how many configurations were evaluated since it was last called.

        Raises
        ------
        OracleError
            If the device fails.
        """
        ...


@runtime_checkable
class ModelOracle(EnergyOracle, Protocol):
    """An oracle whose model can also be called the plain way, one configuration at a time."""

    def model_call(self) -> Callable[[np.ndarray], float]:
        """Return a function from ``int8[n_sites]`` to the mixing energy, Ry, as a plain script would call it.

        For benchmarks and cross-checks; slower than ``energies`` and not the same to the last bit.
        """
        ...


def occupation_rows(occupations: np.ndarray, n_sites: int) -> np.ndarray:
    """Return configurations as kernels want them, ``int8[n, n_sites]``, contiguous.

    Raises
    ------
    InputError
        If they have another shape.
    """
    rows = np.ascontiguousarray(occupations, dtype=np.int8)
    if rows.ndim != 2 or rows.shape[1] != n_sites:
        raise InputError(f"occupations have shape {rows.shape}; the lattice needs (n, {n_sites})")
    return rows


def pure_energies(occupations: np.ndarray, reference_energies: np.ndarray) -> np.ndarray:
    """Return what the atoms of each configuration would have as pure species: total energy less mixing energy.

    Parameters
    ----------
    occupations : int8[n, n_sites]
    reference_energies : float64[2], Ry/atom

    Returns
    -------
    float64[n], Ry per cell
    """
    second = occupations.sum(axis=1, dtype=np.int64)
    first = occupations.shape[1] - second
    return first * reference_energies[0] + second * reference_energies[1]


def checked_energies(oracle: EnergyOracle, occupations: np.ndarray) -> np.ndarray:
    """Ask an oracle and insist on one finite number each, ``float64[n]``, Ry per cell.

    Raises
    ------
    OracleError
        If there is not one finite energy for each configuration.
    """
    energies = np.asarray(oracle.energies(occupations), dtype=np.float64)
    if energies.shape != (len(occupations),):
        raise OracleError(f"the oracle gave {energies.shape} energies for {len(occupations)} configurations")
    if not np.isfinite(energies).all():
        bad = int(np.flatnonzero(~np.isfinite(energies))[0])
        occupied = "".join(str(value) for value in occupations[bad])
        raise OracleError(f"the oracle gave {energies[bad]} Ry for occupations {occupied}; energies must be finite")
    return energies
