"""The configuration file of the bridge: what to compute, how to start LSMS, and where.

A file looks like this; only the executable is needed for a system that has a preset::

    preset = "cuau"                  # cuau, fept or none; that of the system's name unless said otherwise
    folder = "lsms-cuau"             # of results and runs, relative to this file
    workers = 2                      # runs at a time
    known = "cuau"                   # results of the same settings that need no computing: a shipped set or a file

    [launcher]
    executable = "lsms_asa"
    mpi = ["srun", "-n", "32"]       # what stands before it; nothing runs one process
    threads = 1
    time_limit = 3600                # seconds

    [parameters]                     # fields of LsmsParameters, over the preset
    lmax = 3

    [parameters.electrons.Ni]
    core = 10
    semicore = 8
    valence = 10

    [effort]                         # fields of Effort: attempts, retries, what is kept
    retries = 3
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from lsms_bridge.launcher import Launcher
from lsms_bridge.parameters import Electrons, LsmsParameters
from surrogate.dataset import SHIPPED, Dataset, load_dataset
from wanglandau.errors import InputError
from wanglandau.toml_file import read_toml

PRESETS = ("cuau", "fept")
"""Presets that come with the package; each gives the energies of the shipped data set of that system."""
MAX_WORKERS = 100_000


@dataclass(frozen=True)
class Effort:
    """How much is done for one configuration before it is given up.

    Attributes
    ----------
    retries : int
        How often an attempt that broke down (killed, timed out, no or foreign output) is made again.
    pause : float, s
        Before the first of these; twice as long before each further one.
    rungs : int
        Ways to convergence that are tried, see :mod:`lsms_bridge.ladder`; 1 makes one attempt only.
    max_given_up : int
        After so many configurations were given up, a campaign ends and says so.
    keep : {"nothing", "outputs", "everything"}
        Which files of finished runs stay: none; decks and outputs; also potentials (1 MB for 32 atoms).
    """

    retries: int = 3
    pause: float = 20.0
    rungs: int = 4
    max_given_up: int = 10
    keep: Literal["nothing", "outputs", "everything"] = "outputs"

    def __post_init__(self) -> None:
        limits = {"retries": (0, 20), "pause": (0.0, 3600.0), "rungs": (1, 4), "max_given_up": (0, 10**6)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InputError(f"effort: {name} is {value!r}; give a number from {low:g} to {high:g}")
        if self.keep not in ("nothing", "outputs", "everything"):
            raise InputError(f"effort: keep is {self.keep!r}; choose nothing, outputs or everything")


@dataclass(frozen=True)
class BridgeConfiguration:
    """All that a file says.

    Attributes
    ----------
    parameters : LsmsParameters
    launcher : Launcher
    effort : Effort
    folder : Path
        Absolute.
    workers : int
    known : str or None
        Name of a shipped data set, or path of a file.
    """

    parameters: LsmsParameters
    launcher: Launcher
    effort: Effort
    folder: Path
    workers: int = 1
    known: str | None = None

    def known_results(self) -> Dataset | None:
        """Load the results that need no computing.

        Raises
        ------
        InputError
            If they cannot be read.
        """
        return None if self.known is None else load_dataset(self.known)


def load_configuration(path: Path, system: str) -> BridgeConfiguration:
    """Read a configuration file.

    Parameters
    ----------
    path : Path
    system : str
        Name of the system, whose preset is taken where the file names none.

    Raises
    ------
    InputError
        If the file cannot be read, a key is not known or a value is out of range.
    """
    values = read_toml(path, "LSMS configuration")
    try:
        return _configuration(values, path.resolve().parent, system)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def load_preset(name: str) -> dict[str, Any]:
    """Return the parameters of a preset.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"preset {name!r} is not known; choose {', '.join(PRESETS)} or none")
    return tomllib.loads((resources.files("lsms_bridge") / "presets" / f"{name}.toml").read_text(encoding="utf-8"))


def _configuration(values: Mapping[str, Any], parent: Path, system: str) -> BridgeConfiguration:
    _check_keys(values, _KINDS, "the file")
    for name, kind in _KINDS.items():
        if name in values and (not isinstance(values[name], kind) or isinstance(values[name], bool)):
            raise InputError(f"{name} is {values[name]!r}; give {_KIND_NAMES[kind]}")
    if "executable" not in values.get("launcher", {}):
        raise InputError('the LSMS executable is missing; add executable = "PATH" under [launcher]')
    workers = values.get("workers", 1)
    if not 1 <= workers <= MAX_WORKERS:
        raise InputError(f"workers is {workers}; give a number from 1 to {MAX_WORKERS}")
    preset = values.get("preset", system if system in PRESETS else "none")
    base = {} if preset == "none" else load_preset(preset)
    return BridgeConfiguration(
        make_parameters(base | values.get("parameters", {})),
        _make(Launcher, values["launcher"], "[launcher]"),
        _make(Effort, values.get("effort", {}), "[effort]"),
        _folder(values.get("folder", f"lsms-{Path(system).stem}"), parent),
        workers,
        _known(values.get("known"), parent),
    )


_KINDS = {
    "preset": str,
    "folder": str,
    "known": str,
    "workers": int,
    "launcher": dict,
    "parameters": dict,
    "effort": dict,
}
_KIND_NAMES = {str: "a text", int: "a whole number", dict: "a table"}


def make_parameters(values: Mapping[str, Any]) -> LsmsParameters:
    """Make parameters of what a file says about them.

    Raises
    ------
    InputError
        If a key is not known or a value is wrong.
    """
    chosen = dict(values)
    for name in ("moments", "electrons"):
        if not isinstance(chosen.get(name, {}), dict):
            raise InputError(f"parameters: {name} is {chosen[name]!r}; give a table with one entry for each element")
    for symbol, division in chosen.get("electrons", {}).items():
        if not isinstance(division, dict):
            raise InputError(f"electrons of {symbol} are {division!r}; give a table with core, semicore and valence")
    divisions = {
        symbol: _make(Electrons, division, f"electrons of {symbol}")
        for symbol, division in chosen.get("electrons", {}).items()
    }
    return _make(LsmsParameters, chosen | {"electrons": divisions}, "[parameters]")


def _make(kind: type, values: Mapping[str, Any], where: str) -> Any:
    fields = {item.name: item for item in dataclasses.fields(kind)}
    _check_keys(values, fields, where)
    lacking = [name for name, item in fields.items() if name not in values and _is_needed(item)]
    if lacking:
        raise InputError(f"{where}: {', '.join(lacking)} is missing; add it")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _is_needed(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _check_keys(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InputError(f"unknown key {unknown[0]!r} in {where}; known keys are {', '.join(known)}")


def _folder(name: str, parent: Path) -> Path:
    if not name or "\0" in name:
        raise InputError(f"folder is {name!r}; give the name of a folder")
    return (parent / name).resolve()


def _known(name: str | None, parent: Path) -> str | None:
    return name if name is None or name in SHIPPED else str(parent / name)
