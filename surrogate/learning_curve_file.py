"""Learning curves that are done, kept in a file so that a run that was stopped goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from surrogate.dataset import Dataset
from surrogate.kept_results import read_json, write_json
from surrogate.learning_curve import Curve
from surrogate.learning_curve_settings import LearningCurveSettings
from wanglandau.run_description import refuse_different

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
        kept: dict[str, Any] = read_json(path, "of", "curves") if path.is_file() else {"of": self._of, "curves": []}
        refuse_different(path, kept.get("of", {}), self._of, "choose another folder")
        self._curves: list[dict[str, Any]] = kept.get("curves", [])

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
        write_json(self._path, {"of": self._of, "curves": self._curves})
