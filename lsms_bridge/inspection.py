"""What ``wanglandau inspect`` says of campaigns of LSMS runs and of loops that learn."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from lsms_bridge.learning import LearningResult
from lsms_bridge.learning_record import LOOP, LearningFolder
from lsms_bridge.learning_report import REPORT, values_of
from lsms_bridge.learning_report import describe as describe_loop
from lsms_bridge.learning_settings import LearningSettings
from lsms_bridge.learning_verdict import judge_learning
from lsms_bridge.result_log import LOG_NAME, read_any_records
from lsms_bridge.statistics import campaign_statistics
from surrogate.kept_results import read_json
from wanglandau.inspection import table_of
from wanglandau.inspectors import Inspected


def describe(path: Path) -> Inspected | None:
    """Describe the folder or log of a campaign, or the folder of a loop; None where it is something else.

    Raises
    ------
    InputError
        If it is damaged.
    """
    if (path / LOOP).is_file():
        return _describe_loop(path)
    folder = path.parent if path.name == LOG_NAME else path
    return _describe_campaign(folder) if (folder / LOG_NAME).is_file() else None


def _describe_campaign(folder: Path) -> Inspected:
    header, records = read_any_records(folder)
    n_sites = len(records[0].occupations) if records else 0
    found = campaign_statistics(records, max(n_sites, 1))
    failures = ", ".join(f"{name.lower().replace('_', ' ')} {count}" for name, count in found["failures"].items())
    sources = ", ".join(f"{name} {count}" for name, count in found["sources"].items())
    physics = dict(header.get("physics", {}))
    lines = [
        ("campaign", f"{'-'.join(header.get('species', []))}, {n_sites} sites, results of LSMS in {folder}"),
        ("results", f"{found['n_results']} of {found['n_compositions']} compositions; {found['n_given_up']} given up"),
        ("chosen as", sources or "nothing yet"),
        ("runs", f"{found['n_runs']}, {found['n_failed_runs']} failed ({failures or 'none'})"),
        ("hours", f"{found['hours_of_runs']:.2f} in all"),
        *((name, _spread(found[name])) for name in ("iterations", "seconds") if found[name]),
        ("settings", ", ".join(f"{name} {value}" for name, value in physics.items() if name != "electrons")),
    ]
    again = "" if not found["n_given_up"] else "; campaign ... --again tries anew what was given up"
    steps = (
        f"lsms-bridge status SYSTEM --lsms CONFIG.toml --figure campaign.png{again}",
        "lsms-bridge collect SYSTEM --lsms CONFIG.toml --out mine.h5",
    )
    values = {"kind": "campaign", "species": header.get("species"), "n_sites": n_sites, "physics": physics} | found
    return Inspected(table_of(lines), values, steps, instead="see lsms-bridge status --figure")


def _spread(found: dict[str, float]) -> str:
    return f"median {found['median']:.3g}, {found['least']:.3g} to {found['largest']:.3g}"


def _describe_loop(folder: Path) -> Inspected:
    of = read_json(folder / LOOP)
    known = {item.name for item in fields(LearningSettings)}
    settings = LearningSettings(**{name: value for name, value in of.get("settings", {}).items() if name in known})
    kept = LearningFolder(folder)
    generations = kept.finished()
    head: list[tuple[str, str]] = [
        ("learning", f"{of.get('system')}, compositions {', '.join(map(str, of.get('compositions', [])))}"),
        ("learner", str(of.get("learner", "")).partition(" [")[0]),
        ("generations", f"{len(generations)} finished"),
    ]
    again = _again(of, folder, len(generations))
    if not generations:
        return Inspected(table_of(head), {"kind": "learning", "of": of, "generations": []}, (again,))
    result = LearningResult(generations, judge_learning(generations, settings), kept)
    values: dict[str, Any] = {"kind": "learning", "of": of} | values_of(result)
    settled = (f"read {folder / REPORT}", f"wanglandau inspect {shlex.quote(str(folder / 'committee.safetensors'))}")
    steps = settled if result.verdict.settled else (again,)
    return Inspected(f"{table_of(head)}\n{describe_loop(result)}", values, steps, instead="its figure is in the folder")


def _again(of: dict[str, Any], folder: Path, finished: int) -> str:
    words = [
        "lsms-bridge",
        "learn",
        str(of.get("system")),
        "--out",
        str(folder),
        "--generations",
        str(2 * finished + 2),
    ]
    return f"{shlex.join(words)}   (with the other options as they were; it goes on)"
