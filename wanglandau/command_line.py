"""What the console commands share: subcommands made of functions, configuration files, JSON, exit codes.

A console program is a mapping from command names to functions. A function's parameters are its options (see
:mod:`wanglandau.command_options`), its docstring is its help, and it returns a :class:`Report`::

    def energy(system: str, /, *, oracle: str = "surrogate", composition: int | None = None) -> Report:
        (a numpydoc docstring: its Parameters become the help texts)
        from wanglandau.oracle_registry import load_oracle  # heavy imports belong inside commands
        ...
        return Report(f"{energy:.6f} Ry", {"energy_ry": energy})

    def main() -> int:
        return run_program("program", "What it does.", {"energy": energy})

Then ``program energy cuau --composition 16 --config settings.toml --json`` works; keys of the file are the names of
the parameters. A function signals failure by the exceptions of :mod:`wanglandau.errors` or by the exit code of its
report. An interrupted command raises :class:`KeyboardInterrupt`, with a message where a checkpoint is on disk.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wanglandau import orderly_end
from wanglandau.errors import InputError, NotConverged, OracleError
from wanglandau.extras import optional_packages
from wanglandau.launcher import Ending, run_after_first, run_alone, run_together, under_mpi
from wanglandau.progress import stage

EXIT_DONE = 0
EXIT_BAD_INPUT = 2
EXIT_NOT_CONVERGED = 3
EXIT_ORACLE_FAILED = 4
EXIT_INTERRUPTED = 75
COMPLETION = "--print-completion"
"""Prints the script by which a shell completes the program."""


@dataclass(frozen=True)
class Report:
    """What a command found out.

    Attributes
    ----------
    text : str
        For people, printed on standard output.
    values : mapping
        The same for programs, printed with ``--json``; arrays, paths and dataclasses are converted, numbers that are
        not finite become null.
    exit_code : int
        ``EXIT_DONE`` or ``EXIT_NOT_CONVERGED``.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = EXIT_DONE


Command = Callable[..., Report]


