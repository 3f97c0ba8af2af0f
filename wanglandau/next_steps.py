"""What to do next with a result: commands that can be copied."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from wanglandau.errors import InputError
from wanglandau.levels import Source
from wanglandau.metropolis_file import MetropolisRecord
from wanglandau.orbits import MAX_ENUMERATED_SITES
from wanglandau.reweighted_file import ReweightedRecord
from wanglandau.run_file import ExactRecord, RunRecord
from wanglandau.semigrand_file import AnyRecord, SemigrandRecord
from wanglandau.thermodynamics import default_temperatures

_Judged = RunRecord | SemigrandRecord | MetropolisRecord | ReweightedRecord
LONGER = 4
"""How many times longer to try where a result is not to be trusted."""


def after_density(record: AnyRecord, path: Path) -> list[str]:
    """Say what to do with a density of states, sampled or exact, of one or of all compositions."""
    if isinstance(record, ExactRecord):
        return _after_exact(record, path)
    if not record.verdict["trusted"]:
        return [_longer("dos", "max-trials", record)]
    if isinstance(record, SemigrandRecord):
        middle = record.densities[sorted(record.densities)[len(record.densities) // 2]]
        return _mixing(path, middle)
    steps = [_command("thermo", path, "--figure", "thermo.png", "--csv", "thermo.csv")]
    if _enumerable(record):
        exact = f"{record.system['name']}-{record.density.composition}-exact.h5"
        oracle, composition = record.oracle["name"], str(record.density.composition)
        made = _command(
            "exact", record.system["name"], "--oracle", oracle, "--composition", composition, "--out", exact
        )
        steps += [f"{made} && {_command('compare', path, exact)}"]
    return steps


def after_metropolis(record: MetropolisRecord, path: Path) -> list[str]:
    """Say what to do with thermal averages."""
    if not record.verdict["trusted"]:
        return [_longer("metropolis", "sweeps", record)]
    return [_command("inspect", path, "--figure", "metropolis.png", "--csv", "metropolis.csv")]


def after_reweighting(record: ReweightedRecord, path: Path) -> list[str]:
    """Say what to do with a reweighted density of states."""
    draw = _command("inspect", path, "--figure", "thermo.png", "--csv", "thermo.csv")
    return [draw] if record.verdict["trusted"] else [_longer("reweight", "calls", record)]


def _after_exact(record: ExactRecord, path: Path) -> list[str]:
    levels = record.levels
    if levels.composition is None:
        middle = levels.at_composition(levels.n_sites // 2)
        from wanglandau.levels import Levels

        return [
            *_mixing(path, Levels.exact(levels.n_sites, middle.energies, middle.degeneracies)),
            _command("thermo", path, "--composition", levels.n_sites // 2, "--figure", "thermo.png"),
        ]
    return [
        _command("thermo", path, "--figure", "thermo.png", "--csv", "thermo.csv"),
        _command("compare", "RUN.h5", path) + "   (RUN.h5: a file of wanglandau dos)",
    ]


def _mixing(path: Path, source: Source) -> list[str]:
    try:
        temperatures = default_temperatures(source)
    except InputError:  # one energy only
        return []
    low, middle, high = (float(temperatures[len(temperatures) * part // 8]) for part in (0, 2, 7))
    step = max(1.0, round((high - low) / 40))
    return [
        _command("mixing", path, "--temperature", f"{middle:g}"),
        _command("mixing", path, "--temperatures", f"{low:g}:{high:g}:{step:g}", "--figure", "phases.png"),
    ]


def _enumerable(record: RunRecord) -> bool:
    small = record.density.n_sites <= MAX_ENUMERATED_SITES
    return small and bool(record.oracle["invariant"]) and record.density.composition is not None


def _longer(
    command: str, budget: str, record: RunRecord | SemigrandRecord | MetropolisRecord | ReweightedRecord
) -> str:
    """Say how to do it again so that it may be trusted: with what the first reason names, or for longer."""
    if record.diagnostics.get("interrupted"):
        return f"give the wanglandau {command} command that made it again and let it run to its end"
    named = re.findall(r"--([a-z-]+)", record.verdict["reasons"][0]) if record.verdict["reasons"] else []
    for flag in [*named, budget]:
        given = record.settings.get(flag.replace("-", "_"))
        if isinstance(given, int) and not isinstance(given, bool):
            more = f"--{flag} {LONGER * given}"
            return f"the wanglandau {command} command that made it, with {more} or as the verdict says"
    return f"the wanglandau {command} command that made it, with a larger --{budget}"


def _command(*words: str | Path | int) -> str:
    return shlex.join(["wanglandau", *map(str, words)])
