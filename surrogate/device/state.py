"""Walkers and weights as tensors on a device, and the way there and back.

Everything is what :mod:`wanglandau.kernels` has under the same name; unsigned random states are kept as signed numbers
of the same bits, since torch's arithmetic on those wraps around alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wanglandau import kernels
from wanglandau.walkers import Walkers, Weights

FINE = 2.0**32
"""Deviations from the centre of a bin are counted in widths of the bin over this, so that their sums are exact."""
MAX_VISITS = 2**30
"""Visits after which sums of deviations are fetched, lest they overflow 64 bits."""

FLOATS = ("energy", "lowest", "highest", "lowest_refused", "highest_refused", "beta", "field")
INTEGERS = ("composition", "bin", "origin", "target", "accepted", "out_of_range", "heading", "half_trips")
"""Fields of a walker in the order in which kernels find them."""
_UNCHANGED = ("beta", "field")


@dataclass
class DeviceWalkers:
    """Walkers on a device.

    Attributes
    ----------
    occupations : int8[n_walkers, n_sites]
    sites : int32[n_walkers, n_sites]
        All sites, those of the second species first.
    random : int64[n_walkers, 4]
    floats : float64[7, n_walkers]
    integers : int64[8, n_walkers]
        Fields of :data:`wanglandau.kernels.WALKER`, in the order of ``FLOATS`` and ``INTEGERS``.
    """

    occupations: Tensor
    sites: Tensor
    random: Tensor
    floats: Tensor
    integers: Tensor

    @classmethod
    def copy_of(cls, walkers: Walkers, device: torch.device) -> DeviceWalkers:
        """Copy walkers to a device."""
        records = walkers.records
        return cls(
            _tensor(walkers.occupations, device),
            _tensor(walkers.sites, device),
            _tensor(records["random_state"].view(np.int64), device),
            _tensor(np.stack([records[name] for name in FLOATS]), device),
            _tensor(np.stack([records[name] for name in INTEGERS]), device),
        )

    def write_to(self, walkers: Walkers) -> None:
        """Copy back what a walk changes."""
        walkers.occupations[:] = self.occupations.cpu().numpy()
        walkers.sites[:] = self.sites.cpu().numpy()
        walkers.records["random_state"] = self.random.cpu().numpy().view(np.uint64)
        for name, values in self.records.items():
            if name not in _UNCHANGED:
                walkers.records[name] = values.cpu().numpy()

    @property
    def records(self) -> dict[str, Tensor]:
        """The fields by their names, each a view."""
        named = zip((*FLOATS, *INTEGERS), (*self.floats, *self.integers), strict=True)
        return dict(named)

    @property
    def n_walkers(self) -> int:
        """Number of walkers."""
        return len(self.occupations)


@dataclass
class DeviceWeights:
    """Weights and records of a walk on a device.

    Attributes
    ----------
    bins : dict of tensors [n_bins]
        ``ln_g`` (float64), ``seen`` and ``expected`` (int64) as in :data:`wanglandau.kernels.BIN`.
    table : float64[n_bins]
        The ln g with which bins count in the present turn.
    visits : int64[n_bins]
        Of the present turn.
    totals : int64[3, n_bins]
        Visits, and sums of deviations from the centre and of their squares, since the copy was made; in units of the
        width of a bin over ``FINE``, and of its square.
    proposals : int64[n_bins, n_bins + 1]
        Trials from bin to bin since the copy was made; of no size where they are not counted.
    ends : int64[2]
        Lowest and highest energy bin between which round trips are counted in the present turn.
    control : dict of tensors []
        The scalars of :data:`wanglandau.kernels.CONTROL` that change: ``ln_f``, ``trials``, ``bins_seen``,
        ``bins_found``, ``lowest_seen``, ``highest_seen``.
    fixed : dict of numbers
        Those that do not.
    """

    bins: dict[str, Tensor]
    table: Tensor
    visits: Tensor
    totals: Tensor
    proposals: Tensor
    ends: Tensor
    control: dict[str, Tensor]
    fixed: dict[str, float | int]

    @classmethod
    def copy_of(cls, weights: Weights, device: torch.device) -> DeviceWeights:
        """Copy weights to a device."""
        n_bins, control = len(weights.bins), weights.control[0]
        changing = ("ln_f", "trials", "bins_seen", "bins_found", "lowest_seen", "highest_seen")
        names = [name for name in kernels.CONTROL.names or () if name not in changing]

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        return cls(
            {name: _tensor(weights.bins[name], device) for name in ("ln_g", "seen", "expected")},
            torch.zeros(n_bins, dtype=torch.float64, device=device),
            zeros(n_bins),
            zeros(3, n_bins),
            zeros(*weights.proposals.shape),
            zeros(2),
            {name: torch.tensor(control[name].item(), device=device, dtype=_dtype(name)) for name in changing},
            {name: control[name].item() for name in names},
        )

    def write_to(self, weights: Weights) -> None:
        """Copy back what a walk changes, and add what was recorded since the copy was made; the records begin anew."""
        bins = weights.bins
        for name in ("ln_g", "seen"):
            bins[name] = self.bins[name].cpu().numpy()
        visits, sums, squares = self.totals.cpu().numpy()
        width = 1.0 / self.fixed["inverse_width"] if self.fixed["inverse_width"] else 0.0
        bins["histogram"] += visits
        bins["visits"] += visits
        bins["energy_sum"] += sums * (width / FINE)
        bins["energy_square_sum"] += squares * (width * width / FINE)
        weights.proposals += self.proposals.cpu().numpy()
        for name, value in self.control.items():
            weights.control[name] = value.item()
        self.totals.zero_()
        self.proposals.zero_()


def _dtype(name: str) -> torch.dtype:
    return torch.float64 if kernels.CONTROL[name].kind == "f" else torch.int64


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    """Copy an array, never sharing its memory."""
    return torch.from_numpy(np.array(values, order="C")).to(device)