def run_program(
    program: str,
    description: str,
    commands: Mapping[str, Command],
    arguments: Sequence[str] | None = None,
    *,
    together: Collection[str] = (),
) -> int:
    """Run the command that the arguments name and return the exit code of the process.

    Parameters
    ----------
    program : str
        Name of the console command.
    description : str
        First line of its help.
    commands : mapping
        From command name to function.
    arguments : sequence of str, optional
        Instead of ``sys.argv[1:]``.
    together : collection of str
        Names of the commands whose work several processes share under MPI; the others refuse to run there.

    Returns
    -------
    int
        0 done, 2 bad input, 3 not converged, 4 the oracle failed, 75 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:  # this process is the program
        orderly_end.leave_at_once = lambda message: _leave_at_once(program, message, "--json" in words)
    place = _command_place(words)
    if not under_mpi():
        return _respond(program, description, commands, words).exit_code
    name = None if place is None else words[place]
    if name is None or name not in commands or _asks_help(words):
        return run_alone(lambda: _respond(program, description, commands, words))
    prefix, as_json = f"{program} {name}", "--json" in words
    if name not in together:
        known = ", ".join(together) or "none"
        message = f"one process does all of this; start it without mpiexec (commands that share work: {known})"
        return run_alone(lambda: _print(_failed(prefix, message, EXIT_BAD_INPUT), as_json))
    try:
        return run_together(lambda: _respond(program, description, commands, words))
    except InputError as error:
        failure = str(error)
    return run_after_first(lambda: _print(_failed(prefix, failure, EXIT_BAD_INPUT), as_json))


def _respond(program: str, description: str, commands: Mapping[str, Command], words: list[str]) -> Ending:
    """Run the command that the words name, print what it says and tell how it ended."""
    place = _command_place(words)
    if place is None:
        return _without_command(program, description, commands, words)
    name = words.pop(place)
    as_json = "--json" in words and not _asks_help(words)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        report = _guarded(f"{program} {name}", lambda: _run(program, name, commands, words))
    return _print(report, as_json)


def to_json(value: Any) -> Any:
    """Convert a value to what JSON can hold.

    NumPy arrays and scalars, paths, dataclasses, sets and tuples are converted; numbers that are not finite become
    None.

    >>> to_json({"peak": float("nan"), "bins": (1, 2)})
    {'peak': None, 'bins': [1, 2]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [to_json(item) for item in value] if isinstance(value, Iterable) else str(value)


def _command_place(words: Sequence[str]) -> int | None:
    """Find the first word that is neither an option nor what belongs to one that may stand before the command."""
    for place, word in enumerate(words):
        if not word.startswith("-") and (place == 0 or words[place - 1] not in ("--config", COMPLETION)):
            return place
    return None


def _asks_help(words: Sequence[str]) -> bool:
    return "-h" in words or "--help" in words


def _without_command(program: str, description: str, commands: Mapping[str, Command], words: Sequence[str]) -> Ending:
    if "--version" in words:
        from wanglandau import __version__

        return _print(Report(f"{program} {__version__}"), as_json=False)
    if words and words[0].partition("=")[0] == COMPLETION:
        return _print(_guarded(program, lambda: _completion(program, commands, words)), as_json=False)
    if _asks_help(words):
        return _print(Report(_overview(program, description, commands)), as_json=False)
    failure = _failed(program, f"no command given; choose {', '.join(commands)}", EXIT_BAD_INPUT)
    return _print(failure, "--json" in words)


def _completion(program: str, commands: Mapping[str, Command], words: Sequence[str]) -> Report:
    from wanglandau.completion import SHELLS, completion_script

    shell = words[0].partition("=")[2] or (words[1] if len(words) > 1 else "")
    if not shell:
        raise InputError(f"{COMPLETION} needs the name of a shell after it: {', '.join(SHELLS)}")
    return Report(completion_script(program, commands, shell))


def _overview(program: str, description: str, commands: Mapping[str, Command]) -> str:
    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {(command.__doc__ or '').partition(chr(10))[0]}" for name, command in commands.items()]
    return "\n".join(
        [
            f"usage: {program} COMMAND ...",
            "",
            description,
            "",
            "commands:",
            *lines,
            "",
            "Every command takes --help, --json and --config FILE.toml (its keys are the long options with _ for -).",
            f"{program} {COMPLETION} SHELL prints what bash, zsh or fish need to complete all this with the tab key.",
        ]
    )


def _run(program: str, name: str, commands: Mapping[str, Command], words: list[str]) -> Report:
    from wanglandau.command_options import call
    from wanglandau.command_parser import parse, suggest

    if name not in commands:
        raise InputError(f"command {name!r} is not known; {suggest(name, list(commands))}")
    values = parse(f"{program} {name}", commands[name], words)
    with optional_packages(), stage(f"{program} {name}: loading"):
        report = call(commands[name], values)
    assert isinstance(report, Report), f"command {name} returned {type(report).__name__}, not a Report"
    return report


def _guarded(prefix: str, run: Callable[[], Report]) -> Report:
    """Run a command; turn every foreseen failure into one line and its exit code."""
    try:
        return run()
    except argparse.ArgumentError as error:
        return _failed(prefix, _readable(str(error)), EXIT_BAD_INPUT)
    except InputError as error:
        return _failed(prefix, str(error), EXIT_BAD_INPUT)
    except NotConverged as error:
        return _failed(prefix, str(error), EXIT_NOT_CONVERGED)
    except OracleError as error:
        return _failed(prefix, str(error), EXIT_ORACLE_FAILED)
    except KeyboardInterrupt as error:
        return _failed(prefix, str(error) or "interrupted", EXIT_INTERRUPTED)
    except OSError as error:
        if error.filename is None:
            raise
        return _failed(prefix, f"{error.filename}: {error.strerror}", EXIT_BAD_INPUT)
    except SystemExit as error:  # raised by the parser after it printed a help text
        return Report("", exit_code=int(error.code or 0))


def _failed(prefix: str, message: str, exit_code: int) -> Report:
    line = _printable(" ".join(message.split()))
    print(f"{prefix}: error: {line}", file=sys.stderr)
    return Report("", {"error": line, "exit_code": exit_code}, exit_code)


def _leave_at_once(program: str, message: str, as_json: bool) -> None:
    """Say why and end the process, where nothing of it can be reached."""
    failure = _failed(program, message, EXIT_INTERRUPTED)
    if as_json and sys.__stdout__ is not None:
        print(json.dumps(failure.values), file=sys.__stdout__)
        sys.__stdout__.flush()
    sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)


def _print(report: Report, as_json: bool) -> Ending:
    text = json.dumps(to_json(report.values), allow_nan=False) if as_json else _printable(report.text)
    try:
        if text:
            print(text, flush=True)
    except BrokenPipeError:  # the reader, say ``head``, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Ending(report.exit_code, failed="error" in report.values)


def _printable(text: str) -> str:
    """Escape what a terminal would obey, and what no encoding holds."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


_TYPE_NAMES = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}


def _readable(message: str) -> str:
    """Rewrite the parser's complaints in words of the command line."""
    text = " ".join(message.split())
    text = re.sub(r'Parser key "(\w+)"( element \d+)?:?', lambda match: _flag(match[1]) + ":", text)
    text = re.sub(r"Expected a <class '(\w+)'>", lambda match: f"expected {_TYPE_NAMES.get(match[1], match[1])}", text)
    text = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", text)
    text = re.sub(r"\. Got value: (.*)$", r", got \1", text)
    text = re.sub(r"(whole number, got )(\d+)\.0$", r"\1\2.0; write \2", text)
    return re.sub(r"required: (.*)$", lambda match: "required: " + match[1].replace("_", "-"), text)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
