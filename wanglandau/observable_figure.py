"""Figure of what was measured in production against temperature: order parameters, charges, moments."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from wanglandau.bin_averages import CanonicalAverages
from wanglandau.figure_style import TEMPERATURE_LABEL, new_figure, save_figure

_PANELS = (
    ("alpha_", "Warren–Cowley parameter"),
    ("lro_", "long-range order"),
    ("charge_std_", "scatter of charges (e)"),
    ("moment_", r"moment ($\mu_\mathrm{B}$/atom)"),
)
"""Beginnings of the names of columns, and what they are."""
_STANDARD = ("alpha_", "lro_", "charge_", "moment_")
MOST_CURVES = 5
"""Curves in a panel: those that change most with temperature."""


def observable_figure(path: str | os.PathLike[str], averages: CanonicalAverages) -> None:
    """Draw observables against temperature with bands of one standard error, one panel for each kind.

    Parameters
    ----------
    path : path
    averages : CanonicalAverages

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    panels = [(label, _columns(averages, prefix)) for prefix, label in _PANELS]
    panels.append(("measured", _columns(averages, "", _STANDARD)))
    panels = [(label, columns) for label, columns in panels if columns]
    with new_figure(3.6 * len(panels), 3.2) as figure:
        axes = np.atleast_1d(figure.subplots(1, len(panels)))
        for panel, (label, columns) in zip(axes, panels, strict=True):
            for column in columns:
                _draw(panel, averages, column)
            panel.set_xlabel(TEMPERATURE_LABEL)
            panel.set_ylabel(label)
            panel.legend()
        save_figure(figure, path, "")


def _columns(averages: CanonicalAverages, prefix: str, others: tuple[str, ...] = ()) -> list[int]:
    names = enumerate(averages.names)
    found = [column for column, name in names if name.startswith(prefix) and not name.startswith(others)]
    change = [float(np.nanmax(averages.values[:, c]) - np.nanmin(averages.values[:, c])) for c in found]
    kept = sorted(np.argsort(change)[::-1][:MOST_CURVES].tolist())
    return [found[place] for place in kept]


def _draw(panel: Any, averages: CanonicalAverages, column: int) -> None:
    values = averages.values[:, column]
    (line,) = panel.plot(averages.temperatures, values, label=averages.names[column])
    if averages.standard_errors is not None:
        error = averages.standard_errors[:, column]
        panel.fill_between(averages.temperatures, values - error, values + error, color=line.get_color(), alpha=0.25)
