"""An oracle whose energies are dear: no configuration is asked for twice, and what was asked is counted."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from wanglandau.lattice import Lattice
from wanglandau.oracle import EnergyOracle, checked_energies
from wanglandau.orbits import MAX_KEY_SITES, canonical_keys


class AskedOnce:
    """Energies of another oracle, which is asked for each configuration once, in one batch a call.

    Where that oracle is invariant under the symmetry of the lattice (and there are at most 64 sites), the energy of the
    first configuration of an orbit stands for the whole orbit. Nothing is kept beyond the life of this object: an
    oracle that keeps its energies on disk answers a repeated calculation by itself.

    Parameters
    ----------
    oracle : EnergyOracle

    Attributes
    ----------
    calls : int
        Energies that the oracle was asked for.
    requests : int
        Energies that were wanted, repeats included.
    """

    def __init__(self, oracle: EnergyOracle) -> None:
        self._oracle = oracle
        self._by_orbit = oracle.invariant and oracle.lattice.n_sites <= MAX_KEY_SITES
        self._known: dict[Hashable, float] = {}
        self.requests = 0

    @property
    def lattice(self) -> Lattice:
        """Lattice of the oracle."""
        return self._oracle.lattice

    @property
    def reference_energies(self) -> np.ndarray:
        """Reference energies of the oracle, ``float64[2]``, Ry/atom."""
        return self._oracle.reference_energies

    @property
    def identity(self) -> str:
        """Identity of the oracle."""
        return self._oracle.identity

    @property
    def invariant(self) -> bool:
        """Whether the oracle is invariant."""
        return self._oracle.invariant

    @property
    def calls(self) -> int:
        """Energies that the oracle was asked for."""
        return len(self._known)

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each configuration, ``float64[n]``, Ry per cell.

        Parameters
        ----------
        occupations : int8[n, n_sites]

        Raises
        ------
        OracleError
            If the oracle fails; what it was asked for in this call is then not kept.
        """
        keys = self.keys(occupations)
        self.requests += len(keys)
        new = {key: row for row, key in reversed(list(enumerate(keys))) if key not in self._known}
        if new:
            rows = sorted(new.values())
            found = checked_energies(self._oracle, np.ascontiguousarray(occupations[rows]))
            self._known.update(zip((keys[row] for row in rows), found.tolist(), strict=True))
        return np.array([self._known[key] for key in keys], dtype=np.float64)

    def known(self) -> dict[str, np.ndarray]:
        """Return what was asked for, as arrays: for a checkpoint, see :meth:`remember`."""
        keys = list(self._known)
        if self._by_orbit:
            held: np.ndarray = np.array(keys, dtype=np.uint64)
        else:
            rows = np.frombuffer(b"".join(key for key in keys if isinstance(key, bytes)), dtype=np.uint8)
            held = rows.reshape(len(keys), self.lattice.n_sites)
        return {"keys": held, "energies": np.array(list(self._known.values()), dtype=np.float64)}

    def remember(self, known: dict[str, np.ndarray]) -> None:
        """Take up what :meth:`known` gave, so that it need not be asked for again."""
        rows = known["keys"]
        keys: list[Hashable] = rows.tolist() if self._by_orbit else [row.tobytes() for row in rows]
        self._known |= dict(zip(keys, known["energies"].tolist(), strict=True))

    def keys(self, occupations: np.ndarray) -> list[Hashable]:
        """Return what two configurations share if one call does for both, one for each row."""
        if self._by_orbit:
            return list(canonical_keys(self.lattice.symmetry, occupations).tolist())
        return [row.tobytes() for row in occupations]
