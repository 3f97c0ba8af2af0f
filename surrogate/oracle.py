"""Trained surrogates as oracles: ``--oracle surrogate``, or ``surrogate:WHICH`` with a shipped one or a file.

On the processor a surrogate needs no torch. With ``@cuda`` crowds of walkers stay on the accelerator. Energies of
lattice networks are the same there to the bit; those of dense networks differ by rounding, so the two have different
identities, as have those that ``@cpu`` evaluates by torch in float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np

from surrogate.architectures import ARCHITECTURES, find_architecture, make_evaluator
from surrogate.artefact import Artefact
from surrogate.ensemble_artefact import Ensemble, load_model
from surrogate.ensemble_oracle import EnsembleSurrogateOracle
from surrogate.network_oracle import NetworkOracle
from surrogate.trial_cost import trial_cost
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle
from wanglandau.systems import System
from wanglandau.trial_cost import TrialCost

ENSEMBLE = "ensemble"
"""How the shipped ensemble of a system is called."""
FIRST = "lattice-v1"
"""The lattice surrogate trained on the first version of the shipped data; published studies rest on it."""


class SurrogateOracle(NetworkOracle):
    """Mixing energies, charges and moments of a trained network, evaluated without torch.

    Parameters
    ----------
    artefact : Artefact
    lattice : Lattice
        What to evaluate; any cell of the parent lattice for a lattice network, the very cell for a dense one.

    Raises
    ------
    InputError
        If the artefact does not fit the lattice.
    """

    def __init__(self, artefact: Artefact, lattice: Lattice) -> None:
        super().__init__(make_evaluator(artefact, lattice), artefact.card, lattice)
        self.artefact = artefact
        self.invariant = find_architecture(artefact.card.architecture).invariant
        self.identity = surrogate_identity(artefact, lattice, "compiled")

    def model_call(self) -> Callable[[np.ndarray], float]:
        """Return the plain call of the torch network, ``int8[n_sites]`` to Ry: the yardstick of benchmarks."""
        from surrogate.torch_oracle import single_call  # torch only where it is asked for

        return single_call(self.artefact, self.lattice)

    def trial_cost(self, occupations: np.ndarray) -> TrialCost:
        """Count the work of a swap, the mean over configurations like ``int8[n, n_sites]``."""
        return trial_cost(self.artefact, self.lattice, occupations)


def surrogate_identity(artefact: Artefact, lattice: Lattice, arithmetic: str) -> str:
    """Digest of all that energies depend on: weights, lattice and the arithmetic that evaluates them."""
    return hashlib.sha256(f"surrogate/{artefact.digest()}/{lattice.fingerprint}/{arithmetic}".encode()).hexdigest()


def shipped_artefact(system: System, architecture: str = "lattice") -> Artefact:
    """Load the single surrogate that comes with the package for a system.

    Raises
    ------
    InputError
        If there is none.
    """
    model = shipped_model(system, architecture)
    if not isinstance(model, Artefact):
        raise InputError(
            f"the {architecture} surrogate of system {system.name} is an ensemble; a single model is needed: "
            "give lattice or dense"
        )
    return model


def shipped_model(system: System, which: str) -> Artefact | Ensemble:
    """Load the surrogate that comes with the package for a system: lattice, dense, ensemble or lattice-v1.

    Raises
    ------
    InputError
        If there is none.
    """
    shipped = resources.files("surrogate") / "artefacts" / f"{system.name}-{which}.safetensors"
    if not shipped.is_file():
        raise InputError(
            f"no {which} surrogate is shipped for system {system.name}; train one with 'surrogate train' "
            "and give it as --oracle surrogate:FILE"
        )
    with resources.as_file(shipped) as path:
        return load_model(path)


def find_model(which: str, system: System) -> Artefact | Ensemble:
    """Load a surrogate that gives energies: one that is shipped for the system, or a file.

    Parameters
    ----------
    which : str
        ``lattice``, ``dense``, ``ensemble``, ``lattice-v1`` or the path of an artefact.
    system : System

    Raises
    ------
    InputError
        If there is none, it cannot be read, or it has not learnt energies.
    """
    model = shipped_model(system, which) if which in (*ARCHITECTURES, ENSEMBLE, FIRST) else load_model(which)
    if "energy" not in model.card.tasks:
        raise InputError(f"this surrogate has learnt {', '.join(model.card.tasks)} but no energy; it is no oracle")
    return model


def make_oracle(model: Artefact | Ensemble, lattice: Lattice) -> SurrogateOracle | EnsembleSurrogateOracle:
    """Make the oracle of a trained model or of an ensemble of them.

    Raises
    ------
    InputError
        If it does not fit the lattice.
    """
    if isinstance(model, Artefact):
        return SurrogateOracle(model, lattice)
    return EnsembleSurrogateOracle(model, lattice)


def from_argument(argument: str, system: System) -> EnergyOracle:
    """Make the oracle of ``--oracle surrogate[:WHICH][@DEVICE]``.

    Parameters
    ----------
    argument : str
        Path of an artefact, single or ensemble, or ``lattice``, ``dense``, ``ensemble`` or ``lattice-v1`` for one that
        is shipped for the system; nothing means lattice. ``@cuda`` behind it takes crowds of walkers to an accelerator,
        which ensembles do not do; ``@cuda/ieee`` and the like choose the arithmetic of a dense network there.
    system : System

    Raises
    ------
    InputError
        If the artefact cannot be read or does not fit the lattice.
    """
    which, at, device = argument, "", ""
    if "@" in argument and not Path(argument).exists():
        which, at, device = argument.rpartition("@")
    artefact = find_model(which or "lattice", system)
    if not at:
        return make_oracle(artefact, system.lattice)
    if not isinstance(artefact, Artefact):
        raise InputError(f"ensembles are evaluated by compiled code only; leave '@{device}' out")
    from surrogate.device.oracles import oracle_on  # torch only where it is asked for

    return oracle_on(artefact, system.lattice, device)
