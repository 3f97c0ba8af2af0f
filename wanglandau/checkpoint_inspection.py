"""What there is to tell of a density of states that is not finished: how far it is, who is at it, how to go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wanglandau.checkpoint_file import SUFFIX, checkpoint_exists, checkpoint_of
from wanglandau.run_checkpoint import Kept, command_after, read_kept
from wanglandau.run_lock import holder_of, lock_of


def result_of(file: Path) -> Path:
    """Return the result file that a checkpoint belongs to; any other path as it is."""
    name = file.name.removesuffix(".prev").removesuffix(SUFFIX)
    return file.with_name(name) if file.name.removesuffix(".prev").endswith(SUFFIX) else file


def describe_unfinished(file: Path) -> tuple[str, dict[str, Any]] | None:
    """Describe the calculation that is under way, or was interrupted, beside a result file.

    Nothing is locked or written, so that a calculation under way is not disturbed.

    Parameters
    ----------
    file : Path
        The result file, there or not, or its checkpoint.

    Returns
    -------
    (str, dict) or None
        For people and for JSON; None if there is no such calculation.

    Raises
    ------
    InputError
        If no checkpoint can be read.
    """
    if not file.name or "\0" in file.name:  # no name of a file
        return None
    out = result_of(file)
    checkpoint = checkpoint_of(out)
    holder = holder_of(lock_of(out))
    if not checkpoint_exists(checkpoint):
        if holder is None:
            return None
        text = f"state         running ({holder}), before its first checkpoint"
        return text, {"state": "running", "holder": holder, "checkpoint": None}
    kept = read_kept(checkpoint)
    values = _values(kept, checkpoint, holder)
    return "\n".join(_lines(values)), values


def _values(kept: Kept, checkpoint: Path, holder: str | None) -> dict[str, Any]:
    header, history = kept.header, kept.history
    state = "running" if holder else "finished, not trusted" if header["finished"] else "interrupted"
    written = datetime.fromisoformat(kept.progress["written"])
    return {
        "state": state,
        "holder": holder,
        "checkpoint": str(checkpoint),
        "age_s": max(0.0, (datetime.now(UTC) - written).total_seconds()),
        "system": header["system"],
        "oracle": header["specification"],
        "composition": header["physics"]["composition"],
        "sites": header["physics"]["sites"],
        "ensemble": header["settings"]["ensemble"],
        "duration_s": history["duration_s"],
        "continuations": history["continuations"],
        "command": command_after(kept),
    } | kept.progress


def _lines(values: Mapping[str, Any]) -> list[str]:
    layout, share = values["layout"], values["trials"] / values["max_trials"]
    n_walks = layout["runs"] * layout["windows"] * layout["teams"]
    at = "" if values["composition"] is None else f", composition {values['composition']}"
    by = f" ({values['holder']})" if values["holder"] else ""
    error = "not known yet" if values["error"] is None else f"{values['error']:.3g}"
    times = len(values["continuations"])
    return [
        f"system        {values['system']}, {values['sites']} sites{at}, {values['ensemble']}",
        f"oracle        {values['oracle']}",
        f"state         {values['state']}{by}",
        f"trials        {values['trials']:.3g} of at most {values['max_trials']:.3g} ({share:.1%}); "
        f"{layout['runs']} runs, {layout['windows']} windows, {layout['teams']} teams, {values['walkers']} walkers",
        f"walks         {values['producing']} of {n_walks} in production; largest ln f {values['ln_f']:.2g}, phase "
        f"{values['phase']}, lowest flatness {values['flatness']:.2f}",
        f"energies      {values['bins_seen']} of {values['bins']} bins visited, {values['round_trips']:g} round trips "
        "(median)",
        f"precision     {error} (standard error of ln g, rms), {values['precision']:g} wanted",
        f"time          {values['duration_s']:.1f} s so far" + (f", gone on {times} times" if times else ""),
        f"checkpoint    {values['checkpoint']}, {values['age_s']:.0f} s old",
        f"to go on      {values['command']}",
    ]
