"""This version of the bridge refuses to run LSMS and says what to use instead."""

from __future__ import annotations

import json

import pytest

from lsms_bridge import cli
from wanglandau.errors import InputError
from wanglandau.oracle_registry import load_oracle
from wanglandau.systems import System


@pytest.mark.parametrize("specification", ["lsms", "lsms:cluster.toml"])
def test_oracle_says_what_it_needs(cuau: System, specification: str) -> None:
    with pytest.raises(InputError, match=r"CONFIG\.toml.*does not run LSMS yet; use --oracle surrogate") as refusal:
        load_oracle(specification, cuau)
    assert repr(specification) in str(refusal.value)


@pytest.mark.parametrize("command", ["deck", "run", "campaign", "collect"])
def test_commands_end_as_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setattr("sys.argv", ["lsms-bridge", command, "--json"])
    assert cli.main() == 2
    printed = capsys.readouterr()
    assert f"{command} is not available" in json.loads(printed.out)["error"]
    assert printed.err.startswith(f"lsms-bridge {command}: error: ")
