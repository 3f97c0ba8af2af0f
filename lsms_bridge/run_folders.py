"""Runs of LSMS that were made elsewhere: folders with ``k.out``, ``info_evec_out`` and what LSMS printed.

They are judged like one's own runs. The tolerances a run was asked to reach come from what it printed; that LSMS was
given the same parameters in all of them is for the user to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lsms_bridge.failures import LsmsError
from lsms_bridge.result import (
    Result,
    Tolerances,
    check_not_stopped,
    explain_exit,
    read_result,
    read_stdout,
    tolerances_printed,
)
from wanglandau.bounded_file import read_text
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice

IMPORTED = "imported"
"""Source of results that were made elsewhere."""
PRINTED = ("stdout", "lsms.out", "out", "log")
"""Names under which people keep what LSMS printed."""
MAX_DEPTH = 8
MAX_STATUS = 1000
"""Sanity limit on a file that holds an exit status (bytes)."""


@dataclass(frozen=True)
class Found:
    """A folder with a run.

    Attributes
    ----------
    folder : Path
    result : Result or None
        None where the run does not count.
    reason : str
        Why not.
    program : str
        "asa" or "mt"; empty where it is not known.
    """

    folder: Path
    result: Result | None
    reason: str = ""
    program: str = ""


def find_runs(folder: Path) -> list[Path]:
    """List the folders below (and with) this one that hold a run, by name; links to folders are not followed.

    Raises
    ------
    InputError
        If the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; give the one that holds the runs")
    found = [folder] if _holds_run(folder) else []
    level = [folder]
    for _ in range(MAX_DEPTH):
        level = [
            path for parent in level for path in sorted(parent.iterdir()) if path.is_dir() and not path.is_symlink()
        ]
        found += [path for path in level if _holds_run(path)]
    return found


def _holds_run(folder: Path) -> bool:
    names = ("k.out", "info_evec_out", "i_lsms", *PRINTED[:2])
    return any((folder / name).is_file() and not (folder / name).is_symlink() for name in names)


def read_runs(folders: Sequence[Path], lattice: Lattice, asked: Tolerances | None = None) -> list[Found]:
    """Judge runs.

    Parameters
    ----------
    folders : sequence of Path
    lattice : Lattice
    asked : Tolerances, optional
        What runs had to reach, instead of what each printed.
    """
    return [_read_run(folder, lattice, asked) for folder in folders]


def _read_run(folder: Path, lattice: Lattice, asked: Tolerances | None) -> Found:
    tolerances = asked or tolerances_printed(read_stdout(folder, PRINTED))
    try:
        code = _exit_status(folder)
        if code:
            raise explain_exit(code, folder)
        check_not_stopped(folder)
        if tolerances is None:
            return Found(folder, None, "LSMS did not print which tolerances it had to reach; give --tolerances")
        return Found(folder, read_result(folder, lattice, tolerances), program=tolerances.program)
    except LsmsError as error:
        return Found(folder, None, f"{error.failure.name.lower().replace('_', ' ')}: {error}")


def _exit_status(folder: Path) -> int:
    """Return the exit status that stands in a file ``rc`` (a number, also as ``rc=0``), 0 where there is none."""
    try:
        words = read_text(folder / "rc", "exit status", MAX_STATUS, "ascii").replace("rc=", " ").split()
        return int(words[0])
    except (ValueError, IndexError):
        return 0
