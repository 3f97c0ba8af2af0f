"""From the signature and docstring of a function to the options of a command.

A parameter before ``/`` becomes a positional argument, any other a long option with dashes. A parameter whose type is
a dataclass stands for its fields, each an option of its own. Help texts come from the numpydoc sections ``Parameters``
(of functions) and ``Attributes`` or ``Parameters`` (of dataclasses).
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import docstring_parser
from jsonargparse import ActionYesNo, ArgumentParser

from wanglandau.errors import InputError

REQUIRED = inspect.Parameter.empty
"""The default of an option that has none."""

_METAVARS = {int: "N", float: "X", Path: "FILE"}


@dataclasses.dataclass(frozen=True)
class Option:
    """One thing that can be said on the command line.

    Attributes
    ----------
    name : str
        As in Python and in configuration files, with underscores.
    kind : Any
        Its type, as annotated.
    default : Any
        ``REQUIRED`` where there is none.
    help : str
    positional : bool
    """

    name: str
    kind: Any
    default: Any
    help: str
    positional: bool = False


def find_options(function: Callable[..., object]) -> list[Option]:
    """List the options of a command function, dataclass parameters replaced by their fields.

    Raises
    ------
    TypeError
        If a parameter has no type or two options share a name.
    """
    options = [option for parameter in _parameters(function) for option in _expand(parameter)]
    names = [option.name for option in options]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"{function.__qualname__} has two options named {', '.join(sorted(twice))}")
    return options


def make_parser(program: str, function: Callable[..., object]) -> ArgumentParser:
    """Build the parser of one command; it raises errors instead of exiting."""
    parser = ArgumentParser(
        prog=program,
        description=describe(function),
        exit_on_error=False,
        allow_abbrev=False,
        parser_mode="toml",
        print_config=None,
    )
    parser._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")  # argparse misses -1e-3
    for option in find_options(function):
        _add(parser, option)
    parser.add_argument("--config", action="config", metavar="FILE", help="TOML file of options.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object on standard output.")
    return parser


def parse(parser: ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """Parse the words of a command line and the configuration files they name; flags override files.

    Returns
    -------
    dict
        From option name to value.

    Raises
    ------
    InputError
        If a configuration file cannot be read or has a key that is no option.
    argparse.ArgumentError
        If anything else is wrong.
    """
    files, rest = _split_config_files(words)
    options = {action.dest for action in parser._actions} - {"help", "config", "json"}
    for file in files:
        _check_config_file(file, options)
    settings = [word for file in files for word in ("--config", file)]
    return dict(parser.parse_args(settings + rest).as_dict())


def suggest(word: str, choices: Sequence[str]) -> str:
    """Say which choice somebody may have meant."""
    close = difflib.get_close_matches(word, choices, 1)
    return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(choices)}"


def call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a command function with parsed values.

    Parameters
    ----------
    function : callable
        The one whose parser gave the values.
    values : mapping
        From option name to value.
    """
    positional, keywords = [], {}
    for parameter in _parameters(function):
        value = _collect(parameter, values)
        if parameter.positional:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    return function(*positional, **keywords)


def describe(function: Callable[..., object]) -> str:
    """Return the prose of a docstring, without its numpydoc sections."""
    parsed = docstring_parser.parse(inspect.getdoc(function) or "", docstring_parser.DocstringStyle.NUMPYDOC)
    return _plain("\n\n".join(filter(None, [parsed.short_description, parsed.long_description])))


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


def _check_config_file(file: str, options: Iterable[str]) -> None:
    try:
        settings = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read configuration file {file}: {reason}") from error
    for key in settings:
        if key not in options:
            raise InputError(f"{file}: unknown key {key!r}; {suggest(key, sorted(options))}")


def _parameters(function: Callable[..., object]) -> Iterator[Option]:
    hints, texts = typing.get_type_hints(function), _parameter_texts(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(f"parameter {name} of {function.__qualname__} has no type")
        positional = parameter.kind is parameter.POSITIONAL_ONLY
        yield Option(name, hints[name], parameter.default, texts.get(name, ""), positional)


def _expand(parameter: Option) -> Iterator[Option]:
    if not dataclasses.is_dataclass(parameter.kind):
        yield parameter
        return
    hints, texts = typing.get_type_hints(parameter.kind), _parameter_texts(parameter.kind)
    for field in dataclasses.fields(parameter.kind):
        if field.init:
            yield Option(field.name, hints[field.name], _field_default(parameter, field), texts.get(field.name, ""))


def _field_default(parameter: Option, field: dataclasses.Field[Any]) -> Any:
    if parameter.default is not REQUIRED:
        return getattr(parameter.default, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED if field.default is dataclasses.MISSING else field.default


def _collect(parameter: Option, values: Mapping[str, Any]) -> Any:
    if not dataclasses.is_dataclass(parameter.kind):
        return _as_annotated(parameter, values[parameter.name])
    options = list(_expand(parameter))
    make: Any = parameter.kind
    return make(**{option.name: _as_annotated(option, values[option.name]) for option in options})


def _as_annotated(option: Option, value: Any) -> Any:
    sequence = _sequence_of(_without_none(option.kind))
    if sequence is None or value is None:
        return value
    return list(value) if typing.get_origin(_without_none(option.kind)) is list else tuple(value)


def _add(parser: ArgumentParser, option: Option) -> None:
    kind = _without_none(option.kind)
    flag = option.name if option.positional else "--" + option.name.replace("_", "-")
    settings: dict[str, Any] = {"help": option.help or None}
    if option.default is not REQUIRED:
        settings["default"] = option.default
        settings |= {"nargs": "?"} if option.positional else {}
    elif not option.positional:
        settings["required"] = True
    if kind is bool:
        parser.add_argument(flag, action=ActionYesNo(yes_prefix="", no_prefix="no-"), **settings)
        return
    sequence = _sequence_of(kind)
    if sequence is not None:
        kind, settings["nargs"] = sequence
        if isinstance(settings.get("default"), tuple):
            settings["default"] = list(settings["default"])
    if not option.positional and typing.get_origin(kind) is not Literal:
        settings["metavar"] = _METAVARS.get(kind, option.name.upper())
    parser.add_argument(flag, type=kind, **settings)


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return kind
    rest = tuple(part for part in typing.get_args(kind) if part is not type(None))
    return rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 (built at run time)


def _sequence_of(kind: Any) -> tuple[Any, int | str] | None:
    """Return the type of the items and argparse's ``nargs`` of a list or tuple type, None for other types."""
    if typing.get_origin(kind) not in (list, tuple, Sequence):
        return None
    items = typing.get_args(kind)
    return items[0], len(items) if typing.get_origin(kind) is tuple and Ellipsis not in items else "+"


def _parameter_texts(documented: Any) -> dict[str, str]:
    parsed = docstring_parser.parse(inspect.getdoc(documented) or "", docstring_parser.DocstringStyle.NUMPYDOC)
    texts = {}
    for parameter in parsed.params:
        for name in parameter.arg_name.split(","):
            texts[name.strip()] = _plain(parameter.description or "")
    return texts


def _plain(text: str) -> str:
    return text.replace("``", "").strip()
