"""Calculations that are interrupted here and there, kept and gone on with, to be compared with those that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from wanglandau.checkpoint_file import checkpoint_of
from wanglandau.interruption import Interruption
from wanglandau.oracle import EnergyOracle
from wanglandau.ranks import OneProcess, Ranks
from wanglandau.run_keeper import RunKeeper
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings


class CountedKeeper(RunKeeper):
    """Asks for an end at the so many-th question whether there is one."""

    questions = 0
    ends_at = 0

    def pausing(self) -> bool:
        self.questions += 1
        if self.questions >= self.ends_at > 0:
            self.interruption.ask("a test")
        return super().pausing()


def keeper(out: Path, ends_at: int = 0, **settings: Any) -> CountedKeeper:
    """Make a keeper that goes on with whatever is there."""
    chosen = {"interval": 1e6, "resume": True} | settings
    made = CountedKeeper(checkpoint_of(out), ("system", "oracle"), "the command", Interruption(), **chosen)
    made.ends_at = ends_at
    return made


def sample_in_pieces(
    out: Path,
    make_oracle: Callable[[], EnergyOracle],
    composition: int | None,
    settings: WangLandauSettings,
    ends_at: Iterable[int],
    ranks: Ranks | None = None,
) -> tuple[SampledDensity, int]:
    """Interrupt a calculation at the questions of these numbers, counted anew each time, and go on each time.

    Returns the result and how many interruptions there were.
    """
    interrupted = 0
    for number in ends_at:
        kept = keeper(out, number)
        try:
            found = sample_density(make_oracle(), composition, settings, False, ranks or OneProcess(), kept)
        except KeyboardInterrupt as error:
            assert "the command" in str(error)
            interrupted += 1
        else:
            return found, interrupted
    found = sample_density(make_oracle(), composition, settings, False, ranks or OneProcess(), keeper(out))
    return found, interrupted


def difference(first: Any, second: Any, where: str = "") -> str:
    """Name the first place where two results differ; empty if they are the same to the last bit."""
    if isinstance(first, np.ndarray):
        same = first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
        return "" if same else where
    if hasattr(first, "__dataclass_fields__"):
        first, second = vars(first), vars(second)
    if isinstance(first, dict):
        if list(first) != list(second):
            return f"{where} keys"
        parts = [(first[key], second[key], f"{where}.{key}") for key in first]
    elif isinstance(first, list | tuple):
        if len(first) != len(second):
            return f"{where} length"
        parts = [(a, b, f"{where}[{number}]") for number, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return "" if repr(first) == repr(second) else where
    return next((found for part in parts if (found := difference(*part))), "")
