"""How a campaign went: runs, failures, iterations, seconds, and how well its results are converged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lsms_bridge.result_log import Record
from surrogate.markdown_table import markdown_table

_QUANTILES = ("least", "lower quartile", "median", "upper quartile", "largest")


def campaign_statistics(records: Sequence[Record], n_sites: int) -> dict[str, Any]:
    """Sum up the records of a log.

    Parameters
    ----------
    records : sequence of Record
    n_sites : int

    Returns
    -------
    dict
        Counts; for numbers of each run the quartiles and extremes.
    """
    done = [record for record in records if record.done]
    attempts = [attempt for record in records for attempt in record.attempts]
    failures = Counter(attempt["failure"] for attempt in attempts if attempt["failure"])
    return {
        "n_results": len(done),
        "n_given_up": len(records) - len(done),
        "n_runs": len(attempts),
        "n_failed_runs": sum(failures.values()),
        "failures": dict(sorted(failures.items())),
        "n_results_after_failures": sum(len(record.attempts) > 1 for record in done),
        "rungs": dict(Counter(record.attempts[-1]["rung"] for record in done if record.attempts)),
        "sources": dict(Counter(record.source for record in done)),
        "n_compositions": len({record.occupations.count("1") for record in done}),
        "hours_of_runs": sum(attempt["seconds"] for attempt in attempts) / 3600,
        "iterations": _spread(done, lambda record: record.iterations),
        "seconds": _spread(done, lambda record: record.seconds),
        "residual": _spread(done, lambda record: record.residual),
        "potential_residual": _spread(done, lambda record: record.potential_residual),
        "energy_change_ry_per_atom": _spread(done, lambda record: record.energy_change / n_sites),
    }


def _spread(records: Sequence[Record], value: Callable[[Record], float]) -> dict[str, float]:
    values = np.array([value(record) for record in records if record.attempts])
    if not len(values):
        return {}
    return dict(zip(_QUANTILES, np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))


def statistics_report(system: str, found: dict[str, Any], physics: dict[str, Any]) -> str:
    """Lay out statistics as a Markdown report."""
    counts = [
        ["results", str(found["n_results"])],
        ["given up", str(found["n_given_up"])],
        ["compositions", str(found["n_compositions"])],
        ["runs of LSMS", str(found["n_runs"])],
        ["failed runs", f"{found['n_failed_runs']} ({_listed(found['failures'])})"],
        ["results after a failed run", str(found["n_results_after_failures"])],
        ["chosen as", _listed(found["sources"])],
        ["way to convergence", _listed(found["rungs"])],
        ["hours of runs", f"{found['hours_of_runs']:.2f}"],
    ]
    spreads = [
        [name, *(f"{number:.3g}" for number in found[key].values())] for key, name in _SPREADS.items() if found[key]
    ]
    lines = [
        f"# LSMS runs of {system}",
        "",
        *markdown_table([["", ""], *counts]),
        "",
        *markdown_table([["of the runs that count", *_QUANTILES], *spreads]),
        "",
        "Settings: " + ", ".join(f"{name} {value}" for name, value in physics.items() if name != "electrons") + ".",
        "",
    ]
    return "\n".join(lines)


_SPREADS = {
    "iterations": "iterations",
    "seconds": "seconds",
    "residual": "rms of the charge, electrons",
    "potential_residual": "rms of the potential",
    "energy_change_ry_per_atom": "last change of the energy, Ry/atom",
}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name.lower().replace('_', ' ')} {count}" for name, count in counts.items()) or "none"
