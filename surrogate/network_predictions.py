"""Predictions of a torch network, in the terms of an oracle."""

from __future__ import annotations

import numpy as np
import torch

from surrogate.training import TrainableNetwork
from wanglandau.oracle import Properties


@torch.no_grad()
def predict(
    network: TrainableNetwork, occupations: np.ndarray, pure_energies: tuple[float, float] | None = None
) -> Properties:
    """Ask a network for what it has learnt.

    Parameters
    ----------
    network : TrainableNetwork
    occupations : int8[n, n_sites]
    pure_energies : (float, float), optional
        Energy per site of both pure species (Ry), where the network has learnt total energies: they are taken away.

    Returns
    -------
    Properties
        The energy is nan where it was not learnt.
    """
    inputs = network.inputs(occupations)
    outputs = network(*inputs) if isinstance(inputs, tuple) else network(inputs)
    values = {task: found.numpy() for task, found in outputs.items()}
    if pure_energies is not None and "energy" in values:
        second = occupations.sum(axis=1, dtype=np.int64)
        first_energy, second_energy = pure_energies
        pure = (occupations.shape[1] - second) * first_energy + second * second_energy
        values["energy"] = values["energy"] - pure
    return properties_of(values, len(occupations))


def properties_of(values: dict[str, np.ndarray], n: int) -> Properties:
    """Return predictions of some tasks; the energy is nan where it is not among them."""
    return Properties(values.get("energy", np.full(n, np.nan)), values.get("charge"), values.get("moment"))
