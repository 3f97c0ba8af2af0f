"""Figure of exact levels: how many configurations have which energy, and what follows for the heat capacity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from wanglandau.density_of_states import density_from_levels
from wanglandau.energy_grid import EnergyGrid
from wanglandau.errors import InputError
from wanglandau.exact import ExactLevels
from wanglandau.figure_style import (
    CAPACITY_LABEL,
    ENERGY_LABEL,
    EXACT,
    MARK,
    TEMPERATURE_LABEL,
    mark_peak,
    name_of_cell,
    name_of_oracle,
    new_figure,
    row_height,
    save_figure,
)
from wanglandau.levels import MEV_PER_RY, Levels
from wanglandau.run_file import ExactRecord
from wanglandau.thermodynamics import default_temperatures, heat_capacity_peak, thermodynamics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LEVELS = 400
"""Levels shown one by one; of more, so many bins are shown."""
MAP_BINS = 200


def exact_figure(path: str | os.PathLike[str], record: ExactRecord, *, note: str = "") -> None:
    """Draw ln g and C(T); of all compositions a map of ln g, and the temperature at which C peaks.

    Parameters
    ----------
    path : path
    record : ExactRecord
    note : str
        Printed below the panels.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    levels = record.levels
    with new_figure(8.2, row_height(note)) as figure:
        left, right = figure.subplots(1, 2)
        if levels.composition is None:
            _draw_map(figure, left, levels, record.system["species"])
            _draw_peaks(right, levels, record.system["species"])
        else:
            _draw_levels(left, levels)
            _draw_capacity(right, Levels.exact(levels.n_sites, levels.energies, levels.degeneracies))
        save_figure(figure, path, note, _title(record))


def _draw_levels(panel: Axes, levels: ExactLevels) -> None:
    energies, counts = levels.energies, levels.degeneracies.astype(np.float64)
    title = f"{len(energies)} levels"
    if len(energies) > MOST_LEVELS:
        width = float(np.ptp(energies)) / MOST_LEVELS
        bins = EnergyGrid.covering(float(energies.min()), float(energies.max()), width)
        binned = density_from_levels(bins, levels.n_sites, levels.composition, energies, levels.degeneracies)
        energies, counts = binned.mean_energy[binned.visited], np.exp(binned.ln_g[binned.visited])
        title += f", in bins of {width * MEV_PER_RY / levels.n_sites:.2g} meV/atom"
    size = 3.5 if len(energies) < 80 else 2.0
    panel.plot(energies * MEV_PER_RY / levels.n_sites, np.log(counts), "o", color=EXACT, ms=size, mew=0)
    panel.set(xlabel=ENERGY_LABEL, ylabel="ln g", title=title)


def _draw_capacity(panel: Axes, source: Levels) -> None:
    panel.set(xlabel=TEMPERATURE_LABEL, ylabel=CAPACITY_LABEL, title="heat capacity")
    try:
        grid = default_temperatures(source)
    except InputError:  # one energy only
        panel.text(0.5, 0.5, "all configurations have one energy", ha="center", transform=panel.transAxes)
        return
    panel.plot(grid, thermodynamics(source, grid).heat_capacity / source.n_sites, color=EXACT)
    peak = heat_capacity_peak(source, grid)
    if peak.inside:
        mark_peak(panel, peak, source.n_sites)
    panel.set_ylim(bottom=0, top=1.12 * panel.get_ylim()[1])


def _draw_map(figure: Figure, panel: Axes, levels: ExactLevels, species: list[str]) -> None:
    """Draw ln of the number of configurations over composition and energy."""
    n_sites = levels.n_sites
    energy = levels.energies * MEV_PER_RY / n_sites
    edges = np.linspace(energy.min(), energy.max() + 1e-9, MAP_BINS + 1)
    places = np.arange(n_sites + 2) - 0.5
    weights = levels.degeneracies.astype(np.float64)
    counts, _, _ = np.histogram2d(levels.compositions, energy, bins=(places, edges), weights=weights)
    shown = np.ma.masked_equal(counts, 0)
    mesh = panel.pcolormesh(places, edges, np.ma.log(shown).T, cmap="viridis", rasterized=True)
    figure.colorbar(mesh, ax=panel, label="ln of the configurations in a bin", pad=0.02)
    present = np.unique(levels.compositions)
    lowest = [energy[levels.compositions == n].min() for n in present]
    panel.plot(present, lowest, ".-", color=MARK, lw=0.8, ms=3, label="lowest")
    panel.set(xlabel=f"{species[1]} atoms", ylabel=ENERGY_LABEL, title=f"{len(energy)} levels")
    panel.legend()


def _draw_peaks(panel: Axes, levels: ExactLevels, species: list[str]) -> None:
    found: list[tuple[int, float]] = []
    for composition in np.unique(levels.compositions).tolist():
        part = levels.at_composition(composition)
        if len(part) < 2:
            continue
        source = Levels.exact(levels.n_sites, part.energies, part.degeneracies)
        peak = heat_capacity_peak(source, default_temperatures(source)[::4])
        if peak.inside:
            found.append((composition, peak.temperature))
    panel.plot(*np.array(found).reshape(-1, 2).T, "o-", color=EXACT, ms=3.5, lw=0.8)
    panel.set(xlabel=f"{species[1]} atoms", ylabel=TEMPERATURE_LABEL, title="where the heat capacity is highest")
    panel.set_ylim(bottom=0)


def _title(record: ExactRecord) -> str:
    cell = name_of_cell(record.system["species"], record.levels.n_sites, record.levels.composition)
    which = ", all compositions" if record.levels.composition is None else ""
    return f"{cell}{which}: exact, energies from {name_of_oracle(record.oracle['name'])}"
