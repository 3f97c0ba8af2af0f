"""A trained lattice network without torch: tables over all environments of a site.

The network sees whole numbers only, so its energy is a table over species and shell counts plus a table over
the occupations of the nearest neighbours; charges and moments are sums of such tables over neighbours. The
formulae stand in :mod:`surrogate.lattice_network`, which made the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np

from surrogate import lattice_kernels
from surrogate.lattice_kernels import LatticeTables
from surrogate.lattice_settings import LatticeSettings
from surrogate.site_descriptors import (
    Neighbourhood,
    count_stars,
    environment_strides,
    environments,
    find_neighbourhood,
    star_types,
)
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, CompiledEnergy, Properties
from wanglandau.shells import Shell

MAX_ENVIRONMENTS = 5_000_000
"""Sanity limit on the length of the tables."""


class LatticeEnergy:
    """Mixing energies, charges and moments of a trained lattice network on one lattice.

    Parameters
    ----------
    lattice : Lattice
        Any cell of the parent lattice.
    settings : LatticeSettings
        Of the network.
    arrays : mapping of str to float64 array
        Its state, as :class:`surrogate.lattice_network.LatticeNetwork` names it.

    Raises
    ------
    InputError
        If the arrays do not fit the settings or the lattice.
    """

    def __init__(self, lattice: Lattice, settings: LatticeSettings, arrays: Mapping[str, np.ndarray]) -> None:
        self._shells = lattice.shells(settings.head_shells)
        neighbourhood = find_neighbourhood(lattice, len(settings.length_scales))
        arms = find_neighbourhood(lattice, 1)
        stars = count_stars(arms.sites.shape[1], star_types(arms, settings.star_sites))
        if 2 * np.prod(neighbourhood.coordination + 1) > MAX_ENVIRONMENTS:
            raise InputError(f"sites have more than {MAX_ENVIRONMENTS} environments; train with fewer length_scales")
        listed = environments(neighbourhood.coordination)
        hidden = _hidden(arrays, listed, neighbourhood.coordination)
        self._tables = _make_tables(neighbourhood, arms, stars, _weights(arrays, "energy"), hidden)
        potential = np.column_stack([listed[:, 0], hidden])
        self._charge_levels = self._moment_levels = self._moment_own = None
        if "charge_weights" in arrays:
            weights = _weights(arrays, "charge", settings.head_shells * potential.shape[1])
            self._charge_levels = potential @ weights.reshape(settings.head_shells, -1).T
        if "moment_weights" in arrays:
            self._set_moments(_weights(arrays, "moment"), listed[:, 0], hidden, potential)

    @classmethod
    def mean_of(cls, members: Sequence[LatticeEnergy]) -> LatticeEnergy:
        """Return the mean of several networks of the same settings on the same lattice.

        Predictions are sums of table entries, so the mean of the networks is one network whose tables are the means.
        """
        mean = copy(members[0])
        mean._tables = mean._tables._replace(
            site_energies=_quantised(np.mean([one._tables.site_energies for one in members], axis=0)),
            star_energies=_quantised(np.mean([one._tables.star_energies for one in members], axis=0)),
        )
        for name in ("_charge_levels", "_moment_levels", "_moment_own"):
            if getattr(mean, name) is not None:
                setattr(mean, name, np.mean([getattr(one, name) for one in members], axis=0))
        return mean

    def scaled_tables(self, members: Sequence[LatticeEnergy], scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Tabulate the energies of several networks, their deviations from this one multiplied with ``scale``.

        Returns
        -------
        site_energies : float64[n_environments, n_members], Ry
        star_energies : float64[2 * 2**n_arms, n_members], Ry
        """
        tables = []
        for name in ("site_energies", "star_energies"):
            own = getattr(self._tables, name)
            deviations = [getattr(one._tables, name) - own for one in members]
            tables.append(_quantised(own[:, None] + scale * np.stack(deviations, axis=1)))
        return tables[0], tables[1]

    @property
    def tables(self) -> LatticeTables:
        """What the kernels read."""
        return self._tables

    def _set_moments(self, weights: np.ndarray, species: np.ndarray, hidden: np.ndarray, potential: np.ndarray) -> None:
        n_shells, split = len(self._shells), 2 + hidden.shape[1]
        if len(weights) != split + 2 * n_shells * potential.shape[1]:
            raise InputError("the moment weights of the surrogate do not fit its settings")
        self._moment_own = weights[:2][species] + hidden @ weights[2:split]
        around = weights[split:].reshape(2, n_shells, -1)
        self._moment_levels = np.einsum("ef,ksf->eks", potential, around)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration, ``int8[n, n_sites]`` to ``float64[n]``, Ry per cell."""
        return np.asarray(lattice_kernels.all_energies(self._tables, np.ascontiguousarray(occupations, dtype=np.int8)))

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy (Ry per cell), charges (electrons) and moments (Bohr magnetons) of ``int8[n, n_sites]``."""
        rows = np.ascontiguousarray(occupations, dtype=np.int8)
        environment = lattice_kernels.all_environments(self._tables, rows)
        charge = moment = None
        if self._charge_levels is not None:
            charge = _spread(self._charge_levels[environment], self._shells)
        if self._moment_levels is not None and self._moment_own is not None:
            levels = self._moment_levels[environment]
            first, second = (_spread(levels[:, :, kind], self._shells) for kind in (0, 1))
            moment = self._moment_own[environment] + np.where(rows == 0, first, second)
        return Properties(self.energies(rows), charge, moment)

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        return CompiledEnergy(
            parameters=self._tables,
            cache_size=lattice_kernels.cache_size(self._tables),
            prepare=lattice_kernels.prepare,
            trial=lattice_kernels.trial,
            commit=lattice_kernels.commit,
        )


