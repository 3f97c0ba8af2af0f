"""The figure of a loop: what it found against generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lsms_bridge.generation import Generation
from wanglandau.figure_style import EXACT, MARK, SAMPLED, new_figure, save_figure
from wanglandau.levels import MEV_PER_RY


def learning_figure(generations: Sequence[Generation], path: Path, note: str = "") -> None:
    """Draw peak of C, lowest energy and error on new configurations against generation.

    Parameters
    ----------
    generations : sequence of Generation
        At least one.
    path : Path
    note : str
        Printed below.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write the file.
    """
    numbers = np.arange(len(generations))
    unit = MEV_PER_RY / generations[0].n_sites
    with new_figure(7.0, 4.6) as figure:
        (place, height), (energy, error) = figure.subplots(2, 2, sharex=True)
        for column, finding in enumerate(generations[0].findings):
            found = [one.findings[column] for one in generations]
            errors = [one.errors_of(each) for one, each in zip(generations, found, strict=True)]
            several = len(generations[0].findings) > 1
            style = {"marker": "o", "ms": 3.5, "capsize": 2.5, "label": f"{finding.composition}"}
            style |= {} if several else {"color": SAMPLED}
            place.errorbar(
                numbers,
                [float(one.thermal.peak_temperature.value) for one in found],
                [each.peak_temperature for each in errors],
                **style,
            )
            height.errorbar(
                numbers,
                [float(one.thermal.peak_height.value) for one in found],
                [each.peak_height for each in errors],
                **style,
            )
            lowest = [one.ground_after * unit for one in found]
            energy.plot(numbers, lowest, drawstyle="steps-post", **{k: v for k, v in style.items() if k != "capsize"})
            if several and not column:
                place.legend(title="second-species atoms", fontsize=6, ncols=4)
        for name, colour, label in (("rmse", MARK, "error"), ("rms_spread", EXACT, "spread of the committee")):
            values = np.array([one.new.errors(one.n_sites)[name] for one in generations])
            error.plot(numbers, np.where(values > 0, values, np.nan), marker="o", ms=3.5, color=colour, label=label)
        error.set_yscale("log")
        error.legend()
        place.set(ylabel="K", title="temperature of the peak of C")
        height.set(ylabel=r"$k_\mathrm{B}$/atom", title="height of the peak")
        energy.set(xlabel="generation", ylabel="meV/atom", title="lowest energy computed")
        error.set(xlabel="generation", ylabel="meV/atom", title="new configurations, before learning (rms)")
        energy.xaxis.get_major_locator().set_params(integer=True)
        save_figure(figure, path, note)
