"""The network architectures by name: settings, network for training, torch-free evaluation.

Adding an architecture takes one entry in ``ARCHITECTURES``; training, artefacts, oracles and the command line
know architectures only through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from surrogate.lattice_settings import LatticeSettings
from surrogate.settings import DenseSettings
from wanglandau.errors import InputError

if TYPE_CHECKING:  # the command line lists settings before anything heavy is imported
    from surrogate.artefact import Artefact
    from wanglandau.lattice import Lattice
    from wanglandau.oracle import CompiledEnergy, Properties


class Evaluator(Protocol):
    """Torch-free predictions of one trained network on one lattice."""

    def energies(self, occupations: np.ndarray) -> np.ndarray: ...
    def properties(self, occupations: np.ndarray) -> Properties: ...
    def compiled(self) -> CompiledEnergy: ...


@dataclass(frozen=True)
class Architecture:
    """One kind of network.

    Attributes
    ----------
    settings : type
        Dataclass of its settings.
    network, evaluator : str
        ``module:class`` of the torch network and of its torch-free evaluation, imported when needed. Both are made
        from lattice, tasks or arrays, and settings.
    invariant : bool
        Whether symmetry-equivalent occupations have the same energy.
    any_cell : bool
        Whether one trained network evaluates every cell of the parent lattice.
    """

    settings: type
    network: str
    evaluator: str
    invariant: bool
    any_cell: bool


ARCHITECTURES: Mapping[str, Architecture] = {
    "lattice": Architecture(
        LatticeSettings,
        "surrogate.lattice_network:LatticeNetwork",
        "surrogate.lattice_energy:LatticeEnergy",
        True,
        True,
    ),
    "dense": Architecture(
        DenseSettings, "surrogate.dense_network:DenseNetwork", "surrogate.dense_energy:DenseEnergy", False, False
    ),
}


def find_architecture(name: str) -> Architecture:
    """Return an architecture by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise InputError(f"architecture {name!r} is not known; choose one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def make_network(name: str, lattice: Lattice, tasks: tuple[str, ...], settings: Any) -> Any:
    """Make an untrained network with random weights; needs torch."""
    return _import(find_architecture(name).network)(lattice, tasks, settings)


def make_evaluator(artefact: Artefact, lattice: Lattice) -> Evaluator:
    """Make the torch-free evaluation of a trained network.

    Raises
    ------
    InputError
        If the network does not fit the lattice or its arrays do not fit its card.
    """
    architecture = find_architecture(artefact.card.architecture)
    artefact.card.check_fits(lattice, any_cell=architecture.any_cell)
    return _import(architecture.evaluator)(lattice, network_settings(artefact), artefact.arrays)


def network_settings(artefact: Artefact) -> Any:
    """Rebuild the settings of a network from its card."""
    architecture = find_architecture(artefact.card.architecture)
    try:
        return architecture.settings(**artefact.card.network)
    except TypeError as error:
        raise InputError(f"the card does not hold the settings of a {artefact.card.architecture} network") from error


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
