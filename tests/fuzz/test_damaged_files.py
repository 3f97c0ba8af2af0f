"""Result files, data sets, caches and artefacts with damage: every flipped bit is found."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_bytes import damaged, flipped, spoiled
from hypothesis import given
from hypothesis import strategies as st
from sealed_files import ARTEFACT, HDF5, Kind, same
from trial import LONG, TALLY, attempt, check, inputs

import surrogate
from wanglandau.seal import is_sealed_file

KINDS = [*HDF5, ARTEFACT]
EMPTY: dict[str, Any] = {}


class Whole:
    """A file as it was written, and what is read of it."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        folder.mkdir()
        self.kind, self.path = kind, folder / "file"
        kind.write(self.path)
        self.content = self.path.read_bytes()
        self.found = kind.read(self.path)

    def try_with(self, label: str, content: bytes) -> None:
        """Read other content; it must be refused or be read as what was written."""
        self.path.write_bytes(content)
        found = attempt(label, lambda: self.kind.read(self.path))
        if found is None and self.kind.name == "orbit cache":
            TALLY[label].update(refused=1, accepted=-1)  # it counts as not being there
        elif found is not None:
            check(label, same(found, self.found) or (self.kind.name == "predictions" and found == {}))


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> list[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    return [Whole(kind, folder / str(number)) for number, kind in enumerate(KINDS)]


def test_all_shipped_models_and_data_have_a_seal() -> None:
    folder = Path(surrogate.__file__).parent
    shipped = [*folder.glob("artefacts/*.safetensors"), *folder.glob("data/*.h5")]
    assert shipped and all(is_sealed_file(file) for file in shipped)


@inputs(60, 3000)
@given(data=st.data(), number=st.integers(0, len(KINDS) - 1))
def test_damage(wholes: list[Whole], data: st.DataObject, number: int) -> None:
    whole = wholes[number]
    content = data.draw(damaged(whole.content))
    whole.try_with(f"{whole.kind.name}, damaged", content)


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.name for kind in KINDS])
def test_every_flipped_bit_and_cut_is_found(wholes: list[Whole], number: int) -> None:
    """One bit in each of many equal pieces of the file, and cuts there."""
    whole, rng = wholes[number], np.random.default_rng(number)
    n = 1000 if LONG else 15
    size = len(whole.content)
    edges = np.linspace(0, size, n + 1).astype(int)
    label = f"{whole.kind.name}, one bit"
    for low, high in pairwise(edges.tolist()):
        place = int(rng.integers(low, max(high, low + 1)))
        whole.try_with(label, flipped(whole.content, 8 * min(place, size - 1) + int(rng.integers(8))))
    assert TALLY[label]["accepted"] == 0, "a flipped bit was not found"
    label = f"{whole.kind.name}, cut"
    for low in edges[:-1]:
        whole.try_with(label, whole.content[:low])
    assert TALLY[label]["accepted"] == 0, "a cut was not found"
    for _ in range(2 * n):
        content = spoiled(whole.content, rng)
        if content != whole.content:
            whole.try_with(f"{whole.kind.name}, damaged", content)
