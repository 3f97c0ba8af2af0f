"""The parser of one command: words and configuration files to values of options."""

from __future__ import annotations

import argparse
import difflib
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ActionYesNo, ArgumentParser

from wanglandau.command_options import REQUIRED, Option, describe, find_options, sequence_of, without_none
from wanglandau.errors import InputError
from wanglandau.toml_file import read_toml

_METAVARS = {int: "N", float: "X", Path: "FILE"}


def make_parser(program: str, function: Callable[..., object]) -> ArgumentParser:
    """Build the parser of one command; it raises errors instead of exiting."""
    parser = ArgumentParser(
        prog=program,
        description=describe(function),
        exit_on_error=False,
        allow_abbrev=False,
        parser_mode="toml",
        print_config=None,
        formatter_class=argparse.HelpFormatter,  # without the Python types that jsonargparse's own adds
    )
    parser._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")  # argparse misses -1e-3
    for option in find_options(function):
        _add(parser, option)
    parser.add_argument("--config", action="config", metavar="FILE", help="TOML file of options.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object on standard output.")
    return parser


def parse(program: str, function: Callable[..., object], words: Sequence[str]) -> dict[str, Any]:
    """Parse the words of a command line and the configuration files they name; flags override files.

    Parameters
    ----------
    program : str
        What to call the command in its help.
    function : callable
        The command function.
    words : sequence of str
        The command line after the name of the command.

    Returns
    -------
    dict
        From option name to value.

    Raises
    ------
    InputError
        If a configuration file cannot be read or does not fit the options.
    argparse.ArgumentError
        If anything else is wrong.
    """
    files, rest = _split_config_files(words)
    options = {option.name: option for option in find_options(function)}
    for file in files:
        _check_config_file(file, options)
    settings = [word for file in files for word in ("--config", file)]
    try:
        return dict(make_parser(program, function).parse_args(settings + rest).as_dict())
    except argparse.ArgumentError as error:
        raise argparse.ArgumentError(None, _explained(str(error), options)) from error


def _explained(message: str, options: Mapping[str, Option]) -> str:
    """Add to a complaint of the parser what to write instead."""
    text = " ".join(message.split())
    if unknown := re.search(r"[Uu]nrecognized arguments: (\S+)", text):
        flag = unknown[1].partition("=")[0]
        if not flag.startswith("-"):
            return f"{text}; leave it out, or see --help"
        flags = ["--" + name.replace("_", "-") for name, option in options.items() if not option.positional]
        close = difflib.get_close_matches(flag.replace("_", "-"), flags, 1)
        return f"{text}; did you mean {close[0]}?" if close else f"{text}; see --help"
    if lacking := re.search(r"required: (.*)$", text):
        names = [name.strip() for name in lacking[1].replace("-", "_").split(",")]
        return f"{text[: lacking.start(1)]}{', '.join(_required(options[name]) for name in names if name in options)}"
    return re.sub(r"argument (\S+): expected (\d+) arguments?", r"\1 takes \2 values, with blanks between them", text)


def _required(option: Option) -> str:
    flag = option.name if option.positional else "--" + option.name.replace("_", "-")
    return f"{flag} ({option.help.rstrip('.').partition('. ')[0]})" if option.help else flag


def suggest(word: str, choices: Sequence[str]) -> str:
    """Say which choice somebody may have meant."""
    close = difflib.get_close_matches(word, choices, 1)
    return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(choices)}"


def _add(parser: ArgumentParser, option: Option) -> None:
    kind = without_none(option.kind)
    flag = option.name if option.positional else "--" + option.name.replace("_", "-")
    settings: dict[str, Any] = {"help": _help(option)}
    if option.default is not REQUIRED:
        settings["default"] = option.default
        settings |= {"nargs": "?"} if option.positional else {}
    elif not option.positional:
        settings["required"] = True
    if kind is bool:
        parser.add_argument(flag, action=ActionYesNo(yes_prefix="", no_prefix="no-"), **settings)
        return
    sequence = sequence_of(kind)
    if sequence is not None:
        kind, settings["nargs"] = sequence
        if isinstance(settings.get("default"), tuple):
            settings["default"] = list(settings["default"])
    if not option.positional and typing.get_origin(kind) is not Literal:
        settings["metavar"] = _METAVARS.get(kind, option.name.upper())
    parser.add_argument(flag, type=kind, **settings)


def _help(option: Option) -> str | None:
    """Return the help text, with the default where there is one to show."""
    if option.default in (REQUIRED, None) or isinstance(option.default, bool):
        return option.help or None
    return f"{option.help} (default: {option.default})".replace("%", "%%")


def _split_config_files(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take the configuration files out of the words, so that flags override them wherever they stand."""
    files: list[str] = []
    rest: list[str] = []
    queue = iter(words)
    for word in queue:
        if word == "--config":
            file = next(queue, None)
            if file is None:
                raise InputError("--config needs the path of a TOML file after it")
            files.append(file)
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            rest.append(word)
    return files, rest


def _check_config_file(file: str, options: Mapping[str, Option]) -> None:
    for key, value in read_toml(Path(file), "configuration file").items():
        if key not in options:
            raise InputError(f"{file}: unknown key {key!r}; {suggest(key, sorted(options))}")
        _check_shape(f"{file}: key {key!r}", without_none(options[key].kind), value)


def _check_shape(key: str, kind: Any, value: Any) -> None:
    """Check what the parser checks on the command line only."""
    sequence = sequence_of(kind)
    if kind is bool and not isinstance(value, bool):
        raise InputError(f"{key} is {value!r}; write true or false")
    if sequence is not None and (not isinstance(value, list) or sequence[1] not in (len(value), "+") or not value):
        wanted = "a list" if sequence[1] == "+" else f"a list of {sequence[1]}"
        raise InputError(f"{key} is {value!r}; write {wanted} in square brackets")
