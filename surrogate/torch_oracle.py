"""A trained surrogate evaluated by torch in float64, on an accelerator or on the processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surrogate.architectures import find_architecture, make_network, network_settings
from surrogate.artefact import Artefact
from surrogate.network_oracle import finite
from surrogate.oracle import surrogate_identity
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import ENERGY_QUANTUM, occupation_rows

BLOCK = 2048
"""Configurations are always evaluated in blocks of this length, the last one filled up.

Matrix products may be summed in another order for another batch size. With the size fixed and the result
rounded, the energy of a configuration does not depend on the batch it came in.
"""


class TorchOracle:
    """Mixing energies of a trained network, evaluated by torch.

    Parameters
    ----------
    artefact : Artefact
    lattice : Lattice
    device : str
        A device that torch knows, such as ``cuda`` or ``cpu``.

    Raises
    ------
    InputError
        If the artefact does not fit the lattice or there is no such device.
    """

    def __init__(self, artefact: Artefact, lattice: Lattice, device: str) -> None:
        self._network = trained_network(artefact, lattice).double()
        try:
            self._network.to(torch.device(device))
        except (RuntimeError, AssertionError) as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"cannot set the surrogate up on device {device!r}: {reason}") from error
        self._device = torch.device(device)
        self.artefact = artefact
        self.lattice = lattice
        self.reference_energies = np.array(artefact.card.reference_energies, dtype=np.float64)
        self.caution = artefact.card.caution
        self.invariant = find_architecture(artefact.card.architecture).invariant
        self.identity = surrogate_identity(artefact, lattice, f"torch {self._device.type}")

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry per cell.

        Raises
        ------
        OracleError
            If the device fails or an energy is not finite.
        """
        rows = occupation_rows(occupations, self.lattice.n_sites)
        try:
            blocks = [self._block(rows[start : start + BLOCK]) for start in range(0, len(rows), BLOCK)]
        except RuntimeError as error:
            raise OracleError(f"torch failed on {self._device}: {str(error).splitlines()[0]}") from error
        return finite(np.concatenate(blocks) if blocks else np.empty(0))

    def _block(self, rows: np.ndarray) -> np.ndarray:
        filled = np.zeros((BLOCK, self.lattice.n_sites), dtype=np.int8)
        filled[: len(rows)] = rows
        inputs = self._network.inputs(filled)
        parts = inputs if isinstance(inputs, tuple) else (inputs,)
        return self._evaluate(parts).cpu().numpy()[: len(rows)]

    def tensor_energies(self, occupations: Tensor) -> Tensor:
        """Give the mixing energies of ``int8[n, n_sites]`` on the device, ``float64[n]``, Ry: those of ``energies``.

        For networks that take occupations as they are.
        """
        n = len(occupations)
        filled = torch.nn.functional.pad(occupations.double(), (0, 0, 0, -n % BLOCK))
        return torch.cat([self._evaluate((block,)) for block in torch.split(filled, BLOCK)])[:n]

    @torch.no_grad()
    def _evaluate(self, inputs: tuple[Tensor, ...]) -> Tensor:
        energies = self._network(*(part.to(self._device) for part in inputs))["energy"]
        return torch.round(energies / ENERGY_QUANTUM) * ENERGY_QUANTUM


def trained_network(artefact: Artefact, lattice: Lattice) -> Any:
    """Rebuild the torch network of an artefact, ready for predictions.

    Raises
    ------
    InputError
        If the artefact does not fit the lattice or its arrays do not fit its card.
    """
    card = artefact.card
    card.check_fits(lattice, any_cell=find_architecture(card.architecture).any_cell)
    network = make_network(card.architecture, lattice, tuple(card.tasks), network_settings(artefact))
    weights = {name: torch.from_numpy(np.array(values)) for name, values in artefact.arrays.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"the arrays of the artefact do not fit its card: {' '.join(str(error).split())}") from error
    return network.eval().requires_grad_(False)


def single_call(artefact: Artefact, lattice: Lattice) -> Callable[[np.ndarray], float]:
    """Return the call that people write first: one configuration in, one energy (Ry) out.

    Torch is set to one thread for the rest of the process: more only slow such small networks down.
    """
    torch.set_num_threads(1)
    network = trained_network(artefact, lattice)

    @torch.no_grad()
    def energy(occupations: np.ndarray) -> float:
        inputs = network.inputs(occupations[None])
        return float(network(*(inputs if isinstance(inputs, tuple) else (inputs,)))["energy"])

    return energy
