"""One round of a crowd in lock step: every walker makes one trial, all at once.

The rules are those of :mod:`wanglandau.kernels` (``pick_flip``, ``pick_swap``, ``decide``, ``record``), applied to
tensors: with the same energies, walkers go through the same states as there.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from surrogate.device.random import LOW_HALF, next_random, shifted_right, uniform
from surrogate.device.state import FINE, DeviceWalkers, DeviceWeights


class TensorEnergy(Protocol):
    """An energy of many walkers that is followed through moves; everything stays on the device."""

    def prepare(self, occupations: Tensor) -> None:
        """Get ready for walkers at ``int8[n_walkers, n_sites]``."""
        ...

    def trial(self, occupations: Tensor, flips: Tensor) -> Tensor:
        """Return energies after flipping the sites ``int64[n_walkers, 1 or 2]``, ``float64[n_walkers]``, Ry."""
        ...

    def settle(self, flips: Tensor, accepted: Tensor) -> None:
        """Take note of which walkers (``bool[n_walkers]``) made the flips of the last trial."""
        ...


def make_round(walkers: DeviceWalkers, weights: DeviceWeights, energy: TensorEnergy) -> None:
    """Give every walker one trial."""
    picks, flips = pick_moves(walkers, flipping=bool(weights.fixed["flipping"]))
    proposed = energy.trial(walkers.occupations, flips)
    accepted = decide(walkers, weights, proposed, composition_after(walkers, flips))
    energy.settle(flips, accepted)
    make_moves(walkers, picks, flips, accepted)
    record(walkers, weights)


def pick_moves(walkers: DeviceWalkers, flipping: bool) -> tuple[Tensor, Tensor]:
    """Choose sites uniformly; returns places in the lists of sites and the sites, both ``int64[n_walkers, 1 or 2]``."""
    bits, n_sites = next_random(walkers.random), walkers.sites.shape[1]
    low, high = bits & LOW_HALF, shifted_right(bits, 32)
    if flipping:
        flips = ((low * n_sites) >> 32)[:, None]
        return flips, flips
    second = walkers.records["composition"]
    picks = torch.stack([(low * second) >> 32, second + ((high * (n_sites - second)) >> 32)], dim=1)
    return picks, walkers.sites.gather(1, picks).long()


def composition_after(walkers: DeviceWalkers, flips: Tensor) -> Tensor:
    """Return the number of second-species atoms after the moves, ``int64[n_walkers]``."""
    composition = walkers.records["composition"]
    if flips.shape[1] == 2:
        return composition
    return composition + 1 - 2 * walkers.occupations.gather(1, flips)[:, 0].long()


def decide(walkers: DeviceWalkers, weights: DeviceWeights, energy: Tensor, composition: Tensor) -> Tensor:
    """Accept or reject; changes the records and returns which walkers move, ``bool[n_walkers]``."""
    here, fixed, table = walkers.records, weights.fixed, weights.table
    bits = next_random(walkers.random)
    index = torch.floor((energy - fixed["start"]) * fixed["inverse_width"])
    inside = (index >= 0) & (index < fixed["energy_bins"])
    target = torch.where(inside, index, 0.0).long() + composition * fixed["row_length"]
    gain = here["beta"] * (here["energy"] - energy) + here["field"] * (composition - here["composition"])
    gain = gain + torch.where(target != here["bin"], table[here["bin"]] - table[target.clamp_min(0)], 0.0)
    accepted = inside & ((gain >= 0.0) | (torch.log(uniform(bits)) < gain))
    here["origin"].copy_(here["bin"])
    here["target"].copy_(torch.where(inside, target, -1))
    here["out_of_range"] += ~inside
    _keep(here, "lowest_refused", ~inside, torch.minimum(here["lowest_refused"], energy))
    _keep(here, "highest_refused", ~inside, torch.maximum(here["highest_refused"], energy))
    for name, value in (("energy", energy), ("composition", composition), ("bin", target)):
        _keep(here, name, accepted, value)
    here["accepted"] += accepted
    _keep(here, "lowest", accepted, torch.minimum(here["lowest"], energy))
    _keep(here, "highest", accepted, torch.maximum(here["highest"], energy))
    return accepted


def make_moves(walkers: DeviceWalkers, picks: Tensor, flips: Tensor, accepted: Tensor) -> None:
    """Flip the sites of accepted moves and keep the lists of sites in step."""
    moved = accepted[:, None].expand_as(flips)
    old = walkers.occupations.gather(1, flips)
    walkers.occupations.scatter_(1, flips, torch.where(moved, 1 - old, old))
    if flips.shape[1] == 2:
        walkers.sites.scatter_(1, picks, torch.where(moved, flips.flip(1), flips).int())


def record(walkers: DeviceWalkers, weights: DeviceWeights) -> None:
    """Count where every walker stands after its trial."""
    here, fixed, index = walkers.records, weights.fixed, walkers.records["bin"]
    weights.visits.scatter_add_(0, index, torch.ones_like(index))
    row = int(fixed["row_length"])
    energy_bin = index % row if row else index
    if fixed["inverse_width"] > 0.0:
        deviation = (here["energy"] - fixed["start"]) * fixed["inverse_width"] - (energy_bin + 0.5)
        weights.totals[1].scatter_add_(0, index, torch.round(deviation * FINE).long())
        weights.totals[2].scatter_add_(0, index, torch.round(deviation * deviation * FINE).long())
    if fixed["counting"]:
        n_bins = len(weights.visits)
        target = torch.where(here["target"] >= 0, here["target"], n_bins)
        weights.proposals.view(-1).scatter_add_(0, here["origin"] * (n_bins + 1) + target, torch.ones_like(index))
    _record_trips(here, weights, energy_bin)


def _record_trips(here: dict[str, Tensor], weights: DeviceWeights, energy_bin: Tensor) -> None:
    bottom, top = weights.ends.unbind()
    wide, heading = bottom < top, here["heading"]
    low = wide & (energy_bin <= bottom) & (heading != 1) & bool(weights.fixed["holds_bottom"])
    high = wide & ~low & (energy_bin >= top) & (heading != -1) & bool(weights.fixed["holds_top"])
    here["half_trips"] += (low | high) & (heading != 0)
    heading.copy_(torch.where(low, 1, torch.where(high, -1, heading)))


def _keep(records: dict[str, Tensor], name: str, where: Tensor, values: Tensor) -> None:
    records[name].copy_(torch.where(where, values, records[name]))
