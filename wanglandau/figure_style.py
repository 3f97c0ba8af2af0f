"""What all figures share: style, colours, words on the axes, and how a figure reaches its file.

Colours survive print in grey and the common kinds of colour blindness (Okabe and Ito).
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from math import floor, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanglandau.errors import InputError
from wanglandau.extras import optional_packages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wanglandau.thermodynamics import Peak

SAMPLED = "#0072B2"
EXACT = "black"
MARK = "#D55E00"
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "savefig.dpi": 200,
    "figure.constrained_layout.w_pad": 0.08,
}
NOTE_WIDTH = 17
"""Letters of the note to an inch of the figure."""
ENERGY_LABEL = "mixing energy (meV/atom)"
TEMPERATURE_LABEL = "temperature (K)"
CAPACITY_LABEL = r"heat capacity ($k_\mathrm{B}$/atom)"


def can_draw() -> bool:
    """Tell whether the package that draws is installed, for reports that are worth having without pictures."""
    return find_spec("matplotlib") is not None


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Begin a figure of so many inches in the common style, which holds until the end of the ``with`` block.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    with optional_packages():
        import matplotlib as mpl
        from matplotlib.figure import Figure
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def row_height(note: str) -> float:
    """Return the height, in inches, of a figure with one row of panels, with room for a note where there is one."""
    return 3.75 if note else 3.5


def name_of_cell(species: Sequence[str], n_sites: int, composition: int | None) -> str:
    """Name the cell as titles do, by its formula where all it shows has one composition.

    >>> name_of_cell(("Cu", "Au"), 32, None)
    'Cu-Au, 32 atoms'
    """
    if composition is None:
        return f"{species[0]}-{species[1]}, {n_sites} atoms"
    return f"{species[0]}$_{{{n_sites - composition}}}${species[1]}$_{{{composition}}}$"


def name_of_oracle(specification: str) -> str:
    """Name an oracle as titles do, a file without its folder.

    >>> name_of_oracle("surrogate:models/cuau.safetensors")
    'surrogate:cuau.safetensors'
    """
    kind, _, argument = specification.partition(":")
    return f"{kind}:{Path(argument).name}" if argument else kind


def save_figure(figure: Figure, path: str | os.PathLike[str], note: str, title: str = "") -> None:
    """Print the title above and the note below the panels and write the file.

    Raises
    ------
    InputError
        If matplotlib cannot write such a file.
    """
    if title:
        figure.suptitle(title, x=0.008, ha="left", fontsize=10)
    if note:
        lines = textwrap.wrap(note, int(NOTE_WIDTH * figure.get_figwidth()))
        figure.supxlabel("\n".join(lines), x=0.008, ha="left", fontsize=7.5, color="0.3")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write figure {path}: {error}; use .png, .pdf or .svg in a folder that exists"
        ) from error


def mark_peak(panel: Axes, peak: Peak, sites: int) -> None:
    """Mark the peak of the heat capacity of a cell of so many sites and write its temperature beside it."""
    height = peak.height / sites
    panel.plot([peak.temperature], [height], "o", ms=4, color=MARK, zorder=4)
    text = f"{peak.temperature:.1f} K"
    if peak.temperature_error > 0:
        digits = max(0, 1 - floor(log10(peak.temperature_error)))
        text = f"{peak.temperature:.{digits}f} ± {peak.temperature_error:.{digits}f} K"
    panel.annotate(text, (peak.temperature, height), (4, 5), textcoords="offset points", color=MARK, fontsize=9)


def with_error(value: float, error: float, unit: str = "") -> str:
    """Write a value with its error, both to the second digit of the error.

    >>> with_error(678.123, 1.2345, "K")
    '678.1 ± 1.2 K'
    """
    tail = f" {unit}" if unit else ""
    if not error > 0:
        return f"{value:.4g}{tail}"
    digits = max(0, 1 - int(f"{error:e}".partition("e")[2]))
    return f"{value:.{digits}f} ± {error:.{digits}f}{tail}"
