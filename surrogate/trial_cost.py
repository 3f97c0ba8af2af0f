"""What a swap costs a trained network, counted by its formula; see :class:`wanglandau.trial_cost.TrialCost`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surrogate.architectures import network_settings
from surrogate.artefact import Artefact
from surrogate.site_descriptors import find_neighbourhood
from wanglandau.lattice import Lattice
from wanglandau.trial_cost import TrialCost


def trial_cost(artefact: Artefact, lattice: Lattice, occupations: np.ndarray) -> TrialCost:
    """Count the work of a swap, the mean over ``int8[n, n_sites]``."""
    if artefact.card.architecture == "lattice":
        return _lattice_cost(lattice, len(network_settings(artefact).length_scales))
    return _dense_cost(artefact.arrays, occupations)


def _lattice_cost(lattice: Lattice, n_shells: int) -> TrialCost:
    """Every site within reach of the two swapped: its surroundings and one entry in either table."""
    neighbours = set(find_neighbourhood(lattice, n_shells).sites[0].tolist()) - {0}
    reached = min(2 * (1 + len(neighbours)), lattice.n_sites)
    return TrialCost(
        look_ups=3.0 * reached,
        counted=f"3 look-ups (surroundings, two tables) for each of {reached} sites within reach; "
        "energies before the swap are remembered, sums and updates are for free",
    )


def _dense_cost(arrays: Mapping[str, np.ndarray], occupations: np.ndarray) -> TrialCost:
    """Weights that leave active nodes, each multiplied once; the first layer is updated, later ones are summed anew."""
    rows = occupations.astype(np.float64)
    first = np.maximum(rows @ arrays["first.weight"].astype(np.float64).T + arrays["first.bias"], 0.0)
    layers = [(first, arrays["second.weight"])]
    last = np.maximum(first @ arrays["second.weight"].astype(np.float64).T + arrays["second.bias"], 0.0)
    if "branch.energy.weight" in arrays:
        layers.append((last, arrays["branch.energy.weight"]))
        branch = arrays["branch.energy.weight"].astype(np.float64)
        last = np.maximum(last @ branch.T + arrays["branch.energy.bias"], 0.0)
    active = [float((nodes > 0).sum(axis=1).mean()) for nodes, _ in layers]
    used = sum(number * weight.shape[0] for number, (_, weight) in zip(active, layers, strict=True))
    used += float((last > 0).sum(axis=1).mean())
    swapped = 2.0 * len(first[0])  # two rows of the first layer, added
    counted = ", ".join(f"{number:.0f} of {nodes.shape[1]}" for number, (nodes, _) in zip(active, layers, strict=True))
    return TrialCost(
        multiply_adds=used + swapped,
        row_bytes=4.0 * (used + swapped),
        rows_size=4 * sum(weight.size for _, weight in layers) + 4 * arrays["first.weight"].size,
        counted=f"{used + swapped:,.0f} multiply-adds; active nodes by layer: {counted}; float32 throughout",
    )
