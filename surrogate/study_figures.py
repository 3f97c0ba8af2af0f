"""Figures of a study: errors over the splits and against composition, and predictions against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surrogate.settings import TASKS
from surrogate.study import ModelResult
from surrogate.study_predictions import read_predictions
from wanglandau.figure_style import new_figure, save_figure
from wanglandau.levels import MEV_PER_RY

PARITY_COLUMNS = 4
PARITY_UNITS = {
    "energy": (MEV_PER_RY, "mixing energy, meV per cell"),
    "charge": (1.0, "electrons"),
    "moment": (1.0, "mu_b"),
}
ERROR_LABEL = "RMSE of the mixing energy (meV/atom)"


def study_figures(results: list[ModelResult], folder: Path, note: str) -> list[str]:
    """Draw all figures into a folder and return the names of their files."""
    learnt = [result for result in results if "energy" in result.model.tasks]
    if not learnt:
        return []
    _box_plot(learnt, folder / "errors-over-splits.png", note)
    _by_composition(learnt, folder / "errors-by-composition.png", note)
    parity = [f"parity-{task}.png" for task in TASKS if _parity(results, task, folder, note)]
    return ["errors-over-splits.png", "errors-by-composition.png", *parity]


def _parity(results: list[ModelResult], task: str, folder: Path, note: str) -> bool:
    """Draw prediction against reference of the first split, a panel a model; tell whether there was anything."""
    found = {}
    for result in results:
        predictions = read_predictions(folder / f"{result.model.slug}.h5")
        if task in predictions:
            found[result.model.name] = [np.ravel(part) for part in predictions[task]]
    if not found:
        return False
    columns = min(PARITY_COLUMNS, len(found))
    rows = -(-len(found) // columns)
    scale, unit = PARITY_UNITS[task]
    with new_figure(2.3 * columns, 2.3 * rows) as figure:
        panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
        for panel, (name, (reference, predicted)) in zip(panels, found.items(), strict=False):
            panel.hexbin(reference * scale, predicted * scale, gridsize=60, bins="log", cmap="viridis", mincnt=1)
            ends = np.array([reference.min(), reference.max()]) * scale
            panel.plot(ends, ends, color="black", lw=0.6)
            panel.set_title(name, fontsize=7)
            panel.tick_params(labelsize=6)
        for panel in panels[len(found) :]:
            panel.set_visible(False)
        figure.supylabel(f"predicted against reference ({unit})", fontsize=8)
        save_figure(figure, folder / f"parity-{task}.png", note)
    return True


def _box_plot(results: list[ModelResult], path: Path, note: str) -> None:
    key = "mixing_energy_rmse_within_composition_mev_per_atom"
    values = [[report[key] for report in result.reports] for result in results]
    order = np.argsort([np.median(column) for column in values])[::-1]
    with new_figure(6.5, 0.6 + 0.3 * len(results)) as figure:
        panel = figure.subplots()
        panel.boxplot([values[k] for k in order], orientation="horizontal", widths=0.6, medianprops={"color": "black"})
        panel.set_yticks(np.arange(len(order)) + 1, [results[k].model.name for k in order])
        panel.set(xscale="log", xlabel=ERROR_LABEL, title=f"test part of {len(values[0])} splits")
        panel.grid(axis="x", alpha=0.3, lw=0.5)
        save_figure(figure, path, note)


def _by_composition(results: list[ModelResult], path: Path, note: str) -> None:
    with new_figure(6.5, 3.6) as figure:
        panel = figure.subplots()
        for result in results:
            sums: dict[int, list[float]] = {}
            for report in result.reports:
                for composition, errors in report["by_composition"].items():
                    sums.setdefault(int(composition), []).append(errors["rmse"] ** 2)
            place = sorted(sums)
            panel.plot(place, [np.sqrt(np.mean(sums[n])) for n in place], label=result.model.name, lw=1.0)
        panel.set(yscale="log", xlabel="second-species atoms", ylabel=ERROR_LABEL)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
        save_figure(figure, path, note)
