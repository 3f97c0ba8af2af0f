"""How far a calculation is: a few numbers that its checkpoint holds for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from wanglandau.calculation import Calculation
from wanglandau.result_parts import now
from wanglandau.schedule import flatness


def gather_progress(calculation: Calculation) -> dict[str, Any]:
    """Collect what the walks of all processes show, ready for JSON; all processes get it."""
    rows = []
    for walk in calculation.walks:
        bins, half_trips = walk.weights.bins, walk.walkers.records["half_trips"]
        flat = flatness(bins["histogram"], bins["seen"] == 1)
        seen = int(walk.weights.control["bins_seen"][0])
        trips = float(np.median(half_trips // 2))
        rows.append([walk.trials, walk.ln_f, walk.schedule.phase, walk.producing, flat, seen, len(bins), trips])
    own = np.array(rows, dtype=np.float64).reshape(len(rows), 8)
    trials, ln_f, phase, producing, flat, seen, bins, trips = calculation.ranks.gather(own).T
    layout, settings = calculation.layout, calculation.settings
    return {
        "written": now(),
        "rounds": calculation.rounds,
        "layout": {"runs": layout.runs, "windows": layout.windows, "teams": layout.teams},
        "walkers": calculation.n_walkers,
        "trials": int(trials.sum()),
        "max_trials": calculation.max_rounds * calculation.n_walkers * layout.size,
        "ln_f": float(ln_f.max()),
        "phase": int(phase.min()),
        "producing": int(producing.sum()),
        "flatness": float(flat.min()),
        "bins_seen": int(seen.max()),
        "bins": int(bins.max()),
        "round_trips": float(np.median(trips)),
        "error": calculation.error if np.isfinite(calculation.error) else None,
        "precision": settings.precision,
    }
