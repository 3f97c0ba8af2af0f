"""Counted injections of faults: how many, and what became of each."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest


class WrongResult(AssertionError):
    """A result that is wrong and was given as if it were right."""


@dataclass
class Injection:
    """One injection, or several that are judged together.

    Attributes
    ----------
    number : int
        How many faults struck; may be set while they are injected.
    """

    number: int = 1


@dataclass
class FaultCount:
    """What became of the injections of one fault.

    Attributes
    ----------
    fault : str
        Name of the fault, F1 to F30.
    injected : int
    survived : int
        Went on to the right result, or were refused in plain words with nothing lost.
    wrong : int
        Gave a wrong result without a word.
    lost : list of float
        Trials that had to be made again, one number for each interruption.
    energies_lost : int
        Finished energies that had to be computed again.
    seconds : float
        Wall time of the injections.
    failures : list of str
        What was wrong with those that did not survive.
    """

    fault: str
    injected: int = 0
    survived: int = 0
    wrong: int = 0
    lost: list[float] = field(default_factory=list)
    energies_lost: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def injection(self, label: object, number: int = 1) -> Iterator[Injection]:
        """Count what happens inside the ``with`` block; whatever it raises is kept for :meth:`check`."""
        one = Injection(number)
        try:
            yield one
        except (Exception, pytest.fail.Exception) as error:
            self.wrong += one.number if isinstance(error, WrongResult) else 0
            self.failures.append(f"{label}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        else:
            self.survived += one.number
        self.injected += one.number  # not if the campaign itself is interrupted

    def add(self, other: FaultCount) -> None:
        """Add further injections of the same fault."""
        assert other.fault == self.fault
        for name in ("injected", "survived", "wrong", "energies_lost", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lost += other.lost
        self.failures += other.failures

    @property
    def clean(self) -> bool:
        """Whether there were injections, all survived, none gave a wrong result and no finished energy was lost."""
        return 0 < self.injected == self.survived and self.wrong == self.energies_lost == 0

    @property
    def lost_trials(self) -> str:
        """Median and largest number of trials made again, for a table."""
        return f"{statistics.median(self.lost):.4g} / {max(self.lost):.4g}" if self.lost else "-"

    def check(self) -> None:
        """Insist on a clean count."""
        assert self.clean, (
            f"{self.fault}: {self.injected} injected, {self.survived} survived, {self.wrong} wrong results, "
            f"{self.energies_lost} energies lost; {'; '.join(self.failures[:5])}"
        )


@dataclass
class Control:
    """The same injections with a guard taken away, to show that the count notices.

    Attributes
    ----------
    guard : str
        What was taken away.
    count : FaultCount
    """

    guard: str
    count: FaultCount


@dataclass
class Tally:
    """All counts of a campaign.

    Attributes
    ----------
    full : bool
        Whether faults are injected in the numbers of a campaign; otherwise a few each, for the test suite.
    counts : dict of str to FaultCount
    controls : list of Control
    """

    full: bool = False
    counts: dict[str, FaultCount] = field(default_factory=dict)
    controls: list[Control] = field(default_factory=list)

    def size(self, few: int, many: int) -> int:
        """Choose how often to inject."""
        return many if self.full else few

    def add(self, count: FaultCount) -> None:
        """Add the injections of one test."""
        self.counts.setdefault(count.fault, FaultCount(count.fault)).add(count)
