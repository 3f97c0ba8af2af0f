"""F25: absurd settings, duplicate keys, headers that claim to be gigantic. Fuzzed input is tested elsewhere."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_counts import FaultCount, Tally, WrongResult

from lsms_bridge.configuration import Effort, load_configuration, load_preset, make_parameters
from lsms_bridge.launcher import Launcher
from surrogate.artefact import load_artefact
from surrogate.settings import TrainingSettings
from wanglandau.checkpoint_file import MAGIC, read_checkpoint
from wanglandau.cli import main
from wanglandau.errors import InputError
from wanglandau.metropolis_settings import MetropolisSettings
from wanglandau.oracle_registry import load_oracle
from wanglandau.settings import WangLandauSettings
from wanglandau.systems import load_system

ABSURD: tuple[Any, ...] = (float("nan"), float("inf"), -float("inf"), -1, -1e308, 1e308, 10**30, -(10**30))
MEMORY = 2**26
"""Bytes in which everything has to be refused."""


def numeric_fields(kind: type) -> list[str]:
    """Name the settings that are numbers."""
    return [item.name for item in dataclasses.fields(kind) if {"int", "float"} & set(str(item.type).split(" | "))]


def settings_are_refused(count: FaultCount, kind: type, needed: Mapping[str, Any]) -> None:
    """Give every number of a dataclass of settings each of the absurd values."""
    for name in numeric_fields(kind):
        for value in ABSURD:
            with count.injection(f"{kind.__name__}.{name} = {value}"):
                try:
                    kind(**{**needed, name: value})
                except InputError as error:
                    assert name in str(error) or str(value) in str(error), str(error)
                else:
                    raise WrongResult("taken")


SYSTEM = {"species": '["Cu", "Au"]', "structure": '"fcc"', "lattice_constant": "3.87", "repeat": "[1, 1, 1]"}
FILES: dict[str, tuple[dict[str, str], Callable[[Path], object], list[str]]] = {
    "system.toml": (SYSTEM, lambda path: load_system(str(path)), ["lattice_constant", "composition", "repeat"]),
    "pair.toml": (
        {"unlike_bond_energies": "[-50.0]", "units": '"meV"'},
        lambda path: load_oracle(f"pair:{path}", load_system("cuau", (1, 1, 1))),
        ["unlike_bond_energies", "reference_energies"],
    ),
    "lsms.toml": (
        {"workers": "2", "launcher": '{executable = "true"}'},
        lambda path: load_configuration(path, "cuau"),
        ["workers", "launcher", "effort"],
    ),
}
IN_TOML = ("nan", "inf", "-inf", "-1", "1e308", "true", '"text"', "[]", "{}", "[[1]]", "[nan, nan]", "[1e400]")


def files_are_refused(count: FaultCount, folder: Path) -> None:
    """Write files with absurd values, with duplicate, unknown and missing keys, and with bytes that are no text."""
    for name, (good, read, keys) in FILES.items():
        path = folder / name

        def refused(label: str, text: str | bytes, path: Path = path, read: Callable[[Path], object] = read) -> None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            with count.injection(f"{path.name}: {label}"):
                try:
                    read(path)
                except InputError as error:
                    assert "\n" not in str(error)
                else:
                    raise WrongResult("taken")

        lines = [f"{key} = {value}\n" for key, value in good.items()]
        path.write_text("".join(lines))
        read(path)
        for key in keys:
            for value in IN_TOML:
                if (key, value) not in ALLOWED:
                    refused(f"{key} = {value}", "".join(f"{k} = {v}\n" for k, v in (good | {key: value}).items()))
        for key in good:
            refused(f"{key} twice", "".join(lines) + f"{key} = {good[key]}\n")
        refused("unknown key", "".join(lines) + "surprise = 1\n")
        refused("unknown table", "".join(lines) + "[surprise]\na = 1\n")
        for bad in (b"\xff\xfe", b"\0", b"a = ", b"= 1", b"[a", b'"""', b"a" * 10_000, b"x.x=1\nx=2"):
            refused(repr(bad[:10]), "".join(lines).encode() + bad)


ALLOWED = {("effort", "{}"), ("launcher", '{executable = "true"}')}


def headers_are_refused(count: FaultCount, folder: Path) -> None:
    """Write files that claim to go on for gigabytes; they are refused without that memory."""
    path = folder / "file"
    sizes = [2**20, 2**28, 2**30, 2**31 - 1, 2**40, 2**63 - 1, 2**64 - 1]
    for size in sizes:
        for reader, content in (
            (load_artefact, size.to_bytes(8, "little") + b'{"a": 1}'),
            (read_checkpoint, MAGIC + (1).to_bytes(8, "little") + size.to_bytes(8, "little") + b"x" * 64),
        ):
            path.write_bytes(content)
            with count.injection(f"{reader.__name__}, {size} bytes"):
                tracemalloc.start()
                try:
                    with pytest.raises(InputError):
                        reader(path)  # type: ignore[operator]
                    peak = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                assert peak < MEMORY, f"{peak} bytes were taken"


def options_are_refused(count: FaultCount, capsys: pytest.CaptureFixture, words: list[str]) -> None:
    """Give options absurd values on the command line."""
    for option in words:
        for value in ("nan", "-1", "1e999", "9" * 30, "", "one", "--", "1;2"):
            with count.injection(f"{option}={value}"):
                code = main(["dos", "cuau", "--repeat", "1", "1", "1", "--max-trials", "1", f"{option}={value}"])
                said = capsys.readouterr()
                assert code == 2 and said.out == "" and "Traceback" not in said.err and said.err.count("\n") == 1, said


def test_absurd_settings(
    counted: Callable, tally: Tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--walkers", "--max-trials", "--seed", "--precision", "--bins", "--windows", "--runs", "--flatness"]
    with counted("F25") as count:
        settings_are_refused(count, WangLandauSettings, {})
        settings_are_refused(count, MetropolisSettings, {})
        settings_are_refused(count, TrainingSettings, {})
        settings_are_refused(count, Launcher, {"executable": "true"})
        settings_are_refused(count, Effort, {})
        files_are_refused(count, tmp_path)
        headers_are_refused(count, tmp_path)
        options_are_refused(count, capsys, options if tally.full else options[:1])
        preset = load_preset("cuau")
        for key in [key for key, value in preset.items() if isinstance(value, int | float)]:
            for value in ABSURD[:3]:
                with count.injection(f"{key} = {value}"), pytest.raises(InputError, match=key):
                    make_parameters(preset | {key: value})


def test_settings_without_limits_would_be_noticed(broken: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    with broken("F25", "limits of settings") as count:
        monkeypatch.setattr(WangLandauSettings, "__post_init__", lambda self: None)
        settings_are_refused(count, WangLandauSettings, {})
        assert count.wrong > 100


def test_numbers_are_found() -> None:
    assert {"walkers", "precision", "seed", "bin_width"} <= set(numeric_fields(WangLandauSettings))
    assert np.isfinite(MEMORY)
