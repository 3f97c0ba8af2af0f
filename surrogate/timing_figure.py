"""Figure of the time of one configuration by model and size of the batch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from surrogate.timing import BatchTime
from surrogate.timing_report import Timing
from wanglandau.figure_style import EXACT, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#E69F00", "#56B4E9")
"""By model; they come again where there are more models."""


def timing_figure(path: str | os.PathLike[str], timing: Timing, note: str = "") -> None:
    """Draw medians with quartiles on logarithmic axes, and what is recorded and quoted as horizontal lines.

    Parameters
    ----------
    path : path
    timing : Timing
    note : str
        Printed below the panel.

    Raises
    ------
    InputError
        If matplotlib is not installed or cannot write such a file.
    """
    with new_figure(7.0, 4.2) as figure:
        panel = figure.subplots()
        _draw_first_principles(panel, timing)
        names = list(dict.fromkeys(times.model.name for times in timing.models))
        for times in timing.models:
            colour = COLOURS[names.index(times.model.name) % len(COLOURS)]
            on_gpu = times.model.device == "cuda"
            _draw_batches(panel, times.energies, times.model.name + (", GPU" if on_gpu else ""), colour, hollow=on_gpu)
        panel.set(xscale="log", yscale="log", xlabel="configurations in a batch")
        panel.set(ylabel="time of one configuration (s)", title=f"{timing.system}, {timing.n_sites} sites")
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        save_figure(figure, path, note)


def _draw_first_principles(panel: Axes, timing: Timing) -> None:
    if timing.quoted:
        low, high = timing.quoted.networks
        panel.axhline(timing.quoted.first_principles, color="0.5", ls="--", label="LSMS, quoted")
        panel.axhspan(low, high, color="0.8", lw=0, label="networks with loading, quoted")
    if timing.recorded:
        seconds = timing.recorded.seconds
        panel.axhspan(seconds.lower, seconds.upper, color=EXACT, alpha=0.2, lw=0)
        panel.axhline(seconds.median, color=EXACT, label="LSMS, recorded")


def _draw_batches(panel: Axes, batches: tuple[BatchTime, ...], label: str, colour: str, *, hollow: bool) -> None:
    sizes = [batch.size for batch in batches]
    medians = [batch.seconds.median for batch in batches]
    below = [batch.seconds.median - batch.seconds.lower for batch in batches]
    above = [batch.seconds.upper - batch.seconds.median for batch in batches]
    panel.errorbar(
        sizes, medians, [below, above], color=colour, label=label, marker="o", ms=4, capsize=2,
        mfc="white" if hollow else colour, ls=":" if hollow else "-",
    )  # fmt: skip
