"""What happens to the weights between the turns of a crowd: the rules of :mod:`wanglandau.crowd` on tensors.

All numbers that walkers add to are whole, so that no result depends on the order in which a device adds them.
"""

from __future__ import annotations

import torch

from surrogate.device.state import DeviceWeights
from wanglandau.kernels import ONE_OVER_T, SAD


def begin_turn(weights: DeviceWeights) -> None:
    """Renew ln f, the table of weights and the ends of round trips; see :func:`wanglandau.kernels.begin_round`."""
    control, fixed = weights.control, weights.fixed
    if fixed["gain"] == ONE_OVER_T:
        time = (control["trials"] + fixed["trials_before"]).clamp_min(1)
        control["ln_f"].copy_(control["bins_seen"].double() / time.double())
    elif fixed["gain"] == SAD:
        trials = control["trials"].double()
        since, width = trials / fixed["sad_trials"], fixed["sad_width"]
        gain = (width + since) / (width + trials / fixed["sad_bins"] * since)
        control["ln_f"].copy_(torch.where(trials > 0, gain, control["ln_f"]))
    weights.table.copy_(table_of(weights))
    if fixed["bounded"]:
        weights.ends[0].fill_(fixed["low_end"])
        weights.ends[1].fill_(fixed["high_end"])
    else:
        weights.ends[0].copy_(control["lowest_seen"])
        weights.ends[1].copy_(control["highest_seen"])


def table_of(weights: DeviceWeights) -> torch.Tensor:
    """Return the ln g with which every bin counts, ``float64[n_bins]``; see :func:`wanglandau.kernels.weight_of`."""
    ln_g, fixed = weights.bins["ln_g"], weights.fixed
    known = (weights.bins["seen"] + weights.bins["expected"]) > 0
    lowest = torch.where(known, ln_g, torch.inf).min()
    table = torch.where(known, ln_g, torch.where(lowest < torch.inf, lowest, 0.0))
    if fixed["bounded"]:
        low, high = int(fixed["low_end"]), int(fixed["high_end"])
        index = torch.arange(len(ln_g), device=ln_g.device)
        table = torch.where(index > high, ln_g[high], table)
        table = torch.where(index < low, ln_g[low] + fixed["slope"] * (index - low), table)
    return table


def end_turn(weights: DeviceWeights, n_trials: int) -> None:
    """Take over what the walkers recorded, and raise ln g by ln f times the counts of visits."""
    bins, control, counts = weights.bins, weights.control, weights.visits
    new = (counts > 0) & (bins["seen"] == 0)
    bins["ln_g"].copy_(torch.where(new, weights.table, bins["ln_g"]) + control["ln_f"] * counts)
    bins["seen"].masked_fill_(new, 1)
    control["bins_seen"] += new.sum()
    control["bins_found"] += (new & (bins["expected"] == 0)).sum()
    _extend_ends(weights, new)
    control["trials"] += n_trials
    weights.totals[0] += counts
    counts.zero_()


def _extend_ends(weights: DeviceWeights, new: torch.Tensor) -> None:
    control, row = weights.control, int(weights.fixed["row_length"])
    index = torch.arange(len(new), device=new.device)
    index = index % row if row else index
    control["lowest_seen"].copy_(torch.minimum(control["lowest_seen"], torch.where(new, index, 2**62).min()))
    control["highest_seen"].copy_(torch.maximum(control["highest_seen"], torch.where(new, index, -1).max()))
