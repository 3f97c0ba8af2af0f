"""Learning curves as tables and a figure, with the answer whether learning several tasks together helps."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from surrogate.learning_curve import FIGURES, LEARNT, Curve
from surrogate.learning_curve_settings import LearningCurveSettings
from surrogate.markdown_table import markdown_table
from surrogate.study_models import name_of_tasks
from wanglandau.figure_style import new_figure, save_figure

SIGNIFICANT = 2.0
"""Standard errors of the mean difference over the splits that make a difference."""

NEGLIGIBLE = 0.01
"""Relative difference that is none, however sure."""
MOST_CONFIGURATIONS = 1e6


class Difference(NamedTuple):
    """Multitask less single-task error at the largest size, over the same splits.

    Attributes
    ----------
    ratio : float
        Geometric mean of multitask over single-task errors.
    mean, standard_error : float
        Of the logarithm of that ratio. Test parts of the splits overlap, so that the error is rather too small.
    """

    ratio: float
    mean: float
    standard_error: float

    @property
    def verdict(self) -> str:
        """What it says in a word."""
        if abs(self.mean) < max(SIGNIFICANT * self.standard_error, NEGLIGIBLE):
            return "no difference"
        return "helps" if self.mean < 0 else "hurts"


def name_of(curve: Curve) -> str:
    """Return what tables call a model."""
    return f"{name_of_tasks(curve.tasks)}, {_network(curve.architecture)}"


def _network(architecture: str) -> str:
    return "dense, learnt weights" if architecture == LEARNT else architecture


def multitask_difference(single: np.ndarray, several: np.ndarray) -> Difference:
    """Compare errors, ``float64[n_splits]`` each, of the same splits."""
    logs = np.log(several) - np.log(single)
    mean = float(logs.mean())
    return Difference(float(np.exp(mean)), mean, float(logs.std(ddof=1) / np.sqrt(len(logs))))


def size_needed(sizes: list[int], errors: np.ndarray, wanted: float) -> float:
    """Extend a power law through mean errors, ``float64[n_sizes]``, to where it meets an error; nan if it rises."""
    if len(sizes) < 2:
        return float("nan")
    slope, start = np.polyfit(np.log(sizes), np.log(errors), 1)
    return float(np.exp((np.log(wanted) - start) / slope)) if slope < 0 else float("nan")


def markdown(
    curves: list[Curve],
    sizes: list[int],
    settings: LearningCurveSettings,
    source: str,
    command: str,
    wanted: float | None,
    figure: str | None,
) -> str:
    """Write the report.

    Parameters
    ----------
    curves : list of Curve
    sizes : list of int
    settings : LearningCurveSettings
    source : str
        What the data are, in a sentence.
    command : str
        That made it.
    wanted : float or None
        Error of the mixing energy, meV/atom: the number of configurations that it takes is estimated.
    figure : str or None
        File to show.
    """
    lines = [
        "# Learning curves",
        "",
        f"{source} {settings.splits} splits by orbit, {settings.test_share:.0%} of the orbits held out for the test, "
        f"the same for all models; seed {settings.seed}. Dense networks: {settings.epochs} epochs, symmetry images in "
        "every batch; tasks weigh the same in units of their spread or, with learnt weights, in those of their present "
        f"error. Lattice networks: as shipped. Made by `{command}`.",
    ]
    if figure is not None:
        lines += ["", f"![learning curves]({figure})"]
    for task, (_, unit) in FIGURES.items():
        chosen = [curve for curve in curves if task in curve.tasks]
        if chosen:
            lines += ["", f"## RMSE of the {task} ({unit}), mean ± deviation over the splits", ""]
            lines += _error_table(chosen, task, sizes)
    lines += ["", "## Does learning several tasks together help?", "", *_answer(curves, sizes)]
    if wanted is not None:
        lines += ["", *_needed(curves, sizes, wanted)]
    return "\n".join(lines) + "\n"


def csv_table(curves: list[Curve], sizes: list[int]) -> str:
    """Write every split of every model as a row."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["model", "task", "size", "split", "rmse"])
    for curve in curves:
        for task, errors in curve.errors.items():
            for size, row in zip(sizes, errors, strict=True):
                writer.writerows([name_of(curve), task, size, number, value] for number, value in enumerate(row))
    return text.getvalue()


def draw(curves: list[Curve], sizes: list[int], path: Path, note: str) -> None:
    """Draw error against size, a panel a task."""
    tasks = [task for task in FIGURES if any(task in curve.tasks for curve in curves)]
    with new_figure(3.4 * len(tasks), 4.4) as figure:
        for panel, task in zip(np.ravel(figure.subplots(1, len(tasks), squeeze=False)), tasks, strict=True):
            for curve in curves:
                if task in curve.errors:
                    errors = curve.errors[task]
                    style = {
                        "marker": "o" if curve.architecture == "lattice" else "s",
                        "ms": 4,
                        "lw": 1.0,
                        "capsize": 2,
                    }
                    line = "-" if len(curve.tasks) > 1 else "--"
                    mean, spread = errors.mean(axis=1), errors.std(axis=1, ddof=1)
                    panel.errorbar(sizes, mean, spread, label=name_of(curve), linestyle=line, **style)
            panel.set(xscale="log", yscale="log", xlabel="training configurations")
            panel.set_ylabel(f"RMSE of the {task} ({FIGURES[task][1]})")
            panel.set_xticks(sizes, [str(size) for size in sizes])
            panel.minorticks_off()
            panel.grid(alpha=0.3, lw=0.5)
            panel.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False)
        save_figure(figure, path, note)


def _error_table(curves: list[Curve], task: str, sizes: list[int]) -> list[str]:
    rows = [["model", *(str(size) for size in sizes)]]
    for curve in curves:
        errors = curve.errors[task]
        rows.append([name_of(curve), *(f"{row.mean():.3g} ± {row.std(ddof=1):.1g}" for row in errors)])
    return markdown_table(rows)


def _answer(curves: list[Curve], sizes: list[int]) -> list[str]:
    rows = [["network", "task", *(f"MTL / STL at {size}" for size in sizes), f"at {sizes[-1]}"]]
    for several in curves:
        for task in several.tasks if len(several.tasks) > 1 else ():
            alone = "dense" if several.architecture == LEARNT else several.architecture
            single = next(c for c in curves if c.architecture == alone and c.tasks == (task,))
            found = [
                multitask_difference(*pair) for pair in zip(single.errors[task], several.errors[task], strict=True)
            ]
            ratios = [f"{one.ratio:.3f} ± {one.ratio * one.standard_error:.2g}" for one in found]
            rows.append([_network(several.architecture), task, *ratios, found[-1].verdict])
    return [
        "Ratio of errors on the same splits, geometric mean with its standard error; below 1 it helps.",
        "",
        *markdown_table(rows),
    ]


def _needed(curves: list[Curve], sizes: list[int], wanted: float) -> list[str]:
    lines = [f"A power law through the errors of the energy meets {wanted:g} meV/atom at", ""]
    for curve in curves:
        if "energy" in curve.tasks:
            needed = size_needed(sizes, curve.errors["energy"].mean(axis=1), wanted)
            falls = np.isfinite(needed) and needed < MOST_CONFIGURATIONS
            text = f"{needed:.2g} configurations" if falls else "no number below a million: its error hardly falls"
            lines.append(f"- {name_of(curve)}: {text}")
    return lines
