"""Trained models on disk: weights as safetensors, and a card that says what they are.

The card is JSON in the metadata of the safetensors header, under the key ``card``, beside the seal of the file
(:mod:`wanglandau.seal`); XGBoost models carry the same as attributes of the booster. Nothing in here is pickled and
nothing that is read is executed.
Files of several models are made by :mod:`surrogate.ensemble_artefact`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from surrogate.settings import check_tasks
from wanglandau.atomic_file import write_atomically
from wanglandau.bounded_file import read_bytes
from wanglandau.errors import FAULTS, InputError
from wanglandau.json_text import parse_json
from wanglandau.lattice import Lattice
from wanglandau.seal import KEY, UNSEALED, is_sealed, sealed

SCHEMA_VERSION = 1
MAX_HEADER = 2**25
"""Sanity limit on the header of a file (bytes)."""
MAX_FILE = 2**31
"""Sanity limit on a file (bytes)."""
N_SHELLS = 6
"""Shells of neighbours by which a card tells one parent lattice from another."""

_TYPES = {
    "architecture": str,
    "tasks": list,
    "network": dict,
    "species": list,
    "lattice": dict,
    "reference_energies": list,
    "dataset": dict,
    "training": dict,
    "metrics": dict,
    "versions": dict,
    "schema_version": int,
}


@dataclass(frozen=True)
class Card:
    """What a trained model is, for what, and where it came from.

    Attributes
    ----------
    architecture : str
        ``lattice``, ``dense`` or ``xgboost``.
    tasks : list of str
    network : dict
        Settings of the network.
    species : list of two str
    lattice : dict
        Of the training data, see :func:`describe_lattice`.
    reference_energies : list of two float, Ry/atom
    dataset : dict
        ``digest``, ``n_configurations`` and the sorted ``orbits`` that training saw.
    training : dict
        Settings of the training, its seed among them.
    metrics : dict
        Report on the training data.
    versions : dict
        Packages with which the model was trained.
    schema_version : int
    """

    architecture: str
    tasks: list[str]
    network: dict[str, Any]
    species: list[str]
    lattice: dict[str, Any]
    reference_energies: list[float]
    dataset: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the card as JSON, the same text for the same card."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card and check that everything needed is there and has the right type.

        Raises
        ------
        InputError
            If the text is no card of this schema version.
        """
        values = parse_card(text)
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Any) -> Card:
        """Check the parsed JSON of a card; raises as :meth:`from_json` does."""
        check_schema(values)
        if "members" in values:
            raise InputError("its card describes an ensemble of models; give a single one")
        names = {item.name for item in fields(cls)}
        for name in sorted(names ^ set(values)):
            raise InputError(f"its card has {'no' if name in names else 'an unknown'} entry {name!r}")
        for name, kind in _TYPES.items():
            if not isinstance(values[name], kind):
                raise InputError(f"entry {name!r} of its card is no {kind.__name__}")
        card = cls(**values)
        check_tasks(tuple(map(str, card.tasks)))
        _check_numbers("reference_energies", card.reference_energies, 2)
        _check_numbers("lattice.shell_distances_bohr", card.lattice.get("shell_distances_bohr"), N_SHELLS)
        _check_numbers("lattice.coordinations", card.lattice.get("coordinations"), N_SHELLS)
        return card

    @property
    def caution(self) -> str:
        """What a reader of results has to know of the data that were learnt; may be empty."""
        return str(self.dataset.get("caution", ""))

    def check_fits(self, lattice: Lattice, *, any_cell: bool) -> None:
        """Refuse a lattice that the model was not made for.

        Parameters
        ----------
        lattice : Lattice
        any_cell : bool
            Whether the model evaluates every cell of its parent lattice, or only the one it was trained on.

        Raises
        ------
        InputError
            Naming both lattices.
        """
        own = f"the surrogate was trained on {'-'.join(self.species)} {self.lattice.get('name')}"
        if list(lattice.species) != list(self.species):
            raise InputError(f"{own}; it does not fit a lattice of {'-'.join(lattice.species)}")
        if not any_cell and lattice.fingerprint != self.lattice.get("fingerprint"):
            raise InputError(
                f"{own} with {self.lattice.get('n_sites')} sites and fits only that very cell, not {lattice.name} "
                f"with {lattice.n_sites} sites; use a lattice surrogate or train on this cell"
            )
        shells = lattice.shells(N_SHELLS)
        distances, coordinations = [shell.distance for shell in shells], [shell.coordination for shell in shells]
        close = np.allclose(distances, self.lattice["shell_distances_bohr"], rtol=1e-4, atol=0)
        if not close or coordinations != self.lattice["coordinations"]:
            raise InputError(
                f"{own} with nearest neighbours {self.lattice['coordinations'][0]} x "
                f"{self.lattice['shell_distances_bohr'][0]:.4f} Bohr; it does not fit {lattice.name} with "
                f"{coordinations[0]} x {distances[0]:.4f} Bohr"
            )


