"""Converged site potentials to start from: they halve the iterations.

A potential is filed under what shapes it: species, composition of its cell and the numbers of unlike neighbours in the
first two shells. A site takes the nearest one there is. Files are those of LSMS (one text file for a site) and are
named after their drawer, so that the folder is its own index::

    potentials/Cu-0.5000-06-02       species, share of second species, unlike first and second neighbours

Energies depend on where a run started only within its tolerances.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wanglandau.atomic_file import replacing
from wanglandau.lattice import Lattice

MAX_DRAWERS = 4000
"""A library holds no more potentials: 128 MB."""

_NAME = re.compile(r"([A-Z][a-z]?)-([01]\.\d{4})-(\d\d)-(\d\d)")
_COMPOSITION_SCALE = 8.0
"""A difference of the whole composition range counts as much as so many unlike first neighbours."""
_SECOND_SHELL_WEIGHT = 0.5


@dataclass(frozen=True)
class Drawer:
    """What a potential is filed under.

    Attributes
    ----------
    species : str
    composition : float
        Share of second-species atoms in the cell.
    unlike : tuple of two int
        Neighbours of the other species in the first and in the second shell.
    """

    species: str
    composition: float
    unlike: tuple[int, int]

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.species}-{self.composition:.4f}-{self.unlike[0]:02d}-{self.unlike[1]:02d}"

    def distance(self, other: Drawer) -> float:
        """Tell how different two neighbourhoods are."""
        first, second = (abs(mine - others) for mine, others in zip(self.unlike, other.unlike, strict=True))
        return _COMPOSITION_SCALE * abs(self.composition - other.composition) + first + _SECOND_SHELL_WEIGHT * second


class PotentialLibrary:
    """A folder of site potentials; safe to use from several threads of one process.

    Parameters
    ----------
    folder : Path
        Made when the first potential is filed.
    lattice : Lattice
    """

    def __init__(self, folder: Path, lattice: Lattice) -> None:
        self._folder = folder
        self._species = lattice.species
        self._neighbours = [shell.neighbours for shell in lattice.shells(2)]
        self._lock = threading.Lock()
        self._drawers = {drawer.name: drawer for drawer in _list_drawers(folder)}

    def __len__(self) -> int:
        return len(self._drawers)

    def drawers(self, occupations: np.ndarray) -> list[Drawer]:
        """Return the drawer of each site of a configuration, ``int8[n_sites]``."""
        composition = round(float(np.mean(occupations)), 4)
        first, second = (
            (occupations[neighbours] != occupations[:, None]).sum(axis=1).tolist() for neighbours in self._neighbours
        )
        return [
            Drawer(self._species[int(kind)], composition, (first[site], second[site]))
            for site, kind in enumerate(occupations)
        ]

    def choose(self, occupations: np.ndarray) -> tuple[list[Path], tuple[int, ...]] | None:
        """Choose a potential for every site.

        Parameters
        ----------
        occupations : int8[n_sites]

        Returns
        -------
        (list of Path, tuple of int) or None
            Distinct files, and which of them each site takes; None where a species has none.
        """
        with self._lock:
            known = list(self._drawers.values())
        files: dict[Path, int] = {}
        chosen = []
        for wanted in self.drawers(occupations):
            fitting = [drawer for drawer in known if drawer.species == wanted.species]
            if not fitting:
                return None
            nearest = min((wanted.distance(drawer), drawer.name) for drawer in fitting)[1]
            chosen.append(files.setdefault(self._folder / nearest, len(files)))
        return list(files), tuple(chosen)

    def file_away(self, occupations: np.ndarray, folder: Path, stem: str = "w") -> int:
        """Copy the potentials of a converged run into drawers that are empty; return how many were.

        Parameters
        ----------
        occupations : int8[n_sites]
        folder : Path
            Holds ``<stem>.<site>``; files that are missing are passed over.
        stem : str
        """
        filed = 0
        for site, drawer in enumerate(self.drawers(occupations)):
            source = folder / f"{stem}.{site}"
            if drawer.name in self._drawers or len(self._drawers) >= MAX_DRAWERS or not source.is_file():
                continue
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._folder / drawer.name) as temporary:
                shutil.copyfile(source, temporary)
            with self._lock:
                self._drawers[drawer.name] = drawer
            filed += 1
        return filed


def _list_drawers(folder: Path) -> list[Drawer]:
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    matches = [_NAME.fullmatch(name) for name in names]
    return [Drawer(m[1], float(m[2]), (int(m[3]), int(m[4]))) for m in matches if m]
