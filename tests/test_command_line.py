"""What all console commands have in common: options, configuration files, JSON, one-line errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

from wanglandau.command_line import Report, run_program, to_json
from wanglandau.command_options import find_options
from wanglandau.errors import InputError, NotConverged, OracleError

FAILURES: dict[str, BaseException] = {
    "input": InputError("composition 40 is above 32"),
    "converged": NotConverged("ln f is still 1e-3"),
    "oracle": OracleError("killed\nby signal 9"),
    "interrupt": KeyboardInterrupt("checkpoint in run.h5"),
    "file": FileNotFoundError(2, "No such file or directory", "run.h5"),
    "torch": ModuleNotFoundError("No module named 'torch'", name="torch"),
}


@dataclass(frozen=True)
class Walk:
    """How to walk.

    Attributes
    ----------
    max_trials : int
        Stop after that many; 100 % of them count.
    window : tuple of two float, optional
        Energies, Ry.
    """

    max_trials: int = 10
    window: tuple[float, float] | None = None


def dos(
    system: str,
    /,
    *,
    walk: Walk = Walk(),
    oracle: str = "surrogate",
    repeat: tuple[int, int, int] | None = None,
    temperatures: list[float] | None = None,
    ln_f: float = 1e-8,
    schedule: Literal["flat", "1/t"] = "1/t",
    out: Path | None = None,
    exact: bool = False,
) -> Report:
    """Sample a density of states.

    Parameters
    ----------
    system : str
        Name of the ``alloy``.
    repeat : tuple of three int, optional
        Cells along each axis.
    """
    print("chatter of a library")
    if oracle in FAILURES:
        raise FAILURES[oracle]
    given = dict(locals())
    return Report(f"system {system}", given | {"nan": float("nan")}, exit_code=3 if oracle == "unsure" else 0)


def benchmark(system: str = "cuau", /) -> Report:
    """Measure trials per second."""
    return Report(f"measured {system}")


class Outcome(NamedTuple):
    exit_code: int
    out: str
    err: str

    @property
    def values(self) -> dict[str, Any]:
        return json.loads(self.out)


Program = Callable[..., Outcome]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*words: str | Path) -> Outcome:
        commands = {"dos": dos, "benchmark": benchmark}
        exit_code = run_program("wanglandau", "Samples alloys.", commands, [str(word) for word in words])
        return Outcome(exit_code, *capsys.readouterr())

    return run


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "settings.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_options_reach_the_function(program: Program) -> None:
    words = "dos cuau --max-trials 7 --window -0.3 -1e-3 --repeat 2 2 4 --temperatures 300 4e2 --ln-f 1e-6 --exact"
    values = program(*words.split(), "--schedule", "flat", "--out", "a b/3", "--json").values
    assert values["walk"] == {"max_trials": 7, "window": [-0.3, -1e-3]}
    assert (values["repeat"], values["temperatures"], values["ln_f"]) == ([2, 2, 4], [300.0, 400.0], 1e-6)
    assert (values["exact"], values["schedule"], values["out"]) == (True, "flat", "a b/3")


def test_defaults_are_those_of_the_signature(program: Program) -> None:
    values = program("dos", "cuau", "--no-exact", "--json").values
    assert values["walk"] == {"max_trials": 10, "window": None}
    assert (values["ln_f"], values["repeat"], values["exact"], values["out"]) == (1e-8, None, False, None)


def test_text_stays_text(program: Program) -> None:
    values = program("dos", "7", "--oracle", "null", "--json").values
    assert (values["system"], values["oracle"]) == ("7", "null")


def test_optional_positional_argument(program: Program) -> None:
    assert program("benchmark") == (0, "measured cuau\n", "")
    assert program("benchmark", "fept").out == "measured fept\n"


@pytest.mark.parametrize("order", ["before", "after", "first"])
def test_flags_override_the_file_wherever_it_is_named(
    program: Program, config: Callable[[str], Path], order: str
) -> None:
    file = config('system = "fept"\nmax_trials = 5\nrepeat = [1, 2, 3]\nexact = true\nln_f = 1e-3')
    flags = ["dos", "--max-trials", "9"]
    words = {
        "before": ["dos", f"--config={file}", *flags[1:]],
        "after": [*flags, "--config", file],
        "first": ["--config", file, *flags],
    }[order]
    values = program(*words, "--json").values
    assert (values["system"], values["walk"]["max_trials"], values["repeat"]) == ("fept", 9, [1, 2, 3])
    assert (values["exact"], values["ln_f"]) == (True, 1e-3)


def test_json_is_alone_on_standard_output(program: Program) -> None:
    outcome = program("--json", "dos", "cuau")
    assert outcome.values["nan"] is None
    assert outcome.out.count("\n") == 1
    assert outcome.err == "chatter of a library\n"


def test_report_may_carry_an_exit_code(program: Program) -> None:
    outcome = program("dos", "cuau", "--oracle", "unsure")
    assert outcome.exit_code == 3
    assert outcome.out.endswith("system cuau\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "wanglandau: error: no command given; choose dos, benchmark"),
        ("dso", "'dso' is not known; did you mean 'dos'?"),
        ("--config", "no command given"),
        ("dos", "wanglandau dos: error: the following arguments are required: system"),
        ("dos cuau fept", "unrecognized arguments: fept"),
        ("dos cuau --max 3", "unrecognized arguments: --max 3"),
        ("dos cuau --max_trial 3", "did you mean --max-trials?"),
        ("dos cuau --max-trials 1e3", "expected a whole number, got 1000.0; write 1000"),
        ("dos cuau --max-trials 3.5", "--max-trials: expected a whole number, got 3.5"),
        ("dos cuau --max-trials", "--max-trials"),
        ("dos cuau --repeat 2 2", "--repeat takes 3 values, with blanks between them"),
        ("dos cuau --temperatures 300 warm", "--temperatures: expected a number, got warm"),
        ("dos cuau --schedule slow", "--schedule: expected one of 'flat', '1/t', got slow"),
        ("dos cuau --config", "--config needs the path of a TOML file"),
        ("dos cuau --config nowhere.toml", "nowhere.toml: No such file or directory"),
        ("dos cuau --config .", "cannot read configuration file .: Is a directory"),
        ("dos cuau --oracle input", "composition 40 is above 32"),
        ("dos cuau --oracle file", "run.h5: No such file or directory"),
        ("dos cuau --oracle torch", "pip install 'alloy-wanglandau[surrogate]'"),
    ],
)
def test_bad_input_ends_with_one_helpful_line(program: Program, words: str, message: str) -> None:
    outcome = program(*words.split())
    lines = [line for line in outcome.err.splitlines() if "chatter" not in line]
    assert outcome.exit_code == 2
    assert len(lines) == 1 and message in lines[0] and lines[0].startswith("wanglandau")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_trial = 5", "unknown key 'max_trial'; did you mean 'max_trials'?"),
        ("max-trials = 5", "did you mean 'max_trials'?"),
        ("json = true", "unknown key 'json'"),
        ("[walk]\nmax_trials = 5", "unknown key 'walk'"),
        ('max_trials = "many"', "--max-trials: expected a whole number, got many"),
        ("repeat = [1, 2.5, 3]", "--repeat: expected a whole number, got 2.5"),
        ("repeat = [1, 2]", "key 'repeat' is [1, 2]; write a list of 3 in square brackets"),
        ("temperatures = 300", "key 'temperatures' is 300; write a list in square brackets"),
        ("exact = 1", "key 'exact' is 1; write true or false"),
        ('ln_f = "small"', "--ln-f: expected a number, got small"),
        ("oracle = 3", "--oracle: expected a text, got 3"),
        ('schedule = "slow"', "--schedule: expected one of 'flat', '1/t', got slow"),
        ("x = [", "cannot read configuration file"),
    ],
)
def test_wrong_configuration_names_the_key(
    program: Program, config: Callable[[str], Path], text: str, message: str
) -> None:
    outcome = program("dos", "cuau", "--config", config(text))
    assert outcome.exit_code == 2
    assert message in outcome.err and outcome.err.count("\n") == 1


@pytest.mark.parametrize(("failure", "exit_code"), [("converged", 3), ("oracle", 4), ("interrupt", 75)])
def test_failures_have_their_exit_codes(program: Program, failure: str, exit_code: int) -> None:
    outcome = program("dos", "cuau", "--json", "--oracle", failure)
    assert outcome.exit_code == exit_code == outcome.values["exit_code"]
    assert outcome.values["error"] == " ".join(str(FAILURES[failure]).split())


def test_defects_keep_their_traceback() -> None:
    def broken() -> Report:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_program("program", "", {"broken": broken}, ["broken"])


def test_help_comes_from_docstrings(program: Program) -> None:
    outcome = program("dos", "--help")
    text = " ".join(outcome.out.split())
    assert outcome.exit_code == 0
    assert text.startswith("usage: wanglandau dos")
    for part in ("Sample a density of states.", "Name of the alloy.", "Cells along each axis.", "100 % of them count."):
        assert part in text
    overview = program("--help").out
    assert "benchmark  Measure trials per second." in overview and "Samples alloys." in overview


def test_version(program: Program) -> None:
    from wanglandau import __version__

    assert program("--version").out == f"wanglandau {__version__}\n"


def test_two_options_with_one_name_are_a_defect() -> None:
    def twice(*, max_trials: int = 1, walk: Walk = Walk()) -> Report:
        return Report("")

    with pytest.raises(TypeError, match="two options named max_trials"):
        find_options(twice)


def test_json_holds_numpy_and_no_infinities() -> None:
    values = {1: np.arange(3), "x": np.float32(0.5), "y": [np.inf, -np.inf, np.nan], "z": np.array([np.nan, 1.0])}
    converted = to_json(values | {"flag": np.bool_(True), "path": Path("a"), "walk": Walk(), "n": np.int64(2**40)})
    assert json.loads(json.dumps(converted, allow_nan=False)) == {
        "1": [0, 1, 2],
        "x": 0.5,
        "y": [None, None, None],
        "z": [None, 1.0],
        "flag": True,
        "path": "a",
        "walk": {"max_trials": 10, "window": None},
        "n": 2**40,
    }


def test_closed_pipe_is_no_error() -> None:
    script = (
        "import sys; from wanglandau.command_line import Report, run_program\n"
        "def long() -> Report:\n    'Talk.'\n    return Report('x' * 1000000)\n"
        "sys.exit(run_program('p', '', {'long': long}, ['long']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0 and errors == ""
