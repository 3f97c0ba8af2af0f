"""What commands do before their work: load the system and the oracle, check where results go."""

from __future__ import annotations

import os
from pathlib import Path

from wanglandau.errors import InputError
from wanglandau.oracle import EnergyOracle
from wanglandau.oracle_registry import load_oracle
from wanglandau.progress import show
from wanglandau.systems import System, load_system


def prepare(
    name: str, specification: str, composition: int | None, repeat: tuple[int, int, int] | None
) -> tuple[System, EnergyOracle, int]:
    """Load the system and its oracle, and settle the composition.

    Parameters
    ----------
    name, specification : str
        As given for SYSTEM and ``--oracle``.
    composition : int or None
        None: the system's own.
    repeat : tuple of three int, or None

    Raises
    ------
    InputError
        If any of them does not exist or does not fit the others.
    """
    system = load_system(name, repeat)
    n_second = system.composition if composition is None else composition
    if not 0 <= n_second <= system.lattice.n_sites:
        raise InputError(f"composition {n_second} is out of range; choose 0 to {system.lattice.n_sites} for this cell")
    show(f"loading the energies of {specification}")
    return system, load_oracle(specification, system), n_second


FIGURE_FORMATS = (".png", ".pdf", ".svg")


def check_figure(path: Path | None) -> None:
    """Refuse a figure of a kind that cannot be drawn, before the work.

    Raises
    ------
    InputError
        If the ending is not one of ``FIGURE_FORMATS``.
    """
    if path is not None and path.suffix.lower() not in FIGURE_FORMATS:
        raise InputError(f"figure {path} has no known format; let its name end in {', '.join(FIGURE_FORMATS)}")
    check_writable(path)


def check_folder(path: Path) -> None:
    """Refuse a folder to be filled that could not be made.

    Raises
    ------
    InputError
        If a file stands in its place, or the folder it is to lie in does not exist or cannot be written to.
    """
    if path.is_dir():
        return
    if path.exists():
        raise InputError(f"{path} is a file; give the name of a folder")
    check_writable(path)


def check_writable(*paths: Path | None) -> None:
    """Refuse before hours of work what could not be written after them.

    Raises
    ------
    InputError
        If there is no such folder, it cannot be written to, or a folder stands in the place of the file.
    """
    for path in paths:
        if path is None:
            continue
        folder = path.absolute().parent
        if not folder.is_dir():
            raise InputError(f"folder {path.parent} does not exist; create it or choose another place for {path.name}")
        if not os.access(folder, os.W_OK):
            raise InputError(f"folder {path.parent} cannot be written to; choose another place for {path.name}")
        if path.is_dir():
            raise InputError(f"{path} is a folder; give the name of a file in it, say {path / 'result'}")
