"""Energies of many walkers in lock step: what :func:`surrogate.device.rounds.make_round` asks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from surrogate.lattice_kernels import LatticeTables


class EnergyOfConfigurations:
    """Energies from nothing: the proposed configurations are handed to a function.

    Parameters
    ----------
    energies : callable
        From ``int8[n_walkers, n_sites]`` on the device to ``float64[n_walkers]``, Ry.
    """

    def __init__(self, energies: Callable[[Tensor], Tensor]) -> None:
        self._energies = energies

    def prepare(self, occupations: Tensor) -> None:
        """Do nothing."""

    def trial(self, occupations: Tensor, flips: Tensor) -> Tensor:
        """Return the energies after flipping ``int64[n_walkers, 1 or 2]``."""
        return self._energies(occupations.scatter(1, flips, 1 - occupations.gather(1, flips)))

    def settle(self, flips: Tensor, accepted: Tensor) -> None:
        """Do nothing."""


class LatticeSurroundings:
    """The lattice surrogate by what a flip changes around it, whatever the size of the cell.

    Parameters
    ----------
    tables : LatticeTables
    device : torch.device
    """

    def __init__(self, tables: LatticeTables, device: torch.device) -> None:
        self._touched = torch.from_numpy(tables.touched.astype(np.int64)).to(device)
        self._distinct = torch.from_numpy(_first_times(tables.touched)).to(device)
        self._changes = torch.from_numpy(tables.changes.astype(np.int64)).to(device)
        self._site_energies = torch.from_numpy(tables.site_energies).to(device)
        self._star_energies = torch.from_numpy(tables.star_energies).to(device)
        self._bits = int(tables.bits)
        self._energy = self._surroundings = self._trial = torch.zeros(0, device=device)
        self._signs: list[Tensor] = []

    def prepare(self, occupations: Tensor) -> None:
        """Work out the surroundings of all sites of all walkers."""
        n_sites = occupations.shape[1]
        change_of = torch.zeros(n_sites, n_sites, dtype=torch.float64, device=occupations.device)
        amounts = self._changes.double().expand(n_sites, -1).contiguous()  # whole numbers below 2**53
        change_of.scatter_add_(1, self._touched, amounts)
        surroundings = (occupations.double() @ change_of).long()
        if surroundings.shape != self._surroundings.shape:
            self._surroundings = surroundings
            self._energy = self._energy_of(surroundings).sum(dim=1)
            self._trial = self._energy.clone()
        else:  # a captured graph remembers where they are
            self._surroundings.copy_(surroundings)
            self._energy.copy_(self._energy_of(surroundings).sum(dim=1))

    def trial(self, occupations: Tensor, flips: Tensor) -> Tensor:
        """Return the energies after the flips, made one after the other."""
        energy, self._signs = self._energy.clone(), []
        for k in range(flips.shape[1]):
            sign = 1 - 2 * occupations.gather(1, flips[:, k : k + 1]).long()
            touched = self._touched[flips[:, k]]
            before = self._energy_of(self._surroundings.gather(1, touched))
            self._surroundings.scatter_add_(1, touched, sign * self._changes)
            change = self._energy_of(self._surroundings.gather(1, touched)) - before
            energy += (change * self._distinct[flips[:, k]]).sum(dim=1)
            self._signs.append(sign)
        self._trial = energy
        return energy

    def settle(self, flips: Tensor, accepted: Tensor) -> None:
        """Take back the flips that were not made."""
        self._energy.copy_(torch.where(accepted, self._trial, self._energy))
        for k, sign in enumerate(self._signs):
            back = torch.where(accepted[:, None], 0, -sign)
            self._surroundings.scatter_add_(1, self._touched[flips[:, k]], back * self._changes)

    def _energy_of(self, surroundings: Tensor) -> Tensor:
        environment = surroundings & ((1 << self._bits) - 1)
        return self._site_energies[environment] + self._star_energies[surroundings >> self._bits]


def _first_times(touched: np.ndarray) -> np.ndarray:
    """Tell which entries of each row did not occur before: the site itself may come twice."""
    return np.array([[site not in row[:k] for k, site in enumerate(row)] for row in touched.tolist()])
