"""F22: files that would run a program when they are read by the wrong means. Fuzzed files are tested elsewhere."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
import torch
from fault_counts import FaultCount, Tally, WrongResult
from standin_campaign import CELL

from lsms_bridge.result_log import LOG_NAME, read_records
from surrogate.dataset import load_dataset
from wanglandau.checkpoint_file import read_checkpoint
from wanglandau.errors import InputError
from wanglandau.oracle_registry import load_oracle
from wanglandau.run_file import read_result
from wanglandau.state_tree import unpack
from wanglandau.systems import load_system

ROOT = Path(__file__).parents[2]
SYSTEM = load_system("cuau")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path, how: int) -> None:
        self._mark, self._how = mark, how

    def __reduce__(self) -> tuple[Any, ...]:
        word = str(self._mark)
        return [
            (os.system, (f"touch {word}",)),
            (eval, (f"open({word!r}, 'w').close()",)),
            (exec, (f"__import__('pathlib').Path({word!r}).touch()",)),
            (Path.touch, (self._mark,)),
        ][self._how]


def malicious(mark: Path, n_ways: int) -> dict[str, bytes]:
    """Make files in all formats in which models are passed around, with a program inside, called in up to 4 ways."""
    found: dict[str, bytes] = {}
    for how in range(n_ways):
        trap = Trap(mark, how)
        found |= {f"pickle {how}.{protocol}": pickle.dumps(trap, protocol) for protocol in range(6)}
        for name, old in (("torch", False), ("torch of old", True)):
            file = io.BytesIO()
            torch.save({"state_dict": trap}, file, _use_new_zipfile_serialization=not old)
            found[f"{name} {how}"] = file.getvalue()
        file = io.BytesIO()
        np.save(file, np.array([trap], dtype=object), allow_pickle=True)
        found[f"npy {how}"] = file.getvalue()
        file = io.BytesIO()
        np.savez(file, weights=np.array([trap], dtype=object))
        found[f"npz {how}"] = file.getvalue()
        found[f"hdf5 {how}"] = _hdf5(pickle.dumps(trap))
        found[f"safetensors {how}"] = safetensors.numpy.save(
            {"weights": np.frombuffer(pickle.dumps(trap), dtype=np.uint8)}, {"card": pickle.dumps(trap, 0).decode()}
        )
    found["zip that leads out"] = _zip({"../../owned": b"x", str(mark): b"x"})
    found["python"] = f"open({str(mark)!r}, 'w').close()\n".encode()
    found["yaml"] = f"!!python/object/apply:os.system ['touch {mark}']\n".encode()
    found["xgboost with a program"] = json.dumps({"__reduce__": ["os.system", f"touch {mark}"]}).encode()
    found["shell"] = f"#!/bin/sh\ntouch {mark}\n".encode()
    return found


def _hdf5(content: bytes) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made["model_config"] = np.void(content)
        made.attrs["pickle"] = np.void(content)
    return file.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def _read_log(path: Path) -> object:
    (path.parent / "log").mkdir(exist_ok=True)
    (path.parent / "log" / LOG_NAME).write_bytes(path.read_bytes())
    return read_records(path.parent / "log", CELL, {})


READERS: dict[str, Callable[[Path], object]] = {
    "surrogate": lambda path: load_oracle(f"surrogate:{path}", SYSTEM),
    "xgboost": lambda path: load_oracle(f"xgboost:{path}", SYSTEM),
    "pair": lambda path: load_oracle(f"pair:{path}", SYSTEM),
    "ase": lambda path: load_oracle(f"ase:{path}.toml", SYSTEM),
    "lsms": lambda path: load_oracle(f"lsms:{path}", SYSTEM),
    "system": lambda path: load_system(f"{path}.toml"),
    "data set": load_dataset,
    "result": read_result,
    "checkpoint": read_checkpoint,
    "state": lambda path: unpack(path.read_bytes(), []),
    "log of energies": _read_log,
}


def read_malicious_files(
    count: FaultCount, folder: Path, readers: dict[str, Callable[[Path], object]], n_ways: int
) -> None:
    mark, path = folder / "executed", folder / "file"
    for kind, content in malicious(mark, n_ways).items():
        for name in (path, path.with_name("file.toml")):
            name.write_bytes(content)
        for reader, read in readers.items():
            with count.injection(f"{kind} given to {reader}"):
                refused = False
                try:
                    read(path)
                except InputError as error:
                    refused = "\n" not in str(error)
                executed = mark.exists() or (folder.parent / "owned").exists()
                mark.unlink(missing_ok=True)
                if executed:
                    raise WrongResult("a program was executed")
                assert refused, "it was not refused in one line"


def test_malicious_files(counted: Callable, tally: Tally, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    with counted("F22") as count:
        read_malicious_files(count, folder, READERS, tally.size(1, 4))


def test_a_reader_that_unpickles_would_be_noticed(broken: Callable, tmp_path: Path) -> None:
    def careless(path: Path) -> object:
        """What many programs do."""
        try:
            return pickle.loads(path.read_bytes())
        except Exception as error:
            raise InputError(f"{path} cannot be read") from error

    with broken("F22", "formats that hold no programs, pickle instead") as count:
        read_malicious_files(count, tmp_path, {"careless": careless}, 1)
        assert count.wrong


FORBIDDEN = {
    "pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "torch.load", "np.load", "numpy.load",
    "eval", "exec", "os.system", "os.popen", "yaml.load", "os.fork", "multiprocessing",
}  # fmt: skip


@pytest.mark.parametrize("package", ["wanglandau", "surrogate", "lsms_bridge"])
def test_packages_call_nothing_that_executes_data(package: str) -> None:
    """Neither pickle nor torch.load nor a shell, nor forks after threads and accelerators have been started."""
    met = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                met |= {(file.name, alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                met.add((file.name, node.module or ""))
            elif isinstance(node, ast.Call):
                met.add((file.name, ast.unparse(node.func)))
                met |= {(file.name, "shell=True") for word in node.keywords if word.arg == "shell"}
    assert not {(file, name) for file, name in met if name in FORBIDDEN or name == "shell=True"}
