"""Trained surrogates as oracles: ``--oracle surrogate``, or ``surrogate:WHICH`` with a shipped one or a file.

On the processor a surrogate needs no torch. With ``@cuda`` (any device that torch knows) the energies are evaluated by
torch in float64; they differ from the compiled ones by rounding, so the two have different identities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from surrogate.architectures import ARCHITECTURES, find_architecture, make_evaluator
from surrogate.artefact import Artefact
from surrogate.ensemble_artefact import Ensemble, load_model
from wanglandau.errors import InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import CompiledEnergy, EnergyOracle, Properties
from wanglandau.systems import System

if TYPE_CHECKING:
    from surrogate.ensemble_oracle import EnsembleSurrogateOracle

ENSEMBLE = "ensemble"
"""How the shipped ensemble of a system is called."""


class SurrogateOracle:
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
        self._evaluator = make_evaluator(artefact, lattice)
        self.artefact = artefact
        self.lattice = lattice
        self.reference_energies = np.array(artefact.card.reference_energies, dtype=np.float64)
        self.caution = artefact.card.caution
        self.invariant = find_architecture(artefact.card.architecture).invariant
        self.identity = surrogate_identity(artefact, lattice, "compiled")

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Returns
        -------
        float64[n], Ry per cell

        Raises
        ------
        OracleError
            If an energy is not finite.
        """
        return finite(self._evaluator.energies(check_rows(occupations, self.lattice)))

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict energy, charges and moments of each configuration, ``int8[n, n_sites]``."""
        return self._evaluator.properties(check_rows(occupations, self.lattice))

    def compiled(self) -> CompiledEnergy:
        """Return tables and compiled functions for the sampling kernel."""
        return self._evaluator.compiled()

    def model_call(self) -> Callable[[np.ndarray], float]:
        """Return the plain call of the torch network, ``int8[n_sites]`` to Ry: the yardstick of benchmarks."""
        from surrogate.torch_oracle import single_call  # torch only where it is asked for

        return single_call(self.artefact, self.lattice)


def surrogate_identity(artefact: Artefact, lattice: Lattice, arithmetic: str) -> str:
    """Digest of all that energies depend on: weights, lattice and the arithmetic that evaluates them."""
    return hashlib.sha256(f"surrogate/{artefact.digest()}/{lattice.fingerprint}/{arithmetic}".encode()).hexdigest()


def check_rows(occupations: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Return occupations as ``int8[n, n_sites]``.

    Raises
    ------
    InputError
        If they have another shape.
    """
    rows = np.ascontiguousarray(occupations, dtype=np.int8)
    if rows.ndim != 2 or rows.shape[1] != lattice.n_sites:
        raise InputError(f"occupations have shape {rows.shape}; the lattice needs (n, {lattice.n_sites})")
    return rows


def finite(energies: np.ndarray) -> np.ndarray:
    """Return energies after making sure that all are numbers."""
    if not np.isfinite(energies).all():
        raise OracleError("the surrogate gave an energy that is not finite; its weights must be damaged")
    return energies


def shipped_artefact(system: System, architecture: str = "lattice") -> Artefact:
    """Load the single surrogate that comes with the package for a system.

    Raises
    ------
    InputError
        If there is none.
    """
    model = shipped_model(system, architecture)
    if not isinstance(model, Artefact):
        raise InputError(f"the {architecture} surrogate of system {system.name} is an ensemble, not a single model")
    return model


def shipped_model(system: System, which: str) -> Artefact | Ensemble:
    """Load the surrogate, ``lattice``, ``dense`` or ``ensemble``, that comes with the package for a system.

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


def make_oracle(model: Artefact | Ensemble, lattice: Lattice) -> SurrogateOracle | EnsembleSurrogateOracle:
    """Make the oracle of a trained model or of an ensemble of them.

    Raises
    ------
    InputError
        If it does not fit the lattice.
    """
    if isinstance(model, Artefact):
        return SurrogateOracle(model, lattice)
    from surrogate.ensemble_oracle import EnsembleSurrogateOracle  # it builds on this module

    return EnsembleSurrogateOracle(model, lattice)


def from_argument(argument: str, system: System) -> EnergyOracle:
    """Make the oracle of ``--oracle surrogate[:WHICH][@DEVICE]``.

    Parameters
    ----------
    argument : str
        Path of an artefact, single or ensemble, or ``lattice``, ``dense`` or ``ensemble`` for one that is shipped for
        the system; nothing means lattice. ``@cuda`` behind it evaluates with torch, which ensembles do not.
    system : System

    Raises
    ------
    InputError
        If the artefact cannot be read or does not fit the lattice.
    """
    which, at, device = argument, "", ""
    if "@" in argument and not Path(argument).exists():
        which, at, device = argument.rpartition("@")
    if not which or which in (*ARCHITECTURES, ENSEMBLE):
        artefact = shipped_model(system, which or "lattice")
    else:
        artefact = load_model(which)
    if "energy" not in artefact.card.tasks:
        raise InputError(f"this surrogate has learnt {', '.join(artefact.card.tasks)} but no energy; it is no oracle")
    if not at:
        return make_oracle(artefact, system.lattice)
    if not isinstance(artefact, Artefact):
        raise InputError(f"ensembles are evaluated by compiled code only; leave '@{device}' out")
    from surrogate.torch_oracle import TorchOracle  # torch only where it is asked for

    return TorchOracle(artefact, system.lattice, device)
