"""Figure of thermal averages against temperature; needs matplotlib (extra ``figures``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from wanglandau.figure_style import (
    CAPACITY_LABEL,
    ENERGY_LABEL,
    MARK,
    SAMPLED,
    TEMPERATURE_LABEL,
    name_of_cell,
    new_figure,
    row_height,
    save_figure,
)
from wanglandau.metropolis_file import MetropolisRecord
from wanglandau.metropolis_inspection import CAPACITY, CONCENTRATION, INTERNAL_ENERGY, Curves, curves_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (SAMPLED, MARK, "0.35")
_MARKERS = "osD"


def metropolis_figure(path: str | os.PathLike[str], record: MetropolisRecord, *, note: str = "") -> None:
    """Draw energy, heat capacity and order or concentration, with bars of one standard error.

    Parameters
    ----------
    path : path
    record : MetropolisRecord
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    curves = curves_of(record)
    last = _last_panel(record, curves)
    with new_figure(3.5 * (2 + bool(last)), row_height(note)) as figure:
        panels = figure.subplots(1, 2 + bool(last))
        for panel, name, label in zip(
            panels, (INTERNAL_ENERGY, CAPACITY), (ENERGY_LABEL, CAPACITY_LABEL), strict=False
        ):
            _draw(panel, record.temperatures, curves[name], SAMPLED, "o")
            panel.set_ylabel(label)
        if last:
            _draw_several(panels[2], record.temperatures, {name: curves[name] for name in last})
            panels[2].set_ylabel(
                "concentration of " + record.system["species"][1] if CONCENTRATION in curves else "order"
            )
        for panel in panels:
            panel.set_xlabel(TEMPERATURE_LABEL)
        save_figure(figure, path, note, _title(record))


def _last_panel(record: MetropolisRecord, curves: Curves) -> list[str]:
    """Choose what the third panel shows: the concentration if it is free, else the order that grows most on cooling."""
    if CONCENTRATION in curves:
        return [CONCENTRATION]
    orders = [name for name in curves if name.startswith("lro_")] or [name for name in curves if "alpha_" in name]
    single = len(record.temperatures) == 1
    rise = {name: curves[name][0][0] - (0.0 if single else curves[name][0][-1]) for name in orders}
    return sorted(orders, key=lambda name: -float(rise[name]))[:3]


def _draw_several(panel: Axes, temperatures: np.ndarray, curves: Curves) -> None:
    for (name, curve), colour, marker in zip(curves.items(), _COLOURS, _MARKERS, strict=False):
        _draw(panel, temperatures, curve, colour, marker, name.removeprefix("lro_"))
    if len(curves) > 1:
        panel.legend()


def _draw(
    panel: Axes,
    temperatures: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    colour: str,
    marker: str,
    label: str | None = None,
) -> None:
    values, errors = curve
    bars = np.where(np.isfinite(errors), errors, 0.0)
    panel.errorbar(temperatures, values, yerr=bars, color=colour, marker=marker, ms=3.5, capsize=2, label=label)


def _title(record: MetropolisRecord) -> str:
    cell = name_of_cell(record.system["species"], record.n_sites, record.composition)
    return f"{cell}: Metropolis, {record.energies.shape[1]} chains at each temperature"