class WritableCard(Protocol):
    """What a file needs of the card that goes into it."""

    def to_json(self) -> str: ...


Model = TypeVar("Model")


class Artefact(NamedTuple):
    """A trained model: its arrays by name, and its card."""

    arrays: dict[str, np.ndarray]
    card: Card

    def digest(self) -> str:
        """Digest of everything its predictions depend on."""
        digest = hashlib.sha256()
        essentials = [self.card.architecture, self.card.tasks, self.card.network, self.card.species]
        digest.update(json.dumps([*essentials, self.card.reference_energies], sort_keys=True).encode())
        for name, values in sorted(self.arrays.items()):
            digest.update(f"{name}{values.shape}{values.dtype.str}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def describe_lattice(lattice: Lattice) -> dict[str, Any]:
    """Describe a lattice for a card: exact cell, and shells by which other cells of the same lattice are known."""
    shells = lattice.shells(N_SHELLS)
    return {
        "name": lattice.name,
        "n_sites": lattice.n_sites,
        "fingerprint": lattice.fingerprint,
        "cell_bohr": lattice.cell.tolist(),
        "positions_bohr": lattice.positions.tolist(),
        "shell_distances_bohr": [shell.distance for shell in shells],
        "coordinations": [shell.coordination for shell in shells],
    }


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of importable packages."""
    return {"python": platform.python_version()} | {name: str(import_module(name).__version__) for name in packages}


def parse_card(text: str) -> Any:
    """Parse the JSON of a card.

    Raises
    ------
    InputError
        If it is none, or holds what is no number.
    """
    try:
        return parse_json(text, _refuse_constant)
    except ValueError as error:
        raise InputError(f"its card is not valid JSON ({error})") from error


def check_schema(values: Any) -> None:
    """Refuse the parsed JSON of a card unless it has the schema version of this package."""
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        found = values.get("schema_version") if isinstance(values, dict) else None
        raise InputError(
            f"its card has schema_version {found}; this version of the package reads {SCHEMA_VERSION}: train it anew"
        )


def save_artefact(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], card: WritableCard) -> None:
    """Write a model; the file is complete or not there.

    Parameters
    ----------
    path : str or path
    arrays : mapping of str to array
    card : Card, or that of an ensemble
    """
    plain = {name: np.array(values, order="C") for name, values in sorted(arrays.items())}
    write_atomically(Path(path), sealed(_with_place(safetensors.numpy.save(plain, {"card": card.to_json()}))))


def _with_place(content: bytes) -> bytes:
    """Make room for the seal in the header of a safetensors file, whose own writer shuffles metadata."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"][KEY] = UNSEALED
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def load_artefact(path: str | os.PathLike[str]) -> Artefact:
    """Read and check a model.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or is not an artefact of this package.
    """
    return read_artefact(path, lambda text, arrays: Artefact(arrays, Card.from_json(text)))


def read_artefact(path: str | os.PathLike[str], make: Callable[[str, dict[str, np.ndarray]], Model]) -> Model:
    """Read a file and hand card and arrays to ``make``; whatever is wrong with either becomes one line.

    Parameters
    ----------
    path : str or path
    make : callable
        From the text of the card and the arrays by name to the model.

    Raises
    ------
    InputError
        If the file cannot be read or is damaged, or ``make`` refuses what is in it.
    """
    content = read_bytes(Path(path), "artefact", MAX_FILE)
    try:
        text = _card_text(content)
        arrays = safetensors.numpy.load(content)
        for name, values in arrays.items():
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                raise InputError(f"array {name!r} holds NaN or infinity")
        return make(text, arrays)
    except InputError as error:
        raise InputError(f"artefact {path} cannot be used: {error}") from error
    except (SafetensorError, *FAULTS) as error:
        raise InputError(f"artefact {path} is damaged ({' '.join(str(error).split())}); train it anew") from error


def _card_text(content: bytes) -> str:
    """Find the card in a safetensors file: eight bytes of header length, JSON header, data."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise InputError("it is not a safetensors file, or truncated; make artefacts with 'surrogate train'")
    if length > MAX_HEADER:
        raise InputError(f"its header of {length} bytes exceeds the limit of {MAX_HEADER}; train it anew")
    try:
        header = parse_json(content[8 : 8 + length])
    except ValueError as error:
        raise InputError("it is not a safetensors file, or damaged; make artefacts with 'surrogate train'") from error
    found = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("card"), str):
        raise InputError("it has no card; make artefacts with 'surrogate train'")
    if not is_sealed(content) and KEY in found:
        raise InputError("its seal is broken")
    return found["card"]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _check_numbers(name: str, values: Any, n: int) -> None:
    if not isinstance(values, list) or len(values) != n or not all(_is_finite(value) for value in values):
        raise InputError(f"entry {name!r} of its card does not hold {n} finite numbers")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))
