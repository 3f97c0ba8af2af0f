"""``surrogate learning-curve``."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from surrogate.learning_curve_settings import LearningCurveSettings
from wanglandau.command_line import Report
from wanglandau.ending_settings import EndingSettings
from wanglandau.errors import InputError
from wanglandau.orderly_end import ends_in_order
from wanglandau.run_lock import locked

if TYPE_CHECKING:
    from surrogate.dataset import Dataset
    from surrogate.learning_curve import Curve
    from surrogate.learning_curve_file import CurveFile


@ends_in_order("models that were finished are kept; the same command goes on")
def learning_curve(
    system: str,
    /,
    *,
    settings: LearningCurveSettings,
    ending: EndingSettings,
    dataset: Path | None = None,
    sizes: str = "25,50,100,all",
    wanted: float | None = None,
    folder: Path | None = None,
) -> Report:
    """Train on more and more configurations, one task at a time and all together, and compare the errors.

    The folder receives a report in Markdown, a table of all splits and a figure. Given again, a command that was
    stopped goes on after the last model that it finished.

    Parameters
    ----------
    system : str
        cuau, fept or a TOML file that describes another lattice.
    settings : LearningCurveSettings
        How the curves are made.
    ending : EndingSettings
        When to end early.
    dataset : Path
        Data set in HDF5, or a folder of published text files; the shipped first-principles data unless said otherwise.
    sizes : str
        Comma-separated numbers of training configurations; all is as many as the test leaves, and numbers above that
        are left out.
    wanted : float
        Error of the mixing energy, meV/atom: how many configurations it takes is estimated from the curves.
    folder : Path
        Where report, table and figure go; learning-curve-SYSTEM unless said otherwise.
    """
    from surrogate import learning_curve_report as report
    from surrogate.data_source import load_any
    from surrogate.learning_curve import make_divisions
    from surrogate.learning_curve_file import CurveFile
    from wanglandau.atomic_file import write_atomically
    from wanglandau.extras import optional_packages
    from wanglandau.figure_style import can_draw
    from wanglandau.systems import load_system

    if wanted is not None and not 0 < wanted < math.inf:
        raise InputError(f"wanted is {wanted}; expected an error in meV/atom above 0")
    chosen = load_system(system)
    data = load_any(dataset, chosen)
    numbers = settings.sizes(sizes, len(make_divisions(data, settings)[0].training))
    target = folder or Path(f"learning-curve-{chosen.name}")
    target.mkdir(parents=True, exist_ok=True)
    with locked(target / "lock", str(target)), optional_packages():
        done = CurveFile(target / "learning-curve.json", data, chosen.name, numbers, settings)
        curves = _curves(data, chosen.name, numbers, settings, done)
    figure = "learning-curve.png" if can_draw() else None
    if figure is not None:
        report.draw(curves, numbers, target / figure, str(data.attributes.get("caution", "")))
    source = f"{len(data)} configurations of {data.attributes.get('code', dataset or 'the shipped data set')}."
    command = shlex.join(["surrogate", *sys.argv[1:]])
    text = report.markdown(curves, numbers, settings, source, command, wanted, figure)
    write_atomically(target / "learning-curve.csv", report.csv_table(curves, numbers).encode())
    write_atomically(target / "report.md", text.encode())
    errors = {report.name_of(c): {task: values.tolist() for task, values in c.errors.items()} for c in curves}
    return Report(f"{text}\nwritten to {target}", {"folder": target, "sizes": numbers, "errors": errors})


def _curves(
    data: Dataset, system: str, numbers: list[int], settings: LearningCurveSettings, done: CurveFile
) -> list[Curve]:
    """Train all models, or take up those that are done."""
    from surrogate.learning_curve import learning_curve as curve_of
    from surrogate.learning_curve import models

    curves, chosen, fits = [], models(data), len(numbers) * settings.splits
    with tqdm(total=len(chosen) * fits, unit="fit", disable=None) as bar:
        for architecture, tasks in chosen:
            curve = done.find(architecture, tasks)
            if curve is None:
                curve = curve_of(data, system, architecture, tasks, numbers, settings, bar.update)
                done.add(curve)
            else:
                bar.update(fits)
            curves.append(curve)
    return curves
