"""The input deck of LSMS: a Lua program of globals, made from a template.

LSMS passes over keys that it does not know, so that a misspelt one changes the calculation without a word. Hence the
template is rendered strictly and its decks are checked by running them in a Lua interpreter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import numpy as np
from ase.data import atomic_numbers

from lsms_bridge.parameters import Electrons, LsmsParameters
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

DECK_NAME = "i_lsms"
"""What LSMS reads unless told otherwise."""

MAX_STEM = 100
"""LSMS cuts the path of a potential at 127 characters."""


@dataclass(frozen=True)
class Start:
    """Where an attempt starts and how it goes on.

    Attributes
    ----------
    mixing : float
    iterations : int
    files : tuple of int
        For each site, which starting potential it takes: site ``i`` reads ``<stem>.<files[i]>``. Empty: potentials are
        generated.
    stem : str
        Name before the dot, in the folder of the calculation.
    moment_scale : float
        Factor on the starting moments of generated potentials.
    margin : float
        Factor on the tolerances of charge and energy.
    """

    mixing: float
    iterations: int
    files: tuple[int, ...] = ()
    stem: str = "v"
    moment_scale: float = 1.0
    margin: float = 1.0


@dataclass(frozen=True)
class _Site:
    symbol: str
    number: int
    electrons: Electrons
    position: tuple[float, float, float]
    moment: float


def write_deck(lattice: Lattice, occupations: np.ndarray, parameters: LsmsParameters, start: Start) -> str:
    """Write the deck of one configuration.

    Parameters
    ----------
    lattice : Lattice
    occupations : int8[n_sites]
    parameters : LsmsParameters
    start : Start

    Returns
    -------
    str
        The same bytes for the same arguments.

    Raises
    ------
    InputError
        If an element's electrons are not known, or the starting potentials do not go with the sites.
    """
    if occupations.shape != (lattice.n_sites,):
        raise InputError(f"occupations have shape {occupations.shape}; the lattice has {lattice.n_sites} sites")
    if start.files and len(start.files) != lattice.n_sites:
        raise InputError(f"{len(start.files)} starting potentials are given for {lattice.n_sites} sites")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", start.stem) or len(start.stem) > MAX_STEM:
        raise InputError(
            f"potential name {start.stem[:120]!r} must be 1 to {MAX_STEM} letters, digits, dots and dashes"
        )
    sites = [_site(lattice, occupations, index, parameters, start) for index in range(lattice.n_sites)]
    counts = np.bincount(occupations, minlength=2)
    title = " ".join(f"{symbol}{count}" for symbol, count in zip(lattice.species, counts, strict=True))
    return _template().render(name="x", title=title, p=parameters, start=start, cell=lattice.cell.tolist(), sites=sites)


def _site(lattice: Lattice, occupations: np.ndarray, index: int, parameters: LsmsParameters, start: Start) -> _Site:
    symbol = lattice.species[int(occupations[index])]
    moment = parameters.moments.get(symbol, 0.0) * start.moment_scale
    position = tuple(lattice.positions[index].tolist())
    return _Site(symbol, atomic_numbers[symbol], parameters.electrons_of(symbol), position, moment)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lsms_bridge"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Lua, not HTML; texts go through the filter "lua"
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "lua": _lua_text,
        "number": lambda number: f"{number:.12g}",
        "length_bohr": lambda length: f"{length:.12f}",
    }
    return environment.get_template("deck.lua.j2")


def _lua_text(text: Any) -> str:
    """Quote a text for Lua; whatever stands in it stays a text."""
    escaped = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "" for char in str(text))
    return f'"{escaped}"'
