"""Turns by the fused kernel: one launch makes all rounds of a turn, with the model's weights near the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.device.fused import dense_energies, fused_turn
from surrogate.device.models import PackedModel
from surrogate.device.state import DeviceWalkers, DeviceWeights
from surrogate.device.turns import begin_turn, end_turn


@dataclass(frozen=True)
class Tiling:
    """How a kernel is cut up.

    Attributes
    ----------
    block : int
        Walkers to a program.
    warps : int
        Of 32 threads, to a program.
    stages : int
        Loads under way at a time.
    """

    block: int = 64
    warps: int = 4
    stages: int = 2


class FusedTurns:
    """Makes turns by the fused kernel.

    Parameters
    ----------
    model : PackedModel
    n_sites : int
    tiling : Tiling
    """

    def __init__(self, model: PackedModel, n_sites: int, tiling: Tiling) -> None:
        self._model, self._n_sites, self._tiling = model, n_sites, tiling

    def make_turns(self, walkers: DeviceWalkers, weights: DeviceWeights, n_turns: int, n_rounds: int) -> None:
        """Make so many turns of so many rounds."""
        masks = masks_of(walkers.occupations)
        numbers = self._model.on_grid(float(weights.fixed["start"]), float(weights.fixed["inverse_width"]))
        for _ in range(n_turns):
            begin_turn(weights)
            self._launch(walkers, weights, masks, numbers, n_rounds)
            end_turn(weights, n_rounds * walkers.n_walkers)
        walkers.occupations.copy_(occupations_of(masks, self._n_sites))

    def _launch(self, walkers: DeviceWalkers, weights: DeviceWeights, masks: Tensor, numbers: Tensor, n: int) -> None:
        fixed, tiling, n_walkers = weights.fixed, self._tiling, walkers.n_walkers
        fused_turn[(-(-n_walkers // tiling.block),)](
            masks,
            walkers.sites,
            walkers.random,
            walkers.floats,
            walkers.integers,
            weights.table,
            weights.visits,
            weights.totals,
            weights.proposals,
            weights.ends,
            self._model.weights,
            self._model.low,
            self._model.nodes,
            self._model.changes,
            numbers,
            n_walkers,
            len(weights.visits),
            int(fixed["row_length"]),
            int(fixed["energy_bins"]),
            n,
            n_sites=self._n_sites,
            BLOCK=tiling.block,
            SITES=self._model.sites,
            **self._model.shape,
            FLIPPING=bool(fixed["flipping"]),
            COUNTING=bool(fixed["counting"]),
            HOLDS_BOTTOM=bool(fixed["holds_bottom"]),
            HOLDS_TOP=bool(fixed["holds_top"]),
            num_warps=tiling.warps,
            num_stages=tiling.stages,
        )


def dense_energies_of(model: PackedModel, tiling: Tiling, masks: Tensor) -> Tensor:
    """Return the energies of configurations ``int64[n]``, a bit for each site, ``float64[n]``, Ry."""
    energies = torch.empty(len(masks), dtype=torch.float64, device=masks.device)
    shape = {name: value for name, value in model.shape.items() if name not in ("BITS", "STAR")}
    dense_energies[(-(-len(masks) // tiling.block),)](
        masks,
        energies,
        model.weights,
        model.low,
        model.nodes,
        model.numbers,
        len(masks),
        BLOCK=tiling.block,
        SITES=model.sites,
        **shape,
        num_warps=tiling.warps,
        num_stages=tiling.stages,
    )
    return energies


def masks_of(occupations: Tensor) -> Tensor:
    """Pack occupations ``int8[n, n_sites]`` into ``int64[n]``."""
    places = torch.arange(occupations.shape[1], device=occupations.device)
    return (occupations.long() << places).sum(dim=1)


def occupations_of(masks: Tensor, n_sites: int) -> Tensor:
    """Unpack ``int64[n]`` into occupations ``int8[n, n_sites]``."""
    return (masks[:, None] >> torch.arange(n_sites, device=masks.device) & 1).to(torch.int8)
