"""A calculation that was interrupted and gone on with is the same to the last bit as one that was not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interrupted_runs import difference, sample_in_pieces

from wanglandau.block import Pace
from wanglandau.lattice import Lattice
from wanglandau.pair_model import PairOracle
from wanglandau.sampling import sample_density
from wanglandau.settings import WangLandauSettings

BCC = Lattice.cubic("bcc", ("Fe", "Pt"), 5.4, (2, 2, 2))
FCC = Lattice.cubic("fcc", ("Cu", "Au"), 7.3132, (2, 2, 2))


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
    "crowd": ({"walkers": 40, "max_trials": 800_000}, pair, 8),
    "batched": ({"walkers": 8, "max_trials": 40_000}, Uncompiled, 8),
    "semigrand": ({"ensemble": "semigrand"}, pair, None),
    "zero field, halving": ({"ensemble": "zero-field", "schedule": "halving"}, pair, None),
    "sad": ({"lowest_temperature": 300.0}, pair, 8),
    "no production": ({"production": False, "final_ln_f": 1e-5}, pair, 8),
    "joint": ({"joint": "alpha_1", "estimator": "transitions"}, pair, 8),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_interrupted_is_uninterrupted_bit_for_bit(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, oracle, composition = CASES[case]
    settings = WangLandauSettings(**{"runs": 2, "max_trials": 200_000, "precision": 1e-6, "threads": 2} | changed)
    whole = sample_density(oracle(), composition, settings, progress=False)
    rng = np.random.default_rng(7)
    monkeypatch.setattr(Pace, "learn", lambda pace, *_: setattr(pace, "rounds", int(rng.integers(1, 600))))
    ends_at = [1, 2, 3, *rng.integers(2, 40, 8).tolist()]
    pieces, interrupted = sample_in_pieces(tmp_path / "run.h5", oracle, composition, settings, ends_at)
    assert interrupted > 5
    assert not difference(whole, pieces)
