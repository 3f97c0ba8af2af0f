"""Figure of a campaign: how long its runs took, and how well the results are converged."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from lsms_bridge.result_log import Record
from wanglandau.errors import InputError
from wanglandau.figure_style import MARK, SAMPLED, new_figure, save_figure
from wanglandau.levels import MEV_PER_RY

BINS = 25


def campaign_figure(path: str | os.PathLike[str], system: str, records: Sequence[Record]) -> None:
    """Draw mixing energies, iterations, seconds and convergence of all results.

    Parameters
    ----------
    path : path
    system : str
    records : sequence of Record

    Raises
    ------
    InputError
        If there is no result yet, or matplotlib is not installed or cannot write such a file.
    """
    done = [record for record in records if record.done]
    if not done:
        raise InputError(f"no figure {path}: there is no result yet; run a campaign first")
    with new_figure(8.2, 5.0) as figure:
        (energy, iterations), (seconds, residual) = figure.subplots(2, 2)
        numbers, energies = _mixing_energies(done)
        energy.plot(numbers, energies, "o", color=SAMPLED, ms=3, mew=0, alpha=0.7)
        energy.set(xlabel="second-species atoms", ylabel="mixing energy (meV/atom)", title=f"{len(done)} results")
        counted = [record for record in done if record.attempts]
        for panel, name, label in ((iterations, "iterations", "iterations"), (seconds, "seconds", "seconds of a run")):
            values = np.array([getattr(record, name) for record in counted], dtype=float)
            panel.hist(values, bins=_bins(values), color=SAMPLED)
            panel.set(xlabel=label, ylabel="results", title=f"median {np.median(values):.3g}" if len(values) else "")
        charge, potential = (
            _logarithms([getattr(record, name) for record in counted]) for name in ("residual", "potential_residual")
        )
        edges = np.histogram_bin_edges(np.concatenate([charge, potential]), bins=BINS)
        residual.hist([charge, potential], bins=edges, color=[SAMPLED, MARK], label=["charge", "potential"])
        residual.set(xlabel="lg of the rms in the last iteration", ylabel="results", title="convergence")
        residual.legend()
        failed = sum(bool(attempt["failure"]) for record in records for attempt in record.attempts)
        given_up = len(records) - len(done)
        save_figure(figure, path, "", f"{system}: {failed} failed runs, {given_up} given up")


def _bins(values: np.ndarray) -> int:
    return min(BINS, max(5, int(np.sqrt(len(values)))))


def _logarithms(values: Sequence[float]) -> np.ndarray:
    found = np.array(values)
    return np.log10(found[found > 0])


def _mixing_energies(done: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Return composition and mixing energy, meV/atom, against the line between the ends of what there is."""
    n_sites = len(done[0].occupations)
    numbers = np.array([record.occupations.count("1") for record in done])
    energies = np.array([record.energy for record in done]) * MEV_PER_RY / n_sites
    first, last = numbers.argmin(), numbers.argmax()
    span = max(int(numbers[last] - numbers[first]), 1)
    line = energies[first] + (energies[last] - energies[first]) * (numbers - numbers[first]) / span
    return numbers, energies - line
