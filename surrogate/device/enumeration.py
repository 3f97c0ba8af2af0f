"""Every configuration of a cell on the device: counts of levels by composition, from keys that are counted up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wanglandau.oracle import ENERGY_QUANTUM

KEYS_TOGETHER = 2**26
"""Configurations evaluated at a time; they take some 2 GB."""
SAMPLE = 2**20
ROOM = 0.5
"""Room left beyond the energies of a sample, as a part of their range; more is made where it does not do."""


@dataclass
class Tally:
    """Levels counted so far; all integers, on the device.

    Attributes
    ----------
    first : int
        Number of the lowest level that has a place.
    counts, above : int64[n_sites + 1, n_places]
        By composition: configurations of each level, and the sum of their energies above it, in quanta.
    lowest : int64[n_sites + 1]
        Lowest energy of each composition, in quanta.
    """

    first: int
    counts: Tensor
    above: Tensor
    lowest: Tensor

    @classmethod
    def empty(cls, n_sites: int, first: int, last: int, device: torch.device) -> Tally:
        """Make room for levels from ``first`` to ``last``."""
        counts, above = torch.zeros(2, n_sites + 1, last - first + 1, dtype=torch.int64, device=device)
        lowest = torch.full((n_sites + 1,), torch.iinfo(torch.int64).max, device=device)
        return cls(first, counts, above, lowest)

    def widened(self, first: int, last: int) -> Tally:
        """Return the same tally with room for more levels."""
        left, right = max(0, self.first - first), max(0, last - self.first - self.counts.shape[1] + 1)
        counts, above = (torch.nn.functional.pad(part, (left, right)) for part in (self.counts, self.above))
        return Tally(self.first - left, counts, above, self.lowest)


def tally_levels(
    energies: Callable[[Tensor], Tensor],
    n_sites: int,
    level_bits: int,
    device: torch.device,
    progress: Callable[[int], object],
) -> Tally:
    """Count the levels of all ``2**n_sites`` configurations.

    Parameters
    ----------
    energies : callable
        From ``int64[n]``, a bit for each site, to ``float64[n]``, Ry, whole multiples of ``ENERGY_QUANTUM``.
    n_sites : int
        At most 32.
    level_bits : int
        A level is as wide as ``2**level_bits`` quanta.
    device : torch.device
    progress : callable
        Told how many configurations were evaluated since it was last called.
    """
    tally: Tally | None = None
    for keys in _keys(n_sites, device):
        quanta = torch.round(energies(keys) / ENERGY_QUANTUM).long()
        level = quanta >> level_bits
        low, high = int(level.min()), int(level.max())
        if tally is None:
            room = int(ROOM * (high - low)) + 1
            tally = Tally.empty(n_sites, low - room, high + room, device)
        tally = tally.widened(low, high)
        _add(tally, composition_of(keys, n_sites), level, quanta, level_bits)
        progress(len(keys))
    assert tally is not None
    return tally


def keys_at(
    energies: Callable[[Tensor], Tensor], n_sites: int, lowest: Tensor, most: int, device: torch.device
) -> list[np.ndarray]:
    """Find the configurations of the lowest energy of each composition, the first ``most`` of them.

    Parameters
    ----------
    lowest : int64[n_sites + 1]
        In quanta.
    """
    found: list[np.ndarray] = [np.zeros(0, dtype=np.int64) for _ in range(n_sites + 1)]
    for keys in _keys(n_sites, device):
        quanta, composition = torch.round(energies(keys) / ENERGY_QUANTUM).long(), composition_of(keys, n_sites)
        here = keys[quanta == lowest[composition]].cpu().numpy()
        second = np.bitwise_count(here)
        for n in np.unique(second).tolist():
            found[n] = np.concatenate([found[n], here[second == n]])[:most]
    return found


def composition_of(keys: Tensor, n_sites: int) -> Tensor:
    """Count the bits of ``int64[n]``."""
    return sum((keys >> site & 1 for site in range(n_sites)), start=torch.zeros_like(keys))


def _add(tally: Tally, composition: Tensor, level: Tensor, quanta: Tensor, level_bits: int) -> None:
    place = composition * tally.counts.shape[1] + (level - tally.first)
    tally.counts.view(-1).scatter_add_(0, place, torch.ones_like(place))
    tally.above.view(-1).scatter_add_(0, place, quanta - (level << level_bits))
    tally.lowest.scatter_reduce_(0, composition, quanta, "amin")


def _keys(n_sites: int, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, 2**n_sites, KEYS_TOGETHER):
        yield torch.arange(start, min(start + KEYS_TOGETHER, 2**n_sites), device=device)
