"""Crowds that are advanced as on an accelerator, on tensors of the processor."""

from __future__ import annotations

import torch

from surrogate.device.crowds import Crowd
from surrogate.device.energies import EnergyOfConfigurations
from surrogate.device.lock_step import LockStep
from wanglandau.oracle import EnergyOracle


def lock_step_of(oracle: EnergyOracle) -> LockStep:
    """Make rounds whose energies the oracle gives."""
    return LockStep(EnergyOfConfigurations(lambda rows: torch.from_numpy(oracle.energies(rows.numpy()))))


def crowd_of(oracle: EnergyOracle) -> Crowd:
    """Make what advances crowds on the energies of an oracle."""
    return Crowd(lock_step_of(oracle), torch.device("cpu"))
