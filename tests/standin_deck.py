"""An LSMS input deck, read as LSMS reads it: a Lua program is run and its globals are looked at."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LUA = ("lupa.lua52", "lupa.lua53", "lupa.lua54")
"""Interpreters, best first: LSMS has Lua 5.2 built in."""

_NEEDED = ("pos", "evec", "atom", "Z", "Zc", "Zs", "Zv", "lmax", "rLIZ", "rsteps", "rad")


class CannotRun(Exception):
    """The deck is missing or no valid Lua program."""


class SiteTableTooShort(Exception):
    """A site, or something that every site must have, is not there."""


@dataclass(frozen=True)
class Site:
    """One site; lengths in Bohr."""

    position: tuple[float, float, float]
    symbol: str
    number: int
    core: int
    valence: int
    moment: float | None
    potential: int


@dataclass(frozen=True)
class Deck:
    """What the stand-in takes from a deck."""

    text: str
    settings: dict[str, Any]
    sites: tuple[Site, ...]
    cell: tuple[tuple[float, float, float], ...]
    mixing: tuple[dict[str, Any], ...]

    def __getitem__(self, key: str) -> Any:
        return self.settings[key]

    @property
    def species(self) -> str:
        """Return the atomic numbers of the sites in their order, as in "29-79-79"."""
        return "-".join(str(site.number) for site in self.sites)

    @property
    def collinear(self) -> bool:
        """Tell whether there are two spins."""
        return self.settings["nspin"] > 1

    @property
    def asa(self) -> bool:
        """Tell whether spheres fill the cell; else they are muffin tins."""
        return self.settings["mtasa"] > 0


def read_deck(path: Path) -> Deck:
    """Run a deck and take its settings, with the defaults of LSMS for those that are not given."""
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise CannotRun(str(error)) from error
    names = _run(text)
    try:
        settings = {key: _of_type(names[key], default) for key, default in _defaults(names).items()}
        sites = tuple(_site(names["site"][i + 1], i) for i in range(settings["num_atoms"]))
        cell = tuple(_vector(names["bravais"][k]) for k in (1, 2, 3))
        mixing = tuple(dict(entry) for entry in names["mixing"].values()) if names["mixing"] else ()
    except (TypeError, KeyError, ValueError) as error:
        raise SiteTableTooShort(str(error)) from error
    return Deck(text, settings, sites, cell, mixing)


def _run(text: str) -> Any:
    """Run Lua text and return its globals, or raise what LSMS would make of its failure."""
    lua = _interpreter()
    runtime = lua.LuaRuntime(register_eval=False, register_builtins=False, encoding="latin-1")
    try:
        runtime.execute(text)
    except (lua.LuaError, UnicodeError) as error:
        raise CannotRun(str(error)) from error
    return runtime.globals()


def _interpreter() -> Any:
    for name in LUA:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError(f"no Lua interpreter: none of {', '.join(LUA)} can be imported; pip install lupa")


def _defaults(names: Any) -> dict[str, Any]:
    name = names["systemid"] or ""
    return {
        "systemid": "",
        "system_title": "",
        "potential_file_in": f"v_{name}",
        "potential_file_out": f"w_{name}",
        "pot_in_type": 0,
        "pot_out_type": -1,
        "num_atoms": 0,
        "nspin": 3,
        "mtasa": 0,
        "nscf": 1,
        "rmsTolerance": 1e-8,
        "energyTolerance": 1e-6,
        "h_step": 0.02,
        "iprpts": 1051,
        "efermi": 0.6,
        "infoEvecFileOut": "info_evec_out",
    }


def _of_type(value: Any, default: Any) -> Any:
    return default if value is None else type(default)(value)


def _site(table: Any, index: int) -> Site:
    missing = [key for key in _NEEDED if table[key] is None]
    if missing:
        raise KeyError(f"site {index + 1} has no {missing[0]}")
    return Site(
        _vector(table["pos"]),
        str(table["atom"])[:3],
        int(table["Z"]),
        int(table["Zc"]),
        int(table["Zv"]),
        None if table["mag_mom"] is None else float(table["mag_mom"]),
        index if table["pot_in_idx"] is None else int(table["pot_in_idx"]),
    )


def _vector(table: Any) -> tuple[float, float, float]:
    return (float(table[1]), float(table[2]), float(table[3]))
