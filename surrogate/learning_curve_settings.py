"""Settings of learning curves; importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wanglandau.errors import InputError

LEAST_SIZE = 5
"""Configurations that a model is trained on at least."""


@dataclass(frozen=True)
class LearningCurveSettings:
    """How learning curves are made.

    Attributes
    ----------
    splits : int
        Random divisions of the data into what is learnt from and a test part, by orbit.
    test_share : float
        Part of all orbits that is held out for the test.
    seed : int
        Of divisions, initial weights and batches.
    epochs : int
        Epochs of the dense networks.
    """

    splits: int = 10
    test_share: float = 0.2
    seed: int = 0
    epochs: int = 500

    def __post_init__(self) -> None:
        if not 2 <= self.splits <= 10_000:
            raise InputError(f"splits is {self.splits}; expected 2 to 10000")
        if not 0 < self.test_share < 1:
            raise InputError(f"test_share is {self.test_share}; expected between 0 and 1")
        if not 1 <= self.epochs <= 10_000_000:
            raise InputError(f"epochs is {self.epochs}; expected 1 to 10000000")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; expected 0 to {2**31 - 1}")

    def sizes(self, text: str, available: int) -> list[int]:
        """Read numbers of training configurations, of which ``all`` is one.

        Raises
        ------
        InputError
            If one is no whole number of at least 5, or none is left that the data have.
        """
        if available < LEAST_SIZE:
            raise InputError(
                f"test_share {self.test_share:g} leaves {available} configurations to learn from; lower it until at "
                f"least {LEAST_SIZE} are left"
            )
        found: set[int] = set()
        for part in text.split(","):
            if part.strip() == "all":
                found.add(available)
            elif not part.strip().isdigit() or int(part) < LEAST_SIZE:
                raise InputError(f"size {part!r} is not possible; give whole numbers of at least {LEAST_SIZE}, or all")
            elif int(part) <= available:
                found.add(int(part))
        if not found:
            raise InputError(
                f"all sizes of {text!r} are above the {available} configurations to learn from; "
                "give smaller ones or all"
            )
        return sorted(found)

    def of_result(self) -> dict[str, Any]:
        """Return the settings, all of which results depend on."""
        return {name: getattr(self, name) for name in ("splits", "test_share", "seed", "epochs")}
