"""Whatever lies at a path, described in one screen: results of this package, and what other packages announce.

A package that writes files of its own announces a function ``describe(path) -> Inspected | None`` as an entry point of
the group ``wanglandau.inspectors``; it returns None for what is none of its files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import h5py

from wanglandau.errors import InputError
from wanglandau.extras import optional_packages
from wanglandau.inspection import Description, describe_any
from wanglandau.result_parts import KINDS, METROPOLIS_KIND, REWEIGHTED_KIND

GROUP = "wanglandau.inspectors"
"""The entry-point group in which packages announce how to describe their files."""
MOST_NAMES = 6
_SEE = "see 'wanglandau"
_OTHERS = {
    ".xyz": "configurations for other programs; read them with ase.io.read(FILE, ':')",
    ".csv": "a table; read it with pandas.read_csv(FILE)",
    ".toml": "a description of a system or a file of options; give it to a command as SYSTEM or after --config",
    ".png": "a picture",
    ".pdf": "a picture",
    ".svg": "a picture",
    ".md": "a report to be read",
}


@dataclass(frozen=True)
class Inspected:
    """What there is to say of a file or folder.

    Attributes
    ----------
    head : str
        For people.
    values : dict
        The same for programs.
    next_steps : tuple of str
        What to do next, commands as far as possible.
    draw, write_csv : callable or None
        Write a figure or a table to a path, where there is one.
    instead : str
        Where to look if there is none.
    """

    head: str
    values: dict[str, Any]
    next_steps: tuple[str, ...] = ()
    draw: Callable[[Path], None] | None = None
    write_csv: Callable[[Path], None] | None = None
    instead: str = "leave the option out"

    @property
    def text(self) -> str:
        """All that people read."""
        return "\n".join([self.head, *(f"next: {step}" for step in self.next_steps)])


Inspector = Callable[[Path], Inspected | None]


def inspect_path(path: Path) -> Inspected:
    """Describe a file or folder.

    Raises
    ------
    InputError
        If there is nothing, or nothing that these programs write, or it is damaged.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder {path}; give one that these programs wrote")
    for describe in (_describe_own, *_announced()):
        with optional_packages():
            found = describe(path)
        if found is not None:
            return found
    raise InputError(_unknown(path))


def _announced() -> list[Inspector]:
    return [entry.load() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)]


def _describe_own(path: Path) -> Inspected | None:
    if path.is_dir():
        from wanglandau.scaling_inspection import describe_scaling

        return describe_scaling(path)
    kind = _kind_of(path)
    if kind in KINDS:
        return _describe_result(path, kind)
    from wanglandau import trajectory

    if kind != trajectory.KIND:
        return None
    from wanglandau.trajectory_inspection import describe_trajectory

    return describe_trajectory(path)


def _kind_of(path: Path) -> str:
    """Return what the file says it is; empty where it says nothing."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("kind", ""))
    except OSError:
        return ""


def _describe_result(path: Path, kind: str) -> Inspected:
    from wanglandau import next_steps

    if kind == METROPOLIS_KIND:
        return _of_metropolis(path)
    if kind == REWEIGHTED_KIND:
        return _of_reweighting(path)
    from wanglandau.run_file import ExactRecord, RunRecord
    from wanglandau.semigrand_file import read_any_result

    record = read_any_result(path)
    described, steps = describe_any(record), next_steps.after_density(record, path)
    if isinstance(record, RunRecord):
        from wanglandau.figures import density_figure

        return _inspected(described, steps, partial(density_figure, record=record), None, f"{_SEE} thermo {path}'")
    if isinstance(record, ExactRecord):
        from wanglandau.exact_figure import exact_figure

        return _inspected(described, steps, partial(exact_figure, record=record), None, f"{_SEE} thermo {path}'")
    return _inspected(described, steps, None, None, f"{_SEE} mixing {path}'")


def _of_metropolis(path: Path) -> Inspected:
    from wanglandau.metropolis_figure import metropolis_figure
    from wanglandau.metropolis_file import read_metropolis
    from wanglandau.metropolis_inspection import describe_metropolis, format_csv
    from wanglandau.next_steps import after_metropolis

    record = read_metropolis(path)
    return _inspected(
        describe_metropolis(record),
        after_metropolis(record, path),
        lambda target: metropolis_figure(target, record),
        lambda target: write_table(target, format_csv(record)),
    )


def _of_reweighting(path: Path) -> Inspected:
    from wanglandau.figures import thermodynamics_figure
    from wanglandau.next_steps import after_reweighting
    from wanglandau.reweighted_file import read_reweighted
    from wanglandau.reweighted_inspection import describe_reweighted
    from wanglandau.temperature_curves import TemperatureCurves

    record = read_reweighted(path)
    curves = record.curves
    return _inspected(
        describe_reweighted(record),
        after_reweighting(record, path),
        lambda target: thermodynamics_figure(target, curves.thermal),
        lambda target: write_table(target, TemperatureCurves(curves.thermal, curves.peak).csv()),
    )


def _inspected(
    described: Description,
    steps: list[str],
    draw: Callable[[Path], None] | None,
    write_csv: Callable[[Path], None] | None,
    instead: str = "leave the option out",
) -> Inspected:
    return Inspected(described.text, described.values, tuple(steps), draw, write_csv, instead)


def write_table(path: Path, text: str) -> None:
    """Write the text of a table to a file."""
    path.write_text(text, encoding="utf-8")


def _unknown(path: Path) -> str:
    kinds = "results, trajectories, data sets, trained models, and folders of scaling, study, learn and campaigns"
    if not path.is_dir():
        if path.suffix.lower() in _OTHERS:
            return f"{path} is by its name {_OTHERS[path.suffix.lower()]}; inspect describes {kinds}"
        return f"{path} is nothing that these programs write, or damaged; inspect describes {kinds}"
    names = sorted(item.name for item in path.iterdir() if item.suffix in (".h5", ".safetensors", ".ubj"))
    if not names:
        return f"folder {path} holds nothing that these programs write; inspect describes {kinds}"
    some = ", ".join(names[:MOST_NAMES]) + (" ..." if len(names) > MOST_NAMES else "")
    return f"folder {path} is none that these programs make as a whole; inspect one of its files: {some}"
