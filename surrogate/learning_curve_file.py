"""Learning curves that are done, kept in a file so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from surrogate.artefact import write_atomically
from surrogate.dataset import Dataset
from surrogate.learning_curve import Curve
from surrogate.learning_curve_settings import LearningCurveSettings
from wanglandau.errors import InputError

SCHEMA = 1


class CurveFile:
    """Curves of one data set, settings and sizes.

    Parameters
    ----------
    path : Path
        Read if it is there.
    dataset : Dataset
    system : str
        Whose recipes are taken.
    sizes : list of int
    settings : LearningCurveSettings

    Raises
    ------
    InputError
        If the file is damaged or holds curves of something else.
    """

    def __init__(
        self, path: Path, dataset: Dataset, system: str, sizes: list[int], settings: LearningCurveSettings
    ) -> None:
        self._path = path
        self._of: dict[str, Any] = {"schema": SCHEMA, "system": system, "dataset": dataset.digest, "sizes": sizes}
        self._of |= settings.of_result()
        self._curves: list[dict[str, Any]] = self._read() if path.is_file() else []

    def _read(self) -> list[dict[str, Any]]:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            found, curves = dict(values["of"]), list(values["curves"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self._path} is damaged: {error}; delete it to have it made again") from error
        for name, value in self._of.items():
            if found.get(name) != value:
                raise InputError(
                    f"{self._path} holds curves with {name} {found.get(name)!r}, not {value!r}; choose another folder"
                )
        return curves

    def find(self, architecture: str, tasks: tuple[str, ...]) -> Curve | None:
        """Return a curve that is done, None if it is not."""
        for curve in self._curves:
            if (curve["architecture"], tuple(curve["tasks"])) == (architecture, tasks):
                errors = {task: np.array(values) for task, values in curve["errors"].items()}
                return Curve(architecture, tasks, errors)
        return None

    def add(self, curve: Curve) -> None:
        """Keep a curve."""
        errors = {task: values.tolist() for task, values in curve.errors.items()}
        self._curves.append({"architecture": curve.architecture, "tasks": list(curve.tasks), "errors": errors})
        content = json.dumps({"of": self._of, "curves": self._curves}, indent=1, sort_keys=True)
        write_atomically(self._path, f"{content}\n".encode())