def _weights(arrays: Mapping[str, np.ndarray], task: str, size: int | None = None) -> np.ndarray:
    try:
        weights = arrays[f"{task}_weights"] * arrays[f"{task}_norms"] * arrays[f"{task}_unit"]
    except (KeyError, ValueError) as error:
        raise InputError(f"the surrogate has no usable weights for {task}") from error
    if weights.ndim != 1 or (size is not None and len(weights) != size):
        raise InputError(f"the {task} weights of the surrogate do not fit its settings")
    return np.asarray(weights, dtype=np.float64)


def _hidden(arrays: Mapping[str, np.ndarray], listed: np.ndarray, coordination: np.ndarray) -> np.ndarray:
    """Return the hidden features, ``float64[n_environments, 2 * width]``; exactly 0 in the pure species."""
    frequencies, phases = arrays.get("frequencies"), arrays.get("phases")
    if frequencies is None or phases is None or frequencies.shape != (2, len(coordination), phases.shape[-1]):
        raise InputError("the hidden layer of the surrogate does not fit its settings")
    half = len(listed) // 2
    shares = listed[:half, 1:] / coordination
    blocks = []
    for kind, pure in ((0, 0), (1, -1)):
        waves = np.cos(shares @ frequencies[kind] + phases[kind])
        block = np.zeros((len(listed), waves.shape[1]))
        block[kind * half : (kind + 1) * half] = waves - waves[pure]
        blocks.append(block)
    return np.hstack(blocks)


def _make_tables(
    neighbourhood: Neighbourhood, arms: Neighbourhood, stars: np.ndarray, weights: np.ndarray, hidden: np.ndarray
) -> LatticeTables:
    n_features = hidden.shape[1]
    if len(weights) != n_features + stars.shape[1]:
        raise InputError("the energy weights of the surrogate do not fit its settings")
    bits = int(len(hidden) - 1).bit_length()
    # Equal counts get one energy: a matrix product may round equal rows differently.
    distinct, kinds = np.unique(stars - stars[-1], axis=0, return_inverse=True)
    star = (distinct @ weights[n_features:])[kinds.ravel()]
    star_energies = _quantised(np.concatenate([np.zeros(len(star)), star]))
    touched, changes, n_starred = _find_changes(neighbourhood, arms, bits)
    return LatticeTables(touched, changes, n_starred, _quantised(hidden @ weights[:n_features]), star_energies, bits)


def _quantised(energies: np.ndarray) -> np.ndarray:
    return np.round(energies / ENERGY_QUANTUM) * ENERGY_QUANTUM


def _find_changes(neighbourhood: Neighbourhood, arms: Neighbourhood, bits: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Collect what a flip of each site adds to the surroundings of which sites; images of one site are added up.

    Sites are translations of one another, so that a direction leads to an image of another one's site from all sites
    or from none, and rows of the table can be those of the first site moved along.
    """
    n_sites, n_arms = arms.sites.shape
    strides = environment_strides(neighbourhood.coordination)
    own = np.arange(n_sites)[:, None]
    towards = np.hstack([own, neighbourhood.sites, arms.sites])
    amounts = np.concatenate(
        [[strides[0] + 2 ** (bits + n_arms)], strides[1:][neighbourhood.shell], 2 ** (bits + np.arange(n_arms))]
    )
    centres = np.argsort(towards, axis=0)  # towards[centre, direction] = site, turned around
    distinct, first, slots = np.unique(centres[0], return_index=True, return_inverse=True)
    changes = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(changes, slots, amounts)
    starred = changes >> bits > 0
    order = np.argsort(~starred, kind="stable")
    touched = centres[:, first[order]]
    changes = changes[order]
    if (len(changes) - starred.sum()) % 2:  # the outer shells are read in pairs
        touched, changes = np.hstack([touched, own]), np.append(changes, 0)
    small = np.uint16 if n_sites <= np.iinfo(np.uint16).max else np.uint32
    short = np.int32 if bits + n_arms + 1 <= 31 else np.int64
    return np.ascontiguousarray(touched, dtype=small), changes.astype(short), int(starred.sum())


def _spread(levels: np.ndarray, shells: list[Shell]) -> np.ndarray:
    """Sum over shells (last axis of ``levels[n, n_sites, n_shells]``) the mean of the neighbours minus the own."""
    total = -levels.sum(axis=-1)
    for k, shell in enumerate(shells):
        total += levels[:, shell.neighbours, k].mean(axis=-1)
    return total
