"""Every configuration of a cell on the device: counts of levels by composition, from keys that are counted up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from wanglandau.configuration_kernels import MAX_LEVELS
from wanglandau.errors import InputError, OracleError
from wanglandau.oracle import ENERGY_QUANTUM, LevelCounts

KEYS_TOGETHER = 2**26
"""Configurations evaluated at a time; they take some 2 GB."""
ROOM = 0.5
"""Room left beyond the energies of the first ones, as a part of their range; more is made where it does not do."""


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
    lowest_keys : list of int64[n]
        Its configurations, the first of them.
    """

    first: int
    counts: Tensor
    above: Tensor
    lowest: Tensor
    lowest_keys: list[np.ndarray]

    @classmethod
    def empty(cls, n_sites: int, first: int, last: int, device: torch.device) -> Tally:
        """Make room for levels from ``first`` to ``last``."""
        counts, above = torch.zeros(2, n_sites + 1, last - first + 1, dtype=torch.int64, device=device)
        lowest = torch.full((n_sites + 1,), torch.iinfo(torch.int64).max, device=device)
        return cls(first, counts, above, lowest, [np.zeros(0, dtype=np.int64) for _ in range(n_sites + 1)])

    def widened(self, first: int, last: int) -> Tally:
        """Return the same tally with room for more levels."""
        left, right = max(0, self.first - first), max(0, last - self.first - self.counts.shape[1] + 1)
        counts, above = (torch.nn.functional.pad(part, (left, right)) for part in (self.counts, self.above))
        return replace(self, first=self.first - left, counts=counts, above=above)

    def add(self, composition: Tensor, level: Tensor, above: Tensor) -> None:
        """Count configurations, ``int64[n]`` each."""
        place = composition * self.counts.shape[1] + (level - self.first)
        self.counts.view(-1).scatter_add_(0, place, torch.ones_like(place))
        self.above.view(-1).scatter_add_(0, place, above)

    def keep_lowest(self, keys: Tensor, composition: Tensor, quanta: Tensor, most: int) -> None:
        """Keep the first ``most`` configurations of the lowest energy of each composition."""
        before = self.lowest.clone()
        self.lowest.scatter_reduce_(0, composition, quanta, "amin")
        lower = (self.lowest < before).cpu().numpy()
        here = keys[quanta == self.lowest[composition]].cpu().numpy()
        second = np.bitwise_count(here)
        for n in np.flatnonzero(lower | np.isin(np.arange(len(lower)), second)).tolist():
            kept = self.lowest_keys[n][:0] if lower[n] else self.lowest_keys[n]
            self.lowest_keys[n] = np.concatenate([kept, here[second == n]])[:most]


def count_levels(
    energies: Callable[[Tensor], Tensor],
    n_sites: int,
    level_bits: int,
    max_kept: int,
    device: torch.device,
    progress: Callable[[int], object],
) -> list[LevelCounts]:
    """Count the levels of all ``2**n_sites`` configurations; see :class:`wanglandau.oracle.CountingOracle`.

    Parameters
    ----------
    energies : callable
        From ``int64[n]``, a bit for each site, to ``float64[n]``, Ry, whole multiples of ``ENERGY_QUANTUM``.
    n_sites : int
        At most 32.

    Raises
    ------
    InputError
        If energies spread over too many levels.
    OracleError
        If an energy is not finite.
    """
    tally: Tally | None = None
    for keys in _keys(n_sites, device):
        quanta, composition = _quanta(energies, keys), composition_of(keys, n_sites)
        level = quanta >> level_bits
        low, high = int(level.min()), int(level.max())
        if tally is None:
            room = int(ROOM * (high - low)) + 1
            tally = Tally.empty(n_sites, low - room, high + room, device)
        if high - low > MAX_LEVELS:
            width = MAX_LEVELS * 2**level_bits * ENERGY_QUANTUM
            raise InputError(
                f"energies spread over more than {width:g} Ry, too many levels to count; "
                "are the units of the oracle right?"
            )
        tally = tally.widened(low, high)
        tally.add(composition, level, quanta - (level << level_bits))
        tally.keep_lowest(keys, composition, quanta, max_kept)
        progress(len(keys))
    assert tally is not None
    counts, above = tally.counts.cpu().numpy(), tally.above.cpu().numpy()
    return [LevelCounts(tally.first, counts[n], above[n], tally.lowest_keys[n]) for n in range(n_sites + 1)]


def composition_of(keys: Tensor, n_sites: int) -> Tensor:
    """Count the bits of ``int64[n]``."""
    return sum((keys >> site & 1 for site in range(n_sites)), start=torch.zeros_like(keys))


def _quanta(energies: Callable[[Tensor], Tensor], keys: Tensor) -> Tensor:
    values = energies(keys)
    if not bool(torch.isfinite(values).all()):
        raise OracleError("the surrogate gave an energy that is not finite; its weights must be damaged")
    return torch.round(values / ENERGY_QUANTUM).long()


def _keys(n_sites: int, device: torch.device) -> Iterator[Tensor]:
    for start in range(0, 2**n_sites, KEYS_TOGETHER):
        yield torch.arange(start, min(start + KEYS_TOGETHER, 2**n_sites), device=device)
