"""The table of a fault campaign; of one run in parts: ``python fault_table.py TABLE.md PART.json ...``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from fault_counts import Control, FaultCount, Tally

FAULTS = {
    "F1": ("SIGKILL at random instants", "resumed, ends bit for bit like the run that was left alone"),
    "F2": ("SIGTERM, SIGINT, SIGUSR1", "checkpoint in time, exit code 75, resumed bit for bit"),
    "F3": ("time limit", "stops before it with exit code 75, resumed bit for bit"),
    "F4": ("checkpoint cut off", "noticed; the one before it is taken, or refused"),
    "F5": ("checkpoint with one flipped bit", "noticed, every time"),
    "F6": ("both checkpoints damaged", "refused, both files named, nothing overwritten"),
    "F7": ("disk full while writing", "old files whole, error in plain words"),
    "F8": ("I/O error, quota, read-only folder, no permission", "as disk full"),
    "F9": ("crash between the steps of a write", "the old or the new checkpoint, never none"),
    "F10": ("stale temporary files, lock of a dead process", "passed over"),
    "F11": ("two processes in one folder", "the second refused, the first undisturbed"),
    "F12": ("file formats of other versions", "older ones read or refused by name, newer ones refused"),
    "F13": ("resumed with other settings or another oracle", "refused, the differences listed"),
    "F14": ("energy NaN or infinite", "never taken; tried again or reported"),
    "F15": ("energy finite but absurd", "never taken; tried again or reported"),
    "F16": ("self-consistency not reached", "other ways are tried, then given up and said so"),
    "F17": ("energy program hangs", "ended with all its children, tried again"),
    "F18": ("energy program killed, crashed, output missing, cut off or another's", "noticed, tried again"),
    "F19": ("one call in ten fails", "the same energies and the same ln g"),
    "F20": ("accelerator out of memory or lost", "error in plain words; states as before, goes on to the same end"),
    "F21": ("worker process dies", "replaced, or an error; nobody waits for ever"),
    "F22": ("malicious model file", "refused, nothing executed"),
    "F23": ("shell characters and option-like words in names", "taken literally"),
    "F24": ("paths that lead elsewhere", "refused, or nothing outside is touched"),
    "F25": ("absurd settings, duplicate keys, gigantic headers", "refused in plain words, in little memory"),
    "F26": ("writer of a result file killed", "the file is complete or not there"),
    "F27": ("clock set wrong", "the order of checkpoints does not depend on it"),
    "F28": ("other numbers of threads, other batches", "the same trajectories"),
    "F29": ("log of energies cut off, flipped, doubled", "damaged lines passed over, no whole one lost"),
    "F30": ("Ctrl-C in a notebook, threads, spawned processes", "ends with what is known; the same results"),
}
"""What is injected, and what has to become of it."""


def markdown(tally: Tally, note: str) -> str:
    """Lay out the counts of a campaign.

    Parameters
    ----------
    tally : Tally
    note : str
        Where and when it ran.
    """
    head = ["fault", "injected", "what has to happen", "times", "survived", "wrong", "trials lost", "energies lost"]
    rows = [_row(name, tally.counts.get(name)) for name in FAULTS]
    return "\n".join(
        ["# Faults injected", "", note, "", *_table(head, rows), "", *_total(tally), *_controls(tally), ""]
    )


def _row(name: str, count: FaultCount | None) -> list[str]:
    what, expected = FAULTS[name]
    if count is None:
        return [name, what, expected, "not run", "", "", "", ""]
    share = count.survived / count.injected
    survived = f"{count.survived} ({'100' if share == 1 else f'{100 * share:.2f}'} %)"
    numbers = [str(count.injected), survived, str(count.wrong), count.lost_trials, str(count.energies_lost)]
    return [name, what, expected, *numbers]


def _total(tally: Tally) -> list[str]:
    counts = list(tally.counts.values())
    injected, survived = sum(c.injected for c in counts), sum(c.survived for c in counts)
    return [
        f"All: {injected} injected, {survived} survived, {sum(c.wrong for c in counts)} wrong results, "
        f"{sum(c.energies_lost for c in counts)} finished energies lost. Trials lost are median / largest, "
        "for each interruption; '-' where nothing is interrupted.",
    ]


def _controls(tally: Tally) -> list[str]:
    if not tally.controls:
        return []
    rows = [
        [one.guard, one.count.fault, str(one.count.injected), str(one.count.survived), str(one.count.wrong)]
        for one in tally.controls
    ]
    head = ["guard taken away", "fault", "times", "survived", "wrong"]
    return ["", "The same injections with a guard taken away, to show that the count notices:", "", *_table(head, rows)]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def to_json(tally: Tally, note: str) -> str:
    """Write counts as JSON, to be put together with those of other parts."""
    return json.dumps({"note": note} | asdict(tally))


def main(target: str, *parts: str) -> None:
    """Add up the counts of parts and write their table."""
    whole, notes = Tally(full=True), []
    for part in parts:
        found = json.loads(Path(part).read_text(encoding="utf-8"))
        notes.append(found["note"])
        for count in found["counts"].values():
            whole.add(FaultCount(**count))
        whole.controls += [Control(one["guard"], FaultCount(**one["count"])) for one in found["controls"]]
    Path(target).write_text(markdown(whole, " ".join(dict.fromkeys(notes))), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
