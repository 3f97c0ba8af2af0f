"""A calculation that was interrupted and gone on with is the same to the last bit as one that was not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from interrupted_runs import difference, keeper, sample_in_pieces
from thread_ranks import run_on

from wanglandau import run_keeper
from wanglandau.block import PieceLength, end_of_piece
from wanglandau.checkpoint_file import checkpoint_of
from wanglandau.engine import Engine
from wanglandau.errors import OracleError
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.ranks import OneProcess, Ranks
from wanglandau.run_checkpoint import read_kept
from wanglandau.run_state import restore
from wanglandau.sampled_density import SampledDensity
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

BCC = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
TINY = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 1))


def pair(lattice: Lattice = BCC) -> PairOracle:
    return PairOracle(lattice, [-0.002, 0.0003])


class Uncompiled:
    """The same energies, a batch at a time."""

    def __init__(self) -> None:
        self._oracle = pair()
        self.lattice, self.reference_energies = self._oracle.lattice, self._oracle.reference_energies
        self.identity, self.invariant = self._oracle.identity, self._oracle.invariant

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        return self._oracle.energies(occupations)


CASES = {
    "compiled": ({}, pair, 8),
    "windows and teams": ({"windows": 2, "teams": 2, "runs": 2}, pair, 8),
    "crowd": ({"walkers": 80, "max_trials": 800_000}, pair, 8),
    "batched": ({"walkers": 8, "max_trials": 40_000}, Uncompiled, 8),
    "semigrand": ({"ensemble": "semigrand"}, pair, None),
    "zero field, halving": ({"ensemble": "zero-field", "schedule": "halving"}, pair, None),
    "sad": ({"lowest_temperature": 300.0}, pair, 8),
    "no production": ({"production": False, "final_ln_f": 1e-5}, pair, 8),
    "joint": ({"joint": "alpha_1", "estimator": "transitions"}, pair, 8),
}


@pytest.mark.compiled
@pytest.mark.parametrize("case", CASES, ids=str)
def test_interrupted_is_uninterrupted_bit_for_bit(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, oracle, composition = CASES[case]
    settings = WangLandauSettings(**{"runs": 2, "max_trials": 200_000, "precision": 1e-6, "threads": 2} | changed)
    whole = sample_density(oracle(), composition, settings, progress=False)
    rng = np.random.default_rng(7)
    monkeypatch.setattr(PieceLength, "learn", lambda pace, *_: setattr(pace, "rounds", int(rng.integers(1, 600))))
    ends_at = [1, 2, 3, *rng.integers(2, 40, 8).tolist()]
    pieces, interrupted = sample_in_pieces(tmp_path / "run.h5", oracle, composition, settings, ends_at)
    assert interrupted > 5
    assert not difference(whole, pieces)


@pytest.mark.compiled
def test_precision_is_looked_at_when_it_would_have_been(tmp_path: Path) -> None:
    """A calculation that ends early ends at the same trial, however often it was gone on with before."""
    settings = WangLandauSettings(runs=4, max_trials=1_000_000, precision=0.04, threads=2)
    whole = sample_density(pair(), 8, settings, progress=False)
    pieces, interrupted = sample_in_pieces(tmp_path / "run.h5", pair, 8, settings, [8] * 60)
    assert not difference(whole, pieces)
    assert interrupted > 5 and max(whole.diagnostics()["trials"]) < settings.max_trials


class Failing(Uncompiled):
    """Fails once, after so many calls."""

    def __init__(self, good_calls: int) -> None:
        super().__init__()
        self._left = good_calls

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        self._left -= 1
        if self._left == 0:
            raise OracleError("the machine is down")
        return super().energies(occupations)


@pytest.mark.compiled
def test_a_failed_energy_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = WangLandauSettings(runs=2, walkers=8, max_trials=40_000)
    out = tmp_path / "run.h5"
    with pytest.raises(OracleError, match="down"):
        sample_density(Failing(6000), 8, settings, False, keeper=keeper(out))
    assert "to go on: the command" in capsys.readouterr().err
    trials = read_kept(checkpoint_of(out)).progress["trials"]
    assert trials > 20_000 and trials % 8 == 0
    found = sample_density(Uncompiled(), 8, settings, False, keeper=keeper(out))
    assert not difference(sample_density(Uncompiled(), 8, settings, False), found)


@pytest.mark.compiled
def test_several_processes_stop_together_and_any_number_goes_on(tmp_path: Path) -> None:
    settings = WangLandauSettings(runs=2, windows=2, teams=2, max_trials=100_000, threads=1)
    out = tmp_path / "run.h5"

    def ended(ranks: Ranks) -> str:
        kept = keeper(out, 9 if ranks.rank == 1 else 0)  # only one of them is told
        with pytest.raises(KeyboardInterrupt) as failure:
            sample_density(pair(), 8, settings, False, ranks, kept)
        return str(failure.value)

    def whole(ranks: Ranks) -> SampledDensity:
        return sample_density(pair(), 8, settings, False, ranks, keeper(out))

    assert all("checkpoint in" in said for said in run_on(2, ended))
    first = read_kept(checkpoint_of(out)).progress["trials"]
    assert all("checkpoint in" in said for said in run_on(3, ended))
    assert read_kept(checkpoint_of(out)).progress["trials"] > first
    alone = sample_density(pair(), 8, settings, False)
    assert not any(difference(alone, found) for found in run_on(4, whole))


def test_pieces_end_where_a_whole_block_would_turn_or_look() -> None:
    for every, turn in ((320, 7), (1000, 50), (90, 1), (1000, 1000)):
        allowed = {
            min(start + step, start + every, 1000)
            for start in range(0, 1000, every)
            for step in range(0, every + 1, turn)
        }
        allowed |= set(range(0, 1001, every)) | {1000}
        for wanted in (1, 6, 100, 333, 5000):
            done = 0
            while done < 1000:
                end = end_of_piece(done, 1000, every, wanted, turn)
                assert done < end and end in allowed
                done = end


RELEASED = Path(__file__).parent / "references" / "data" / "dos-schema-1.checkpoint"


def test_a_released_checkpoint_is_still_gone_on_from(tmp_path: Path) -> None:
    settings = WangLandauSettings(runs=2, max_trials=60_000, bins=5)
    out = tmp_path / "run.h5"
    shutil.copy(RELEASED, checkpoint_of(out))
    kept = read_kept(checkpoint_of(out))
    assert (kept.header["schema"], kept.header["kind"], kept.header["finished"]) == (1, "dos", False)
    calculation = restore(kept.state, Engine.fastest(pair(TINY)), settings, OneProcess())
    assert sum(walk.trials for walk in calculation.walks) == kept.progress["trials"] > 10_000
    found = sample_density(pair(TINY), 4, settings, False, keeper=keeper(out))
    assert not difference(sample_density(pair(TINY), 4, settings, False).walks["trials"], found.walks["trials"])


def test_one_checkpoint_that_was_held_up_does_not_put_off_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keeper(tmp_path / "run.h5", interval=1.0)
    monkeypatch.setattr(kept, "_write", lambda calculation: True)
    monkeypatch.setattr(run_keeper.time, "monotonic", lambda: 0.0)
    put_off = []
    for seconds in (0.002, 0.4, 0.2, 0.1):
        kept.interruption.checkpoint_time = seconds
        kept._pause(None, False)  # type: ignore[arg-type]
        put_off.append(kept._due)
    assert put_off == pytest.approx([1.0, 1.0, 1.0, 2.0])  # 20 times the shortest of three, the interval at least
