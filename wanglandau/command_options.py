"""From the signature and docstring of a function to the options of a command.

A parameter before ``/`` becomes a positional argument, any other a long option with dashes. A parameter whose type is
a dataclass stands for its fields, each an option of its own. Help texts come from the numpydoc sections ``Parameters``
(of functions) and ``Attributes`` or ``Parameters`` (of dataclasses).
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Union

import docstring_parser

REQUIRED = inspect.Parameter.empty
"""The default of an option that has none."""


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
    sequence = sequence_of(without_none(option.kind))
    if sequence is None or value is None:
        return value
    return list(value) if typing.get_origin(without_none(option.kind)) is list else tuple(value)


def without_none(kind: Any) -> Any:
    """Return the type without ``None`` as an alternative."""
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return kind
    rest = tuple(part for part in typing.get_args(kind) if part is not type(None))
    return rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 (built at run time)


def sequence_of(kind: Any) -> tuple[Any, int | str] | None:
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
