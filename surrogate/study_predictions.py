"""Predictions of the models of a study for the test part of the first split, and all its figures, in HDF5."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surrogate.dataset import Dataset
from surrogate.settings import TASKS
from wanglandau.hdf5_parts import reading, writing
from wanglandau.oracle import Properties
from wanglandau.seal import KEY

UNITS = {"energy": "Ry per cell, mixing energy", "charge": "electrons", "moment": "mu_b"}


def write_predictions(file: Path, test: Dataset, predicted: Properties, tasks: tuple[str, ...]) -> None:
    """Write reference and prediction of every task of a model, ``float64[n]`` or ``float64[n, n_sites]``."""
    with writing(file) as target:
        target["occupations"] = test.occupations
        for task in tasks:
            reference = test.mixing_energy if task == "energy" else getattr(test, task)
            for name, values in (("reference", reference), ("predicted", getattr(predicted, task))):
                target[f"{task}/{name}"] = values
                target[f"{task}/{name}"].attrs["units"] = UNITS[task]


def read_predictions(file: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return reference and prediction by task; nothing where there is no such file."""
    if not file.is_file():
        return {}
    with reading(file) as source:
        return {t: (source[f"{t}/reference"][:], source[f"{t}/predicted"][:]) for t in TASKS if t in source}


def write_results(folder: Path, columns: dict[str, dict[str, np.ndarray]]) -> None:
    """Write the whole study as ``results.h5``: by model the figures of every split and the predictions of the first.

    Parameters
    ----------
    folder : Path
        Where the predictions of each model lie.
    columns : dict of str to dict of str to float64[n_splits]
        By what the files of a model are called, and by name of the figure.
    """
    with writing(folder / "results.h5") as target:
        for slug, figures in columns.items():
            group = target.create_group(slug)
            for name, values in figures.items():
                group[f"splits/{name}"] = values
            predictions = folder / f"{slug}.h5"
            if predictions.is_file():
                with reading(predictions) as source:
                    source.copy(source, group, "first_split")
                    del group["first_split"].attrs[KEY]
