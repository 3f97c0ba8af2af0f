"""Artefacts and boosted trees: cards of hostile values, arrays that do not fit, pickles under every name."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hostile_values import documents, values
from hypothesis import given
from hypothesis import strategies as st
from sealed_files import CELL, card
from trial import LONG, SECONDS, TALLY, attempt, check, inputs

from surrogate.ensemble_artefact import load_model
from surrogate.oracle import make_oracle
from surrogate.settings import DenseSettings
from wanglandau.errors import InputError
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System

CARD = dataclasses.asdict(card())
ARRAYS = {
    "first.weight": np.ones((3, 4), np.float32),
    "first.bias": np.zeros(3, np.float32),
    "second.weight": np.ones((3, 3), np.float32),
    "second.bias": np.zeros(3, np.float32),
    "head.energy.weight": np.ones((1, 3), np.float32),
    "head.energy.bias": np.zeros(1, np.float32),
    "energy_shift": np.array(0.0),
    "energy_scale": np.array(1.0),
}
KINDS = ["<f4", "<f8", "<i8", "|u1", "<f2", "|b1"]


class Bad:
    """A pickle that leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def use(path: Path) -> Any:
    """Load a model, make the oracle of it and ask it for energies."""
    oracle = make_oracle(load_model(path), CELL)
    return oracle.energies(np.array([[0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.int8))


@inputs(50, 2200)
@given(found=documents(CARD) | values)
def test_card_of_hostile_values(folder: Path, found: Any) -> None:
    path = folder / "card.safetensors"
    path.write_bytes(safetensors.numpy.save(ARRAYS, {"card": json.dumps(found)}))
    energies = attempt("artefact, card", lambda: use(path))
    if energies is not None:
        check("artefact, card", bool(np.isfinite(energies).all()))


@inputs(50, 2200)
@given(data=st.data())
def test_arrays_that_do_not_fit(folder: Path, data: st.DataObject) -> None:
    path, arrays = folder / "arrays.safetensors", dict(ARRAYS)
    for _ in range(data.draw(st.integers(1, 2))):
        name = data.draw(st.sampled_from(sorted(ARRAYS)))
        kind = np.dtype(data.draw(st.sampled_from(KINDS)))
        shape = data.draw(st.sampled_from([ARRAYS[name].shape, (), (0,), (1,), (3,), (4, 3), (3, 0), (2, 2, 2)]))
        fill = data.draw(st.sampled_from([0.0, 1.0, -1e38, 1e30, np.inf, np.nan]))
        with np.errstate(invalid="ignore", over="ignore"):
            arrays[name] = np.full(shape, fill).astype(kind)
        if data.draw(st.integers(0, 4)) == 0:
            del arrays[name]
    path.write_bytes(safetensors.numpy.save(arrays, {"card": json.dumps(CARD)}))
    energies = attempt("artefact, arrays", lambda: use(path))
    if energies is not None:
        check("artefact, arrays", bool(np.isfinite(energies).all()))


HEADERS: list[bytes] = [
    b'{"a":{"dtype":"F64","shape":[1000000000000000],"data_offsets":[0,8000000000000000]}}',
    b'{"a":{"dtype":"F64","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,8]}}',
    b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}',
    b'{"a":{"dtype":"F64","shape":[-1],"data_offsets":[0,-8]}}',
    b"[" * 100_000,
    b"{}",
    b"\xff" * 100,
]


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_headers(tmp_path: Path, number: int) -> None:
    header = HEADERS[number]
    text = header.replace(b'{"a"', b'{"__metadata__":{"card":' + json.dumps(json.dumps(CARD)).encode() + b'},"a"', 1)
    for one in (header, text):
        (tmp_path / "m.safetensors").write_bytes(len(one).to_bytes(8, "little") + one + bytes(8))
        assert attempt("artefact, header", lambda: use(tmp_path / "m.safetensors")) is None


@pytest.mark.parametrize("name", ["m.safetensors", "m.ubj", "m.json", "m.pt", "m.h5", "m.toml"])
def test_a_pickle_is_never_loaded(tmp_path: Path, name: str) -> None:
    path, mark = tmp_path / name, tmp_path / "mark"
    system = System("own", CELL, 2)
    for protocol in (0, 2, 5):
        path.write_bytes(pickle.dumps(Bad(mark), protocol))
        for kind in ("surrogate", "xgboost", "pair", "ase"):
            with pytest.raises(InputError):
                load_oracle(f"{kind}:{path}", system)
    assert not mark.exists()


def test_a_calculator_file_starts_no_program(tmp_path: Path) -> None:
    text = f'calculator = "os:mkdir"\n[parameters]\npath = "{tmp_path}/mark"'
    for calculator in (text, text.replace("os:mkdir", "subprocess:Popen").replace("path", "args")):
        (tmp_path / "c.toml").write_text(calculator)
        with pytest.raises(InputError, match="no class of a calculator"):
            load_oracle(f"ase:{tmp_path}/c.toml", System("own", CELL, 2))
    assert not (tmp_path / "mark").exists()


def test_no_settings_allocate_without_bound() -> None:
    with pytest.raises(InputError):
        DenseSettings(width=10**9)


TREES = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {tests!r}]
import numpy as np
from damaged_bytes import flipped
from sealed_files import CELL, data_set
from trial import TALLY, attempt, check
from surrogate import xgboost_oracle
from wanglandau.seal import _WORDS
xgboost_oracle.N_TREES = 3
rows = np.array([[0, 1, 0, 1], [0, 0, 0, 0]], dtype=np.int8)
folder, n = Path(sys.argv[1]), int(sys.argv[2])
made = xgboost_oracle.fit_xgboost(data_set())
for suffix in ("ubj", "json"):
    path = folder / f"m.{{suffix}}"
    made.save(path)
    whole = path.read_bytes()
    right = xgboost_oracle.load_xgboost(path, CELL)
    assert right.identity == made.identity
    for number in range(n):
        rng = np.random.default_rng(number)
        content = flipped(whole, int(rng.integers(8 * len(whole))))
        if number % 3 == 1:
            content = whole[: int(rng.integers(len(whole)))]
        label = "boosted trees, one bit" if number % 3 != 1 else "boosted trees, cut"
        path.write_bytes(content)
        found = attempt(label, lambda: xgboost_oracle.load_xgboost(path, CELL).energies(rows))
        assert found is None, (suffix, number)
print("tally", {{name: dict(counts) for name, counts in TALLY.items()}})
"""


def test_damaged_trees(tmp_path: Path) -> None:
    here = Path(__file__).parent
    script, n = TREES.format(here=str(here), tests=str(here.parent)), 1500 if LONG else 30
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(n)], capture_output=True, text=True, timeout=SECONDS * 30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stdout[-500:], done.stderr[-2000:])
    for name, counts in eval(done.stdout.splitlines()[-1].removeprefix("tally ")).items():
        TALLY[name].update(counts)
