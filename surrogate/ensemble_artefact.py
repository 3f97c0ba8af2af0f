"""Ensembles on disk: several trained models of the same energy in one file, with one card.

The file is safetensors like that of a single model. Array ``NAME`` of member ``k`` is called ``k.NAME``; the card
holds the cards of all members, a digest of each, and what is known of them together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from surrogate.artefact import SCHEMA_VERSION, Artefact, Card, check_schema, parse_card, read_artefact, save_artefact
from wanglandau.errors import InputError

MAX_MEMBERS = 1000
"""Sanity limit on the members of an ensemble."""
MAX_SCALE = 1e6
"""Sanity limit on the factor by which spreads are scaled."""

_SAME = ("architecture", "tasks", "network", "species", "lattice", "reference_energies")
"""Entries that the cards of all members share."""

_TYPES: dict[str, Any] = {
    "members": list,
    "digests": list,
    "left_out": list,
    "spread_scale": (int, float),
    "dataset": dict,
}
_TYPES |= {"held_out": dict, "metrics": dict}


@dataclass(frozen=True)
class EnsembleCard:
    """What an ensemble is, and how far it can be trusted.

    Attributes
    ----------
    members : list of Card
        One for each member; ``dataset`` and ``training`` there say what it saw and its seed.
    digests : list of str
        Digest of each member, see :meth:`surrogate.artefact.Artefact.digest`.
    left_out : list of dict
        For each member ``n_orbits``, ``digest`` and ``orbits`` of what its training did not see, and
        ``rmse_mev_per_atom`` there.
    spread_scale : float
        What deviations from the mean are multiplied with, so that the spread of the members is as large as the error of
        their mean on configurations that they have not seen.
    dataset : dict
        As in the card of a single model, for all members together.
    held_out : dict
        Error of the mean and spread of those members that have not seen a configuration, over all configurations.
    metrics : dict
        Report of the mean of all members on the training data.
    schema_version : int
    """

    members: list[Card]
    digests: list[str]
    left_out: list[dict[str, Any]]
    spread_scale: float
    dataset: dict[str, Any] = field(default_factory=dict)
    held_out: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def tasks(self) -> list[str]:
        """What every member has learnt."""
        return self.members[0].tasks

    @property
    def reference_energies(self) -> list[float]:
        """Energy per atom of the pure species, Ry."""
        return self.members[0].reference_energies

    @property
    def caution(self) -> str:
        """What a reader of results has to know of the data that were learnt; may be empty."""
        return str(self.dataset.get("caution", ""))

    def to_json(self) -> str:
        """Return the card as JSON, the same text for the same card."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_values(cls, values: Any) -> EnsembleCard:
        """Check the parsed JSON of a card.

        Raises
        ------
        InputError
            If it is no card of an ensemble of this schema version.
        """
        check_schema(values)
        names = {item.name for item in fields(cls)}
        for name in sorted(names ^ set(values)):
            raise InputError(f"its card has {'no' if name in names else 'an unknown'} entry {name!r}")
        for name, kind in _TYPES.items():
            if not isinstance(values[name], kind):
                raise InputError(f"entry {name!r} of its card has the wrong type, {type(values[name]).__name__}")
        if not 0 <= values["spread_scale"] <= MAX_SCALE:
            raise InputError(f"spread_scale is {values['spread_scale']}; expected 0 to {MAX_SCALE:g}")
        if not 2 <= len(values["members"]) <= MAX_MEMBERS:
            raise InputError(f"its card lists {len(values['members'])} members; expected 2 to {MAX_MEMBERS}")
        return cls(**values | {"members": [Card.from_values(card) for card in values["members"]]})


class Ensemble(NamedTuple):
    """Several trained models of the same energy, and the card of them all."""

    members: tuple[Artefact, ...]
    card: EnsembleCard

    def digest(self) -> str:
        """Digest of everything its predictions depend on."""
        digests = [member.digest() for member in self.members]
        return sha256(json.dumps(["ensemble", digests, float(self.card.spread_scale)]).encode()).hexdigest()


def check_members(members: Sequence[Artefact]) -> None:
    """Refuse models that do not belong together.

    Raises
    ------
    InputError
        If two differ in lattice, species, tasks, architecture, its settings or reference energies.
    """
    first = members[0].card
    for number, member in enumerate(members):
        for name in _SAME:
            if getattr(member.card, name) != getattr(first, name):
                raise InputError(f"members 0 and {number} differ in {name!r}; members of an ensemble share it")


def save_ensemble(path: str | os.PathLike[str], ensemble: Ensemble) -> None:
    """Write an ensemble; the file is complete or not there."""
    arrays = {f"{k}.{name}": values for k, one in enumerate(ensemble.members) for name, values in one.arrays.items()}
    save_artefact(path, arrays, ensemble.card)


def load_model(path: str | os.PathLike[str]) -> Artefact | Ensemble:
    """Read and check a single model or an ensemble, whichever the file holds.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged or is not an artefact of this package; of an ensemble, if members are
        missing or too many, do not belong together, or are not those that its card was written for.
    """
    return read_artefact(path, _make)


def _make(text: str, arrays: dict[str, np.ndarray]) -> Artefact | Ensemble:
    values = parse_card(text)
    if not isinstance(values, dict) or "members" not in values:
        return Artefact(arrays, Card.from_values(values))
    card = EnsembleCard.from_values(values)
    members = _split(arrays, card)
    check_members(members)
    for number, (member, digest) in enumerate(zip(members, card.digests, strict=True)):
        if member.digest() != digest:
            raise InputError(f"member {number} is not the one that its card was written for (digest differs)")
    return Ensemble(members, card)


def _split(arrays: dict[str, np.ndarray], card: EnsembleCard) -> tuple[Artefact, ...]:
    """Sort arrays by member; their numbers, and the entries of the card, must be as many as there are members."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, values in arrays.items():
        number, _, own = name.partition(".")
        parts.setdefault(number, {})[own] = values
    wanted = [str(number) for number in range(len(card.members))]
    if set(parts) != set(wanted) or not len(card.digests) == len(card.left_out) == len(wanted):
        raise InputError(
            f"its card lists {len(wanted)} members, {len(card.digests)} digests and {len(card.left_out)} parts left "
            f"out, but the file holds arrays of {len(parts)}"
        )
    return tuple(Artefact(parts[number], own) for number, own in zip(wanted, card.members, strict=True))
