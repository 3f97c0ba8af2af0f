"""What is known after a generation of the loop, as numbers that go into a file and come back the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lsms_bridge.exploration import Estimate, Thermal
from wanglandau.levels import BOLTZMANN, MEV_PER_RY

NOISE = 1e-3
"""Differences below this, meV/atom, are none: less than first-principles energies are converged to."""


@dataclass(frozen=True, eq=False)
class NewPoints:
    """What the dear oracle was asked for, and what the committee had said before.

    Attributes
    ----------
    keys : uint64[n]
        Canonical keys of the orbits.
    compositions : int64[n]
    reasons : tuple of str
        Why each was chosen, see :mod:`lsms_bridge.acquisition`.
    predicted, spread, found : float64[n], Ry per cell
        Mixing energy by the committee that had not seen them, standard deviation of its members, and the truth.
    """

    keys: np.ndarray
    compositions: np.ndarray
    reasons: tuple[str, ...]
    predicted: np.ndarray
    spread: np.ndarray
    found: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    def errors(self, n_sites: int, reason: str | None = None) -> dict[str, float]:
        """Sum up the errors.

        Parameters
        ----------
        n_sites : int
        reason : str, optional
            Only of those chosen so.

        Returns
        -------
        dict
            ``n``; ``rmse``, ``bias`` (prediction less truth) and ``rms_spread`` in meV/atom; ``z_rms``, the root mean
            square of error over spread, where a spread below the noise counts as the noise. nan where there are none.
        """
        chosen = np.array([reason in (None, own) for own in self.reasons], dtype=bool)
        if not chosen.any():
            return {"n": 0} | dict.fromkeys(("rmse", "bias", "rms_spread", "z_rms"), float("nan"))
        unit = MEV_PER_RY / n_sites
        error, spread = (self.predicted - self.found)[chosen] * unit, self.spread[chosen] * unit
        return {
            "n": int(chosen.sum()),
            "rmse": float(np.sqrt(np.mean(error**2))),
            "bias": float(error.mean()),
            "rms_spread": float(np.sqrt(np.mean(spread**2))),
            "z_rms": float(np.sqrt(np.mean((error / np.maximum(spread, NOISE)) ** 2))),
        }


@dataclass(frozen=True, eq=False)
class Finding:
    """What a generation found at one composition.

    Attributes
    ----------
    composition : int
    thermal : Thermal
        By the committee of this generation.
    ground_before, ground_after : float, Ry per cell
        Lowest energy that the dear oracle has given, before and after this generation; infinite where none.
    ground_key : int
        Orbit of that energy, after; -1 where none.
    predicted_ground : float, Ry per cell
        Lowest energy by the committee.
    predicted_key : int
    predicted_gap : float, Ry per cell
        How far that orbit lies above the lowest energy known, both by the dear oracle and after this generation; nan
        where it has not been computed.
    predicted_spread : float, Ry per cell
        Spreads of the committee at that orbit and at the one of lowest energy known, added in squares.
    contenders_left, ordered_left : int
        Orbits not computed that might lie below the known ground state, and ordered ones.
    n_candidates : int
    complete : bool
        Whether the candidates are all orbits.
    """

    composition: int
    thermal: Thermal
    ground_before: float
    ground_after: float
    ground_key: int
    predicted_ground: float
    predicted_key: int
    predicted_gap: float
    predicted_spread: float
    contenders_left: int
    ordered_left: int
    n_candidates: int
    complete: bool


class ThermalErrors(NamedTuple):
    """Errors of the heat capacity.

    Attributes
    ----------
    peak_temperature : float, K
    peak_height : float, k_B per atom
    capacity : float64[n_temperatures], k_B per atom
    """

    peak_temperature: float
    peak_height: float
    capacity: np.ndarray


@dataclass(frozen=True, eq=False)
class Generation:
    """One generation.

    Attributes
    ----------
    number : int
        From 0.
    n_sites : int
    n_training : int
        Configurations that the committee learnt from.
    n_orbits : int
        Different orbits known after this generation.
    new : NewPoints
    findings : tuple of Finding
        One for each composition.
    seconds : mapping of str to float
        Wall time of its parts; nothing depends on it.
    """

    number: int
    n_sites: int
    n_training: int
    n_orbits: int
    new: NewPoints
    findings: tuple[Finding, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def error_factor(self) -> float:
        """By what the error of the model is enlarged: by how much the committee was wrong beyond its own spread."""
        z_rms = self.new.errors(self.n_sites)["z_rms"]
        return max(1.0, z_rms) if np.isfinite(z_rms) else 1.0

    def scatter(self, temperatures: float | np.ndarray) -> np.ndarray:
        """Return what errors that no two configurations share add to C, ``float64[...]``, k_B per atom.

        Independent errors of standard deviation s per atom are a random energy of the cell, which adds (N s / kT)^2 / N
        (B. Derrida, Phys. Rev. B 24, 2613, 1981), whatever the members say, who may share them all. For s the error on
        the new points is taken.
        """
        rmse = self.new.errors(self.n_sites)["rmse"]
        energy = 0.0 if np.isnan(rmse) else self.n_sites * rmse / MEV_PER_RY
        return np.asarray((energy / (BOLTZMANN * temperatures)) ** 2 / self.n_sites)

    def errors_of(self, finding: Finding) -> ThermalErrors:
        """Return the errors of what was found at one composition: sampling, model and scatter together."""
        thermal, factor = finding.thermal, self.error_factor
        return ThermalErrors(
            float(thermal.peak_temperature.error(factor)),
            float(np.hypot(thermal.peak_height.error(factor), self.scatter(thermal.peak_temperature.value))),
            np.hypot(thermal.capacity.error(factor), self.scatter(thermal.temperatures)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists; numbers that are not finite stay so."""
        values = _plain(self)
        values["errors_mev_per_atom"] = self.new.errors(self.n_sites)
        values["fresh_errors_mev_per_atom"] = self.new.errors(self.n_sites, "fresh")
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Generation:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        new = values["new"]
        points = NewPoints(
            np.array(new["keys"], dtype=np.uint64),
            np.array(new["compositions"], dtype=np.int64),
            tuple(new["reasons"]),
            *(np.array(new[name], dtype=np.float64) for name in ("predicted", "spread", "found")),
        )
        findings = tuple(Finding(**{**one, "thermal": _thermal(one["thermal"])}) for one in values["findings"])
        number, n_sites, n_training, n_orbits = (int(values[name]) for name in _COUNTS)
        return cls(number, n_sites, n_training, n_orbits, points, findings, dict(values["seconds"]))


_COUNTS = ("number", "n_sites", "n_training", "n_orbits")


def _thermal(values: Mapping[str, Any]) -> Thermal:
    estimates = {
        name: Estimate(*(np.array(values[name][part]) for part in ("value", "sampling", "model")))
        for name in ("capacity", "peak_temperature", "peak_height")
    }
    temperatures = np.array(values["temperatures"])
    return Thermal(temperatures, **estimates, inside=bool(values["inside"]), trusted=bool(values["trusted"]))


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
