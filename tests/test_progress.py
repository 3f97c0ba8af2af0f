"""What is shown while work goes on: words before there is a bar, and how far a sampled ln g is from what is wanted."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from wanglandau.progress import clear, show, stage, tell
from wanglandau.sampling_progress import ABOUT, AT_MOST, SamplingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def walk(producing: bool) -> Any:
    bins = np.zeros(4, dtype=[("histogram", "i8"), ("seen", "i8")])
    bins["histogram"], bins["seen"] = [30, 10, 20, 0], [1, 1, 1, 0]
    weights = SimpleNamespace(bins=bins, control=np.array([(3, 50_000)], dtype=[("bins_seen", "i8"), ("trials", "i8")]))
    records = np.array([(8,), (9,)], dtype=[("half_trips", "i8")])
    return SimpleNamespace(producing=producing, ln_f=1e-3, weights=weights, walkers=SimpleNamespace(records=records))


def calculation(*producing: bool, error: float = float("inf")) -> Any:
    walks = [walk(each) for each in producing]
    return SimpleNamespace(walks=walks, settings=SimpleNamespace(precision=0.01), n_walkers=2, error=error)


def test_words_appear_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, silent in ((Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        show("loading")
        with stage("searching"), stage("nothing", progress=False):
            pass
        clear()
        tell("cell 1")
        text = stream.getvalue()
        assert (text == "") == silent
        assert silent or ("searching ..." in text and "nothing" not in text and text.endswith("cell 1\n"))


def test_at_first_the_budget_bounds_the_time_and_then_the_error_tells_it() -> None:
    with tqdm(total=1_000_000, file=Terminal(), bar_format=AT_MOST) as bar:
        progress = SamplingProgress(bar)
        bar.update(100_000)
        progress.update(calculation(False, True))
        assert (bar.total, bar.bar_format) == (1_000_000, AT_MOST)
        assert "1/2 with fixed weights, ln f 1.0e-03, flatness 0.50, 3 bins, 4 round trips" in bar.postfix
        bar.update(100_000)
        both = calculation(True, True, error=0.02)
        progress.look(both)  # twice what is wanted: three times as many trials are left
        assert (bar.total, bar.bar_format) == (500_000, ABOUT)
        assert "error of ln g 0.02 (wanted 0.01)" in progress.describe(both)
        progress.look(calculation(True, True, error=0.1))
        assert bar.total == 1_000_000  # never more than the budget
        progress.update(calculation(False, False))  # a new bin: production begins anew
        assert progress.error is None and bar.bar_format == AT_MOST
        progress.end()
        assert bar.total == bar.n


def test_an_error_that_is_not_known_changes_nothing() -> None:
    with tqdm(total=100, file=Terminal(), bar_format=AT_MOST) as bar:
        progress = SamplingProgress(bar)
        progress.look(calculation(True))
        assert bar.total == 100 and "4 of 10 round trips" in progress.describe(calculation(True))
