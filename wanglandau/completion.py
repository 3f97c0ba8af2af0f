"""Scripts by which shells complete commands, options, choices and files; made by shtab (extra ``completion``).

A script is printed once and kept where the shell looks for it; pressing the tab key then starts no Python.
"""

from __future__ import annotations

import argparse
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from wanglandau.command_options import REQUIRED, Option, find_options, sequence_of, without_none
from wanglandau.errors import InputError
from wanglandau.extras import optional_packages
from wanglandau.oracle_registry import oracle_names

SHELLS = ("bash", "zsh", "fish")
ORACLES = ("oracle", "oracles", "proposal_oracle")
"""Options that name an oracle."""
FOLDERS = ("folder",)
_SYSTEM = "_wanglandau_system"
_PREAMBLE = {
    "bash": f"""
{_SYSTEM}() {{
  compgen -W "cuau fept" -- "$1"
  compgen -f -X "!*.toml" -- "$1"
  compgen -d -S / -- "$1"
}}
""",
    "zsh": f"""
{_SYSTEM}() {{
  _alternative 'systems:system:(cuau fept)' 'files:TOML file:_files -g "*.toml"'
}}
""",
}


def completion_script(program: str, commands: Mapping[str, Callable[..., object]], shell: str) -> str:
    """Return the script that teaches a shell to complete a program.

    Parameters
    ----------
    program : str
    commands : mapping
        From command name to function, see :mod:`wanglandau.command_line`.
    shell : str
        bash, zsh or fish.

    Raises
    ------
    InputError
        If there is no such shell, or shtab is not installed.
    """
    if shell not in SHELLS:
        raise InputError(f"no completion for shell {shell!r}; choose {', '.join(SHELLS)}")
    with optional_packages():
        import shtab
    parser = argparse.ArgumentParser(prog=program, add_help=False)
    _add_help(parser)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--print-completion", choices=SHELLS, help="print a script for a shell")
    parts = parser.add_subparsers(dest="command")
    for name, function in commands.items():
        summary = (function.__doc__ or "").partition("\n")[0]
        part = parts.add_parser(name, help=_plain(summary), add_help=False)
        _add_help(part)
        for option in find_options(function):
            _add(part, option)
        part.add_argument("--config", help="TOML file of options").complete = shtab.FILE  # type: ignore[attr-defined]
        part.add_argument("--json", action="store_true", help="print one JSON object")
    return str(shtab.complete(parser, shell, preamble=_PREAMBLE.get(shell, "")))


def _add_help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-h", "--help", action="store_true", help="show help and exit")


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    """Add an option in the terms of argparse, for what can stand behind it only."""
    import shtab

    kind = without_none(option.kind)
    flag = option.name if option.positional else "--" + option.name.replace("_", "-")
    settings: dict[str, Any] = {"help": _plain(option.help.partition(".")[0])}
    if kind is bool:
        parser.add_argument(flag, action="store_true", **settings)
        parser.add_argument("--no-" + flag.removeprefix("--"), action="store_true", **settings)
        return
    if (sequence := sequence_of(kind)) is not None:
        kind, settings["nargs"] = sequence
    elif option.positional and option.default is not REQUIRED:
        settings["nargs"] = "?"
    if typing.get_origin(kind) is Literal:
        settings["choices"] = [str(choice) for choice in typing.get_args(kind)]
    elif option.name in ORACLES:
        settings["choices"] = oracle_names()
    action: Any = parser.add_argument(flag, **settings)
    if option.name in FOLDERS:
        action.complete = shtab.DIRECTORY
    elif kind is Path:
        action.complete = shtab.FILE
    elif option.name == "system" and option.positional:
        action.complete = {shell: _SYSTEM for shell in _PREAMBLE}


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("%", "%%")
