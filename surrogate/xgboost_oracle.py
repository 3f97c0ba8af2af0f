"""Boosted trees on the occupations, the baseline of the paper, as an oracle: ``--oracle xgboost:PATH``.

The file is XGBoost's own JSON or UBJSON model with the card of :mod:`surrogate.artefact` as an attribute.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import xgboost

from surrogate.artefact import MAX_FILE, Card
from surrogate.dataset import Dataset
from surrogate.fitting import make_card
from surrogate.network_oracle import finite
from wanglandau.atomic_file import write_atomically
from wanglandau.bounded_file import read_bytes
from wanglandau.errors import FAULTS, InputError, OracleError
from wanglandau.lattice import Lattice
from wanglandau.oracle import Properties, occupation_rows
from wanglandau.seal import KEY, UNSEALED, is_sealed, sealed
from wanglandau.systems import System

N_TREES = 100
"""What XGBoost's estimators take when nothing else is said, as in the paper."""


class XgboostOracle:
    """Mixing energies from boosted trees.

    Parameters
    ----------
    booster : xgboost.Booster
    card : Card
    lattice : Lattice
        The very cell that the trees were trained on.

    Raises
    ------
    InputError
        If the trees do not fit the lattice.
    """

    invariant = False

    def __init__(self, booster: xgboost.Booster, card: Card, lattice: Lattice) -> None:
        card.check_fits(lattice, any_cell=False)
        if booster.num_features() != lattice.n_sites:
            raise InputError(f"the trees ask for {booster.num_features()} sites; the lattice has {lattice.n_sites}")
        self._booster = booster
        self.card = card
        self.caution = card.caution
        self.lattice = lattice
        self.reference_energies = np.array(card.reference_energies, dtype=np.float64)
        content = bytes(booster.save_raw("ubj"))
        self.identity = hashlib.sha256(b"xgboost" + content + lattice.fingerprint.encode()).hexdigest()

    def energies(self, occupations: np.ndarray) -> np.ndarray:
        """Give the mixing energy of each row of ``int8[n, n_sites]``, ``float64[n]``, Ry per cell.

        Raises
        ------
        OracleError
            If XGBoost fails.
        """
        rows = occupation_rows(occupations, self.lattice.n_sites)
        if not len(rows):
            return np.empty(0)
        try:
            predicted = self._booster.inplace_predict(rows.astype(np.float32))
        except xgboost.core.XGBoostError as error:
            raise OracleError(f"XGBoost failed: {_first_line(error)}") from error
        return finite(np.asarray(predicted, dtype=np.float64))

    def properties(self, occupations: np.ndarray) -> Properties:
        """Predict the energy; trees have learnt neither charges nor moments."""
        return Properties(self.energies(occupations), None, None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model; the file is complete or not there."""
        target = Path(path)
        booster = self._booster.copy()
        booster.set_attr(**{KEY: UNSEALED})
        write_atomically(target, sealed(bytes(booster.save_raw("json" if target.suffix == ".json" else "ubj"))))


def fit_xgboost(dataset: Dataset, seed: int = 0) -> XgboostOracle:
    """Train trees on the mixing energies of a data set with XGBoost's default settings."""
    settings = {"objective": "reg:squarederror", "seed": seed}
    data = xgboost.DMatrix(dataset.occupations.astype(np.float32), label=dataset.mixing_energy)
    booster = xgboost.train(settings, data, num_boost_round=N_TREES)
    card = make_card(dataset, "xgboost", ("energy",), {"n_trees": N_TREES}, settings, "xgboost")
    booster.set_attr(card=card.to_json())
    return XgboostOracle(booster, card, dataset.lattice)


def load_xgboost(path: str | os.PathLike[str], lattice: Lattice) -> XgboostOracle:
    """Read trees written by :meth:`XgboostOracle.save`.

    Raises
    ------
    InputError
        If the file cannot be read or does not fit the lattice.
    """
    content = read_bytes(Path(path), "artefact", MAX_FILE)
    if content[:1] != b"{":
        raise InputError(f"{path} is not an XGBoost model in JSON or UBJSON format; make one with 'surrogate train'")
    try:
        unsealed = not is_sealed(content)
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    except (xgboost.core.XGBoostError, *FAULTS) as error:
        raise InputError(f"{path} is not an XGBoost model, or damaged ({_first_line(error)}); make it anew") from error
    if unsealed and booster.attr(KEY) is not None:
        raise InputError(f"{path} cannot be used: its seal is broken; make it anew")
    booster.set_attr(**{KEY: None})
    text = booster.attr("card")
    if text is None:
        raise InputError(f"{path} has no card; make it with 'surrogate train --architecture xgboost'")
    try:
        return XgboostOracle(booster, Card.from_json(text), lattice)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error


def from_argument(argument: str, system: System) -> XgboostOracle:
    """Make the oracle of ``--oracle xgboost:PATH``."""
    if not argument:
        raise InputError("the xgboost oracle needs a model: --oracle xgboost:PATH, from 'surrogate train'")
    return load_xgboost(argument, system.lattice)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
