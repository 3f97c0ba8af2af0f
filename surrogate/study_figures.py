"""Figures of a study: errors over the splits, and against composition."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surrogate.study import ModelResult
from wanglandau.figure_style import new_figure, save_figure

ERROR_LABEL = "RMSE of the mixing energy (meV/atom)"


def study_figures(results: list[ModelResult], folder: Path, note: str) -> list[str]:
    """Draw all figures into a folder and return the names of their files."""
    learnt = [result for result in results if "energy" in result.model.tasks]
    if not learnt:
        return []
    _box_plot(learnt, folder / "errors-over-splits.png", note)
    _by_composition(learnt, folder / "errors-by-composition.png", note)
    return ["errors-over-splits.png", "errors-by-composition.png"]


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
