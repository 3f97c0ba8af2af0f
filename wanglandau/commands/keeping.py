"""What ``wanglandau dos`` does about its files before and after the work: lock, checkpoint, results that are there."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wanglandau.checkpoint_file import checkpoint_exists
from wanglandau.command_line import EXIT_INTERRUPTED
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice
from wanglandau.run_checkpoint import read_kept
from wanglandau.run_file import RunRecord
from wanglandau.run_header import plain_settings, unlike
from wanglandau.run_lock import lock_of, locked
from wanglandau.semigrand_file import SemigrandRecord, read_any_result

if TYPE_CHECKING:
    from wanglandau.oracle import EnergyOracle
    from wanglandau.ranks import Ranks
    from wanglandau.settings import WangLandauSettings


Result = RunRecord | SemigrandRecord


@contextmanager
def one_writer(out: Path, ranks: Ranks) -> Iterator[None]:
    """Keep other calculations away from a result file and its checkpoint, inside the ``with`` block.

    Raises
    ------
    InputError
        In all processes, if another calculation is at work there.
    """
    failure: InputError | None = None
    with ExitStack() as stack:
        if ranks.rank == 0:
            try:
                stack.enter_context(locked(lock_of(out), str(out)))
            except InputError as error:
                failure = error
        if ranks.gather(np.array([failure is not None])).any():
            raise failure or InputError(f"{out} is in use")
        yield


def by_first(
    look: Callable[[], RunRecord | SemigrandRecord | None], ranks: Ranks
) -> tuple[bool, RunRecord | SemigrandRecord | None]:
    """Let the first process look at files, and all know whether it found something; it alone gets what it found.

    Raises
    ------
    InputError
        In all processes, if the first one fails.
    """
    found, failure = None, None
    if ranks.rank == 0:
        try:
            found = look()
        except InputError as error:
            failure = error
    outcome = int(ranks.gather(np.array([2 if failure else int(found is not None)], dtype=np.int64)).max())
    if outcome == 2:
        raise failure or InputError("the first process has refused the work")
    return outcome == 1, found


def check_free(checkpoint: Path) -> None:
    """Refuse to begin anew where there is a calculation to go on with.

    Raises
    ------
    InputError
        If there is an interrupted calculation, or a checkpoint that cannot be read.
    """
    if not checkpoint_exists(checkpoint):
        return
    try:
        finished = read_kept(checkpoint).header["finished"]
    except InputError as error:
        raise InputError(f"{error}; delete it (and its .prev) to begin anew") from error
    if not finished:
        raise InputError(
            f"{checkpoint} holds an interrupted calculation: give --resume to go on with it, or delete it (and its "
            ".prev) to begin anew"
        )


def finished_result(
    out: Path, checkpoint: Path, oracle: EnergyOracle, composition: int | None, settings: WangLandauSettings
) -> Result | None:
    """Return the result that is there, if it is that of the same calculation and there is nothing to go on with.

    Says on standard error why a result that is there is another, which will be replaced.
    """
    if not out.exists():
        return None
    if checkpoint_exists(checkpoint):
        kept = read_kept(checkpoint)
        same = all(kept.header["settings"][name] == getattr(settings, name) for name in ("max_trials", "precision"))
        if not (kept.header["finished"] and same):
            return None
    try:
        record = read_any_result(out)
        if not isinstance(record, RunRecord | SemigrandRecord):
            raise InputError(f"{out} holds another kind of result")
    except InputError as error:
        print(f"warning: {error}; it will be replaced", file=sys.stderr)
        return None
    found = _differences(record, oracle, composition, settings)
    if found and not checkpoint_exists(checkpoint):  # else that decides whether they go together
        print(f"warning: {out} holds another calculation ({'; '.join(found)}), which will be replaced", file=sys.stderr)
    return None if found else record


def _differences(
    record: RunRecord | SemigrandRecord, oracle: EnergyOracle, composition: int | None, settings: WangLandauSettings
) -> list[str]:
    described = record.system
    lattice = Lattice(tuple(described["species"]), described["cell"], described["positions"])
    before: dict[str, Any] = {"lattice": lattice.fingerprint, "oracle": record.oracle["identity"]}
    now: dict[str, Any] = {"lattice": oracle.lattice.fingerprint, "oracle": oracle.identity}
    if isinstance(record, RunRecord):
        before["composition"], now["composition"] = record.density.composition, composition
    kept = {"physics": before, "settings": record.settings}
    asked = {"physics": now, "settings": plain_settings(settings)}
    found = unlike(kept, asked)
    if record.diagnostics.get("interrupted"):
        found.append("it was interrupted")
    if settings.precision < record.settings["precision"]:
        found.append(f"precision was {record.settings['precision']:g}, is {settings.precision:g}")
    more = settings.max_trials > record.settings["max_trials"]
    if more and not record.verdict["trusted"]:
        found.append(f"max_trials was {record.settings['max_trials']:g}, is {settings.max_trials:g}")
    return found


def command_to_go_on(command: Sequence[str], options: Mapping[str, Any]) -> str:
    """Return a command line that goes on with a calculation.

    Parameters
    ----------
    command : sequence of str
        Program, command and its positional arguments.
    options : mapping
        The options that were given; those of dataclasses are left out where they have their default, others where they
        are None.
    """
    words = list(command)
    for name, value in options.items():
        if is_dataclass(value) and not isinstance(value, type):
            for item in fields(value):
                if getattr(value, item.name) != item.default:
                    words += _words_of(item.name, getattr(value, item.name))
        elif value is not None:
            words += _words_of(name, value)
    return shlex.join(words if "--resume" in words else [*words, "--resume"])


def _words_of(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", *(str(part) for part in (value if isinstance(value, tuple) else (value,)))]


def end_at_once(message: str) -> None:
    """Say why and end the process, which cannot be reached otherwise, as if it had been interrupted in good order."""
    print(f"wanglandau dos: error: {message}", file=sys.stderr, flush=True)
    if "--json" in sys.argv and sys.__stdout__ is not None:
        print(json.dumps({"error": message, "exit_code": EXIT_INTERRUPTED}), file=sys.__stdout__, flush=True)
    os._exit(EXIT_INTERRUPTED)
