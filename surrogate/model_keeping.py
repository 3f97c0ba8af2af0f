"""Checkpoints of the training of a model: finished members of an ensemble, and the state of the training under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surrogate.artefact import Artefact
from wanglandau.result_keeper import ResultKeeper


class ModelKeeper:
    """Keeps a model in the making; see :class:`surrogate.training.TrainingKeeper`.

    Parameters
    ----------
    keeper : ResultKeeper

    Attributes
    ----------
    members : list of Artefact
        Finished ones, of an ensemble.
    state
        Of the training of the next one, or of the only one; None where it has not begun.
    """

    def __init__(self, keeper: ResultKeeper) -> None:
        held: dict[str, Any] = keeper.state or {"members": [], "training": None}
        self._keeper = keeper
        self.members: list[Artefact] = held["members"]
        self.state: Any = held["training"]

    def offer(self, make: Callable[[], Any]) -> None:
        """Write a checkpoint if it is time for one; ``make`` gives the state of the training."""
        self._keeper.offer(lambda: self._full(make()))

    def keep(self, make: Callable[[], Any]) -> None:
        """Write a checkpoint now.

        Raises
        ------
        OSError
            If it cannot be written; the one before is as it was.
        """
        self._keeper.keep(lambda: self._full(make()))

    def add(self, member: Artefact) -> None:
        """Count a member as finished; it is written with the next checkpoint."""
        self.members.append(member)
        self.state = None

    def _full(self, training: Any) -> dict[str, Any]:
        return {"members": self.members, "training": training}
