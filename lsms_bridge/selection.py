"""Which configurations a campaign computes: never two of an orbit, never one that is known.

``balanced`` draws at random, equally over compositions; ``ordered`` takes the most symmetric ones; ``lowest`` takes
those of lowest energy by a cheap oracle at each composition, ``highest`` the others; ``list`` reads a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lsms_bridge.canonical import as_text, from_text, representatives
from surrogate.dataset import load_dataset
from wanglandau.bounded_file import read_text
from wanglandau.configurations import balanced_configurations
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle, checked_energies
from wanglandau.orbits import MAX_ENUMERATED_SITES, enumerate_orbits, occupations_from_keys
from wanglandau.ordered_structures import ordered_structures

Kind = Literal["balanced", "ordered", "lowest", "highest", "list"]
SOURCES = {"balanced": "random", "ordered": "ordered", "lowest": "low", "highest": "high", "list": "list"}
"""What data sets call a configuration that was chosen so."""
MAX_ORDERED_ORBIT = 24
"""An orbit of at most so many members counts as ordered."""
MAX_LIST = 2**28
"""Sanity limit on a text list of configurations (bytes)."""
_BATCH = 65536

IsKnown = Callable[[np.ndarray], bool]


@dataclass(frozen=True)
class Selection:
    """How configurations are chosen.

    Attributes
    ----------
    kind : {"balanced", "ordered", "lowest", "highest", "list"}
    count : int or None
        Largest number of new configurations; None takes all there are (not for balanced).
    compositions : tuple of int
        Numbers of second-species atoms to choose from.
    seed : int
    """

    kind: Kind
    count: int | None
    compositions: tuple[int, ...]
    seed: int = 0


def select(lattice: Lattice, selection: Selection, is_known: IsKnown, cheap: EnergyOracle | None = None) -> np.ndarray:
    """Choose representatives of orbits that are not known.

    Parameters
    ----------
    lattice : Lattice
    selection : Selection
        Of any kind but ``list``.
    is_known : callable
        Tells of a representative, int8[n_sites], whether it is known.
    cheap : EnergyOracle, optional
        Needed for ``lowest`` and ``highest``.

    Returns
    -------
    int8[n, n_sites]
        Alternating between compositions.

    Raises
    ------
    InputError
        If the selection is not possible.
    """
    if selection.kind == "balanced":
        if selection.count is None:
            raise InputError("a balanced selection needs a number: give --count")
        parts = _random(lattice, selection, is_known)
    elif selection.kind == "ordered":
        parts = _ordered(lattice, selection, is_known)
    else:
        if cheap is None:
            raise InputError(f"a selection of {selection.kind} energies needs a cheap oracle: give --oracle")
        parts = _extreme(lattice, selection, is_known, cheap)
    rows = list(_in_turn(parts))[: selection.count]
    return np.array(rows, dtype=np.int8).reshape(len(rows), lattice.n_sites)


def read_configurations(path: Path, lattice: Lattice) -> np.ndarray:
    """Read a list: a data set (``.h5``), or text with one configuration a line, a 0 or 1 for each site.

    Raises
    ------
    InputError
        If the file cannot be read or does not fit the lattice.
    """
    if path.suffix == ".h5":
        data = load_dataset(path)
        if data.lattice.fingerprint != lattice.fingerprint:
            raise InputError(
                f"{path} is for another lattice of {data.lattice.n_sites} sites, this one has {lattice.n_sites}; "
                "give a "
                "data set of this cell"
            )
        return data.occupations
    rows = []
    for place, line in enumerate(map(str.strip, read_text(path, "list", MAX_LIST, "ascii").splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        if len(line) != lattice.n_sites or set(line) - {"0", "1"}:
            raise InputError(f"{path}: line {place} is not {lattice.n_sites} times 0 or 1; write one digit a site")
        rows.append(from_text(line))
    if not rows:
        raise InputError(f"{path} holds no configuration; write one on each line")
    return np.array(rows)


def _random(lattice: Lattice, selection: Selection, is_known: IsKnown) -> list[list[np.ndarray]]:
    """Draw at each composition until there are enough, or all."""
    assert selection.count is not None
    enough = -(-selection.count // len(selection.compositions))
    parts: list[list[np.ndarray]] = []
    for composition in selection.compositions:
        found: list[np.ndarray] = []
        drawn, last = enough, -1
        while len(found) < selection.count and len(found) < enough + 1 and drawn != last:
            rng = np.random.default_rng([selection.seed, composition])
            rows = balanced_configurations(
                lattice.n_sites, 2 * drawn, rng=rng, permutations=lattice.symmetry, compositions=[composition]
            )
            found = [row for row in representatives(lattice, rows) if not is_known(row)]
            last, drawn = (drawn, drawn) if len(rows) < 2 * drawn else (last, 2 * drawn)
        rng = np.random.default_rng([selection.seed, composition])
        parts.append([found[place] for place in rng.permutation(len(found))])
    return parts


def _ordered(lattice: Lattice, selection: Selection, is_known: IsKnown) -> list[list[np.ndarray]]:
    """Take the structures that have names, and where orbits can be listed all small ones, the smallest first."""
    named = list(ordered_structures(lattice).values())
    parts = []
    for composition in selection.compositions:
        rows = [row for row in named if row.sum() == composition]
        if lattice.n_sites <= MAX_ENUMERATED_SITES:
            orbits = enumerate_orbits(lattice, composition)
            small = np.flatnonzero(orbits.sizes <= MAX_ORDERED_ORBIT)
            small = small[np.argsort(orbits.sizes[small], kind="stable")]
            rows += list(occupations_from_keys(orbits.keys[small], lattice.n_sites))
        parts.append(_new(lattice, rows, is_known))
    return parts


def _extreme(lattice: Lattice, selection: Selection, is_known: IsKnown, cheap: EnergyOracle) -> list[list[np.ndarray]]:
    if lattice.n_sites > MAX_ENUMERATED_SITES:
        raise InputError(
            f"lowest energies are found by listing orbits, up to {MAX_ENUMERATED_SITES} sites; this cell has "
            f"{lattice.n_sites}: take configurations of a walk with --select list"
        )
    sign = 1.0 if selection.kind == "lowest" else -1.0
    parts = []
    for composition in selection.compositions:
        orbits = enumerate_orbits(lattice, composition)
        batches = [orbits.occupations(first, first + _BATCH) for first in range(0, len(orbits), _BATCH)]
        energies = sign * np.concatenate([checked_energies(cheap, batch) for batch in batches])
        limit = len(energies) if selection.count is None else selection.count + 1000
        first = np.argsort(energies, kind="stable")[:limit]
        parts.append(_new(lattice, occupations_from_keys(orbits.keys[first], lattice.n_sites), is_known))
    return parts


def _new(lattice: Lattice, rows: Sequence[np.ndarray] | np.ndarray, is_known: IsKnown) -> list[np.ndarray]:
    if not len(rows):
        return []
    found: dict[str, np.ndarray] = {}
    for row in representatives(lattice, np.asarray(rows, dtype=np.int8)):
        if not is_known(row):
            found.setdefault(as_text(row), row)
    return list(found.values())


def _in_turn(parts: Sequence[Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield the first of each part, then the second of each, and so on."""
    for place in range(max(map(len, parts), default=0)):
        yield from (part[place] for part in parts if place < len(part))
