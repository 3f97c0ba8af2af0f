"""Command lines and configuration files of the three programs."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_values import TEXTS, values
from hypothesis import given
from hypothesis import strategies as st
from sealed_files import HDF5
from toml_text import BOMBS, as_document
from trial import attempt, check, inputs

from lsms_bridge import cli as bridge
from surrogate import cli as surrogate
from wanglandau import cli as wanglandau
from wanglandau.command_line import Report, run_program
from wanglandau.command_options import find_options

PAIR = 'unlike_bond_energies = [-50.0]\nunits = "meV"\n'
SYSTEM = 'species = ["Cu", "Au"]\nstructure = "fcc"\nlattice_constant = 3.87\n'
NUMBERS = [
    "0",
    "-1",
    "1",
    "2",
    "1e308",
    "nan",
    "inf",
    "-inf",
    "1e-3",
    "9" * 30,
    "0x10",
    "1_0",
    "١",
    "1,2",
    "1:2",
    "300:600:100",
]
MORE = [["--json"], ["--help"], ["--config"], ["--config", "no.toml"], ["--config=/dev/zero"]]
SPAN = ["0:1e9:1e-9", "1:2:0", "5:1:1", "1:2:-1", "nan:1:1", "1:inf:1", "::", "1e300:1e301:1e300", "300", "0:0:0"]


def commands(module: Any) -> dict[str, Callable[..., Report]]:
    """Find the commands of a program."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_program", lambda program, text, commands, *rest, **more: found.update(commands) or 0)
        module.main([])
    return found


PROGRAMS = {
    name: commands(module)
    for name, module in (("wanglandau", wanglandau), ("surrogate", surrogate), ("lsms-bridge", bridge))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("commands")
    (made / "own.toml").write_text(SYSTEM)
    (made / "pair.toml").write_text(PAIR)
    exact = next(kind for kind in HDF5 if kind.name == "exact")
    exact.write(made / "exact.h5")
    return made


def respond(program: str, found: dict[str, Callable[..., Report]], words: list[str]) -> tuple[int, str, str]:
    """Run a program as the console does; return exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_program(program, "a program", found, words)
    return code, out.getvalue(), err.getvalue()


def judge(kind: str, said: tuple[int, str, str] | None, words: list[str]) -> None:
    """Accept 0, 2, 3 and 4 only; what is refused is told in one line."""
    assert said is not None
    code, out, err = said
    check(kind, code in (0, 2, 3, 4))
    if code in (2, 4):
        errors = [line for line in err.splitlines() if ": error: " in line]
        check(kind, len(errors) == 1 and (not out or "error" in json.loads(out)))


@st.composite
def command_lines(draw: st.DrawFn, found: dict[str, Callable[..., Report]]) -> list[str]:
    """Make words: a command or none, options with hostile values, things that are no options."""
    name = draw(st.sampled_from([*found, "", "-", "nothing"]))
    options = find_options(found[name]) if name in found else []
    text = st.sampled_from(TEXTS + NUMBERS + SPAN) | st.text(st.characters(exclude_characters="\0"), max_size=8)
    words = [name]
    for option in options:
        if option.positional and draw(st.integers(0, 4)):
            words.append(draw(st.sampled_from(["cuau", "own.toml", "exact.h5"]) | text))
    for _ in range(draw(st.integers(0, 3))):
        flag = "--" + draw(st.sampled_from(options)).name.replace("_", "-") if options else "--x"
        flag = draw(st.sampled_from([flag, flag, flag, flag + ".x", flag[:-1], "--no-" + flag[2:], "-" + flag[2:3]]))
        value = draw(text)
        words += [f"{flag}={value}"] if draw(st.booleans()) else [flag, *draw(st.lists(text, max_size=3))]
    if draw(st.integers(0, 5)) == 0:
        words += draw(
            st.sampled_from([["--json"], ["--help"], ["--config"], ["--config", "no.toml"], ["--config=/dev/zero"]])
        )
    return [word.replace("\0", "?") for word in words]


def stubbed(found: dict[str, Callable[..., Report]], calls: list[dict[str, Any]]) -> dict[str, Callable[..., Report]]:
    """Keep the options of commands but not their work."""

    def stub(command: Callable[..., Report]) -> Callable[..., Report]:
        @functools.wraps(command)
        def made(*positional: Any, **keywords: Any) -> Report:
            calls.append(keywords)
            return Report("done")

        return made

    return {name: stub(command) for name, command in found.items()}


@pytest.mark.parametrize("program", PROGRAMS)
@inputs(25, 700)
@given(data=st.data())
def test_command_line(folder: Path, program: str, data: st.DataObject) -> None:
    found = stubbed(PROGRAMS[program], [])
    words = data.draw(command_lines(found))
    kind = f"command line, {program}"
    judge(kind, attempt(kind, lambda: respond(program, found, words)), words)


@pytest.mark.parametrize("program", PROGRAMS)
@inputs(25, 700)
@given(data=st.data())
def test_configuration_file(folder: Path, program: str, data: st.DataObject) -> None:
    calls: list[dict[str, Any]] = []
    found = stubbed(PROGRAMS[program], calls)
    name = data.draw(st.sampled_from(sorted(found)))
    options = find_options(found[name])
    keys = st.sampled_from(
        [option.name for option in options] + ["config", "json", "help", "x", "__class__", "class_path"]
    )
    document = data.draw(st.dictionaries(keys, values, max_size=3))
    content = (
        BOMBS[data.draw(st.integers(0, len(BOMBS) - 1))].encode()
        if data.draw(st.integers(0, 9)) == 0
        else as_document(document)
    )
    (folder / "config.toml").write_bytes(content)
    words = [name, *["x" for option in options if option.positional], "--config", str(folder / "config.toml")]
    kind = f"configuration, {program}"
    said = attempt(kind, lambda: respond(program, found, words))
    judge(kind, said, words)
    for keywords in calls:
        for key in set(document) & set(keywords):
            if isinstance(document[key], int | bool | str) and keywords[key] is not None:
                check(kind, str(keywords[key]) == str(document[key]) or float(keywords[key]) == float(document[key]))


@inputs(20, 600)
@given(data=st.data())
def test_whole_commands(folder: Path, data: st.DataObject) -> None:
    """Small ones that do all their work."""
    text = st.sampled_from(TEXTS + NUMBERS + SPAN)
    with contextlib.chdir(folder):
        words = data.draw(
            st.sampled_from([
                ["exact", "own.toml", "--oracle", "pair:pair.toml", "--out", "e.h5", "--composition", data.draw(text)],
                ["exact", "own.toml", "--out", "e.h5", "--oracle", data.draw(text) + ":" + data.draw(text)],
                ["exact", data.draw(text), "--out", "e.h5"],
                ["thermo", "exact.h5", "--temperatures", data.draw(st.sampled_from(SPAN + NUMBERS))],
                ["thermo", "exact.h5", "--csv", data.draw(text)],
                ["thermo", data.draw(text)],
                ["inspect", data.draw(text)],
                ["compare", "exact.h5", data.draw(text)],
                ["mixing", "exact.h5", data.draw(text)],
            ])
        )  # fmt: skip
        words = [word.replace("\0", "?") for word in words]
        before = set(folder.parent.iterdir())
        judge(
            "whole commands",
            attempt("whole commands", lambda: respond("wanglandau", PROGRAMS["wanglandau"], words)),
            words,
        )
        check("whole commands", set(folder.parent.iterdir()) == before)
